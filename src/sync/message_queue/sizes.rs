//! How the room of a queue of messages is divided.
//!
//! The room is a row of *units* of one size: first one for each cell, and then one for each block
//! of the pool. A unit has two words in front, and then the bytes of a block. For a cell these
//! words are its state and its letter; for a block of the pool they are its owner and its link.

use crate::error::RangeError;
use crate::raw::message_queue::{MOST_BLOCKS, MOST_BYTES, MOST_MESSAGES};

/// How many words of 8 bytes are in front of the bytes of a unit.
pub(super) const HEADER: usize = 2;

/// A unit begins with a line of the cache.
const LINE: usize = 64 / 8;

/// The smallest unit has two lines, and so a block of 112 bytes.
const LEAST: usize = 2 * LINE;

/// The largest one has 16 KiB.
const MOST: usize = 256 * LINE;

/// The numbers of a queue of messages. They fit together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sizes {
    cells: usize,
    blocks: usize,
    /// In words.
    unit: usize,
}

impl Sizes {
    /// For up to so many messages, which have so many bytes in all.
    ///
    /// # Errors
    /// One of the numbers is 0 or too large.
    pub(super) fn new(messages: usize, bytes: usize) -> Result<Self, RangeError> {
        if messages == 0 || messages > MOST_MESSAGES {
            return Err(RangeError::new("the messages of a queue", messages as u64, 1, MOST_MESSAGES as u64));
        }
        if bytes == 0 || bytes > MOST_BYTES {
            return Err(RangeError::new("the bytes of a queue of messages", bytes as u64, 1, MOST_BYTES as u64));
        }
        // A message of average length fits into the block of its cell.
        let words = bytes.div_ceil(messages).div_ceil(8) + HEADER;
        let unit = words.next_multiple_of(LINE).clamp(LEAST, MOST);
        let sizes = Self { cells: messages, blocks: 0, unit };
        Ok(Self { blocks: bytes.div_ceil(sizes.block()).min(MOST_BLOCKS), ..sizes })
    }

    /// Those that a segment says, if its room has this many words.
    pub(super) fn checked(numbers: [u64; 3], room: usize) -> Option<Self> {
        let [cells, blocks, unit] = numbers.map(|number| usize::try_from(number).unwrap_or(usize::MAX));
        let fit = (1..=MOST_MESSAGES).contains(&cells)
            && (1..=MOST_BLOCKS).contains(&blocks)
            && (LEAST..=MOST).contains(&unit)
            && unit % LINE == 0;
        let sizes = Self { cells, blocks, unit };
        (fit && sizes.room() == room).then_some(sizes)
    }

    pub(super) fn numbers(self) -> [u64; 3] {
        [self.cells as u64, self.blocks as u64, self.unit as u64]
    }

    /// How many words the room has. (No overflow: 2^28 and 2^28 units of 2^11 words.)
    pub(super) fn room(self) -> usize {
        (self.cells + self.blocks) * self.unit
    }

    #[inline(always)]
    pub(super) fn cells(self) -> usize {
        self.cells
    }
    #[inline(always)]
    pub(super) fn blocks(self) -> usize {
        self.blocks
    }
    #[inline(always)]
    pub(super) fn unit(self) -> usize {
        self.unit
    }
    /// How many words of bytes a block has.
    #[inline(always)]
    pub(super) fn words(self) -> usize {
        self.unit - HEADER
    }
    /// How many bytes a block has.
    #[inline(always)]
    pub(super) fn block(self) -> usize {
        self.words() * 8
    }
}
