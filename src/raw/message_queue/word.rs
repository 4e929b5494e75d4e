//! The words of a [queue of messages](super) that are more than a number.
//!
//! | bits      | letter of a cell                        | owner of a block                            |
//! |-----------|-----------------------------------------|---------------------------------------------|
//! | 0–31, 60  | the length of the message               | the lap of the position                     |
//! | 32–59     | the first block of the pool, counted from 1 | the index of its cell, counted from 1   |
//!
//! Length and lap are packed as [generations](crate::raw::generation) are. So bit 29 of both halves
//! is clear, and no word looks like a hold. 0 is an empty message, and a block that nobody has ever
//! used.

use crate::raw::generation::{most, pack, unpack};
use crate::raw::queue::Position;

const UPPER: u64 = (1 << 28) - 1;

#[inline(always)]
fn join(packed: u32, upper: u32) -> u64 {
    pack(packed) | (u64::from(upper) & UPPER) << 32
}

#[inline(always)]
fn upper(word: u64) -> u32 {
    (word >> 32 & UPPER) as u32
}

/// A letter, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Letter(pub(super) u64);

impl Letter {
    /// `first` is a link.
    #[inline(always)]
    pub(super) fn new(length: u32, first: u32) -> Self {
        Self(join(length, first))
    }
    #[inline(always)]
    pub(super) fn length(self) -> usize {
        unpack(self.0) as usize
    }
    #[inline(always)]
    pub(super) fn first(self) -> u32 {
        upper(self.0)
    }
}

/// An owner, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Owner<const BITS: u32>(pub(super) u64);

impl<const BITS: u32> Owner<BITS> {
    pub(super) const NOBODY: Self = Self(0);

    #[inline(always)]
    pub(super) fn of(position: Position) -> Self {
        Self(join(position.lap, position.index + 1))
    }
    /// The position, if the word names one. Its cell may not exist.
    #[inline(always)]
    pub(super) fn position(self) -> Option<Position> {
        let index = upper(self.0).checked_sub(1)?;
        Some(Position { lap: unpack(self.0) & most::<BITS>(), index })
    }
}
