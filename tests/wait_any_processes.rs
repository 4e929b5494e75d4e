//! The wait for the first of several, between real processes that are really killed. Rechecks are
//! off.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)] // tests look from outside

mod common;

use common::*;
use outlive::{
    ArrayQueue, ArrayTaskQueue, Event, Interrupter, Lock, MessageQueue, Mutex, PermitPool, ProcessExit,
    ProcessExitError, Queue, ReentrantMutex, RegisterError, Segment, Semaphore, Shareable, TryRecvError,
    TryRecvMessageError, TryWaitAnyError, WaitAnyError, WaitAnyTimeoutError, interruptible_by, try_wait_any, wait_any,
    wait_any_deadline, wait_any_timeout,
};
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::{Duration, Instant};

#[derive(Debug, Shareable)]
#[repr(C)]
struct Shared {
    jobs: ArrayQueue<u64, 4>,
    tasks: ArrayTaskQueue<u64, 4>,
    stop: Event,
    never: Event,
    bell: Event,
    permits: Semaphore,
    pool: PermitPool<2>,
    data: Mutex<u64>,
    nested: ReentrantMutex<AtomicU64>,
    lock: Lock,
    /// The next number to send.
    next: AtomicU64,
    reported: AtomicU64,
    /// Numbers of tasks whose `send` has returned.
    sent: Received,
    received: Received,
}

impl Shared {
    fn note(&self, number: u64) {
        self.received.note(number);
        self.reported.fetch_add(1, SeqCst);
        std::thread::sleep(Duration::from_micros(50)); // there are only so many numbers
    }
}

impl Shared {
    /// A worker is about to have done this task. Another one may have been, and died.
    fn note_task(&self, number: u64) {
        let _an_earlier_worker_died = self.received.is_first(number);
        self.reported.fetch_add(1, SeqCst);
        std::thread::sleep(Duration::from_micros(50)); // a kill finds it with the task
    }
}

fn shared() -> Segment<Shared> {
    segment_of(|new: &mut Shared| {
        new.bell = Event::auto_reset();
        new.permits = Semaphore::new(0);
    })
}

/// The roles of child processes.
#[test]
#[ignore = "the child's half of other tests"]
fn child() {
    let Some(role) = role() else { return };
    let shared = inherited_of::<Shared>();
    match role.as_str() {
        "hold everything" => {
            let _data = shared.data.lock().expect("free");
            let _nested = shared.nested.lock().expect("free");
            shared.lock.acquire().expect("free");
            let _permits = (shared.pool.permit().expect("free"), shared.pool.permit().expect("free"));
            say(&shared.attach().expect("takes part").to_string());
            wait_for_the_word();
        }
        "look" => {
            say("here");
            // It takes nothing.
            say(&wait_any(&[shared.stop.when_set(), shared.jobs.readable()]).expect("waits").to_string());
        }
        "have a sender" => {
            let _sender = shared.jobs.sender().expect("there is an end");
            say("has it");
            wait_for_the_word();
        }
        "look at tasks" => {
            say("here");
            // It takes nothing.
            let sources = [shared.stop.when_set(), shared.tasks.readable(), shared.tasks.when_done()];
            say(&wait_any(&sources).expect("waits").to_string());
        }
        "take and keep" => {
            let task = shared.tasks.take().expect("open");
            say(&task.to_string());
            wait_for_the_word();
        }
        "reserve and keep" => {
            let _loans = [(); 4].map(|()| shared.tasks.reserve().expect("open"));
            say("has them");
            wait_for_the_word();
        }
        "take one" => {
            let task = shared.tasks.take().expect("open");
            say(&task.to_string());
            task.done().expect("ours");
        }
        "send tasks" => loop {
            let number = shared.next.fetch_add(1, SeqCst);
            shared.tasks.send(number).expect("open");
            shared.sent.note(number);
        },
        "work" => loop {
            let task = shared.tasks.take().expect("open");
            shared.note_task(*task);
            task.done().expect("ours");
        },
        "select and send tasks" => {
            let sources = [shared.never.when_set(), shared.tasks.writable()];
            let mut number = shared.next.fetch_add(1, SeqCst);
            loop {
                assert_eq!(wait_any(&sources).expect("waits"), 1);
                if shared.tasks.try_send(number).is_ok() {
                    shared.sent.note(number);
                    number = shared.next.fetch_add(1, SeqCst);
                }
            }
        }
        "select and work" => {
            let sources = [shared.never.when_set(), shared.tasks.readable()];
            loop {
                assert_eq!(wait_any(&sources).expect("waits"), 1);
                if let Ok(task) = shared.tasks.try_take() {
                    shared.note_task(*task);
                    task.done().expect("ours");
                }
            }
        }
        "receive one" => {
            say(&shared.jobs.recv().expect("open").to_string());
        }
        "produce" => loop {
            shared.jobs.send(shared.next.fetch_add(1, SeqCst)).expect("open");
        },
        "consume" => loop {
            shared.note(shared.jobs.recv().expect("open"));
        },
        "select and produce" => {
            let sources = [shared.never.when_set(), shared.jobs.writable()];
            let mut number = shared.next.fetch_add(1, SeqCst);
            loop {
                assert_eq!(wait_any(&sources).expect("waits"), 1);
                if shared.jobs.try_send(number).is_ok() {
                    number = shared.next.fetch_add(1, SeqCst);
                }
            }
        }
        "select and consume" => {
            let sources = [shared.never.when_set(), shared.jobs.readable()];
            loop {
                assert_eq!(wait_any(&sources).expect("waits"), 1);
                if let Ok(number) = shared.jobs.try_recv() {
                    shared.note(number);
                }
            }
        }
        other => panic!("no such role: {other}"),
    }
}

/// The first of these that is ready, by a caller that waits in another thread until `act` is done.
fn is_woken_by(sources: &[outlive::WaitSource<'_>], asleep: impl Fn() -> bool, act: impl FnOnce()) -> usize {
    std::thread::scope(|scope| {
        let waiter = scope.spawn(|| wait_any(sources).expect("waits"));
        until("the waiter to sleep", asleep);
        act();
        waiter.join().expect("no panic")
    })
}

/// Whether a thread of this process sleeps. Others may sleep, too.
fn sleeps_here(shared: &Segment<Shared>) -> bool {
    shared.participants().iter().any(|one| one.process_id == std::process::id() && is_asleep(one))
}

#[test]
fn each_source_wakes_a_sleeper_when_it_gets_ready() {
    let shared = &shared();
    let sleeps = || shared.participants().iter().any(is_asleep);
    let never = || shared.never.when_set();
    let wakes = |source, act: &dyn Fn()| assert_eq!(is_woken_by(&[never(), source], sleeps, act), 1);

    wakes(shared.stop.when_set(), &|| shared.stop.set().expect("in a segment"));
    wakes(shared.bell.when_set(), &|| shared.bell.set().expect("in a segment"));
    assert!(shared.bell.try_wait().is_ok(), "nothing was consumed");
    wakes(shared.permits.when_available(), &|| shared.permits.release().expect("no maximum"));
    wakes(shared.jobs.readable(), &|| shared.jobs.send(1).expect("open"));
    assert_eq!(shared.jobs.try_recv(), Ok(1), "nothing was consumed");
    shared.jobs.send_batch(&[1, 2, 3, 4]).expect("open");
    wakes(shared.jobs.writable(), &|| drop(shared.jobs.recv()));
}

#[test]
fn a_lock_that_is_released_wakes_a_sleeper() {
    let shared = &shared();
    let sleeps = || shared.participants().iter().any(is_asleep);
    let never = || shared.never.when_set();
    let guard = shared.data.lock().expect("free");
    assert_eq!(is_woken_by(&[never(), shared.data.when_free()], sleeps, || drop(guard)), 1);
    let guard = shared.nested.lock().expect("free");
    assert_eq!(try_wait_any(&[shared.nested.when_free()]), Ok(0), "the holder may lock again");
    assert_eq!(is_woken_by(&[never(), shared.nested.when_free()], sleeps, || drop(guard)), 1);
    shared.lock.acquire().expect("free");
    let release = || shared.lock.release().expect("held");
    assert_eq!(is_woken_by(&[never(), shared.lock.when_free()], sleeps, release), 1);
    let permits = [shared.pool.permit().expect("free"), shared.pool.permit().expect("free")];
    assert_eq!(is_woken_by(&[never(), shared.pool.when_available()], sleeps, || drop(permits)), 1);
}

#[test]
fn a_queue_that_is_closed_is_ready_on_both_sides() {
    let shared = &shared();
    shared.jobs.send_batch(&[1, 2, 3, 4]).expect("open");
    assert_eq!(try_wait_any(&[shared.jobs.writable()]), Err(TryWaitAnyError::WouldBlock));
    shared.jobs.close().expect("in a segment");
    assert_eq!(try_wait_any(&[shared.jobs.writable()]), Ok(0));
    assert_eq!(shared.jobs.drain().count(), 4);
    assert_eq!(try_wait_any(&[shared.jobs.readable()]), Ok(0));
}

#[test]
fn a_message_wakes_a_sleeper_and_the_end_of_its_queue_does_too() {
    let shared = shared();
    let messages = MessageQueue::anonymous(4, 1024).expect("a queue");
    let sources = || [shared.never.when_set(), messages.readable()];
    assert_eq!(try_wait_any(&sources()), Err(TryWaitAnyError::WouldBlock));
    let sleeps = || messages.segment().participants().iter().any(is_asleep);
    assert_eq!(is_woken_by(&sources(), sleeps, || messages.send_bytes(b"one").expect("open")), 1);
    assert_eq!(messages.try_recv_bytes().expect("nothing was consumed"), b"one");
    let sender = messages.sender().expect("open");
    assert_eq!(is_woken_by(&sources(), sleeps, || drop(sender)), 1);
    assert!(matches!(messages.try_recv_bytes(), Err(TryRecvMessageError::Disconnected)));
}

#[test]
fn room_for_a_message_wakes_a_sleeper_when_all_of_it_is_there() {
    let shared = shared();
    let messages = MessageQueue::anonymous(4, 1024).expect("a queue");
    let most = messages.max_message();
    let sources = |length| [shared.never.when_set(), messages.writable(length)];
    assert_eq!(try_wait_any(&sources(most)), Ok(1), "it is empty");
    assert_eq!(try_wait_any(&sources(most + 1)), Ok(1), "an attempt is an error");
    messages.send_bytes(&vec![1; most]).expect("open");
    assert_eq!(try_wait_any(&sources(most)), Err(TryWaitAnyError::WouldBlock));
    assert_eq!(try_wait_any(&sources(messages.block_size())), Ok(1), "a short one passes it");
    let sleeps = || messages.segment().participants().iter().any(is_asleep);
    assert_eq!(is_woken_by(&sources(most), sleeps, || drop(messages.recv_bytes().expect("there is one"))), 1);
    messages.try_send_bytes(&vec![2; most]).expect("nothing was taken");
    assert_eq!(is_woken_by(&sources(most), sleeps, || assert!(messages.close().expect("takes part"))), 1);
}

#[test]
fn the_death_of_the_last_sender_is_the_end_of_its_queue() {
    each_way(|waitv| {
        let shared = shared();
        let mut sender = Actor::start(&shared, "have a sender", waitv);
        assert_eq!(sender.hear(), "has it");
        let sources = [shared.never.when_set(), shared.jobs.readable()];
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| wait_any(&sources));
            until_asleep(&shared, std::process::id());
            sender.kill();
            assert_eq!(waiter.join().expect("no panic"), Ok(1));
        });
        assert_eq!(shared.jobs.try_recv(), Err(TryRecvError::Disconnected));
    });
}

#[test]
fn what_a_killed_process_held_is_ready() {
    each_way(|waitv| {
        for which in 0..4 {
            let shared = shared();
            let source = match which {
                0 => shared.data.when_free(),
                1 => shared.nested.when_free(),
                2 => shared.lock.when_free(),
                _ => shared.pool.when_available(),
            };
            let mut holder = Actor::start(&shared, "hold everything", waitv);
            holder.hear();
            let sources = [shared.never.when_set(), source];
            assert_eq!(try_wait_any(&sources), Err(TryWaitAnyError::WouldBlock));
            assert_eq!(is_woken_by(&sources, || sleeps_here(&shared), || holder.kill()), 1);
        }
    });
}

#[test]
fn the_death_of_a_process_is_a_source() {
    each_way(|waitv| {
        let shared = shared();
        let mut children: Vec<_> = (0..3).map(|_| Actor::start(&shared, "look", waitv)).collect();
        children.iter_mut().for_each(|child| assert_eq!(child.hear(), "here"));
        children.iter().for_each(|child| until_asleep(&shared, child.id()));
        let ids: Vec<_> = children.iter().map(|child| entry(&shared, child.id()).expect("takes part").id).collect();
        let sources: Vec<_> = ids.iter().map(|id| shared.when_dead(*id)).collect();
        assert_eq!(try_wait_any(&sources), Err(TryWaitAnyError::WouldBlock));
        for (index, child) in children.iter_mut().enumerate().rev() {
            std::thread::scope(|scope| {
                let waiter = scope.spawn(|| wait_any(&sources[..=index]));
                until("the waiter to sleep", || {
                    entry(&shared, std::process::id()).is_some()
                        && shared.participants().iter().filter(|p| is_asleep(p)).count() > index + 1
                });
                child.kill();
                assert_eq!(waiter.join().expect("no panic"), Ok(index));
            });
        }
    });
}

#[test]
fn a_killed_waiter_keeps_no_wake_for_itself() {
    each_way(|waitv| {
        for _ in 0..10 {
            let shared = shared();
            let mut victims: Vec<_> = (0..3).map(|_| Actor::start(&shared, "look", waitv)).collect();
            victims.iter_mut().for_each(|child| assert_eq!(child.hear(), "here"));
            victims.iter().for_each(|child| until_asleep(&shared, child.id()));
            let mut receiver = Actor::start(&shared, "receive one", waitv);
            until_asleep(&shared, receiver.id());
            shared.jobs.send(7).expect("open");
            victims.iter_mut().for_each(Actor::kill);
            assert_eq!(receiver.hear(), "7");
        }
    });
}

/// What `act` does makes the source ready, and wakes a thread that sleeps there.
fn wakes_here(shared: &Segment<Shared>, source: outlive::WaitSource<'_>, act: impl FnOnce()) {
    let sleeps = || shared.participants().iter().any(is_asleep);
    assert_eq!(is_woken_by(&[shared.never.when_set(), source], sleeps, act), 1);
}

#[test]
fn a_task_queue_wakes_those_that_wait_for_a_task_for_room_and_for_the_end() {
    let shared = &shared();
    let tasks = &shared.tasks;

    assert_eq!(try_wait_any(&[tasks.readable(), tasks.when_done()]), Ok(1));
    wakes_here(shared, tasks.readable(), || tasks.send(1).expect("open"));
    assert_eq!((tasks.len(), tasks.in_flight()), (1, 0), "nothing was taken");
    let task = tasks.take().expect("there");
    wakes_here(shared, tasks.readable(), || task.give_back().expect("ours"));
    let task = tasks.take().expect("there");
    assert_eq!(task.attempts(), 1);
    wakes_here(shared, tasks.when_done(), || task.done().expect("ours"));
    (0..4).for_each(|number| tasks.send(number).expect("open"));
    wakes_here(shared, tasks.writable(), || tasks.take().expect("there").done().expect("ours"));
    let loan = tasks.reserve().expect("room");
    wakes_here(shared, tasks.writable(), || drop(loan));
    assert_eq!((tasks.len(), tasks.in_flight()), (3, 0), "nothing was reserved");
    // The end of a closed queue comes with its last task.
    tasks.close().expect("in a segment");
    assert_eq!(try_wait_any(&[shared.never.when_set(), tasks.writable()]), Ok(1));
    (0..2).for_each(|_| tasks.take().expect("there").done().expect("ours"));
    let task = tasks.take().expect("there");
    assert_eq!(try_wait_any(&[tasks.readable()]), Err(TryWaitAnyError::WouldBlock));
    wakes_here(shared, tasks.readable(), || task.done().expect("ours"));
    assert_eq!(tasks.try_take().map(drop), Err(TryRecvError::Disconnected));
}

#[test]
fn what_a_killed_worker_or_producer_had_is_ready() {
    each_way(|waitv| {
        let shared = shared();
        let wakes_me = |source, victim: &mut Actor| {
            let sources = [shared.never.when_set(), source];
            assert_eq!(try_wait_any(&sources), Err(TryWaitAnyError::WouldBlock));
            assert_eq!(is_woken_by(&sources, || sleeps_here(&shared), || victim.kill()), 1);
        };
        let mut producer = Actor::start(&shared, "reserve and keep", waitv);
        assert_eq!(producer.hear(), "has them");
        wakes_me(shared.tasks.writable(), &mut producer);

        shared.tasks.send(7).expect("open");
        let mut worker = Actor::start(&shared, "take and keep", waitv);
        assert_eq!(worker.hear(), "7");
        wakes_me(shared.tasks.readable(), &mut worker);
        let task = shared.tasks.try_take().expect("it is given out again");
        assert_eq!((*task, task.attempts()), (7, 2));
        task.give_back().expect("ours");

        // Its last attempt: the task is set aside, and nothing is left.
        shared.tasks.set_max_attempts(1);
        let mut worker = Actor::start(&shared, "take and keep", waitv);
        assert_eq!(worker.hear(), "7");
        wakes_me(shared.tasks.when_done(), &mut worker);
        assert_eq!(shared.tasks.set_aside_len(), 1);
    });
}

#[test]
fn a_killed_waiter_for_tasks_keeps_no_wake_for_itself() {
    each_way(|waitv| {
        for _ in 0..10 {
            let shared = shared();
            shared.tasks.send(6).expect("open");
            let task = shared.tasks.take().expect("there"); // so not all is done
            let mut victims: Vec<_> = (0..3).map(|_| Actor::start(&shared, "look at tasks", waitv)).collect();
            victims.iter_mut().for_each(|child| assert_eq!(child.hear(), "here"));
            victims.iter().for_each(|child| until_asleep(&shared, child.id()));
            let mut worker = Actor::start(&shared, "take one", waitv);
            until_asleep(&shared, worker.id());
            shared.tasks.send(7).expect("open");
            victims.iter_mut().for_each(Actor::kill);
            assert_eq!(worker.hear(), "7");
            task.done().expect("ours");
        }
    });
}

#[test]
fn workers_of_both_kinds_are_killed_at_random_and_no_task_is_lost() {
    each_way(|waitv| {
        let shared = shared();
        let roles = ["send tasks", "work", "select and send tasks", "select and work", "select and work"];
        kill_at_random(&shared, &roles, waitv, (40, 40), &shared.reported);
        // What is left is found by one that waits in this way, too.
        shared.tasks.close().expect("in a segment");
        loop {
            assert_eq!(wait_any(&[shared.tasks.readable()]), Ok(0));
            match shared.tasks.try_take() {
                Ok(task) => {
                    shared.note_task(*task);
                    task.done().expect("ours");
                }
                Err(TryRecvError::Disconnected) => break,
                Err(TryRecvError::Empty) => {}
                Err(error) => panic!("{error}"),
            }
        }
        for number in 0..shared.next.load(SeqCst) {
            let (was_sent, was_done) = (!shared.sent.is_first(number), !shared.received.is_first(number));
            assert!(was_done || !was_sent, "{number} is lost");
        }
        assert_eq!(wait_any(&[shared.tasks.when_done()]), Ok(0));
    });
}

#[test]
fn all_who_only_look_see_it_and_it_is_still_there() {
    let shared = shared();
    let mut lookers: Vec<_> = (0..5).map(|_| Actor::start(&shared, "look", true)).collect();
    lookers.iter_mut().for_each(|child| assert_eq!(child.hear(), "here"));
    lookers.iter().for_each(|child| until_asleep(&shared, child.id()));
    shared.jobs.send(7).expect("open");
    lookers.iter_mut().for_each(|child| assert_eq!(child.hear(), "1"));
    assert_eq!(shared.jobs.try_recv(), Ok(7));
}

#[test]
fn workers_of_both_kinds_are_killed_at_random_and_no_item_is_received_twice() {
    each_way(|waitv| {
        let shared = shared();
        let roles = ["produce", "consume", "select and produce", "select and consume", "select and consume"];
        kill_at_random(&shared, &roles, waitv, (60, 200), &shared.reported);
        // What is left can be received, and an item that is sent now, too.
        until("the queue to be empty", || shared.jobs.try_recv().is_err());
        shared.jobs.send(u64::MAX).expect("open");
        assert_eq!(shared.jobs.recv(), Ok(u64::MAX));
    });
}

#[test]
fn sources_may_lie_in_different_segments() {
    let segments = [0, 1, 2].map(|_| shared());
    let sources = segments.each_ref().map(|shared| shared.jobs.readable());
    let somebody_sleeps = |shared: &Segment<Shared>| shared.participants().iter().any(is_asleep);
    for (index, shared) in segments.iter().enumerate() {
        let send = || shared.jobs.send(1).expect("open");
        assert_eq!(is_woken_by(&sources, || segments.iter().all(somebody_sleeps), send), index);
        assert_eq!(shared.jobs.try_recv(), Ok(1));
    }
}

#[test]
fn queues_in_segments_of_their_own_are_sources() {
    outlive::test_switches::set_recheck(false);
    let queues = [0, 1].map(|_| Queue::<u64>::anonymous(4).expect("a queue"));
    let sources = queues.each_ref().map(|queue| queue.readable());
    for (index, queue) in queues.iter().enumerate() {
        std::thread::scope(|scope| {
            scope.spawn(|| queue.send(1).expect("open"));
            assert_eq!(wait_any(&sources), Ok(index));
        });
        assert_eq!(queue.try_recv(), Ok(1));
    }
}

/// The vigil watches each of them.
#[test]
fn a_death_in_any_of_the_segments_is_noticed() {
    let segments = [0, 1].map(|_| shared());
    for (index, shared) in segments.iter().enumerate() {
        let mut holder = Actor::start(shared, "hold everything", true);
        holder.hear();
        let other = &segments[1 - index];
        let sources = [other.never.when_set(), shared.data.when_free()];
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| wait_any(&sources));
            until_asleep(shared, std::process::id());
            holder.kill();
            assert_eq!(waiter.join().expect("no panic"), Ok(1));
        });
    }
}

#[test]
fn sources_that_are_always_ready_take_turns() {
    let shared = shared();
    shared.stop.set().expect("in a segment");
    shared.jobs.send(1).expect("open");
    let sources = [shared.stop.when_set(), shared.never.when_set(), shared.jobs.readable()];
    let mut times = [0; 3];
    for _ in 0..300 {
        times[wait_any(&sources).expect("ready")] += 1;
    }
    assert_eq!((times[0] >= 100, times[1], times[2] >= 100), (true, 0, true), "{times:?}");
}

#[test]
fn a_wait_that_cannot_be_is_an_error() {
    let shared = shared();
    assert_eq!(wait_any(&[]), Err(WaitAnyError::NoSource));
    assert_eq!(try_wait_any(&[]), Err(TryWaitAnyError::WouldBlock));
    let many = |count: usize| (0..count).map(|_| shared.never.when_set()).collect::<Vec<_>>();
    assert_eq!(wait_any(&many(65)), Err(WaitAnyError::TooMany { words: 65, most: 64 }));
    let soon = Duration::from_millis(20);
    assert_eq!(wait_any_timeout(&many(64), soon), Err(WaitAnyTimeoutError::TimedOut));
    let late = Instant::now() + soon;
    assert_eq!(wait_any_deadline(&many(1), late), Err(WaitAnyTimeoutError::TimedOut));
    assert!(Instant::now() >= late);
    let alone = Event::new();
    let nowhere = RegisterError::NotInSegment;
    assert_eq!(wait_any(&[shared.never.when_set(), alone.when_set()]), Err(WaitAnyError::Register(nowhere)));
}

#[test]
fn an_interrupter_ends_it() {
    let shared = shared();
    let stop = Interrupter::new();
    stop.interrupt();
    let sources = [shared.never.when_set(), shared.jobs.readable()];
    assert_eq!(interruptible_by(&stop, || wait_any(&sources)), Err(WaitAnyError::Interrupted));
    shared.jobs.send(1).expect("open");
    assert_eq!(interruptible_by(&stop, || wait_any(&sources)), Ok(1));
}

#[test]
fn a_forked_child_waits_as_a_participant_of_its_own() {
    let shared = shared();
    let sources = [shared.never.when_set(), shared.jobs.readable()];
    assert_eq!(wait_any_timeout(&sources, Duration::ZERO), Err(WaitAnyTimeoutError::TimedOut));
    let child = fork(|| i32::from(wait_any(&sources) != Ok(1)));
    until_asleep(&shared, child as u32);
    shared.jobs.send(1).expect("open");
    assert_eq!(wait(child), 0);
}

/// A child that takes no part in any segment. It lives until its input ends.
fn bystander() -> std::process::Child {
    let piped = std::process::Stdio::piped;
    std::process::Command::new("cat").stdin(piped()).stdout(piped()).spawn().expect("a child")
}

#[test]
fn the_end_of_a_process_that_takes_no_part_is_a_source() {
    let shared = shared();
    for is_killed in [true, false] {
        let [mut child, mut other] = [(); 2].map(|()| bystander());
        let [exit, exit_of_other] = [&child, &other].map(|child| ProcessExit::of_child(child).expect("it lives"));
        let sources = [
            shared.jobs.readable(),
            exit_of_other.when_exited().expect("watched"),
            exit.when_exited().expect("watched"),
        ];
        assert!(matches!(try_wait_any(&sources), Err(TryWaitAnyError::WouldBlock)));
        let end = || if is_killed { child.kill().expect("it lives") } else { drop(child.stdin.take()) };
        assert_eq!(is_woken_by(&sources, || shared.participants().iter().any(is_asleep), end), 2);
        assert!(exit.has_exited() && !exit_of_other.has_exited());
        // Also if it was waited for, and for a source that is made now.
        child.wait().expect("our child");
        assert_eq!(
            try_wait_any(&[exit_of_other.when_exited().expect("watched"), exit.when_exited().expect("ended")]).ok(),
            Some(1)
        );
        assert!(matches!(ProcessExit::of_child(&child), Err(ProcessExitError::NotFound { .. })));
        other.kill().and_then(|()| other.wait()).expect("our child");
    }
    assert!(matches!(ProcessExit::of(0), Err(ProcessExitError::NotFound { process_id: 0 })));
    assert!(matches!(ProcessExit::of(u32::MAX), Err(ProcessExitError::NotFound { .. })));
}

/// Those that are dropped are no longer watched. Their addresses are used again.
#[test]
fn watched_processes_may_come_and_go() {
    let mut patient = bystander();
    let exit = ProcessExit::of_child(&patient).expect("it lives");
    let source = exit.when_exited().expect("watched");
    for round in 0..40 {
        let mut child = bystander();
        let exit = ProcessExit::of_child(&child).expect("it lives");
        let sources = [exit.when_exited().expect("watched"), exit.when_exited().expect("watched twice")];
        drop(child.stdin.take());
        if round % 2 == 0 {
            wait_any(&sources).expect("it ends");
        }
        drop(sources);
        drop(exit);
        child.wait().expect("our child");
    }
    assert!(matches!(try_wait_any(&[source]), Err(TryWaitAnyError::WouldBlock)));
    patient.kill().and_then(|()| patient.wait()).expect("our child");
    wait_any(&[exit.when_exited().expect("watched")]).expect("it has ended");
}

/// A forked child has no thread that watches. It starts one.
#[test]
fn a_forked_child_watches_by_itself() {
    let mut patient = bystander();
    let exit = ProcessExit::of_child(&patient).expect("it lives");
    let _parents = exit.when_exited().expect("watched");
    let segment = segment_of::<Event>(|_cleared| {});
    let child = fork(|| {
        let sources = [exit.when_exited().expect("watched")];
        segment.set().expect("in a segment");
        let index = wait_any(&sources).expect("it ends");
        i32::from(index != 0 || !exit.has_exited())
    });
    segment.wait().expect("the child is ready");
    patient.kill().expect("it lives");
    assert_eq!(wait(child), 0);
    patient.wait().expect("our child");
}

/// A forked child and its own child, which both begin with it. The first one ends.
#[test]
fn each_forked_process_watches_for_itself() {
    let mut watched = bystander();
    let exit = ProcessExit::of_child(&watched).expect("it lives");
    let answers = Queue::<u64>::anonymous(8).expect("a queue");
    let child = fork(|| {
        let _source = exit.when_exited().expect("watched");
        let grandchild = fork(|| {
            let source = exit.when_exited().expect("watched");
            answers.send(0).expect("room");
            let told = wait_any_timeout(&[source], Duration::from_secs(20));
            answers.send(u64::from(told.is_ok())).expect("room");
            0
        });
        i32::from(grandchild < 0)
    });
    assert_eq!(wait(child), 0);
    answers.recv().expect("the grandchild watches");
    watched.kill().and_then(|()| watched.wait()).expect("our child");
    assert_eq!(answers.recv().ok(), Some(1));
}

#[test]
fn a_forked_child_that_drops_its_copy_harms_nobody() {
    let mut watched = bystander();
    let exit = ProcessExit::of_child(&watched).expect("it lives");
    let answers = Queue::<u64>::anonymous(8).expect("a queue");
    let child = fork(|| {
        let source = exit.when_exited().expect("watched"); // the first that it does here
        let grandchild = fork(|| {
            // SAFETY: a copy of what the parent has. Here nobody uses it any more.
            drop(unsafe { std::ptr::read(&raw const exit) });
            0
        });
        assert_eq!(wait(grandchild), 0);
        answers.send(0).expect("room");
        let told = wait_any_timeout(&[source], Duration::from_secs(20));
        answers.send(u64::from(told.is_ok())).expect("room");
        0
    });
    answers.recv().expect("the child watches");
    watched.kill().and_then(|()| watched.wait()).expect("our child");
    assert_eq!(answers.recv().ok(), Some(1));
    assert_eq!(wait(child), 0);
}
