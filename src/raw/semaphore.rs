//! A counting semaphore of 8 bytes: permits that nobody holds by name.
//!
//! Any participant may release, as in POSIX and Python; so a permit taken by one who then died is gone, because nobody can know
//! whether somebody else was to release it. Where permits should come back, they must be named: [`Permits`](super::permits).
//! What the dead never take along is a wake.
//!
//! # State word
//!
//! | bits  | name    | set by                                                   | cleared by  |
//! |-------|---------|----------------------------------------------------------|-------------|
//! | 0–29  | count   | releases add, acquisitions take away                     |             |
//! | 30    | MANY    | one about to sleep who wants more than one permit         | a release   |
//! | 31    | WAITERS | one about to sleep; one who slept and then took           | a release   |
//!
//! A second word is the maximum of the count, 0 for the largest there is; it does not change while the semaphore is in use. Any
//! other value means itself, or the largest if it is larger. A count above the maximum, which this code never writes,
//! can be taken from, and is not added to.
//!
//! # Invariants
//!
//! 1. A permit is taken and given by one CAS on the count; every change of the word is a read-modify-write, so who takes a
//!    permit sees what was written before any release that it may have come from.
//! 2. A release clears WAITERS and MANY, and then wakes: everybody if MANY was set, else as many as it released. Every return from
//!    a sleep sets them again, *before* the look.
//! 3. Who slept and then took wakes one more if something is left: of two releases before it ran, the second found no WAITERS.
//! 4. Who sets MANY anew beside a count that does not suffice for it wakes everybody: a wake for one, on its way from a release
//!    that saw no MANY, might find this sleeper, who has no use for it. The kernel wakes by priority, not by order of arrival.
//!    This ends: MANY is set anew only after a release. It is owed also by one that found enough when it set MANY, and was
//!    overtaken before it took: the next look finds MANY set, by itself.
//!    Model: `semaphore::nor_if_it_is_overtaken_between_look_and_take`.
//!
//! So while a sleeper's wish can be met, it has been woken, or somebody awake will wake it, whom it watches
//! (see [`vigil`](super::vigil)).

use super::hold::WAITERS;
use super::table::Participant;
use super::vigil::{Slept, Vigil};
use crate::platform::{Platform, Word};
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use core::time::Duration;

const MANY: u32 = 1 << 30;
const COUNT: u32 = MANY - 1;
const EVERYBODY: u32 = u32::MAX;

/// See the [module](self).
#[derive(Debug)]
#[repr(C)]
pub struct Semaphore<P: Platform> {
    word: P::Word,
    maximum: P::Word,
}

/// Why there were no permits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// There were too few.
    WouldBlock,
    /// There were too few until the deadline.
    TimedOut,
    /// There can never be as many.
    TooMany {
        /// The most that there can be.
        maximum: u32,
    },
}

/// A release would have brought the count above the maximum. Nothing was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OverRelease {
    /// The count that was found.
    pub available: u32,
    /// The most that there can be.
    pub maximum: u32,
}

impl<P: Platform> Semaphore<P> {
    /// The most permits that any semaphore can have.
    pub const MOST: u32 = COUNT;

    /// A semaphore of a count and a maximum, 0 for none. Two words of 0 are one without permits and without limit.
    pub const fn from_words(count: P::Word, maximum: P::Word) -> Self {
        Self { word: count, maximum }
    }

    /// Takes `count` permits if that takes no waiting.
    ///
    /// # Errors
    /// [`Refused::WouldBlock`], [`Refused::TooMany`].
    ///
    /// # If a process dies
    /// As [`acquire`](Self::acquire).
    #[inline]
    pub fn try_acquire(&self, count: u32) -> Result<(), Refused> {
        if self.take(self.word.load(Relaxed), count) { Ok(()) } else { self.try_acquire_slow(count) }
    }

    /// Takes `count` permits, all or none, waiting until `deadline` ([`Platform::now`]'s clock; `None`: for ever).
    ///
    /// Who wants many may be overtaken by those who want fewer, without end.
    ///
    /// # Errors
    /// [`Refused::TimedOut`], [`Refused::TooMany`].
    ///
    /// # If a process dies
    /// One that has taken permits: they are gone. A waiter, or a releaser between release and wake: nobody notices, nobody is
    /// left asleep beside permits that it wants.
    #[inline]
    pub fn acquire(&self, me: &Participant<'_, P>, count: u32, deadline: Option<Duration>) -> Result<(), Refused> {
        if self.take(self.word.load(Relaxed), count) { Ok(()) } else { self.acquire_slow(*me, count, deadline) }
    }

    /// Takes permits from the word as `seen`. False if they are too few, or the word has changed.
    #[inline(always)]
    fn take(&self, seen: u32, count: u32) -> bool {
        // ORDERING: Acquire. Pairs with the Release of `release`: who takes a permit sees what was written before it was given.
        // Model: `semaphore::a_permit_acquires_what_was_written_before_its_release`.
        seen & COUNT >= count && self.word.compare_exchange(seen, seen - count, Acquire, Relaxed).is_ok()
    }

    fn can_ever_be(&self, count: u32) -> Result<(), Refused> {
        let maximum = self.maximum();
        if count <= maximum { Ok(()) } else { Err(Refused::TooMany { maximum }) }
    }

    #[cold]
    fn try_acquire_slow(&self, count: u32) -> Result<(), Refused> {
        self.can_ever_be(count)?;
        loop {
            let seen = self.word.load(Relaxed);
            if seen & COUNT < count {
                return Err(Refused::WouldBlock);
            }
            if self.take(seen, count) {
                return Ok(());
            }
        }
    }

    // The participant by value: a reference would force it into memory before the fast path's CAS.
    #[cold]
    fn acquire_slow(&self, me: Participant<'_, P>, count: u32, deadline: Option<Duration>) -> Result<(), Refused> {
        self.can_ever_be(count)?;
        let wish = if count > 1 { WAITERS | MANY } else { WAITERS };
        let mut vigil = Vigil::new(&me, deadline);
        let mut spins = P::SPINS;
        let mut slept = false;
        let mut has_set_many = false; // since it last was about to sleep
        loop {
            // ORDERING: Relaxed; `take` orders. After a sleep it is a read-modify-write, so that what is looked at is the newest
            // value, in which the wish stands: a stale one could hide the permit whose only wake ended this sleep.
            let was = if slept { self.word.fetch_or(wish, Relaxed) } else { self.word.load(Relaxed) };
            let seen = if slept { was | wish } else { was };
            let sets_many = was & MANY < wish & MANY;
            has_set_many |= slept && sets_many;
            if seen & COUNT >= count {
                if self.take(seen, count) {
                    if slept {
                        self.pass_on(seen - count);
                    }
                    return Ok(());
                }
                continue;
            }
            if spins > 0 && seen & WAITERS == 0 {
                spins -= 1;
                P::spin();
                continue;
            }
            // ORDERING: Relaxed; it is releases that act on the wish, and they read the word itself.
            if seen & wish != wish && self.word.compare_exchange(seen, seen | wish, Relaxed, Relaxed).is_err() {
                continue;
            }
            if (has_set_many || sets_many) && was & COUNT != 0 {
                P::wake(&self.word, EVERYBODY); // invariant 4
            }
            has_set_many = false;
            if vigil.sleep(&self.word, seen | wish, None) == Slept::TimedOut {
                return Err(Refused::TimedOut);
            }
            slept = true;
        }
    }

    /// Invariant 3, for one who slept and has left this word behind.
    fn pass_on(&self, left: u32) {
        if left & COUNT != 0 {
            P::wake(&self.word, if left & MANY != 0 { EVERYBODY } else { 1 });
        }
    }

    /// Gives `count` permits, whoever took them.
    ///
    /// To be called by a participant: the death of anybody else between release and wake is found by the net alone.
    ///
    /// # Errors
    /// [`OverRelease`] if there would be more than the maximum. Nothing is changed then.
    ///
    /// # If a process dies
    /// Before the CAS: nothing has happened. After it, before the wake: the sleepers look, and find the permits.
    #[inline]
    pub fn release(&self, count: u32) -> Result<(), OverRelease> {
        if count == 0 {
            return Ok(()); // it would clear WAITERS, and wake nobody
        }
        let maximum = self.maximum();
        let mut seen = self.word.load(Relaxed);
        loop {
            let available = seen & COUNT;
            if maximum.saturating_sub(available) < count {
                return Err(OverRelease { available, maximum });
            }
            // ORDERING: Release. Pairs with the Acquire of `take`.
            // Model: `semaphore::a_release_publishes_what_was_written_before_it`.
            match self.word.compare_exchange(seen, available + count, Release, Relaxed) {
                Ok(_) if seen & WAITERS == 0 => return Ok(()),
                Ok(_) => {
                    self.wake(seen, count);
                    return Ok(());
                }
                Err(now) => seen = now,
            }
        }
    }

    #[cold]
    fn wake(&self, seen: u32, released: u32) {
        P::wake(&self.word, if seen & MANY != 0 { EVERYBODY } else { released });
    }

    /// The number of permits that can be had at the moment.
    pub fn available(&self) -> u32 {
        self.word.load(Relaxed) & COUNT
    }

    /// The most permits that there can be.
    #[inline(always)]
    pub fn maximum(&self) -> u32 {
        // ORDERING: Relaxed; it was written before anybody else could see the semaphore. 0 wraps around to the largest.
        self.maximum.load(Relaxed).wrapping_sub(1).min(COUNT - 1) + 1
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod waits;
