//! The reader-writer lock, compared with its reference.

use crate::choose;
use crate::operations::Trial;
use crate::reference::Reference;
use crate::standard::{Standard, Word};
use arbitrary::{Arbitrary, Unstructured};
use core::time::Duration;
use outlive::platform::Word as _;
use outlive::raw::Deadline;
use outlive::raw::rwlock::{Line, Reading};
use outlive::raw::{Acquired, Cause, Id, NotLocked, Participant, RwLock};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};

/// The reader words of the lock under trial. There are more participants.
pub const READERS: usize = 2;

/// The operations of a reader-writer lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Locks for reading, if that needs no waiting.
    TryRead,
    /// Locks for reading, and waits for it.
    Read,
    /// A reader gives it back.
    UnlockRead,
    /// Locks for writing, if that needs no waiting.
    TryWrite,
    /// Locks for writing, and waits for it.
    Write,
    /// The writer gives it back. An inconsistency that it learned of stays, unless the writer has
    /// marked the data consistent.
    UnlockWrite,
    /// The writer gives it back in a panic.
    UnlockWritePanicking,
    /// The writer becomes a reader.
    Downgrade,
    /// The writer marks the data consistent.
    MarkConsistent,
    /// Checks whether it is inconsistent.
    IsInconsistent,
}

impl<'a> Arbitrary<'a> for Operation {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        use Operation::*;
        const ALL: &[(usize, Operation)] = &[
            (1, TryRead),
            (4, Read),
            (4, UnlockRead),
            (1, TryWrite),
            (4, Write),
            (3, UnlockWrite),
            (1, UnlockWritePanicking),
            (1, Downgrade),
            (1, MarkConsistent),
            (1, IsInconsistent),
        ];
        choose(bytes, ALL)
    }
}

/// The answers of a reader-writer lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// The caller holds it now. With the reason why the data may be inconsistent.
    Taken(Option<Cause>),
    /// The caller does not hold it.
    Failed(NotLocked),
    /// Done.
    Done,
    /// The answer to a yes-or-no question.
    Is(bool),
}

/// The reader-writer lock as it should be.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RwLockReference {
    readers: BTreeSet<Id>,
    writer: Option<Id>,
    /// A writer that keeps new readers and writers out, and waits until the readers have gone.
    draining: Option<Id>,
    /// Why the data may be inconsistent: the reason that a writer has got, or that the next one
    /// will get.
    inconsistent: Option<Cause>,
    /// Readers that came when all words were taken, each with the holders of these words. Such a
    /// reader sleeps on one of these words, so only the holder of that word may wake it.
    kept_out: BTreeMap<Id, BTreeSet<Id>>,
    /// A writer has died, and perhaps nobody has noticed that since.
    is_unnoticed: bool,
}

impl RwLockReference {
    fn reads_or_writes(&self, who: Id) -> bool {
        self.readers.contains(&who) || self.writer == Some(who)
    }

    fn can_read(&self) -> bool {
        self.writer.is_none() && self.draining.is_none() && self.readers.len() < READERS
    }

    fn can_write(&self, who: Id) -> bool {
        self.writer.is_none() && self.readers.is_empty() && self.draining.is_none_or(|draining| draining == who)
    }

    fn read(&self, who: Id, deadlock: NotLocked, otherwise: NotLocked) -> (Answer, Self) {
        if self.reads_or_writes(who) {
            (Answer::Failed(deadlock), self.clone())
        } else if self.can_read() {
            let mut new = self.clone();
            new.kept_out.remove(&who);
            new.readers.insert(who);
            new.is_unnoticed = false;
            (Answer::Taken(self.inconsistent), new)
        } else {
            let mut new = self.clone();
            new.kept_out.remove(&who);
            (Answer::Failed(otherwise), new)
        }
    }

    fn write(&self, who: Id, deadlock: NotLocked, otherwise: NotLocked) -> (Answer, Self) {
        if self.reads_or_writes(who) {
            (Answer::Failed(deadlock), self.clone())
        } else if self.can_write(who) {
            let new = Self { writer: Some(who), draining: None, is_unnoticed: false, ..self.clone() };
            (Answer::Taken(self.inconsistent), new)
        } else {
            let draining = self.draining.filter(|draining| *draining != who);
            (Answer::Failed(otherwise), Self { draining, ..self.clone() })
        }
    }

    fn without_reader(&self, who: Id) -> Self {
        let mut new = self.clone();
        new.readers.remove(&who);
        for by in new.kept_out.values_mut() {
            by.remove(&who);
        }
        new
    }

    fn unlocked(&self, inconsistent: Option<Cause>) -> Self {
        Self { writer: None, inconsistent, ..self.clone() }
    }
}

impl Reference for RwLockReference {
    type Operation = Operation;
    type Answer = Answer;

    fn allows(&self, who: Id, operation: &Operation) -> bool {
        match operation {
            Operation::UnlockRead => self.readers.contains(&who),
            Operation::UnlockWrite
            | Operation::UnlockWritePanicking
            | Operation::Downgrade
            | Operation::MarkConsistent => self.writer == Some(who),
            _ => true,
        }
    }

    fn would_wait(&self, who: Id, operation: &Operation) -> bool {
        match operation {
            Operation::Read => {
                let is_kept_out = self.kept_out.get(&who).is_some_and(|by| !by.is_empty());
                !self.reads_or_writes(who) && (is_kept_out || !self.can_read())
            }
            Operation::Write => !self.reads_or_writes(who) && !self.can_write(who),
            _ => false,
        }
    }

    fn apply(&self, who: Id, operation: &Operation) -> (Answer, Self) {
        match operation {
            Operation::TryRead => self.read(who, NotLocked::WouldBlock, NotLocked::WouldBlock),
            Operation::Read => self.read(who, NotLocked::Deadlock, NotLocked::TimedOut),
            Operation::UnlockRead => (Answer::Done, self.without_reader(who)),
            Operation::TryWrite => self.write(who, NotLocked::WouldBlock, NotLocked::WouldBlock),
            Operation::Write => self.write(who, NotLocked::Deadlock, NotLocked::TimedOut),
            Operation::UnlockWrite => (Answer::Done, self.unlocked(self.inconsistent)),
            Operation::UnlockWritePanicking => (Answer::Done, self.unlocked(Some(Cause::Panicked(Some(who))))),
            Operation::Downgrade => {
                let mut new = self.unlocked(self.inconsistent);
                new.readers.insert(who);
                (Answer::Taken(self.inconsistent), new)
            }
            Operation::MarkConsistent => (Answer::Done, Self { inconsistent: None, ..self.clone() }),
            Operation::IsInconsistent => (Answer::Is(self.inconsistent.is_some()), self.clone()),
        }
    }

    fn after(&self, who: Id, operation: &Operation, answer: &Answer) -> Option<Self> {
        let (expected, after) = self.apply(who, operation);
        let is_either = *operation == Operation::IsInconsistent && self.is_unnoticed;
        (expected == *answer || is_either).then_some(after)
    }

    fn begins_to_wait(&self, who: Id, operation: &Operation) -> Self {
        let mut new = self.clone();
        if self.writer.is_none() && self.draining.is_none() {
            match operation {
                Operation::Write => new.draining = Some(who),
                Operation::Read => drop(new.kept_out.insert(who, self.readers.clone())),
                _ => {}
            }
        }
        new
    }

    fn halfway(&self, who: Id, operation: &Operation) -> Vec<Self> {
        let mut states = vec![self.clone(), self.begins_to_wait(who, operation), self.apply(who, operation).1];
        if *operation == Operation::Downgrade {
            let mut both = self.clone();
            both.readers.insert(who);
            states.push(both);
        }
        let can_be_next = self.writer.is_none() && self.draining.is_none();
        if can_be_next && matches!(operation, Operation::TryWrite | Operation::Write) {
            // A writer that dies before it has seen a reader dies as the holder. Nobody can know
            // that it has changed nothing.
            states.push(Self { writer: Some(who), ..self.clone() });
            states.push(self.begins_to_wait(who, &Operation::Write));
        }
        states
    }

    fn after_death_of(&self, who: Id) -> Self {
        let mut new = self.without_reader(who);
        new.kept_out.remove(&who);
        let drained = new.draining.take_if(|draining| *draining == who).is_some();
        // A writer that only waited has changed nothing. But its knowledge of the cause of an
        // inconsistency is lost.
        if new.writer.take_if(|writer| *writer == who).is_some() || drained && new.inconsistent.is_some() {
            new.inconsistent = Some(Cause::Died(Some(who)));
            new.is_unnoticed = true;
        }
        new
    }
}

/// `raw::RwLock`, with what guards would remember.
#[derive(Debug)]
pub struct RwLockTrial {
    lock: RwLock<Standard, READERS>,
    words: RefCell<BTreeMap<Id, usize>>,
    told: Cell<Option<Cause>>,
}

impl Default for RwLockTrial {
    fn default() -> Self {
        let line = || Line::new(Word::new(0));
        let lock = RwLock::from_lines(line(), core::array::from_fn(|_| line()));
        Self { lock, words: RefCell::default(), told: Cell::default() }
    }
}

impl RwLockTrial {
    fn reading(&self, me: Id, answer: Result<Reading, NotLocked>) -> Answer {
        match answer {
            Ok(Reading { word, inconsistent }) => {
                self.words.borrow_mut().insert(me, word);
                Answer::Taken(inconsistent)
            }
            Err(refusal) => Answer::Failed(refusal),
        }
    }

    fn writing(&self, answer: Result<Acquired, NotLocked>) -> Answer {
        match answer {
            Ok(Acquired { inconsistent }) => {
                self.told.set(inconsistent);
                Answer::Taken(inconsistent)
            }
            Err(refusal) => Answer::Failed(refusal),
        }
    }
}

impl Trial for RwLockTrial {
    type Reference = RwLockReference;

    fn run(&self, me: Participant<'_, Standard>, operation: &Operation, until: Duration) -> Answer {
        let until = Deadline::By(Some(until));
        let told = || self.told.get().map_or(0, Cause::word);
        match operation {
            Operation::TryRead => self.reading(me.id, self.lock.read(me, Deadline::Immediate)),
            Operation::Read => self.reading(me.id, self.lock.read(me, until)),
            Operation::UnlockRead => {
                let word = self.words.borrow_mut().remove(&me.id).expect("a reader has a word");
                self.lock.unlock_read(word);
                Answer::Done
            }
            Operation::TryWrite => self.writing(self.lock.write(me, Deadline::Immediate)),
            Operation::Write => self.writing(self.lock.write(me, until)),
            Operation::UnlockWrite => {
                self.lock.unlock_write(told());
                Answer::Done
            }
            Operation::UnlockWritePanicking => {
                self.lock.unlock_write(Cause::Panicked(Some(me.id)).word());
                Answer::Done
            }
            Operation::Downgrade => self.reading(me.id, Ok(self.lock.downgrade(me, told()))),
            Operation::MarkConsistent => {
                self.told.set(None);
                self.lock.mark_consistent();
                Answer::Done
            }
            Operation::IsInconsistent => Answer::Is(self.lock.is_inconsistent()),
        }
    }
}
