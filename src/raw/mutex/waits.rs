//! What a waiter does, step by step: its last check, and the words that it leaves when it gives up.

use super::*;
use crate::platform::puppet::{DEADLINE, Puppet, Scene, id_of, play, reaping_takes_a_period, scene, still_ending};
use crate::platform::{Lifeline, MARK};

fn held_by(place: usize) -> Mutex<Puppet> {
    Mutex::from_word(Word::new(id_of(place).word()))
}

/// Waits for the lock that participant 1 holds. Returns the answer, and the word after the wait.
fn wait(scenes: Vec<Scene>) -> (Result<Acquired, NotLocked>, u32) {
    let mutex = held_by(1);
    let (answer, _) = play(3, scenes, |me| mutex.lock(me, Some(DEADLINE)));
    (answer, mutex.word.load(Relaxed))
}

#[test]
fn a_lock_released_as_the_deadline_passes_is_acquired() {
    let by_death = Cause::Died(Some(id_of(2)));
    for (left, inconsistent) in [(0, None), (WAITERS, None), (by_death.word(), Some(by_death))] {
        let (answer, _) = wait(vec![scene(move |sleep| {
            sleep.awaited().store(left, Relaxed);
            sleep.lasts();
        })]);
        assert_eq!(answer, Ok(Acquired { inconsistent }), "{left:#x}");
    }
}

#[test]
fn a_lock_whose_holder_dies_as_the_deadline_passes_is_acquired() {
    let (answer, _) = wait(vec![scene(|sleep| {
        sleep.dies(sleep.others().next().expect("the holder is watched"));
        sleep.lasts();
    })]);
    assert_eq!(answer, Ok(Acquired { inconsistent: Some(Cause::Died(Some(id_of(1)))) }));
}

/// A newcomer that knows of no sleepers takes the lock before the woken waiter, whose deadline then
/// passes. The others were not woken, and still sleep: the newcomer's release must wake one.
#[test]
fn a_woken_waiter_that_is_overtaken_and_times_out_sets_waiters_again() {
    let (answer, left) = wait(vec![scene(|sleep| {
        sleep.awaited().store(id_of(2).word(), Relaxed);
        sleep.lasts();
    })]);
    assert_eq!((answer, left), (Err(NotLocked::TimedOut), id_of(2).word() | WAITERS));
}

#[test]
fn a_woken_waiter_that_is_overtaken_and_interrupted_sets_waiters_again() {
    let (answer, left) = wait(vec![scene(|sleep| {
        sleep.awaited().store(id_of(2).word(), Relaxed);
        sleep.is_interrupted();
    })]);
    assert_eq!((answer, left), (Err(NotLocked::Interrupted), id_of(2).word() | WAITERS));
}

#[test]
fn a_lock_released_at_an_interruption_is_acquired() {
    let (answer, _) = wait(vec![scene(|sleep| {
        sleep.awaited().store(0, Relaxed);
        sleep.is_interrupted();
    })]);
    assert_eq!(answer, Ok(Acquired { inconsistent: None }));
}

#[test]
fn nothing_interrupts_a_waiter_that_locks_again() {
    let mutex = held_by(1);
    let comes_free = scene(|sleep| {
        sleep.is_interrupted();
        sleep.awaited().store(0, Relaxed);
    });
    let (answer, _) = play(3, vec![scene(|sleep| sleep.is_interrupted()), comes_free], |me| mutex.lock_again(me));
    assert_eq!(answer, Ok(Acquired { inconsistent: None }));
}

#[test]
fn a_waiter_that_times_out_without_a_wake_leaves_waiters_set() {
    let (answer, left) = wait(vec![scene(|sleep| sleep.lasts())]);
    assert_eq!((answer, left), (Err(NotLocked::TimedOut), id_of(1).word() | WAITERS));
}

#[test]
fn an_overtaken_waiter_sleeps_on_to_the_same_deadline() {
    let early = scene(|sleep| {
        sleep.awaited().store(id_of(2).word(), Relaxed);
        sleep.ends_at(DEADLINE / 2);
    });
    let (answer, left) = wait(vec![
        early,
        scene(|sleep| {
            assert_eq!(sleep.until(), Some(DEADLINE));
            assert_eq!(sleep.awaited().load(Relaxed), id_of(2).word() | WAITERS);
            sleep.lasts();
        }),
    ]);
    assert_eq!((answer, left), (Err(NotLocked::TimedOut), id_of(2).word() | WAITERS));
}

/// The release that woke it cleared WAITERS, and others may still sleep.
#[test]
fn a_waiter_that_slept_takes_the_lock_with_waiters_set() {
    let mutex = held_by(1);
    let (answer, wakes) = play(3, vec![scene(|sleep| sleep.awaited().store(0, Relaxed))], |me| {
        let answer = mutex.lock(me, None);
        mutex.unlock(0);
        answer
    });
    assert_eq!(answer, Ok(Acquired { inconsistent: None }));
    assert_eq!(wakes.on(&mutex.word), [1]);
}

/// Another heir was quicker, and has released the lock since. Its wake ended the brief sleep, and
/// may have been meant for others.
#[test]
fn a_waiter_that_slept_briefly_takes_the_lock_with_waiters_set() {
    still_ending(1);
    let mutex = held_by(1);
    let (answer, wakes) = play(3, vec![scene(|sleep| sleep.awaited().store(0, Relaxed))], |me| {
        me.table.slots[1].lifelines()[0].word().store(MARK, Relaxed);
        let answer = mutex.lock(me, None);
        mutex.unlock(0);
        answer
    });
    assert_eq!(answer, Ok(Acquired { inconsistent: None }));
    assert_eq!(wakes.on(&mutex.word), [1]);
}

/// This is as with two participants in two time namespaces: each of them finds reaping due each
/// time.
#[test]
fn reaping_delays_a_caller_that_gives_up_only_once() {
    let mutex = held_by(1);
    let (answers, _) = play(3, vec![], |me| {
        reaping_takes_a_period();
        [mutex.try_lock(me), mutex.lock(me, Some(Duration::ZERO))]
    });
    assert_eq!(answers, [Err(NotLocked::WouldBlock), Err(NotLocked::TimedOut)]);
}

fn holder_dies() -> Scene {
    scene(|sleep| sleep.dies(sleep.others().next().expect("the holder is watched")))
}

#[test]
fn a_dead_holders_lock_is_acquired_when_all_threads_of_its_process_have_ended() {
    still_ending(2);
    let moment = || scene(|sleep| sleep.lasts());
    let (answer, _) = wait(vec![holder_dies(), moment(), moment()]);
    assert_eq!(answer, Ok(Acquired { inconsistent: Some(Cause::Died(Some(id_of(1)))) }));
}

#[test]
fn the_deadline_ends_the_wait_for_a_process_that_is_slow_to_end() {
    still_ending(u32::MAX);
    let late = scene(|sleep| {
        assert!(sleep.until().is_some_and(|until| until < DEADLINE), "a moment");
        sleep.ends_at(DEADLINE);
    });
    assert_eq!(wait(vec![holder_dies(), late]).0, Err(NotLocked::TimedOut));
    still_ending(0);
}

#[test]
fn try_lock_does_not_wait_for_a_process_that_is_ending() {
    still_ending(1);
    let mutex = held_by(1);
    let (answers, _) = play(3, vec![], |me| {
        me.table.slots[1].lifelines()[0].word().store(MARK, Relaxed);
        [mutex.try_lock(me), mutex.try_lock(me)]
    });
    let died = Acquired { inconsistent: Some(Cause::Died(Some(id_of(1)))) };
    assert_eq!(answers, [Err(NotLocked::WouldBlock), Ok(died)]);
}
