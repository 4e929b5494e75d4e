//! The word of a cell of a [queue](super).
//!
//! The upper half is a [hold](crate::raw::hold) word. It names the participant that uses the cell.
//!
//! | bits     | name | meaning                                                                |
//! |----------|------|------------------------------------------------------------------------|
//! | 0–31, 60 | lap  | the lap of the state, packed as a [generation](crate::raw::generation) |
//! | 32–59    | name | with HELD: the participant that uses the cell                          |
//! | 61       | HELD | a producer fills the cell, or a consumer takes from it                 |
//! | 62       | FULL | the item of this lap is in the cell                                    |
//!
//! In each lap a cell goes through these states:
//!
//! | HELD | FULL | state   | next state                                                                |
//! |------|------|---------|---------------------------------------------------------------------------|
//! | 0    | 0    | free    | filling, by the CAS of a producer                                         |
//! | 1    | 0    | filling | full; or free in the next lap, if the producer is dead or gives it up; taking instead, if the producer is dead and [items are hints](super::Cells::ITEMS_ARE_HINTS) |
//! | 0    | 1    | full    | taking, by the CAS of a consumer                                          |
//! | 1    | 1    | taking  | free in the next lap; full again, if the consumer puts the item back; or  |
//! |      |      |         | taking by another, if the consumer is dead                                |
//!
//! A cell of zeros is free in lap 0.

use crate::raw::generation::{distance, holder_above, most, next, pack, pack_held, unpack};
use crate::raw::hold::Id;

const FULL: u64 = 1 << 62;

/// The word, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cell<const BITS: u32>(pub(super) u64);

/// The state of a cell in its lap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    Free,
    Filling(Id),
    Full,
    Taking(Id),
}

/// The lap of a cell beside the lap of a position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    Earlier,
    Same,
    Later,
}

impl<const BITS: u32> Cell<BITS> {
    #[inline(always)]
    pub(super) fn free(lap: u32) -> Self {
        Self(pack(lap))
    }
    #[inline(always)]
    pub(super) fn filling(lap: u32, id: Id) -> Self {
        Self(pack_held(lap, id))
    }
    #[inline(always)]
    pub(super) fn full(lap: u32) -> Self {
        Self(FULL | pack(lap))
    }
    #[inline(always)]
    pub(super) fn taking(lap: u32, id: Id) -> Self {
        Self(FULL | Self::filling(lap, id).0)
    }
    /// The cell after this lap.
    #[inline(always)]
    pub(super) fn finished(lap: u32) -> Self {
        Self::free(next::<BITS>(lap))
    }

    #[inline(always)]
    pub(super) fn lap(self) -> u32 {
        unpack(self.0) & most::<BITS>()
    }
    #[inline(always)]
    pub(super) fn lap_before(self) -> u32 {
        self.lap().wrapping_sub(1) & most::<BITS>()
    }
    /// The last lap in which all positions up to this cell's are certainly finished: invariant 10
    /// of the [queue](super).
    pub(super) fn last_finished_lap(self) -> u32 {
        let is_claimed = self.use_of() != Use::Free;
        self.lap().wrapping_sub(if is_claimed { 1 } else { 2 }) & most::<BITS>()
    }
    #[inline(always)]
    pub(super) fn use_of(self) -> Use {
        match (self.0 & FULL != 0, holder_above(self.0)) {
            (false, None) => Use::Free,
            (false, Some(user)) => Use::Filling(user),
            (true, None) => Use::Full,
            (true, Some(user)) => Use::Taking(user),
        }
    }
    /// The order of this cell's lap and `lap`. Laps are numbers on a circle: the half that follows
    /// `lap` is later.
    #[inline(always)]
    pub(super) fn order(self, lap: u32) -> Order {
        match distance::<BITS>(lap, self.lap()) {
            0 => Order::Same,
            ahead if ahead <= most::<BITS>() / 2 => Order::Later,
            _ => Order::Earlier,
        }
    }
}
