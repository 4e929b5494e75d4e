//! A counting semaphore of 16 bytes. Its permits have no names: the word does not say who took
//! them.
//!
//! Any participant may release, as in POSIX and Python. So a permit is lost if the participant that
//! took it dies: nobody can know whether another participant was to release it. Permits that come
//! back must be named: see [`PermitPool`](super::permit_pool). A wake is never lost with a dead
//! participant.
//!
//! # State
//!
//! The first word:
//!
//! | bits  | name    | set by                                                                  | cleared by |
//! |-------|---------|-------------------------------------------------------------------------|------------|
//! | 0–30  | count   | releases add, acquisitions subtract                                     |            |
//! | 31    | WAITERS | a waiter for one permit: before it sleeps, and in each check after a sleep | a release  |
//!
//! The second word is the *guess*: what the first word was after some operation, as a rule the
//! latest. The fast paths begin with a CAS that expects it. A load of the first word instead would
//! wait for the exchange before it. Each operation that takes or gives permits renews the guess
//! afterwards. Any value may stand there, also after a death.
//!
//! The third word is the *wish*. Several waiters may each want more than one permit: the wish is
//! the smallest of their numbers, or 0 if there is no such waiter. It may be too small, but never
//! too large. Waiters for many sleep on this word; waiters for one sleep on the first.
//!
//! The fourth word is the maximum of the count. It does not change while the semaphore is in use. 0
//! means the largest possible maximum, and so does a value above it. This code never writes a count
//! above the maximum. If there is one nevertheless, permits can be taken from it, and none added.
//!
//! # Invariants
//!
//! 1. One CAS on the count takes or gives a permit, and every change of the word is a
//!    read-modify-write. So a participant that takes a permit sees all that was written before any
//!    release that the permit may come from.
//! 2. A release clears WAITERS, and then wakes as many waiters on the count as it released permits.
//!    A waiter that returns from a sleep there sets WAITERS again *before* it checks the count.
//! 3. A waiter that slept on the count, and then took a permit, wakes one more waiter if permits
//!    are left. There may have been two releases before it ran, and the second found no WAITERS.
//! 4. A waiter for many lowers the wish to its own number, and then checks the count by a
//!    read-modify-write. It sleeps as long as the wish has the value that it left. A release adds
//!    to the count, then checks the wish. So at least one of the two notices the other.
//! 5. A release that finds the wish not above the count clears the wish, and wakes all that sleep
//!    on it. Each of them takes permits, or lowers the wish again. A release that finds the wish
//!    above the count wakes none of them.
//! 6. A waiter for many that has lowered the wish, and then takes permits, answers the wish as a
//!    release does: it wakes all if the permits that are left meet the present wish. The reason:
//!    another waiter may have read the wish before a release cleared it, and fall asleep only after
//!    this waiter restored it. The release's wake came too early for that one. Model:
//!    `semaphore::one_release_meets_two_equal_requests`.
//! 7. No answer rests on the guess alone. A CAS that expects it fails if it is wrong. If it permits
//!    no CAS, the first word is loaded.
//!
//! So if a sleeper's wish can be met, the sleeper has been woken, or an awake participant that it
//! watches will wake it (see [`vigil`](super::vigil)).
//!
//! # Ways that do not work
//!
//! One word on which all sleep. A wake for one may reach a waiter for many, which has no use for
//! it, because the kernel wakes by priority. Each release would then have to wake everybody as long
//! as one waiter wants many.

use super::hold::{WAITERS, has_waiters};
use super::table::Participant;
use super::vigil::{Spins, Vigil, from_ended};
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
    guess: P::Word,
    wish: P::Word,
    maximum: P::Word,
}

/// Why permits were not acquired.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotAcquired {
    /// Too few are available.
    WouldBlock,
    /// Too few were available by the deadline.
    TimedOut,
    /// Too few were available before the caller was [interrupted](crate::interruptible).
    Interrupted,
    /// There can never be so many.
    TooMany {
        /// The most that there can be.
        maximum: u32,
    },
}

from_ended! { NotAcquired }

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

    /// A semaphore of a count, a guess of it, a wish that is 0, and a maximum, where 0 means no
    /// limit. Four words of 0 are a semaphore without permits and without limit.
    pub const fn from_words(count: P::Word, guess: P::Word, wish: P::Word, maximum: P::Word) -> Self {
        Self { word: count, guess, wish, maximum }
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
        if self.acquire_fast(count) { Ok(()) } else { self.try_acquire_slow(count) }
    }

    /// Takes `count` permits, all or none. Waits at most to `deadline` ([`Platform::now`]'s clock;
    /// `None`: forever).
    ///
    /// Callers that want fewer permits can overtake a caller that wants many, without end.
    ///
    /// # Errors
    /// [`NotAcquired::TimedOut`], [`NotAcquired::Interrupted`], [`NotAcquired::TooMany`].
    ///
    /// # If a process dies
    /// A participant that has taken permits: they are lost. A waiter, or a releaser between release
    /// and wake: nobody notices, and no waiter sleeps on while there are permits for it.
    #[inline]
    pub fn acquire(&self, me: Participant<'_, P>, count: u32, deadline: Option<Duration>) -> Result<(), NotAcquired> {
        if self.acquire_fast(count) { Ok(()) } else { self.acquire_slow(me, count, deadline) }
    }

    /// The fast path: takes permits if the guess is right, and there are enough. False does not
    /// mean that there are too few.
    #[inline(always)]
    #[must_use]
    pub(crate) fn acquire_fast(&self, count: u32) -> bool {
        self.take(self.guess.load(Relaxed), count) // ORDERING: Relaxed; the CAS checks the guess.
    }

    /// Takes permits if the word still is `seen`, and has enough of them.
    #[inline(always)]
    fn take(&self, seen: u32, count: u32) -> bool {
        // ORDERING: Acquire. Pairs with the Release of `release`: a participant that takes a permit
        // sees what was written before the permit was released. Model:
        // `semaphore::a_permit_acquires_what_was_written_before_its_release`.
        let taken = count_in(seen) >= count && self.word.compare_exchange(seen, seen - count, Acquire, Relaxed).is_ok();
        if taken {
            self.guess.store(seen - count, Relaxed); // ORDERING: Relaxed; a guess need not be right.
        }
        taken
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
        let mut vigil = Vigil::new(me, deadline).spinning(Spins::learned(deadline));
        match count {
            0 => Ok(()), // the word had changed
            1 => self.acquire_one(&mut vigil),
            _ => self.acquire_many(count, &mut vigil),
        }
    }

    fn acquire_one(&self, vigil: &mut Vigil<'_, P>) -> Result<(), NotAcquired> {
        let mut slept = false;
        loop {
            // ORDERING: Relaxed; `take` orders. After a sleep this is a read-modify-write, which
            // reads the newest value and sets WAITERS in it. A stale value could hide the permit
            // for which the caller was woken, and nobody else is woken for that permit.
            let seen = if slept { self.word.fetch_or(WAITERS, Relaxed) | WAITERS } else { self.word.load(Relaxed) };
            if count_in(seen) != 0 {
                if self.take(seen, 1) {
                    vigil.succeed();
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

    /// Invariant 3, for a waiter that slept and has left the word as `left`.
    fn pass_on(&self, left: u32) {
        if count_in(left) != 0 {
            P::wake(&self.word, 1);
        }
    }

    fn acquire_many(&self, count: u32, vigil: &mut Vigil<'_, P>) -> Result<(), NotAcquired> {
        let mut has_wished = false;
        loop {
            let seen = self.word.load(Relaxed); // ORDERING: Relaxed; another check follows.
            if count_in(seen) >= count {
                if self.take(seen, count) {
                    vigil.succeed();
                    if has_wished {
                        self.answer_wish(count_in(seen) - count); // invariant 6
                    }
                    return Ok(());
                }
                continue;
            }
            if vigil.spin() {
                continue;
            }
            let wish = self.lower_wish(count);
            has_wished = true;
            // ORDERING: Release; a read-modify-write that changes nothing. A release that adds
            // after it sees the wish. Model:
            // `semaphore::a_waiter_for_many_is_woken_when_there_are_enough`.
            let newest = self.word.fetch_or(0, Release);
            if count_in(newest) >= count {
                continue;
            }
            vigil.sleep(&self.wish, wish, None)?;
        }
    }

    /// Lowers the wish to `count`, unless it is lower already. Returns the wish.
    fn lower_wish(&self, count: u32) -> u32 {
        let mut seen = self.wish.load(Relaxed);
        // ORDERING: Relaxed for all; the check of the count publishes the wish.
        while seen == 0 || seen > count {
            match self.wish.compare_exchange(seen, count, Relaxed, Relaxed) {
                Ok(_) => return count,
                Err(now) => seen = now,
            }
        }
        seen
    }

    /// Gives `count` permits. It does not matter which participant took them.
    ///
    /// To be called by a participant. If another thread dies between release and wake, only a
    /// recheck finds that.
    ///
    /// # Errors
    /// [`OverRelease`] if the count would exceed the maximum. Nothing is changed then.
    ///
    /// # If a process dies
    /// Before the CAS: nothing has happened. After it, before the wake: the sleepers check, and
    /// find the permits.
    #[inline]
    pub fn release(&self, count: u32) -> Result<(), OverRelease> {
        if self.release_fast(count) { Ok(()) } else { self.release_slow(count) }
    }

    /// The fast path of [`release`](Self::release): gives permits if the guess is right, and there
    /// is room for them. Returns false otherwise, and has changed nothing.
    #[inline(always)]
    #[must_use]
    pub(crate) fn release_fast(&self, count: u32) -> bool {
        // Without permits it would clear WAITERS, and wake nobody.
        count != 0 && self.give(self.guess.load(Relaxed), count) // ORDERING: Relaxed; the CAS checks the guess.
    }

    #[cold]
    fn release_slow(&self, count: u32) -> Result<(), OverRelease> {
        if count == 0 {
            return Ok(());
        }
        loop {
            let seen = self.word.load(Relaxed);
            let (available, maximum) = (count_in(seen), self.maximum());
            if maximum.saturating_sub(available) < count {
                return Err(OverRelease { available, maximum });
            }
            if self.give(seen, count) {
                return Ok(());
            }
        }
    }

    /// Gives permits if the word still is `seen`, and there is room for them. Wakes their waiters.
    #[inline(always)]
    fn give(&self, seen: u32, count: u32) -> bool {
        let available = count_in(seen);
        // ORDERING: Release. Pairs with the Acquire of `take`. Model:
        // `semaphore::a_release_publishes_what_was_written_before_it`. Acquire, too: the wish,
        // which is loaded next, is not older than the count (see `acquire_many`).
        let given = self.maximum().saturating_sub(available) >= count
            && self.word.compare_exchange(seen, available + count, AcqRel, Relaxed).is_ok();
        if given {
            let wish = self.wish.load(Relaxed); // ORDERING: Relaxed, as just said.
            self.guess.store(available + count, Relaxed); // ORDERING: Relaxed; a guess need not be right.
            if has_waiters(seen) || wish != 0 {
                self.wake(seen, count);
            }
        }
        given
    }

    /// Wakes the waiters of a release that found the count `seen`, and has added to it.
    #[cold]
    fn wake(&self, seen: u32, released: u32) {
        if has_waiters(seen) {
            P::wake(&self.word, released);
        }
        self.answer_wish(count_in(seen) + released);
    }

    /// Wakes the waiters for many, if one of them wants no more permits than are available.
    fn answer_wish(&self, available: u32) {
        let mut wish = self.wish.load(Relaxed); // ORDERING: Relaxed; as new as the caller's last CAS on the count.
        while wish != 0 && wish <= available {
            // ORDERING: Relaxed; the woken waiters check the count.
            match self.wish.compare_exchange(wish, 0, Relaxed, Relaxed) {
                Ok(_) => {
                    P::wake(&self.wish, u32::MAX);
                    return;
                }
                Err(now) => wish = now,
            }
        }
    }

    /// The number of permits that are available at the moment.
    pub fn available(&self) -> u32 {
        count_in(self.word.load(Relaxed))
    }

    /// The most permits that there can be.
    #[inline(always)]
    pub fn maximum(&self) -> u32 {
        // ORDERING: Relaxed; written before the semaphore was shared. 0 wraps to the largest.
        self.maximum.load(Relaxed).wrapping_sub(1).min(COUNT - 1) + 1
    }
}

mod source;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod waits;
