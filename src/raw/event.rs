//! An event of 4 bytes, which is set, cleared and waited for.
//!
//! # State word
//!
//! | bits | name     | set by                        | cleared by                                             |
//! |------|----------|-------------------------------|--------------------------------------------------------|
//! | 0–26 | sequence | counts each `set` that finds SET clear, modulo 2^27 | never                            |
//! | 27   | AUTO     | construction                  | never                                                  |
//! | 28   | SET      | `set`                         | `clear`; with AUTO also the waiter that it releases    |
//! | 29   | 0        | nobody: it would make the word look like a [hold](super::hold)  |                      |
//! | 30   | 0        | nobody: it would make the word look like a cut lifeline        |                       |
//! | 31   | WAITERS  | a waiter about to sleep; a woken waiter, with the CAS that clears SET | `set`          |
//!
//! The word 0 is a cleared event without AUTO. Any word is some event.
//!
//! # Invariants
//!
//! 1. Without AUTO: assume that a waiter's first load finds no SET. If a later load finds SET, or
//!    another sequence, `set` was called during the wait. So a `set` after a waiter's first load
//!    releases the waiter, even if a `clear` follows at once: the waiter compares sequences. The
//!    sequence wraps after 2^27 sets, each with a clear before the next. That matters only if all
//!    of them fall between two loads of one waiter.
//! 2. With AUTO: SET goes from 1 to 0 either by a `clear`, or by the CAS of a waiter. That CAS
//!    releases this one waiter.
//! 3. While a waiter sleeps on a word without SET, WAITERS is set in the word, or another
//!    participant is about to act. This is the setter that cleared WAITERS, which is about to wake,
//!    or a woken waiter, which is about to set WAITERS again. The sleepers watch that participant
//!    (see [`vigil`](super::vigil)). A woken waiter that clears SET sets WAITERS by the same CAS.
//! 4. Every change of the word is a read-modify-write. So a waiter that acquires from one `set`
//!    also sees what was written before all earlier sets.

use super::hold::{WAITERS, has_waiters};
use super::table::Participant;
use super::vigil::{Spins, Vigil, from_ended};
use crate::platform::{Platform, Word};
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use core::time::Duration;
pub use source::Set;

const SEQUENCE: u32 = (1 << 27) - 1;
const AUTO: u32 = 1 << 27;
const SET: u32 = 1 << 28;

/// Whether the event is set.
#[inline(always)]
fn is_set(word: u32) -> bool {
    word & SET != 0
}

/// Whether one wait clears the event.
#[inline(always)]
fn is_auto(word: u32) -> bool {
    word & AUTO != 0
}

/// See the [module](self).
#[derive(Debug)]
#[repr(transparent)]
pub struct Event<P: Platform> {
    word: P::Word,
}

/// Why a wait ended although the event was not set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotSet {
    /// It was not set by the deadline.
    TimedOut,
    /// It was not set before the caller was [interrupted](crate::interruptible).
    Interrupted,
}

from_ended! { NotSet }

/// A moment between two sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment(u32);

impl<P: Platform> Event<P> {
    /// The word of a cleared event with AUTO: each `set` releases one waiter. Without AUTO it is 0.
    pub const AUTO_RESET: u32 = AUTO;

    /// An event around this word.
    pub const fn from_word(word: P::Word) -> Self {
        Self { word }
    }

    /// Sets the event. Without AUTO this releases all waiters. With AUTO it releases one waiter, or
    /// the next that comes.
    ///
    /// # If a process dies
    /// The setter, before the word is written: nothing was set. After that, before the wake: the
    /// sleepers check, and find it set. A waiter: nobody notices. A wake that the dead waiter was
    /// given is not lost, because its death makes the other waiters check.
    #[inline]
    pub fn set(&self) {
        let mut seen = self.word.load(Relaxed);
        loop {
            let counted = if is_set(seen) { seen & SEQUENCE } else { seen.wrapping_add(1) & SEQUENCE };
            let new = seen & AUTO | SET | counted;
            // ORDERING: Release. Pairs with the Acquire of the waiter that this set releases, and
            // of the `clear` that clears it. The word is written even if the event is set already.
            // If a load were enough then, a producer could rely on an old value of the word. A
            // consumer may have cleared SET since, and then checked for work too early. Models:
            // `event::a_set_publishes`, `event::a_set_is_seen_by_the_clear_after_it`.
            match self.word.compare_exchange(seen, new, Release, Relaxed) {
                Ok(_) => break,
                Err(now) => seen = now,
            }
        }
        if has_waiters(seen) {
            self.wake(if is_auto(seen) { 1 } else { u32::MAX });
        }
    }

    #[cold]
    fn wake(&self, count: u32) {
        P::wake(&self.word, count);
    }

    /// Clears the event. Returns whether it was set.
    #[inline]
    pub fn clear(&self) -> bool {
        // ORDERING: Acquire. Pairs with the Release of the `set` that this clears. A participant
        // that clears the event, and then checks for work, sees the work of every setter whose set
        // it has cleared. Model: `event::a_clear_acquires`.
        is_set(self.word.fetch_and(!SET, Acquire))
    }

    /// Whether the event is set at the moment. Clears nothing.
    #[inline]
    pub fn is_set(&self) -> bool {
        // ORDERING: Acquire, as in `wait`.
        is_set(self.word.load(Acquire))
    }

    /// Whether a set releases one waiter, instead of all.
    pub fn is_auto_reset(&self) -> bool {
        is_auto(self.word.load(Relaxed))
    }

    /// Returns whether the event is set, and never waits. With AUTO, the step that finds the event
    /// set also clears it.
    pub fn try_wait(&self) -> bool {
        loop {
            let seen = self.word.load(Acquire);
            if !is_set(seen) {
                return false;
            }
            if self.pass(seen, 0) {
                return true;
            }
        }
    }

    /// Waits until the event is set, or until it was set since the call. Waits at most to
    /// `deadline` ([`Platform::now`]'s clock; `None`: forever). With AUTO, the step that ends the
    /// wait also clears the event.
    ///
    /// # Errors
    /// [`NotSet`].
    ///
    /// # If a process dies
    /// As [`set`](Self::set).
    #[inline]
    pub fn wait(&self, me: Participant<'_, P>, deadline: Option<Duration>) -> Result<(), NotSet> {
        // ORDERING: Acquire. Pairs with the Release of `set`: a released waiter sees what the
        // setter wrote. Model: `event::a_wait_acquires`.
        let seen = self.word.load(Acquire);
        if is_set(seen) && !is_auto(seen) {
            return Ok(());
        }
        self.wait_since(me, deadline, Moment(seen & SEQUENCE))
    }

    /// The present moment, for [`wait_since`](Self::wait_since).
    pub fn moment(&self) -> Moment {
        // ORDERING: Relaxed; a sequence alone publishes nothing, and `wait_since` loads again.
        Moment(self.word.load(Relaxed) & SEQUENCE)
    }

    /// As [`wait`](Self::wait), but a `set` since `moment` is enough, if that `set` found the event
    /// cleared. With AUTO, `moment` makes no difference.
    ///
    /// # Errors
    /// [`NotSet`].
    ///
    /// # If a process dies
    /// As [`set`](Self::set).
    #[cold]
    pub fn wait_since(&self, me: Participant<'_, P>, deadline: Option<Duration>, moment: Moment) -> Result<(), NotSet> {
        let mut vigil: Option<Vigil<'_, P>> = None;
        // 0, or WAITERS as soon as the caller has slept. The `set` that woke the caller cleared
        // WAITERS, and other waiters may still sleep.
        let mut slept = 0;
        loop {
            let seen = self.word.load(Acquire); // ORDERING: as in `wait`.
            let was_set_since = !is_auto(seen) && seen & SEQUENCE != moment.0;
            if is_set(seen) || was_set_since {
                if self.pass(seen, slept) {
                    vigil.iter_mut().for_each(Vigil::succeed);
                    return Ok(());
                }
                continue;
            }
            let vigil = vigil.get_or_insert_with(|| Vigil::new(me, deadline).spinning(Spins::learned(deadline)));
            if vigil.wait_while(&self.word, seen, None)? {
                slept = WAITERS;
            }
        }
    }

    /// Passes an event that was `seen` set. With AUTO, this needs the CAS that clears SET. False if
    /// another participant was quicker.
    fn pass(&self, seen: u32, slept: u32) -> bool {
        // ORDERING: Acquire, though `seen` was loaded with Acquire. A later `set` may have written
        // the same value again, and this CAS clears that set. Model:
        // `event::a_set_is_seen_by_the_waiter_that_it_releases`.
        !is_auto(seen) || self.word.compare_exchange(seen, seen & !SET | slept, Acquire, Relaxed).is_ok()
    }
}

mod source;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod waits;
