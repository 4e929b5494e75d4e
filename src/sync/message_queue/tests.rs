//! What one process does with a queue of messages.

use super::*;
use std::io::{BufRead, Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};

fn queue(messages: usize, bytes: usize) -> MessageQueueSegment {
    MessageQueue::anonymous(messages, bytes).expect("a queue")
}

/// Bytes that tell their place.
fn bytes(length: usize, seed: usize) -> Vec<u8> {
    (0..length).map(|at| (at * 7 + at / 251 + seed) as u8).collect()
}

/// Lengths about the ends of words, of blocks and of the queue.
fn lengths(queue: &MessageQueue) -> Vec<usize> {
    let (block, most) = (queue.block_size(), queue.max_message());
    let mut all: Vec<_> = [0, 8, 64, 256, block, 2 * block, 3 * block, most]
        .iter()
        .flat_map(|middle| middle.saturating_sub(2)..=middle + 2)
        .filter(|length| *length <= most)
        .collect();
    all.dedup();
    all
}

#[test]
fn each_length_comes_as_it_was_sent_in_each_way() {
    let queue = queue(3, 1000);
    for length in lengths(&queue) {
        let sent = bytes(length, length);
        let send_in_pieces = |size: usize| {
            queue.try_send_with(|writer| sent.chunks(size.max(1)).try_for_each(|piece| writer.write_all(piece)))
        };
        for size in [1, 3, 7, 8, 13, 64, 65, 200, length] {
            send_in_pieces(size).expect("room");
            assert_eq!(queue.try_recv_bytes().expect("sent"), sent, "pieces of {size}");
        }
        queue.try_send_bytes(&sent).expect("room");
        let mut buffer = vec![1; length + 3];
        assert_eq!(queue.try_recv_into(&mut buffer).expect("sent"), length);
        assert!(buffer[..length] == sent && buffer[length..] == [1; 3]);
        for size in [1, 5, 8, 255, 256, 257, 2000] {
            queue.try_send_bytes(&sent).expect("room");
            let read = queue.try_recv_with(|reader| {
                let (mut all, mut piece) = (vec![], vec![0; size]);
                loop {
                    assert_eq!(reader.len(), length - all.len());
                    match reader.read(&mut piece)? {
                        0 => return Ok(all),
                        count => all.extend_from_slice(&piece[..count]),
                    }
                }
            });
            assert_eq!(read.expect("sent"), sent, "pieces of {size}");
        }
    }
    assert!(queue.is_empty());
}

#[test]
fn the_bytes_fit_whatever_their_lengths() {
    for (messages, total) in [(1, 1), (1, 4096), (4, 4096), (16, 64), (7, 100_000)] {
        let queue = queue(messages, total);
        for _ in 0..3 {
            for length in [total / messages, total.div_ceil(messages * 2)] {
                let sent: Vec<_> = (0..messages).map(|seed| bytes(length, seed)).collect();
                sent.iter().for_each(|message| queue.try_send_bytes(message).expect("room"));
                assert!(matches!(queue.try_send_bytes(b""), Err(TrySendMessageError::Full)));
                assert_eq!(queue.try_iter().collect::<Vec<_>>(), sent);
            }
            queue.try_send_bytes(&bytes(total, 1)).expect("all of it");
            assert_eq!(queue.try_recv_bytes().expect("sent"), bytes(total, 1));
        }
    }
}

#[test]
fn a_message_that_is_too_long_is_refused_with_both_numbers() {
    let queue = queue(2, 500);
    let most = queue.max_message();
    for length in [most + 1, 2 * most, 10 * most] {
        let long = bytes(length, 0);
        let error = queue.send_bytes(&long).expect_err("too long");
        assert!(matches!(error, SendMessageError::TooLong { length: l, most: m } if (l, m) == (length, most)));
        let error = queue.send_with(|writer| writer.write_all(&long)).expect_err("too long");
        assert!(matches!(error, SendMessageError::TooLong { length: l, most: m } if (l, m) == (length, most)));
        assert_eq!(
            error.to_string(),
            format!(
                "the message was expected to have at most {most} bytes, but has {length}; make a queue for more bytes, or send parts"
            )
        );
    }
    queue.try_send_bytes(&bytes(most, 3)).expect("nothing was left behind");
    assert_eq!(queue.try_recv_bytes().expect("sent"), bytes(most, 3));
}

/// So nobody looks at all blocks again and again, who has to look at the clock.
#[test]
fn room_for_a_message_is_a_dear_source_if_it_needs_the_pool() {
    let queue = queue(2, 500);
    let block = queue.block_size();
    for (length, is_dear) in [(0, false), (block, false), (block + 1, true), (queue.max_message(), true)] {
        assert_eq!(queue.writable(length).prepare().source().is_dear(), is_dear, "{length} bytes");
    }
    assert!(!queue.readable().prepare().source().is_dear());
}

#[test]
fn a_writer_without_room_goes_on_in_its_own_memory() {
    let queue = queue(4, 500);
    let most = queue.max_message();
    // The pool is taken, so the writer has its cell's block alone.
    queue.try_send_bytes(&bytes(most, 1)).expect("room");
    let long = bytes(most - 10, 2);
    let full = queue.try_send_with(|writer| writer.write_all(&long));
    assert!(matches!(full, Err(TrySendMessageError::Full)));
    let timed_out = queue.send_with_timeout(|writer| writer.write_all(&long), Duration::ZERO);
    assert!(matches!(timed_out, Err(SendMessageTimeoutError::TimedOut)));
    std::thread::scope(|scope| {
        let sender = scope.spawn(|| queue.send_with(|writer| long.chunks(9).try_for_each(|c| writer.write_all(c))));
        assert_eq!(queue.recv_bytes().expect("sent"), bytes(most, 1));
        assert_eq!(queue.recv_bytes().expect("it is being sent"), long);
        sender.join().expect("no panic").expect("sent");
    });
}

#[test]
fn a_short_buffer_leaves_the_message_the_next_one() {
    let queue = queue(4, 500);
    queue.try_send_bytes(b"one").expect("room");
    queue.try_send_bytes(b"two and more").expect("room");
    let mut buffer = [0; 3];
    assert_eq!(queue.try_recv_into(&mut buffer).expect("room for it"), 3);
    for _ in 0..2 {
        let error = queue.try_recv_into(&mut buffer).expect_err("too long for it");
        assert!(matches!(error, TryRecvMessageError::TooShort { length: 12, room: 3 }), "{error}");
    }
    assert_eq!(queue.try_recv_bytes().expect("still there"), b"two and more");
}

#[test]
fn what_fails_or_panics_sends_nothing_and_receives_one_message() {
    let queue = queue(2, 500);
    for _ in 0..5 {
        let error = queue.try_send_with(|writer| {
            writer.write_all(&bytes(400, 1))?;
            Err::<(), _>(io::Error::other("no more"))
        });
        assert!(matches!(error, Err(TrySendMessageError::Encode(error)) if error.to_string() == "no more"));
        let panic = catch_unwind(AssertUnwindSafe(|| {
            queue.try_send_with(|writer| {
                writer.write_all(&bytes(400, 1))?;
                if writer.len() == 400 { panic!("on purpose") } else { Ok(()) }
            })
        }));
        assert!(panic.is_err() && queue.is_empty());
        queue.try_send_bytes(b"first").expect("room");
        queue.try_send_bytes(b"second").expect("room");
        let error = queue.try_recv_with(|reader| {
            reader.read_exact(&mut [0; 3])?;
            Err::<(), _>(io::Error::other("no more"))
        });
        assert!(matches!(error, Err(TryRecvMessageError::Decode(_))));
        let panic = catch_unwind(AssertUnwindSafe(|| {
            queue.try_recv_with(|reader| if reader.len() == 6 { panic!("on purpose") } else { Ok(()) })
        }));
        assert!(panic.is_err());
        assert!(matches!(queue.try_recv_bytes(), Err(TryRecvMessageError::Empty)));
    }
    queue.try_send_bytes(b"a\nb\n").expect("room");
    let lines = queue.try_recv_with(|reader| reader.lines().collect::<io::Result<Vec<_>>>());
    assert_eq!(lines.expect("sent"), ["a", "b"]);
}

#[test]
fn garbage_in_any_word_of_a_message_costs_that_message_alone() {
    for garbage in [1, 2, 100, 1 << 32, 5 << 32, u64::MAX, u64::MAX >> 4] {
        for unit in 0..8 {
            for word in 1..2 {
                let queue = queue(4, 1000);
                let long = bytes(600, 1);
                queue.try_send_bytes(&long).expect("room");
                queue.try_send_bytes(b"next").expect("room");
                let Some(target) = queue.room().get(unit * queue.sizes.unit() + word) else { continue };
                target.store(garbage, Relaxed);
                let mut received = vec![];
                for _ in 0..2 {
                    match queue.try_recv_bytes() {
                        Ok(message) => received.push(message),
                        Err(TryRecvMessageError::Malformed) => {}
                        Err(other) => panic!("{other}"),
                    }
                }
                assert!(unit == 1 || received.contains(&b"next".to_vec()), "{garbage:#x} in unit {unit}");
                assert!(received.len() <= 2 && queue.is_empty());
                queue.try_send_bytes(&long).expect("room");
                assert_eq!(queue.try_recv_bytes().expect("sent"), long);
            }
        }
    }
}

#[test]
fn a_reader_says_that_its_message_is_malformed() {
    let queue = queue(4, 1000);
    queue.try_send_bytes(&bytes(600, 1)).expect("room");
    queue.link(queue.sizes.blocks() - 1); // within the room
    for block in 0..queue.sizes.blocks() {
        queue.owner(block).store(u64::MAX, Relaxed);
    }
    let read = queue.try_recv_with(|reader| reader.read_to_end(&mut vec![]));
    assert!(matches!(read, Err(TryRecvMessageError::Malformed)));
    assert!(matches!(queue.try_recv_bytes(), Err(TryRecvMessageError::Empty)));
}

#[test]
fn numbers_that_do_not_fit_are_refused() {
    assert!(MessageQueue::options(0, 1).is_err() && MessageQueue::options(1, 0).is_err());
    assert!(MessageQueue::options(1 << 28, 1).is_err() && MessageQueue::options(1, 1 << 32).is_err());
    let whole = Sizes::new(16, 4096).expect("in range");
    assert_eq!(Sizes::checked(whole.numbers(), whole.room()), Some(whole));
    assert_eq!(Sizes::checked(whole.numbers(), whole.room() + 1), None);
    for which in 0..3 {
        for wrong in [0, 1, 15, 1 << 29, u64::MAX] {
            let mut numbers = whole.numbers();
            numbers[which] = wrong;
            assert_eq!(Sizes::checked(numbers, whole.room()), None, "{numbers:?}");
        }
    }
    let empty = MessageQueue::options(16, 4096).expect("in range").anonymous(|_, _| {}).expect("a segment");
    let error = MessageQueueSegment::try_from(empty).expect_err("no numbers");
    assert!(error.to_string().contains("MessageQueue::create"), "{error}");
}

#[test]
fn both_ends_close_it() {
    let queue = queue(4, 100);
    let (sender, receiver) = (queue.sender().expect("open"), queue.receiver().expect("open"));
    sender.send_bytes(b"last").expect("room");
    drop(sender);
    assert_eq!(receiver.iter().collect::<Vec<_>>(), [b"last"]);
    assert!(matches!(receiver.recv_bytes(), Err(RecvMessageError::Disconnected)));
    assert!(matches!(queue.send_bytes(b""), Err(SendMessageError::Disconnected)));
}

#[cfg(feature = "serde")]
mod values {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn values_come_as_they_were_sent() {
        let queue = queue(4, 2000);
        type Rows = BTreeMap<String, Vec<Option<i64>>>;
        let value: (Rows, f64, char, Vec<u8>) = (
            BTreeMap::from([("a".repeat(300), vec![Some(-7), None]), (String::new(), vec![])]),
            0.5,
            'é',
            bytes(500, 1),
        );
        queue.try_send(&value).expect("room");
        assert_eq!(queue.try_recv().map(|found: (_, _, _, _)| found).expect("sent"), value);
        // These are taken in one piece that lives to the end.
        let address: (std::net::IpAddr, std::path::PathBuf) = ("::1".parse().expect("one"), "/tmp".into());
        queue.try_send(&address).expect("room");
        assert_eq!(queue.try_recv::<(std::net::IpAddr, std::path::PathBuf)>().expect("sent"), address);
    }

    #[test]
    fn another_type_is_an_error_and_the_next_message_is_readable() {
        let queue = queue(4, 2000);
        for wrong in [&[][..], &[0xff; 20], &[0xff, 0xff, 0xff, 0xff, 0x0f], b"\x05ab", b"\x01a more"] {
            queue.try_send_bytes(wrong).expect("room");
            queue.try_send("right").expect("room");
            assert!(matches!(queue.try_recv::<String>(), Err(TryRecvMessageError::Decode(_))), "{wrong:?}");
            assert_eq!(queue.try_recv::<String>().expect("right"), "right");
        }
    }

    #[test]
    fn a_value_that_is_too_long_is_refused_with_both_numbers() {
        let queue = queue(2, 500);
        let most = queue.max_message();
        let error = queue.send(&vec![7_u8; 5 * most]).expect_err("too long");
        assert!(matches!(error, SendMessageError::TooLong { length, most: m } if length > 5 * most && m == most));
    }
}
