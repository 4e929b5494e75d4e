//! The words of a [barrier](super::barrier), taken apart: which generation it is, and how the last ones ended.
//!
//! The **state** word, which sleepers sleep on. A trip, a break and a reset are one CAS on it each.
//!
//! | bits  | name       | meaning                                                                                           |
//! |-------|------------|---------------------------------------------------------------------------------------------------|
//! | 0–15  | generation | of those who arrive now; modulo 2^16                                                              |
//! | 16–18 | recent     | of the last three generations, the latest in bit 16: 1 if it was broken, 0 if it tripped          |
//! | 19–26 | distance   | how many generations ago one was broken last, 1 to 255; 0: never, or longer ago                   |
//! | 27    | RUNNING    | all have arrived, and one of them runs the action                                                 |
//! | 28    | BROKEN     | this generation is broken, and will be until a `reset`                                            |
//! | 29–30 | 0          | never set: they would make the word look like a [hold](super::hold), or a cut lifeline            |
//! | 31    | WAITERS    | somebody sleeps, or is about to; cleared by whatever ends the generation                          |
//!
//! An **arrival** (64 bits, one for each party): generation, bit 16 (somebody has arrived), bit 17 (and was told that the barrier is
//! broken, so that its later death is no cause of it), and in the upper half the name of who arrived. It is free if it is of an earlier generation, so nobody has to clear it. (The name is without HELD: an arrival that
//! is past does not keep its participant from detaching.)

use super::hold::{HELD, Id};

pub(super) const RUNNING: u32 = 1 << 27;
pub(super) const BROKEN: u32 = 1 << 28;
pub(super) const WAITERS: u32 = 1 << 31;

/// The state word, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct State(pub(super) u32);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Tripped,
    Broken,
}

impl State {
    const RECENT: u32 = 0b111;
    const LONGEST: u32 = (1 << 8) - 1;

    pub(super) fn generation(self) -> u16 {
        self.0 as u16
    }
    fn recent(self) -> u32 {
        self.0 >> 16 & Self::RECENT
    }
    fn distance(self) -> u32 {
        self.0 >> 19 & Self::LONGEST
    }
    pub(super) fn has(self, flag: u32) -> bool {
        self.0 & flag != 0
    }

    /// The next generation, after this one has ended.
    pub(super) fn next(self, end: End) -> Self {
        let broken = u32::from(end == End::Broken);
        let recent = (self.recent() << 1 | broken) & Self::RECENT;
        let distance = match (end, self.distance()) {
            (End::Broken, _) => 1,
            (End::Tripped, 0 | Self::LONGEST) => 0,
            (End::Tripped, known) => known + 1,
        };
        Self(u32::from(self.generation().wrapping_add(1)) | recent << 16 | distance << 19)
    }

    /// This generation, broken.
    pub(super) fn broken(self) -> Self {
        Self(self.0 & !(RUNNING | WAITERS) | BROKEN)
    }

    /// How a generation ended, this one or an earlier; `None`: not yet.
    pub(super) fn end_of(self, generation: u16) -> Option<End> {
        let age = u32::from(self.generation().wrapping_sub(generation));
        let tripped = match age {
            0 if self.has(BROKEN) => false,
            0 => return None,
            1..=3 => self.recent() >> (age - 1) & 1 == 0,
            _ => self.distance() == 0 || age < self.distance(),
        };
        Some(if tripped { End::Tripped } else { End::Broken })
    }
}

/// An arrival word, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Arrival(pub(super) u64);

impl Arrival {
    const THERE: u64 = 1 << 16;
    const TOLD: u64 = 1 << 17;

    pub(super) fn of(generation: u16, id: Id) -> Self {
        Self(u64::from(id.word() & !HELD) << 32 | Self::THERE | u64::from(generation))
    }
    pub(super) fn is_in(self, generation: u16) -> bool {
        self.0 & 0xffff_ffff == Self::THERE | u64::from(generation)
    }
    /// The same, withdrawn: in no generation any more, but not older than it was.
    pub(super) fn told(self) -> Self {
        Self(self.0 | Self::TOLD)
    }
    /// Later than this generation, if it is not just any bytes.
    pub(super) fn is_after(self, generation: u16) -> bool {
        self.0 & Self::THERE != 0 && (1..1 << 15).contains(&(self.0 as u16).wrapping_sub(generation))
    }
    /// Of a generation so long ago that it may soon be taken for a later one.
    pub(super) fn is_long_before(self, generation: u16) -> bool {
        self.0 & (Self::THERE | Self::TOLD) == Self::THERE
            && (1 << 8..1 << 15).contains(&generation.wrapping_sub(self.0 as u16))
    }
    pub(super) fn id(self) -> Option<Id> {
        Id::holder_in((self.0 >> 32) as u32 | HELD)
    }
}

#[cfg(test)]
mod tests;
