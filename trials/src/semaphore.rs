//! The semaphore, compared with its reference.

use crate::choose;
use crate::operations::Trial;
use crate::reference::Reference;
use crate::standard::{Standard, Word};
use arbitrary::{Arbitrary, Unstructured};
use core::time::Duration;
use outlive::platform::Word as _;
use outlive::raw::semaphore::{NotAcquired, OverRelease};
use outlive::raw::{Id, Participant, Semaphore};

/// The maximum of the semaphore under trial.
pub const MAXIMUM: u32 = 3;

/// The operations of a semaphore.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Takes so many permits, if that needs no waiting.
    TryAcquire(u32),
    /// Takes so many permits, and waits for them.
    Acquire(u32),
    /// Gives so many permits, whoever took them.
    Release(u32),
    /// Reads how many permits there are.
    Available,
}

impl<'a> Arbitrary<'a> for Operation {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        use Operation::*;
        // Also one more than there can ever be.
        const ALL: &[(usize, Operation)] = &[
            (1, TryAcquire(0)),
            (1, TryAcquire(1)),
            (1, TryAcquire(2)),
            (1, TryAcquire(MAXIMUM + 1)),
            (1, Acquire(0)),
            (3, Acquire(1)),
            (2, Acquire(2)),
            (1, Acquire(MAXIMUM)),
            (1, Acquire(MAXIMUM + 1)),
            (1, Release(0)),
            (3, Release(1)),
            (2, Release(2)),
            (1, Release(MAXIMUM)),
            (1, Release(MAXIMUM + 1)),
            (1, Available),
        ];
        choose(bytes, ALL)
    }
}

/// The answers of a semaphore.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Taken, or given.
    Done,
    /// Not taken.
    Failed(NotAcquired),
    /// Not given.
    Over(OverRelease),
    /// The number of permits that are available.
    Available(u32),
}

/// The semaphore as it should be. No holder of a permit is recorded, so no death changes anything.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SemaphoreReference {
    available: u32,
}

impl SemaphoreReference {
    fn take(&self, count: u32, otherwise: NotAcquired) -> (Answer, Self) {
        if count > MAXIMUM {
            (Answer::Failed(NotAcquired::TooMany { maximum: MAXIMUM }), self.clone())
        } else if count > self.available {
            (Answer::Failed(otherwise), self.clone())
        } else {
            (Answer::Done, Self { available: self.available - count })
        }
    }
}

impl Reference for SemaphoreReference {
    type Operation = Operation;
    type Answer = Answer;

    fn allows(&self, _: Id, _: &Operation) -> bool {
        true
    }

    fn would_wait(&self, _: Id, operation: &Operation) -> bool {
        matches!(*operation, Operation::Acquire(count) if count <= MAXIMUM && count > self.available)
    }

    fn apply(&self, _: Id, operation: &Operation) -> (Answer, Self) {
        let available = self.available;
        match *operation {
            Operation::TryAcquire(count) => self.take(count, NotAcquired::WouldBlock),
            Operation::Acquire(count) => self.take(count, NotAcquired::TimedOut),
            Operation::Release(count) if count > 0 && available + count > MAXIMUM => {
                (Answer::Over(OverRelease { available, maximum: MAXIMUM }), self.clone())
            }
            Operation::Release(count) => (Answer::Done, Self { available: available + count }),
            Operation::Available => (Answer::Available(available), self.clone()),
        }
    }

    fn after_death_of(&self, _: Id) -> Self {
        self.clone()
    }
}

/// `raw::Semaphore`, with a maximum, and without permits at first.
#[derive(Debug)]
pub struct SemaphoreTrial {
    semaphore: Semaphore<Standard>,
}

impl Default for SemaphoreTrial {
    fn default() -> Self {
        Self { semaphore: Semaphore::from_words(Word::new(0), Word::new(0), Word::new(0), Word::new(MAXIMUM)) }
    }
}

impl Trial for SemaphoreTrial {
    type Reference = SemaphoreReference;

    fn run(&self, me: Participant<'_, Standard>, operation: &Operation, until: Duration) -> Answer {
        let taken = |answer: Result<(), NotAcquired>| answer.map_or_else(Answer::Failed, |()| Answer::Done);
        match *operation {
            Operation::TryAcquire(count) => taken(self.semaphore.try_acquire(count)),
            Operation::Acquire(count) => taken(self.semaphore.acquire(me, count, Some(until))),
            Operation::Release(count) => self.semaphore.release(count).map_or_else(Answer::Over, |()| Answer::Done),
            Operation::Available => Answer::Available(self.semaphore.available()),
        }
    }
}
