//! The state word of a [barrier](super::barrier), and the number of its generation.
//!
//! A generation is a number of `BITS` bits: 2 to 31 in tests, 32 in production. It is packed into
//! bits 0–28, 30, 31 and 60 of a word. Bit 29 of each half is reserved for [holds](super::hold), so
//! no number looks like a hold.
//!
//! | bits     | name       | meaning                                  | set by                                            | cleared by                   |
//! |----------|------------|------------------------------------------|---------------------------------------------------|------------------------------|
//! | 0–31, 60 | generation | the number of the current generation     | a reset; the end of the trip of the one before it | the next generation          |
//! | 32       | RUNNING    | a waiter runs the action                 | that waiter                                       | the trip, a break, a reset   |
//! | 33       | TRIPPING   | the generation has tripped               | the trip                                          | the next generation          |
//! | 34       | BROKEN     | the barrier is broken                    | a break                                           | a reset                      |
//! | 35       | WAITERS    | a waiter sleeps, or is about to          | a waiter about to sleep                           | a break, the next generation |
//! | 36–59    | withdrawn  | how many waiters have withdrawn          | each withdrawal adds 1                            | the next generation          |
//!
//! With TRIPPING, the [places](super::places) of the generation are being stamped. A thread that
//! finds TRIPPING helps to stamp them, and then begins the next generation.
//!
//! The count of withdrawals makes some exchanges of the state fail: those of threads that have read
//! the state before a withdrawal, and exchange it after the withdrawal. The count wraps after 2^24
//! withdrawals in one generation. We assume that no thread stalls just before its exchange while
//! exactly 2^24 waiters withdraw, or a multiple of 2^24.

use super::hold::{HELD, Id};

pub(super) const RUNNING: u64 = 1 << 32;
pub(super) const TRIPPING: u64 = 1 << 33;
pub(super) const BROKEN: u64 = 1 << 34;
pub(super) const WAITERS: u64 = 1 << 35;
const ONE_WITHDRAWN: u64 = 1 << 36;
const WITHDRAWN: u64 = (1 << 60) - ONE_WITHDRAWN;

/// A generation's bits in a word.
pub(super) fn pack(generation: u32) -> u64 {
    let above = u64::from(generation >> 29);
    u64::from(generation & (HELD - 1)) | (above & 3) << 30 | above >> 2 << 60
}

/// The generation in a word.
pub(super) fn unpack(word: u64) -> u32 {
    let above = word >> 30 & 3 | word >> 58 & 4;
    word as u32 & (HELD - 1) | (above as u32) << 29
}

/// The word of a hold of this participant, above a generation.
#[inline(always)]
pub(super) fn pack_held(generation: u32, id: Id) -> u64 {
    u64::from(id.word()) << 32 | pack(generation)
}

/// The participant that the upper half of a word names.
#[inline(always)]
pub(super) fn holder_above(word: u64) -> Option<Id> {
    Id::holder_in((word >> 32) as u32)
}

/// How many generations `to` comes after `from`, modulo 2^`BITS`.
pub(super) fn distance<const BITS: u32>(from: u32, to: u32) -> u32 {
    to.wrapping_sub(from) & most::<BITS>()
}

/// The generation after this one.
pub(super) fn next<const BITS: u32>(generation: u32) -> u32 {
    generation.wrapping_add(1) & most::<BITS>()
}

/// The last generation before the numbers begin again.
pub(super) fn most<const BITS: u32>() -> u32 {
    const { assert!(1 < BITS && BITS <= u32::BITS, "a generation has 2 to 32 bits") };
    u32::MAX >> (u32::BITS - BITS)
}

/// The value of the barrier's sequence word after `sequence`. Bit 29 is left out, so the values
/// begin again after 2^31.
pub(super) fn sequence_after(sequence: u32) -> u32 {
    (sequence | HELD).wrapping_add(1) & !HELD
}

/// The state word, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct State<const BITS: u32>(pub(super) u64);

impl<const BITS: u32> State<BITS> {
    pub(super) fn generation(self) -> u32 {
        unpack(self.0)
    }

    pub(super) fn has(self, flag: u64) -> bool {
        self.0 & flag != 0
    }

    /// Whether `generation` is the current one, and neither tripped nor broken.
    pub(super) fn is_open_in(self, generation: u32) -> bool {
        self.generation() == generation && !self.has(TRIPPING | BROKEN)
    }

    /// Whether `generation` is open, and one of its waiters runs the action.
    pub(super) fn is_running_in(self, generation: u32) -> bool {
        self.is_open_in(generation) && self.has(RUNNING)
    }

    /// The state after one more withdrawal.
    pub(super) fn one_withdrawn(self) -> Self {
        Self(self.0 & !WITHDRAWN | self.0.wrapping_add(ONE_WITHDRAWN) & WITHDRAWN)
    }

    /// The state after a break.
    pub(super) fn broken(self) -> Self {
        Self(self.0 & !(RUNNING | WAITERS) | BROKEN)
    }

    /// The state after the trip.
    pub(super) fn tripping(self) -> Self {
        Self(self.0 & !RUNNING | TRIPPING)
    }

    /// The state at the start of the next generation.
    pub(super) fn next(self) -> Self {
        Self(pack(next::<BITS>(self.generation())))
    }
}

#[cfg(test)]
mod tests;
