//! The reentrant mutex, compared with its reference.

use crate::choose;
use crate::mutex::{self, Answer, MutexReference};
use crate::operations::Trial;
use crate::reference::Reference;
use crate::standard::{Standard, Word};
use arbitrary::{Arbitrary, Unstructured};
use core::time::Duration;
use outlive::platform::Word as _;
use outlive::raw::mutex::NotHeld;
use outlive::raw::{Acquired, Cause, Id, NotLocked, Participant, ReentrantMutex};
use std::cell::Cell;

/// The operations of a reentrant mutex.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Takes the mutex, or takes it once more, if that needs no waiting.
    TryLock,
    /// Takes the mutex, or takes it once more, and waits for it.
    Lock,
    /// Gives one hold back.
    Release,
    /// Gives one hold back in a panic.
    ReleaseInPanic,
    /// Gives all holds back, as a wait on a condition does, and takes as many again.
    GiveWay,
    /// The holder marks the data consistent.
    MarkConsistent,
    /// Reads which participant holds it.
    Holder,
    /// Checks whether it is inconsistent.
    IsInconsistent,
}

impl<'a> Arbitrary<'a> for Operation {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        use Operation::*;
        const ALL: &[(usize, Operation)] = &[
            (2, TryLock),
            (4, Lock),
            (4, Release),
            (2, ReleaseInPanic),
            (1, GiveWay),
            (1, MarkConsistent),
            (1, Holder),
            (1, IsInconsistent),
        ];
        choose(bytes, ALL)
    }
}

/// The reentrant mutex as it should be: a mutex that its holder may take once more.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ReentrantReference {
    mutex: MutexReference<false>,
    /// Holds beyond the first.
    more: u32,
}

impl Reference for ReentrantReference {
    type Operation = Operation;
    type Answer = Answer;

    fn allows(&self, who: Id, operation: &Operation) -> bool {
        match operation {
            Operation::GiveWay | Operation::MarkConsistent => self.mutex.holder == Some(who),
            _ => true,
        }
    }

    fn would_wait(&self, who: Id, operation: &Operation) -> bool {
        *operation == Operation::Lock && self.mutex.would_wait(who, &mutex::Operation::Lock)
    }

    fn apply(&self, who: Id, operation: &Operation) -> (Answer, Self) {
        let is_held = self.mutex.holder == Some(who);
        let with = |more| Self { more, ..self.clone() };
        // The mutex changes its holder only with the first hold, with the last, and by a death.
        let once = |operation| {
            let (answer, mutex) = self.mutex.apply(who, &operation);
            let more = if mutex.holder == self.mutex.holder { self.more } else { 0 };
            (answer, Self { mutex, more })
        };
        match operation {
            Operation::TryLock | Operation::Lock if is_held => (Answer::Taken(None), with(self.more + 1)),
            Operation::TryLock => once(mutex::Operation::TryLock),
            Operation::Lock => once(mutex::Operation::Lock),
            Operation::Release | Operation::ReleaseInPanic if !is_held => {
                (Answer::NotHeld(self.mutex.holder), self.clone())
            }
            Operation::Release | Operation::ReleaseInPanic if self.more > 0 => (Answer::Done, with(self.more - 1)),
            Operation::Release => once(mutex::Operation::Unlock),
            Operation::ReleaseInPanic => once(mutex::Operation::UnlockPanicking),
            // No other participant runs between the two.
            Operation::GiveWay => (Answer::Taken(self.mutex.inconsistent), self.clone()),
            Operation::MarkConsistent => once(mutex::Operation::MarkConsistent),
            Operation::Holder => once(mutex::Operation::Holder),
            Operation::IsInconsistent => once(mutex::Operation::IsInconsistent),
        }
    }

    fn halfway(&self, who: Id, operation: &Operation) -> Vec<Self> {
        let mut states = vec![self.clone(), self.apply(who, operation).1];
        if *operation == Operation::GiveWay {
            states.push(Self { mutex: self.mutex.free(self.mutex.inconsistent), more: 0 });
        }
        states
    }

    fn after_death_of(&self, who: Id) -> Self {
        Self { mutex: self.mutex.after_death_of(who), more: self.more }
    }
}

/// `raw::ReentrantMutex`, with what the first guard would remember.
#[derive(Debug)]
pub struct ReentrantTrial {
    mutex: ReentrantMutex<Standard>,
    told: Cell<Option<Cause>>,
}

impl Default for ReentrantTrial {
    fn default() -> Self {
        Self { mutex: ReentrantMutex::from_words(Word::new(0), Word::new(0)), told: Cell::default() }
    }
}

impl ReentrantTrial {
    fn taken(&self, before: Option<Id>, me: Id, answer: Result<Acquired, NotLocked>) -> Answer {
        match answer {
            Ok(Acquired { inconsistent }) => {
                if before != Some(me) {
                    self.told.set(inconsistent);
                }
                Answer::Taken(inconsistent)
            }
            Err(refusal) => Answer::Failed(refusal),
        }
    }
}

impl Trial for ReentrantTrial {
    type Reference = ReentrantReference;

    fn run(&self, me: Participant<'_, Standard>, operation: &Operation, until: Duration) -> Answer {
        let released = |result: Result<(), NotHeld>| match result {
            Ok(()) => Answer::Done,
            Err(NotHeld { holder }) => Answer::NotHeld(holder),
        };
        let told = || self.told.get().map_or(0, Cause::word);
        match operation {
            Operation::TryLock => self.taken(self.mutex.holder(), me.id, self.mutex.try_lock(me)),
            Operation::Lock => self.taken(self.mutex.holder(), me.id, self.mutex.lock(me, Some(until))),
            Operation::Release => released(self.mutex.release(me.id, told())),
            Operation::ReleaseInPanic => released(self.mutex.release_in_panic(me.id)),
            Operation::GiveWay => {
                let count = self.mutex.release_all(told());
                self.taken(None, me.id, self.mutex.lock_again(me, count))
            }
            Operation::MarkConsistent => {
                self.told.set(None);
                self.mutex.mark_consistent();
                Answer::Done
            }
            Operation::Holder => Answer::Holder(self.mutex.holder()),
            Operation::IsInconsistent => Answer::Is(self.mutex.is_inconsistent()),
        }
    }
}
