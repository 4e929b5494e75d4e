//! Something that is done once, by whoever comes first and does not die over it.
//!
//! # State word
//!
//! The word of a [hold](super::hold): the initialiser holds it. Its combinations:
//!
//! | HELD | INCONSISTENT | bit 28 | meaning                                                                                |
//! |------|--------------|--------|----------------------------------------------------------------------------------------|
//! | 0    | 0            | 0      | not begun (the whole word is 0)                                                         |
//! | 0    | 1            | any    | begun, and not finished: the bits below say who died or panicked over it ([`Cause`])    |
//! | 1    | any          | any    | being done by the one named (bit 28 says nothing); WAITERS if somebody sleeps    |
//! | 0    | 0            | 1      | **complete**, if it is the only bit. It never changes again                             |
//!
//! Other words are never written by this code; they count as not begun.
//!
//! # Invariants
//!
//! 1. HELD with the id of a living participant: that one alone initialises. The words that it
//!    writes are nobody else's.
//! 2. HELD with the id of a dead one: whoever's CAS replaces that very word initialises anew, and
//!    is told.
//! 3. COMPLETE is written by a holder that has finished, with Release, and whoever sees it sees all
//!    that was done.
//! 4. While anybody sleeps on a word, it is held and WAITERS is set in it, or somebody is about to
//!    wake all, and is watched by the sleepers (see [`vigil`](super::vigil)).

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

/// What is to be done by one who has come to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begun {
    /// Nothing: it is complete.
    Complete,
    /// All of it, and then [`Once::end`].
    Ours {
        /// Who died or panicked over it before, if anybody did.
        earlier: Option<Cause>,
    },
}

/// It is not the caller's to do, and was not waited for to the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotBegun {
    /// The caller is itself doing what it would wait for.
    Deadlock,
    /// The caller was [interrupted](crate::interruptible).
    Interrupted,
}

impl<P: Platform> Once<P> {
    /// One around this word; 0 is one that was not begun.
    pub const fn from_word(word: P::Word) -> Self {
        Self { word }
    }

    /// Whether it is complete.
    #[inline(always)]
    pub fn is_complete(&self) -> bool {
        // ORDERING: Acquire. Pairs with the Release of `end`: who sees it complete sees what was
        // done. Model: `once::who_finds_it_complete_acquires`.
        self.word.load(Acquire) == COMPLETE
    }

    /// Takes it upon the caller to do it, or waits until a living initialiser has done it.
    ///
    /// # Errors
    /// [`NotBegun::Deadlock`] if the caller is the initialiser; [`NotBegun::Interrupted`].
    ///
    /// # If a process dies
    /// The initialiser: the next to look, sleepers included, initialises, and is told. A waiter, or
    /// an initialiser between completion and wake: nobody notices, nobody is left asleep.
    #[cold]
    pub fn begin(&self, me: Participant<'_, P>) -> Result<Begun, NotBegun> {
        let mut vigil = Vigil::new(me, None);
        loop {
            // ORDERING: Acquire, as in `is_complete`; and before the holder's lifeline is read, as
            // in `Mutex::lock`.
            let seen = self.word.load(Acquire);
            if seen == COMPLETE {
                return Ok(Begun::Complete);
            }
            let (new, earlier) = match Id::holder_in(seen) {
                // Nothing of it need stay: `end` has left no WAITERS, and says by itself how it
                // ended.
                None => (0, Cause::from_free_word(seen)),
                Some(holder) if holder == me.id => return Err(NotBegun::Deadlock),
                Some(holder) if me.table.is_alive(holder) => {
                    match vigil.wait_while(&self.word, seen, Some(holder)) {
                        Err(Ended::Interrupted) => return Err(NotBegun::Interrupted),
                        Ok(_) | Err(Ended::TimedOut) => continue, // there is no deadline
                    }
                }
                // WAITERS: the dead may have been about to wake somebody.
                // EQUIVALENT(patch who takes over does not set WAITERS): where all can be watched,
                // whoever sleeps here is woken by that death, too, and sets WAITERS itself. It is
                // for those who cannot watch, so that they need not wait for the net.
                Some(holder) => (WAITERS, Some(Cause::Died(Some(holder)))),
            };
            // ORDERING: Acquire: what an earlier initialiser left half done is seen, and can be
            // done anew. That the word was seen with Acquire is not enough: one may have begun and
            // failed since, and left the same word. Models: `once::one_at_a_time_whoever_dies`,
            // `once::two_that_fail_are_one_after_the_other`.
            let take = || self.word.compare_exchange(seen, me.id.word() | new, Acquire, Relaxed).is_ok();
            if me.inherit(&self.word, seen, take) {
                return Ok(Begun::Ours { earlier });
            }
        }
    }

    /// Ends what [`begin`](Self::begin) gave to the caller: complete, or to be done by the next to
    /// come, for whom `left` is the cause if there is one to be told.
    ///
    /// # If a process dies
    /// Before the word is written: the initialiser died. After it, before the wake: the sleepers
    /// look, and see it.
    pub fn end(&self, done: Result<(), Option<Cause>>) {
        let left = match done {
            Ok(()) => COMPLETE,
            Err(cause) => cause.map_or(0, Cause::word),
        };
        // ORDERING: Release. Pairs with the Acquire of `is_complete` and `begin`. Model:
        // `once::completion_publishes`.
        let was = self.word.swap(left, Release);
        if has_waiters(was) {
            // All, after a failure, too: one alone may find it complete, by somebody quicker who
            // knew of no sleepers, and go its way. Model:
            // `once::nobody_is_forgotten_when_a_failed_one_succeeds`.
            P::wake(&self.word, u32::MAX);
        }
    }

    /// Who is at it at the moment, dead or alive.
    pub fn initialiser(&self) -> Option<Id> {
        Id::holder_in(self.word.load(Relaxed))
    }
}
