//! The ends of one side of a channel: its senders, or its receivers.
//!
//! Each end is a [hold](super::hold). If all ends that were ever taken are given back, or left by
//! dead processes, the side is *abandoned*. The channel then closes. On a side of which nobody ever
//! took an end, nothing happens by itself.
//!
//! An end may be used by any thread of its process. The hold names the thread that took it. If that
//! thread ends, and its process lives, the end is as a leaked hold: it still counts. See
//! [`Table::has_leaked`](super::table::Table::has_leaked).
//!
//! # The words
//!
//! There are `N` holds. An end takes the first one that is free.
//!
//! | value of a hold | meaning                                     |
//! |-----------------|---------------------------------------------|
//! | 0               | never used; so are all holds after it       |
//! | 1               | free                                        |
//! | an id           | an end of that participant's process        |
//!
//! The *door* word:
//!
//! | bits | name   | set by                              | cleared by |
//! |------|--------|-------------------------------------|------------|
//! | 0–28 | number | each end that is taken adds 1       |            |
//! | 30   | USED   | the first end that is taken         | never      |
//! | 31   | SHUT   | a participant that found no end     | never      |
//!
//! # Invariants
//!
//! 1. An end is taken by a CAS of its hold, and counts when the door has its number. If the door is
//!    SHUT by then, the end is given back, and was never taken.
//! 2. The door is shut by a CAS on the value that it had before the holds were read. So no end that
//!    counts was taken while the holds were read. All ends that counted before were found gone.
//! 3. A participant that gives an end back frees the hold, passes a fence, and *then* checks the
//!    whole side. Of two that do so at the same time, at least one finds both gone.
//! 4. A waiter sets WAITERS in its channel, passes a fence, and *then* checks both sides. After the
//!    last end is given back, the channel is closed, and that wakes the waiter. After a death the
//!    waiter wakes and checks again.
//!
//! # If a process dies
//!
//! | participant                          | effect                                                |
//! |--------------------------------------|-------------------------------------------------------|
//! | while it takes an end                | the end counts, and is gone; or it was never taken    |
//! | while it has an end                  | the end is gone: the next check shuts the side        |
//! | after it freed its hold              | the same: its death makes the waiters check           |
//! | after it shut the side               | the next check finds it shut, and closes the channel  |
//!
//! # What wraps
//!
//! The number, after 2^29 ends of a side. A participant that stalls while it checks a side must not
//! stall while exactly so many are taken, or a multiple.

use super::hold::Id;
use super::table::Participant;
use crate::platform::{Platform, Word};
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};

const SHUT: u32 = 1 << 31;
const USED: u32 = 1 << 30;
const NUMBER: u32 = (1 << 29) - 1;

const NEVER_USED: u32 = 0;
const FREE: u32 = 1;

/// How many ends a side has in production. Door and holds then have 1 KiB.
pub const MOST_ENDS: usize = 255;

/// Why no end was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoEnd {
    /// All ends of the side were gone before, so the channel is closed.
    Shut,
    /// All holds are those of ends that others have.
    Full,
}

/// An end that was taken. To be given back once, by any thread of the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub struct End {
    index: usize,
    holder: Id,
}

impl End {
    /// The participant that took it.
    pub fn holder(self) -> Id {
        self.holder
    }
}

/// The ends of one side. See the [module](self). All words are 0 at first.
#[derive(Debug)]
#[repr(C)]
pub struct Side<P: Platform, const N: usize = MOST_ENDS> {
    door: P::Word,
    holds: [P::Word; N],
}

/// The ends of both sides of a channel.
#[derive(Debug)]
#[repr(C)]
pub struct Ends<P: Platform, const N: usize = MOST_ENDS> {
    /// Those of its senders.
    pub senders: Side<P, N>,
    /// Those of its receivers.
    pub receivers: Side<P, N>,
}

impl<P: Platform, const N: usize> Default for Ends<P, N> {
    /// Two sides of which nobody has taken an end.
    fn default() -> Self {
        Self { senders: Side::default(), receivers: Side::default() }
    }
}

impl<P: Platform, const N: usize> Default for Side<P, N> {
    /// A side of which nobody has taken an end.
    fn default() -> Self {
        Self::from_words(P::Word::new(0), core::array::from_fn(|_| P::Word::new(0)))
    }
}

impl<P: Platform, const N: usize> Ends<P, N> {
    /// Whether one of the sides [is abandoned](Side::is_abandoned). The caller then closes the
    /// channel.
    ///
    /// # If a process dies
    /// See the [module](self#if-a-process-dies).
    #[inline]
    pub fn are_abandoned(&self, me: Participant<'_, P>) -> bool {
        self.senders.is_abandoned(me) || self.receivers.is_abandoned(me)
    }

    /// Whether anybody ever took an end of either side. If not, no side [is
    /// abandoned](Self::are_abandoned).
    #[inline(always)]
    pub fn were_taken(&self) -> bool {
        // ORDERING: Relaxed, as in `Side::is_abandoned`.
        (self.senders.door.load(Relaxed) | self.receivers.door.load(Relaxed)) & (USED | SHUT) != 0
    }
}

impl<P: Platform, const N: usize> Side<P, N> {
    /// A side of these words.
    pub const fn from_words(door: P::Word, holds: [P::Word; N]) -> Self {
        Self { door, holds }
    }

    /// Who has the ends at the moment, dead or alive.
    pub fn holders(&self) -> impl Iterator<Item = Id> {
        self.holds.iter().filter_map(|hold| Id::holder_in(hold.load(Relaxed)))
    }

    /// Takes an end for the caller's process.
    ///
    /// # Errors
    /// [`NoEnd::Shut`], [`NoEnd::Full`].
    ///
    /// # If a process dies
    /// See the [module](self#if-a-process-dies).
    pub fn take(&self, me: Participant<'_, P>) -> Result<End, NoEnd> {
        let index = (0..N).find(|index| self.take_hold(me, &self.holds[*index])).ok_or(NoEnd::Full)?;
        let end = End { index, holder: me.id };
        let mut seen = self.door.load(Relaxed);
        loop {
            if seen & SHUT != 0 {
                self.free(end);
                return Err(NoEnd::Shut);
            }
            let counted = USED | seen.wrapping_add(1) & NUMBER;
            // ORDERING: Release. Pairs with the Acquire of `is_abandoned`: who reads this number
            // finds the hold. Model: `ends::an_end_that_counts_is_found`.
            match self.door.compare_exchange(seen, counted, Release, Relaxed) {
                Ok(_) => return Ok(end),
                Err(now) => seen = now,
            }
        }
    }

    /// Takes this hold, if it is free, or left by a dead process. If another participant changes it
    /// meanwhile, the caller goes on to the next one.
    fn take_hold(&self, me: Participant<'_, P>, hold: &P::Word) -> bool {
        // ORDERING: Relaxed. `inherit` judges the holder once more, with Acquire.
        let seen = hold.load(Relaxed);
        if Id::holder_in(seen).is_some_and(|holder| is_there(me, holder)) {
            return false;
        }
        // Whether the end was leaked is checked once more. Model:
        // `ends::a_late_heir_is_given_no_leaked_end`.
        // ORDERING: Relaxed; the door publishes it.
        me.inherit_unless_leaked(hold, seen, || hold.compare_exchange(seen, me.id.word(), Relaxed, Relaxed).is_ok())
    }

    /// Gives an end back. The caller then passes a fence, and checks whether the side
    /// [is abandoned](Self::is_abandoned).
    pub fn give_back(&self, end: End) {
        self.free(end);
        // ORDERING: SeqCst: invariant 3. Model: `ends::without_fences_nobody_is_the_last`.
        P::fence(SeqCst);
    }

    fn free(&self, end: End) {
        // ORDERING: Relaxed; the channel itself publishes what was sent. The CAS fails only if the
        // hold was scribbled on.
        let _scribbled = self.holds[end.index].compare_exchange(end.holder.word(), FREE, Relaxed, Relaxed);
    }

    /// Whether ends were taken, and all of them are gone. Shuts the side then.
    ///
    /// # If a process dies
    /// See the [module](self#if-a-process-dies).
    #[inline]
    pub fn is_abandoned(&self, me: Participant<'_, P>) -> bool {
        // ORDERING: Relaxed. Sides without ends cost no more than this. If somebody else has taken
        // the first end just now, it is there.
        self.door.load(Relaxed) & (USED | SHUT) != 0 && self.shut_if_abandoned(me)
    }

    #[cold]
    fn shut_if_abandoned(&self, me: Participant<'_, P>) -> bool {
        loop {
            // ORDERING: Acquire. Pairs with the Release of `take`: all ends with a number are
            // found.
            let door = self.door.load(Acquire);
            if door & SHUT != 0 {
                return true;
            }
            if self.has_an_end(me) {
                return false;
            }
            // ORDERING: Relaxed. The change of the channel that closes it publishes what must be
            // seen.
            if self.door.compare_exchange(door, door | SHUT, Relaxed, Relaxed).is_ok() {
                return true;
            }
        }
    }

    fn has_an_end(&self, me: Participant<'_, P>) -> bool {
        // ORDERING: Acquire, as `Table::is_alive` requires. Model:
        // `ends::a_newcomer_with_an_end_is_not_judged_dead`.
        // EQUIVALENT(Acquire to Relaxed): an end that counts was seen with its number, which was
        // read with Acquire. A newcomer whose end does not count yet may be judged dead: it finds
        // the side shut.
        let used = self.holds.iter().map(|hold| hold.load(Acquire)).take_while(|hold| *hold != NEVER_USED);
        used.filter_map(Id::holder_in).any(|holder| is_there(me, holder))
    }
}

/// Whether the process of a participant that has an end still lives.
fn is_there<P: Platform>(me: Participant<'_, P>, holder: Id) -> bool {
    holder == me.id || me.table.is_alive(holder) || me.table.has_leaked(holder)
}

#[cfg(test)]
mod tests;
