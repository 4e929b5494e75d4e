//! What a waiter does, step by step: its last look, what it leaves when it gives up, and whom it
//! wakes.

use super::*;
use crate::platform::puppet::{DEADLINE, Puppet, Scene, play, scene};

/// Waits for permits where the word was `word`. Gives the answer, the word that is left, and the
/// wakes.
fn wait(word: u32, count: u32, scenes: Vec<Scene>) -> (Result<(), Refused>, u32, Vec<u32>) {
    let semaphore = Semaphore::<Puppet>::from_words(Word::new(word), Word::new(0));
    let (answer, wakes) = play(2, scenes, |me| semaphore.acquire(me, count, Some(DEADLINE)));
    (answer, semaphore.word.load(Relaxed), wakes.on(&semaphore.word))
}

/// The wait during which the word becomes this.
fn becomes(word: u32) -> Scene {
    scene(move |sleep| {
        sleep.news().store(word, Relaxed);
        sleep.ends_at(DEADLINE / 2);
    })
}

/// The same; and the deadline passes.
fn becomes_at_last(word: u32) -> Scene {
    scene(move |sleep| {
        sleep.news().store(word, Relaxed);
        sleep.lasts();
    })
}

#[test]
fn permits_that_are_there_as_the_deadline_passes_are_had() {
    for count in 1..4 {
        let (answer, left, _) = wait(0, count, vec![becomes_at_last(count)]);
        assert_eq!((answer, left & COUNT), (Ok(()), 0));
    }
}

/// A release took the wishes away and woke this one, and a newcomer took what was released.
#[test]
fn who_was_woken_overtaken_and_gives_up_leaves_word_of_those_who_sleep() {
    for (count, wish) in [(1, WAITERS), (2, WAITERS | MANY)] {
        assert_eq!(wait(0, count, vec![becomes_at_last(0)]), (Err(Refused::TimedOut), wish, vec![]));
    }
}

#[test]
fn who_was_never_woken_and_gives_up_leaves_word_of_those_who_sleep() {
    for (count, wish) in [(1, WAITERS), (2, WAITERS | MANY)] {
        for others in [0, WAITERS, WAITERS | MANY] {
            let lasts = scene(|sleep| sleep.lasts());
            assert_eq!(wait(others, count, vec![lasts]), (Err(Refused::TimedOut), wish | others, vec![]));
        }
    }
}

#[test]
fn who_was_woken_early_and_overtaken_sleeps_on_towards_the_same_deadline() {
    for (count, wish) in [(1, WAITERS), (2, WAITERS | MANY)] {
        let last = scene(move |sleep| {
            assert_eq!((sleep.until(), sleep.news().load(Relaxed)), (Some(DEADLINE), wish));
            sleep.lasts();
        });
        assert_eq!(wait(0, count, vec![becomes(0), last]), (Err(Refused::TimedOut), wish, vec![]));
    }
}

/// Two releases before it ran: the second found no wishes, and woke nobody. One that wants many may
/// sleep in front of one for whom what is left suffices, so one wake is not enough where somebody
/// wants many.
#[test]
fn who_slept_and_takes_wakes_all_whom_what_is_left_may_suffice() {
    for (count, others, expected) in [
        (1, 1, vec![]),
        (1, 2, vec![1]),
        (1, 9, vec![1]),
        (1, 1 | WAITERS | MANY, vec![]),
        (1, 2 | WAITERS | MANY, vec![EVERYBODY]),
        (1, 9 | WAITERS | MANY, vec![EVERYBODY]),
        (2, 2, vec![]),
        (2, 3, vec![EVERYBODY]), // others that want many may sleep as it did
    ] {
        let (answer, left, wakes) = wait(0, count, vec![becomes(others)]);
        assert_eq!((answer, left & COUNT), (Ok(()), (others & COUNT) - count));
        assert_eq!(wakes, expected, "{count} of {others:#x}");
    }
}

/// Invariant 4: a wake for one, on its way, might find one that has no use for it.
#[test]
fn who_begins_to_want_many_beside_too_few_wakes_all() {
    for (word, expected) in [(0, vec![]), (1, vec![EVERYBODY]), (1 | WAITERS, vec![EVERYBODY])] {
        let lasts = scene(|sleep| sleep.lasts());
        let (answer, _, wakes) = wait(word, 2, vec![lasts]);
        assert_eq!((answer, wakes), (Err(Refused::TimedOut), expected), "{word:#x}");
    }
}

#[test]
fn a_release_wakes_as_many_as_it_lets_go_on_and_all_if_somebody_wants_many() {
    for (word, released, expected) in [
        (0, 2, vec![]),
        (WAITERS, 1, vec![1]),
        (WAITERS, 3, vec![3]),
        (WAITERS | MANY, 1, vec![EVERYBODY]),
        (4 | WAITERS | MANY, 2, vec![EVERYBODY]),
    ] {
        let semaphore = Semaphore::<Puppet>::from_words(Word::new(word), Word::new(0));
        let (answer, wakes) = play(1, vec![], |_| semaphore.release(released));
        assert_eq!((answer, wakes.on(&semaphore.word)), (Ok(()), expected), "{word:#x}");
    }
}
