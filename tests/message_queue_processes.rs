//! The queue of messages between real processes that are really killed, and over memory that
//! something else has overwritten. Rechecks are off.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)] // tests look from outside

mod common;

use common::*;
use outlive::{
    MessageQueue, MessageQueueSegment, OpenError, RecvMessageError, Segment, SendMessageError, Shareable,
    TryRecvMessageError, TrySendMessageError, wait_any,
};
use std::io::{Read, Write};
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

#[derive(Debug, Shareable)]
#[repr(C)]
struct Shared {
    reported: AtomicU64,
    /// The next number to send.
    next: AtomicU64,
    received: Received,
}

/// The message of a number: its length depends on the number, and so does each byte.
fn message(number: u64) -> Vec<u8> {
    let length = 8 + (number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as usize % 3_000;
    let mut bytes = number.to_ne_bytes().to_vec();
    bytes.extend((8..length).map(|at| (number as usize + at * 7) as u8));
    bytes
}

/// The number of a message, which is whole.
fn number_of(bytes: &[u8]) -> u64 {
    let number = u64::from_ne_bytes(bytes[..8].try_into().expect("eight bytes"));
    assert!(bytes == message(number), "a part of message {number}, or of another: {} bytes", bytes.len());
    number
}

fn anonymous(messages: usize, bytes: usize) -> MessageQueueSegment {
    outlive::test_switches::set_recheck(false);
    MessageQueue::anonymous(messages, bytes).expect("a queue")
}

/// The roles of child processes.
#[test]
#[ignore = "the child's half of other tests"]
fn child() {
    let Some(role) = role() else { return };
    let (role, name) = role.split_once(" of ").unwrap_or((&role, ""));
    let shared_and_queue = || (inherited_of::<Shared>(), MessageQueue::open(name).expect("made by the parent"));
    match role {
        "number" => {
            let (shared, queue) = shared_and_queue();
            for number in 0.. {
                queue.send_bytes(&message(number)).expect("open");
                shared.reported.fetch_add(1, SeqCst);
            }
        }
        "produce" => {
            let (shared, queue) = shared_and_queue();
            loop {
                queue.send_bytes(&message(shared.next.fetch_add(1, SeqCst))).expect("open");
            }
        }
        "select and produce" => {
            let (shared, queue) = shared_and_queue();
            loop {
                let bytes = message(shared.next.fetch_add(1, SeqCst));
                while let Err(error) = queue.try_send_bytes(&bytes) {
                    assert!(matches!(error, TrySendMessageError::Full), "{error}");
                    assert_eq!(wait_any(&[queue.writable(bytes.len())]), Ok(0));
                }
            }
        }
        "produce in pieces" => {
            let (shared, queue) = shared_and_queue();
            loop {
                let bytes = message(shared.next.fetch_add(1, SeqCst));
                queue.send_with(|writer| bytes.chunks(97).try_for_each(|part| writer.write_all(part))).expect("open");
            }
        }
        "consume" => {
            let (shared, queue) = shared_and_queue();
            loop {
                shared.received.note(number_of(&queue.recv_bytes().expect("open")));
                shared.reported.fetch_add(1, SeqCst);
            }
        }
        "consume in pieces" => {
            let (shared, queue) = shared_and_queue();
            loop {
                let mut bytes = vec![];
                queue.recv_with(|reader| reader.read_to_end(&mut bytes)).expect("open");
                shared.received.note(number_of(&bytes));
                shared.reported.fetch_add(1, SeqCst);
            }
        }
        "receive one" => {
            let queue = inherited_queue();
            say(&queue.recv_bytes().map_or_else(|error| error.to_string(), |bytes| bytes.len().to_string()));
        }
        "send a long one" => {
            let queue = inherited_queue();
            let long = vec![9; queue.max_message()];
            say(&queue.send_bytes(&long).map_or_else(|error| error.to_string(), |()| "sent".into()));
        }
        "stop amid a message" => {
            let queue = inherited_queue();
            queue
                .send_with(|writer| {
                    writer.write_all(&vec![1; queue.max_message()])?;
                    say("in the middle");
                    wait_for_the_word();
                    Ok(())
                })
                .expect("killed before");
        }
        "stop amid reading" => {
            let queue = inherited_queue();
            queue
                .recv_with(|reader| {
                    reader.read_exact(&mut [0; 300])?;
                    say("in the middle");
                    wait_for_the_word();
                    Ok(())
                })
                .expect("killed before");
        }
        "hold a sender" => {
            let queue = inherited_queue();
            let sender = queue.sender().expect("open");
            sender.send_bytes(b"one").expect("room");
            say("has a sender");
            wait_for_the_word();
        }
        other => panic!("no such role: {other}"),
    }
}

/// In a child: the queue that the parent passed.
fn inherited_queue() -> MessageQueueSegment {
    MessageQueue::options(1, 1).expect("in range").inherit("test").expect("passed").try_into().expect("a queue")
}

#[test]
fn a_killed_sender_loses_at_most_the_message_that_it_was_sending() {
    for round in 0..12 {
        let (shared, name) = (segment_of::<Shared>(|_| {}), Name::new(&format!("killed-{round}")));
        let queue = MessageQueue::create(&*name.0, 1 + round % 5, 4_000).expect("a queue");
        let mut sender = Actor::start(&shared, &format!("number of {}", name.0), round % 2 == 0);
        let mut received = 0;
        let mut receive = |bytes: Vec<u8>| {
            assert_eq!(number_of(&bytes), received, "out of order, missing or twice");
            received += 1;
        };
        for _ in 0..round * 37 {
            receive(queue.recv_bytes().expect("open"));
        }
        sender.kill();
        queue.try_iter().for_each(&mut receive);
        let reported = shared.reported.load(SeqCst);
        assert!((reported..=reported + 1).contains(&received), "{reported} sent, {received} received");
        // Nothing is left of the dead: all blocks can be used.
        queue.try_send_bytes(&vec![7; queue.max_message()]).expect("room");
        assert!(queue.recv_bytes().is_ok() && queue.is_empty());
    }
}

#[test]
fn kills_at_random_moments_lose_no_message_but_those_of_the_dead() {
    each_way(|waitv| {
        const KILLS: u64 = 30;
        let name = Name::new(&format!("random-{waitv}"));
        let queue = MessageQueue::create(&*name.0, 4, 5_000).expect("a queue");
        let shared = segment_of::<Shared>(|_| {});
        let roles = ["consume", "produce", "consume in pieces", "produce in pieces", "select and produce"];
        let roles = roles.map(|role| format!("{role} of {}", name.0));
        kill_at_random(&shared, &roles.each_ref().map(|role| &**role), waitv, (KILLS, 300), &shared.reported);
        queue.try_iter().for_each(|bytes| shared.received.note(number_of(&bytes)));
        let sent = shared.next.load(SeqCst);
        let noted: u64 = shared.received.count();
        // A dead sender had a number and had not sent it; a dead receiver had received a message
        // and had not noted it.
        assert!(noted <= sent && sent <= noted + KILLS + roles.len() as u64, "{sent} numbers, {noted} received");
        assert!(queue.is_empty());
        queue.try_send_bytes(&vec![7; queue.max_message()]).expect("all room is there");
    });
}

#[test]
fn a_sender_that_is_killed_in_the_middle_of_a_long_message_leaves_its_blocks_free() {
    each_way(|waitv| {
        let queue = anonymous(4, 10_000);
        let mut victim = Actor::start(queue.segment(), "stop amid a message", waitv);
        assert_eq!(victim.hear(), "in the middle");
        assert!(queue.try_send_bytes(&[1; 5_000]).is_err(), "the victim has all blocks");
        let mut next = Actor::start(queue.segment(), "send a long one", waitv);
        until_asleep(queue.segment(), next.id());
        let mut receiver = Actor::start(queue.segment(), "receive one", waitv);
        until_asleep(queue.segment(), receiver.id());
        victim.kill();
        assert_eq!(next.hear(), "sent");
        assert_eq!(receiver.hear(), queue.max_message().to_string());
        assert!(next.ends_well() && receiver.ends_well() && queue.is_empty());
    });
}

/// It keeps the gate while it waits for more than there is. So other long messages have to wait.
#[test]
fn the_death_of_a_sender_that_waits_for_room_makes_the_queue_writable() {
    each_way(|waitv| {
        let queue = anonymous(4, 10_000);
        let long = vec![1; queue.block_size() + 1];
        queue.send_bytes(&long).expect("room");
        let mut victim = Actor::start(queue.segment(), "send a long one", waitv);
        until_asleep(queue.segment(), victim.id());
        assert!(matches!(queue.try_send_bytes(&long), Err(TrySendMessageError::Full)), "the victim has the gate");
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| wait_any(&[queue.writable(long.len())]));
            until("the waiter to sleep, too", || sleepers(queue.segment()) == 2);
            victim.kill();
            assert_eq!(waiter.join().expect("no panic"), Ok(0));
        });
        queue.try_send_bytes(&long).expect("the gate is free");
    });
}

#[test]
fn a_receiver_that_is_killed_in_the_middle_of_a_long_message_leaves_it_to_the_next() {
    each_way(|waitv| {
        let queue = anonymous(4, 10_000);
        queue.send_bytes(&[3; 9_000]).expect("room");
        let mut victim = Actor::start(queue.segment(), "stop amid reading", waitv);
        assert_eq!(victim.hear(), "in the middle");
        let mut next = Actor::start(queue.segment(), "receive one", waitv);
        until_asleep(queue.segment(), next.id());
        victim.kill();
        assert_eq!(next.hear(), "9000");
        assert!(next.ends_well() && queue.is_empty());
    });
}

#[test]
fn the_death_of_the_last_sender_ends_the_queue_after_its_last_message() {
    each_way(|waitv| {
        let queue = anonymous(4, 1_000);
        let mut sender = Actor::start(queue.segment(), "hold a sender", waitv);
        assert_eq!(sender.hear(), "has a sender");
        sender.kill();
        assert_eq!(queue.recv_bytes().expect("sent"), b"one");
        assert!(matches!(queue.recv_bytes(), Err(RecvMessageError::Disconnected)));
        assert!(matches!(queue.send_bytes(b"two"), Err(SendMessageError::Disconnected)));
    });
}

#[test]
fn a_segment_of_something_else_is_no_queue() {
    let name = Name::new("messages-other");
    Segment::<u64>::create(&*name.0, |_| {}).expect("a segment");
    assert!(matches!(MessageQueue::open(&*name.0), Err(OpenError::Type { .. })), "another type");
}

/// The words of a queue's room, as a program sees them that writes where it must not.
fn words(queue: &MessageQueueSegment) -> &[AtomicU64] {
    let room = queue.segment().room();
    // SAFETY: the room consists of atomic words.
    unsafe { core::slice::from_raw_parts(room.as_ptr().cast(), size_of_val(room) / 8) }
}

#[test]
fn overwritten_lengths_and_links_cost_the_messages_that_they_belong_to() {
    let queue = anonymous(3, 1_200);
    let bytes = vec![5; 1_000];
    queue.send_bytes(&bytes).expect("room");
    let whole: Vec<u64> = words(&queue).iter().map(|word| word.load(SeqCst)).collect();
    assert_eq!(queue.recv_bytes().expect("well formed"), bytes);
    let mut malformed = 0;
    // Each word in turn, over the whole queue: states, letters, owners, links and bytes.
    for (at, word) in whole.into_iter().enumerate() {
        for garbage in [!0, 1 << 32, 0x0123_4567_89ab_cdef, word ^ 1, word ^ 1 << 33] {
            let queue = anonymous(3, 1_200);
            queue.send_bytes(&bytes).expect("room");
            queue.send_bytes(b"the next one").expect("room");
            words(&queue)[at].store(garbage, SeqCst);
            // However it ends, it ends: each call takes one message, or there is none.
            for _ in 0..=queue.capacity() {
                match queue.try_recv_bytes() {
                    Ok(bytes) => assert!(bytes.len() <= queue.max_message()),
                    Err(TryRecvMessageError::Malformed) => malformed += 1,
                    Err(TryRecvMessageError::Empty | TryRecvMessageError::Disconnected) => break,
                    Err(other) => panic!("{other:?}"),
                }
            }
            _ = queue.try_send_bytes(&bytes);
            _ = queue.try_send_with(|writer| writer.write_all(&bytes));
        }
    }
    assert!(malformed > 0, "lengths and links were checked");
}

#[test]
fn a_malformed_message_is_dropped_and_the_next_one_is_readable() {
    let queue = anonymous(3, 1_200);
    let before: Vec<u64> = words(&queue).iter().map(|word| word.load(SeqCst)).collect();
    queue.send_bytes(&[5; 1_000]).expect("room");
    queue.send_bytes(b"the next one").expect("room");
    // The second word of the first cell is the letter of its message.
    assert_ne!(words(&queue)[1].load(SeqCst), before[1]);
    words(&queue)[1].store(u64::from(u32::MAX >> 4), SeqCst);
    let error = queue.recv_bytes().expect_err("an impossible length");
    assert!(matches!(error, RecvMessageError::Malformed), "{error:?}");
    assert_eq!(queue.recv_bytes().expect("well formed"), b"the next one");
    queue.try_send_bytes(&vec![7; queue.max_message()]).expect("its blocks are free");
}
