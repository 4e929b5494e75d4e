//! A counting semaphore of 12 bytes: permits that nobody holds by name.
//!
//! Any participant may release, as in POSIX and Python; so a permit taken by one who then died is
//! gone, because nobody can know whether somebody else was to release it. Where permits should come
//! back, they must be named: [`PermitPool`](super::permit_pool). What the dead never take along is
//! a wake.
//!
//! # State
//!
//! The first word:
//!
//! | bits  | name    | set by                                                         | cleared by |
//! |-------|---------|----------------------------------------------------------------|------------|
//! | 0–30  | count   | releases add, acquisitions take away                           |            |
//! | 31    | WAITERS | one about to sleep for one permit; one who slept and then took | a release  |
//!
//! The second word is the *wish*: the fewest permits that one of those wants who sleep for more
//! than one, or 0 if nobody does. It may be less than that, never more. They sleep on this word,
//! and those who want one permit on the first.
//!
//! The third is the maximum of the count, 0 for the largest there is; it does not change while the
//! semaphore is in use. Any other value means itself, or the largest if it is larger. A count above
//! the maximum, which this code never writes, can be taken from, and is not added to.
//!
//! # Invariants
//!
//! 1. A permit is taken and given by one CAS on the count; every change of the word is a
//!    read-modify-write, so who takes a permit sees what was written before any release that it may
//!    have come from.
//! 2. A release clears WAITERS, and then wakes as many on the count as it released. Every return
//!    from a sleep there sets WAITERS again, *before* the look.
//! 3. Who slept on the count and then took wakes one more if something is left: of two releases
//!    before it ran, the second found no WAITERS.
//! 4. Who wants many lowers the wish to its own, then looks at the count by a read-modify-write,
//!    and sleeps as long as the wish is as it left it. A release adds to the count, then looks at
//!    the wish. So one of the two sees what the other did.
//! 5. A release that finds the wish not above the count takes the wish away, and wakes all who
//!    sleep on it. Each of them takes, or lowers the wish again. A release that finds it above the
//!    count wakes none of them.
//! 6. Who has lowered the wish, and then takes, does as a release does with what is left. It may
//!    have set the wish back to the value that another still expects, who falls asleep only now,
//!    and missed the wake between. Model: `semaphore::one_release_meets_two_equal_wishes`.
//!
//! So while a sleeper's wish can be met, it has been woken, or somebody awake will wake it, whom it
//! watches (see [`vigil`](super::vigil)).
//!
//! # Ways that do not work
//!
//! One word to sleep on for all: a wake for one, on its way, may find a sleeper that wants many and
//! has no use for it, since the kernel wakes by priority. Then each release must wake everybody as
//! long as one wants many.

use super::hold::{WAITERS, has_waiters};
use super::table::Participant;
use super::vigil::{Ended, Vigil};
use crate::platform::{Platform, Word};
use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use core::time::Duration;

const COUNT: u32 = WAITERS - 1;

/// How many permits the word says that there are.
#[inline(always)]
fn count_in(word: u32) -> u32 {
    word & COUNT
}

/// See the [module](self).
#[derive(Debug)]
#[repr(C)]
pub struct Semaphore<P: Platform> {
    word: P::Word,
    wish: P::Word,
    maximum: P::Word,
}

/// Why there were no permits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotAcquired {
    /// There were too few.
    WouldBlock,
    /// There were too few until the deadline.
    TimedOut,
    /// There were too few until the caller was [interrupted](crate::interruptible).
    Interrupted,
    /// There can never be as many.
    TooMany {
        /// The most that there can be.
        maximum: u32,
    },
}

impl From<Ended> for NotAcquired {
    fn from(ended: Ended) -> Self {
        match ended {
            Ended::TimedOut => Self::TimedOut,
            Ended::Interrupted => Self::Interrupted,
        }
    }
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

    /// A semaphore of a count, a word that is 0, and a maximum, 0 for none. Three words of 0 are
    /// one without permits and without limit.
    pub const fn from_words(count: P::Word, wish: P::Word, maximum: P::Word) -> Self {
        Self { word: count, wish, maximum }
    }

    /// Takes `count` permits if that takes no waiting.
    ///
    /// # Errors
    /// [`NotAcquired::WouldBlock`], [`NotAcquired::TooMany`].
    ///
    /// # If a process dies
    /// As [`acquire`](Self::acquire).
    #[inline]
    pub fn try_acquire(&self, count: u32) -> Result<(), NotAcquired> {
        if self.take(self.word.load(Relaxed), count) { Ok(()) } else { self.try_acquire_slow(count) }
    }

    /// Takes `count` permits, all or none, waiting until `deadline` ([`Platform::now`]'s clock;
    /// `None`: for ever).
    ///
    /// Who wants many may be overtaken by those who want fewer, without end.
    ///
    /// # Errors
    /// [`NotAcquired::TimedOut`], [`NotAcquired::Interrupted`], [`NotAcquired::TooMany`].
    ///
    /// # If a process dies
    /// One that has taken permits: they are gone. A waiter, or a releaser between release and wake:
    /// nobody notices, nobody is left asleep beside permits that it wants.
    #[inline]
    pub fn acquire(&self, me: Participant<'_, P>, count: u32, deadline: Option<Duration>) -> Result<(), NotAcquired> {
        if self.take(self.word.load(Relaxed), count) { Ok(()) } else { self.acquire_slow(me, count, deadline) }
    }

    /// Takes permits from the word as `seen`. False if they are too few, or the word has changed.
    #[inline(always)]
    fn take(&self, seen: u32, count: u32) -> bool {
        // ORDERING: Acquire. Pairs with the Release of `release`: who takes a permit sees what was
        // written before it was given. Model:
        // `semaphore::a_permit_acquires_what_was_written_before_its_release`.
        count_in(seen) >= count && self.word.compare_exchange(seen, seen - count, Acquire, Relaxed).is_ok()
    }

    fn can_ever_be(&self, count: u32) -> Result<(), NotAcquired> {
        let maximum = self.maximum();
        if count <= maximum { Ok(()) } else { Err(NotAcquired::TooMany { maximum }) }
    }

    #[cold]
    fn try_acquire_slow(&self, count: u32) -> Result<(), NotAcquired> {
        self.can_ever_be(count)?;
        loop {
            let seen = self.word.load(Relaxed);
            if count_in(seen) < count {
                return Err(NotAcquired::WouldBlock);
            }
            if self.take(seen, count) {
                return Ok(());
            }
        }
    }

    #[cold]
    fn acquire_slow(&self, me: Participant<'_, P>, count: u32, deadline: Option<Duration>) -> Result<(), NotAcquired> {
        self.can_ever_be(count)?;
        let mut vigil = Vigil::new(me, deadline);
        match count {
            0 => Ok(()), // the word had changed
            1 => self.acquire_one(&mut vigil),
            _ => self.acquire_many(count, &mut vigil),
        }
    }

    fn acquire_one(&self, vigil: &mut Vigil<'_, P>) -> Result<(), NotAcquired> {
        let mut slept = false;
        loop {
            // ORDERING: Relaxed; `take` orders. After a sleep it is a read-modify-write, so that
            // what is looked at is the newest value, in which WAITERS stands: a stale one could
            // hide the permit whose only wake ended this sleep.
            let seen = if slept { self.word.fetch_or(WAITERS, Relaxed) | WAITERS } else { self.word.load(Relaxed) };
            if count_in(seen) != 0 {
                if self.take(seen, 1) {
                    if slept {
                        self.pass_on(seen - 1);
                    }
                    return Ok(());
                }
                continue;
            }
            slept |= vigil.wait_while(&self.word, seen, None)?;
        }
    }

    /// Invariant 3, for one who slept and has left this word behind.
    fn pass_on(&self, left: u32) {
        if count_in(left) != 0 {
            P::wake(&self.word, 1);
        }
    }

    fn acquire_many(&self, count: u32, vigil: &mut Vigil<'_, P>) -> Result<(), NotAcquired> {
        let mut spins = P::SPINS;
        let mut has_wished = false;
        loop {
            let seen = self.word.load(Relaxed); // ORDERING: a look that misses something is followed by another.
            if count_in(seen) >= count {
                if self.take(seen, count) {
                    if has_wished {
                        self.answer_wish(count_in(seen) - count); // invariant 6
                    }
                    return Ok(());
                }
                continue;
            }
            if spins > 0 {
                spins -= 1;
                P::spin();
                continue;
            }
            let wish = self.lower_wish(count);
            has_wished = true;
            // ORDERING: Release, a read-modify-write that changes nothing: a release that adds
            // after it sees the wish. Model:
            // `semaphore::one_who_wants_many_is_woken_when_there_are_as_many`.
            let newest = self.word.fetch_or(0, Release);
            if count_in(newest) >= count {
                continue;
            }
            vigil.sleep(&self.wish, wish, None)?;
        }
    }

    /// Makes the wish no more than `count`, and gives what it is then.
    fn lower_wish(&self, count: u32) -> u32 {
        let mut seen = self.wish.load(Relaxed);
        // ORDERING: Relaxed for all; it is published by the look at the count.
        while seen == 0 || seen > count {
            match self.wish.compare_exchange(seen, count, Relaxed, Relaxed) {
                Ok(_) => return count,
                Err(now) => seen = now,
            }
        }
        seen
    }

    /// Gives `count` permits, whoever took them.
    ///
    /// To be called by a participant: the death of anybody else between release and wake is found
    /// by the net alone.
    ///
    /// # Errors
    /// [`OverRelease`] if there would be more than the maximum. Nothing is changed then.
    ///
    /// # If a process dies
    /// Before the CAS: nothing has happened. After it, before the wake: the sleepers look, and find
    /// the permits.
    #[inline]
    pub fn release(&self, count: u32) -> Result<(), OverRelease> {
        if count == 0 {
            return Ok(()); // it would clear WAITERS, and wake nobody
        }
        let maximum = self.maximum();
        let mut seen = self.word.load(Relaxed);
        loop {
            let available = count_in(seen);
            if maximum.saturating_sub(available) < count {
                return Err(OverRelease { available, maximum });
            }
            // ORDERING: Release. Pairs with the Acquire of `take`. Model:
            // `semaphore::a_release_publishes_what_was_written_before_it`. Acquire, too: the wish
            // that is looked at next is not older than the count, see `acquire_many`.
            match self.word.compare_exchange(seen, available + count, AcqRel, Relaxed) {
                Ok(_) => break,
                Err(now) => seen = now,
            }
        }
        let wish = self.wish.load(Relaxed); // ORDERING: as said.
        if has_waiters(seen) || wish != 0 {
            self.wake(seen, count);
        }
        Ok(())
    }

    /// Wakes whom a release concerns that found these words, and has added to the count.
    #[cold]
    fn wake(&self, seen: u32, released: u32) {
        if has_waiters(seen) {
            P::wake(&self.word, released);
        }
        self.answer_wish(count_in(seen) + released);
    }

    /// Wakes those who want many, if somebody among them wants no more than are available.
    fn answer_wish(&self, available: u32) {
        let mut wish = self.wish.load(Relaxed); // ORDERING: it is as new as the caller's last CAS on the count.
        while wish != 0 && wish <= available {
            // ORDERING: Relaxed; those that are woken look at the count.
            match self.wish.compare_exchange(wish, 0, Relaxed, Relaxed) {
                Ok(_) => {
                    P::wake(&self.wish, u32::MAX);
                    return;
                }
                Err(now) => wish = now,
            }
        }
    }

    /// The number of permits that can be had at the moment.
    pub fn available(&self) -> u32 {
        self.word.load(Relaxed) & COUNT
    }

    /// The most permits that there can be.
    #[inline(always)]
    pub fn maximum(&self) -> u32 {
        // ORDERING: Relaxed; it was written before anybody else could see the semaphore. 0 wraps
        // around to the largest.
        self.maximum.load(Relaxed).wrapping_sub(1).min(COUNT - 1) + 1
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod waits;
