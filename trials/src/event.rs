//! The event, of both kinds, compared with its reference.

use crate::choose;
use crate::operations::Trial;
use crate::reference::Reference;
use crate::standard::{Standard, Word};
use arbitrary::{Arbitrary, Unstructured};
use core::time::Duration;
use outlive::platform::Word as _;
use outlive::raw::event::NotSet;
use outlive::raw::{Event, Id, Participant};
use std::collections::BTreeSet;

/// The operations of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Waits.
    Wait,
    /// Passes, if that needs no waiting.
    TryWait,
    /// Sets it.
    Set,
    /// Clears it.
    Clear,
    /// Checks whether it is set.
    IsSet,
}

impl<'a> Arbitrary<'a> for Operation {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        use Operation::*;
        choose(bytes, &[(4, Wait), (1, TryWait), (3, Set), (2, Clear), (1, IsSet)])
    }
}

/// The answers of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Done.
    Done,
    /// It was not set by the deadline.
    TimedOut,
    /// Whether it is set, or was.
    Is(bool),
}

/// The event as it should be. With AUTO, a set releases one waiter, which clears the event.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct EventReference<const AUTO: bool> {
    is_set: bool,
    waiting: BTreeSet<Id>,
    /// Waiters that slept at a set, and have not returned yet. (With AUTO, no waiter is released
    /// before it takes the set.)
    released: BTreeSet<Id>,
}

impl<const AUTO: bool> EventReference<AUTO> {
    fn without(&self, who: Id) -> Self {
        let mut new = self.clone();
        new.waiting.remove(&who);
        new.released.remove(&who);
        new
    }

    /// The state after this waiter has passed, if the event is open to it.
    fn pass(&self, who: Id) -> Option<Self> {
        let is_open = self.is_set || self.released.contains(&who);
        is_open.then(|| Self { is_set: self.is_set && !AUTO, ..self.without(who) })
    }
}

impl<const AUTO: bool> Reference for EventReference<AUTO> {
    type Operation = Operation;
    type Answer = Answer;

    fn allows(&self, _: Id, _: &Operation) -> bool {
        true
    }

    fn would_wait(&self, who: Id, operation: &Operation) -> bool {
        *operation == Operation::Wait && self.pass(who).is_none()
    }

    fn apply(&self, who: Id, operation: &Operation) -> (Answer, Self) {
        match operation {
            Operation::Wait => match self.pass(who) {
                Some(after) => (Answer::Done, after),
                None => (Answer::TimedOut, self.without(who)),
            },
            Operation::TryWait => match self.pass(who) {
                Some(after) => (Answer::Is(true), after),
                None => (Answer::Is(false), self.clone()),
            },
            Operation::Set if AUTO => (Answer::Done, Self { is_set: true, ..self.clone() }),
            Operation::Set => {
                let released = self.released.union(&self.waiting).copied().collect();
                (Answer::Done, Self { is_set: true, waiting: BTreeSet::new(), released })
            }
            Operation::Clear => (Answer::Is(self.is_set), Self { is_set: false, ..self.clone() }),
            Operation::IsSet => (Answer::Is(self.is_set), self.clone()),
        }
    }

    fn begins_to_wait(&self, who: Id, operation: &Operation) -> Self {
        let mut new = self.clone();
        if *operation == Operation::Wait && !new.released.contains(&who) {
            new.waiting.insert(who);
        }
        new
    }

    fn after_death_of(&self, who: Id) -> Self {
        self.without(who)
    }
}

/// `raw::Event`.
#[derive(Debug)]
pub struct EventTrial<const AUTO: bool> {
    event: Event<Standard>,
}

impl<const AUTO: bool> Default for EventTrial<AUTO> {
    fn default() -> Self {
        let word = if AUTO { Event::<Standard>::AUTO_RESET } else { 0 };
        Self { event: Event::from_word(Word::new(word)) }
    }
}

impl<const AUTO: bool> Trial for EventTrial<AUTO> {
    type Reference = EventReference<AUTO>;

    fn run(&self, me: Participant<'_, Standard>, operation: &Operation, until: Duration) -> Answer {
        match operation {
            Operation::Wait => match self.event.wait(me, Some(until)) {
                Ok(()) => Answer::Done,
                Err(NotSet::TimedOut) => Answer::TimedOut,
                Err(NotSet::Interrupted) => unreachable!("nobody interrupts"),
            },
            Operation::TryWait => Answer::Is(self.event.try_wait()),
            Operation::Set => {
                self.event.set();
                Answer::Done
            }
            Operation::Clear => Answer::Is(self.event.clear()),
            Operation::IsSet => Answer::Is(self.event.is_set()),
        }
    }
}
