//! The slow look: what the kernel's marks do not tell, somebody finds, once in a period.
//!
//! # The stamp
//!
//! One word of the segment says when the last slow look was begun, in milliseconds of
//! [`Platform::now`]. Whoever finds it a [period](Platform::reap_period) away, and wins the CAS
//! that writes the present moment there, looks; so one look serves all, however many sleep. Asked
//! are those who have begun to sleep for long, those whose deadline has passed, and those who try
//! without waiting, and find somebody there. So a look comes also where nobody sleeps as long as a
//! period.
//!
//! The stamp wraps after 49 days. A stamp that is as old as that seems to be new: the look comes a
//! period later. The clock of another time namespace may be far ahead or behind: then the stamp is
//! due, too, and the look comes too often. Two that look by turns, one in each, find it due each
//! time; and so does one whose look takes longer than a period. So who looks in order to give up
//! looks once in an operation.
//!
//! # If a process dies
//!
//! The looker, between stamp and look: the next look is due a period later. A stopped looker delays
//! by as much.

use super::{Claim, LEAKED, LIVE, Slot, Table};
use crate::platform::{Lifeline, MARK, Platform, Word, Word64};
use crate::raw::hold::Id;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use core::time::Duration;

/// Whether a look that was begun at `stamp` is a period ago, or in another time. Both in
/// milliseconds, modulo 2^32.
fn is_due(stamp: u32, now: u32, period: Duration) -> bool {
    // A little negative if another has stamped since we read the clock.
    let age = now.wrapping_sub(stamp) as i32;
    u128::from(age.unsigned_abs()) >= period.as_millis()
}

impl<P: Platform> Table<'_, P> {
    /// Looks slowly if nobody has done so for a period. True if the caller has, and so should look
    /// at its primitive again.
    pub fn reap_lost_if_due(&self, now: Duration) -> bool {
        let Some(period) = P::reap_period() else { return false };
        let now = now.as_millis() as u32;
        // ORDERING: Relaxed for both; a look too many or too late is harmless, and the exchange
        // reads the newest stamp.
        let seen = self.stamp.load(Relaxed);
        let is_ours = is_due(seen, now, period) && self.stamp.compare_exchange(seen, now, Relaxed, Relaxed).is_ok();
        if is_ours {
            self.reap_lost();
        }
        is_ours
    }

    /// The slow look: ends, on the kernel's behalf, the participants that are known to be gone.
    ///
    /// By the claim, never by a mark on the lifeline: between a look and the mark the slot may have
    /// become a successor's, whose thread id may be equal. Model:
    /// `table::equal_thread_ids_are_not_confused`.
    pub fn reap_lost(&self) {
        for (index, slot) in self.slots.iter().enumerate().take(Id::MAX_PARTICIPANTS) {
            // ORDERING: Acquire. The facts are not older than the claim. If they are a successor's,
            // the claim has changed.
            let claim = Claim::of(slot.claim.load(Acquire));
            if claim.state == LEAKED {
                self.reap_leaked(index, slot, claim);
                continue;
            }
            if claim.state != LIVE || !P::is_gone(&slot.about, claim.thread) || P::is_ending(&slot.about, claim.thread)
            {
                continue;
            }
            // Also where the kernel did its part: whom it woke may be stopped, or may be nobody.
            if self.free(slot, claim) {
                // Those who sleep on its lifelines see no change there: this tells them.
                self.announce(index);
            }
        }
    }

    /// Frees the slot of a leaked hold if its owner's process is gone; else notes whether its owner
    /// is.
    fn reap_leaked(&self, index: usize, slot: &Slot<P>, claim: Claim) {
        let is_kept = self.has_leaked(Id::new(index, claim.generation));
        // The first lifeline: with the second alone marked the kernel was not done. If it is a
        // successor's, the claim has changed.
        // ORDERING: Relaxed. If a mark is not seen yet, the same end is noted in the claim as well.
        let is_unmarked = claim.thread != 0 && slot.lifelines[0].word().load(Relaxed) & MARK == 0;
        if is_kept && is_unmarked && P::is_gone(&slot.about, claim.thread) {
            let ended = Claim { thread: 0, ..claim };
            // ORDERING: Release, as in `free`.
            if slot.claim.compare_exchange(claim.word(), ended.word(), Release, Relaxed).is_ok() {
                self.announce(index);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(crate::raw::random_cases())]

        #[test]
        fn a_look_is_due_a_period_away_on_either_side(stamp in any::<u32>(), away in 0..1u32 << 31, period in 1..10_000u32) {
            let is_due = |now| is_due(stamp, now, Duration::from_millis(period.into()));
            prop_assert_eq!(is_due(stamp.wrapping_add(away)), away >= period);
            prop_assert_eq!(is_due(stamp.wrapping_sub(away)), away >= period);
        }
    }
}
