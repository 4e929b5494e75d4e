//! Pipes between real processes that are really killed. Rechecks are off.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)] // tests look from outside

mod common;

use common::*;
use outlive::{
    DuplexPipe, OpenError, Pipe, PipeEndError, PipeReceiver, PipeRecvError, PipeRecvTimeoutError, PipeRoot,
    PipeSendError, PipeSendTimeoutError, PipeTryRecvError, PipeTrySendError, PipeWord, Segment, TryWaitAnyError,
    WaitAnyTimeoutError, try_wait_any, wait_any, wait_any_timeout,
};
use std::future::Future;
use std::io::{ErrorKind, Read, Write};
use std::pin::pin;
use std::sync::mpsc;
use std::task::{Context, Waker};
use std::time::Duration;

fn pipe(capacity: usize) -> Pipe {
    outlive::test_switches::set_recheck(false);
    Pipe::anonymous(capacity).expect("a pipe")
}

fn inherited_pipe() -> Pipe {
    outlive::test_switches::set_recheck(false);
    Pipe::options(64).expect("in range").inherit("test").expect("passed").try_into().expect("a pipe")
}

/// A message of so many bytes that tells its number in each of them.
fn message(number: u64) -> Vec<u8> {
    vec![number as u8; 1 + (number as usize * 7919) % 700]
}

/// The roles of child processes.
#[test]
#[ignore = "the child's half of other tests"]
fn child() {
    let Some(role) = role() else { return };
    match &*role {
        "count" => {
            let mut sender = inherited_pipe().sender().expect("free");
            for number in 0.. {
                sender.send_bytes(&message(number)).expect("there is a receiver");
            }
        }
        "send hello" => inherited_pipe().sender().expect("free").send_bytes(b"hello").expect("there is room"),
        "send a part" => {
            let mut sender = inherited_pipe().sender().expect("free");
            sender.send_bytes(b"whole").expect("there is room");
            let error = sender.send_bytes_timeout(&[7; 4000], Duration::ZERO).expect_err("nobody receives");
            assert!(matches!(error, PipeSendTimeoutError::TimedOut), "{error}");
            say("sent a part");
            wait_for_the_word();
        }
        "receive one" => {
            let mut receiver = inherited_pipe().receiver().expect("free");
            say(&String::from_utf8_lossy(&receiver.recv_bytes().expect("sent")));
            wait_for_the_word();
        }
        "send until the end" => {
            let mut sender = inherited_pipe().sender().expect("free");
            let error = loop {
                if let Err(error) = sender.send_bytes(&[1; 20]) {
                    break error;
                }
            };
            say(&error.to_string());
        }
        "a thread's sender" => {
            let pipe = inherited_pipe();
            let mut sender = std::thread::spawn(move || pipe.sender().expect("free")).join().expect("no panic");
            say("its thread has ended");
            wait_for_the_word();
            sender.send_bytes(b"still").expect("there is room");
            say("sent");
        }
        other => panic!("no such role: {other}"),
    }
}

#[test]
fn messages_come_whole_and_in_order_from_a_process_that_is_killed() {
    each_way(|waitv| {
        for round in 0..10_u64 {
            let pipe = pipe(512);
            let mut receiver = pipe.receiver().expect("free");
            let mut sender = Actor::start(pipe.segment(), "count", waitv);
            let mut next = 0;
            while next < 1 + 50 * round {
                assert_eq!(receiver.recv_bytes().expect("sent"), message(next));
                next += 1;
            }
            sender.kill();
            let end = loop {
                match receiver.recv_bytes() {
                    Ok(received) => assert_eq!(received, message(next)),
                    Err(error) => break error,
                }
                next += 1;
            };
            assert!(matches!(end, PipeRecvError::PeerDied { .. }), "{end}");
            // The pipe goes on with another sender.
            let mut heir = pipe.sender().expect("left by the dead");
            heir.send_bytes(b"the next").expect("there is room");
            assert_eq!(receiver.recv_bytes().expect("sent"), b"the next");
        }
    });
}

#[test]
fn a_sleeping_receiver_learns_of_the_senders_death_and_drops_a_part() {
    each_way(|waitv| {
        let pipe = pipe(512);
        let mut sender = Actor::start(pipe.segment(), "send a part", waitv);
        assert_eq!(sender.hear(), "sent a part");
        let mut receiver = pipe.receiver().expect("free");
        assert_eq!(receiver.recv_bytes().expect("sent"), b"whole");
        let waits = std::thread::spawn(move || (receiver.recv_bytes(), receiver));
        until("the receiver to sleep", || pipe.segment().participants().iter().any(|p| p.asleep_for.is_some()));
        sender.kill();
        let (answer, mut receiver) = waits.join().expect("no panic");
        assert!(matches!(answer, Err(PipeRecvError::PeerDied { .. })), "{answer:?}");
        pipe.sender().expect("left by the dead").send_bytes(b"anew").expect("there is room");
        assert_eq!(receiver.recv_bytes().expect("sent"), b"anew");
        assert!(matches!(receiver.recv_bytes(), Err(PipeRecvError::Disconnected)));
    });
}

#[test]
fn a_sleeping_sender_learns_of_the_receivers_death_and_another_receiver_goes_on() {
    each_way(|waitv| {
        let pipe = pipe(64);
        let mut receiver = Actor::start(pipe.segment(), "receive one", waitv);
        let mut sender = pipe.sender().expect("free");
        sender.send_bytes(b"first").expect("there is room");
        assert_eq!(receiver.hear(), "first");
        sender.send_bytes(b"second").expect("there is room");
        let waits = std::thread::spawn(move || {
            loop {
                if let Err(error) = sender.send_bytes(b"more") {
                    return (error, sender);
                }
            }
        });
        until("the sender to sleep", || pipe.segment().participants().iter().any(|p| p.asleep_for.is_some()));
        receiver.kill();
        let (error, sender) = waits.join().expect("no panic");
        assert!(matches!(error, PipeSendError::PeerDied { .. }), "{error:?}");
        let mut heir = pipe.receiver().expect("left by the dead");
        assert_eq!(heir.recv_bytes().expect("sent"), b"second");
        drop(sender);
        while heir.recv_bytes().is_ok_and(|message| message == b"more") {}
        assert!(matches!(heir.recv_bytes(), Err(PipeRecvError::Disconnected)));
    });
}

#[test]
fn a_dropped_receiver_ends_the_pipe_for_a_sleeping_sender() {
    let pipe = pipe(64);
    let receiver = pipe.receiver().expect("free");
    let mut sender = Actor::start(pipe.segment(), "send until the end", true);
    until_asleep(pipe.segment(), sender.id());
    drop(receiver);
    assert_eq!(sender.hear(), PipeSendError::Disconnected.to_string());
    assert!(matches!(pipe.receiver(), Err(PipeEndError::Disconnected)));
}

#[test]
fn an_end_counts_as_long_as_its_process_lives() {
    let pipe = pipe(512);
    let mut sender = Actor::start(pipe.segment(), "a thread's sender", true);
    assert_eq!(sender.hear(), "its thread has ended");
    assert!(matches!(pipe.sender(), Err(PipeEndError::Taken { .. })));
    let mut receiver = pipe.receiver().expect("free");
    assert!(matches!(receiver.try_recv_bytes(), Err(PipeTryRecvError::Empty)));
    sender.go_on();
    assert_eq!(sender.hear(), "sent");
    assert_eq!(receiver.recv_bytes().expect("sent"), b"still");
}

#[test]
fn a_second_user_of_an_end_gets_an_error() {
    let pipe = pipe(512);
    let me = pipe.segment().attach().expect("room");
    let (sender, receiver) = (pipe.sender().expect("free"), pipe.receiver().expect("free"));
    assert!(matches!(pipe.sender(), Err(PipeEndError::Taken { by }) if by == me));
    let child = fork(|| i32::from(!matches!(pipe.receiver(), Err(PipeEndError::Taken { by }) if by == me)));
    assert_eq!(wait(child), 0);
    drop((sender, receiver));
    assert!(matches!(pipe.sender(), Err(PipeEndError::Disconnected)));
}

#[test]
fn a_forked_childs_copy_of_an_end_is_none() {
    let pipe = pipe(512);
    let (mut sender, receiver) = (pipe.sender().expect("free"), pipe.receiver().expect("free"));
    sender.send_bytes(b"for the parent").expect("there is room");
    let mut ends = Some((sender, receiver));
    let child = fork(|| {
        let (mut sender, mut receiver) = ends.take().expect("copied");
        let cannot_send = matches!(sender.send_bytes(b"x"), Err(PipeSendError::OfAnotherProcess));
        let cannot_receive = matches!(receiver.recv_into(&mut [0; 64]), Err(PipeRecvError::OfAnotherProcess));
        drop((sender, receiver));
        i32::from(!(cannot_send && cannot_receive))
    });
    assert_eq!(wait(child), 0);
    let (mut sender, mut receiver) = ends.expect("still here");
    assert_eq!(receiver.recv_bytes().expect("sent"), b"for the parent");
    sender.send_bytes(b"on").expect("there is room");
    assert_eq!(receiver.recv_bytes().expect("sent"), b"on");
}

#[test]
fn an_end_goes_to_a_child_with_its_segment() {
    let pipe = pipe(512);
    let mut receiver = pipe.receiver().expect("free");
    let mut child = Actor::start(pipe.segment(), "send hello", true);
    assert_eq!(receiver.recv_bytes().expect("sent"), b"hello");
    assert!(matches!(receiver.recv_bytes(), Err(PipeRecvError::Disconnected)));
    assert!(child.ends_well());
}

#[test]
fn an_end_goes_over_a_socket_with_its_segment() {
    let pipe = pipe(512);
    let (here, there) = std::os::unix::net::UnixStream::pair().expect("a pair");
    pipe.segment().send_to(&here).expect("sent");
    let options = Pipe::options(64).expect("in range");
    let same: Pipe = options.receive_from(&there).expect("received").try_into().expect("a pipe");
    pipe.sender().expect("free").send_bytes(b"hello").expect("there is room");
    assert_eq!(same.receiver().expect("free").recv_bytes().expect("sent"), b"hello");
}

#[test]
fn a_message_longer_than_the_ring_goes_through_in_parts() {
    let pipe = pipe(64);
    let (mut sender, mut receiver) = (pipe.sender().expect("free"), pipe.receiver().expect("free"));
    let long: Vec<u8> = (0..100_000_u32).map(|at| at as u8).collect();
    let same = long.clone();
    let sends = std::thread::spawn(move || {
        sender.send_bytes(&long).expect("received");
        sender.send_bytes(&long).expect("received");
        sender.send_bytes(b"").expect("received");
    });
    assert_eq!(receiver.recv_bytes().expect("sent"), same);
    let mut buffer = vec![0; 200_000];
    let error = receiver.recv_into(&mut buffer[..99_999]).expect_err("it is longer");
    assert!(matches!(error, PipeRecvError::TooShort { length: 100_000, room: 99_999 }), "{error}");
    assert_eq!(receiver.recv_into(&mut buffer).expect("sent"), 100_000);
    assert_eq!(buffer[..100_000], same);
    assert_eq!(receiver.recv_bytes().expect("sent"), b"");
    assert!(matches!(receiver.recv_bytes(), Err(PipeRecvError::Disconnected)));
    sends.join().expect("no panic");
}

#[test]
fn a_part_that_came_before_a_timeout_stays_for_the_next_call() {
    let pipe = pipe(64);
    let (mut sender, mut receiver) = (pipe.sender().expect("free"), pipe.receiver().expect("free"));
    let error = sender.send_bytes_timeout(&[7; 100], Duration::ZERO).expect_err("the pipe is too small");
    assert!(matches!(error, PipeSendTimeoutError::TimedOut), "{error}");
    assert!(receiver.poll(Duration::ZERO).expect("open"));
    assert!(matches!(receiver.recv_bytes_timeout(Duration::ZERO), Err(PipeRecvTimeoutError::TimedOut)));
    let error = receiver.try_recv_into(&mut [0; 50]).expect_err("it is longer");
    assert!(matches!(error, PipeTryRecvError::TooShort { length: 100, room: 50 }), "{error}");
    let error = receiver.recv_into_timeout(&mut [0; 100], Duration::ZERO).expect_err("more is to come");
    assert!(matches!(error, PipeRecvTimeoutError::TimedOut), "{error}");
    // The sender has given that message up.
    sender.send_bytes(b"next").expect("there is room");
    assert_eq!(receiver.recv_bytes().expect("sent"), b"next");
    assert!(!receiver.poll(Duration::ZERO).expect("open"));
}

#[test]
fn try_send_sends_all_or_nothing() {
    let pipe = pipe(64);
    let (mut sender, mut receiver) = (pipe.sender().expect("free"), pipe.receiver().expect("free"));
    let most = sender.most_at_once();
    let longest = vec![1; most];
    let too_long = vec![1; most + 1];
    let error = sender.try_send_bytes(&too_long).expect_err("there never is room");
    assert!(matches!(error, PipeTrySendError::TooLong { length, most: 1.. } if length == most + 1), "{error}");
    sender.try_send_bytes(&longest).expect("there is room");
    assert!(matches!(sender.try_send_bytes(b"more"), Err(PipeTrySendError::Full)));
    assert_eq!(receiver.try_recv_bytes().expect("sent"), longest);
    assert!(matches!(receiver.try_recv_bytes(), Err(PipeTryRecvError::Empty)));
    drop(receiver);
    assert!(matches!(sender.try_send_bytes(b"more"), Err(PipeTrySendError::Disconnected)));
}

#[test]
fn each_length_passes_at_each_place_of_the_ring() {
    for capacity in [256, 1024] {
        let pipe = pipe(capacity);
        let (mut sender, mut receiver) = (pipe.sender().expect("free"), pipe.receiver().expect("free"));
        let mut buffer = [0; 256];
        for length in (0..150).chain((0..150).rev()) {
            let message: Vec<u8> = (0..length as u8).collect();
            sender.try_send_bytes(&message).expect("there is room");
            assert_eq!(receiver.try_recv_into(&mut buffer).expect("sent"), length);
            assert_eq!(buffer[..length], message);
        }
    }
}

#[test]
fn a_stream_has_an_end_and_a_death() {
    each_way(|waitv| {
        let pipe = pipe(256);
        let mut writer = pipe.sender().expect("free").into_writer();
        let mut reader = pipe.receiver().expect("free").into_reader();
        let bytes: Vec<u8> = (0..10_000_u32).map(|at| at as u8).collect();
        let same = bytes.clone();
        let writes = std::thread::spawn(move || writer.write_all(&bytes));
        let mut all = vec![];
        reader.read_to_end(&mut all).expect("to the end");
        assert_eq!(all, same);
        writes.join().expect("no panic").expect("written");

        let pipe = self::pipe(512);
        let mut sender = Actor::start(pipe.segment(), "send a part", waitv);
        assert_eq!(sender.hear(), "sent a part");
        let mut reader = pipe.receiver().expect("free").into_reader();
        sender.kill();
        let error = reader.read_to_end(&mut vec![]).expect_err("the writer is dead");
        assert_eq!(error.kind(), ErrorKind::ConnectionAborted);

        let pipe = self::pipe(64);
        drop(pipe.receiver().expect("free"));
        let error = pipe.sender().expect("free").into_writer().write_all(b"x").expect_err("nobody reads");
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
    });
}

#[test]
fn the_two_ends_of_a_duplex_pipe_answer_each_other() {
    outlive::test_switches::set_recheck(false);
    let pipe = DuplexPipe::anonymous(64).expect("a pipe");
    let mut first = pipe.first().expect("free");
    assert!(matches!(pipe.first(), Err(PipeEndError::Taken { .. })));
    let child = fork(|| {
        let mut second = pipe.second().expect("free");
        while let Ok(request) = second.recv_bytes() {
            second.send_bytes(&[request, b"!".to_vec()].concat()).expect("received");
        }
        0
    });
    for number in 0..100 {
        first.send_bytes(&message(number)).expect("received");
        assert_eq!(first.recv_bytes().expect("sent"), [message(number), b"!".to_vec()].concat());
    }
    drop(first);
    assert_eq!(wait(child), 0);
    assert!(matches!(pipe.first(), Err(PipeEndError::Disconnected)));
}

#[test]
fn an_end_is_a_source_of_a_wait_for_several() {
    each_way(|waitv| {
        let (one, other) = (pipe(512), pipe(64));
        let (first, second) = (one.receiver().expect("free"), other.receiver().expect("free"));
        assert!(matches!(try_wait_any(&[first.readable(), second.readable()]), Err(TryWaitAnyError::WouldBlock)));
        let mut sender = Actor::start(other.segment(), "send hello", waitv);
        assert_eq!(wait_any(&[first.readable(), second.readable()]).expect("sent"), 1);
        let mut second = second;
        assert_eq!(second.recv_bytes().expect("sent"), b"hello");
        assert!(sender.ends_well());
        assert_eq!(wait_any(&[first.readable(), second.readable()]).expect("it has ended"), 1);

        let mut sender = one.sender().expect("free");
        assert_eq!(wait_any(&[sender.writable()]).expect("there is room"), 0);
        while sender.try_send_bytes(&[7; 64]).is_ok() {}
        let timeout = Duration::ZERO;
        assert!(matches!(wait_any_timeout(&[sender.writable()], timeout), Err(WaitAnyTimeoutError::TimedOut)));
        drop(first);
        assert_eq!(wait_any(&[sender.writable()]).expect("nobody receives"), 0);
    });
}

#[test]
fn the_death_of_the_other_end_makes_a_source_ready() {
    each_way(|waitv| {
        let pipe = pipe(512);
        let mut sender = Actor::start(pipe.segment(), "send a part", waitv);
        assert_eq!(sender.hear(), "sent a part");
        let mut receiver = pipe.receiver().expect("free");
        assert_eq!(receiver.recv_bytes().expect("sent"), b"whole");
        assert!(receiver.try_recv_bytes().is_err()); // takes the part
        let waits = std::thread::spawn(move || {
            let ready = wait_any(&[receiver.readable()]);
            (ready, receiver.try_recv_bytes())
        });
        until("the receiver to sleep", || pipe.segment().participants().iter().any(|p| p.asleep_for.is_some()));
        sender.kill();
        let (ready, received) = waits.join().expect("no panic");
        assert_eq!(ready.expect("it is dead"), 0);
        assert!(matches!(received, Err(PipeTryRecvError::PeerDied { .. })), "{received:?}");
    });
}

#[cfg(feature = "serde")]
#[test]
fn values_go_through_and_what_is_no_value_is_an_error() {
    let pipe = DuplexPipe::anonymous(256).expect("a pipe");
    let (mut first, mut second) = (pipe.first().expect("free"), pipe.second().expect("free"));
    let value = (7_u32, "text".repeat(10), vec![Some(1.5), None]);
    first.send(&value).expect("there is room");
    assert_eq!(second.recv::<(u32, String, Vec<Option<f64>>)>().expect("sent"), value);
    first.send_bytes(&[0xff; 20]).expect("there is room");
    first.try_send("next").expect("there is room");
    let error = second.try_recv::<u32>().expect_err("it is none");
    assert!(matches!(error, PipeTryRecvError::Decode(_)), "{error}");
    assert_eq!(second.recv_timeout::<String>(Duration::ZERO).expect("sent"), "next");
    first.send(&(1_u8, 2_u8)).expect("there is room");
    let error = second.recv::<u8>().expect_err("it is more");
    assert!(matches!(error, PipeRecvError::Decode(_)) && error.to_string().contains("1 bytes are left"), "{error}");
    // Longer than the pipe, and with an encoder that fails.
    let long = vec![3_u16; 1_000];
    let same = long.clone();
    let sends = std::thread::spawn(move || {
        first.send_timeout(&same, Duration::MAX).expect("received");
        first
    });
    assert_eq!(second.recv::<Vec<u16>>().expect("sent"), long);
    let mut first = sends.join().expect("no panic");
    struct Refuses;
    impl serde::Serialize for Refuses {
        fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("no"))
        }
    }
    assert!(matches!(first.send(&Refuses), Err(PipeSendError::Encode(_))));
    first.send("after that").expect("there is room");
    assert_eq!(second.recv::<String>().expect("sent"), "after that");
}

#[test]
fn garbage_in_the_ring_is_an_error_and_the_next_message_is_readable() {
    let name = format!("outlive-test-pipe-garbage-{}", std::process::id());
    let pipe = Pipe::create(&*name, 256).expect("a pipe");
    let (mut sender, mut receiver) = (pipe.sender().expect("free"), pipe.receiver().expect("free"));
    sender.send_bytes(b"good").expect("there is room");
    assert_eq!(receiver.recv_bytes().expect("sent"), b"good");
    sender.send_bytes(b"to be overwritten").expect("there is room");
    // All bytes of the ring, as a process could write them that is no participant.
    let ring = pipe.segment().room();
    let bytes = ring.as_ptr().cast_mut().cast::<u8>();
    // SAFETY: the ring has so many bytes, and nobody uses it at the time.
    unsafe { bytes.write_bytes(0xa5, pipe.capacity()) };
    assert!(matches!(receiver.recv_bytes(), Err(PipeRecvError::Malformed)));
    sender.send_bytes(b"the next").expect("there is room");
    assert_eq!(receiver.recv_bytes().expect("sent"), b"the next");
    Pipe::remove(&*name).expect("there");
}

/// A pipe with 2^16 words. Each was overwritten by a header of a frame that has so many bytes of a
/// message. A header's stamp is its position modulo 2^16. So each is valid in each round.
fn a_ring_of_headers(bytes: u64, continues: bool) -> Pipe {
    let pipe = pipe(512 << 10);
    let words = pipe.segment().room().as_ptr().cast_mut().cast::<u64>();
    for at in 0..1 << 16 {
        let header = at << 48 | bytes << 2 | u64::from(continues) << 1 | 1;
        // SAFETY: the ring has so many words, and nobody uses it at the time.
        unsafe { words.add(at as usize).write(header) };
    }
    pipe
}

/// What `receive` returns, which must not take forever.
fn ends<R: Send + 'static>(pipe: &Pipe, receive: impl FnOnce(PipeReceiver) -> R + Send + 'static) -> R {
    let receiver = pipe.receiver().expect("free");
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || tell.send(receive(receiver)));
    told.recv_timeout(PATIENCE).expect("the receiver goes round and round")
}

/// A fault that was there once.
#[test]
fn a_receiver_does_not_go_round_and_round_through_overwritten_words() {
    const OF_A_FRAME: u64 = 128 << 10;
    let frames_that_continue_nothing = a_ring_of_headers(OF_A_FRAME, true);
    let received = ends(&frames_that_continue_nothing, |mut receiver| receiver.try_recv_bytes());
    assert!(matches!(received, Err(PipeTryRecvError::Malformed)), "{received:?}");

    let beginnings_of_messages = a_ring_of_headers(4 * OF_A_FRAME, false);
    let received = ends(&beginnings_of_messages, |mut receiver| receiver.try_recv_bytes());
    assert!(matches!(received, Err(PipeTryRecvError::Malformed)), "{received:?}");

    let empty_messages = a_ring_of_headers(0, false);
    let read = ends(&empty_messages, |receiver| receiver.into_reader().read(&mut [0; 8]));
    assert_eq!(read.expect_err("nobody sent any bytes").kind(), ErrorKind::InvalidData);
}

/// A fault that was there once: the wake of a sender that waits for a little room reached only the
/// thread that sleeps for tasks, and for a task the room was too little.
#[test]
fn a_sender_learns_of_room_beside_the_thread_that_sleeps_for_tasks() {
    let pipe = pipe(4096);
    let (mut sender, mut receiver) = (pipe.sender().expect("free"), pipe.receiver().expect("free"));
    while sender.try_send_bytes(&[1; 64]).is_ok() {}
    {
        let long = [2; 1024];
        let mut send = pin!(sender.send_bytes_async(&long));
        assert!(send.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        until("that thread sleeps", || sleepers(pipe.segment()) == 1);
    }
    let (tell, told) = mpsc::channel();
    std::thread::scope(|scope| {
        scope.spawn(move || tell.send(sender.send_bytes(&[3; 64]).is_ok()));
        // It has tried for the last time, and sleeps behind that thread.
        let first_phase_is_over = Duration::from_millis(100);
        until("the sender sleeps", || {
            let asleep = pipe.segment().participants().into_iter().filter(is_asleep);
            asleep.filter(|sleeper| sleeper.asleep_for >= Some(first_phase_is_over)).count() == 2
        });
        receiver.recv_bytes().expect("sent");
        let sent = told.recv_timeout(PATIENCE);
        drop(receiver); // ends the wait of a sender that has learned nothing
        assert_eq!(sent, Ok(true), "there is room for the message");
    });
}

#[test]
fn a_pipe_is_made_and_opened_in_each_way() {
    let name = format!("outlive-test-pipe-ways-{}", std::process::id());
    let made = Pipe::create(&*name, 1000).expect("a pipe");
    assert_eq!(made.capacity(), 1024);
    assert_eq!(Pipe::open(&*name).expect("made").capacity(), 1024);
    assert_eq!(Pipe::open_or_create(&*name, 5).expect("made").capacity(), 1024);
    assert!(matches!(DuplexPipe::open(&*name), Err(OpenError::Type { .. })));
    Pipe::remove(&*name).expect("there");
    assert_eq!(Pipe::anonymous(1).expect("a pipe").capacity(), 64);
    assert_eq!(DuplexPipe::anonymous(100).expect("a pipe").capacity(), 128);
    for capacity in [0, usize::MAX, 1 << 60] {
        assert!(matches!(Pipe::anonymous(capacity), Err(OpenError::InvalidSize(_))), "{capacity}");
        assert!(matches!(DuplexPipe::anonymous(capacity), Err(OpenError::InvalidSize(_))), "{capacity}");
        assert!(Pipe::options(capacity).is_err() && DuplexPipe::options(capacity).is_err(), "{capacity}");
    }
    for words in [1, 7, 12] {
        let options = Segment::<PipeRoot>::options().room::<PipeWord>(words);
        let segment = options.anonymous(|_, _| {}).expect("a segment");
        assert!(matches!(Pipe::try_from(segment), Err(OpenError::InvalidSize(_))), "{words}");
    }
}
