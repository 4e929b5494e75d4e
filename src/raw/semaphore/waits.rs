//! What a waiter does, step by step: its last check, the words that it leaves when it gives up, and
//! its wakes.

use super::*;
use crate::platform::puppet::{DEADLINE, Puppet, Scene, at_next_spin, play, scene, spinning, spins};
use std::rc::Rc;

/// A semaphore that the test and its scenes share.
type Shared = Rc<Semaphore<Puppet>>;

/// Waits for `count` permits. Before the wait, the two words are `word` and `wish`. Returns the
/// answer, the two words after the wait, and the wakes on each of them.
fn wait_beside(
    word: u32,
    wish: u32,
    count: u32,
    scenes: impl FnOnce(Shared) -> Vec<Scene>,
) -> (Result<(), NotAcquired>, [u32; 2], [Vec<u32>; 2]) {
    let semaphore =
        Rc::new(Semaphore::<Puppet>::from_words(Word::new(word), Word::new(word), Word::new(wish), Word::new(0)));
    let (answer, wakes) = play(2, scenes(Rc::clone(&semaphore)), |me| semaphore.acquire(me, count, Some(DEADLINE)));
    let words = [&semaphore.word, &semaphore.wish];
    (answer, words.map(|word| word.load(Relaxed)), words.map(|word| wakes.on(word)))
}

/// Waits for one permit. Before the wait, the first word is `word`.
fn wait(word: u32, scenes: Vec<Scene>) -> (Result<(), NotAcquired>, u32, Vec<u32>) {
    let (answer, [left, _], [wakes, _]) = wait_beside(word, 0, 1, |_| scenes);
    (answer, left, wakes)
}

/// A sleep during which the word becomes `word`.
fn becomes(word: u32) -> Scene {
    scene(move |sleep| {
        sleep.awaited().store(word, Relaxed);
        sleep.ends_at(DEADLINE / 2);
    })
}

/// A sleep during which the word becomes `word` and the deadline passes.
fn becomes_at_last(word: u32) -> Scene {
    scene(move |sleep| {
        sleep.awaited().store(word, Relaxed);
        sleep.lasts();
    })
}

#[test]
fn permits_released_as_the_deadline_passes_are_acquired() {
    let (answer, left, _) = wait(0, vec![becomes_at_last(1)]);
    assert_eq!((answer, left & COUNT), (Ok(()), 0));
    let released = |count| {
        move |semaphore: Shared| {
            vec![scene(move |sleep| {
                semaphore.release(count).expect("far from the maximum");
                sleep.lasts();
            })]
        }
    };
    for count in 2..4 {
        assert_eq!(wait_beside(0, 0, count, released(count)), (Ok(()), [0, 0], [vec![], vec![u32::MAX]]));
        let too_few = (Err(NotAcquired::TimedOut), [count - 1, count], [vec![], vec![]]);
        assert_eq!(wait_beside(0, 0, count, released(count - 1)), too_few);
    }
}

/// A release cleared WAITERS and woke this waiter. Then a newcomer took the permits.
#[test]
fn a_woken_waiter_that_is_overtaken_and_times_out_sets_waiters_again() {
    assert_eq!(wait(0, vec![becomes_at_last(0)]), (Err(NotAcquired::TimedOut), WAITERS, vec![]));
    let overtaken = |semaphore: Shared| {
        vec![scene(move |sleep| {
            semaphore.release(2).expect("far from the maximum");
            semaphore.try_acquire(2).expect("there are two");
            sleep.lasts();
        })]
    };
    let answer = (Err(NotAcquired::TimedOut), [0, 2], [vec![], vec![u32::MAX]]);
    assert_eq!(wait_beside(0, 0, 2, overtaken), answer);
}

#[test]
fn a_waiter_that_times_out_without_a_wake_leaves_waiters_set() {
    for others in [0, WAITERS] {
        let lasts = scene(|sleep| sleep.lasts());
        assert_eq!(wait(others, vec![lasts]), (Err(NotAcquired::TimedOut), WAITERS, vec![]));
        for (wish, left) in [(0, 3), (9, 3), (3, 3), (2, 2)] {
            let lasts = |_: Shared| vec![scene(|sleep| sleep.lasts())];
            let expected = (Err(NotAcquired::TimedOut), [others, left], [vec![], vec![]]);
            assert_eq!(wait_beside(others, wish, 3, lasts), expected, "beside a wish of {wish}");
        }
    }
}

#[test]
fn an_overtaken_waiter_sleeps_on_to_the_same_deadline() {
    let last = scene(move |sleep| {
        assert_eq!((sleep.until(), sleep.awaited().load(Relaxed)), (Some(DEADLINE), WAITERS));
        sleep.lasts();
    });
    assert_eq!(wait(0, vec![becomes(0), last]), (Err(NotAcquired::TimedOut), WAITERS, vec![]));
}

/// There were two releases before the waiter ran. The second found no WAITERS, and woke nobody.
#[test]
fn a_waiter_that_slept_for_one_wakes_another_if_permits_are_left() {
    for (others, expected) in
        [(1, vec![]), (2, vec![1]), (9, vec![1]), (1 | WAITERS, vec![]), (2 | WAITERS, vec![1]), (9 | WAITERS, vec![1])]
    {
        let (answer, left, wakes) = wait(0, vec![becomes(others)]);
        assert_eq!((answer, left & COUNT), (Ok(()), (others & COUNT) - 1));
        assert_eq!(wakes, expected, "of {others:#x}");
    }
}

/// An earlier fault: another waiter had read the wish, and did not sleep yet. A release then
/// cleared the wish, and its wake found nobody. When this waiter restored the wish, the other
/// waiter fell asleep on it. (The scene sets the other waiter's wish.)
#[test]
fn a_waiter_that_lowered_the_wish_wakes_all_if_the_rest_meets_the_present_wish() {
    for (available, wish, expected, left) in
        [(4, 2, vec![u32::MAX], 0), (5, 2, vec![u32::MAX], 0), (3, 2, vec![], 2), (4, 3, vec![], 3), (4, 0, vec![], 0)]
    {
        let others = |semaphore: Shared| {
            vec![scene(move |sleep| {
                semaphore.word.store(available, Relaxed);
                semaphore.wish.store(wish, Relaxed);
                sleep.ends_at(DEADLINE / 2);
            })]
        };
        let (answer, words, wakes) = wait_beside(0, 0, 2, others);
        assert_eq!((answer, words, wakes), (Ok(()), [available - 2, left], [vec![], expected]), "{available}, {wish}");
    }
}

/// An earlier fault: such a caller took one permit.
#[test]
fn a_caller_that_wants_no_permits_takes_none() {
    let semaphore = Semaphore::<Puppet>::from_words(Word::new(3), Word::new(3), Word::new(0), Word::new(0));
    let (answer, _) = play(2, vec![], |me| semaphore.acquire_slow(me, 0, None));
    assert_eq!((answer, semaphore.available()), (Ok(()), 3));
}

/// An earlier fault of efficiency: while a waiter wanted many permits, each release woke all
/// waiters.
#[test]
fn a_release_wakes_waiters_for_many_only_if_there_are_enough() {
    for (word, wish, released, on_count, on_wish, left) in [
        (0, 0, 2, vec![], vec![], 0),
        (WAITERS, 0, 1, vec![1], vec![], 0),
        (WAITERS, 0, 3, vec![3], vec![], 0),
        (WAITERS, 2, 1, vec![1], vec![], 2),
        (0, 2, 1, vec![], vec![], 2),
        (0, 2, 2, vec![], vec![u32::MAX], 0),
        (1, 2, 1, vec![], vec![u32::MAX], 0),
        (4 | WAITERS, 6, 2, vec![2], vec![u32::MAX], 0),
        (4 | WAITERS, 7, 2, vec![2], vec![], 7),
        (0, u32::MAX, 9, vec![], vec![], u32::MAX), // scribbled upon
    ] {
        let semaphore =
            Semaphore::<Puppet>::from_words(Word::new(word), Word::new(word), Word::new(wish), Word::new(0));
        let (answer, wakes) = play(1, vec![], |_| semaphore.release(released));
        assert_eq!((answer, semaphore.wish.load(Relaxed)), (Ok(()), left), "{word:#x}, {wish}");
        assert_eq!([wakes.on(&semaphore.word), wakes.on(&semaphore.wish)], [on_count, on_wish], "{word:#x}, {wish}");
    }
}

#[test]
fn a_waiter_notes_whether_its_spins_have_helped() {
    let wait = |count: u32, is_released_meanwhile: bool| {
        let [word, guess, wish, maximum] = [0; 4].map(Word::new);
        let semaphore = Rc::new(Semaphore::<Puppet>::from_words(word, guess, wish, maximum));
        let shared = Rc::clone(&semaphore);
        let sleeps = if is_released_meanwhile { vec![] } else { vec![becomes_at_last(count)] };
        play(2, sleeps, |me| {
            spins(5, 0);
            if is_released_meanwhile {
                at_next_spin(move || shared.word.store(count, Relaxed));
            }
            assert_eq!(semaphore.acquire(me, count, Some(DEADLINE)), Ok(()));
            (spinning().spun, spinning().have_helped)
        })
        .0
    };
    assert_eq!(wait(1, true), (1, vec![true]));
    assert_eq!(wait(1, false), (5, vec![false]));
    assert_eq!(wait(2, true).1, [true]);
}
