//! The places of a [barrier](super::barrier): one word for each party, which tells its waiter what
//! became of the generation.
//!
//! The upper half is a [hold](super::hold) word: it names the waiter as long as there is one.
//!
//! | bits     | name       | meaning                                                          |
//! |----------|------------|------------------------------------------------------------------|
//! | 0–31, 60 | generation | of the waiter; without a waiter: the one after the last waiter's |
//! | 32–59    | name       | the waiter, with HELD                                            |
//! | 61       | HELD       | there is a waiter                                                |
//! | 62       | TRIPPED    | the stamp: its generation has tripped                            |
//! | 63       | WANTED     | with a stamp: whoever leaves the place wakes those that sleep without one |
//! |          |            | without: its waiter is about to withdraw                         |
//!
//! The next generation begins only after the last stamp. So a place without a stamp whose
//! generation is over is that of a waiter that was told to go, or will be: others may have it. A
//! place with a stamp belongs to its waiter, as long as it lives.
//!
//! A waiter of generation `g` leaves the number `g + 1` behind. So a place that was used in a
//! generation that has tripped does not look again as it did before in that generation.
//!
//! # Withdrawing
//!
//! A generation does not trip by a look that finds a waiter about to withdraw. Its death counts,
//! and nobody else takes its place, as long as the generation is open. If that trips nevertheless,
//! the place is stamped as all are.
//!
//! A waiter that has withdrawn from generation `g` leaves the number `g` behind. So the place may
//! look again as it did before in that generation. Whoever takes it by an old look arrives, and is
//! not late: while the place looks so the generation cannot trip, and after the trip it does not
//! look so.

use super::generation::{distance, most, next, pack, unpack};
use super::hold::Id;
use super::table::Participant;
use crate::platform::{Platform, Word64};
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};

const TRIPPED: u64 = 1 << 62;
const WANTED: u64 = 1 << 63;

/// A place, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place<const BITS: u32>(u64);

impl<const BITS: u32> Place<BITS> {
    /// That of a waiter.
    fn waiting(generation: u32, id: Id) -> Self {
        Self(u64::from(id.word()) << 32 | pack(generation))
    }
    /// One without a waiter.
    fn free(generation: u32) -> Self {
        Self(pack(generation))
    }
    /// What a waiter of this generation leaves.
    fn left_in(generation: u32) -> Self {
        Self::free(next::<BITS>(generation))
    }
    fn with(self, flag: u64) -> Self {
        Self(self.0 | flag)
    }
    fn has(self, flag: u64) -> bool {
        self.0 & flag != 0
    }
    fn id(self) -> Option<Id> {
        Id::holder_in((self.0 >> 32) as u32)
    }
    fn is_in(self, generation: u32) -> bool {
        unpack(self.0) == generation
    }
    /// The waiter in this generation, if that has not tripped.
    fn waiter_in(self, generation: u32) -> Option<Id> {
        self.id().filter(|_| self.is_in(generation) && !self.has(TRIPPED))
    }
    fn without(self, flag: u64) -> Self {
        Self(self.0 & !flag)
    }
    /// Whether it is that of a waiter, perhaps, who is about to withdraw.
    fn is_withdrawing(self) -> bool {
        self.0 & (TRIPPED | WANTED) == WANTED
    }
    fn is_of(self, arrival: Arrival) -> bool {
        self.id() == Some(arrival.id) && self.is_in(arrival.generation)
    }
    /// Whether it was left, or should have been, so long before this generation that this may soon
    /// have the same number.
    fn is_long_before(self, generation: u32) -> bool {
        distance::<BITS>(unpack(self.0), next::<BITS>(generation)) > most::<BITS>() / 2
    }
}

/// Who waits where.
#[derive(Debug, Clone, Copy)]
pub(super) struct Arrival {
    pub(super) index: usize,
    pub(super) generation: u32,
    pub(super) id: Id,
}

/// What an attempt to arrive came to.
pub(super) enum Arrived {
    At(usize),
    /// Others have all places.
    Full,
    /// The generation is over.
    Late,
}

/// What a waiter finds in its own place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mine {
    /// The stamp: its generation has tripped.
    Tripped,
    /// No stamp.
    Waiting,
    /// Another has it: its generation is over, and has not tripped.
    Lost,
}

/// What a look at the places came to.
pub(super) struct Survey {
    /// All are those of waiters of the generation.
    pub(super) all_there: bool,
    /// One of these that has died.
    pub(super) died: Option<Id>,
}

/// As many places as there are parties.
#[derive(Debug)]
pub(super) struct Places<'b, P: Platform, const BITS: u32>(pub(super) &'b [P::Word64]);

impl<'b, P: Platform, const BITS: u32> Places<'b, P, BITS> {
    /// The indices, this one first (modulo their number).
    fn from(&self, first: usize) -> impl Iterator<Item = usize> + use<P, BITS> {
        let count = self.0.len();
        (0..count).map(move |i| (first % count + i) % count)
    }

    /// Takes a place for the caller in this generation. `is_open`: whether it is there and open,
    /// now.
    pub(super) fn take(&self, me: Participant<'_, P>, generation: u32, is_open: impl Fn() -> bool) -> Arrived {
        for index in self.from(me.id.index()) {
            let place = &self.0[index];
            loop {
                // ORDERING: Acquire. Pairs with the Release of an arrival and of a departure: the
                // state that is read after it is not older than the one that these were for. If the
                // owner is judged: as `Table::is_alive` wants it. Model:
                // `places::a_stalled_arrival_displaces_nobody`.
                let found = Place::<BITS>(place.load(Acquire));
                if found.waiter_in(generation).is_some() {
                    break;
                }
                let stands = |id: Id| found.has(TRIPPED) && id != me.id && me.table.is_alive(id);
                if found.id().is_some_and(stands) {
                    let wanted = found.with(WANTED);
                    // ORDERING: Relaxed; whoever leaves finds it in the word that it changes.
                    if found == wanted || place.compare_exchange(found.0, wanted.0, Relaxed, Relaxed).is_ok() {
                        break;
                    }
                    continue;
                }
                if !is_open() {
                    return Arrived::Late;
                }
                // ORDERING: Release. Pairs with the Acquire in `survey`: the leader, which sees all
                // arrivals and releases their owners, passes on what they wrote. Model:
                // `barrier::a_trip_publishes`.
                let mine = Place::<BITS>::waiting(generation, me.id);
                if place.compare_exchange(found.0, mine.0, Release, Relaxed).is_ok() {
                    return Arrived::At(index);
                }
            }
        }
        Arrived::Full
    }

    /// What the waiter finds in its own place.
    pub(super) fn find(&self, arrival: Arrival) -> Mine {
        // ORDERING: Acquire. Pairs with the Release of the stamp: the waiter sees what all wrote
        // before they arrived, as the one that stamped it does. Model: `barrier::a_trip_acquires`.
        let found = Place::<BITS>(self.0[arrival.index].load(Acquire));
        match (found.is_of(arrival), found.has(TRIPPED)) {
            (false, _) => Mine::Lost,
            (true, true) => Mine::Tripped,
            (true, false) => Mine::Waiting,
        }
    }

    /// The place of a waiter of this generation, itself the caller, where it has one.
    pub(super) fn arrival_of(&self, id: Id, generation: u32) -> Option<Arrival> {
        let arrivals = (0..self.0.len()).map(|index| Arrival { index, generation, id });
        // ORDERING: Relaxed; the caller wrote it.
        arrivals.into_iter().find(|arrival| Place::<BITS>(self.0[arrival.index].load(Relaxed)).is_of(*arrival))
    }

    /// The caller leaves its place, if it still has it. True if others sleep that want it.
    #[must_use]
    pub(super) fn leave(&self, arrival: Arrival) -> bool {
        let place = &self.0[arrival.index];
        let left = Place::<BITS>::left_in(arrival.generation);
        let mut found = Place::<BITS>(place.load(Relaxed));
        while found.is_of(arrival) {
            // ORDERING: Release. Pairs with the Acquire in `take`.
            match place.compare_exchange(found.0, left.0, Release, Relaxed) {
                Ok(_) => return found.has(WANTED),
                Err(now) => found = Place(now),
            }
        }
        false
    }

    /// The caller is about to withdraw. False if it has a stamp, or others have its place.
    #[must_use]
    pub(super) fn begin_to_withdraw(&self, mine: Arrival) -> bool {
        // ORDERING: Relaxed; the state, which is exchanged next, passes it on.
        self.change(mine, |waiting| waiting.with(WANTED))
    }

    /// The caller, which was about to withdraw, waits on as before.
    pub(super) fn stay(&self, mine: Arrival) {
        let _or_it_has_a_stamp = self.change(mine, |withdrawing| withdrawing.without(WANTED));
    }

    /// The caller, which was about to withdraw, leaves its place. To be told to those that sleep.
    pub(super) fn withdraw(&self, mine: Arrival) {
        let _it_has_no_stamp = self.change(mine, |_| Place::free(mine.generation));
    }

    /// Changes the caller's own place, if it still has it, and without a stamp.
    fn change(&self, mine: Arrival, change: impl Fn(Place<BITS>) -> Place<BITS>) -> bool {
        let place = &self.0[mine.index];
        let mut found = Place::<BITS>(place.load(Relaxed));
        while found.waiter_in(mine.generation) == Some(mine.id) {
            // ORDERING: Relaxed. An exchange keeps what the arrival has released; to leave
            // publishes nothing more.
            match place.compare_exchange(found.0, change(found).0, Relaxed, Relaxed) {
                Ok(_) => return true,
                Err(now) => found = Place(now),
            }
        }
        false
    }

    /// Looks whether all places are those of waiters of this generation, and they are alive.
    pub(super) fn survey(&self, me: Participant<'_, P>, generation: u32) -> Survey {
        let mut survey = Survey { all_there: true, died: None };
        for place in self.0 {
            let found = Place::<BITS>(place.load(Acquire)); // ORDERING: as in `take`.
            let waiter = found.waiter_in(generation);
            survey.all_there &= waiter.is_some() && !found.is_withdrawing();
            // Once more if it is dead: it may have been told that the barrier is broken, and have
            // died since.
            // ORDERING: Relaxed; what the dead wrote was seen with its mark.
            let is_missed = |id: &Id| !me.table.is_alive(*id) && place.load(Relaxed) == found.0;
            survey.died = survey.died.or(waiter.filter(|id| *id != me.id).filter(is_missed));
        }
        survey
    }

    /// Stamps all places of a generation that has tripped, from this one on.
    ///
    /// All of them are those of its waiters, or stamped, or left. If the caller is late there is
    /// none to be stamped: after a trip nobody arrives in its generation.
    pub(super) fn stamp(&self, generation: u32, first: usize) {
        for index in self.from(first) {
            let place = &self.0[index];
            // ORDERING: Relaxed; the caller has seen the trip, and with it all arrivals. If it
            // finds a stamp, whoever sees the next generation finds it, too.
            let mut found = Place::<BITS>(place.load(Relaxed));
            while found.waiter_in(generation).is_some() {
                // ORDERING: Release. Pairs with the Acquire in `find`.
                match place.compare_exchange(found.0, found.with(TRIPPED).0, Release, Relaxed) {
                    Ok(_) => break,
                    // Stamped by another; or its waiter is about to withdraw, or to stay.
                    Err(now) => found = Place(now),
                }
            }
        }
    }

    /// Clears what a row of resets has left behind, before its number comes round. (A trip uses all
    /// places.) `is_there`: whether the generation is there, now.
    pub(super) fn forget_the_long_gone(&self, generation: u32, is_there: impl Fn() -> bool) {
        for place in self.0 {
            // ORDERING: Acquire, as in `take`. Model: `places::a_late_reset_takes_no_place`.
            let found = Place::<BITS>(place.load(Acquire));
            // If the caller is late, what seems to be long gone may be new: so it looks whether it
            // is.
            if !found.has(TRIPPED) && found.is_long_before(generation) && is_there() {
                // ORDERING: Relaxed; it changes the number alone, for one that is past as well.
                let free = Place::<BITS>::free(generation);
                let _taken = place.compare_exchange(found.0, free.0, Relaxed, Relaxed);
            }
        }
    }

    /// Who waits in this generation.
    pub(super) fn waiters(self, generation: u32) -> impl Iterator<Item = Id> + use<'b, P, BITS> {
        // ORDERING: Relaxed; what may be otherwise when it is read.
        self.0.iter().filter_map(move |place| Place::<BITS>(place.load(Relaxed)).waiter_in(generation))
    }
}

#[cfg(test)]
mod tests;
