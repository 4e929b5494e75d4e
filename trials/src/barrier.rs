//! The barrier, compared with its reference.

use crate::choose;
use crate::operations::Trial;
use crate::reference::Reference;
use crate::standard::{Standard, Word, Word64};
use arbitrary::{Arbitrary, Unstructured};
use core::time::Duration;
use outlive::platform::{Word as _, Word64 as _};
use outlive::raw::barrier::{NotJoined, NotPassed, Passed};
use outlive::raw::{Barrier, Id, Participant};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

/// The parties of the barrier under trial. There are more participants.
pub const PARTIES: usize = 2;

/// The bits of its generations. There are so few that the generations wrap again and again.
const BITS: u32 = 2;

/// What can be done with a barrier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Waits for the others.
    Wait,
    /// Waits for the others. If the caller is the last to arrive, the others wait on until it
    /// finishes.
    WaitToRun,
    /// The runner releases the others.
    Finish,
    /// The runner says that it cannot.
    AbortRun,
    /// Breaks the barrier.
    Abort,
    /// Makes the barrier usable again.
    Reset,
    /// Becomes a member, which promises to come.
    Join,
    /// Stops being a member.
    Leave,
    /// Checks whether the barrier is broken.
    IsBroken,
}

impl<'a> Arbitrary<'a> for Operation {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        use Operation::*;
        const ALL: &[(usize, Operation)] = &[
            (6, Wait),
            (2, WaitToRun),
            (2, Finish),
            (1, AbortRun),
            (1, Abort),
            (2, Reset),
            (1, Join),
            (1, Leave),
            (1, IsBroken),
        ];
        choose(bytes, ALL)
    }
}

/// What a barrier answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// All have arrived.
    Follower(Met),
    /// All have arrived, the caller last.
    Leader(Met),
    /// All have arrived, and wait for the caller.
    Runner(Met),
    /// The parties do not meet.
    Failed(NotPassed),
    /// Done.
    Done,
    /// There are as many members as parties.
    NotJoined,
    /// The answer to a yes-or-no question.
    Is(bool),
}

/// Where and when they met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Met {
    /// The lowest bits of the generation.
    generation: u32,
    /// The place in that generation; any place is right.
    index: usize,
}

/// The barrier as it should be. Here it is broken as soon as there is a reason. The real one breaks
/// when a participant finds the reason.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct BarrierReference {
    generation: u32,
    arrived: BTreeSet<Id>,
    runner: Option<Id>,
    /// Parties that have met, and have not returned yet, each with its generation. They keep their
    /// places.
    released: BTreeMap<Id, u32>,
    /// The generation and place of all parties that have returned from a meeting.
    met: BTreeSet<(u32, usize)>,
    /// Parties that still have to learn that the barrier broke.
    failed: BTreeSet<Id>,
    broken: Broken,
    members: Vec<Id>,
    dead: BTreeSet<Id>,
}

/// Whether a barrier is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Broken {
    #[default]
    Not,
    /// There is a reason, which nobody may have found yet.
    Due,
    Told,
}

impl BarrierReference {
    fn breaks(&self, broken: Broken) -> Self {
        let mut new = self.clone();
        if new.broken != Broken::Told {
            new.broken = broken;
        }
        new.runner = None;
        new.failed.append(&mut new.arrived);
        new
    }

    fn next_generation(&self) -> Self {
        let mut new = self.clone();
        new.generation += 1;
        new.broken = Broken::Not;
        new
    }

    fn reset(&self) -> Self {
        let mut new = self.breaks(Broken::Told).next_generation();
        new.members.retain(|member| !self.dead.contains(member));
        new
    }

    fn trips(&self, by: Id) -> Self {
        let mut new = self.next_generation();
        new.runner = None;
        for follower in core::mem::take(&mut new.arrived) {
            new.released.insert(follower, self.generation);
        }
        new.released.remove(&by);
        new
    }

    fn with(&self, arrived: Id) -> Self {
        let mut new = self.clone();
        if new.broken == Broken::Not && new.arrived.len() + new.released.len() < PARTIES {
            new.arrived.insert(arrived);
        }
        new
    }

    fn without(&self, who: Id) -> Self {
        let mut new = self.clone();
        new.released.remove(&who);
        new.failed.remove(&who);
        new
    }

    /// The answer that the caller met the others in this generation. The place is left open.
    fn met_in(&self, generation: u32) -> Met {
        Met { generation: generation & ((1 << BITS) - 1), index: 0 }
    }

    /// The outcome of a wait, if it need not sleep. Which death broke the barrier is left open.
    fn wait(&self, who: Id, runs: bool) -> Option<(Answer, Self)> {
        let is_over = (Answer::Failed(NotPassed::Broken { died: None }), self.without(who));
        if let Some(generation) = self.released.get(&who) {
            return Some((Answer::Follower(self.met_in(*generation)), self.without(who)));
        }
        if self.failed.contains(&who) || self.broken != Broken::Not {
            return Some(is_over);
        }
        let here = self.with(who);
        let is_last = here.arrived.len() == PARTIES && here.arrived.contains(&who) && self.runner.is_none();
        is_last.then(|| match runs {
            true => (Answer::Runner(self.met_in(self.generation)), Self { runner: Some(who), ..here }),
            false => (Answer::Leader(self.met_in(self.generation)), here.trips(who)),
        })
    }

    fn times_out(&self, who: Id) -> (Answer, Self) {
        // In its last check the waiter takes a place if there is one. Then it has arrived, and
        // gives up.
        let here = self.with(who);
        let has_arrived = here.arrived.contains(&who);
        let after = if has_arrived { here.breaks(Broken::Told).without(who) } else { self.clone() };
        (Answer::Failed(NotPassed::TimedOut), after)
    }
}

impl Reference for BarrierReference {
    type Operation = Operation;
    type Answer = Answer;

    fn allows(&self, who: Id, operation: &Operation) -> bool {
        // The barrier may have been broken since. Then the runner has to learn that.
        let runs = self.runner == Some(who) || self.failed.contains(&who);
        match operation {
            Operation::Finish | Operation::AbortRun => runs,
            Operation::Wait | Operation::WaitToRun => !runs,
            Operation::Join => !self.members.contains(&who),
            Operation::Leave => self.members.contains(&who),
            _ => true,
        }
    }

    fn would_wait(&self, who: Id, operation: &Operation) -> bool {
        matches!(operation, Operation::Wait | Operation::WaitToRun) && self.wait(who, false).is_none()
    }

    fn apply(&self, who: Id, operation: &Operation) -> (Answer, Self) {
        match operation {
            Operation::Wait => self.wait(who, false).unwrap_or_else(|| self.times_out(who)),
            Operation::WaitToRun => self.wait(who, true).unwrap_or_else(|| self.times_out(who)),
            Operation::Finish if self.runner == Some(who) => (Answer::Done, self.trips(who)),
            Operation::Finish => (Answer::Failed(NotPassed::Broken { died: None }), self.without(who)),
            Operation::AbortRun if self.runner == Some(who) => (Answer::Done, self.breaks(Broken::Told).without(who)),
            Operation::AbortRun => (Answer::Done, self.without(who)),
            Operation::Abort => (Answer::Done, self.breaks(Broken::Told)),
            Operation::Reset => (Answer::Done, self.reset()),
            Operation::Join if self.members.len() == PARTIES => (Answer::NotJoined, self.clone()),
            Operation::Join => {
                let mut new = self.clone();
                new.members.push(who);
                (Answer::Done, new)
            }
            Operation::Leave => {
                let mut new = self.clone();
                new.members.retain(|member| *member != who);
                (Answer::Done, new)
            }
            Operation::IsBroken => (Answer::Is(self.broken != Broken::Not), self.clone()),
        }
    }

    fn after(&self, who: Id, operation: &Operation, answer: &Answer) -> Option<Self> {
        let (expected, mut after) = self.apply(who, operation);
        let is_right = match (expected, *answer) {
            // Each has an index of its own. The index of a runner may be used again if its run was
            // broken.
            (Answer::Runner(expected), Answer::Runner(met)) => {
                met.index < PARTIES && met.generation == expected.generation
            }
            (Answer::Follower(expected), Answer::Follower(met)) | (Answer::Leader(expected), Answer::Leader(met)) => {
                let generation = self.released.get(&who).copied().unwrap_or(self.generation);
                met.index < PARTIES
                    && met.generation == expected.generation
                    && after.met.insert((generation, met.index))
            }
            // A participant that has died, or none.
            (Answer::Failed(NotPassed::Broken { .. }), Answer::Failed(NotPassed::Broken { died })) => {
                died.is_none_or(|died| self.dead.contains(&died))
            }
            (Answer::Is(_), Answer::Is(_)) if self.broken == Broken::Due => true,
            (expected, answer) => expected == answer,
        };
        is_right.then_some(after)
    }

    fn begins_to_wait(&self, who: Id, operation: &Operation) -> Self {
        match operation {
            Operation::Wait | Operation::WaitToRun
                if !self.released.contains_key(&who) && !self.failed.contains(&who) =>
            {
                self.with(who)
            }
            _ => self.clone(),
        }
    }

    fn halfway(&self, who: Id, operation: &Operation) -> Vec<Self> {
        let mut states = vec![self.clone(), self.begins_to_wait(who, operation), self.apply(who, operation).1];
        if matches!(operation, Operation::Reset | Operation::AbortRun) {
            // Broken already, and some of the dead members, in order, are forgiven. The resetting
            // participant's own name stands in their places until it has reset.
            let mut broken = self.breaks(Broken::Told);
            let mut reset = self.apply(who, operation).1;
            states.push(broken.clone());
            while let Some(at) = broken.members.iter().position(|member| self.dead.contains(member)) {
                broken.members[at] = who;
                states.push(broken.clone());
                reset.members.push(who);
                states.push(reset.clone());
            }
        }
        states
    }

    fn after_death_of(&self, who: Id) -> Self {
        let mut new = self.without(who);
        new.dead.insert(who);
        let is_missed = new.arrived.remove(&who) || new.members.contains(&who);
        if is_missed { new.breaks(Broken::Due) } else { new }
    }
}

/// `raw::Barrier`, with what members and runners would remember.
#[derive(Debug)]
pub struct BarrierTrial {
    barrier: Barrier<Standard, PARTIES, BITS>,
    places: RefCell<BTreeMap<Id, usize>>,
    generations: RefCell<BTreeMap<Id, u32>>,
}

impl Default for BarrierTrial {
    fn default() -> Self {
        let members = core::array::from_fn(|_| Word::new(0));
        let arrivals = core::array::from_fn(|_| Word64::new(0));
        let barrier = Barrier::from_parts(Word64::new(0), Word::new(0), Word::new(0), members, arrivals);
        Self { barrier, places: RefCell::default(), generations: RefCell::default() }
    }
}

impl BarrierTrial {
    fn waited(&self, me: Id, answer: Result<Passed, NotPassed>) -> Answer {
        match answer {
            Ok(Passed::Follower { index, generation }) => Answer::Follower(Met { generation, index }),
            Ok(Passed::Leader { index, generation }) => Answer::Leader(Met { generation, index }),
            Ok(Passed::Runner { index, generation }) => {
                self.generations.borrow_mut().insert(me, generation);
                Answer::Runner(Met { generation, index })
            }
            Err(failed) => Answer::Failed(failed),
        }
    }
}

impl Trial for BarrierTrial {
    type Reference = BarrierReference;

    fn run(&self, me: Participant<'_, Standard>, operation: &Operation, until: Duration) -> Answer {
        let generation = || self.generations.borrow()[&me.id];
        match operation {
            Operation::Wait => return self.waited(me.id, self.barrier.wait(me, Some(until), false)),
            Operation::WaitToRun => return self.waited(me.id, self.barrier.wait(me, Some(until), true)),
            Operation::Finish => {
                if let Err(failed) = self.barrier.finish(me, generation()) {
                    return Answer::Failed(failed);
                }
            }
            Operation::AbortRun => self.barrier.give_up(me.id, generation()),
            Operation::Abort => self.barrier.abort(),
            Operation::Reset => self.barrier.reset(me),
            Operation::Join => match self.barrier.join(me) {
                Ok(place) => {
                    self.places.borrow_mut().insert(me.id, place);
                }
                Err(NotJoined) => return Answer::NotJoined,
            },
            Operation::Leave => {
                let place = self.places.borrow_mut().remove(&me.id).expect("a member has a place");
                self.barrier.leave(me.id, place);
            }
            Operation::IsBroken => return Answer::Is(self.barrier.is_broken()),
        }
        Answer::Done
    }
}
