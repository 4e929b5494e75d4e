//! How long a thread spins before it sleeps. It learns from its own last waits.
//!
//! Two processes on two processors exchange messages in less than a microsecond if both spin. Once
//! one of them sleeps, its wake takes longer than a short spin of the other one, so the other one
//! falls asleep, too, and they never spin again. So a spin has to last longer than a wake. But such
//! a spin is wasted if the awaited process needs this very processor, or sends rarely.
//!
//! So a thread spins for as long as a wake takes. If that did not help, it does not spin in its
//! next wait. If it did not help again, it does not spin in the next two waits, and so on.

use core::cell::Cell;

/// About 25 microseconds.
const SPINS: u32 = 1000;
/// In at least one of so many waits a thread spins.
const MOST_SKIPPED: u32 = 1024;

thread_local! {
    static SKIPS: Cell<Skips> = const { Cell::new(Skips { next: 0, left: 0 }) };
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Skips {
    /// In how many waits the thread will not spin after the next spin that does not help. 0: one.
    next: u32,
    /// In how many waits it still does not spin.
    left: u32,
}

/// How often the calling thread checks in this wait before it sleeps.
pub(super) fn begin() -> u32 {
    SKIPS.with(|skips| match skips.get() {
        Skips { left: 0, .. } => SPINS,
        Skips { next, left } => {
            skips.set(Skips { next, left: left - 1 });
            0
        }
    })
}

/// Notes whether the calling thread found what it waited for while it spun.
pub(super) fn end(has_helped: bool) {
    SKIPS.with(|skips| {
        let left = if has_helped { 0 } else { skips.get().next.max(1) };
        skips.set(Skips { next: (2 * left).min(MOST_SKIPPED), left });
    });
}

#[cfg(test)]
mod tests {
    use super::{MOST_SKIPPED, SPINS, begin, end};

    /// How many waits pass without a spin.
    fn skipped() -> u32 {
        let mut skipped = 0;
        while begin() == 0 {
            skipped += 1;
        }
        skipped
    }

    #[test]
    fn a_thread_whose_spins_do_not_help_spins_ever_more_rarely() {
        assert_eq!(begin(), SPINS);
        let mut expected = 1;
        for _ in 0..15 {
            end(false);
            assert_eq!(skipped(), expected);
            expected = (2 * expected).min(MOST_SKIPPED);
        }
    }

    #[test]
    fn a_thread_whose_spin_has_helped_spins_in_each_wait() {
        end(false);
        assert_eq!(skipped(), 1);
        end(true);
        assert_eq!((begin(), begin()), (SPINS, SPINS));
        end(false);
        assert_eq!(skipped(), 1);
    }
}
