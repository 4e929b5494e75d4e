//! A barrier: its parties meet, in one generation after the other. If they do not meet, all of them
//! learn that.
//!
//! # Words
//!
//! - The **state**: the [generation](super::generation) and its flags. A trip is one CAS on the
//!   state, and so is a break, and a reset.
//! - The **sequence**: the word on which waiters sleep. If anybody sleeps, it changes after a
//!   break, and after the beginning of a generation. It also changes after a withdrawal, and after
//!   a place has become free that another thread wants.
//! - The [**places**](super::places), one for each party: which participant waits, in which
//!   generation, and whether that generation has tripped.
//! - The **members** (a hold, one for each party): the participants that have declared to come.
//!   The death of a member counts even before it arrives.
//!
//! # Invariants
//!
//! 1. A generation trips by the CAS that sets TRIPPING. Before that CAS, the tripping thread found
//!    a waiter of the generation in each place. It found all of these waiters and all members
//!    alive. A broken generation does not trip.
//! 2. After a trip each place gets a stamp, from which its waiter learns that the generation has
//!    tripped. The next generation begins when all places are stamped. Every thread that finds
//!    TRIPPING stamps the rest. So nobody waits for a leader that has died or is stopped.
//! 3. A waiter leaves its place when it knows its verdict. Others take the place only if the waiter
//!    is dead, or if its generation is over and the place has no stamp.
//! 4. An arrival is a CAS on a place. It expects a value that the place had while the generation
//!    was open. A trip needs a waiter in each place, and afterwards no place has such a value again
//!    (see [places](super::places)). So nobody arrives in a generation that has tripped.
//! 5. A waiter that sleeps has first arrived, then written the state by a CAS (perhaps the same
//!    value again), and then checked all places. These writes have one order. So the party whose
//!    write is the last finds all arrivals. It then ends the generation. If it dies before that,
//!    its place names it.
//! 6. A sleeper has first read the sequence. After that it found nothing to do, and the flag of its
//!    kind set: WAITERS in the state, or WANTED in a place. The thread that clears the flag changes
//!    the sequence afterwards.
//! 7. A barrier of one party: a thread without an action ends the generation by one CAS, and needs
//!    no place. So a thread that has taken the place for its action may find that the generation is
//!    over and that it was not counted. It then arrives anew, as if it had come later.
//!
//! # The verdict
//!
//! A waiter reads the state, and then its own place.
//!
//! - A stamp: the generation has tripped.
//! - No stamp, and the generation is broken or over: it has not tripped (invariant 2).
//! - The place is another waiter's: the generation has not tripped (invariant 3).
//!
//! So each waiter learns the outcome of its own generation, however long it stalls, and whatever
//! happens meanwhile.
//!
//! # More threads than parties
//!
//! A thread that finds no place sleeps without one. A trip needs all places, and a waiter of the
//! last tripped generation keeps its place up to its verdict. So one generation is drained before
//! the next one trips. If that waiter is *stopped*, it holds up the threads that need its place.
//! With no more threads than parties, those threads would wait for the stopped waiter anyway.
//!
//! # Withdrawing
//!
//! A waiter that is interrupted takes its arrival back. It does so in three steps, each of them one
//! CAS: it marks its own place, it changes the state (which counts withdrawals), and it leaves the
//! place.
//!
//! - A tripping thread reads the state, checks the places, and then makes its CAS on the state.
//!   Assume that it checked the place before the waiter marked it. If the CAS of the tripping
//!   thread comes first, all have met, and the waiter finds that. If the waiter's change of the
//!   state comes first, that CAS fails, and the tripping thread checks again.
//! - Between the first step and the last, the place is still the waiter's (invariant 3). So no
//!   newcomer takes the place and is counted instead of the waiter, even if all have met meanwhile.
//!   The death of the withdrawing waiter counts as that of any waiter.
//! - Threads that sleep without a place are woken when the place is free.
//!
//! While the action runs, all have met, and nobody withdraws: an interruption waits for the end of
//! the action. After an interruption the waiter comes anew; it had no turn to lose.
//!
//! A waiter that is *stopped* between the first step and the last holds up others as in
//! [the section before](#more-threads-than-parties).
//!
//! # What wraps
//!
//! Generations wrap after 2^32 trips and resets (2^`BITS`). No verdict depends on that. But a
//! thread that arrives, trips, breaks or resets does so by a CAS on a state or a place that it has
//! read. It must not stall just before that CAS while exactly 2^`BITS` generations pass, or a
//! multiple of that.
//!
//! The sequence wraps after 2^31 changes. A sleeper may stall just before its sleep while exactly
//! 2^31 changes pass. It then sleeps to the next change or [recheck](Platform::recheck). Its
//! verdict is the same.

use super::generation::{BROKEN, RUNNING, State, TRIPPING, WAITERS, sequence_after};
use super::hold::Id;
use super::places::{Arrival, Arrived, Mine, Places, Survey};
use super::table::Participant;
use super::vigil::{Ended, Spins, Vigil};
use crate::platform::{Platform, Word, Word64};
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use core::time::Duration;

/// A flag in a member's word. The word then names a participant that is resetting the barrier,
/// instead of a dead member.
const FORGIVING: u32 = 1 << 31;

/// See the [module](self). `N` is the largest number of parties. `BITS` is the width of a
/// generation's number, 2 to 32.
#[derive(Debug)]
#[repr(C)]
pub struct Barrier<P: Platform, const N: usize, const BITS: u32 = 32> {
    state: P::Word64,
    sequence: P::Word,
    parties: P::Word,
    members: [P::Word; N],
    places: [P::Word64; N],
}

/// How a wait ended: all have arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passed {
    /// Another thread has ended the generation.
    Follower {
        /// The waiter's number in its generation, from 0 on and below the number of parties. No two
        /// waiters of a generation have the same.
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
    /// The caller is to run the action that it brought, and all others wait for that. The caller
    /// then calls [`Barrier::finish`] or [`Barrier::give_up`].
    Runner {
        /// As the follower's.
        index: usize,
        /// As the follower's. It is the argument of `finish` and `give_up`.
        generation: u32,
    },
}

/// Why they did not all meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotPassed {
    /// The barrier is broken: a party died or gave up, or somebody broke it on purpose.
    Broken {
        /// A party that has died, if there is one.
        died: Option<Id>,
    },
    /// They had not all met by the deadline. The barrier is broken now, unless the caller had no
    /// place.
    TimedOut,
    /// They had not all met when the caller was [interrupted](crate::interruptible). It has
    /// [withdrawn](self#withdrawing); the barrier is not broken.
    Interrupted,
}

/// Why a participant did not become a member: there are as many members as parties.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotJoined;

impl<P: Platform, const N: usize, const BITS: u32> Barrier<P, N, BITS> {
    /// A barrier of these words. All are 0 but `parties`, which is the number of parties; 0 means
    /// `N`.
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
        // ORDERING: Relaxed; written before the barrier is shared.
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
        // ORDERING: Acquire. Pairs with three Releases. That of a trip: a thread that stamps has
        // seen all arrivals. That of the next generation: a thread that sees it sees all stamps.
        // That of a reset: dead members that it forgave are not found any more. Models:
        // `barrier::a_trip_acquires`,
        // `barrier::a_reset_forgives_dead_members`.
        State(self.state.load(Acquire))
    }

    /// The state, after all trips are complete.
    fn settled(&self) -> State<BITS> {
        loop {
            let seen = self.state();
            if !seen.has(TRIPPING) {
                return seen;
            }
            self.settle(seen, 0);
        }
    }

    /// The state, for a caller that has just read a place. It is not older than the last change of
    /// that place.
    fn state_now(&self) -> State<BITS> {
        State(self.state.load(Relaxed)) // ORDERING: Relaxed; the place was read with Acquire.
    }

    /// Waits for all parties to arrive, at most to `deadline` ([`Platform::now`]'s clock; `None`:
    /// forever). At the deadline the caller breaks the barrier. If some callers have `has_action`,
    /// one of them is [`Passed::Runner`] before all are released.
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
        let mut spins = Spins::<P>::learned(deadline);
        let mut mine: Option<Arrival> = None;
        let mut in_order = false; // invariant 5: the caller has exchanged the state since it arrived
        loop {
            // ORDERING: Acquire. Pairs with the Release in `announce`: a waiter that reads the new
            // sequence sees the change that it announces. Model:
            // `barrier::two_meet_or_learn_that_they_do_not`.
            let sequence = self.sequence.load(Acquire);
            let seen = self.state();
            if let Some(verdict) = mine.and_then(|arrival| self.verdict(me, seen, arrival)) {
                // One party: another thread came meanwhile, and needed no place (invariant 7).
                if self.parties() == 1 && verdict.is_err() && !seen.has(BROKEN) {
                    mine = None;
                    continue;
                }
                spins.succeed();
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
            if !in_order && spins.are_left() {
                // EQUIVALENT(comparison#1 taken as equal; load#2 not repeated): the count ends the
                // loop in any case.
                while self.state.load(Relaxed) == seen.0 && spins.spin() {}
                continue;
            }
            if !in_order || !seen.has(WAITERS) {
                // ORDERING: Release. The last two waiters that arrive each write their own place,
                // and then read the place of the other. The one that writes the state second reads
                // the state with Acquire after that. So it sees the arrival of the one that wrote
                // the state first. Model: `barrier::two_meet_or_learn_that_they_do_not`.
                in_order |= self.state.compare_exchange(seen.0, seen.0 | WAITERS, Release, Relaxed).is_ok();
                continue;
            }
            spins.stop();
            let vigil = vigil.get_or_insert_with(|| Vigil::new(me, deadline));
            // If all have met and wait for the action, the caller cannot withdraw.
            vigil.set_interruptible(mine.is_none() || !seen.has(RUNNING));
            match (vigil.sleep(&self.sequence, sequence, None), mine) {
                // The caller has no place to leave. (An action may have called this. Its thread
                // then has the place of the outer wait, which stays.)
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

    /// The verdict that the caller's own place gives, if its generation has ended.
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

    /// Checks whether all waiters of this generation are there, and they and all members are alive.
    fn survey(&self, me: Participant<'_, P>, generation: u32) -> Survey {
        let mut survey = self.places().survey(me, generation);
        survey.died = survey.died.or_else(|| self.dead_member(me));
        survey
    }

    fn dead_member(&self, me: Participant<'_, P>) -> Option<Id> {
        for place in self.members() {
            let member = place.load(Acquire); // ORDERING: as `Table::is_alive` wants it.
            // The word of a dead member is read once more: the member may have left before it died.
            // ORDERING: Relaxed. With the mark in the dead member's lifeline, the caller has seen
            // all that the member wrote. Model: `barrier::a_former_member_is_not_missed`.
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

    /// Leaves the caller's place, if it has one, in a generation that has not tripped. So if the
    /// caller dies later, nobody takes its death for the cause of the failure.
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
    /// meanwhile, or if all have met and a waiter runs the action.
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
            // ORDERING: Release. Pairs with the Acquire in `state`. A thread that checks the places
            // after this CAS finds the caller's mark. A thread that checked them before it finds
            // that the state has changed. Model: `barrier::an_interrupted_party_comes_again`.
            if self.state.compare_exchange(seen.0, seen.one_withdrawn().0, Release, Relaxed).is_ok() {
                break;
            }
        }
        self.places().withdraw(mine);
        self.announce(); // a thread that found no place may sleep
        true
    }

    /// All have arrived: the caller runs the action. False if the state has changed.
    fn start(&self, seen: State<BITS>) -> bool {
        // ORDERING: Relaxed; the runner has seen all arrivals with Acquire, and `finish` releases.
        self.state.compare_exchange(seen.0, seen.0 | RUNNING, Relaxed, Relaxed).is_ok()
    }

    /// All have arrived: trips the generation. False if the state has changed.
    fn trip(&self, seen: State<BITS>, mine: Arrival) -> bool {
        // ORDERING: Release. Pairs with the Acquire in `state`.
        let has_tripped = self.state.compare_exchange(seen.0, seen.tripping().0, Release, Relaxed).is_ok();
        if has_tripped {
            self.depart(mine);
            self.settle(seen.tripping(), mine.index);
        }
        has_tripped
    }

    /// Stamps the places of the generation that has tripped, `first` first, and begins the next
    /// generation.
    fn settle(&self, tripping: State<BITS>, first: usize) {
        self.places().stamp(tripping.generation(), first);
        self.end(tripping, tripping.next());
    }

    /// Replaces the state `seen`, and wakes all. False if the state has changed.
    fn end(&self, seen: State<BITS>, new: State<BITS>) -> bool {
        // ORDERING: Release. Pairs with the Acquire in `state`.
        let ended = self.state.compare_exchange(seen.0, new.0, Release, Relaxed).is_ok();
        if ended && seen.has(WAITERS) {
            self.announce();
        }
        ended
    }

    /// Makes all sleepers check again.
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
            // The caller's own place is checked, too: another waiter may have it, and run the
            // action of a generation with the same number.
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

    /// The runner will not finish its action: breaks the barrier, unless it is broken already.
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

    /// Breaks the barrier. The present waits fail, and so do the later ones, until a
    /// [`reset`](Self::reset).
    ///
    /// # If a process dies
    /// The caller, before the state is written: nothing has happened. After that, before the wake:
    /// the sleepers check, and find the barrier broken.
    pub fn abort(&self) {
        loop {
            let seen = self.settled();
            if seen.has(BROKEN) || self.end(seen, seen.broken()) {
                return;
            }
        }
    }

    /// Begins a new generation. The waits in the present one fail as broken. Members that have died
    /// are removed.
    ///
    /// # If a process dies
    /// The caller, anywhere: the barrier is as before, or broken, or reset.
    pub fn reset(&self, me: Participant<'_, P>) {
        let generation = self.settled().generation();
        let ours = me.id.word() | FORGIVING;
        let mut has_forgiven = false;
        loop {
            let seen = self.settled();
            // If the generation has changed, another participant has reset the barrier, or the
            // generation has tripped. So the barrier is as new, and there is nothing to do, unless
            // the caller's name stands for a dead member. By now other threads may wait for that
            // member. So the caller then resets the barrier once more.
            if seen.generation() != generation && !has_forgiven {
                return;
            }
            // ORDERING: Relaxed. So a living member may be judged dead. The harm is small: a
            // generation is broken that this reset ends in any case. Before the member's word is
            // taken, `inherit` judges once more, with Acquire.
            let named = self.members().iter().map(|member| (member, member.load(Relaxed)));
            let is_dead = |word: u32| Id::holder_in(word).is_some_and(|id| id != me.id && !me.table.is_alive(id));
            let mut dead = named.filter(|(_, word)| is_dead(*word)).peekable();
            if dead.peek().is_some() && !seen.has(BROKEN) {
                // Break it first: if a member were forgiven while others wait for it, nobody would
                // notice its absence.
                self.end(seen, seen.broken());
                continue;
            }
            for (member, word) in dead {
                // Our name stands for the member as long as somebody may wait for it. If we die
                // meanwhile, our death is noticed.
                // ORDERING: Relaxed; the new generation publishes it. If the CAS fails, the member
                // was forgiven already. Model:
                // `barrier::two_resets_forgive_nobody_who_is_waited_for`.
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
            // ORDERING: Relaxed; nobody waits for this member.
            let _not_ours = member.compare_exchange(ours, 0, Relaxed, Relaxed);
        }
    }

    /// Whether the barrier is broken at the moment.
    pub fn is_broken(&self) -> bool {
        self.state().has(BROKEN)
    }

    /// The participants that have arrived and wait for the others. If the barrier is broken: those
    /// that have not returned yet, or have died.
    pub fn arrived(&self) -> impl Iterator<Item = Id> + '_ {
        let seen = self.state();
        // The waiters of a generation that has tripped wait no more, even before their places are
        // stamped.
        let waiters = (!seen.has(TRIPPING)).then(|| self.places().waiters(seen.generation()));
        waiters.into_iter().flatten()
    }

    /// Makes the caller a member. Returns the index of its word, for [`leave`](Self::leave).
    ///
    /// # Errors
    /// [`NotJoined`] if there are as many members as parties, dead ones included.
    pub fn join(&self, me: Participant<'_, P>) -> Result<usize, NotJoined> {
        let places = self.members().iter();
        // ORDERING: Relaxed. A participant that reads this name judges whether the member is alive.
        // For that it needs only what the member wrote when it registered (`Table::is_alive`).
        let mut free = places.map(|word| word.compare_exchange(0, me.id.word(), Relaxed, Relaxed).is_ok());
        free.position(|taken| taken).ok_or(NotJoined)
    }

    /// Ends a membership, if the member is still `me`.
    pub fn leave(&self, me: Id, place: usize) {
        if let Some(word) = self.members.get(place) {
            // ORDERING: Relaxed; nobody waits for this member.
            let _forgiven_before = word.compare_exchange(me.word(), 0, Relaxed, Relaxed);
        }
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod waits;
