//! How long a thread spins before it sleeps. It learns from its own last waits.
//!
//! This is for waits that may be long: for messages and room, for permits, events and meetings.
//! Locks are held for a short time as a rule, so their waiters spin for a short time.
//!
//! Two processes on two processors exchange messages in less than a microsecond if both spin. Once
//! one of them sleeps, its wake takes longer than a short spin of the other one, so the other one
//! falls asleep, too, and they never spin again. So a spin has to last longer than a wake. But such
//! a spin is wasted if the awaited process needs this very processor, or sends rarely. On one
//! processor, 100 looks took as long as half a turn of a bare futex (the workload `pingpong` of
//! `benches/peers`).
//!
//! So a thread spins for as long as a wake takes. If that did not help, it does not spin in its
//! next wait. If it did not help again, it does not spin in the next two waits, and so on.
//!
//! # Falling behind
//!
//! A receiver that is faster than its sender runs at the sender's heels: it finds the messages one
//! by one. Each message then waits until its cache lines have moved to and fro, which costs both
//! sides several times what the message itself costs. If the receiver lets messages gather, the
//! lines move while nobody waits for them. (The same holds for a sender that waits for room.)
//!
//! So a thread whose last waits each brought few messages spins once without a look, for a moment.
//! It learns from what that has brought. As long as many messages gather, it does the same in each
//! wait, and longer or shorter. Otherwise it stops, and tries again after twice as many waits.

use core::cell::Cell;

/// About 25 microseconds.
const SPINS: u32 = 1000;
/// In at least one of so many waits a thread spins.
const MOST_SKIPPED: u32 = 1024;

/// A wait brought many messages if it brought so many, and few if it brought less than a quarter of
/// that.
const MANY: u64 = 64;
/// In a small channel, many is such a part of its capacity: the other side must not have to wait.
const MANY_OF_CAPACITY: u64 = 8;
/// In a channel where many messages are less than that, nobody gathers.
const LEAST_MANY: u64 = 8;
/// The number of waits in a row, each of which brought few messages, before a thread tries to
/// gather.
const PATIENCE: u32 = 16;
/// The same for a thread whose last attempts were in vain.
const MOST_PATIENCE: u32 = 4096;
/// The first attempt: one or two microseconds.
const FIRST_GATHERING: u32 = 128;
/// The longest one.
const LONGEST_GATHERING: u32 = 512;

thread_local! {
    static SKIPS: Cell<Skips> = const { Cell::new(Skips { next: 0, left: 0 }) };
    static GATHERING: Cell<Gathering> = const { Cell::new(Gathering::at(0, 0)) };
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Skips {
    /// In how many waits the thread will not spin after the next spin that does not help. 0: one.
    next: u32,
    /// In how many waits it still does not spin.
    left: u32,
}

/// What a thread has learned in its waits at one side of one channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Gathering {
    /// The address of the word on which this side sleeps.
    word: usize,
    /// How many messages had passed when the last wait began.
    passed: u64,
    /// How often the thread spins in each wait without a look. 0: it does not gather.
    spins: u32,
    /// How many waits in a row brought few messages.
    poor_waits: u32,
    /// After how many of them the thread tries to gather.
    patience: u32,
}

impl Gathering {
    const fn at(word: usize, passed: u64) -> Self {
        Self { word, passed, spins: 0, poor_waits: 0, patience: PATIENCE }
    }

    /// What the thread has learned when its next wait begins.
    fn next(self, passed: u64, capacity: u64) -> Self {
        let many = MANY.min(capacity / MANY_OF_CAPACITY);
        let came = passed.wrapping_sub(self.passed);
        let are_few = came < many / 4;
        let now = Self { passed, ..self };
        if self.spins == 0 {
            let poor_waits = if are_few { (self.poor_waits + 1).min(self.patience) } else { 0 };
            let tries = poor_waits == self.patience && many >= LEAST_MANY;
            return if tries {
                Self { spins: FIRST_GATHERING, poor_waits: 0, ..now }
            } else {
                Self { poor_waits, ..now }
            };
        }
        if are_few {
            return Self { spins: 0, patience: (2 * self.patience).min(MOST_PATIENCE), ..now };
        }
        let spins = if came < many {
            (2 * self.spins).min(LONGEST_GATHERING)
        } else if came > 6 * many {
            (self.spins / 2).max(1)
        } else {
            self.spins
        };
        Self { spins, patience: PATIENCE, ..now }
    }
}

/// How often the calling thread spins without a look in the wait that begins.
///
/// `word` is the address of the word on which it would sleep, `passed` the number of messages that
/// have passed so far, and `capacity` how many there can be at once.
pub(super) fn gather(word: usize, passed: u64, capacity: u64) -> u32 {
    GATHERING.with(|gathering| {
        let known = gathering.get();
        if known.word == word && known.passed == passed {
            return 0; // nothing came, so there is nothing to learn
        }
        let now = if known.word == word { known.next(passed, capacity) } else { Gathering::at(word, passed) };
        gathering.set(now);
        now.spins
    })
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
    use super::{
        FIRST_GATHERING, Gathering, LEAST_MANY, LONGEST_GATHERING, MANY, MOST_PATIENCE, MOST_SKIPPED, PATIENCE, SPINS,
        begin, end, gather,
    };

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

    const CAPACITY: u64 = 1024;

    /// A thread that has just begun to gather.
    fn gathering() -> Gathering {
        let mut all = Gathering::at(1, 0);
        for wait in 1..=u64::from(PATIENCE) {
            assert_eq!(all.spins, 0);
            all = all.next(wait * (MANY / 4 - 1), CAPACITY);
        }
        assert_eq!(all.spins, FIRST_GATHERING);
        all
    }

    #[test]
    fn a_thread_gathers_after_waits_that_each_brought_few_messages() {
        gathering();
    }

    #[test]
    fn a_thread_that_finds_several_messages_by_itself_does_not_gather() {
        let mut all = Gathering::at(1, 0);
        for wait in 1..200 {
            let came = if wait % u64::from(PATIENCE) == 0 { MANY / 4 } else { 1 };
            all = all.next(all.passed + came, CAPACITY);
            assert_eq!(all.spins, 0);
        }
    }

    #[test]
    fn what_pays_goes_on_until_enough_messages_come() {
        let first = gathering();
        let longer = first.next(first.passed + MANY / 4, CAPACITY);
        assert_eq!(longer.spins, 2 * FIRST_GATHERING);
        for came in [MANY, 6 * MANY] {
            assert_eq!(longer.next(longer.passed + came, CAPACITY).spins, longer.spins);
        }
        let shorter = longer.next(longer.passed + 6 * MANY + 1, CAPACITY);
        assert_eq!(shorter.spins, FIRST_GATHERING);
        let mut all = first;
        for _ in 0..20 {
            all = all.next(all.passed + MANY - 1, CAPACITY);
        }
        assert_eq!(all.spins, LONGEST_GATHERING);
        for _ in 0..20 {
            all = all.next(all.passed + 10 * MANY, CAPACITY);
        }
        assert_eq!(all.spins, 1);
    }

    #[test]
    fn what_does_not_pay_stops_and_is_tried_ever_more_rarely() {
        let mut all = gathering();
        let mut expected = PATIENCE;
        for _ in 0..12 {
            all = all.next(all.passed + MANY / 4 - 1, CAPACITY);
            expected = (2 * expected).min(MOST_PATIENCE);
            for _ in 0..expected {
                assert_eq!(all.spins, 0);
                all = all.next(all.passed + 1, CAPACITY);
            }
            assert_eq!(all.spins, FIRST_GATHERING);
        }
        // One success makes the thread as patient as at first.
        all = all.next(all.passed + MANY, CAPACITY);
        all = all.next(all.passed + 1, CAPACITY);
        assert_eq!((all.spins, all.patience), (0, 2 * PATIENCE));
    }

    #[test]
    fn nobody_gathers_in_a_small_channel() {
        let gathers = |capacity| {
            let mut all = Gathering::at(1, 0);
            (1..1000).any(|message| {
                all = all.next(message, capacity);
                all.spins > 0
            })
        };
        assert!(!gathers(8 * LEAST_MANY - 1));
        assert!(gathers(8 * LEAST_MANY));
    }

    #[test]
    fn each_side_of_a_channel_is_learned_anew() {
        (1..u64::from(PATIENCE)).for_each(|message| assert_eq!(gather(16, message, CAPACITY), 0));
        assert_eq!(gather(32, 0, CAPACITY), 0);
        assert_eq!(gather(16, u64::from(PATIENCE), CAPACITY), 0);
    }
}
