//! What a waiter does, step by step: its last look, and what it leaves when it gives up.

use super::*;
use crate::platform::puppet::{DEADLINE, Puppet, Scene, id_of, play, reaping_takes_a_period, scene, still_ending};
use crate::platform::{Lifeline, MARK};

fn held_by(place: usize) -> Mutex<Puppet> {
    Mutex::from_word(Word::new(id_of(place).word()))
}

/// Waits for what participant 1 holds. Gives the answer, and the word that is left.
fn wait(scenes: Vec<Scene>) -> (Result<Acquired, NotLocked>, u32) {
    let mutex = held_by(1);
    let (answer, _) = play(3, scenes, |me| mutex.lock(me, Some(DEADLINE)));
    (answer, mutex.word.load(Relaxed))
}

#[test]
fn a_lock_that_comes_free_as_the_deadline_passes_is_had() {
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
fn a_lock_whose_holder_dies_as_the_deadline_passes_is_had() {
    let (answer, _) = wait(vec![scene(|sleep| {
        sleep.dies(sleep.others().next().expect("the holder is watched"));
        sleep.lasts();
    })]);
    assert_eq!(answer, Ok(Acquired { inconsistent: Some(Cause::Died(Some(id_of(1)))) }));
}

/// A waiter is woken, a newcomer who knows of no sleepers is quicker, and the waiter's time is
/// over. The others, who were not woken, still sleep: the newcomer's release must wake one.
#[test]
fn who_was_woken_overtaken_and_gives_up_leaves_word_of_those_who_sleep() {
    let (answer, left) = wait(vec![scene(|sleep| {
        sleep.awaited().store(id_of(2).word(), Relaxed);
        sleep.lasts();
    })]);
    assert_eq!((answer, left), (Err(NotLocked::TimedOut), id_of(2).word() | WAITERS));
}

#[test]
fn who_was_woken_overtaken_and_interrupted_leaves_word_of_those_who_sleep() {
    let (answer, left) = wait(vec![scene(|sleep| {
        sleep.awaited().store(id_of(2).word(), Relaxed);
        sleep.is_interrupted();
    })]);
    assert_eq!((answer, left), (Err(NotLocked::Interrupted), id_of(2).word() | WAITERS));
}

#[test]
fn a_lock_that_comes_free_at_an_interruption_is_had() {
    let (answer, _) = wait(vec![scene(|sleep| {
        sleep.awaited().store(0, Relaxed);
        sleep.is_interrupted();
    })]);
    assert_eq!(answer, Ok(Acquired { inconsistent: None }));
}

#[test]
fn nothing_interrupts_one_that_takes_the_lock_again() {
    let mutex = held_by(1);
    let comes_free = scene(|sleep| {
        sleep.is_interrupted();
        sleep.awaited().store(0, Relaxed);
    });
    let (answer, _) = play(3, vec![scene(|sleep| sleep.is_interrupted()), comes_free], |me| mutex.lock_again(me));
    assert_eq!(answer, Ok(Acquired { inconsistent: None }));
}

#[test]
fn who_was_never_woken_and_gives_up_leaves_word_of_those_who_sleep() {
    let (answer, left) = wait(vec![scene(|sleep| sleep.lasts())]);
    assert_eq!((answer, left), (Err(NotLocked::TimedOut), id_of(1).word() | WAITERS));
}

#[test]
fn who_was_woken_early_and_overtaken_sleeps_on_towards_the_same_deadline() {
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

/// The release that woke it took WAITERS away, and others may have been asleep beside it.
#[test]
fn who_slept_and_has_the_lock_leaves_word_of_those_who_sleep() {
    let mutex = held_by(1);
    let (answer, wakes) = play(3, vec![scene(|sleep| sleep.awaited().store(0, Relaxed))], |me| {
        let answer = mutex.lock(me, None);
        mutex.unlock(0);
        answer
    });
    assert_eq!(answer, Ok(Acquired { inconsistent: None }));
    assert_eq!(wakes.on(&mutex.word), [1]);
}

/// Two that look in two time namespaces find the look due each time, too.
#[test]
fn who_gives_up_does_so_however_often_reaping_is_due() {
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
fn what_the_dead_held_is_had_when_others_of_their_process_have_ended() {
    still_ending(2);
    let moment = || scene(|sleep| sleep.lasts());
    let (answer, _) = wait(vec![holder_dies(), moment(), moment()]);
    assert_eq!(answer, Ok(Acquired { inconsistent: Some(Cause::Died(Some(id_of(1)))) }));
}

#[test]
fn a_process_that_is_long_in_ending_is_waited_for_up_to_the_deadline() {
    still_ending(u32::MAX);
    let late = scene(|sleep| {
        assert!(sleep.until().is_some_and(|until| until < DEADLINE), "a moment");
        sleep.ends_at(DEADLINE);
    });
    assert_eq!(wait(vec![holder_dies(), late]).0, Err(NotLocked::TimedOut));
    still_ending(0);
}

#[test]
fn who_tries_does_not_wait_for_a_process_that_is_ending() {
    still_ending(1);
    let mutex = held_by(1);
    let (answers, _) = play(3, vec![], |me| {
        me.table.slots[1].lifelines()[0].word().store(MARK, Relaxed);
        [mutex.try_lock(me), mutex.try_lock(me)]
    });
    let died = Acquired { inconsistent: Some(Cause::Died(Some(id_of(1)))) };
    assert_eq!(answers, [Err(NotLocked::WouldBlock), Ok(died)]);
}
