//! The condition variable, compared with its reference.
//!
//! What it owes its users can only be said with their predicate and their lock. So the trial uses a
//! heap of items under a mutex. A taker waits until there are enough items, and the contract is
//! that of the heap. The runner finds takers that are left asleep while there are items. (A death
//! causes a spurious return of the waiters, so the reference says nothing about such returns.)

use crate::choose;
use crate::operations::Trial;
use crate::reference::Reference;
use crate::standard::{Standard, Word};
use arbitrary::{Arbitrary, Unstructured};
use core::time::Duration;
use outlive::platform::Word as _;
use outlive::raw::condvar::Woken;
use outlive::raw::{Condvar, Id, Mutex, Participant};
use std::cell::Cell;

/// The operations of the heap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Takes so many items at once, and waits until there are that many.
    Take(u32),
    /// Adds so many items, and wakes as many takers.
    Put(u32),
    /// The same, but wakes before the mutex is given back.
    PutInside(u32),
    /// Adds so many items, and wakes all takers.
    PutForAll(u32),
    /// Wakes a taker for nothing.
    Notify,
    /// Wakes all takers for nothing.
    NotifyAll,
}

impl<'a> Arbitrary<'a> for Operation {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        use Operation::*;
        // More items are wanted than there are, so that takers wait.
        const ALL: &[(usize, Operation)] = &[
            (8, Take(1)),
            (2, Put(1)),
            (1, Put(2)),
            (1, PutInside(1)),
            (1, PutForAll(1)),
            (1, PutForAll(2)),
            (1, Notify),
            (1, NotifyAll),
        ];
        choose(bytes, ALL)
    }
}

/// The answers of the heap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Done.
    Done,
    /// There were too few by the deadline.
    TimedOut,
}

/// The heap as it should be.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct HeapReference {
    items: u32,
}

impl Reference for HeapReference {
    type Operation = Operation;
    type Answer = Answer;

    fn allows(&self, _: Id, _: &Operation) -> bool {
        true
    }

    fn would_wait(&self, _: Id, operation: &Operation) -> bool {
        matches!(*operation, Operation::Take(count) if count > self.items)
    }

    fn apply(&self, _: Id, operation: &Operation) -> (Answer, Self) {
        let items = self.items;
        match *operation {
            Operation::Take(count) if count > items => (Answer::TimedOut, self.clone()),
            Operation::Take(count) => (Answer::Done, Self { items: items - count }),
            Operation::Put(count) | Operation::PutInside(count) | Operation::PutForAll(count) => {
                (Answer::Done, Self { items: items + count })
            }
            Operation::Notify | Operation::NotifyAll => (Answer::Done, self.clone()),
        }
    }

    fn after_death_of(&self, _: Id) -> Self {
        self.clone()
    }
}

/// By which a notifier finds the mutex.
const PLACE: u32 = 1;

/// `raw::Condvar` and `raw::Mutex`, with the heap.
#[derive(Debug)]
pub struct HeapTrial {
    mutex: Mutex<Standard>,
    more: Condvar<Standard>,
    items: Cell<u32>,
}

impl Default for HeapTrial {
    fn default() -> Self {
        let (mutex, more) = (Mutex::from_word(Word::new(0)), Condvar::from_words(Word::new(0), Word::new(0)));
        Self { mutex, more, items: Cell::new(0) }
    }
}

impl HeapTrial {
    /// The number of items changes in one step, so no death leaves it inconsistent.
    fn lock(&self, me: Participant<'_, Standard>) {
        let _vouched_for = self.mutex.lock(me, None).expect("nobody sleeps with the mutex");
        self.mutex.mark_consistent();
    }

    fn put(&self, me: Participant<'_, Standard>, count: u32) {
        self.lock(me);
        self.items.set(self.items.get() + count);
    }

    fn take(&self, me: Participant<'_, Standard>, count: u32, until: Duration) -> Answer {
        self.lock(me);
        let mut woken = Woken::Neither;
        while self.items.get() < count {
            if woken == Woken::TimedOut {
                self.mutex.unlock(0);
                return Answer::TimedOut;
            }
            let waited = self.more.wait(me, true, Some(until), PLACE, || self.mutex.unlock(0));
            self.lock(me);
            woken = self.more.leave(me, waited, &self.mutex);
        }
        self.items.set(self.items.get() - count);
        self.mutex.unlock(0);
        Answer::Done
    }
}

impl Trial for HeapTrial {
    type Reference = HeapReference;

    fn run(&self, me: Participant<'_, Standard>, operation: &Operation, until: Duration) -> Answer {
        match *operation {
            Operation::Take(count) => return self.take(me, count, until),
            Operation::Put(count) => {
                self.put(me, count);
                self.mutex.unlock(0);
                self.more.notify(Some(me.table), count);
            }
            Operation::PutInside(count) => {
                self.put(me, count);
                self.more.notify_holding(me, count, |place| (place == PLACE).then_some(&self.mutex));
                self.mutex.unlock(0);
            }
            Operation::PutForAll(count) => {
                self.put(me, count);
                self.mutex.unlock(0);
                self.more.notify_all();
            }
            Operation::Notify => self.more.notify(Some(me.table), 1),
            Operation::NotifyAll => self.more.notify_all(),
        }
        Answer::Done
    }
}
