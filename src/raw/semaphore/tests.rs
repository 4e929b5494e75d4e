//! What the words mean, and how they change while nobody waits.

use super::*;
use crate::platform::linux::Linux;

type Bare = Semaphore<Linux>;

fn of(word: u32, maximum: u32) -> Bare {
    Bare::from_words(Word::new(word), Word::new(0), Word::new(maximum))
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
