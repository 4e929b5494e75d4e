//! An initialisation that is done once. If the initialiser dies or panics, the next participant
//! that comes does it.
//!
//! # State word
//!
//! The word of a [hold](super::hold): the initialiser holds it. Its combinations:
//!
//! | HELD | INCONSISTENT | bit 28 | meaning                                                                                |
//! |------|--------------|--------|----------------------------------------------------------------------------------------|
//! | 0    | 0            | 0      | not begun (the whole word is 0)                                                        |
//! | 0    | 1            | any    | begun and not finished: the bits below name the participant that died or panicked ([`Cause`]) |
//! | 1    | any          | any    | being done by the named participant (bit 28 means nothing); WAITERS if a waiter sleeps |
//! | 0    | 0            | 1      | **complete**, if bit 28 is the only bit of the word. The word never changes again      |
//!
//! Other words are never written by this code; they count as not begun.
//!
//! # Invariants
//!
//! 1. HELD with the id of a living participant: that participant alone initialises. No other
//!    participant writes what is to be initialised.
//! 2. HELD with the id of a dead participant: the participant whose CAS replaces that very word
//!    initialises anew, and learns of the death.
//! 3. A holder that has finished writes COMPLETE with Release. A participant that loads it with
//!    Acquire sees all that was done.
//! 4. While a waiter sleeps on a word, the word is held and has WAITERS. Otherwise a participant
//!    that the sleepers watch is about to wake all of them (see [`vigil`](super::vigil)).

use super::hold::{Cause, Id, WAITERS, has_waiters};
use super::table::Participant;
use super::vigil::{Ended, Vigil};
use crate::platform::{Platform, Word};
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};

/// Bit 28, alone.
const COMPLETE: u32 = 1 << 28;

/// See the [module](self).
#[derive(Debug)]
#[repr(transparent)]
pub struct Once<P: Platform> {
    word: P::Word,
}

/// What the caller has to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begun {
    /// Nothing: all is complete.
    Complete,
    /// All of it, and then [`Once::end`].
    Ours {
        /// The last initialiser that died or panicked before the end, if there is one.
        earlier: Option<Cause>,
    },
}

/// Why [`Once::begin`] failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotBegun {
    /// The caller is the initialiser already, and would wait for itself.
    Deadlock,
    /// The caller was [interrupted](crate::interruptible).
    Interrupted,
}

impl<P: Platform> Once<P> {
    /// A once around this word. 0 means not begun.
    pub const fn from_word(word: P::Word) -> Self {
        Self { word }
    }

    /// Whether it is complete.
    #[inline(always)]
    pub fn is_complete(&self) -> bool {
        // ORDERING: Acquire. Pairs with the Release of `end`: a caller that finds it complete sees
        // what was done. Model: `once::is_complete_acquires`.
        self.word.load(Acquire) == COMPLETE
    }

    /// Makes the caller the initialiser, or waits until a living initialiser has done it.
    ///
    /// # Errors
    /// [`NotBegun::Deadlock`] if the caller is the initialiser; [`NotBegun::Interrupted`].
    ///
    /// # If a process dies
    /// The initialiser: the next caller or sleeper initialises, and learns of the death. A waiter,
    /// or an initialiser between completion and wake: nobody notices, and no waiter sleeps on.
    #[cold]
    pub fn begin(&self, me: Participant<'_, P>) -> Result<Begun, NotBegun> {
        let mut vigil = Vigil::new(me, None);
        loop {
            // ORDERING: Acquire, as in `is_complete`. It comes before the load of the holder's
            // lifeline, as in `Mutex::lock`.
            let seen = self.word.load(Acquire);
            if seen == COMPLETE {
                return Ok(Begun::Complete);
            }
            let (new, earlier) = match Id::holder_in(seen) {
                // No bit need stay. The last `end` left no WAITERS, and the caller's own `end`
                // writes the cause if the caller fails.
                None => (0, Cause::from_free_word(seen)),
                Some(holder) if holder == me.id => return Err(NotBegun::Deadlock),
                Some(holder) if me.table.is_alive(holder) => {
                    match vigil.wait_while(&self.word, seen, Some(holder)) {
                        Err(Ended::Interrupted) => return Err(NotBegun::Interrupted),
                        Ok(_) | Err(Ended::TimedOut) => continue, // there is no deadline
                    }
                }
                // WAITERS: the dead initialiser may have been about to wake sleepers.
                // EQUIVALENT(patch who takes over does not set WAITERS): a sleeper that watches
                // everybody is woken by that death, and sets WAITERS itself. A sleeper that cannot
                // watch everybody needs this bit, or it would sleep up to the recheck.
                Some(holder) => (WAITERS, Some(Cause::Died(Some(holder)))),
            };
            // ORDERING: Acquire. The caller sees what an earlier initialiser left half done, and
            // does it anew. The Acquire of the load is not enough: another participant may have
            // begun and failed since, and left the same word. Models:
            // `once::one_at_a_time_whoever_dies`,
            // `once::two_attempts_that_fail_exclude_each_other`.
            let take = || self.word.compare_exchange(seen, me.id.word() | new, Acquire, Relaxed).is_ok();
            if me.inherit(&self.word, seen, take) {
                return Ok(Begun::Ours { earlier });
            }
        }
    }

    /// Ends the caller's initialisation. With `Ok` it is complete. With `Err` the next caller does
    /// it anew, and learns the cause, if there is one.
    ///
    /// # If a process dies
    /// Before the word is written: the initialiser died. After that, before the wake: the sleepers
    /// check, and find the new word.
    pub fn end(&self, done: Result<(), Option<Cause>>) {
        let left = match done {
            Ok(()) => COMPLETE,
            Err(cause) => cause.map_or(0, Cause::word),
        };
        // ORDERING: Release. Pairs with the Acquire of `is_complete` and `begin`. Model:
        // `once::completion_publishes`.
        let was = self.word.swap(left, Release);
        if has_waiters(was) {
            // All are woken, also after a failure. If only one were woken, a newcomer could be
            // quicker, initialise, and wake nobody, because its word has no WAITERS. The woken
            // waiter would find all complete, and leave. The others would sleep on. Model:
            // `once::nobody_stays_asleep_when_a_failed_attempt_is_repeated_at_once`.
            P::wake(&self.word, u32::MAX);
        }
    }

    /// The initialiser at the moment, dead or alive.
    pub fn initialiser(&self) -> Option<Id> {
        Id::holder_in(self.word.load(Relaxed))
    }
}
