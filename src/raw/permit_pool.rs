//! A pool of permits that are held by name: "N locks, any of which will do".
//!
//! Unlike a [semaphore](super::semaphore)'s, each permit is a [hold](super::hold) of its own with
//! an index. So the permit of one who died is taken over by the next who looks, and who has number
//! 3 has connection, device or buffer number 3 to itself.
//!
//! # State
//!
//! N words of holds, of which only `0` (free) and a holder's id are ever written; a word with the
//! bit HELD not set counts as free. The capacity, how many of them are in use: 0 for all, and not
//! more than N whatever it says; it does not change while the pool is in use. And one sequence
//! word:
//!
//! | bits  | name    | set by                       | cleared by                                            |
//! |-------|---------|------------------------------|-------------------------------------------------------|
//! | 0–30  | sequence | a release that found WAITERS adds 1 |                                                |
//! | 31    | WAITERS | one about to sleep           | a release that finds it, before it wakes one          |
//!
//! The sequence wraps after 2^31 releases that each found sleepers: harmless unless all of them
//! fall between the look of one sleeper and its sleep.
//!
//! # Invariants
//!
//! 1. A hold with the id of a living participant: that one alone has the permit. With the id of a
//!    dead one: whoever's CAS replaces that very word has it, and is told.
//! 2. A release frees the hold, *then* looks at the sequence word; a sleeper sets WAITERS, *then*
//!    looks at all the holds; a fence between in both. So at least one of them sees what the other
//!    did.
//! 3. A sleeper sleeps on the sequence in which it set WAITERS, before its last look. A release
//!    that answers WAITERS makes a new sequence, so nobody falls asleep on a WAITERS that another
//!    has set since.
//! 4. Every return from a sleep sets WAITERS again before the look. Who slept and then took wakes
//!    one more if a permit is left: of two releases before it ran, the second found no WAITERS.
//!
//! # Ways that do not work
//!
//! A sequence word for each permit: two wakes on two words can fall on one sleeper, and another
//! sleeps on beside a free permit.

use super::hold::{Id, WAITERS, has_waiters};
use super::mutex::NotHeld;
use super::table::Participant;
use super::vigil::{Ended, Vigil};
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

/// A permit is ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub struct Taken {
    /// Which.
    pub index: usize,
    /// The holder that it was taken over from, who died.
    pub from: Option<Id>,
}

/// No permit is ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoPermit {
    /// All were held by living participants, when each was looked at.
    WouldBlock,
    /// So it was until the deadline.
    TimedOut,
    /// So it was until the caller was [interrupted](crate::interruptible).
    Interrupted,
}

impl From<Ended> for NoPermit {
    fn from(ended: Ended) -> Self {
        match ended {
            Ended::TimedOut => Self::TimedOut,
            Ended::Interrupted => Self::Interrupted,
        }
    }
}

impl<P: Platform, const N: usize> PermitPool<P, N> {
    /// A pool of these words. All 0: N permits, all free.
    pub const fn from_words(sequence: P::Word, capacity: P::Word, holds: [P::Word; N]) -> Self {
        Self { sequence, capacity, holds }
    }

    /// How many permits there are.
    #[inline(always)]
    pub fn capacity(&self) -> usize {
        const { assert!(N > 0 && N <= 1 << 30, "a pool has at least one permit, and at most 2^30") };
        // ORDERING: Relaxed; it was written before anybody else could see the pool. 0 wraps around
        // to N.
        (self.capacity.load(Relaxed).wrapping_sub(1) as usize).min(N - 1) + 1
    }

    /// Where the caller looks first: another place for each participant, so that they do not get in
    /// each other's way, and always the same, so that it finds its former permit in its cache.
    #[inline(always)]
    fn start(&self, me: Participant<'_, P>) -> usize {
        // Multiples of the golden ratio lie far from each other; scaled without a division.
        let scattered = (me.id.index() as u32).wrapping_mul(0x9e37_79b9);
        ((u64::from(scattered) * self.capacity() as u64) >> 32) as usize
    }

    /// Takes a permit if that takes no waiting. A dead holder is no reason to wait.
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

    /// Takes a permit, waiting until `deadline` ([`Platform::now`]'s clock; `None`: for ever).
    ///
    /// # Errors
    /// [`NoPermit::TimedOut`], [`NoPermit::Interrupted`].
    ///
    /// # If a process dies
    /// A holder: the next to look, sleepers included, takes its permits over, and learns of it. A
    /// waiter, or a releaser between release and wake: nobody notices, nobody is left asleep.
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
        // one wrote. Model: `permit_pool::a_permit_acquires_what_its_last_holder_wrote`.
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
            // ORDERING: Relaxed, and then the fence, before the holds are looked at: invariant 2.
            // It pairs with the one of `release`. Model:
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

    /// Takes a permit that is free, or else one that a dead participant holds. Otherwise: somebody
    /// else who holds one, if anybody but the caller does.
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
            // ORDERING: Relaxed; `inherit` judges the holder once more, with Acquire. A living
            // holder that is judged dead here is not watched in the first phase of a sleep.
            let seen = self.holds[index].load(Relaxed);
            match Id::holder_in(seen) {
                Some(holder) if holder == me.id => {}
                Some(holder) if me.table.is_alive(holder) => living = Some(holder),
                from if me.inherit(&self.holds[index], seen, || self.take(index, seen, me)) => {
                    return Ok(Taken { index, from });
                }
                _ => {} // somebody was quicker
            }
        }
        Err(living)
    }

    /// Invariant 4. The dead need not be looked for: their death has woken everybody.
    fn pass_on(&self) {
        let is_free = |hold: &P::Word| Id::holder_in(hold.load(Relaxed)).is_none();
        if self.holds[..self.capacity()].iter().any(is_free) {
            P::wake(&self.sequence, 1);
        }
    }

    /// Gives the permit back, on behalf of `holder` if that is not the caller.
    ///
    /// To be called by a participant: the death of anybody else between release and wake is found
    /// by the net alone.
    ///
    /// # Errors
    /// [`NotHeld`] if somebody else than `holder`, or nobody, holds it. Nothing is changed then.
    ///
    /// # If a process dies
    /// Before the word is written: the holder died. After it, before the wake: the sleepers look,
    /// and see it free.
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
        // Once it is clear somebody else has answered, and wakes one, who passes on what is left.
        while has_waiters(seen) {
            // ORDERING: Relaxed; the fence before it and the one after a sleeper's WAITERS order
            // it.
            match self.sequence.compare_exchange(seen, seen.wrapping_add(1) & !WAITERS, Relaxed, Relaxed) {
                Ok(_) => {
                    P::wake(&self.sequence, 1);
                    return;
                }
                Err(now) => seen = now,
            }
        }
    }

    /// Who holds which permit at the moment, dead or alive.
    pub fn holders(&self) -> impl Iterator<Item = (usize, Id)> + '_ {
        let holder = |(index, hold): (usize, &P::Word)| Some((index, Id::holder_in(hold.load(Relaxed))?));
        self.holds[..self.capacity()].iter().enumerate().filter_map(holder)
    }
}

#[cfg(test)]
mod waits;
