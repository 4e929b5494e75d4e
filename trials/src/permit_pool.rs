//! The permit pool, compared with its reference.

use crate::choose;
use crate::operations::Trial;
use crate::reference::Reference;
use crate::standard::{Standard, Word};
use arbitrary::{Arbitrary, Unstructured};
use core::time::Duration;
use outlive::platform::Word as _;
use outlive::raw::mutex::NotHeld;
use outlive::raw::permit_pool::{NoPermit, Taken};
use outlive::raw::{Id, Participant, PermitPool};

/// The permits of the pool under trial.
pub const PERMITS: usize = 2;

/// The operations of a pool. Indices go one beyond its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Takes a permit, if that needs no waiting.
    TryAcquire,
    /// Takes a permit, and waits for one.
    Acquire,
    /// Gives this permit back, if the caller has it.
    Release(usize),
    /// Gives this permit back on behalf of its holder, alive or dead.
    ReleaseForAnybody(usize),
    /// Reads the holder of each permit.
    Holders,
}

impl<'a> Arbitrary<'a> for Operation {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        use Operation::*;
        const ALL: &[(usize, Operation)] = &[
            (2, TryAcquire),
            (4, Acquire),
            (2, Release(0)),
            (2, Release(1)),
            (1, Release(PERMITS)),
            (1, ReleaseForAnybody(0)),
            (1, ReleaseForAnybody(1)),
            (1, ReleaseForAnybody(PERMITS)),
            (1, Holders),
        ];
        choose(bytes, ALL)
    }
}

/// The answers of a pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The caller has this permit. With its previous holder, if that one died.
    Taken(usize, Option<Id>),
    /// The caller has got none.
    Failed(NoPermit),
    /// Done.
    Done,
    /// It is not held, or not by the caller. With the holder.
    NotHeld(Option<Id>),
    /// Each permit's holder, dead or alive.
    Holders([Option<Id>; PERMITS]),
}

/// The pool as it should be.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PermitsReference {
    holders: [Option<Id>; PERMITS],
    holder_has_died: [bool; PERMITS],
}

impl PermitsReference {
    fn is_to_be_had(&self, index: usize) -> bool {
        self.holders[index].is_none() || self.holder_has_died[index]
    }

    fn with(&self, index: usize, holder: Option<Id>) -> Self {
        let mut new = self.clone();
        new.holders[index] = holder;
        new.holder_has_died[index] = false;
        new
    }

    /// All possible outcomes of taking a permit. The contract leaves open which permit it is.
    fn all_taken(&self, who: Id) -> impl Iterator<Item = (Answer, Self)> + '_ {
        (0..PERMITS).filter(|index| self.is_to_be_had(*index)).map(move |index| {
            // A holder that is still recorded here is dead.
            (Answer::Taken(index, self.holders[index]), self.with(index, Some(who)))
        })
    }
}

impl Reference for PermitsReference {
    type Operation = Operation;
    type Answer = Answer;

    fn allows(&self, _: Id, _: &Operation) -> bool {
        true
    }

    fn would_wait(&self, _: Id, operation: &Operation) -> bool {
        *operation == Operation::Acquire && !(0..PERMITS).any(|index| self.is_to_be_had(index))
    }

    fn apply(&self, who: Id, operation: &Operation) -> (Answer, Self) {
        let taken_or = |why| self.all_taken(who).next().unwrap_or((Answer::Failed(why), self.clone()));
        let holder_of = |index: usize| self.holders.get(index).copied().flatten();
        match *operation {
            Operation::TryAcquire => taken_or(NoPermit::WouldBlock),
            Operation::Acquire => taken_or(NoPermit::TimedOut),
            Operation::Release(index) if holder_of(index) == Some(who) => (Answer::Done, self.with(index, None)),
            Operation::ReleaseForAnybody(index) if holder_of(index).is_some() => (Answer::Done, self.with(index, None)),
            Operation::Release(index) | Operation::ReleaseForAnybody(index) => {
                (Answer::NotHeld(holder_of(index)), self.clone())
            }
            Operation::Holders => (Answer::Holders(self.holders), self.clone()),
        }
    }

    fn after(&self, who: Id, operation: &Operation, answer: &Answer) -> Option<Self> {
        let expected = self.apply(who, operation);
        let alternatives = matches!(expected.0, Answer::Taken(..)).then(|| self.all_taken(who));
        let all = alternatives.into_iter().flatten().chain([expected]);
        all.into_iter().find_map(|(expected, after)| (expected == *answer).then_some(after))
    }

    fn halfway(&self, who: Id, operation: &Operation) -> Vec<Self> {
        let takes = matches!(operation, Operation::TryAcquire | Operation::Acquire);
        let taken = takes.then(|| self.all_taken(who).map(|(_, after)| after));
        taken.into_iter().flatten().chain([self.clone(), self.apply(who, operation).1]).collect()
    }

    fn after_death_of(&self, who: Id) -> Self {
        let mut new = self.clone();
        for (holder, has_died) in new.holders.iter().zip(&mut new.holder_has_died) {
            *has_died |= *holder == Some(who);
        }
        new
    }
}

/// `raw::PermitPool`.
#[derive(Debug)]
pub struct PermitsTrial {
    pool: PermitPool<Standard, PERMITS>,
}

impl Default for PermitsTrial {
    fn default() -> Self {
        Self { pool: PermitPool::from_words(Word::new(0), Word::new(0), core::array::from_fn(|_| Word::new(0))) }
    }
}

impl Trial for PermitsTrial {
    type Reference = PermitsReference;

    fn run(&self, me: Participant<'_, Standard>, operation: &Operation, until: Duration) -> Answer {
        let taken = |answer: Result<Taken, NoPermit>| match answer {
            Ok(Taken { index, from }) => Answer::Taken(index, from),
            Err(why) => Answer::Failed(why),
        };
        let release = |index, holder| match self.pool.release(index, holder) {
            Ok(()) => Answer::Done,
            Err(NotHeld { holder }) => Answer::NotHeld(holder),
        };
        match *operation {
            Operation::TryAcquire => taken(self.pool.try_acquire(me)),
            Operation::Acquire => taken(self.pool.acquire(me, Some(until))),
            Operation::Release(index) => release(index, me.id),
            Operation::ReleaseForAnybody(index) => match self.pool.holders().find(|(held, _)| *held == index) {
                Some((_, holder)) => release(index, holder),
                None => Answer::NotHeld(None),
            },
            Operation::Holders => {
                let mut holders = [None; PERMITS];
                for (index, holder) in self.pool.holders() {
                    holders[index] = Some(holder);
                }
                Answer::Holders(holders)
            }
        }
    }
}
