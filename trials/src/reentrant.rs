//! The reentrant mutex, compared with its reference.

use crate::choose;
use crate::mutex::Answer;
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

/// The reentrant mutex as it should be.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ReentrantReference {
    holder: Option<Id>,
    holder_has_died: bool,
    /// Holds beyond the first.
    more: u32,
    /// Why the data may be inconsistent: the reason that the holder has got, or that the next
    /// holder will get.
    inconsistent: Option<Cause>,
}

impl ReentrantReference {
    fn lock(&self, who: Id, otherwise: NotLocked) -> (Answer, Self) {
        match self.holder {
            Some(holder) if self.holder_has_died => self.taken(who, Some(Cause::Died(Some(holder)))),
            Some(holder) if holder == who => (Answer::Taken(None), Self { more: self.more + 1, ..self.clone() }),
            Some(_) => (Answer::Failed(otherwise), self.clone()),
            None => self.taken(who, self.inconsistent),
        }
    }

    fn taken(&self, who: Id, inconsistent: Option<Cause>) -> (Answer, Self) {
        (Answer::Taken(inconsistent), Self { holder: Some(who), inconsistent, ..Self::default() })
    }

    fn release(&self, who: Id, left: Option<Cause>) -> (Answer, Self) {
        match (self.holder, self.more) {
            (Some(holder), 0) if holder == who => (Answer::Done, Self { inconsistent: left, ..Self::default() }),
            (Some(holder), more) if holder == who => (Answer::Done, Self { more: more - 1, ..self.clone() }),
            (holder, _) => (Answer::NotHeld(holder), self.clone()),
        }
    }
}

impl Reference for ReentrantReference {
    type Operation = Operation;
    type Answer = Answer;

    fn allows(&self, who: Id, operation: &Operation) -> bool {
        match operation {
            Operation::GiveWay | Operation::MarkConsistent => self.holder == Some(who),
            _ => true,
        }
    }

    fn would_wait(&self, who: Id, operation: &Operation) -> bool {
        *operation == Operation::Lock && self.holder.is_some_and(|holder| holder != who) && !self.holder_has_died
    }

    fn apply(&self, who: Id, operation: &Operation) -> (Answer, Self) {
        match operation {
            Operation::TryLock => self.lock(who, NotLocked::WouldBlock),
            Operation::Lock => self.lock(who, NotLocked::TimedOut),
            Operation::Release => self.release(who, self.inconsistent),
            Operation::ReleaseInPanic => self.release(who, Some(Cause::Panicked(Some(who)))),
            // No other participant runs between the two.
            Operation::GiveWay => (Answer::Taken(self.inconsistent), self.clone()),
            Operation::MarkConsistent => (Answer::Done, Self { inconsistent: None, ..self.clone() }),
            Operation::Holder => (Answer::Holder(self.holder), self.clone()),
            Operation::IsInconsistent => (Answer::Is(self.inconsistent.is_some()), self.clone()),
        }
    }

    fn halfway(&self, who: Id, operation: &Operation) -> Vec<Self> {
        let mut states = vec![self.clone(), self.apply(who, operation).1];
        if *operation == Operation::GiveWay {
            states.push(Self { inconsistent: self.inconsistent, ..Self::default() });
        }
        states
    }

    fn after_death_of(&self, who: Id) -> Self {
        Self { holder_has_died: self.holder_has_died || self.holder == Some(who), ..self.clone() }
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
