//! A condition variable of 4 bytes, whose waiters outlive those that were to notify them.
//!
//! # State word
//!
//! | bits  | name     | set by                                   | cleared by                                              |
//! |-------|----------|------------------------------------------|---------------------------------------------------------|
//! | 0–29  | sequence | counts notifications that found WAITERS  |                                                         |
//! | 30    | FRESH    | a waiter that arrives                    | every notification, with the CAS that counts it         |
//! | 31    | WAITERS  | a waiter that arrives                    | `notify_all`; a wake that found too few, if not FRESH   |
//!
//! The sequence wraps after 2^30 notifications. That is harmless unless all of them fall into one waiter's way from its arrival
//! to its sleep, and the last of them leaves WAITERS and FRESH as they were; the net would end that sleep.
//!
//! # Invariants
//!
//! 1. From a waiter's arrival to the next notification the word is the arrival's value: later arrivals change nothing in it, and WAITERS
//!    cannot be cleared without a notification. So nothing but a notification, or a death, ends a sleep that is about to begin.
//! 2. Who arrived before a notification's CAS either sleeps, and is woken in its turn, or finds the word changed and does not sleep.
//! 3. WAITERS is cleared only on the very value that a notification wrote, after its wake had found nobody left. An arrival since that
//!    notification has set FRESH, and only another notification could have cleared that: the clearing CAS fails. (The
//!    same rule without FRESH loses a wake with nobody dying: `condvar::clearing_waiters_without_fresh_loses_a_wake`.)
//! 4. What a waiter watches was collected while it held the lock under which its user had looked at the predicate. Whoever makes the predicate true
//!    does so under that lock, later: it is watched, and if it dies before it notifies, its waiters return. A waiter that watches nobody
//!    returns after a first phase, whatever happens.
//!
//! All accesses are Relaxed: the word publishes nothing, the lock does. A notifier that made the predicate true under the lock sees the
//! arrival of each waiter that had the lock before it; a waiter that has the lock after it sees the predicate.
//!
//! # What is not exact
//!
//! A thread of higher (real-time) priority that begins to sleep between a notification's CAS and its wake can be given that wake instead of one
//! who was there before. It returns, as if notified, unless its first phase ends at that very moment.

use super::table::Participant;
use super::vigil::{Slept, Vigil};
use crate::platform::{Platform, Word};
use core::sync::atomic::Ordering::Relaxed;
use core::time::Duration;

const WAITERS: u32 = 1 << 31;
const FRESH: u32 = 1 << 30;
const SEQUENCE: u32 = FRESH - 1;

/// See the [module](self).
#[derive(Debug)]
#[repr(transparent)]
pub struct Condvar<P: Platform> {
    word: P::Word,
}

/// Why a wait ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Woken {
    /// There was a notification since the wait began.
    Notified,
    /// The deadline has passed, and there was none.
    TimedOut,
    /// For a reason that concerns nobody, or somebody has died: the caller looks at its predicate.
    Spurious,
}

impl<P: Platform> Condvar<P> {
    /// A condition variable around this word. Each value is one without waiters, or with waiters that have died.
    pub const fn from_word(word: P::Word) -> Self {
        Self { word }
    }

    /// Waits to be notified, until `deadline` ([`Platform::now`]'s clock; `None`: for ever). The caller holds a lock, gives it back in `release`,
    /// and takes it again when this has returned.
    ///
    /// # If a process dies
    /// Any participant, at any time from the call on: this returns, at once if it is to `watch`, else when a first phase is over
    /// ([`Platform::first_phase`]). The caller, in `release`: it died holding, as the lock says.
    ///
    /// Without `watch` a wait costs no more than elsewhere, and ends as [`Woken::Spurious`] when that phase is over. The next wait for the
    /// same predicate must `watch` then, or it would be a loop of looks.
    pub fn wait(
        &self,
        me: &Participant<'_, P>,
        watch: bool,
        deadline: Option<Duration>,
        release: impl FnOnce(),
    ) -> Woken {
        let mut vigil = Vigil::new(me, deadline);
        if watch || P::first_phase().is_none() {
            vigil.watch_from_now();
        }
        let arrived = self.word.fetch_or(WAITERS | FRESH, Relaxed) | WAITERS | FRESH;
        release();
        let slept = vigil.sleep_once(&self.word, arrived);
        // After the sleep, whoever was given a wake before its deadline finds the notification here.
        if (self.word.load(Relaxed) ^ arrived) & SEQUENCE != 0 {
            Woken::Notified
        } else if slept == Slept::TimedOut {
            Woken::TimedOut
        } else {
            Woken::Spurious
        }
    }

    /// Whether a notification would have anything to do. A caller that has made a predicate true, under the lock, may skip it otherwise.
    #[inline]
    pub fn has_waiters(&self) -> bool {
        self.word.load(Relaxed) & WAITERS != 0
    }

    /// Wakes `count` of those that wait, or as many as there are.
    ///
    /// # If a process dies
    /// The notifier: all waiters return. One that was woken: all others return.
    #[inline]
    pub fn notify(&self, count: u32) {
        if count > 0 && self.has_waiters() {
            self.notify_slow(count);
        }
    }

    #[cold]
    fn notify_slow(&self, count: u32) {
        let Some(now) = self.advance(WAITERS) else { return };
        if P::wake(&self.word, count) < count {
            // EQUIVALENT(look WAITERS stays): WAITERS with nobody waiting costs the next notification a system call, and nothing else.
            // Invariant 3. If it fails somebody has arrived, or another notification sees to it.
            let _ = self.word.compare_exchange(now, now & SEQUENCE, Relaxed, Relaxed);
        }
    }

    /// Wakes all that wait.
    ///
    /// # If a process dies
    /// As [`notify`](Self::notify).
    #[inline]
    pub fn notify_all(&self) {
        if self.has_waiters() {
            self.notify_all_slow();
        }
    }

    #[cold]
    fn notify_all_slow(&self) {
        if self.advance(0).is_some() {
            P::wake(&self.word, u32::MAX);
        }
    }

    /// Counts a notification, and keeps these flags. `None` if there are no waiters any more.
    fn advance(&self, keep: u32) -> Option<u32> {
        let mut seen = self.word.load(Relaxed);
        while seen & WAITERS != 0 {
            let new = seen.wrapping_add(1) & SEQUENCE | seen & keep;
            match self.word.compare_exchange(seen, new, Relaxed, Relaxed) {
                Ok(_) => return Some(new),
                Err(now) => seen = now,
            }
        }
        None
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod waits;
