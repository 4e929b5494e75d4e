//! Reaping: once in a period one participant finds the deaths that the kernel's marks do not show.
//!
//! # The stamp
//!
//! One word of the segment holds the time when the last reaping was begun, in milliseconds of
//! [`Platform::now`]. Reaping is due if that is a [period](Platform::reap_period) ago. The
//! participant whose CAS then writes the present time reaps. So one reaping serves all, however
//! many sleep. Three kinds of participants check whether reaping is due:
//!
//! - those that begin to sleep for long,
//! - those whose deadline has passed,
//! - those that try without waiting, and find a holder, or a channel of which ends were taken.
//!
//! So reaping happens even where no sleep lasts as long as a period.
//!
//! The stamp wraps after 49 days. A stamp of that age seems to be new: reaping comes one period
//! later.
//!
//! Reaping may also be due too often. The clock of another time namespace may be far ahead or
//! behind; then reaping is due, too. If two participants in two time namespaces reap by turns, each
//! finds reaping due each time. A participant whose reaping takes longer than a period also finds
//! it due again. A caller that is about to give up must not go on reaping for such a reason. So it
//! reaps only once in an operation.
//!
//! # If a process dies
//!
//! If the reaper dies between the stamp and the reaping, the next reaping is due a period later. A
//! reaper that is stopped there delays it as much.

use super::{Claim, LEAKED, LIVE, Slot, Table};
use crate::platform::{Lifeline, MARK, Platform, Word, Word64};
use crate::raw::hold::Id;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use core::time::Duration;

/// Whether `stamp` is at least a period before or after `now`. Both are in milliseconds, modulo
/// 2^32.
fn is_due(stamp: u32, now: u32, period: Duration) -> bool {
    // The age is slightly negative if another participant has written the stamp since we read the
    // clock.
    let age = now.wrapping_sub(stamp) as i32;
    u128::from(age.unsigned_abs()) >= period.as_millis()
}

impl<P: Platform> Table<'_, P> {
    /// Reaps if nobody has reaped for a period. Returns whether the caller has reaped. If so, the
    /// caller should check its primitive again.
    pub fn reap_lost_if_due(&self, now: Duration) -> bool {
        let Some(period) = P::reap_period() else { return false };
        let now = now.as_millis() as u32;
        // ORDERING: Relaxed for both; to reap too often or too late is harmless, and the exchange
        // reads the newest stamp.
        let seen = self.stamp.load(Relaxed);
        let is_ours = is_due(seen, now, period) && self.stamp.compare_exchange(seen, now, Relaxed, Relaxed).is_ok();
        if is_ours {
            self.reap_lost();
        }
        is_ours
    }

    /// Reaps: frees, in the kernel's stead, the slots of participants that are known to be gone.
    ///
    /// It changes the claim, and never marks a lifeline. Between the check and such a mark the slot
    /// may have become a successor's, with an equal thread id. Model:
    /// `table::equal_thread_ids_are_not_confused`.
    pub fn reap_lost(&self) {
        for (index, slot) in self.slots.iter().enumerate().take(Id::MAX_PARTICIPANTS) {
            // ORDERING: Acquire. The record is not older than the claim. If the record is a
            // successor's, the claim has changed, and the exchange of the claim fails.
            let claim = Claim::from_word(slot.claim.load(Acquire));
            if claim.state == LEAKED {
                self.reap_leaked(index, slot, claim);
                continue;
            }
            if claim.state != LIVE
                || !P::is_gone(&slot.thread, claim.thread)
                || P::is_ending(&slot.thread, claim.thread)
            {
                continue;
            }
            // The slot is freed even if the kernel has marked the death: the sleeper that the
            // kernel woke may be stopped, or the kernel may have woken none.
            if self.free(slot, claim) {
                // Sleepers on its lifelines see no change there, but they see the announcement.
                self.announce(index);
            }
        }
    }

    /// Frees the slot of a leaked hold if the owner's process is gone. Otherwise notes in the claim
    /// if the owner's thread is gone.
    fn reap_leaked(&self, index: usize, slot: &Slot<P>, claim: Claim) {
        let is_kept = self.has_leaked(Id::new(index, claim.generation));
        // This asks for the first lifeline: if the second one alone is marked, the kernel is not
        // done. If the first one is a successor's, the claim has changed, and the exchange below
        // fails.
        // ORDERING: Relaxed. If the mark is there but not seen yet, the claim notes the same end
        // once more.
        let is_unmarked = claim.thread != 0 && slot.lifelines[0].word().load(Relaxed) & MARK == 0;
        if is_kept && is_unmarked && P::is_gone(&slot.thread, claim.thread) {
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
        fn reaping_is_due_a_period_away_on_either_side(stamp in any::<u32>(), away in 0..1u32 << 31, period in 1..10_000u32) {
            let is_due = |now| is_due(stamp, now, Duration::from_millis(period.into()));
            prop_assert_eq!(is_due(stamp.wrapping_add(away)), away >= period);
            prop_assert_eq!(is_due(stamp.wrapping_sub(away)), away >= period);
        }
    }
}
