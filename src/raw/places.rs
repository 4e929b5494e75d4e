//! The places of a [barrier](super::barrier): as many words as there are parties. Each waiter has
//! one. From it the waiter learns the outcome of its generation.
//!
//! The upper half is a [hold](super::hold) word. It names the waiter as long as there is one.
//!
//! | bits     | name       | meaning                                                                        |
//! |----------|------------|--------------------------------------------------------------------------------|
//! | 0–31, 60 | generation | the waiter's; without a waiter: the number that the last waiter has left behind |
//! | 32–59    | name       | the waiter, with HELD                                                          |
//! | 61       | HELD       | there is a waiter                                                              |
//! | 62       | TRIPPED    | the stamp: the waiter's generation has tripped                                 |
//! | 63       | WANTED     | with a stamp: threads sleep because all places are taken; the waiter wakes them when it leaves the place |
//! |          |            | without a stamp: the waiter is about to withdraw                               |
//!
//! The next generation begins only after all places are stamped. So if a generation is over and one
//! of its places has no stamp, the generation did not trip. The waiter of that place has learned
//! this, or will learn it. So another thread may take the place. A place with a stamp belongs to
//! its waiter as long as the waiter lives.
//!
//! A waiter of generation `g` leaves the number `g + 1` behind. So after a trip of `g`, a place
//! that was used in `g` does not get a value again that it had in `g`.
//!
//! # Withdrawing
//!
//! A thread that finds a waiter about to withdraw does not trip the generation. As long as the
//! generation is open, the waiter still counts as a waiter: its death breaks the barrier, and
//! nobody else takes its place. If the generation trips nevertheless, the place is stamped as all
//! others are.
//!
//! A waiter that has withdrawn from generation `g` leaves the number `g` behind. So the place may
//! get a value again that it had before in `g`. A stalled thread may then take the place by an
//! exchange of that old value. This is a valid arrival in `g`: while the place has that value, `g`
//! cannot trip, and after a trip of `g` the place has another value.

use super::generation::{distance, holder_above, most, next, pack, pack_held, unpack};
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
    /// The place of a waiter.
    fn waiting(generation: u32, id: Id) -> Self {
        Self(pack_held(generation, id))
    }
    /// A place without a waiter.
    fn free(generation: u32) -> Self {
        Self(pack(generation))
    }
    /// The place as a waiter of this generation leaves it.
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
        holder_above(self.0)
    }
    fn is_in(self, generation: u32) -> bool {
        unpack(self.0) == generation
    }
    /// The waiter in this generation, if the place has no stamp.
    fn waiter_in(self, generation: u32) -> Option<Id> {
        self.id().filter(|_| self.is_in(generation) && !self.has(TRIPPED))
    }
    fn without(self, flag: u64) -> Self {
        Self(self.0 & !flag)
    }
    /// Whether its waiter, if it has one, is about to withdraw.
    fn is_withdrawing(self) -> bool {
        self.0 & (TRIPPED | WANTED) == WANTED
    }
    fn is_of(self, arrival: Arrival) -> bool {
        self.id() == Some(arrival.id) && self.is_in(arrival.generation)
    }
    /// Whether the number in the place lies more than half of all numbers before `generation`.
    /// After the other half a new generation has the same number.
    fn is_long_before(self, generation: u32) -> bool {
        distance::<BITS>(unpack(self.0), next::<BITS>(generation)) > most::<BITS>() / 2
    }
}

/// A waiter, its place and its generation.
#[derive(Debug, Clone, Copy)]
pub(super) struct Arrival {
    pub(super) index: usize,
    pub(super) generation: u32,
    pub(super) id: Id,
}

/// How an attempt to arrive ended.
pub(super) enum Arrived {
    At(usize),
    /// Other waiters have all places.
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
    /// Another waiter has it: the generation is over, and has not tripped. Or there is no such
    /// place any more: the number of parties was overwritten.
    Lost,
}

/// What a check of all places found.
pub(super) struct Survey {
    /// All places are those of waiters of the generation.
    pub(super) all_there: bool,
    /// A waiter that has died.
    pub(super) died: Option<Id>,
}

/// As many places as there are parties.
#[derive(Debug)]
pub(super) struct Places<'b, P: Platform, const BITS: u32>(pub(super) &'b [P::Word64]);

impl<'b, P: Platform, const BITS: u32> Places<'b, P, BITS> {
    /// The indices, `first` first (modulo their number).
    fn from(&self, first: usize) -> impl Iterator<Item = usize> + use<P, BITS> {
        let count = self.0.len();
        (0..count).map(move |i| (first % count + i) % count)
    }

    /// Takes a place for the caller in `generation`. `is_open` returns whether `generation` is the
    /// current one, and open, at the moment of the call.
    pub(super) fn take(&self, me: Participant<'_, P>, generation: u32, is_open: impl Fn() -> bool) -> Arrived {
        for index in self.from(me.id.index()) {
            let place = &self.0[index];
            loop {
                // ORDERING: Acquire. Pairs with the Release of an arrival and of a departure.
                // `is_open` reads the state next. It finds a state at least as new as the state
                // that the arriving or leaving thread had seen. `Table::is_alive` needs the
                // Acquire, too. Model: `places::a_stalled_arrival_displaces_nobody`.
                let found = Place::<BITS>(place.load(Acquire));
                if found.waiter_in(generation).is_some() {
                    break;
                }
                let stands = |id: Id| found.has(TRIPPED) && id != me.id && me.table.is_alive(id);
                if found.id().is_some_and(stands) {
                    let wanted = found.with(WANTED);
                    // ORDERING: Relaxed. The waiter that leaves changes this very word by an
                    // exchange, and so finds the flag.
                    if found == wanted || place.compare_exchange(found.0, wanted.0, Relaxed, Relaxed).is_ok() {
                        break;
                    }
                    continue;
                }
                if !is_open() {
                    return Arrived::Late;
                }
                // ORDERING: Release. Pairs with the Acquire in `survey`: the thread that trips the
                // generation sees all arrivals. It releases the waiters, and so passes on what each
                // of them wrote. Model: `barrier::a_trip_publishes`.
                let mine = Place::<BITS>::waiting(generation, me.id);
                if place.compare_exchange(found.0, mine.0, Release, Relaxed).is_ok() {
                    return Arrived::At(index);
                }
            }
        }
        Arrived::Full
    }

    /// The place of this waiter. There is none if the number of parties was overwritten meanwhile.
    fn of(&self, arrival: Arrival) -> Option<&'b P::Word64> {
        self.0.get(arrival.index)
    }

    /// What the waiter finds in its own place.
    pub(super) fn find(&self, arrival: Arrival) -> Mine {
        let Some(place) = self.of(arrival) else { return Mine::Lost };
        // ORDERING: Acquire. Pairs with the Release of the stamp: the waiter sees what all parties
        // wrote before they arrived, because the stamping thread saw it. Model:
        // `barrier::a_trip_acquires`.
        let found = Place::<BITS>(place.load(Acquire));
        match (found.is_of(arrival), found.has(TRIPPED)) {
            (false, _) => Mine::Lost,
            (true, true) => Mine::Tripped,
            (true, false) => Mine::Waiting,
        }
    }

    /// The arrival of the caller in this generation, if it has a place.
    pub(super) fn arrival_of(&self, id: Id, generation: u32) -> Option<Arrival> {
        let arrivals = (0..self.0.len()).map(|index| Arrival { index, generation, id });
        // ORDERING: Relaxed; the caller wrote it.
        arrivals.into_iter().find(|arrival| Place::<BITS>(self.0[arrival.index].load(Relaxed)).is_of(*arrival))
    }

    /// Leaves the caller's place, if it still has it. True if sleepers want the place.
    #[must_use]
    pub(super) fn leave(&self, arrival: Arrival) -> bool {
        let Some(place) = self.of(arrival) else { return false };
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

    /// Marks that the caller is about to withdraw. False if its place has a stamp, or is another's.
    #[must_use]
    pub(super) fn begin_to_withdraw(&self, mine: Arrival) -> bool {
        // ORDERING: Relaxed; the exchange of the state, which follows, publishes it.
        self.change(mine, |waiting| waiting.with(WANTED))
    }

    /// Takes that mark back: the caller waits on as before.
    pub(super) fn stay(&self, mine: Arrival) {
        let _or_it_has_a_stamp = self.change(mine, |withdrawing| withdrawing.without(WANTED));
    }

    /// Leaves the place of the caller, which was about to withdraw. The caller then wakes the
    /// sleepers.
    pub(super) fn withdraw(&self, mine: Arrival) {
        let _it_has_no_stamp = self.change(mine, |_| Place::free(mine.generation));
    }

    /// Changes the caller's place, if the caller still has it, and it has no stamp.
    fn change(&self, mine: Arrival, change: impl Fn(Place<BITS>) -> Place<BITS>) -> bool {
        let Some(place) = self.of(mine) else { return false };
        let mut found = Place::<BITS>(place.load(Relaxed));
        while found.waiter_in(mine.generation) == Some(mine.id) {
            // ORDERING: Relaxed. The exchange continues the release sequence that the arrival
            // began. A waiter that withdraws publishes nothing more.
            match place.compare_exchange(found.0, change(found).0, Relaxed, Relaxed) {
                Ok(_) => return true,
                Err(now) => found = Place(now),
            }
        }
        false
    }

    /// Checks whether all places are those of living waiters of this generation.
    pub(super) fn survey(&self, me: Participant<'_, P>, generation: u32) -> Survey {
        let mut survey = Survey { all_there: true, died: None };
        for place in self.0 {
            let found = Place::<BITS>(place.load(Acquire)); // ORDERING: as in `take`.
            let waiter = found.waiter_in(generation);
            survey.all_there &= waiter.is_some() && !found.is_withdrawing();
            // A dead waiter's place is read once more: the waiter may have left it before it died.
            // ORDERING: Relaxed. The caller saw the mark, and with it all that the dead waiter
            // wrote.
            let is_missed = |id: &Id| !me.table.is_alive(*id) && place.load(Relaxed) == found.0;
            survey.died = survey.died.or(waiter.filter(|id| *id != me.id).filter(is_missed));
        }
        survey
    }

    /// Stamps all places of a generation that has tripped, `first` first.
    ///
    /// Each place has a waiter of the generation, or a stamp, or the waiter has left it. A caller
    /// that comes late finds no place to stamp: after a trip nobody arrives in that generation.
    pub(super) fn stamp(&self, generation: u32, first: usize) {
        for index in self.from(first) {
            let place = &self.0[index];
            // ORDERING: Relaxed. The caller has seen the trip, and with it all arrivals. If the
            // caller finds a stamp here, every thread that sees the next generation finds the
            // stamp, too.
            let mut found = Place::<BITS>(place.load(Relaxed));
            while found.waiter_in(generation).is_some() {
                // ORDERING: Release. Pairs with the Acquire in `find`.
                match place.compare_exchange(found.0, found.with(TRIPPED).0, Release, Relaxed) {
                    Ok(_) => break,
                    // Another thread stamped the place, or its waiter has set or cleared WANTED.
                    Err(now) => found = Place(now),
                }
            }
        }
    }

    /// Clears the numbers of old generations from the places, before new generations get the same
    /// numbers. Only a long row of resets can leave such a number, because a trip uses all places.
    /// `is_there` returns whether `generation` is still the current one.
    pub(super) fn forget_the_long_gone(&self, generation: u32, is_there: impl Fn() -> bool) {
        for place in self.0 {
            // ORDERING: Acquire, as in `take`. Model: `places::a_late_reset_takes_no_place`.
            let found = Place::<BITS>(place.load(Acquire));
            // If the caller is late, a place that seems to be long past may be new. So it checks
            // whether it is late.
            if !found.has(TRIPPED) && found.is_long_before(generation) && is_there() {
                // ORDERING: Relaxed. Only the number changes: to that of the generation that the
                // caller is about to end.
                let free = Place::<BITS>::free(generation);
                let _taken = place.compare_exchange(found.0, free.0, Relaxed, Relaxed);
            }
        }
    }

    /// The participants that wait in this generation.
    pub(super) fn waiters(self, generation: u32) -> impl Iterator<Item = Id> + use<'b, P, BITS> {
        // ORDERING: Relaxed; the answer may be outdated as soon as it is given.
        self.0.iter().filter_map(move |place| Place::<BITS>(place.load(Relaxed)).waiter_in(generation))
    }
}

#[cfg(test)]
mod tests;
