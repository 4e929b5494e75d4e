//! A barrier: its parties meet, in one generation after the other, or all learn that they do not.
//!
//! # Words
//!
//! - The **state**: the [generation](super::generation) and its flags. A trip, a break and a reset
//!   are one CAS on it each.
//! - The **sequence**: what sleepers sleep on. It changes after the state has, if anybody sleeps,
//!   and after a place has become free that somebody wants.
//! - The [**places**](super::places), one for each party: who waits, in which generation, and
//!   whether that has tripped.
//! - The **members** (a hold, one for each party): who has declared to come, so that its death
//!   counts even before it arrives.
//!
//! # Invariants
//!
//! 1. A generation trips by the CAS that sets TRIPPING, after all places were seen to be those of
//!    its waiters, and these and all members to be alive. A broken one does not trip.
//! 2. The next generation begins when all places are stamped. Whoever sees TRIPPING stamps what is
//!    left: nobody waits for a leader that has died, or is stopped.
//! 3. A place is left by its waiter, which knows its verdict then. Others take it only if the
//!    waiter is dead, or if its generation is over and the place has no stamp.
//! 4. An arrival is a CAS on a place as it was seen while its generation was open. A place that was
//!    used in the generation since looks different. So nobody arrives in a generation that has
//!    tripped.
//! 5. A waiter that sleeps has arrived, then exchanged the state (with itself at least), then
//!    looked at all places. These exchanges are in one order. So the last of the parties sees all
//!    arrivals, and ends the generation, or dies named by its place.
//! 6. A sleeper has read the sequence, then found its flag set (WAITERS in the state, or WANTED in
//!    a place) and nothing to be done. Whoever clears the flag changes the sequence after that.
//! 7. Of one party, whoever comes without an action ends the generation by one CAS, and needs no
//!    place. So a thread that has taken the place for its action may find its generation over, and
//!    itself not counted: it comes again, as if it had come later.
//!
//! # The verdict
//!
//! A waiter reads it from its own place, after the state. A stamp: its generation has tripped. No
//! stamp, and the generation is broken or over: it has not (2). The place is another's: it has not
//! (3). So each waiter is told the outcome of its own generation, however long it stalls, and
//! whatever happens meanwhile.
//!
//! # More threads than parties
//!
//! A thread that finds no place sleeps without one. A trip needs all places, and a waiter of the
//! last tripped generation keeps its place up to its verdict: one generation is drained before the
//! next one trips. So a waiter that is *stopped* then holds up whoever needs its place. With no
//! more threads than parties, these are waiting for that very thread.
//!
//! # Withdrawing
//!
//! A waiter that is interrupted takes its arrival back. It does that in three steps, each of them
//! one CAS: it marks its own place, changes the state (which counts those that withdraw), and
//! leaves the place.
//!
//! - A trip looks at the places between a look at the state and its CAS. If it has seen the place
//!   before the mark, and its CAS comes first, all have met: the waiter finds that, and is told so.
//!   If the change of the state comes first, the CAS of the trip fails, and it looks again.
//! - Between the first step and the last the place is the waiter's (3): nobody else has been
//!   counted in its stead when it finds that all have met. Its death counts as one of a waiter.
//! - Those that sleep without a place are told when it is free.
//!
//! While the action runs all have met, and nobody withdraws: an interruption waits until the action
//! is done. After an interruption the waiter comes as anew: there is no turn to be lost.
//!
//! A waiter that is *stopped* between the first step and the last holds up others as in
//! [the section before](#more-threads-than-parties).
//!
//! # What wraps
//!
//! Generations, after 2^32 trips and resets (2^`BITS`). No verdict depends on that. A thread that
//! acts on a state or a place that it has read (it arrives, trips, breaks or resets) must not stall
//! just before the CAS while that many generations pass, or a multiple of it.
//!
//! The sequence, after 2^31 changes. A sleeper that stalls just before its sleep while that many
//! pass sleeps up to the next change or [recheck](Platform::recheck). Its verdict is the same.

use super::generation::{BROKEN, RUNNING, State, TRIPPING, WAITERS, sequence_after};
use super::hold::Id;
use super::places::{Arrival, Arrived, Mine, Places, Survey};
use super::table::Participant;
use super::vigil::{Ended, Vigil};
use crate::platform::{Platform, Word, Word64};
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use core::time::Duration;

/// In a member's word, beside the name of a participant that resets the barrier: that one stands
/// for a dead member.
const FORGIVING: u32 = 1 << 31;

/// See the [module](self). `N`: the most parties. `BITS`: those of a generation's number, 2 to 32.
#[derive(Debug)]
#[repr(C)]
pub struct Barrier<P: Platform, const N: usize, const BITS: u32 = 32> {
    state: P::Word64,
    sequence: P::Word,
    parties: P::Word,
    members: [P::Word; N],
    places: [P::Word64; N],
}

/// What a wait came to: all have arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passed {
    /// Somebody else has ended the generation.
    Follower {
        /// Another for each of those that met, below the number of parties.
        index: usize,
        /// The generation in which they met.
        generation: u32,
    },
    /// The caller has ended the generation.
    Leader {
        /// As the follower's.
        index: usize,
        /// As the follower's.
        generation: u32,
    },
    /// All wait for the caller to run the action, which it asked for, and to say so:
    /// [`Barrier::finish`], or [`Barrier::give_up`].
    Runner {
        /// As the follower's.
        index: usize,
        /// What to say it with.
        generation: u32,
    },
}

/// Not all of them met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotPassed {
    /// The barrier is broken: somebody died, gave up, or said so.
    Broken {
        /// One of them that has died, where there is one.
        died: Option<Id>,
    },
    /// They had not all met by the deadline. The barrier is broken now, unless the caller had no
    /// place.
    TimedOut,
    /// They had not all met when the caller was [interrupted](crate::interruptible). It has
    /// [withdrawn](self#withdrawing); the barrier is not broken.
    Interrupted,
}

/// Every place for a member is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotJoined;

impl<P: Platform, const N: usize, const BITS: u32> Barrier<P, N, BITS> {
    /// A barrier of these words: all zero, and the number of parties; 0 is `N` parties.
    pub const fn from_parts(
        state: P::Word64,
        sequence: P::Word,
        parties: P::Word,
        members: [P::Word; N],
        places: [P::Word64; N],
    ) -> Self {
        Self { state, sequence, parties, members, places }
    }

    /// How many must meet.
    pub fn parties(&self) -> usize {
        // ORDERING: Relaxed; written before anybody else sees the barrier.
        match self.parties.load(Relaxed) as usize {
            parties if (1..N).contains(&parties) => parties,
            _ => N,
        }
    }

    /// The members' words that are in use: one for each party.
    fn members(&self) -> &[P::Word] {
        &self.members[..self.parties()]
    }

    fn places(&self) -> Places<'_, P, BITS> {
        Places(&self.places[..self.parties()])
    }

    fn state(&self) -> State<BITS> {
        // ORDERING: Acquire. Pairs with the Release of a trip: who stamps has seen all arrivals. Of
        // the next generation: who sees it sees all stamps. And of a reset: the dead members that
        // it forgave are not seen any more. Models: `barrier::a_trip_acquires`,
        // `barrier::a_reset_forgives_dead_members`.
        State(self.state.load(Acquire))
    }

    /// The state, when no trip is left half done.
    fn settled(&self) -> State<BITS> {
        loop {
            let seen = self.state();
            if !seen.has(TRIPPING) {
                return seen;
            }
            self.settle(seen, 0);
        }
    }

    /// The state, read after a place: no older than what the place was last changed for.
    fn state_now(&self) -> State<BITS> {
        State(self.state.load(Relaxed)) // ORDERING: Relaxed; the place was read with Acquire.
    }

    /// Waits for all parties to arrive, but not beyond the `deadline` ([`Platform::now`]'s clock;
    /// `None`: forever), at which the barrier is broken. With `has_action`, one of those that come
    /// so is [`Passed::Runner`] before all are released.
    ///
    /// # Errors
    /// [`NotPassed`].
    ///
    /// # If a process dies
    /// A waiter, a member, or the runner: the barrier is broken, for all. A waiter whose generation
    /// has tripped: nothing.
    pub fn wait(
        &self,
        me: Participant<'_, P>,
        deadline: Option<Duration>,
        has_action: bool,
    ) -> Result<Passed, NotPassed> {
        let mut vigil = None;
        let mut spins = P::SPINS;
        let mut mine: Option<Arrival> = None;
        let mut in_order = false; // invariant 5: the state was exchanged since the caller came here
        loop {
            // ORDERING: Acquire. Pairs with the Release of the change: who reads new sequence sees
            // what is new. Model: `barrier::two_meet_or_learn_that_they_do_not`.
            let sequence = self.sequence.load(Acquire);
            let seen = self.state();
            if let Some(verdict) = mine.and_then(|arrival| self.verdict(me, seen, arrival)) {
                // Of one party: another came meanwhile, and needed no place (invariant 7).
                if self.parties() == 1 && verdict.is_err() && !seen.has(BROKEN) {
                    mine = None;
                    continue;
                }
                return verdict;
            }
            if seen.has(TRIPPING) {
                self.settle(seen, mine.map_or(0, |arrival| arrival.index));
                continue;
            }
            let generation = seen.generation();
            if mine.is_none() {
                if seen.has(BROKEN) {
                    return Err(self.why_broken(me, generation));
                }
                if !has_action && self.parties() == 1 && !seen.has(RUNNING) && self.dead_member(me).is_none() {
                    if self.end(seen, seen.next()) {
                        return Ok(Passed::Leader { index: 0, generation });
                    }
                    continue;
                }
                match self.places().take(me, generation, || self.state_now().is_open_in(generation)) {
                    Arrived::At(index) => {
                        mine = Some(Arrival { index, generation, id: me.id });
                        in_order = false;
                    }
                    Arrived::Full => {}
                    Arrived::Late => continue,
                }
            }
            let survey = self.survey(me, generation);
            if survey.died.is_some() {
                if self.end(seen, seen.broken()) {
                    return Err(self.departing(mine, NotPassed::Broken { died: survey.died }));
                }
                continue;
            }
            if let (true, Some(arrival), false) = (survey.all_there, mine, seen.has(RUNNING)) {
                let Arrival { index, .. } = arrival;
                if has_action && self.start(seen) {
                    return Ok(Passed::Runner { index, generation });
                }
                if !has_action && self.trip(seen, arrival) {
                    return Ok(Passed::Leader { index, generation });
                }
                continue;
            }
            if spins > 0 && !in_order {
                // EQUIVALENT(comparison#1 taken as equal; load#2 not repeated): the count ends it
                // in any case.
                while spins > 0 && self.state.load(Relaxed) == seen.0 {
                    spins -= 1;
                    P::spin();
                }
                continue;
            }
            if !in_order || !seen.has(WAITERS) {
                // ORDERING: Release. Two that arrive at last each write a place and read the
                // other's. Who comes second here, and then reads the state with Acquire, sees what
                // the first wrote before it came here: its arrival. Model:
                // `barrier::two_meet_or_learn_that_they_do_not`.
                in_order |= self.state.compare_exchange(seen.0, seen.0 | WAITERS, Release, Relaxed).is_ok();
                continue;
            }
            let vigil = vigil.get_or_insert_with(|| Vigil::new(me, deadline));
            // Where all have met, and wait for the action, the caller cannot withdraw.
            vigil.set_interruptible(mine.is_none() || !seen.has(RUNNING));
            match (vigil.sleep(&self.sequence, sequence, None), mine) {
                // Nothing is left: a place of this thread's, whose action called us, stands.
                (Err(Ended::TimedOut), None) => return Err(NotPassed::TimedOut),
                (Err(Ended::TimedOut), Some(_)) if self.end(seen, seen.broken()) => {
                    return Err(self.departing(mine, NotPassed::TimedOut));
                }
                (Err(Ended::Interrupted), None) => return Err(NotPassed::Interrupted),
                (Err(Ended::Interrupted), Some(arrival)) if self.withdraw(arrival) => {
                    return Err(NotPassed::Interrupted);
                }
                (Ok(()) | Err(_), _) => {}
            }
        }
    }

    /// What the caller's own place says, if its generation has ended.
    fn verdict(&self, me: Participant<'_, P>, seen: State<BITS>, mine: Arrival) -> Option<Result<Passed, NotPassed>> {
        let Arrival { index, generation, .. } = mine;
        match self.places().find(mine) {
            Mine::Tripped => {
                self.depart(mine);
                Some(Ok(Passed::Follower { index, generation }))
            }
            Mine::Waiting if seen.generation() == generation && !seen.has(BROKEN) => None,
            Mine::Waiting | Mine::Lost => Some(Err(self.departing(Some(mine), self.why_broken(me, generation)))),
        }
    }

    /// Looks whether all waiters of this generation are there, and they and all members alive.
    fn survey(&self, me: Participant<'_, P>, generation: u32) -> Survey {
        let mut survey = self.places().survey(me, generation);
        survey.died = survey.died.or_else(|| self.dead_member(me));
        survey
    }

    fn dead_member(&self, me: Participant<'_, P>) -> Option<Id> {
        for place in self.members() {
            let member = place.load(Acquire); // ORDERING: as `Table::is_alive` wants it.
            // Once more if it is dead: it may have left, and have died since.
            // ORDERING: Relaxed; what the dead wrote was seen with its mark.
            // Model: `barrier::a_former_member_is_not_missed`.
            let is_missed = |id: &Id| *id != me.id && !me.table.is_alive(*id) && place.load(Relaxed) == member;
            let missed = Id::holder_in(member).filter(is_missed);
            if missed.is_some() {
                return missed;
            }
        }
        None
    }

    fn why_broken(&self, me: Participant<'_, P>, generation: u32) -> NotPassed {
        NotPassed::Broken { died: self.survey(me, generation).died }
    }

    /// Leaves the caller's place in a generation that has not tripped: nobody takes its later death
    /// for the cause.
    fn departing(&self, mine: Option<Arrival>, failed: NotPassed) -> NotPassed {
        if let Some(mine) = mine {
            self.depart(mine);
        }
        failed
    }

    fn depart(&self, mine: Arrival) {
        if self.places().leave(mine) {
            self.announce();
        }
    }

    /// Takes the caller's arrival back, as if it had not come. False if its generation has ended
    /// meanwhile, or all have met and one runs the action.
    #[cold]
    fn withdraw(&self, mine: Arrival) -> bool {
        if !self.places().begin_to_withdraw(mine) {
            return false;
        }
        loop {
            let seen = self.state();
            if !seen.is_open_in(mine.generation) || seen.has(RUNNING) {
                self.places().stay(mine);
                return false;
            }
            // ORDERING: Release. Pairs with the Acquire in `state`: one that looks at the places
            // after it finds that the caller withdraws. One that has looked before finds another
            // state. Model: `barrier::one_that_withdraws_comes_again`.
            if self.state.compare_exchange(seen.0, seen.one_withdrawn().0, Release, Relaxed).is_ok() {
                break;
            }
        }
        self.places().withdraw(mine);
        self.announce(); // one may sleep that has found no place
        true
    }

    /// All are there: the caller runs the action. False if the state has changed.
    fn start(&self, seen: State<BITS>) -> bool {
        // ORDERING: Relaxed; the runner has seen all arrivals with Acquire, and `finish` releases.
        self.state.compare_exchange(seen.0, seen.0 | RUNNING, Relaxed, Relaxed).is_ok()
    }

    /// All are there: the generation trips. False if the state has changed.
    fn trip(&self, seen: State<BITS>, mine: Arrival) -> bool {
        // ORDERING: Release. Pairs with the Acquire in `state`.
        let has_tripped = self.state.compare_exchange(seen.0, seen.tripping().0, Release, Relaxed).is_ok();
        if has_tripped {
            self.depart(mine);
            self.settle(seen.tripping(), mine.index);
        }
        has_tripped
    }

    /// Stamps the places of the generation that has tripped, this one first, and begins the next.
    fn settle(&self, tripping: State<BITS>, first: usize) {
        self.places().stamp(tripping.generation(), first);
        self.end(tripping, tripping.next());
    }

    /// Replaces the state that was seen, and wakes all. False if it has changed.
    fn end(&self, seen: State<BITS>, new: State<BITS>) -> bool {
        // ORDERING: Release. Pairs with the Acquire in `state`.
        let ended = self.state.compare_exchange(seen.0, new.0, Release, Relaxed).is_ok();
        if ended && seen.has(WAITERS) {
            self.announce();
        }
        ended
    }

    /// Makes all sleepers look.
    fn announce(&self) {
        let mut seen = self.sequence.load(Relaxed);
        // ORDERING: Release. Pairs with the Acquire in `wait`.
        while let Err(now) = self.sequence.compare_exchange(seen, sequence_after(seen), Release, Relaxed) {
            seen = now;
        }
        P::wake(&self.sequence, u32::MAX);
    }

    /// The runner's action is done: releases all.
    ///
    /// # Errors
    /// [`NotPassed::Broken`] if the barrier was broken meanwhile.
    ///
    /// # If a process dies
    /// As [`wait`](Self::wait).
    pub fn finish(&self, me: Participant<'_, P>, generation: u32) -> Result<(), NotPassed> {
        let mine = self.places().arrival_of(me.id, generation);
        loop {
            let seen = self.state();
            // Its own place too: others may have it, and run in a generation of the same number.
            let runs = mine.filter(|mine| seen.is_running_in(generation) && self.places().find(*mine) == Mine::Waiting);
            let Some(runner) = runs else {
                return Err(self.departing(mine, self.why_broken(me, generation)));
            };
            let died = self.survey(me, generation).died;
            if died.is_some() && self.end(seen, seen.broken()) {
                return Err(self.departing(mine, NotPassed::Broken { died }));
            }
            if died.is_none() && self.trip(seen, runner) {
                return Ok(());
            }
        }
    }

    /// The runner will not say that its action is done: breaks the barrier, if it was not broken
    /// meanwhile.
    ///
    /// # If a process dies
    /// As [`abort`](Self::abort).
    pub fn give_up(&self, id: Id, generation: u32) {
        let Some(runner) = self.places().arrival_of(id, generation) else { return };
        loop {
            let seen = self.state();
            if !seen.is_running_in(generation) || self.end(seen, seen.broken()) {
                return self.depart(runner);
            }
        }
    }

    /// Breaks the barrier: all that wait, and all that come, are told, up to a
    /// [`reset`](Self::reset).
    ///
    /// # If a process dies
    /// The caller, before the state is written: nothing has happened. After it, before the wake:
    /// the sleepers look, and see it.
    pub fn abort(&self) {
        loop {
            let seen = self.settled();
            if seen.has(BROKEN) || self.end(seen, seen.broken()) {
                return;
            }
        }
    }

    /// Begins a new generation. Those that wait in this one are told that it is broken; members
    /// that have died are none any more.
    ///
    /// # If a process dies
    /// The caller, anywhere: the barrier is as before, or broken, or reset.
    pub fn reset(&self, me: Participant<'_, P>) {
        let generation = self.settled().generation();
        let ours = me.id.word() | FORGIVING;
        let mut has_forgiven = false;
        loop {
            let seen = self.settled();
            // Somebody else has reset it, or it has tripped: it is new. But a participant that
            // stands for a dead member, ourselves, may be waited for by then: then it is reset once
            // more.
            if seen.generation() != generation && !has_forgiven {
                return;
            }
            // ORDERING: Relaxed. A living member that is judged dead so costs a break of a
            // generation that this reset ends in any case; `inherit` judges once more, with
            // Acquire.
            let named = self.members().iter().map(|member| (member, member.load(Relaxed)));
            let is_dead = |word: u32| Id::holder_in(word).is_some_and(|id| id != me.id && !me.table.is_alive(id));
            let mut dead = named.filter(|(_, word)| is_dead(*word)).peekable();
            if dead.peek().is_some() && !seen.has(BROKEN) {
                // Broken first: a member that is forgiven while others wait for it would never be
                // missed.
                self.end(seen, seen.broken());
                continue;
            }
            for (member, word) in dead {
                // Our name stands for it as long as somebody may wait for it: if we die over it, we
                // are missed.
                // ORDERING: Relaxed; goes to others with the new generation. If it fails, it was
                // forgiven already. Model: `barrier::two_resets_forgive_nobody_who_is_waited_for`.
                let forgive = || member.compare_exchange(word, ours, Relaxed, Relaxed).is_ok();
                has_forgiven |= me.inherit(member, word, forgive);
            }
            let now = seen.generation();
            self.places().forget_the_long_gone(now, || self.state_now().generation() == now);
            if self.end(seen, seen.next()) {
                break;
            }
        }
        for member in self.members().iter().filter(|_| has_forgiven) {
            // ORDERING: Relaxed; nobody waits for it.
            let _not_ours = member.compare_exchange(ours, 0, Relaxed, Relaxed);
        }
    }

    /// Whether it is broken at the moment.
    pub fn is_broken(&self) -> bool {
        self.state().has(BROKEN)
    }

    /// Who has arrived, and waits for the others; if it is broken, who has not been told yet, or
    /// has died.
    pub fn arrived(&self) -> impl Iterator<Item = Id> + '_ {
        let seen = self.state();
        // Those of a generation that has tripped wait no more, even before their places are
        // stamped.
        let waiters = (!seen.has(TRIPPING)).then(|| self.places().waiters(seen.generation()));
        waiters.into_iter().flatten()
    }

    /// Makes the caller a member. Gives its place, for [`leave`](Self::leave).
    ///
    /// # Errors
    /// [`NotJoined`] if there are as many as parties, dead ones included.
    pub fn join(&self, me: Participant<'_, P>) -> Result<usize, NotJoined> {
        let places = self.members().iter();
        // ORDERING: Relaxed; who reads the name needs no more than the registration before it
        // (`Table::is_alive`).
        let mut free = places.map(|word| word.compare_exchange(0, me.id.word(), Relaxed, Relaxed).is_ok());
        free.position(|taken| taken).ok_or(NotJoined)
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
#[cfg(test)]
mod waits;
