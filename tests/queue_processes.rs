//! The queue between real processes that are really killed. Rechecks are off.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)] // tests look from outside

mod common;

use common::*;
use outlive::{
    ArrayQueue, EndError, Interrupter, OpenError, Queue, QueueCell, QueueRoot, QueueSegment, RangeError, RecvError,
    RecvTimeoutError, RegisterError, Segment, SendError, SendTimeoutError, Shareable, TryRecvError, TrySendError,
    interruptible_by,
};
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::{Duration, Instant};

#[derive(Debug, Shareable)]
#[repr(C)]
struct Shared {
    jobs: ArrayQueue<Job, 4>,
    answers: ArrayQueue<u64, 2>,
    reported: AtomicU64,
    /// The next number to send.
    next: AtomicU64,
    received: Received,
}

fn shared() -> Segment<Shared> {
    segment_of(|_empty| {})
}

fn anonymous(capacity: usize) -> QueueSegment<u64> {
    outlive::test_switches::set_recheck(false);
    Queue::anonymous(capacity).expect("a queue")
}

/// The roles of child processes.
#[test]
#[ignore = "the child's half of other tests"]
fn child() {
    let Some(role) = role() else { return };
    let (role, name) = role.split_once(" of ").unwrap_or((&role, ""));
    match role {
        "number" => {
            let (shared, jobs) = (inherited_of::<Shared>(), Queue::<Job>::open(name).expect("made by the parent"));
            for number in 0.. {
                jobs.send(Job::new(number)).expect("open");
                shared.reported.fetch_add(1, SeqCst);
            }
        }
        "echo" => {
            let shared = inherited_of::<Shared>();
            let mut jobs = shared.jobs.iter();
            jobs.try_for_each(|job| shared.answers.send(job.number())).expect("open");
        }
        "produce" => {
            let shared = inherited_of::<Shared>();
            loop {
                shared.jobs.send(Job::new(shared.next.fetch_add(1, SeqCst))).expect("open");
            }
        }
        "consume" => {
            let shared = inherited_of::<Shared>();
            loop {
                shared.received.note(shared.jobs.recv().expect("open").number());
                shared.reported.fetch_add(1, SeqCst);
                std::thread::sleep(Duration::from_micros(50)); // there are only so many numbers
            }
        }
        "receive one" => {
            let jobs = inherited_queue();
            say(&jobs.recv().map_or_else(|error| error.to_string(), |job| job.to_string()));
        }
        "receive all" => {
            let jobs = inherited_queue();
            say(&format!("received {}", jobs.iter().count()));
        }
        "send one" => {
            let jobs = inherited_queue();
            say(&jobs.send(9).map_or_else(|error| error.to_string(), |()| "sent".into()));
        }
        "hold a sender" => {
            let jobs = inherited_queue();
            let sender = jobs.sender().expect("open");
            sender.send(1).expect("room");
            say("has a sender");
            wait_for_the_word();
        }
        "a thread's sender" => {
            let jobs = std::sync::Arc::new(inherited_queue());
            let sender = std::thread::scope(|scope| {
                let take = || jobs.sender_owned().expect("open");
                scope.spawn(take).join().expect("no panic")
            });
            sender.send(1).expect("room");
            say("has a sender");
            wait_for_the_word();
        }
        "take a sender" => {
            let jobs = inherited_queue();
            say(&jobs.sender().map_or_else(|error| error.to_string(), |_sender| "taken".into()));
        }
        "hold a receiver" => {
            let jobs = inherited_queue();
            let _receiver = jobs.receiver().expect("open");
            say("has a receiver");
            wait_for_the_word();
        }
        "add" => {
            let (requests, answers) = (inherited_queue(), Queue::<u64>::open(name).expect("made by the parent"));
            requests.iter().try_for_each(|number| answers.send(number + 1)).expect("open");
            answers.close().expect("in a segment");
        }
        other => panic!("no such role: {other}"),
    }
}

/// In a child: the queue that the parent passed.
fn inherited_queue() -> QueueSegment<u64> {
    Queue::options(1).expect("in range").inherit("test").expect("passed").try_into().expect("a queue")
}

#[test]
fn a_killed_producer_loses_at_most_the_item_that_it_was_sending() {
    for round in 0..20 {
        let (shared, name) = (shared(), Name::new(&format!("killed-{round}")));
        let jobs = Queue::<Job>::create(&*name.0, 1 + round % 7).expect("a queue");
        let mut producer = Actor::start(&shared, &format!("number of {}", name.0), round % 2 == 0);
        let mut received = 0;
        let mut receive = |job: Job| {
            assert_eq!(job.number(), received, "out of order, missing or twice");
            received += 1;
        };
        for _ in 0..round * 37 {
            receive(jobs.recv().expect("open"));
        }
        producer.kill();
        jobs.try_iter().for_each(&mut receive);
        let reported = shared.reported.load(SeqCst);
        assert!((reported..=reported + 1).contains(&received), "{reported} sent, {received} received");
        // Nothing is left of the dead: all cells can be used.
        (0..jobs.capacity()).for_each(|_| jobs.try_send(Job::new(7)).expect("room"));
        assert_eq!(jobs.try_iter().count(), jobs.capacity());
        assert!(jobs.is_empty());
    }
}

#[test]
fn kills_at_random_moments_lose_no_item_but_those_of_the_dead() {
    each_way(|waitv| {
        const KILLS: u64 = 30;
        const ROLES: [&str; 5] = ["consume", "produce", "consume", "produce", "consume"];
        let shared = shared();
        kill_at_random(&shared, &ROLES, waitv, (KILLS, 300), &shared.reported);
        shared.jobs.try_iter().for_each(|job| shared.received.note(job.number()));
        let sent = shared.next.load(SeqCst);
        let noted: u64 = shared.received.count();
        // A dead producer had a number and had not sent it; a dead consumer had received an item
        // and had not noted it.
        assert!(noted <= sent && sent <= noted + KILLS + ROLES.len() as u64, "{sent} numbers, {noted} received");
        assert!(shared.jobs.is_empty());
    });
}

#[test]
fn killed_receivers_that_sleep_take_no_item_along() {
    each_way(|waitv| {
        let jobs = anonymous(4);
        let mut victims: Vec<_> = (0..3).map(|_| Actor::start(jobs.segment(), "receive one", waitv)).collect();
        victims.iter().for_each(|victim| until_asleep(jobs.segment(), victim.id()));
        let mut survivor = Actor::start(jobs.segment(), "receive one", waitv);
        until_asleep(jobs.segment(), survivor.id());
        victims.iter_mut().for_each(Actor::kill);
        jobs.send(7).expect("open");
        assert_eq!(survivor.hear(), "7");
        assert!(survivor.ends_well());
    });
}

#[test]
fn killed_senders_that_sleep_send_nothing() {
    each_way(|waitv| {
        let jobs = anonymous(1);
        jobs.send(1).expect("room");
        let mut victims: Vec<_> = (0..3).map(|_| Actor::start(jobs.segment(), "send one", waitv)).collect();
        victims.iter().for_each(|victim| until_asleep(jobs.segment(), victim.id()));
        let mut survivor = Actor::start(jobs.segment(), "send one", waitv);
        until_asleep(jobs.segment(), survivor.id());
        victims.iter_mut().for_each(Actor::kill);
        assert_eq!(jobs.recv(), Ok(1));
        assert_eq!(survivor.hear(), "sent");
        assert_eq!(jobs.recv(), Ok(9));
        assert_eq!(jobs.try_recv(), Err(TryRecvError::Empty));
        assert!(survivor.ends_well());
    });
}

/// How often the main thread of a process has gone to sleep or was interrupted.
fn switches(process: u32) -> Vec<String> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("it lives");
    status.lines().filter(|line| line.contains("ctxt_switches")).map(str::to_owned).collect()
}

#[test]
fn a_receiver_that_sleeps_uses_no_processor_time() {
    if !outlive::waitv::waitv_works() {
        skipped("without futex_waitv sleepers check every now and then");
        return;
    }
    let (jobs, never) = (anonymous(4), anonymous(1));
    let mut receiver = Actor::start(jobs.segment(), "receive one", true);
    until_asleep(jobs.segment(), receiver.id());
    // The first phase of a sleep is short. A receiver that polls never comes to rest.
    until("the receiver to rest", || {
        let before = switches(receiver.id());
        assert_eq!(never.recv_timeout(Duration::from_millis(100)), Err(RecvTimeoutError::TimedOut));
        switches(receiver.id()) == before
    });
    jobs.send(7).expect("open");
    assert_eq!(receiver.hear(), "7");
    assert!(receiver.ends_well());
}

#[test]
fn a_close_wakes_all_sleepers_in_other_processes() {
    each_way(|waitv| {
        let (full, empty) = (anonymous(1), anonymous(1));
        full.send(1).expect("room");
        let start = |jobs: &QueueSegment<u64>, role| {
            let actors: Vec<_> = (0..3).map(|_| Actor::start(jobs.segment(), role, waitv)).collect();
            actors.iter().for_each(|actor| until_asleep(jobs.segment(), actor.id()));
            actors
        };
        let (senders, receivers) = (start(&full, "send one"), start(&empty, "receive one"));
        assert_eq!((full.close(), empty.close()), (Ok(true), Ok(true)));
        for mut actor in senders.into_iter().chain(receivers) {
            let heard = actor.hear();
            assert!(heard.starts_with("the queue is closed"), "{heard}");
            assert!(actor.ends_well());
        }
        assert_eq!((full.close(), full.recv(), full.recv()), (Ok(false), Ok(1), Err(RecvError::Disconnected)));
    });
}

#[test]
fn the_death_of_the_last_sender_ends_the_queue_after_its_last_item() {
    each_way(|waitv| {
        let jobs = anonymous(4);
        let mut senders: Vec<_> = (0..2).map(|_| Actor::start(jobs.segment(), "hold a sender", waitv)).collect();
        senders.iter_mut().for_each(|sender| assert_eq!(sender.hear(), "has a sender"));
        let mut receiver = Actor::start(jobs.segment(), "receive all", waitv);
        until_asleep(jobs.segment(), receiver.id());
        senders[0].kill();
        assert!(!jobs.is_closed(), "one sender lives");
        senders[1].kill();
        assert_eq!(receiver.hear(), "received 2");
        assert!(receiver.ends_well());
        assert_eq!(jobs.sender().map(drop), Err(EndError::Disconnected));
        assert_eq!(jobs.send(1), Err(SendError::Disconnected(1)));
    });
}

#[test]
fn the_death_of_the_last_receiver_lets_senders_go() {
    each_way(|waitv| {
        let jobs = anonymous(1);
        jobs.send(1).expect("room");
        let mut receiver = Actor::start(jobs.segment(), "hold a receiver", waitv);
        assert_eq!(receiver.hear(), "has a receiver");
        let mut sender = Actor::start(jobs.segment(), "send one", waitv);
        until_asleep(jobs.segment(), sender.id());
        receiver.kill();
        let heard = sender.hear();
        assert!(heard.starts_with("the queue is closed"), "{heard}");
        assert!(sender.ends_well());
        assert_eq!(jobs.recv(), Ok(1));
    });
}

/// Nobody waits: whoever tries next finds it.
#[test]
fn the_death_of_the_last_end_is_found_by_those_that_do_not_wait() {
    each_way(|waitv| {
        let jobs = anonymous(1);
        let mut sender = Actor::start(jobs.segment(), "hold a sender", waitv);
        assert_eq!(sender.hear(), "has a sender");
        sender.kill();
        assert_eq!(jobs.try_recv(), Ok(1));
        assert_eq!(jobs.try_recv(), Err(TryRecvError::Disconnected));
        let full = anonymous(1);
        full.send(1).expect("room");
        let mut receiver = Actor::start(full.segment(), "hold a receiver", waitv);
        assert_eq!(receiver.hear(), "has a receiver");
        receiver.kill();
        assert_eq!(full.try_send(2), Err(TrySendError::Disconnected(2)));
    });
}

/// The thread that took it has ended, and the process has not.
#[test]
fn a_sender_that_moved_to_another_thread_counts_until_its_process_ends() {
    let status = in_a_child(|| {
        outlive::test_switches::set_recheck(true); // the kernel wakes nobody for a thread that has ended before
        let jobs = Queue::<u64>::anonymous(4).expect("a queue");
        let mut sender = Actor::start(jobs.segment(), "a thread's sender", true);
        assert_eq!(sender.hear(), "has a sender");
        assert_eq!(jobs.recv(), Ok(1));
        assert_eq!(jobs.try_recv(), Err(TryRecvError::Empty));
        assert!(!jobs.is_closed());
        sender.kill();
        assert_eq!(jobs.recv(), Err(RecvError::Disconnected));
        0
    });
    assert_eq!(status, 0);
}

#[test]
fn an_end_may_be_dropped_by_any_thread() {
    let jobs = std::sync::Arc::new(anonymous(4));
    let sender =
        std::thread::scope(|scope| scope.spawn(|| jobs.sender_owned().expect("open")).join().expect("no panic"));
    let other = sender.clone();
    drop(sender);
    assert_eq!(jobs.try_recv(), Err(TryRecvError::Empty), "a clone is left");
    std::thread::spawn(move || drop(other)).join().expect("no panic");
    assert_eq!(jobs.recv(), Err(RecvError::Disconnected));
}

#[test]
fn a_forked_copy_of_a_sender_neither_counts_nor_ends_the_queue() {
    let jobs = anonymous(4);
    let sender = jobs.sender().expect("open");
    let status = wait(fork(|| {
        let copy = sender.clone();
        copy.send(7).expect("open");
        drop(copy);
        0
    }));
    assert_eq!(status, 0);
    assert_eq!(jobs.recv(), Ok(7));
    assert_eq!(jobs.try_recv(), Err(TryRecvError::Empty), "the parent has its sender");
    // A child takes an end of its own. It counts when the parent's is gone.
    let mut child = Actor::start(jobs.segment(), "hold a sender", true);
    assert_eq!(child.hear(), "has a sender");
    drop(sender);
    assert_eq!(jobs.recv(), Ok(1));
    assert!(!jobs.is_closed());
    child.kill();
    assert_eq!(jobs.recv(), Err(RecvError::Disconnected));
}

#[test]
fn a_side_has_255_ends_and_those_of_the_dead_are_taken_over() {
    let jobs = anonymous(4);
    let mut senders: Vec<_> = (0..255).map(|_| jobs.sender().expect("one more")).collect();
    let full = jobs.sender().map(drop);
    assert_eq!(full, Err(EndError::Full { most: 255 }));
    assert!(full.is_err_and(|error| error.to_string().contains("all 255 ends")));
    let mut child = Actor::start(jobs.segment(), "take a sender", true);
    assert!(child.hear().starts_with("all 255 ends"));
    assert!(child.ends_well());
    senders.truncate(254);
    let mut child = Actor::start(jobs.segment(), "hold a sender", true);
    assert_eq!(child.hear(), "has a sender");
    assert!(jobs.sender().is_err(), "the child has the last one");
    child.kill();
    senders.push(jobs.sender().expect("that of the dead"));
    assert_eq!(jobs.recv(), Ok(1));
    drop(senders);
    assert_eq!(jobs.recv(), Err(RecvError::Disconnected));
}

#[test]
fn without_ends_a_queue_does_not_end_by_itself() {
    let jobs = anonymous(4);
    let mut child = Actor::start(jobs.segment(), "send one", true);
    assert_eq!(child.hear(), "sent");
    assert!(child.ends_well());
    assert_eq!((jobs.recv(), jobs.try_recv()), (Ok(9), Err(TryRecvError::Empty)));
}

#[test]
fn items_go_to_another_process_and_back_through_fields() {
    each_way(|waitv| {
        let shared = shared();
        let mut other = Actor::start(&shared, "echo", waitv);
        for number in 0..100 {
            shared.jobs.send(Job::new(number)).expect("open");
            assert_eq!(shared.answers.recv(), Ok(number));
        }
        shared.jobs.close().expect("in a segment");
        assert!(other.ends_well());
    });
}

#[test]
fn a_child_inherits_one_queue_and_opens_another_by_name() {
    each_way(|waitv| {
        let name = Name::new(if waitv { "answers-waitv" } else { "answers" });
        let (requests, answers) = (anonymous(2), Queue::<u64>::open_or_create(&*name.0, 3).expect("a queue"));
        let mut other = Actor::start(requests.segment(), &format!("add of {}", name.0), waitv);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                (0..500).for_each(|number| requests.send(number).expect("open"));
                requests.close().expect("in a segment");
            });
            assert!(answers.iter().eq(1..=500));
        });
        assert!(other.ends_well());
    });
}

#[test]
fn a_queue_is_opened_in_each_way_and_keeps_its_capacity() {
    let name = Name::new("queue-opened");
    let jobs = Queue::<u64>::create(&*name.0, 5).expect("new");
    jobs.send_batch(&[1, 2, 3, 4]).expect("room");
    assert!(matches!(Queue::<u64>::create(&*name.0, 5), Err(OpenError::AlreadyExists(_))));
    let by_name = Queue::<u64>::open(&*name.0).expect("there");
    let again = Queue::<u64>::open_or_create(&*name.0, 99).expect("there");
    // SAFETY: the descriptor is only used to map the segment.
    let descriptor = unsafe { jobs.segment().borrow_fd() }.expect("open");
    let segment = Queue::<u64>::options(1).expect("in range").from_fd(descriptor).expect("a segment of this type");
    let by_descriptor = QueueSegment::try_from(segment).expect("a queue");
    let received = [&jobs, &by_name, &again, &by_descriptor].map(|queue| (queue.capacity(), queue.recv()));
    assert_eq!(received, [1, 2, 3, 4].map(|number| (5, Ok(number))));
    // The segment can be had, and becomes the queue again.
    jobs.send(6).expect("room");
    let segment = by_name.into_segment();
    assert_eq!(segment.room().len(), 5);
    assert_eq!(QueueSegment::try_from(segment).expect("a queue").recv(), Ok(6));
}

#[test]
fn a_file_keeps_the_items() {
    let directory = directory();
    let path = directory.path().join("jobs");
    let jobs = Queue::<u64>::create(&*path, 3).expect("new");
    jobs.send_batch(&[7, 8]).expect("room");
    drop(jobs);
    let jobs = Queue::<u64>::open(&*path).expect("there");
    assert_eq!((jobs.len(), jobs.drain().collect::<Vec<_>>()), (2, vec![7, 8]));
}

#[test]
fn a_queue_of_no_capacity_of_another_item_or_another_root_is_not_opened() {
    let name = Name::new("queue-refused");
    for capacity in [0, (1 << 31) + 1, usize::MAX] {
        let all = [
            Queue::<u64>::create(&*name.0, capacity).err(),
            Queue::<u64>::open_or_create(&*name.0, capacity).err(),
            Queue::<u64>::anonymous(capacity).err(),
        ];
        for error in all {
            assert!(matches!(&error, Some(OpenError::InvalidSize(_))), "{capacity}: {error:?}");
            assert!(error.is_some_and(|error| error.to_string().contains(&format!("but is {capacity}"))));
        }
    }
    assert!(matches!(Queue::<u64>::options(0), Err(RangeError { found: 0, minimum: 1, .. })));
    let empty = Segment::<QueueRoot>::options().room::<QueueCell<u64>>(0);
    let empty = empty.create(&*name.0, |_, _| {}).expect("a segment, but no queue");
    assert!(matches!(QueueSegment::try_from(empty), Err(OpenError::InvalidSize(_))));
    assert!(matches!(Queue::<u64>::open(&*name.0), Err(OpenError::InvalidSize(_))));
    Segment::<()>::remove(&*name.0).expect("there");

    assert!(matches!(Queue::<u64>::open(&*name.0), Err(OpenError::NotFound(_))));
    let _jobs = Queue::<u64>::create(&*name.0, 3).expect("new");
    assert!(matches!(Queue::<i64>::open(&*name.0), Err(OpenError::RoomType { .. })));
    assert!(matches!(Queue::<[u64; 2]>::open(&*name.0), Err(OpenError::RoomType { .. })));
    assert!(matches!(Segment::<ArrayQueue<u64, 3>>::open(&*name.0), Err(OpenError::Type { .. })));
    Segment::<()>::remove(&*name.0).expect("there");

    let _other = Segment::<ArrayQueue<u64, 3>>::create(&*name.0, |_| {}).expect("new");
    assert!(matches!(Queue::<u64>::open(&*name.0), Err(OpenError::Type { .. })));
    assert!(matches!(Segment::<ArrayQueue<u64, 4>>::open(&*name.0), Err(OpenError::Type { .. })));
}

#[test]
fn deadlines_are_kept_and_lose_nothing() {
    let jobs = anonymous(1);
    let past = Instant::now().checked_sub(Duration::from_millis(1)).expect("booted before");
    let short = Duration::from_millis(30);
    let take_long = |act: &dyn Fn()| {
        let begin = Instant::now();
        act();
        assert!(begin.elapsed() >= short);
    };
    assert_eq!(jobs.recv_timeout(Duration::ZERO), Err(RecvTimeoutError::TimedOut));
    assert_eq!(jobs.recv_deadline(past), Err(RecvTimeoutError::TimedOut));
    take_long(&|| assert_eq!(jobs.recv_timeout(short), Err(RecvTimeoutError::TimedOut)));
    take_long(&|| assert_eq!(jobs.recv_deadline(Instant::now() + short), Err(RecvTimeoutError::TimedOut)));
    // What is possible at once is done, whatever the deadline.
    assert_eq!((jobs.send_deadline(1, past), jobs.recv_deadline(past)), (Ok(()), Ok(1)));
    assert_eq!((jobs.send_timeout(2, Duration::ZERO), jobs.is_full()), (Ok(()), true));
    assert_eq!(jobs.send_timeout(3, Duration::ZERO), Err(SendTimeoutError::TimedOut(3)));
    assert_eq!(jobs.send_deadline(4, past), Err(SendTimeoutError::TimedOut(4)));
    take_long(&|| assert_eq!(jobs.send_timeout(5, short), Err(SendTimeoutError::TimedOut(5))));
    take_long(&|| assert_eq!(jobs.send_deadline(6, Instant::now() + short), Err(SendTimeoutError::TimedOut(6))));
    assert_eq!((jobs.recv(), jobs.try_recv()), (Ok(2), Err(TryRecvError::Empty)));
    let until_somebody_sleeps = || until("a fall into sleep", || jobs.segment().participants().iter().any(is_asleep));
    std::thread::scope(|scope| {
        let receiver = scope.spawn(|| jobs.recv_timeout(Duration::MAX));
        until_somebody_sleeps();
        jobs.send(7).expect("open");
        assert_eq!(receiver.join().expect("no panic"), Ok(7));
        jobs.send(8).expect("room");
        let sender = scope.spawn(|| jobs.send_timeout(9, Duration::MAX));
        until_somebody_sleeps();
        assert_eq!(jobs.recv(), Ok(8));
        assert_eq!(sender.join().expect("no panic"), Ok(()));
        assert_eq!(jobs.recv(), Ok(9));
    });
}

#[test]
fn an_interrupted_wait_gives_the_items_back() {
    let (jobs, stop) = (anonymous(2), Interrupter::new());
    let interrupt = |wait: &(dyn Fn() + Sync)| {
        stop.clear();
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| interruptible_by(&stop, wait));
            until("a fall into sleep", || jobs.segment().participants().iter().any(is_asleep));
            stop.interrupt();
            waiter.join().expect("no panic");
        });
    };
    interrupt(&|| assert_eq!(jobs.recv(), Err(RecvError::Interrupted)));
    interrupt(&|| assert_eq!(jobs.recv_timeout(PATIENCE), Err(RecvTimeoutError::Interrupted)));
    interrupt(&|| {
        let mut items = vec![5];
        assert_eq!((jobs.recv_batch(&mut items, 2), items), (Err(RecvError::Interrupted), vec![5]));
    });
    interrupt(&|| assert_eq!(jobs.iter().next(), None));
    interrupt(&|| assert_eq!(jobs.send_batch(&[1, 2, 3, 4]), Err(SendError::Interrupted(&[3, 4][..]))));
    interrupt(&|| assert_eq!(jobs.send(5), Err(SendError::Interrupted(5))));
    interrupt(&|| assert_eq!(jobs.send_timeout(6, PATIENCE), Err(SendTimeoutError::Interrupted(6))));
    assert_eq!(jobs.drain().collect::<Vec<_>>(), [1, 2]);
}

#[test]
fn batches_send_and_receive_as_much_as_there_is() {
    let jobs = anonymous(4);
    let mut items = vec![];
    assert_eq!(jobs.try_recv_batch(&mut items, 3), Err(TryRecvError::Empty));
    assert_eq!((jobs.recv_batch(&mut items, 0), jobs.try_recv_batch(&mut items, 0)), (Ok(0), Ok(0)));
    assert_eq!((jobs.send_batch(&[]), jobs.try_send_batch(&[])), (Ok(()), Ok(())));
    assert_eq!(jobs.try_send_batch(&[1, 2, 3, 4, 5, 6]), Err(TrySendError::Full(&[5, 6][..])));
    assert_eq!(jobs.recv_batch(&mut items, 3), Ok(3));
    assert_eq!(jobs.send_batch(&[5, 6]), Ok(()));
    assert_eq!(jobs.try_recv_batch(&mut items, usize::MAX), Ok(3));
    assert_eq!(items, [1, 2, 3, 4, 5, 6]);
    // More than there is room for: the sender waits, and all come in order.
    let many: Vec<u64> = (0..1000).collect();
    items.clear();
    std::thread::scope(|scope| {
        let sender = scope.spawn(|| jobs.send_batch(&many));
        while items.len() < many.len() {
            let (before, count) = (items.len(), jobs.recv_batch(&mut items, 3).expect("open"));
            assert!((1..=3).contains(&count) && items.len() == before + count);
        }
        assert_eq!(sender.join().expect("no panic"), Ok(()));
    });
    assert_eq!(items, many);
    jobs.send(7).expect("room");
    jobs.close().expect("in a segment");
    assert_eq!(jobs.send_batch(&[8, 9]), Err(SendError::Disconnected(&[8, 9][..])));
    assert_eq!(jobs.try_send_batch(&[8, 9]), Err(TrySendError::Disconnected(&[8, 9][..])));
    items.clear();
    assert_eq!((jobs.recv_batch(&mut items, 3), &*items), (Ok(1), &[7][..]));
    assert_eq!(jobs.recv_batch(&mut items, 3), Err(RecvError::Disconnected));
    assert_eq!(jobs.try_recv_batch(&mut items, 3), Err(TryRecvError::Disconnected));
}

#[test]
fn a_close_in_the_middle_of_a_batch_gives_the_rest_back() {
    let jobs = anonymous(2);
    std::thread::scope(|scope| {
        let sender = scope.spawn(|| jobs.send_batch(&[1, 2, 3, 4]));
        until("a fall into sleep", || jobs.segment().participants().iter().any(is_asleep));
        jobs.close().expect("in a segment");
        assert_eq!(sender.join().expect("no panic"), Err(SendError::Disconnected(&[3, 4][..])));
    });
    assert!(jobs.iter().eq([1, 2]));
}

#[test]
fn numbers_and_iterators_say_what_is_there() {
    let jobs = anonymous(3);
    for lap in 0..5 {
        assert_eq!((jobs.len(), jobs.capacity(), jobs.is_empty(), jobs.is_full()), (0, 3, true, false));
        jobs.send(lap).expect("room");
        assert_eq!((jobs.len(), jobs.is_empty(), jobs.is_full()), (1, false, false));
        jobs.send_batch(&[lap + 1, lap + 2]).expect("room");
        assert_eq!((jobs.len(), jobs.is_empty(), jobs.is_full()), (3, false, true));
        assert_eq!(jobs.drain().next(), Some(lap));
        let mut drain = jobs.drain();
        assert_eq!(drain.next(), Some(lap + 1));
        jobs.send(9).expect("room"); // too late for this drain
        assert_eq!((drain.next(), drain.next()), (Some(lap + 2), None));
        drop(drain);
        assert!(jobs.try_iter().eq([9]));
    }
    assert_eq!(format!("{jobs:?}"), "Queue { len: 0, capacity: 3, closed: false }");
    jobs.send_batch(&[1, 2]).expect("room");
    assert_eq!((jobs.close(), jobs.is_closed()), (Ok(true), true));
    assert_eq!(format!("{jobs:?}"), "Queue { len: 2, capacity: 3, closed: true }");
    assert!(jobs.iter().eq([1, 2]));
    assert_eq!((jobs.try_iter().next(), jobs.drain().next()), (None, None));
}

#[test]
fn a_queue_for_one_item_and_items_without_size_work() {
    let one = anonymous(1);
    for number in 0..10 {
        assert_eq!((one.try_send(number), one.try_send(99)), (Ok(()), Err(TrySendError::Full(99))));
        assert_eq!((one.try_recv(), one.try_recv()), (Ok(number), Err(TryRecvError::Empty)));
    }
    let nothing = Queue::<()>::anonymous(2).expect("a queue");
    assert_eq!(nothing.try_send_batch(&[(), (), ()]), Err(TrySendError::Full(&[()][..])));
    assert_eq!(nothing.drain().count(), 2);
}

#[test]
fn an_error_gives_the_item_back_and_says_what_to_do() {
    struct NoDebug;
    let register = || RegisterError::NotInSegment;
    let sends = [
        SendError::Disconnected(NoDebug).to_string(),
        TrySendError::Disconnected(NoDebug).to_string(),
        SendTimeoutError::Disconnected(NoDebug).to_string(),
    ];
    for said in sends {
        assert_eq!(said, "the queue is closed, so the item can reach nobody; stop sending, or make another queue");
    }
    let receives = [
        RecvError::Disconnected.to_string(),
        TryRecvError::Disconnected.to_string(),
        RecvTimeoutError::Disconnected.to_string(),
    ];
    for said in receives {
        assert_eq!(said, "the queue is closed, and all that was sent is received; stop receiving");
    }
    assert_eq!(TrySendError::Full(NoDebug).to_string(), "the queue is full; wait for room, or try again later");
    assert_eq!(TryRecvError::Empty.to_string(), "the queue is empty; wait for an item, or try again later");
    assert_eq!(
        SendTimeoutError::TimedOut(NoDebug).to_string(),
        "the queue had no room by the deadline; wait longer, or give up"
    );
    assert_eq!(RecvTimeoutError::TimedOut.to_string(), "no item had come by the deadline; wait longer, or give up");
    let interrupted = [
        (SendError::Interrupted(NoDebug).to_string(), "no further send had"),
        (SendTimeoutError::Interrupted(NoDebug).to_string(), "no further send had"),
        (RecvError::Interrupted.to_string(), "no receive had"),
        (RecvTimeoutError::Interrupted.to_string(), "no receive had"),
    ];
    for (said, begin) in interrupted {
        assert!(said.starts_with(begin) && said.contains("interrupted"), "{said}");
    }
    let error = SendError::Register { item: NoDebug, error: register() };
    assert_eq!(error.to_string(), format!("nothing can be sent from here: {}", register()));
    assert!(std::error::Error::source(&error).is_some());
    let error = RecvError::Register(register());
    assert_eq!(error.to_string(), format!("nothing can be received here: {}", register()));
    assert!(std::error::Error::source(&error).is_some());
    // The item need not implement Debug, and changes its type without the error.
    assert_eq!(format!("{:?}", SendError::Disconnected(NoDebug)), "Disconnected(..)");
    assert_eq!(TrySendError::Full(1).map(|item| item + 1).into_inner(), 2);
    assert_eq!(SendTimeoutError::Register { item: 1, error: register() }.map(|item| item + 1).into_inner(), 2);
    // `?` gives a boxed error, without the item.
    let closed = || -> Result<(), Box<dyn std::error::Error>> {
        let jobs = anonymous(1);
        jobs.close()?;
        Ok(jobs.send(1)?)
    };
    assert!(closed().is_err());
}

#[test]
fn any_words_are_understood() {
    const BYTES: usize = size_of::<ArrayQueue<u64, 3>>();
    let mut random = 0x9e37_79b9_7f4a_7c15u64;
    let mut next = move || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random
    };
    for round in 0..2000u64 {
        // Random words, with as many zeros and ones as make them resemble words that are used.
        let words: [u64; BYTES / 8] = core::array::from_fn(|_| match round % 4 {
            0 => next(),
            1 => next() & next() & next() & next(),
            2 => next() & 0x7000_0000_0000_0003,
            _ => (next() & 3) << 61 | next() & 1 << 32 | next() & 3,
        });
        let shared = segment_of(|queue: &mut ArrayQueue<u64, 3>| {
            // SAFETY: Shareable says that all patterns are valid.
            *queue = unsafe { core::mem::transmute::<[u64; BYTES / 8], ArrayQueue<u64, 3>>(words) };
        });
        assert!(shared.len() <= 3);
        let answers = (
            shared.try_send(1),
            shared.try_recv(),
            shared.send_timeout(2, Duration::from_micros(10)),
            shared.try_send_batch(&[3, 4, 5, 6]),
            shared.recv_timeout(Duration::from_micros(10)),
            shared.drain().count(),
        );
        assert!(format!("{:?} {answers:?}", *shared).contains("capacity: 3"));
        shared.close().expect("in a segment");
        assert!(matches!(shared.try_send(7), Err(TrySendError::Disconnected(7) | TrySendError::Full(7))));
        assert!(shared.try_iter().count() <= 6, "items without end");
    }
}

/// An earlier fault: a sender that stored the hint late made `len` too small, and `drain` left
/// items behind.
#[test]
fn the_length_is_exact_when_nobody_sends() {
    const SENDERS: usize = 3;
    const EACH: u64 = 8;
    let queue = Queue::<u64>::anonymous(64).expect("made");
    let barrier = std::sync::Barrier::new(SENDERS + 1);
    std::thread::scope(|scope| {
        for _ in 0..SENDERS {
            scope.spawn(|| {
                for _ in 0..2_000 {
                    barrier.wait();
                    (0..EACH).for_each(|item| queue.send(item).expect("room"));
                    barrier.wait();
                }
            });
        }
        for round in 0..2_000 {
            barrier.wait();
            barrier.wait();
            let all = SENDERS * EACH as usize;
            assert_eq!((queue.len(), queue.drain().count(), queue.len()), (all, all, 0), "in round {round}");
        }
    });
}

/// Three cells whose laps are a third of the circle apart: each is later than the one before it.
#[test]
fn laps_all_around_their_circle_do_not_keep_a_search_from_ending() {
    const LAPS: [u64; 3] = [0x5555_5555 & !(7 << 29) | 2 << 30, 0x0aaa_aaaa | 1 << 30 | 1 << 60, 0];
    let shared = segment_of(|queue: &mut ArrayQueue<u64, 3>| {
        let mut words = [0u64; 320];
        // The cells begin at byte 2,432. Each is a word and an item.
        LAPS.iter().enumerate().for_each(|(index, lap)| words[304 + 2 * index] = *lap);
        // SAFETY: Shareable says that all patterns are valid.
        *queue = unsafe { core::mem::transmute::<[u64; 320], ArrayQueue<u64, 3>>(words) };
    });
    let status = wait(fork(|| {
        // SAFETY: nobody handles its signal, which ends the process.
        unsafe { libc::alarm(5) };
        let _whatever = (shared.try_recv(), shared.try_send(1), shared.try_recv());
        0
    }));
    assert_eq!(status, 0, "a search did not end within five seconds (-14), or it panicked");
}

#[test]
fn outside_of_a_segment_there_is_an_error() {
    let jobs = ArrayQueue::<u64, 2>::new();
    assert_eq!((jobs.len(), jobs.capacity(), jobs.is_closed()), (0, 2, false));
    let register = RegisterError::NotInSegment;
    assert_eq!(jobs.send(7), Err(SendError::Register { item: 7, error: register.clone() }));
    assert_eq!(jobs.try_send(7), Err(TrySendError::Register { item: 7, error: register.clone() }));
    assert_eq!(jobs.send_timeout(7, PATIENCE), Err(SendTimeoutError::Register { item: 7, error: register.clone() }));
    assert_eq!(jobs.send_batch(&[7]), Err(SendError::Register { item: &[7][..], error: register.clone() }));
    assert_eq!(jobs.recv(), Err(RecvError::Register(register.clone())));
    assert_eq!(jobs.try_recv(), Err(TryRecvError::Register(register.clone())));
    assert_eq!(jobs.recv_timeout(PATIENCE), Err(RecvTimeoutError::Register(register.clone())));
    assert_eq!(jobs.recv_batch(&mut vec![], 2), Err(RecvError::Register(register)));
    assert!(jobs.close().is_err());
    assert_eq!((jobs.iter().next(), ArrayQueue::<u64, 2>::default().is_empty()), (None, true));
}
