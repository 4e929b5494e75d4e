//! What the words mean, and how they change while nobody waits.

use super::*;
use crate::platform::linux::Linux;

type Bare = Semaphore<Linux>;

fn of(word: u32, maximum: u32) -> Bare {
    Bare::from_words(Word::new(word), Word::new(word), Word::new(0), Word::new(maximum))
}

#[test]
fn every_maximum_word_has_a_meaning() {
    for (maximum, means) in
        [(0, COUNT), (1, 1), (2, 2), (COUNT - 1, COUNT - 1), (COUNT, COUNT), (COUNT + 1, COUNT), (u32::MAX, COUNT)]
    {
        assert_eq!(of(0, maximum).maximum(), means);
        assert_eq!(of(0, maximum).try_acquire(means.saturating_add(1)), Err(NotAcquired::TooMany { maximum: means }));
        assert_eq!(of(means, maximum).release(1), Err(OverRelease { available: means, maximum: means }));
        assert_eq!(of(means - 1, maximum).release(1), Ok(()));
    }
}

const GUESSES: [u32; 8] = [0, 1, 4, 7, 7 | WAITERS, COUNT, WAITERS, u32::MAX];

/// As if the last operation had left this guess.
fn guessing(guess: u32, word: u32, maximum: u32) -> Bare {
    Bare::from_words(Word::new(word), Word::new(guess), Word::new(0), Word::new(maximum))
}

#[test]
fn no_guess_changes_an_answer() {
    for guess in GUESSES {
        let of = |word, maximum| guessing(guess, word, maximum);
        assert_eq!(of(3, 0).try_acquire(4), Err(NotAcquired::WouldBlock), "{guess:#x}");
        assert_eq!(of(3, 5).release(3), Err(OverRelease { available: 3, maximum: 5 }), "{guess:#x}");
        assert_eq!(of(5, 5).release(1), Err(OverRelease { available: 5, maximum: 5 }), "{guess:#x}");
        for (word, count) in [(7, 7), (7 | WAITERS, 1), (COUNT, 3)] {
            let semaphore = of(word, 0);
            assert_eq!((semaphore.try_acquire(count), semaphore.word.load(Relaxed)), (Ok(()), word - count));
        }
        for (word, count) in [(0, 7), (7, 1), (7 | WAITERS, 1), (WAITERS, COUNT)] {
            let semaphore = of(word, 0);
            assert_eq!((semaphore.release(count), semaphore.available()), (Ok(()), (word & COUNT) + count));
        }
        let semaphore = of(7 | WAITERS, 0);
        assert_eq!((semaphore.release(0), semaphore.word.load(Relaxed)), (Ok(()), 7 | WAITERS), "{guess:#x}");
    }
}

/// Otherwise the next operation begins with an exchange that fails.
#[test]
fn each_operation_leaves_the_right_guess() {
    for (guess, word) in GUESSES.into_iter().flat_map(|guess| [7, 7 | WAITERS].map(|word| (guess, word))) {
        let is_right = |semaphore: &Bare| semaphore.guess.load(Relaxed) == semaphore.word.load(Relaxed);
        let semaphore = guessing(guess, word, 0);
        assert_eq!((semaphore.try_acquire(3), is_right(&semaphore)), (Ok(()), true), "{guess:#x}, {word:#x}");
        assert!(semaphore.acquire_fast(1) && is_right(&semaphore), "{guess:#x}, {word:#x}");
        let semaphore = guessing(guess, word, 0);
        assert_eq!((semaphore.release(3), is_right(&semaphore)), (Ok(()), true), "{guess:#x}, {word:#x}");
        assert!(semaphore.release_fast(1) && is_right(&semaphore), "{guess:#x}, {word:#x}");
    }
}

#[test]
fn a_take_keeps_waiters_and_a_release_clears_it() {
    for wishes in [0, WAITERS] {
        let semaphore = of(7 | wishes, 0);
        assert_eq!(semaphore.available(), 7);
        assert_eq!(semaphore.try_acquire(8), Err(NotAcquired::WouldBlock));
        assert_eq!(semaphore.try_acquire(3), Ok(()));
        assert_eq!(semaphore.word.load(Relaxed), 4 | wishes);
        assert_eq!(semaphore.release(0), Ok(()));
        assert_eq!(semaphore.word.load(Relaxed), 4 | wishes, "a release of zero permits clears nothing");
        assert_eq!(semaphore.release(2), Ok(()));
        assert_eq!(semaphore.word.load(Relaxed), 6);
    }
}
