//! A mutual exclusion lock of 4 bytes that outlives its holder.
//!
//! # State word
//!
//! The word of a [hold](super::hold). Its combinations:
//!
//! | HELD | INCONSISTENT | WAITERS | meaning                                                                      |
//! |------|--------------|---------|------------------------------------------------------------------------------|
//! | 0    | 0            | 0       | free (the whole word is 0)                                                   |
//! | 0    | 1            | 0       | free; the bits below name the participant that died or panicked              |
//! | 1    | 0            | 0       | held; nobody sleeps                                                          |
//! | 1    | 1            | any     | held by a holder that has learned of the inconsistency; PANICKED says which kind |
//! | 1    | 0            | 1       | held; a waiter sleeps, or slept                                              |
//! | 0    | any          | 1       | never written by this code; taken as free, and WAITERS is kept               |
//!
//! # Invariants
//!
//! 1. HELD with the id of a living participant: that participant alone may touch the data.
//! 2. HELD with the id of a dead participant: the participant whose CAS replaces that very word
//!    holds the lock, and learns of the death.
//! 3. While a waiter sleeps on a held word, WAITERS is set in the word, or a woken waiter is about
//!    to set WAITERS again. The waiter does so before it sleeps again, or in the CAS by which it
//!    takes the lock. The sleepers watch this waiter (see [`vigil`](super::vigil)). Or the holder
//!    is about to set WAITERS: it has just moved sleepers to the word, or
//!    was moved there with them.
//! 4. The release is the last access to the word: after it the memory may be gone.
//! 5. HELD with the id of a participant that has [leaked](super::table::Table::has_leaked) its
//!    hold: nobody takes the lock, except by [`Leaked::Take`].

use super::hold::{Cause, INCONSISTENT, Id, PANICKED, WAITERS, has_waiters, is_inconsistent};
use super::table::{Kept, Participant};
use super::vigil::{Vigil, from_ended};
use crate::platform::{Platform, Word};
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use core::time::Duration;
pub use source::Free;

/// See the [module](self).
#[derive(Debug)]
#[repr(transparent)]
pub struct Mutex<P: Platform> {
    word: P::Word,
}

/// The caller has the lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub struct Acquired {
    /// Why the data may be inconsistent, if it may be.
    pub inconsistent: Option<Cause>,
}

/// Why the caller does not have the lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotLocked {
    /// A living participant holds it, or a dead one whose process is still ending. With
    /// [`Leaked::Wait`], it may also be a dead one that has leaked its hold.
    WouldBlock,
    /// The lock could not be taken by the deadline.
    TimedOut,
    /// The lock could not be taken before the caller was [interrupted](crate::interruptible).
    Interrupted,
    /// The caller holds it.
    Deadlock,
    /// The caller holds a [reentrant](super::reentrant) lock as often as can be counted.
    TooDeep,
    /// This participant, a thread that has ended, leaked its guard. Its process lives, or may live.
    Leaked(Id),
}

from_ended! { NotLocked }

/// What the caller does about a holder that has [leaked](super::table::Table::has_leaked) its hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leaked {
    /// It fails with [`NotLocked::Leaked`]. The reference that the guard gave may be in use.
    Refuse,
    /// It waits, as for a living holder: the lock guards no data, and any participant may release
    /// it. For the same reason the caller waits if it is the holder itself.
    Wait,
    /// It takes the lock over, as from a dead holder: the caller knows that nothing is in use.
    Take,
}

impl Leaked {
    /// [`Participant::inherit`], by this rule.
    pub(super) fn inherit<P: Platform>(
        self,
        me: Participant<'_, P>,
        word: &P::Word,
        seen: u32,
        take: impl FnOnce() -> bool,
    ) -> bool {
        match self {
            Self::Take => me.inherit(word, seen, take),
            Self::Wait | Self::Refuse => me.inherit_unless_leaked(word, seen, take),
        }
    }
}

/// Nobody holds the lock, or another participant than the expected one holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotHeld {
    /// The holder, if there is one.
    pub holder: Option<Id>,
}

/// How one attempt to take the lock ended.
enum Attempt {
    Taken(Acquired),
    Changed,
    HeldBy(Id),
    Leaked(Id),
    /// Another thread of the dead holder's process may still use the data for a moment.
    Ending,
}

impl<P: Platform> Mutex<P> {
    /// A mutex around this word. The word 0 is a free mutex; every other value is some state of the
    /// table above.
    pub const fn from_word(word: P::Word) -> Self {
        Self { word }
    }

    /// Takes the lock if that takes no waiting.
    ///
    /// # Errors
    /// [`NotLocked::WouldBlock`]; [`NotLocked::Leaked`].
    ///
    /// # If a process dies
    /// As [`lock`](Self::lock).
    #[inline]
    pub fn try_lock(&self, me: Participant<'_, P>) -> Result<Acquired, NotLocked> {
        self.try_lock_with(me, Leaked::Refuse)
    }

    /// [`try_lock`](Self::try_lock), with this rule for a leaked hold.
    ///
    /// # Errors
    /// [`NotLocked::WouldBlock`]; [`NotLocked::Leaked`] with [`Leaked::Refuse`].
    ///
    /// # If a process dies
    /// As [`lock`](Self::lock).
    #[inline]
    pub fn try_lock_with(&self, me: Participant<'_, P>, leaked: Leaked) -> Result<Acquired, NotLocked> {
        if self.take_free(me) {
            return Ok(Acquired { inconsistent: None });
        }
        self.try_lock_slow(me, leaked)
    }

    /// Takes the lock. Waits at most to `deadline` ([`Platform::now`]'s clock; `None`: forever).
    ///
    /// # Errors
    /// [`NotLocked::TimedOut`]; [`NotLocked::Interrupted`]; [`NotLocked::Deadlock`] if the caller
    /// holds it; [`NotLocked::Leaked`].
    ///
    /// # If a process dies
    /// The holder: the next caller or sleeper takes the lock over, and learns of the death. A
    /// waiter, or a releaser between release and wake: nobody notices, and no waiter sleeps on.
    #[inline]
    pub fn lock(&self, me: Participant<'_, P>, deadline: Option<Duration>) -> Result<Acquired, NotLocked> {
        self.lock_with(me, deadline, Leaked::Refuse)
    }

    /// [`lock`](Self::lock), with this rule for a leaked hold.
    ///
    /// # Errors
    /// Those of [`lock`](Self::lock). [`NotLocked::Leaked`] only with [`Leaked::Refuse`];
    /// [`NotLocked::Deadlock`] never with [`Leaked::Wait`].
    ///
    /// # If a process dies
    /// As [`lock`](Self::lock).
    #[inline]
    pub fn lock_with(
        &self,
        me: Participant<'_, P>,
        deadline: Option<Duration>,
        leaked: Leaked,
    ) -> Result<Acquired, NotLocked> {
        if self.take_free(me) {
            return Ok(Acquired { inconsistent: None });
        }
        self.lock_slow(me, deadline, false, leaked)
    }

    /// Takes the lock for a caller that was woken while another participant held it. The two are
    /// likely to wait for the same processor. So the caller does not spin. It expects a short first
    /// sleep, which watches nobody and costs half as much. No interruption ends this.
    ///
    /// # Errors
    /// [`NotLocked::Deadlock`] if the caller holds it; [`NotLocked::Leaked`].
    ///
    /// # If a process dies
    /// As [`lock`](Self::lock), but the caller may notice a holder's death only at the end of the
    /// [first phase](Platform::first_phase).
    pub fn lock_again(&self, me: Participant<'_, P>) -> Result<Acquired, NotLocked> {
        self.lock_again_with(me, Leaked::Refuse)
    }

    /// [`lock_again`](Self::lock_again), with this rule for a leaked hold.
    ///
    /// # Errors
    /// Those of [`lock_again`](Self::lock_again). [`NotLocked::Leaked`] only with
    /// [`Leaked::Refuse`].
    ///
    /// # If a process dies
    /// As [`lock_again`](Self::lock_again).
    pub fn lock_again_with(&self, me: Participant<'_, P>, leaked: Leaked) -> Result<Acquired, NotLocked> {
        if self.take_free(me) {
            return Ok(Acquired { inconsistent: None });
        }
        self.lock_slow(me, None, true, leaked)
    }

    /// The fast path: one CAS on a word that is free and consistent.
    #[inline(always)]
    pub(crate) fn take_free(&self, me: Participant<'_, P>) -> bool {
        // ORDERING: Acquire. Pairs with the Release of `unlock`: this holder sees what the last
        // holder wrote. Model: `mutex::a_handoff_publishes_the_data`.
        self.word.compare_exchange(0, me.id.word(), Acquire, Relaxed).is_ok()
    }

    #[cold]
    fn try_lock_slow(&self, me: Participant<'_, P>, leaked: Leaked) -> Result<Acquired, NotLocked> {
        let mut may_reap = true; // once: `table::reap` says why
        loop {
            match self.try_take(me, self.word.load(Acquire), 0, leaked) {
                Attempt::Taken(acquired) => return Ok(acquired),
                Attempt::Changed => {}
                // A caller that tries in a loop, and never sleeps, learns here of a death that the
                // kernel has not marked.
                Attempt::HeldBy(holder)
                    if holder != me.id && core::mem::take(&mut may_reap) && me.table.reap_lost_if_due(P::now()) => {}
                Attempt::Leaked(holder) if leaked == Leaked::Refuse => return Err(NotLocked::Leaked(holder)),
                Attempt::HeldBy(_) | Attempt::Leaked(_) | Attempt::Ending => return Err(NotLocked::WouldBlock),
            }
        }
    }

    #[cold]
    fn lock_slow(
        &self,
        me: Participant<'_, P>,
        deadline: Option<Duration>,
        again: bool,
        leaked: Leaked,
    ) -> Result<Acquired, NotLocked> {
        let mut vigil = if again { Vigil::to_lock_again(me) } else { Vigil::new(me, deadline) };
        // This is WAITERS once the caller has slept. The wake that ended the sleep may have been
        // meant for others, too, and they may still sleep.
        let mut slept = 0;
        loop {
            // ORDERING: Acquire, before the load of the holder's lifeline. Pairs with the Release
            // fence at the end of the holder's registration. Otherwise a living holder could be
            // judged by the lifeline of its slot's former owner. Model:
            // `table::a_relaxed_load_of_the_hold_judges_the_living_dead`.
            let seen = self.word.load(Acquire);
            // The participant whose death ends the wait: the holder, if it is another participant
            // and alive. A holder that has leaked its hold is dead already.
            let living = match self.try_take(me, seen, slept, leaked) {
                Attempt::Taken(acquired) => return Ok(acquired),
                Attempt::Changed => continue,
                Attempt::HeldBy(holder) if holder == me.id && (again || leaked != Leaked::Wait) => {
                    return Err(NotLocked::Deadlock);
                }
                Attempt::HeldBy(holder) => Some(holder).filter(|holder| *holder != me.id),
                Attempt::Leaked(holder) if leaked == Leaked::Refuse => return Err(NotLocked::Leaked(holder)),
                Attempt::Leaked(_) => None,
                Attempt::Ending => {
                    vigil.sleep_briefly(&self.word, seen)?;
                    slept |= WAITERS;
                    continue;
                }
            };
            if vigil.wait_while(&self.word, seen, living)? {
                slept = WAITERS;
            }
        }
    }

    /// Takes the lock if the word is free or names a dead holder. `seen` is its value by a load
    /// with Acquire.
    fn try_take(&self, me: Participant<'_, P>, seen: u32, slept: u32, leaked: Leaked) -> Attempt {
        let (new, inconsistent) = match Id::holder_in(seen) {
            None => (Cause::nameless_in(seen) | seen & WAITERS | slept, Cause::from_free_word(seen)),
            Some(holder) if holder == me.id || me.table.is_alive(holder) => {
                return Attempt::HeldBy(holder);
            }
            Some(holder) if leaked == Leaked::Wait && me.table.has_leaked(holder) => return Attempt::Leaked(holder),
            Some(holder) => {
                if leaked == Leaked::Refuse {
                    match me.table.why_kept(holder) {
                        Some(Kept::Leaked) => return Attempt::Leaked(holder),
                        Some(Kept::Ending) => return Attempt::Ending,
                        None => {}
                    }
                }
                // WAITERS: the dead holder may have been about to wake a sleeper.
                // EQUIVALENT(patch who takes over does not set WAITERS): where sleepers can watch
                // everybody, that death wakes all that sleep here, and they set WAITERS themselves.
                // Sleepers that cannot watch everybody would have to wait for the recheck without
                // this WAITERS.
                (INCONSISTENT | WAITERS, Some(Cause::Died(Some(holder))))
            }
        };
        // ORDERING: Acquire, as in `take_free`. What the dead holder wrote was seen with its
        // lifeline's mark.
        let take = || self.word.compare_exchange(seen, me.id.word() | new, Acquire, Relaxed).is_ok();
        let is_taken = leaked.inherit(me, &self.word, seen, take);
        if is_taken { Attempt::Taken(Acquired { inconsistent }) } else { Attempt::Changed }
    }

    /// Releases the lock, which the caller holds. `left` is the value that the word is left with:
    /// 0, or [`Cause::word`] if the data may be inconsistent.
    ///
    /// # If a process dies
    /// Before the word is written: the holder died. After that, before the wake: the sleepers
    /// check, and find the lock free.
    #[inline]
    pub fn unlock(&self, left: u32) {
        debug_assert!(Id::holder_in(left).is_none() && !has_waiters(left));
        // ORDERING: Release. Pairs with the Acquire in `take_free` and `try_take`.
        let was = self.word.swap(left, Release);
        if has_waiters(was) {
            self.wake_one();
        }
    }

    #[cold]
    fn wake_one(&self) {
        P::wake(&self.word, 1);
    }

    /// Moves up to `count` of the threads that sleep on `from`, if its value is `value`, to this
    /// lock's word: the release wakes the first of them. The caller is `holder`, which has found
    /// its name in the word.
    ///
    /// Each of the sleepers takes this lock after its sleep, and then [sets
    /// WAITERS](Self::set_waiters). Returns how many were moved. `None`: nothing has happened.
    ///
    /// # If a process dies
    /// The caller: it died as the holder. The next holder sets WAITERS.
    pub(super) fn take_sleepers(&self, holder: Id, from: &P::Word, value: u32, count: u32) -> Option<u32> {
        let moved = P::requeue(from, value, &self.word, count)?;
        if moved > 0 && !self.set_waiters(holder) {
            P::wake(&self.word, moved); // another participant has released the lock meanwhile
        }
        Some(moved)
    }

    /// Makes the release wake a sleeper. False if this participant does not hold the lock (any
    /// more).
    pub(super) fn set_waiters(&self, holder: Id) -> bool {
        let mut seen = self.word.load(Relaxed);
        while Id::holder_in(seen) == Some(holder) {
            // ORDERING: Relaxed; only the release acts on WAITERS, and it reads this very word.
            match self.word.compare_exchange(seen, seen | WAITERS, Relaxed, Relaxed) {
                Ok(_) => return true,
                Err(now) => seen = now,
            }
        }
        false
    }

    /// Releases the lock if the word is only [that of its holder](Id::word): then nobody sleeps,
    /// and nothing is inconsistent. The word is not loaded first. Such a load would wait for the
    /// exchange that took the lock, and would cost up to a third of that exchange.
    #[inline(always)]
    #[must_use]
    pub fn release_plain(&self, holder: u32) -> bool {
        // ORDERING: Release, as in `unlock`.
        self.word.compare_exchange(holder, 0, Release, Relaxed).is_ok()
    }

    /// Releases the lock on behalf of its holder, and returns the holder. With `by`, only if `by`
    /// is the holder. With `left`, the word is left inconsistent for that cause. Without `left`, an
    /// inconsistency stays, with its kind (death or panic), but the participant that caused it is
    /// forgotten.
    ///
    /// # Errors
    /// [`NotHeld`] if nobody holds it, or another participant than `by`. Nothing is changed then.
    ///
    /// # If a process dies
    /// As [`unlock`](Self::unlock).
    pub fn release(&self, by: Option<Id>, left: Option<Cause>) -> Result<Id, NotHeld> {
        loop {
            let seen = self.word.load(Relaxed);
            let holder = match Id::holder_in(seen) {
                Some(holder) if by.is_none_or(|by| by == holder) => holder,
                holder => return Err(NotHeld { holder }),
            };
            let free = left.map_or(Cause::nameless_in(seen), Cause::word);
            // ORDERING: Release, as in `unlock`.
            if self.word.compare_exchange(seen, free, Release, Relaxed).is_ok() {
                if has_waiters(seen) {
                    self.wake_one();
                }
                return Ok(holder);
            }
        }
    }

    /// The word, for unit tests.
    #[cfg(test)]
    pub(super) fn word(&self) -> &P::Word {
        &self.word
    }

    /// The word, for its holder: other participants change only WAITERS in it.
    #[inline(always)]
    pub(super) fn load(&self) -> u32 {
        self.word.load(Relaxed)
    }

    /// Whether the data is marked inconsistent at the moment.
    pub fn is_inconsistent(&self) -> bool {
        is_inconsistent(self.word.load(Relaxed))
    }

    /// Marks the data consistent. For the holder alone.
    pub fn mark_consistent(&self) {
        // ORDERING: Relaxed; the release publishes the flag.
        self.word.fetch_and(!(INCONSISTENT | PANICKED), Relaxed);
    }

    /// Marks the data consistent if the holder is `by`, for locks that others may release
    /// meanwhile.
    ///
    /// # Errors
    /// [`NotHeld`]. Nothing is changed then.
    ///
    /// # If a process dies
    /// Before the word is written: the data stays inconsistent. After that: it is consistent, and
    /// its holder died.
    pub fn mark_consistent_by(&self, by: Id) -> Result<(), NotHeld> {
        loop {
            let seen = self.word.load(Relaxed);
            let holder = Id::holder_in(seen);
            if holder != Some(by) {
                return Err(NotHeld { holder });
            }
            // ORDERING: Relaxed, as above.
            let consistent = seen & !(INCONSISTENT | PANICKED);
            if self.word.compare_exchange(seen, consistent, Relaxed, Relaxed).is_ok() {
                return Ok(());
            }
        }
    }

    /// The holder at the moment, dead or alive.
    pub fn holder(&self) -> Option<Id> {
        Id::holder_in(self.word.load(Relaxed))
    }
}

mod source;
#[cfg(test)]
mod waits;
