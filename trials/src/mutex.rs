//! The mutex, and the lock, which has the same word, compared with its reference.

use crate::choose;
use crate::operations::Trial;
use crate::reference::Reference;
use crate::standard::{Standard, Word};
use arbitrary::{Arbitrary, Unstructured};
use core::time::Duration;
use outlive::platform::Word as _;
use outlive::raw::mutex::NotHeld;
use outlive::raw::{Acquired, Cause, Id, Mutex, NotLocked, Participant};
use std::collections::BTreeMap;
use std::sync::Mutex as StdMutex;

/// The operations of a mutex.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Takes the mutex, if that needs no waiting.
    TryLock,
    /// Takes the mutex, and waits for it.
    Lock,
    /// The holder gives it back. An inconsistency that it learned of stays, unless the holder has
    /// marked the data consistent.
    Unlock,
    /// The holder gives it back in a panic.
    UnlockPanicking,
    /// The holder marks the data consistent.
    MarkConsistent,
    /// Gives it back on behalf of its holder.
    ReleaseForAnybody,
    /// Gives it back, if the caller holds it.
    ReleaseOwn,
    /// Reads which participant holds it.
    Holder,
    /// Checks whether it is inconsistent.
    IsInconsistent,
}

impl<'a> Arbitrary<'a> for Operation {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        use Operation::*;
        // More locking and unlocking than anything else, so that the mutex changes hands.
        const ALL: &[(usize, Operation)] = &[
            (1, TryLock),
            (4, Lock),
            (3, Unlock),
            (1, UnlockPanicking),
            (1, MarkConsistent),
            (1, ReleaseForAnybody),
            (2, ReleaseOwn),
            (1, Holder),
            (1, IsInconsistent),
        ];
        choose(bytes, ALL)
    }
}

/// The answers of a mutex.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// The caller holds it now. With the reason why the data may be inconsistent.
    Taken(Option<Cause>),
    /// The caller does not hold it.
    Failed(NotLocked),
    /// Done.
    Done,
    /// It is not held, or not by the caller. With the holder.
    NotHeld(Option<Id>),
    /// The holder, dead or alive.
    Holder(Option<Id>),
    /// The answer to a yes-or-no question.
    Is(bool),
}

/// The mutex as it should be. `IS_LOCK` is for `Lock`: a holder that acquires again waits until
/// another releases. A mutex answers that with a deadlock.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct MutexReference<const IS_LOCK: bool> {
    pub(crate) holder: Option<Id>,
    holder_has_died: bool,
    /// Why the data may be inconsistent: the reason that the holder has got, or that the next
    /// holder will get.
    pub(crate) inconsistent: Option<Cause>,
}

impl<const IS_LOCK: bool> MutexReference<IS_LOCK> {
    fn take(&self, who: Id) -> (Answer, Self) {
        let told = if self.holder_has_died { Some(Cause::Died(self.holder)) } else { self.inconsistent };
        (Answer::Taken(told), Self { holder: Some(who), holder_has_died: false, inconsistent: told })
    }

    pub(crate) fn free(&self, inconsistent: Option<Cause>) -> Self {
        Self { holder: None, holder_has_died: false, inconsistent }
    }

    /// The word of a held lock says that it is inconsistent, and whether by death or panic. It does
    /// not say whose.
    fn without_the_name(&self) -> Self {
        self.free(self.inconsistent.map(|cause| match cause {
            Cause::Died(_) => Cause::Died(None),
            Cause::Panicked(_) => Cause::Panicked(None),
        }))
    }
}

impl<const IS_LOCK: bool> Reference for MutexReference<IS_LOCK> {
    type Operation = Operation;
    type Answer = Answer;

    fn allows(&self, who: Id, operation: &Operation) -> bool {
        match operation {
            Operation::Unlock | Operation::UnlockPanicking | Operation::MarkConsistent => self.holder == Some(who),
            _ => true,
        }
    }

    fn would_wait(&self, who: Id, operation: &Operation) -> bool {
        *operation == Operation::Lock
            && self.holder.is_some_and(|holder| IS_LOCK || holder != who)
            && !self.holder_has_died
    }

    fn apply(&self, who: Id, operation: &Operation) -> (Answer, Self) {
        let is_to_be_had = self.holder.is_none() || self.holder_has_died;
        let refused = |refusal| (Answer::Failed(refusal), self.clone());
        match operation {
            Operation::TryLock | Operation::Lock if is_to_be_had => self.take(who),
            Operation::TryLock => refused(NotLocked::WouldBlock),
            Operation::Lock if !IS_LOCK && self.holder == Some(who) => refused(NotLocked::Deadlock),
            Operation::Lock => refused(NotLocked::TimedOut),
            Operation::Unlock => (Answer::Done, self.free(self.inconsistent)),
            Operation::UnlockPanicking => (Answer::Done, self.free(Some(Cause::Panicked(Some(who))))),
            Operation::MarkConsistent => (Answer::Done, Self { inconsistent: None, ..self.clone() }),
            Operation::ReleaseForAnybody if self.holder.is_some() => (Answer::Done, self.without_the_name()),
            Operation::ReleaseOwn if self.holder == Some(who) => (Answer::Done, self.without_the_name()),
            Operation::ReleaseForAnybody | Operation::ReleaseOwn => (Answer::NotHeld(self.holder), self.clone()),
            Operation::Holder => (Answer::Holder(self.holder), self.clone()),
            Operation::IsInconsistent => (Answer::Is(self.inconsistent.is_some()), self.clone()),
        }
    }

    fn after_death_of(&self, who: Id) -> Self {
        Self { holder_has_died: self.holder_has_died || self.holder == Some(who), ..self.clone() }
    }
}

/// `raw::Mutex`, with what a guard would remember.
#[derive(Debug)]
pub struct MutexTrial {
    mutex: Mutex<Standard>,
    told: StdMutex<BTreeMap<Id, Cause>>,
}

impl Default for MutexTrial {
    fn default() -> Self {
        Self { mutex: Mutex::from_word(Word::new(0)), told: StdMutex::default() }
    }
}

impl MutexTrial {
    fn taken(&self, who: Id, answer: Result<Acquired, NotLocked>) -> Answer {
        match answer {
            Ok(Acquired { inconsistent }) => {
                let mut told = self.told.lock().expect("no panic inside");
                told.remove(&who);
                told.extend(inconsistent.map(|cause| (who, cause)));
                Answer::Taken(inconsistent)
            }
            Err(refusal) => Answer::Failed(refusal),
        }
    }

    fn told(&self, who: Id) -> Option<Cause> {
        self.told.lock().expect("no panic inside").get(&who).copied()
    }
}

impl Trial for MutexTrial {
    type Reference = MutexReference<false>;

    fn run(&self, me: Participant<'_, Standard>, operation: &Operation, until: Duration) -> Answer {
        let released = |result: Result<Id, NotHeld>| match result {
            Ok(_whose) => Answer::Done,
            Err(NotHeld { holder }) => Answer::NotHeld(holder),
        };
        match operation {
            Operation::TryLock => self.taken(me.id, self.mutex.try_lock(me)),
            Operation::Lock => self.taken(me.id, self.mutex.lock(me, Some(until))),
            Operation::Unlock => {
                self.mutex.unlock(self.told(me.id).map_or(0, Cause::word));
                Answer::Done
            }
            Operation::UnlockPanicking => {
                self.mutex.unlock(Cause::Panicked(Some(me.id)).word());
                Answer::Done
            }
            Operation::MarkConsistent => {
                self.told.lock().expect("no panic inside").remove(&me.id);
                self.mutex.mark_consistent();
                Answer::Done
            }
            Operation::ReleaseForAnybody => released(self.mutex.release(None, None)),
            Operation::ReleaseOwn => released(self.mutex.release(Some(me.id), None)),
            Operation::Holder => Answer::Holder(self.mutex.holder()),
            Operation::IsInconsistent => Answer::Is(self.mutex.is_inconsistent()),
        }
    }
}
