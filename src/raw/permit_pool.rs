//! A pool of permits with names: N locks, any of which will do.
//!
//! Each permit is a [hold](super::hold) of its own, with an index; the permits of a
//! [semaphore](super::semaphore) are not. So the next caller takes over the permit of a dead
//! holder. The holder of permit 3 has connection, device or buffer number 3 to itself.
//!
//! # State
//!
//! There are N words of holds. This code writes only 0 (free) and a holder's id into them. A word
//! without HELD counts as free. The capacity word says how many of the N words the pool uses: 0
//! means all, and so does a value above N. It does not change while the pool is in use. The
//! sequence word:
//!
//! | bits  | name     | set by                              | cleared by                                     |
//! |-------|----------|-------------------------------------|------------------------------------------------|
//! | 0–30  | sequence | a release that found WAITERS adds 1 |                                                |
//! | 31    | WAITERS  | a waiter about to sleep             | a release that finds it, before it wakes one   |
//!
//! The sequence wraps after 2^31 releases that each found sleepers. That matters only if all of
//! them fall between one sleeper's check and its sleep.
//!
//! # Invariants
//!
//! 1. A hold with the id of a living participant: that participant alone has the permit. With the
//!    id of a dead participant: the participant whose CAS replaces that very word has the permit,
//!    and learns of the death.
//! 2. A release frees the hold, *then* checks the sequence word. A sleeper sets WAITERS, *then*
//!    checks all the holds. Both have a fence in between. So at least one of them notices the
//!    other.
//! 3. A sleeper sets WAITERS, makes its last check, and then sleeps as long as the sequence word
//!    has the value that the sleeper left. A release that clears WAITERS also changes the sequence.
//!    So if another sleeper sets WAITERS again later, the first sleeper does not mistake that flag
//!    for its own.
//! 4. A waiter that returns from a sleep sets WAITERS again before it checks. A waiter that slept
//!    and then took a permit wakes one more waiter if a permit is free. There may have been two
//!    releases before it ran, and the second found no WAITERS.
//!
//! # Ways that do not work
//!
//! A sequence word for each permit does not work. Two wakes on two words can reach the same
//! sleeper. Another sleeper then sleeps on although a permit is free.

use super::hold::{Id, WAITERS, has_waiters};
use super::mutex::NotHeld;
use super::table::Participant;
use super::vigil::{Vigil, from_ended};
use crate::platform::{Platform, Word};
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};
use core::time::Duration;

/// See the [module](self).
#[derive(Debug)]
#[repr(C)]
pub struct PermitPool<P: Platform, const N: usize> {
    sequence: P::Word,
    capacity: P::Word,
    holds: [P::Word; N],
}

/// The caller has a permit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub struct Taken {
    /// The permit's number.
    pub index: usize,
    /// The dead holder that it was taken over from, if there was one.
    pub from: Option<Id>,
}

/// Why the caller has no permit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoPermit {
    /// Each permit was held by a living participant when it was checked.
    WouldBlock,
    /// The same, and the deadline has passed.
    TimedOut,
    /// The same, and the caller was [interrupted](crate::interruptible).
    Interrupted,
}

from_ended! { NoPermit }

impl<P: Platform, const N: usize> PermitPool<P, N> {
    /// A pool of these words. If all are 0, it has N permits, all free.
    pub const fn from_words(sequence: P::Word, capacity: P::Word, holds: [P::Word; N]) -> Self {
        Self { sequence, capacity, holds }
    }

    /// How many permits there are.
    #[inline(always)]
    pub fn capacity(&self) -> usize {
        const { assert!(N > 0 && N <= 1 << 30, "a pool has at least one permit, and at most 2^30") };
        // ORDERING: Relaxed; written before the pool was shared. 0 wraps to N.
        (self.capacity.load(Relaxed).wrapping_sub(1) as usize).min(N - 1) + 1
    }

    /// The permit that the caller tries first. It differs between participants, so that they do not
    /// get in each other's way. It is always the same, so that the caller finds its former permit
    /// in its cache.
    #[inline(always)]
    fn start(&self, me: Participant<'_, P>) -> usize {
        // Multiples of the golden ratio lie far from each other. The shift scales them to the
        // capacity without a division.
        let scattered = (me.id.index() as u32).wrapping_mul(0x9e37_79b9);
        ((u64::from(scattered) * self.capacity() as u64) >> 32) as usize
    }

    /// Takes a permit without waiting, if there is one. The permit of a dead holder can be taken,
    /// too.
    ///
    /// # Errors
    /// [`NoPermit::WouldBlock`].
    ///
    /// # If a process dies
    /// As [`acquire`](Self::acquire).
    #[inline]
    pub fn try_acquire(&self, me: Participant<'_, P>) -> Result<Taken, NoPermit> {
        let start = self.start(me);
        if self.take(start, 0, me) {
            return Ok(Taken { index: start, from: None });
        }
        self.try_acquire_slow(me, start)
    }

    /// Takes a permit. Waits at most to `deadline` ([`Platform::now`]'s clock; `None`: forever).
    ///
    /// # Errors
    /// [`NoPermit::TimedOut`], [`NoPermit::Interrupted`].
    ///
    /// # If a process dies
    /// A holder: the next caller or sleeper takes its permit over, and learns of the death. A
    /// waiter, or a releaser between release and wake: nobody notices, and no waiter sleeps on.
    #[inline]
    pub fn acquire(&self, me: Participant<'_, P>, deadline: Option<Duration>) -> Result<Taken, NoPermit> {
        let start = self.start(me);
        if self.take(start, 0, me) {
            return Ok(Taken { index: start, from: None });
        }
        self.acquire_slow(me, start, deadline)
    }

    /// Takes the permit if its word is `seen`.
    #[inline(always)]
    fn take(&self, index: usize, seen: u32, me: Participant<'_, P>) -> bool {
        // ORDERING: Acquire. Pairs with the Release of `release`: this holder sees what the last
        // holder wrote. Model: `permit_pool::a_permit_acquires_what_its_last_holder_wrote`.
        self.holds[index].compare_exchange(seen, me.id.word(), Acquire, Relaxed).is_ok()
    }

    #[cold]
    fn try_acquire_slow(&self, me: Participant<'_, P>, start: usize) -> Result<Taken, NoPermit> {
        let taken = self.try_take(me, start);
        // As `Mutex::try_lock` does.
        let again = taken.is_err() && me.table.reap_lost_if_due(P::now());
        if again { self.try_take(me, start) } else { taken }.map_err(|_| NoPermit::WouldBlock)
    }

    #[cold]
    fn acquire_slow(
        &self,
        me: Participant<'_, P>,
        start: usize,
        deadline: Option<Duration>,
    ) -> Result<Taken, NoPermit> {
        let mut spins = P::SPINS / self.capacity() as u32;
        loop {
            match self.try_take(me, start) {
                Ok(taken) => return Ok(taken),
                Err(_) if spins == 0 => break,
                Err(_) => spins -= 1,
            }
            P::spin();
        }
        let mut vigil = Vigil::new(me, deadline);
        let mut slept = false;
        loop {
            // ORDERING: Relaxed, then the fence, before the holds are checked (invariant 2). It
            // pairs with the fence of `release`. Model:
            // `permit_pool::without_fences_a_release_and_a_sleeper_miss_each_other`.
            let sequence = self.sequence.fetch_or(WAITERS, Relaxed) | WAITERS;
            P::fence(SeqCst);
            let holder = match self.try_take(me, start) {
                Ok(taken) => {
                    if slept {
                        self.pass_on();
                    }
                    return Ok(taken);
                }
                Err(holder) => holder,
            };
            vigil.sleep(&self.sequence, sequence, holder)?;
            slept = true;
        }
    }

    /// Takes a free permit, or else the permit of a dead holder. The error is a living holder other
    /// than the caller, if there is one.
    fn try_take(&self, me: Participant<'_, P>, start: usize) -> Result<Taken, Option<Id>> {
        let order = || (start..self.capacity()).chain(0..start);
        for index in order() {
            let seen = self.holds[index].load(Relaxed); // ORDERING: `take` orders.
            if Id::holder_in(seen).is_none() && self.take(index, seen, me) {
                return Ok(Taken { index, from: None });
            }
        }
        let mut living = None;
        for index in order() {
            // ORDERING: Relaxed. So a living holder may be judged dead here. `inherit` judges it
            // once more, with Acquire, and takes nothing from it. A sleep then does not watch this
            // holder in its first phase.
            let seen = self.holds[index].load(Relaxed);
            match Id::holder_in(seen) {
                Some(holder) if holder == me.id => {}
                Some(holder) if me.table.is_alive(holder) => living = Some(holder),
                from if me.inherit(&self.holds[index], seen, || self.take(index, seen, me)) => {
                    return Ok(Taken { index, from });
                }
                _ => {} // another participant was quicker
            }
        }
        Err(living)
    }

    /// Invariant 4. Permits of dead holders do not matter here: their deaths have woken everybody.
    fn pass_on(&self) {
        let is_free = |hold: &P::Word| Id::holder_in(hold.load(Relaxed)).is_none();
        if self.holds[..self.capacity()].iter().any(is_free) {
            P::wake(&self.sequence, 1);
        }
    }

    /// Releases the permit on behalf of `holder`, which may be another participant than the caller.
    ///
    /// The caller should be a participant. A thread that is none is watched by nobody: if it dies
    /// between release and wake, only a recheck finds that.
    ///
    /// # Errors
    /// [`NotHeld`] if nobody holds it, or another participant than `holder`. Nothing is changed
    /// then.
    ///
    /// # If a process dies
    /// Before the word is written: the holder died. After that, before the wake: the sleepers
    /// check, and find the permit free.
    #[inline]
    pub fn release(&self, index: usize, holder: Id) -> Result<(), NotHeld> {
        let Some(hold) = self.holds.get(index) else {
            return Err(NotHeld { holder: None });
        };
        // ORDERING: Release. Pairs with the Acquire of `take`; model:
        // `permit_pool::a_permit_publishes_what_its_holder_wrote`. Then the fence of invariant 2,
        // before the sequence.
        match hold.compare_exchange_then_fence(holder.word(), 0, Release, Relaxed) {
            Ok(_) => {
                let sequence = self.sequence.load(Relaxed);
                if has_waiters(sequence) {
                    self.wake_one(sequence);
                }
                Ok(())
            }
            Err(now) => Err(NotHeld { holder: Id::holder_in(now) }),
        }
    }

    #[cold]
    fn wake_one(&self, mut seen: u32) {
        // If WAITERS is clear, another release has cleared it, and wakes a waiter. That waiter
        // wakes one more if a permit is left.
        while has_waiters(seen) {
            // ORDERING: Relaxed. Two fences order it: the one in `release`, and the one of a
            // sleeper that has set WAITERS.
            match self.sequence.compare_exchange(seen, seen.wrapping_add(1) & !WAITERS, Relaxed, Relaxed) {
                Ok(_) => {
                    P::wake(&self.sequence, 1);
                    return;
                }
                Err(now) => seen = now,
            }
        }
    }

    /// The permits that are held at the moment, and their holders, dead or alive.
    pub fn holders(&self) -> impl Iterator<Item = (usize, Id)> + '_ {
        let holder = |(index, hold): (usize, &P::Word)| Some((index, Id::holder_in(hold.load(Relaxed))?));
        self.holds[..self.capacity()].iter().enumerate().filter_map(holder)
    }
}

mod source;
#[cfg(test)]
mod waits;
