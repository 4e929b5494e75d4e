//! A barrier: as many as its parties meet, in one generation after the other, or all learn that they do not.
//!
//! # Words
//!
//! The **state** word, which sleepers sleep on: the generation, its flags, and how the last ones ended. A trip, a break and a reset
//! are one CAS on it each. The **arrivals**, one for each party: generation and name. Both are described in
//! [`generation`](super::generation).
//!
//! A **member** (a hold, one for each party): who has declared to come, so that its death counts even before it arrives.
//!
//! # Invariants
//!
//! 1. A generation ends once: tripped, or broken, by the CAS that replaces its state. It trips only after all its arrivals were
//!    seen to be there, and their owners and all members to be alive.
//! 2. The generations in one arrival word only grow: it is replaced, by a CAS on the value seen, only by a later generation.
//!    So whose arrival succeeded belongs to that generation, which had not tripped before, and is not lost.
//! 3. Who sleeps has arrived, then replaced the state word (if only by itself), then looked at all arrivals. These exchanges are in
//!    one order, so the last of the parties sees all arrivals, and ends the generation, or dies named by its arrival.
//!
//! # Who looks late
//!
//! A waiter that comes to look when later generations have begun finds the outcome of its own in *recent* and *distance*: the last
//! three exactly; earlier ones as tripped if none was broken since. If one was, it is told that the barrier broke,
//! which then is true, though it may have been another generation. Where the threads are as many as the parties, or fewer, no
//! generation trips without the late one, so that only resets can be missed: two of them in a row do no harm to the answer.
//! With more threads than parties, the answer is wrong for one that was in a broken generation and did
//! not look until 255 later ones had tripped, or whose own is exactly 2^16 generations ago.

use super::generation::{Arrival, BROKEN, End, RUNNING, State, WAITERS};
use super::hold::Id;
use super::table::Participant;
use super::vigil::{Slept, Vigil};
use crate::platform::{Long, Platform, Word};
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use core::time::Duration;

/// In a member's word, beside the name of one who resets the barrier: it stands for a dead member.
const FORGIVING: u32 = 1 << 31;

/// See the [module](self). `N`: the most parties.
#[derive(Debug)]
#[repr(C)]
pub struct Barrier<P: Platform, const N: usize> {
    state: P::Word,
    parties: P::Word,
    members: [P::Word; N],
    arrivals: [P::Long; N],
}

/// What a wait came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passed {
    /// All have arrived; somebody else has ended the generation.
    Follower {
        /// Another for each of the parties, below their number.
        index: usize,
    },
    /// All have arrived, and the caller was the one to see it first.
    Leader {
        /// As the follower's.
        index: usize,
    },
    /// All have arrived, and wait until the caller, who asked for it, has run the action and says so:
    /// [`Barrier::finish`], or [`Barrier::abort`].
    Runner {
        /// As the follower's.
        index: usize,
        /// What to say it with.
        generation: u16,
    },
}

/// Not all of them met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failed {
    /// The barrier is broken: somebody died, gave up, or said so.
    Broken {
        /// One of them that has died, where there is one.
        died: Option<Id>,
    },
    /// They did not meet until the deadline. Unless the caller could not even arrive, the barrier is broken now.
    TimedOut,
}

/// Every place for a member is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full;

/// What an attempt to arrive came to.
enum Arrived {
    At(usize),
    /// All arrivals of this generation are there.
    Full,
    /// The generation has ended.
    Late,
}

/// What a look at arrivals and members came to.
struct Survey {
    all_there: bool,
    died: Option<Id>,
}

impl<P: Platform, const N: usize> Barrier<P, N> {
    /// A barrier of these words: all zero, and the number of parties; 0 is `N` parties.
    pub const fn from_parts(state: P::Word, parties: P::Word, members: [P::Word; N], arrivals: [P::Long; N]) -> Self {
        Self { state, parties, members, arrivals }
    }

    /// How many must meet.
    pub fn parties(&self) -> usize {
        // ORDERING: Relaxed; written before anybody else sees the barrier.
        match self.parties.load(Relaxed) as usize {
            parties if (1..N).contains(&parties) => parties,
            _ => N,
        }
    }

    fn state(&self) -> State {
        // ORDERING: Acquire. Pairs with the Release of a trip: who has waited sees what all others wrote before they
        // arrived. And of a reset: the dead members that it forgave are not seen any more. Models:
        // `barrier::a_trip_acquires`, `barrier::a_reset_forgives_dead_members`.
        State(self.state.load(Acquire))
    }

    /// Waits until all parties have arrived, but not longer than until `deadline` ([`Platform::now`]'s clock; `None`: for ever), at
    /// which the barrier is broken. With `has_action`, one of those that come so is [`Passed::Runner`] before all are released.
    ///
    /// # Errors
    /// [`Failed`].
    ///
    /// # If a process dies
    /// One that has arrived, a member, or the runner: the barrier is broken, for all. One that has been released: nothing.
    pub fn wait(
        &self,
        me: &Participant<'_, P>,
        deadline: Option<Duration>,
        has_action: bool,
    ) -> Result<Passed, Failed> {
        let mut vigil = Vigil::new(me, deadline);
        let mut spins = P::SPINS;
        let mut place = None; // where we have arrived, and in which generation
        let mut in_order = false; // invariant 3: the state word was changed since
        loop {
            let seen = self.state();
            let generation = seen.generation();
            match place {
                Some((index, arrived)) => match seen.end_of(arrived) {
                    Some(End::Tripped) => return Ok(Passed::Follower { index }),
                    Some(End::Broken) => return Err(self.told(me, arrived, self.why_broken(me, arrived))),
                    None => {}
                },
                None if seen.has(BROKEN) => return Err(self.why_broken(me, generation)),
                None => match self.arrive(me, generation) {
                    Arrived::At(index) => place = Some((index, generation)),
                    Arrived::Full => {}
                    Arrived::Late => continue,
                },
            }
            let survey = self.survey(me, generation);
            if survey.died.is_some() {
                if self.end(seen, seen.broken()) {
                    return Err(self.told(me, generation, Failed::Broken { died: survey.died }));
                }
                continue;
            }
            if let (true, Some((index, _)), false) = (survey.all_there, place, seen.has(RUNNING)) {
                if !self.start_or_trip(seen, has_action) {
                    continue;
                }
                return Ok(if has_action { Passed::Runner { index, generation } } else { Passed::Leader { index } });
            }
            if spins > 0 && !in_order {
                // EQUIVALENT(comparison#1 taken as equal; load#1 not repeated): the count ends it in any case.
                while spins > 0 && self.state.load(Relaxed) == seen.0 {
                    spins -= 1;
                    P::spin();
                }
                continue;
            }
            if !in_order || !seen.has(WAITERS) {
                // ORDERING: Release. Two who arrive at last each write an arrival and read the other's. Who comes second
                // here, and then reads the state with Acquire, sees what the first wrote before it came here: its arrival.
                // Model: `barrier::two_meet_or_learn_that_they_do_not`.
                let noted = self.state.compare_exchange(seen.0, seen.0 | WAITERS, Release, Relaxed).is_ok();
                in_order |= noted && place.is_some();
                // EQUIVALENT(look no look between the arrival in order and the sleep): a vigil's first sleep is none, or a short one;
                // after it comes a look.
                if place.is_some() || !noted {
                    continue;
                }
            }
            if vigil.sleep(&self.state, seen.0 | WAITERS, None) == Slept::TimedOut {
                if place.is_none() {
                    // Nothing is withdrawn: an arrival of this thread's, whose action called us, stands.
                    return Err(Failed::TimedOut);
                }
                if self.end(seen, seen.broken()) {
                    return Err(self.told(me, generation, Failed::TimedOut));
                }
            }
        }
    }

    /// Writes the caller's arrival into a free place of this generation.
    fn arrive(&self, me: &Participant<'_, P>, generation: u16) -> Arrived {
        let parties = self.parties();
        let mine = Arrival::of(generation, me.id);
        for index in (0..parties).map(|i| (me.id.index() + i) % parties) {
            let place = &self.arrivals[index];
            loop {
                // ORDERING: Acquire. Pairs with the Release of an arrival: if it is of a later generation, so is the state
                // that is read after it; and if its owner is judged, see `Table::is_alive`.
                let seen = Arrival(place.load(Acquire));
                if seen.is_in(generation) {
                    break;
                }
                // What seems to be later than the state itself was never written by this code, and counts as free.
                if seen.is_after(generation) && self.state().generation() != generation {
                    return Arrived::Late;
                }
                // ORDERING: Release. Pairs with the Acquire in `survey`: who sees all arrivals, and releases their
                // owners, passes on what they wrote. Model: `barrier::a_trip_publishes`.
                if place.compare_exchange(seen.0, mine.0, Release, Relaxed).is_ok() {
                    return Arrived::At(index);
                }
            }
        }
        Arrived::Full
    }

    /// Looks whether all arrivals of this generation are there, and their owners and all members alive.
    fn survey(&self, me: &Participant<'_, P>, generation: u16) -> Survey {
        let is_dead = |id: &Id| *id != me.id && !me.table.is_alive(*id);
        let mut survey = Survey { all_there: true, died: None };
        for place in &self.arrivals[..self.parties()] {
            let arrival = Arrival(place.load(Acquire)); // ORDERING: as in `arrive`.
            if arrival.is_in(generation) {
                // Once more if it is dead: it may have been told that the barrier is broken, and have died since.
                // ORDERING: Relaxed; what the dead wrote was seen with its mark.
                let is_missed = |id: &Id| is_dead(id) && place.load(Relaxed) == arrival.0;
                survey.died = survey.died.or(arrival.id().filter(is_missed));
            } else {
                survey.all_there = false;
            }
        }
        for place in &self.members {
            let member = place.load(Acquire); // ORDERING: as `Table::is_alive` wants it.
            // Once more, as above: it may have left, and have died since. Model: `barrier::a_former_member_is_not_missed`.
            let is_missed = |id: &Id| is_dead(id) && place.load(Relaxed) == member;
            survey.died = survey.died.or(Id::holder_in(member).filter(is_missed));
        }
        survey
    }

    fn why_broken(&self, me: &Participant<'_, P>, generation: u16) -> Failed {
        Failed::Broken { died: self.survey(me, generation).died }
    }

    /// Withdraws the caller's arrival in a generation that is broken, so that nobody takes its later death for the cause.
    fn told(&self, me: &Participant<'_, P>, generation: u16, failed: Failed) -> Failed {
        self.withdraw(me.id, generation);
        failed
    }

    /// Withdraws an arrival in a generation that is broken.
    pub fn withdraw(&self, id: Id, generation: u16) {
        let mine = Arrival::of(generation, id);
        for place in &self.arrivals[..self.parties()] {
            // ORDERING: Relaxed; it matters to those alone who see its owner dead.
            // EQUIVALENT(comparison#1 taken as equal): the exchange compares once more; without the look it would fetch each line to write.
            if place.load(Relaxed) == mine.0 {
                let _taken_by_a_later_one = place.compare_exchange(mine.0, mine.told().0, Relaxed, Relaxed);
            }
        }
    }

    /// All are there: begins the action, or releases them. False if the state has changed.
    fn start_or_trip(&self, seen: State, has_action: bool) -> bool {
        if has_action {
            // ORDERING: Relaxed; the runner has seen all arrivals with Acquire, and `finish` releases.
            self.state.compare_exchange(seen.0, seen.0 | RUNNING, Relaxed, Relaxed).is_ok()
        } else {
            self.end(seen, seen.next(End::Tripped))
        }
    }

    /// Replaces the state that was seen, and wakes all. False if it has changed.
    fn end(&self, seen: State, new: State) -> bool {
        // ORDERING: Release. Pairs with the Acquire in `state`.
        let ended = self.state.compare_exchange(seen.0, new.0, Release, Relaxed).is_ok();
        if ended && seen.has(WAITERS) {
            P::wake(&self.state, u32::MAX);
        }
        ended
    }

    /// The runner's action is done: releases all.
    ///
    /// # Errors
    /// [`Failed::Broken`] if the barrier was broken meanwhile.
    ///
    /// # If a process dies
    /// As [`wait`](Self::wait).
    pub fn finish(&self, me: &Participant<'_, P>, generation: u16) -> Result<(), Failed> {
        loop {
            let seen = self.state();
            if seen.end_of(generation).is_some() {
                return Err(self.told(me, generation, self.why_broken(me, generation)));
            }
            let died = self.survey(me, generation).died;
            let new = if died.is_some() { seen.broken() } else { seen.next(End::Tripped) };
            if self.end(seen, new) {
                let broken = Failed::Broken { died };
                return if died.is_some() { Err(self.told(me, generation, broken)) } else { Ok(()) };
            }
        }
    }

    /// Breaks the barrier: all who wait, and all who come, are told, until a [`reset`](Self::reset). `only`: nothing happens if it
    /// is in another generation.
    ///
    /// # If a process dies
    /// The caller, before the state is written: nothing has happened. After it, before the wake: the sleepers look, and see it.
    pub fn abort(&self, only: Option<u16>) {
        loop {
            let seen = self.state();
            let is_over = seen.has(BROKEN) || only.is_some_and(|generation| generation != seen.generation());
            if is_over || self.end(seen, seen.broken()) {
                return;
            }
        }
    }

    /// Begins a new generation. Those who wait in this one are told that it is broken, members that have died are none any more.
    ///
    /// # If a process dies
    /// The caller, anywhere: the barrier is as before, or broken, or reset.
    pub fn reset(&self, me: &Participant<'_, P>) {
        let generation = self.state().generation();
        let ours = me.id.word() | FORGIVING;
        let mut has_forgiven = false;
        loop {
            let seen = self.state();
            // Somebody else has reset it, or it has tripped: it is new. But one whom we have forgiven may have died since, and be
            // waited for: then it is reset once more.
            if seen.generation() != generation && !has_forgiven {
                return;
            }
            // ORDERING: Acquire, as `Table::is_alive` wants it.
            let named = self.members.iter().map(|member| (member, member.load(Acquire)));
            let is_dead = |word: u32| Id::holder_in(word).is_some_and(|id| id != me.id && !me.table.is_alive(id));
            let mut dead = named.filter(|(_, word)| is_dead(*word)).peekable();
            if dead.peek().is_some() && !seen.has(BROKEN) {
                // Broken first: a member that is forgiven while others wait for it would never be missed by them.
                self.end(seen, seen.broken());
                continue;
            }
            for (member, word) in dead {
                // Our name stands for it until it is certain that nobody waits for it: if we die over it, we are missed instead.
                // ORDERING: Relaxed; goes to others with the new generation. If it fails, it was forgiven already.
                // Model: `barrier::two_resets_forgive_nobody_who_is_waited_for`.
                has_forgiven |= member.compare_exchange(word, ours, Relaxed, Relaxed).is_ok();
            }
            self.forget_old_arrivals(seen.generation());
            if self.end(seen, seen.next(End::Broken)) {
                break;
            }
        }
        for member in self.members.iter().filter(|_| has_forgiven) {
            // ORDERING: Relaxed; nobody waits for it.
            let _not_ours = member.compare_exchange(ours, 0, Relaxed, Relaxed);
        }
    }

    /// A trip replaces all arrivals, a reset none: those that a row of resets leaves behind must not be met again when the
    /// generations have come round.
    fn forget_old_arrivals(&self, generation: u16) {
        for place in &self.arrivals[..self.parties()] {
            // ORDERING: Relaxed for both; it counts in no generation before this and after.
            let arrival = Arrival(place.load(Relaxed));
            if arrival.is_long_before(generation) {
                let _replaced = place.compare_exchange(arrival.0, arrival.told().0, Relaxed, Relaxed);
            }
        }
    }

    /// Whether it is broken at the moment.
    pub fn is_broken(&self) -> bool {
        self.state().has(BROKEN)
    }

    /// Who has arrived, and waits for the others; if it is broken, who has not been told yet, or has died.
    pub fn arrived(&self) -> impl Iterator<Item = Id> + '_ {
        let generation = self.state().generation();
        // ORDERING: Relaxed; what may be otherwise when it is read.
        let arrivals = self.arrivals[..self.parties()].iter().map(|place| Arrival(place.load(Relaxed)));
        arrivals.filter(move |arrival| arrival.is_in(generation)).filter_map(Arrival::id)
    }

    /// Makes the caller a member. Gives its place, for [`leave`](Self::leave).
    ///
    /// # Errors
    /// [`Full`] if there are as many as parties, dead ones included.
    pub fn join(&self, me: &Participant<'_, P>) -> Result<usize, Full> {
        let places = self.members[..self.parties()].iter();
        // ORDERING: Relaxed; who reads the name needs no more than the registration before it (`Table::is_alive`).
        let mut free = places.map(|word| word.compare_exchange(0, me.id.word(), Relaxed, Relaxed).is_ok());
        free.position(|taken| taken).ok_or(Full)
    }

    /// Makes a member none, if it is still `me`.
    pub fn leave(&self, me: Id, place: usize) {
        if let Some(word) = self.members.get(place) {
            // ORDERING: Relaxed; nobody waits for it.
            let _forgiven_before = word.compare_exchange(me.word(), 0, Relaxed, Relaxed);
        }
    }
}

#[cfg(test)]
mod tests;
