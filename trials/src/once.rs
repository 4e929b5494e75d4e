//! The once, compared with its reference.

use crate::choose;
use crate::operations::Trial;
use crate::reference::Reference;
use crate::standard::{Standard, Word};
use arbitrary::{Arbitrary, Unstructured};
use core::time::Duration;
use outlive::platform::Word as _;
use outlive::raw::once::{Begun, NotBegun};
use outlive::raw::{Cause, Id, Once, Participant};
use std::cell::Cell;

/// The operations of a once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Becomes the initialiser, or waits until the once is complete.
    Begin,
    /// The initialiser has done the work.
    Complete,
    /// The initialiser gives up, and leaves the cause that it got, if it got one.
    GiveUp,
    /// The initialiser panics.
    Panic,
    /// Begins, and completes if the caller is the initialiser.
    Call,
    /// Begins, and gives up if the caller is the initialiser.
    CallInVain,
    /// Begins, and panics if the caller is the initialiser.
    CallPanicking,
    /// Checks whether the once is complete.
    IsComplete,
    /// Reads which participant is the initialiser.
    Initialiser,
}

impl<'a> Arbitrary<'a> for Operation {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        use Operation::*;
        // Completed seldom: after that nothing happens any more.
        const ALL: &[(usize, Operation)] = &[
            (7, Begin),
            (1, Complete),
            (3, GiveUp),
            (2, Panic),
            (1, Call),
            (2, CallInVain),
            (2, CallPanicking),
            (1, IsComplete),
            (1, Initialiser),
        ];
        choose(bytes, ALL)
    }
}

impl Operation {
    /// How the operation ends, if it begins and ends in one step.
    fn end(self) -> Option<Self> {
        match self {
            Self::Call => Some(Self::Complete),
            Self::CallInVain => Some(Self::GiveUp),
            Self::CallPanicking => Some(Self::Panic),
            _ => None,
        }
    }
}

/// The answers of a once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// It is complete.
    Complete,
    /// The caller is the initialiser. With the participant that died or panicked in that role
    /// before.
    Ours(Option<Cause>),
    /// The caller is already the initialiser.
    Deadlock,
    /// Done.
    Done,
    /// The answer to a yes-or-no question.
    Is(bool),
    /// The initialiser, dead or alive.
    Initialiser(Option<Id>),
    /// No answer: the operation has no deadline.
    StillWaits,
}

/// The once as it should be.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct OnceReference {
    is_complete: bool,
    initialiser: Option<Id>,
    initialiser_has_died: bool,
    /// The cause that the initialiser has got, or that the next one will get.
    earlier: Option<Cause>,
}

impl OnceReference {
    fn begin(&self, who: Id) -> (Answer, Self) {
        match self.initialiser {
            _ if self.is_complete => (Answer::Complete, self.clone()),
            Some(initialiser) if self.initialiser_has_died => self.begun(who, Some(Cause::Died(Some(initialiser)))),
            Some(initialiser) if initialiser == who => (Answer::Deadlock, self.clone()),
            Some(_) => (Answer::StillWaits, self.clone()),
            None => self.begun(who, self.earlier),
        }
    }

    fn begun(&self, who: Id, earlier: Option<Cause>) -> (Answer, Self) {
        (Answer::Ours(earlier), Self { initialiser: Some(who), initialiser_has_died: false, earlier, ..self.clone() })
    }

    fn ended(&self, is_complete: bool, earlier: Option<Cause>) -> Self {
        Self { is_complete, earlier, ..Self::default() }
    }
}

impl Reference for OnceReference {
    type Operation = Operation;
    type Answer = Answer;

    fn allows(&self, who: Id, operation: &Operation) -> bool {
        match operation {
            Operation::Complete | Operation::GiveUp | Operation::Panic => self.initialiser == Some(who),
            _ => true,
        }
    }

    fn would_wait(&self, who: Id, operation: &Operation) -> bool {
        (*operation == Operation::Begin || operation.end().is_some()) && self.begin(who).0 == Answer::StillWaits
    }

    fn apply(&self, who: Id, operation: &Operation) -> (Answer, Self) {
        match operation {
            Operation::Begin => self.begin(who),
            Operation::Complete => (Answer::Done, self.ended(true, None)),
            Operation::GiveUp => (Answer::Done, self.ended(false, self.earlier)),
            Operation::Panic => (Answer::Done, self.ended(false, Some(Cause::Panicked(Some(who))))),
            Operation::Call | Operation::CallInVain | Operation::CallPanicking => {
                match (self.begin(who), operation.end()) {
                    ((ours @ Answer::Ours(_), begun), Some(end)) => (ours, begun.apply(who, &end).1),
                    (other, _) => other,
                }
            }
            Operation::IsComplete => (Answer::Is(self.is_complete), self.clone()),
            Operation::Initialiser => (Answer::Initialiser(self.initialiser), self.clone()),
        }
    }

    fn halfway(&self, who: Id, operation: &Operation) -> Vec<Self> {
        vec![self.clone(), self.begin(who).1, self.apply(who, operation).1]
    }

    fn after_death_of(&self, who: Id) -> Self {
        Self { initialiser_has_died: self.initialiser_has_died || self.initialiser == Some(who), ..self.clone() }
    }
}

/// `raw::Once`, with what the initialiser would remember.
#[derive(Debug)]
pub struct OnceTrial {
    once: Once<Standard>,
    told: Cell<Option<Cause>>,
}

impl Default for OnceTrial {
    fn default() -> Self {
        Self { once: Once::from_word(Word::new(0)), told: Cell::default() }
    }
}

impl OnceTrial {
    fn end(&self, me: Id, operation: &Operation) -> Answer {
        self.once.end(match operation {
            Operation::Complete | Operation::Call => Ok(()),
            Operation::Panic | Operation::CallPanicking => Err(Some(Cause::Panicked(Some(me)))),
            _ => Err(self.told.get()),
        });
        Answer::Done
    }

    fn begin(&self, me: Participant<'_, Standard>) -> Answer {
        match self.once.begin(me) {
            Ok(Begun::Complete) => Answer::Complete,
            Ok(Begun::Ours { earlier }) => {
                self.told.set(earlier);
                Answer::Ours(earlier)
            }
            Err(NotBegun::Deadlock) => Answer::Deadlock,
            Err(NotBegun::Interrupted) => unreachable!("nobody interrupts"),
        }
    }
}

impl Trial for OnceTrial {
    type Reference = OnceReference;

    fn run(&self, me: Participant<'_, Standard>, operation: &Operation, _: Duration) -> Answer {
        match operation {
            Operation::Begin => self.begin(me),
            Operation::Complete | Operation::GiveUp | Operation::Panic => self.end(me.id, operation),
            Operation::Call | Operation::CallInVain | Operation::CallPanicking => {
                let begun = self.begin(me);
                if let Answer::Ours(_) = begun {
                    self.end(me.id, operation);
                }
                begun
            }
            Operation::IsComplete => Answer::Is(self.once.is_complete()),
            Operation::Initialiser => Answer::Initialiser(self.once.initialiser()),
        }
    }
}
