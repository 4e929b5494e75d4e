//! What a waiter does, step by step: its last check, and the words that it leaves when it gives up.

use super::*;
use crate::platform::puppet::{DEADLINE, Puppet, Scene, at_next_spin, play, scene, spinning, spins};
use std::rc::Rc;

/// Waits for an event with this word. Returns the answer, and the word after the wait.
fn wait(word: u32, scenes: Vec<Scene>) -> (Result<(), NotSet>, u32) {
    let event = Event::<Puppet>::from_word(Word::new(word));
    let (answer, _) = play(2, scenes, |me| event.wait(me, Some(DEADLINE)));
    (answer, event.word.load(Relaxed))
}

/// A sleep during which the word becomes `word` and the deadline passes.
fn becomes_at_last(word: u32) -> Scene {
    scene(move |sleep| {
        sleep.awaited().store(word, Relaxed);
        sleep.lasts();
    })
}

#[test]
fn a_set_as_the_deadline_passes_releases_the_waiter() {
    for (word, is_set) in [(0, SET | 1), (0, 1), (SEQUENCE, SET), (SEQUENCE, 0), (AUTO, AUTO | SET | 1)] {
        let (answer, left) = wait(word, vec![becomes_at_last(is_set)]);
        assert_eq!(answer, Ok(()), "{word:#x} to {is_set:#x}");
        assert_eq!(left & SET, if word & AUTO == 0 { is_set & SET } else { 0 });
    }
}

/// The set that woke the waiter cleared WAITERS. Another waiter was released by that set. The
/// remaining waiters were not woken, and still sleep.
#[test]
fn a_woken_waiter_that_is_overtaken_and_times_out_sets_waiters_again() {
    assert_eq!(wait(AUTO, vec![becomes_at_last(AUTO | 1)]), (Err(NotSet::TimedOut), AUTO | 1 | WAITERS));
}

#[test]
fn a_waiter_that_times_out_without_a_wake_leaves_waiters_set() {
    for word in [0, AUTO, WAITERS, AUTO | WAITERS, AUTO | 7] {
        assert_eq!(wait(word, vec![scene(|sleep| sleep.lasts())]), (Err(NotSet::TimedOut), word | WAITERS));
    }
}

#[test]
fn an_overtaken_waiter_sleeps_on_to_the_same_deadline() {
    let early = scene(|sleep| {
        sleep.awaited().store(AUTO | 1, Relaxed);
        sleep.ends_at(DEADLINE / 2);
    });
    let last = scene(|sleep| {
        assert_eq!((sleep.until(), sleep.awaited().load(Relaxed)), (Some(DEADLINE), AUTO | 1 | WAITERS));
        sleep.lasts();
    });
    assert_eq!(wait(AUTO, vec![early, last]), (Err(NotSet::TimedOut), AUTO | 1 | WAITERS));
}

#[test]
fn a_set_wakes_all_or_the_one_waiter_that_it_releases() {
    for (word, expected) in [(0, vec![]), (WAITERS, vec![u32::MAX]), (AUTO, vec![]), (AUTO | WAITERS, vec![1])] {
        let event = Event::<Puppet>::from_word(Word::new(word));
        let ((), wakes) = play(1, vec![], |_| event.set());
        assert_eq!(wakes.on(&event.word), expected, "{word:#x}");
    }
}

#[test]
fn a_waiter_notes_whether_its_spins_have_helped() {
    let wait = |is_set_meanwhile: bool| {
        let event = Rc::new(Event::<Puppet>::from_word(Word::new(0)));
        let shared = Rc::clone(&event);
        let sleeps = if is_set_meanwhile { vec![] } else { vec![becomes_at_last(SET | 1)] };
        play(2, sleeps, |me| {
            spins(5, 0);
            if is_set_meanwhile {
                at_next_spin(move || shared.word.store(SET | 1, Relaxed));
            }
            assert_eq!(event.wait(me, Some(DEADLINE)), Ok(()));
            (spinning().spun, spinning().have_helped)
        })
        .0
    };
    assert_eq!(wait(true), (1, vec![true]));
    assert_eq!(wait(false), (5, vec![false]));
}
