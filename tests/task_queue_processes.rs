//! The task queue between real processes that are really killed. Rechecks are off.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)] // tests look from outside

mod common;

use common::*;
use outlive::{
    ArrayTaskQueue, Interrupter, OpenError, RangeError, RecvError, RecvTimeoutError, RegisterError, Segment, SendError,
    SendTimeoutError, Shareable, Task, TaskQueue, TaskQueueRoot, TaskQueueSegment, TaskSlot, TryRecvError,
    TrySendError, UnfinishedError, UnfinishedTimeoutError, interruptible_by,
};
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::{Duration, Instant};

#[derive(Debug, Shareable)]
#[repr(C)]
struct Shared {
    jobs: ArrayTaskQueue<Job, 4>,
    reported: AtomicU64,
    /// The next number to send.
    next: AtomicU64,
    /// How often a number was done that had been done before.
    again: AtomicU64,
    done: Received,
}

impl Shared {
    fn note(&self, job: Job) {
        if !self.done.is_first(job.number()) {
            self.again.fetch_add(1, SeqCst);
        }
    }
}

fn shared() -> Segment<Shared> {
    segment_of(|_empty| {})
}

fn anonymous(capacity: usize) -> TaskQueueSegment<u64> {
    outlive::test_switches::set_recheck(false);
    TaskQueue::anonymous(capacity).expect("a task queue")
}

/// The number of a task, and which attempt it is.
fn told(task: &Task<'_, u64>) -> (u64, u32) {
    (**task, task.attempts())
}

/// Takes a task that is there, and does it.
fn do_next(jobs: &TaskQueue<u64>) -> Result<(u64, u32), TryRecvError> {
    let task = jobs.try_take()?;
    let told = told(&task);
    task.done().expect("ours");
    Ok(told)
}

/// The roles of child processes.
#[test]
#[ignore = "the child's half of other tests"]
fn child() {
    let Some(role) = role() else { return };
    match role.as_str() {
        "produce" => {
            let shared = inherited_of::<Shared>();
            loop {
                let number = shared.next.fetch_add(1, SeqCst);
                if number % 2 == 0 {
                    shared.jobs.send(Job::new(number)).expect("open");
                } else {
                    let mut loan = shared.jobs.reserve().expect("open");
                    loan.0.iter_mut().for_each(|part| *part = number);
                    loan.publish().expect("ours");
                }
            }
        }
        "consume" => {
            let shared = inherited_of::<Shared>();
            loop {
                let task = shared.jobs.take().expect("open");
                shared.note(*task);
                task.done().expect("ours");
                shared.reported.fetch_add(1, SeqCst);
                std::thread::sleep(Duration::from_micros(50)); // there are only so many numbers
            }
        }
        "do one" => {
            let jobs = inherited_queue();
            match jobs.take() {
                Ok(task) => {
                    say(&format!("{:?}", told(&task)));
                    task.done().expect("ours");
                }
                Err(error) => say(&error.to_string()),
            }
        }
        "hold one" => {
            let jobs = inherited_queue();
            let mut task = jobs.take().expect("open");
            let first = told(&task);
            *task += 100;
            say(&format!("{first:?}"));
            wait_for_the_word();
            *task -= 100;
            task.done().expect("ours");
        }
        "hold one in a thread that ends" => {
            let jobs = inherited_queue();
            elsewhere(|| core::mem::forget(jobs.take().expect("open")));
            say("leaked");
            wait_for_the_word();
        }
        "reserve" => {
            let jobs = inherited_queue();
            match jobs.reserve() {
                Ok(mut loan) => {
                    *loan = 9;
                    say("reserved");
                    wait_for_the_word();
                    loan.publish().expect("ours");
                }
                Err(error) => say(&error.to_string()),
            }
        }
        "send one" => {
            let jobs = inherited_queue();
            say(&jobs.send(9).map_or_else(|error| error.to_string(), |()| "sent".into()));
        }
        "join" => {
            let jobs = inherited_queue();
            jobs.join().expect("no signal");
            say("joined");
        }
        "die with each" => {
            let jobs = inherited_queue();
            let _task = jobs.take().expect("open");
            // SAFETY: ends the process.
            unsafe { libc::kill(libc::getpid(), libc::SIGKILL) };
        }
        other => panic!("no such role: {other}"),
    }
}

/// In a child: the task queue that the parent passed.
fn inherited_queue() -> TaskQueueSegment<u64> {
    TaskQueue::options(1).expect("in range").inherit("test").expect("passed").try_into().expect("a task queue")
}

fn start(jobs: &TaskQueueSegment<u64>, role: &str, waitv: bool) -> Actor {
    Actor::start(jobs.segment(), role, waitv)
}

#[test]
fn kills_at_random_moments_lose_no_task() {
    each_way(|waitv| {
        const KILLS: u64 = 30;
        const ROLES: [&str; 5] = ["consume", "produce", "consume", "produce", "consume"];
        let shared = shared();
        kill_at_random(&shared, &ROLES, waitv, (KILLS, 300), &shared.reported);
        while let Ok(task) = shared.jobs.try_take() {
            shared.note(*task);
            task.done().expect("ours");
        }
        assert_eq!((shared.jobs.len(), shared.jobs.in_flight(), shared.jobs.set_aside_len()), (0, 0, 0));
        assert_eq!(shared.jobs.join_timeout(Duration::ZERO), Ok(()));
        let (sent, again) = (shared.next.load(SeqCst), shared.again.load(SeqCst));
        let done = shared.done.count();
        // A dead producer had a number and had not published it. A dead worker had done a task and
        // had not said so.
        let deaths = KILLS + ROLES.len() as u64;
        assert!(done <= sent && sent <= done + deaths, "{sent} numbers, {done} done");
        assert!(again <= deaths, "{again} tasks were done twice");
        // Nothing is left of the dead: all slots can be used.
        let loans: Vec<_> = (0..4).map(|_| shared.jobs.try_reserve().expect("room")).collect();
        assert!(matches!(shared.jobs.try_reserve(), Err(TrySendError::Full(()))));
        drop(loans);
    });
}

#[test]
fn the_task_of_a_killed_worker_goes_out_again() {
    each_way(|waitv| {
        let jobs = anonymous(4);
        (1..=3).for_each(|number| jobs.send(number).expect("room"));
        let mut worker = start(&jobs, "hold one", waitv);
        assert_eq!(worker.hear(), "(1, 1)");
        assert_eq!((jobs.len(), jobs.in_flight()), (2, 1));
        worker.kill();
        // The worker had changed the item, and that stays.
        let mut done: Vec<_> = (0..3).map(|_| do_next(&jobs).expect("there")).collect();
        assert_eq!(do_next(&jobs), Err(TryRecvError::Empty));
        done.sort_by_key(|(number, _)| number % 100);
        assert_eq!(done, [(101, 2), (2, 1), (3, 1)]);
    });
}

#[test]
fn a_sleeping_worker_gets_the_task_of_a_killed_one() {
    each_way(|waitv| {
        let jobs = anonymous(4);
        jobs.send(1).expect("room");
        let mut victim = start(&jobs, "hold one", waitv);
        assert_eq!(victim.hear(), "(1, 1)");
        let mut survivor = start(&jobs, "do one", waitv);
        until_asleep(jobs.segment(), survivor.id());
        victim.kill();
        assert_eq!(survivor.hear(), "(101, 2)");
        assert!(survivor.ends_well());
        assert_eq!((jobs.len(), jobs.in_flight(), do_next(&jobs)), (0, 0, Err(TryRecvError::Empty)));
    });
}

#[test]
fn killed_workers_that_sleep_take_no_task_along() {
    each_way(|waitv| {
        let jobs = anonymous(4);
        let mut victims: Vec<_> = (0..3).map(|_| start(&jobs, "do one", waitv)).collect();
        victims.iter().for_each(|victim| until_asleep(jobs.segment(), victim.id()));
        let mut survivor = start(&jobs, "do one", waitv);
        until_asleep(jobs.segment(), survivor.id());
        victims.iter_mut().for_each(Actor::kill);
        jobs.send(7).expect("open");
        assert_eq!(survivor.hear(), "(7, 1)");
        assert!(survivor.ends_well());
    });
}

#[test]
fn the_room_that_a_killed_producer_was_filling_is_free_again() {
    each_way(|waitv| {
        let jobs = anonymous(2);
        let mut victims: Vec<_> = (0..2).map(|_| start(&jobs, "reserve", waitv)).collect();
        victims.iter_mut().for_each(|victim| assert_eq!(victim.hear(), "reserved"));
        assert_eq!(jobs.try_send(1), Err(TrySendError::Full(1)));
        let mut sleeper = start(&jobs, "send one", waitv);
        until_asleep(jobs.segment(), sleeper.id());
        assert_eq!((jobs.len(), jobs.in_flight(), do_next(&jobs)), (0, 0, Err(TryRecvError::Empty)));
        victims.iter_mut().for_each(Actor::kill);
        assert_eq!(sleeper.hear(), "sent");
        assert!(sleeper.ends_well());
        assert_eq!(jobs.try_send(1), Ok(()));
        assert_eq!((do_next(&jobs), do_next(&jobs)), (Ok((9, 1)), Ok((1, 1))));
    });
}

#[test]
fn a_slow_producer_delays_nobody() {
    each_way(|waitv| {
        let jobs = anonymous(3);
        let mut slow = start(&jobs, "reserve", waitv);
        assert_eq!(slow.hear(), "reserved");
        for number in 0..20 {
            jobs.send(number).expect("room");
            assert_eq!(do_next(&jobs), Ok((number, 1)));
        }
        assert!(slow.ends_well());
        assert_eq!(do_next(&jobs), Ok((9, 1)));
    });
}

#[test]
fn the_task_of_a_stopped_worker_stays_with_it() {
    let jobs = anonymous(3);
    jobs.send(1).expect("room");
    let mut slow = start(&jobs, "hold one", true);
    assert_eq!(slow.hear(), "(1, 1)");
    // SAFETY: a child of ours.
    assert_eq!(unsafe { libc::kill(slow.id() as i32, libc::SIGSTOP) }, 0);
    for number in 0..20 {
        jobs.send(number).expect("room");
        assert_eq!(do_next(&jobs), Ok((number, 1)));
        assert_eq!(do_next(&jobs), Err(TryRecvError::Empty));
    }
    assert_eq!(jobs.join_timeout(Duration::from_millis(10)), Err(UnfinishedTimeoutError::TimedOut));
    // SAFETY: as above.
    assert_eq!(unsafe { libc::kill(slow.id() as i32, libc::SIGCONT) }, 0);
    assert!(slow.ends_well());
    assert_eq!(jobs.join(), Ok(()));
}

#[test]
fn a_join_waits_for_the_tasks_of_the_dead_too() {
    each_way(|waitv| {
        let jobs = anonymous(4);
        jobs.send(1).expect("room");
        let mut victim = start(&jobs, "hold one", waitv);
        assert_eq!(victim.hear(), "(1, 1)");
        let mut joiners: Vec<_> = (0..2).map(|_| start(&jobs, "join", waitv)).collect();
        joiners.iter().for_each(|joiner| until_asleep(jobs.segment(), joiner.id()));
        victim.kill();
        joiners.iter().for_each(|joiner| until_asleep(jobs.segment(), joiner.id()));
        assert_eq!(do_next(&jobs), Ok((101, 2)));
        for joiner in &mut joiners {
            assert_eq!(joiner.hear(), "joined");
            assert!(joiner.ends_well());
        }
    });
}

#[test]
fn a_killed_joiner_disturbs_nobody() {
    each_way(|waitv| {
        let jobs = anonymous(4);
        jobs.send(1).expect("room");
        let mut victim = start(&jobs, "join", waitv);
        until_asleep(jobs.segment(), victim.id());
        let mut joiner = start(&jobs, "join", waitv);
        until_asleep(jobs.segment(), joiner.id());
        victim.kill();
        assert_eq!(do_next(&jobs), Ok((1, 1)));
        assert_eq!(joiner.hear(), "joined");
        assert!(joiner.ends_well());
    });
}

/// It fails, or each worker gives it back because it is not for that worker.
#[test]
fn a_task_that_is_never_done_hides_no_other() {
    for fails in [true, false] {
        let jobs = anonymous(4);
        (1..=3).for_each(|number| jobs.send(number).expect("room"));
        let mut others = vec![];
        for _ in 0..6 {
            let task = jobs.take().expect("open");
            if *task != 1 {
                others.push(*task);
                task.done().expect("ours");
            } else if fails {
                drop(task);
            } else {
                task.give_back().expect("ours");
            }
        }
        assert_eq!(others, [2, 3]);
    }
}

#[test]
fn a_task_that_kills_its_workers_is_set_aside() {
    each_way(|waitv| {
        let jobs = anonymous(4);
        jobs.set_max_attempts(3);
        jobs.send(1).expect("room");
        for _ in 0..3 {
            let mut worker = start(&jobs, "die with each", waitv);
            assert!(!worker.ends_well());
        }
        jobs.send(2).expect("room");
        assert_eq!((do_next(&jobs), do_next(&jobs)), (Ok((2, 1)), Err(TryRecvError::Empty)));
        assert_eq!((jobs.len(), jobs.in_flight(), jobs.set_aside_len()), (0, 0, 1));
        assert_eq!(jobs.join(), Ok(()), "nobody is going to do it");
        let found: Vec<_> = jobs.set_aside().map(|task| told(&task)).collect();
        assert_eq!(found, [(1, 3)]);
    });
}

/// A worker that is asleep at the close, while another has the last task.
#[test]
fn a_closed_queue_ends_when_its_last_task_is_done() {
    each_way(|waitv| {
        let jobs = anonymous(4);
        jobs.send(1).expect("room");
        let mut victim = start(&jobs, "hold one", waitv);
        assert_eq!(victim.hear(), "(1, 1)");
        let mut sleepers: Vec<_> = (0..3).map(|_| start(&jobs, "do one", waitv)).collect();
        sleepers.iter().for_each(|sleeper| until_asleep(jobs.segment(), sleeper.id()));
        assert_eq!((jobs.close(), jobs.close()), (Ok(true), Ok(false)));
        assert_eq!(do_next(&jobs), Err(TryRecvError::Empty), "the task may come back");
        assert_eq!(jobs.send(2), Err(SendError::Disconnected(2)));
        victim.kill();
        let mut heard: Vec<_> = sleepers.iter_mut().map(Actor::hear).collect();
        heard.sort();
        assert_eq!(heard[0], "(101, 2)");
        assert!(heard[1..].iter().all(|heard| heard.starts_with("the queue is closed")), "{heard:?}");
        assert!(sleepers.iter_mut().all(Actor::ends_well));
        assert_eq!(do_next(&jobs), Err(TryRecvError::Disconnected));
    });
}

#[test]
fn a_close_wakes_those_that_wait_for_room() {
    each_way(|waitv| {
        let jobs = anonymous(1);
        jobs.send(1).expect("room");
        let mut sleepers: Vec<_> = ["send one", "reserve"].map(|role| start(&jobs, role, waitv)).into();
        sleepers.iter().for_each(|sleeper| until_asleep(jobs.segment(), sleeper.id()));
        jobs.close().expect("in a segment");
        for sleeper in &mut sleepers {
            let heard = sleeper.hear();
            assert!(heard.starts_with("the queue is closed"), "{heard}");
            assert!(sleeper.ends_well());
        }
        assert_eq!((do_next(&jobs), do_next(&jobs)), (Ok((1, 1)), Err(TryRecvError::Disconnected)));
    });
}

/// The guard of a thread that has ended may have given a reference that is still used.
#[test]
fn a_leaked_task_goes_out_again_when_its_process_ends() {
    let status = in_a_child(|| {
        let jobs = anonymous(2);
        outlive::test_switches::set_recheck(true); // the kernel wakes nobody for a thread that has ended before
        jobs.send(1).expect("room");
        let mut worker = start(&jobs, "hold one in a thread that ends", true);
        assert_eq!(worker.hear(), "leaked");
        assert_eq!((do_next(&jobs), jobs.in_flight()), (Err(TryRecvError::Empty), 1));
        worker.kill();
        assert_eq!(jobs.take().map(|task| told(&task)), Ok((1, 2)));
        0
    });
    assert_eq!(status, 0);
}

#[test]
fn a_dropped_or_panicking_worker_counts_as_an_attempt_and_one_that_gives_back_does_not() {
    let jobs = anonymous(4);
    jobs.send(1).expect("room");
    drop(jobs.try_take().expect("there"));
    panic_with(jobs.try_take().expect("there"));
    let task = jobs.try_take().expect("there");
    assert_eq!(told(&task), (1, 3));
    task.give_back().expect("ours");
    let task = jobs.try_take().expect("there");
    assert_eq!(told(&task), (1, 3), "it is the same attempt");
    task.done().expect("ours");
    assert_eq!(do_next(&jobs), Err(TryRecvError::Empty));
}

#[test]
fn what_is_set_aside_can_be_looked_at_retried_and_removed() {
    let jobs = anonymous(4);
    assert_eq!(jobs.max_attempts(), 0);
    jobs.set_max_attempts(1);
    assert_eq!(jobs.max_attempts(), 1);
    (1..=3).for_each(|number| jobs.send(number).expect("room"));
    (0..3).for_each(|_| drop(jobs.try_take().expect("there")));
    assert_eq!((jobs.len(), jobs.in_flight(), jobs.set_aside_len()), (0, 0, 3));
    // Looked at, and dropped: set aside as before.
    let mut seen: Vec<_> = jobs.set_aside().map(|task| told(&task)).collect();
    seen.sort_unstable();
    assert_eq!(seen, [(1, 1), (2, 1), (3, 1)]);
    assert_eq!(jobs.set_aside_len(), 3);
    for task in jobs.set_aside() {
        match *task {
            1 => task.done().expect("ours"),
            2 => task.give_back().expect("ours"),
            _ => {}
        }
    }
    assert_eq!((jobs.len(), jobs.in_flight(), jobs.set_aside_len()), (1, 0, 1));
    let task = jobs.try_take().expect("given back");
    assert_eq!(*task, 2);
    drop(task);
    assert_eq!((jobs.len(), jobs.set_aside_len()), (0, 2), "its attempts are used up");
    jobs.set_max_attempts(0);
    assert_eq!(jobs.max_attempts(), 0);
}

#[test]
fn a_forked_copy_of_a_guard_ends_nothing() {
    let jobs = anonymous(2);
    jobs.send(1).expect("room");
    let (task, loan) = (jobs.try_take().expect("there"), jobs.try_reserve().expect("room"));
    let in_child = |act: &dyn Fn()| {
        let status = in_a_child(|| {
            act();
            0
        });
        assert_eq!((status, jobs.len(), jobs.in_flight()), (0, 0, 1));
    };
    // SAFETY: each copy is used in a child alone, once.
    let (copy, loaned) = (|| unsafe { core::ptr::read(&task) }, || unsafe { core::ptr::read(&loan) });
    in_child(&|| drop(copy()));
    in_child(&|| assert_eq!(copy().done(), Ok(())));
    in_child(&|| assert_eq!(copy().give_back(), Ok(())));
    in_child(&|| drop(loaned()));
    in_child(&|| assert_eq!(loaned().publish(), Ok(())));
    assert_eq!(jobs.try_send(2), Err(TrySendError::Full(2)), "the loan is the parent's");
    task.done().expect("ours");
    loan.publish().expect("ours");
    assert_eq!(do_next(&jobs), Ok((0, 1)));
}

#[test]
fn an_item_is_used_where_it_is_and_may_be_large() {
    const LONG: usize = 1 << 17;
    type Long = [u64; LONG];
    let jobs = TaskQueue::<Long>::anonymous(2).expect("a task queue");
    let mut loan = jobs.reserve().expect("room");
    assert!(loan.iter().all(|part| *part == 0), "new room is all zero");
    loan.iter_mut().zip(0..).for_each(|(part, number)| *part = number);
    let place = loan.as_ptr();
    loan.publish().expect("ours");
    let mut task = jobs.take().expect("there");
    assert!(core::ptr::eq(task.as_ptr(), place) && task.iter().copied().eq(0..LONG as u64));
    task[0] = 7;
    drop(task);
    let task = jobs.take().expect("there");
    assert_eq!((task[0], task.attempts(), task.as_ptr() == place), (7, 2, true));
    task.done().expect("ours");
    // A slot that was used has the item that was there before.
    let loans = [jobs.reserve().expect("room"), jobs.reserve().expect("room")];
    assert!(loans.iter().any(|loan| loan[0] == 7 && loan[LONG - 1] == LONG as u64 - 1));
}

#[test]
fn somebody_who_knows_better_takes_a_task_back() {
    let jobs = anonymous(2);
    jobs.send(1).expect("room");
    let task = jobs.try_take().expect("there");
    let me = jobs.segment().attach().expect("takes part");
    assert_eq!(jobs.workers().collect::<Vec<_>>(), [me]);
    // SAFETY: the guard is not used any more but to be ended.
    assert_eq!(unsafe { jobs.take_back(me) }, Ok(1));
    // SAFETY: nothing is held.
    assert_eq!(unsafe { jobs.take_back(me) }, Ok(0));
    assert!(task.done().is_err_and(|error| error.holder.is_none()));
    let other = jobs.try_take().expect("taken back");
    assert_eq!(told(&other), (1, 2));
    other.done().expect("ours");
    assert_eq!(jobs.join(), Ok(()));
}

#[test]
fn a_task_queue_is_opened_in_each_way_and_keeps_its_capacity() {
    let name = Name::new("task-queue-opened");
    let jobs = TaskQueue::<u64>::create(&*name.0, 5).expect("new");
    (1..=4).for_each(|number| jobs.send(number).expect("room"));
    assert!(matches!(TaskQueue::<u64>::create(&*name.0, 5), Err(OpenError::AlreadyExists(_))));
    let by_name = TaskQueue::<u64>::open(&*name.0).expect("there");
    let again = TaskQueue::<u64>::open_or_create(&*name.0, 99).expect("there");
    // SAFETY: the descriptor is only used to map the segment.
    let descriptor = unsafe { jobs.segment().borrow_fd() }.expect("open");
    let segment = TaskQueue::<u64>::options(1).expect("in range").from_fd(descriptor).expect("a segment of this type");
    let by_descriptor = TaskQueueSegment::try_from(segment).expect("a task queue");
    let done = [&jobs, &by_name, &again, &by_descriptor].map(|jobs| (jobs.capacity(), do_next(jobs)));
    assert_eq!(done, [1, 2, 3, 4].map(|number| (5, Ok((number, 1)))));
    // The segment can be had, and becomes the task queue again.
    jobs.send(6).expect("room");
    let segment = by_name.into_segment();
    assert_eq!(segment.room().len(), 5);
    assert_eq!(do_next(&TaskQueueSegment::try_from(segment).expect("a task queue")), Ok((6, 1)));
    drop((jobs, again, by_descriptor));
    TaskQueue::<u64>::remove(&*name.0).expect("there");
    assert!(matches!(TaskQueue::<u64>::open(&*name.0), Err(OpenError::NotFound(_))));
}

/// A file keeps the tasks, and those that were taken when all processes ended.
#[test]
fn a_file_keeps_the_tasks() {
    let directory = directory();
    let path = directory.path().join("jobs");
    let jobs = TaskQueue::<u64>::create(&*path, 3).expect("new");
    (7..=8).for_each(|number| jobs.send(number).expect("room"));
    let status = in_a_child(|| {
        let jobs = TaskQueue::<u64>::open(&*path).expect("there");
        core::mem::forget((jobs.try_take().expect("there"), jobs.try_reserve().expect("room")));
        0
    });
    assert_eq!(status, 0);
    drop(jobs);
    let jobs = TaskQueue::<u64>::open(&*path).expect("there");
    assert_eq!((do_next(&jobs), do_next(&jobs), do_next(&jobs)), (Ok((7, 2)), Ok((8, 1)), Err(TryRecvError::Empty)));
    let loans: Vec<_> = (0..3).map(|_| jobs.try_reserve().expect("room")).collect();
    drop(loans);
}

#[test]
fn a_task_queue_of_no_capacity_of_another_item_or_another_root_is_not_opened() {
    let name = Name::new("task-queue-refused");
    for capacity in [0, usize::MAX] {
        let all = [
            TaskQueue::<u64>::create(&*name.0, capacity).err(),
            TaskQueue::<u64>::open_or_create(&*name.0, capacity).err(),
            TaskQueue::<u64>::anonymous(capacity).err(),
        ];
        for error in all {
            assert!(matches!(&error, Some(OpenError::InvalidSize(_))), "{capacity}: {error:?}");
            assert!(error.is_some_and(|error| error.to_string().contains(&format!("but is {capacity}"))));
        }
    }
    assert!(matches!(TaskQueue::<u64>::options(0), Err(RangeError { found: 0, minimum: 1, .. })));
    let empty = Segment::<TaskQueueRoot>::options().room::<TaskSlot<u64>>(0);
    let empty = empty.create(&*name.0, |_, _| {}).expect("a segment, but no task queue");
    assert!(matches!(TaskQueueSegment::try_from(empty), Err(OpenError::InvalidSize(_))));
    Segment::<()>::remove(&*name.0).expect("there");

    let _jobs = TaskQueue::<u64>::create(&*name.0, 3).expect("new");
    assert!(matches!(TaskQueue::<i64>::open(&*name.0), Err(OpenError::RoomType { .. })));
    assert!(matches!(outlive::Queue::<u64>::open(&*name.0), Err(OpenError::Type { .. })));
    assert!(matches!(Segment::<ArrayTaskQueue<u64, 3>>::open(&*name.0), Err(OpenError::Type { .. })));
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
    let taken = |answer: Result<Task<'_, u64>, RecvTimeoutError>| answer.map(|task| told(&task));
    assert_eq!(taken(jobs.take_timeout(Duration::ZERO)), Err(RecvTimeoutError::TimedOut));
    assert_eq!(taken(jobs.take_deadline(past)), Err(RecvTimeoutError::TimedOut));
    take_long(&|| assert_eq!(taken(jobs.take_timeout(short)), Err(RecvTimeoutError::TimedOut)));
    take_long(&|| assert_eq!(taken(jobs.take_deadline(Instant::now() + short)), Err(RecvTimeoutError::TimedOut)));
    assert_eq!((jobs.join_timeout(Duration::ZERO), jobs.join_deadline(past)), (Ok(()), Ok(())));
    // What is possible at once is done, whatever the deadline.
    assert_eq!(jobs.send_deadline(1, past), Ok(()));
    assert_eq!(taken(jobs.take_deadline(past)), Ok((1, 1)));
    assert_eq!(taken(jobs.take_timeout(Duration::ZERO)), Ok((1, 2)));
    take_long(&|| assert_eq!(jobs.join_timeout(short), Err(UnfinishedTimeoutError::TimedOut)));
    take_long(&|| assert_eq!(jobs.join_deadline(Instant::now() + short), Err(UnfinishedTimeoutError::TimedOut)));
    assert_eq!(jobs.send_timeout(3, Duration::ZERO), Err(SendTimeoutError::TimedOut(3)));
    take_long(&|| assert_eq!(jobs.send_timeout(5, short), Err(SendTimeoutError::TimedOut(5))));
    take_long(&|| assert_eq!(jobs.send_deadline(6, Instant::now() + short), Err(SendTimeoutError::TimedOut(6))));
    take_long(&|| assert_eq!(jobs.reserve_timeout(short).map(drop), Err(SendTimeoutError::TimedOut(()))));
    assert_eq!(jobs.reserve_deadline(past).map(drop), Err(SendTimeoutError::TimedOut(())));
    assert_eq!(do_next(&jobs), Ok((1, 3)));
    jobs.reserve_timeout(Duration::ZERO).expect("room").publish().expect("ours");
    let until_somebody_sleeps =
        || until("a fall into sleep", || jobs.segment().participants().iter().any(|p| p.asleep_for.is_some()));
    std::thread::scope(|scope| {
        let sender = scope.spawn(|| jobs.send_timeout(9, Duration::MAX));
        until_somebody_sleeps();
        assert_eq!(do_next(&jobs), Ok((1, 1)));
        assert_eq!(sender.join().expect("no panic"), Ok(()));
        assert_eq!(do_next(&jobs), Ok((9, 1)));
        let worker = scope.spawn(|| jobs.take_timeout(Duration::MAX).map(|task| *task));
        until_somebody_sleeps();
        jobs.send(7).expect("open");
        assert_eq!(worker.join().expect("no panic"), Ok(7));
        let joiner = scope.spawn(|| jobs.join_timeout(Duration::MAX));
        until_somebody_sleeps();
        assert_eq!(do_next(&jobs), Ok((7, 2)));
        assert_eq!(joiner.join().expect("no panic"), Ok(()));
    });
}

#[test]
fn an_interrupted_wait_loses_nothing() {
    let (jobs, stop) = (anonymous(1), Interrupter::new());
    let interrupt = |wait: &(dyn Fn() + Sync)| {
        stop.clear();
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| interruptible_by(&stop, wait));
            until("a fall into sleep", || jobs.segment().participants().iter().any(|p| p.asleep_for.is_some()));
            stop.interrupt();
            waiter.join().expect("no panic");
        });
    };
    interrupt(&|| assert!(matches!(jobs.take(), Err(RecvError::Interrupted))));
    interrupt(&|| assert!(matches!(jobs.take_timeout(PATIENCE), Err(RecvTimeoutError::Interrupted))));
    jobs.send(1).expect("room");
    interrupt(&|| assert_eq!(jobs.send(5), Err(SendError::Interrupted(5))));
    interrupt(&|| assert_eq!(jobs.send_timeout(6, PATIENCE), Err(SendTimeoutError::Interrupted(6))));
    interrupt(&|| assert_eq!(jobs.reserve().map(drop), Err(SendError::Interrupted(()))));
    interrupt(&|| assert_eq!(jobs.join(), Err(UnfinishedError::Interrupted)));
    interrupt(&|| assert_eq!(jobs.join_timeout(PATIENCE), Err(UnfinishedTimeoutError::Interrupted)));
    assert_eq!(do_next(&jobs), Ok((1, 1)));
}

#[test]
fn numbers_say_what_is_there() {
    let jobs = anonymous(3);
    let numbers = || (jobs.len(), jobs.in_flight(), jobs.is_empty());
    for lap in 0..5 {
        assert_eq!((numbers(), jobs.capacity()), ((0, 0, true), 3));
        let loan = jobs.reserve().expect("room");
        assert_eq!(numbers(), (0, 0, true), "a loan is no task yet");
        drop(loan);
        (0..3).for_each(|number| jobs.send(lap + number).expect("room"));
        assert_eq!(numbers(), (3, 0, false));
        let first = jobs.take().expect("there");
        assert_eq!((*first, numbers()), (lap, (2, 1, false)));
        let (second, third) = (jobs.take().expect("there"), jobs.take().expect("there"));
        assert_eq!(numbers(), (0, 3, true));
        drop(second);
        assert_eq!(numbers(), (1, 2, false));
        first.done().expect("ours");
        third.done().expect("ours");
        assert_eq!(do_next(&jobs), Ok((lap + 1, 2)));
    }
    assert_eq!(format!("{jobs:?}"), "TaskQueue { len: 0, in_flight: 0, set_aside: 0, capacity: 3, closed: false }");
    jobs.send(1).expect("room");
    let task = jobs.take().expect("there");
    assert_eq!(format!("{task:?}"), "Task { item: 1, attempts: 1 }");
    assert!(format!("{:?}", jobs.reserve().expect("room")).starts_with("TaskLoan { item: "));
    assert_eq!((jobs.close(), jobs.is_closed()), (Ok(true), true));
}

/// Whoever has reserved before the close may still publish.
#[test]
fn a_loan_from_before_the_close_is_published() {
    let jobs = anonymous(2);
    let mut loan = jobs.reserve().expect("room");
    jobs.close().expect("in a segment");
    assert_eq!(jobs.reserve().map(drop), Err(SendError::Disconnected(())));
    assert_eq!(jobs.try_take().map(drop), Err(TryRecvError::Empty), "a task may come");
    *loan = 7;
    loan.publish().expect("ours");
    assert_eq!((do_next(&jobs), do_next(&jobs)), (Ok((7, 1)), Err(TryRecvError::Disconnected)));
}

#[test]
fn errors_say_what_to_do() {
    let register = || RegisterError::NotInSegment;
    let interrupted = [UnfinishedError::Interrupted.to_string(), UnfinishedTimeoutError::Interrupted.to_string()];
    for said in interrupted {
        assert!(said.starts_with("tasks were still to be done") && said.contains("interrupted"), "{said}");
    }
    assert_eq!(
        UnfinishedTimeoutError::TimedOut.to_string(),
        "tasks were still to be done at the deadline; wait longer, or give up"
    );
    let error = UnfinishedError::Register(register());
    assert_eq!(error.to_string(), format!("it cannot be waited for here: {}", register()));
    assert!(std::error::Error::source(&error).is_some());
    assert_eq!(UnfinishedTimeoutError::from(error), UnfinishedTimeoutError::Register(register()));
    assert_eq!(UnfinishedTimeoutError::from(UnfinishedError::Interrupted), UnfinishedTimeoutError::Interrupted);
}

#[test]
fn any_words_are_understood() {
    const BYTES: usize = size_of::<ArrayTaskQueue<u64, 3>>();
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
            2 => next() & 0x7000_0003_7000_0003,
            _ => (next() & 3) << 61 | (next() & 7) << 29 | next() & 1 << 32 | next() & 3,
        });
        let shared = segment_of(|queue: &mut ArrayTaskQueue<u64, 3>| {
            // SAFETY: Shareable says that all patterns are valid.
            *queue = unsafe { core::mem::transmute::<[u64; BYTES / 8], ArrayTaskQueue<u64, 3>>(words) };
        });
        assert!(shared.len() <= 3 && shared.in_flight() <= 3 && shared.set_aside_len() <= 3);
        let short = Duration::from_micros(10);
        let answers = (
            shared.try_send(1),
            shared.try_take().map(Task::done),
            shared.send_timeout(2, short),
            shared.try_take().map(Task::give_back),
            shared.take_timeout(short).map(|task| *task),
            shared.set_aside().count(),
            shared.join_timeout(short),
        );
        assert!(format!("{:?} {answers:?}", *shared).contains("capacity: 3"));
        shared.close().expect("in a segment");
        assert!(matches!(shared.try_send(7), Err(TrySendError::Disconnected(7) | TrySendError::Full(7))));
    }
}

#[test]
fn outside_of_a_segment_there_is_an_error() {
    let jobs = ArrayTaskQueue::<u64, 2>::new();
    assert_eq!((jobs.len(), jobs.in_flight(), jobs.capacity(), jobs.is_closed()), (0, 0, 2, false));
    let register = RegisterError::NotInSegment;
    assert_eq!(jobs.send(7), Err(SendError::Register { item: 7, error: register.clone() }));
    assert_eq!(jobs.try_send(7), Err(TrySendError::Register { item: 7, error: register.clone() }));
    assert_eq!(jobs.reserve().map(drop), Err(SendError::Register { item: (), error: register.clone() }));
    assert_eq!(jobs.take().map(drop), Err(RecvError::Register(register.clone())));
    assert_eq!(jobs.try_take().map(drop), Err(TryRecvError::Register(register.clone())));
    assert_eq!(jobs.take_timeout(PATIENCE).map(drop), Err(RecvTimeoutError::Register(register.clone())));
    assert_eq!(jobs.join(), Err(UnfinishedError::Register(register.clone())));
    assert_eq!(jobs.set_aside().count(), 0);
    assert!(jobs.close().is_err());
    assert!(ArrayTaskQueue::<u64, 2>::default().is_empty());
}
