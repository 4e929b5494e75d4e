//! An event of 4 bytes: set, cleared, waited for.
//!
//! # State word
//!
//! | bits | name    | set by                        | cleared by                                             |
//! |------|---------|-------------------------------|--------------------------------------------------------|
//! | 0–26 | epoch   | counted on by a `set` that finds SET clear, modulo 2^27 | never                        |
//! | 27   | AUTO    | construction                  | never                                                  |
//! | 28   | SET     | `set`                         | `clear`; with AUTO also the waiter that it releases    |
//! | 29   | 0       | nobody: it would make the word look like a [hold](super::hold)  |                       |
//! | 30   | 0       | nobody: it would make the word look like a cut lifeline        |                       |
//! | 31   | WAITERS | a waiter about to sleep       | `set`                                                  |
//!
//! The word 0 is a cleared event of the kind that stays set. Any word is some event.
//!
//! # Invariants
//!
//! 1. Without AUTO: whoever has seen a word with another epoch, or without SET and then with it,
//!    was there at a `set`. So a waiter is released by a `set` that happens after its first look,
//!    even if a `clear` follows at once: it compares epochs. The epoch wraps after 2^27 sets, each
//!    with a clear in between: harmless unless all of them fall between two looks.
//! 2. With AUTO: each change of SET from 1 to 0 is a `clear`, or the CAS of the one waiter that it
//!    releases.
//! 3. While anybody sleeps on a word without SET, WAITERS is set in it, or somebody who was woken,
//!    and who will set it again or take SET with it, is on its way and is watched by the sleepers
//!    (see [`vigil`](super::vigil)).
//! 4. Every change of the word is a read-modify-write, so what one `set` published goes along with
//!    all later ones.

use super::hold::{WAITERS, has_waiters};
use super::table::Participant;
use super::vigil::{Ended, Vigil};
use crate::platform::{Platform, Word};
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use core::time::Duration;

const SEQUENCE: u32 = (1 << 27) - 1;
const AUTO: u32 = 1 << 27;
const SET: u32 = 1 << 28;

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

/// The event was not set while the caller waited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotSet {
    /// It was not until the deadline.
    TimedOut,
    /// It was not until the caller was [interrupted](crate::interruptible).
    Interrupted,
}

impl From<Ended> for NotSet {
    fn from(ended: Ended) -> Self {
        match ended {
            Ended::TimedOut => Self::TimedOut,
            Ended::Interrupted => Self::Interrupted,
        }
    }
}

/// A moment between two sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment(u32);

impl<P: Platform> Event<P> {
    /// The word of a cleared event that each `set` releases one waiter of. The other kind's is 0.
    pub const AUTO_RESET: u32 = AUTO;

    /// An event around this word.
    pub const fn from_word(word: P::Word) -> Self {
        Self { word }
    }

    /// Sets it. Releases all who wait; with AUTO one of them, or the next to come.
    ///
    /// # If a process dies
    /// The setter, before the word is written: nothing was set. After it, before the wake: the
    /// sleepers look, and see it. A waiter: nobody notices; the wake that it was given is not
    /// needed by the others, who look.
    #[inline]
    pub fn set(&self) {
        let mut seen = self.word.load(Relaxed);
        loop {
            let counted = if is_set(seen) { seen & SEQUENCE } else { seen.wrapping_add(1) & SEQUENCE };
            let new = seen & AUTO | SET | counted;
            // ORDERING: Release, and written even if it is set already: pairs with the Acquire of
            // whom it releases, and of the `clear` that ends it. A mere load would let a producer
            // believe in a SET that a consumer has cleared before it looked for work. Models:
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

    /// Clears it. Gives whether it was set.
    #[inline]
    pub fn clear(&self) -> bool {
        // ORDERING: Acquire. Pairs with the Release of the `set` that this ends: who clears, and
        // then looks for work, sees the work of every setter whose set is undone by this. Model:
        // `event::a_clear_acquires`.
        is_set(self.word.fetch_and(!SET, Acquire))
    }

    /// Whether it is set at the moment. Takes nothing.
    #[inline]
    pub fn is_set(&self) -> bool {
        // ORDERING: Acquire, as in `wait`.
        is_set(self.word.load(Acquire))
    }

    /// Whether a set releases one waiter, instead of all.
    pub fn is_auto_reset(&self) -> bool {
        is_auto(self.word.load(Relaxed))
    }

    /// Does not wait: whether it is set; with AUTO it is then cleared by the same step.
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

    /// Waits until it is set, or was set since the call, but not longer than until `deadline`
    /// ([`Platform::now`]'s clock; `None`: for ever). With AUTO, clears it by the same step.
    ///
    /// # Errors
    /// [`NotSet`].
    ///
    /// # If a process dies
    /// As [`set`](Self::set).
    #[inline]
    pub fn wait(&self, me: Participant<'_, P>, deadline: Option<Duration>) -> Result<(), NotSet> {
        // ORDERING: Acquire. Pairs with the Release of `set`: who is released sees what the setter
        // wrote. Model: `event::a_wait_acquires`.
        let seen = self.word.load(Acquire);
        if is_set(seen) && !is_auto(seen) {
            return Ok(());
        }
        self.wait_since(me, deadline, Moment(seen & SEQUENCE))
    }

    /// What [`wait_since`](Self::wait_since) takes.
    pub fn moment(&self) -> Moment {
        // ORDERING: Relaxed; an epoch alone says nothing, and `wait_since` looks again.
        Moment(self.word.load(Relaxed) & SEQUENCE)
    }

    /// As [`wait`](Self::wait), but a set since that moment is enough, if the event was not set at
    /// that moment. (With AUTO it makes no difference.)
    ///
    /// # Errors
    /// [`NotSet`].
    ///
    /// # If a process dies
    /// As [`set`](Self::set).
    #[cold]
    pub fn wait_since(&self, me: Participant<'_, P>, deadline: Option<Duration>, moment: Moment) -> Result<(), NotSet> {
        let mut vigil = None;
        // WAITERS once we have slept: others may sleep still, and the wake that we were given was
        // theirs, too.
        let mut slept = 0;
        loop {
            let seen = self.word.load(Acquire); // ORDERING: as in `wait`.
            let was_set_since = !is_auto(seen) && seen & SEQUENCE != moment.0;
            if is_set(seen) || was_set_since {
                if self.pass(seen, slept) {
                    return Ok(());
                }
                continue;
            }
            let vigil = vigil.get_or_insert_with(|| Vigil::new(me, deadline));
            if vigil.wait_while(&self.word, seen, None)? {
                slept = WAITERS;
            }
        }
    }

    /// Goes through an event seen set: at once, or with AUTO by the CAS that clears it. False if
    /// somebody else was quicker.
    fn pass(&self, seen: u32, slept: u32) -> bool {
        // ORDERING: Acquire, though the value was seen with it: a `set` since, of an event that was
        // set, has written the same value again, and is undone by this. Model:
        // `event::a_set_is_seen_by_whom_it_releases`.
        !is_auto(seen) || self.word.compare_exchange(seen, seen & !SET | slept, Acquire, Relaxed).is_ok()
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod waits;
