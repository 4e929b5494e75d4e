//! A hold is a word that names its holder.
//!
//! Everything that can be held is a 32-bit word. The compare-and-swap that takes the hold writes
//! the holder's [`Id`] into it. So there is no instant at which something is held and its holder is
//! unknown. There is no log, and no recovery.
//!
//! # The word of a hold
//!
//! | bits  | name         | meaning                                              | set by                                     | cleared by          |
//! |-------|--------------|------------------------------------------------------|--------------------------------------------|---------------------|
//! | 0–11  | index        | with HELD: the holder's slot                         | the CAS that takes the hold                | release             |
//! | 12–27 | generation   | with HELD: the holder's generation in that slot      | the same CAS                               | release             |
//! | 28    | PANICKED     | with INCONSISTENT: the cause is a panic, not a death | a release in a panic                       | with INCONSISTENT   |
//! | 29    | HELD         | a participant holds                                  | the CAS that takes the hold                | release             |
//! | 30    | INCONSISTENT | what the word protects may be inconsistent           | the CAS that replaces a dead holder; a release in a panic | `mark_consistent` |
//! | 31    | WAITERS      | a waiter sleeps, or is about to                      | a waiter about to sleep                    | release             |
//!
//! Without HELD but with INCONSISTENT, bits 0–27 keep the [`Id`] of the participant that died or
//! panicked (0: not known). With HELD, they are the holder's. A held word no longer says which
//! participant died or panicked: the holder learned that when it took the hold. PANICKED stays in
//! the word. If the holder dies, too, its death is the new cause.
//!
//! HELD also keeps ids apart from thread ids, which stay below 2^22. When a thread ends, the kernel
//! marks words that contain the id of that thread. A word with HELD contains no thread id. So the
//! kernel cannot take it for a lifeline.

use core::fmt;

/// Bit 29: held, by the participant in the bits below.
pub const HELD: u32 = 1 << 29;
/// Bit 28, of an inconsistent word: the cause is a panic, not a death.
pub const PANICKED: u32 = 1 << 28;
/// Bit 30: a holder died or panicked, and no later holder has marked what the word protects as
/// consistent.
pub const INCONSISTENT: u32 = 1 << 30;
/// Bit 31: a waiter sleeps, or is about to.
pub const WAITERS: u32 = 1 << 31;

/// Whether a participant sleeps on the word, or is about to.
#[inline(always)]
pub(crate) fn has_waiters(word: u32) -> bool {
    word & WAITERS != 0
}

/// Whether the word says that the data or thing that it protects is inconsistent.
#[inline(always)]
pub(crate) fn is_inconsistent(word: u32) -> bool {
    word & INCONSISTENT != 0
}

const INDEX_BITS: u32 = 12;
const NAME: u32 = PANICKED - 1;

/// The name of a participant: its slot in the segment's table, and the slot's generation.
///
/// An id is not reused while a word names it. Each registration in a slot has the next generation.
/// After the last generation the numbers begin anew, under two conditions (see
/// `raw::table::recycle`). No word names the id that comes next. No participant is about to act on
/// a word that names it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Id(u32);

impl Id {
    /// The largest number of participants that a segment can have.
    pub const MAX_PARTICIPANTS: usize = 1 << INDEX_BITS;

    pub(crate) const fn new(index: usize, generation: u16) -> Self {
        debug_assert!(index < Self::MAX_PARTICIPANTS);
        Self(HELD | (generation as u32) << INDEX_BITS | index as u32)
    }

    /// The holder that a word names, if it is held.
    #[inline(always)]
    #[must_use]
    pub fn holder_in(word: u32) -> Option<Self> {
        (word & HELD != 0).then_some(Self(word & (HELD | NAME)))
    }

    /// The word of this participant's hold, without any flag.
    #[inline(always)]
    #[must_use]
    pub fn word(self) -> u32 {
        self.0
    }

    /// The participant's slot in the table.
    #[must_use]
    pub fn index(self) -> usize {
        (self.0 & (Self::MAX_PARTICIPANTS as u32 - 1)) as usize
    }

    /// The number of the participant among those that have had the slot, from 1. After 65,535 it
    /// may begin anew.
    #[must_use]
    pub fn generation(self) -> u16 {
        (self.0 >> INDEX_BITS) as u16
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Id({}.{})", self.index(), self.generation())
    }
}

/// `slot.generation`, as in "3.1": the first participant that slot 3 ever had.
impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.index(), self.generation())
    }
}

/// The reason for an inconsistency. The id is absent if it is no longer known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The holder died before it released.
    Died(Option<Id>),
    /// The holder panicked before it released.
    Panicked(Option<Id>),
}

impl Cause {
    /// The word of a free hold that is inconsistent for this cause.
    #[must_use]
    pub fn word(self) -> u32 {
        let name = |id: Option<Id>| id.map_or(0, |id| id.0 & NAME);
        match self {
            Self::Died(id) => INCONSISTENT | name(id),
            Self::Panicked(id) => INCONSISTENT | PANICKED | name(id),
        }
    }

    /// The cause in a word, free or held, without the name. 0 if the word is consistent. Any bit
    /// pattern is understood.
    pub(crate) fn nameless_in(word: u32) -> u32 {
        if is_inconsistent(word) { word & (INCONSISTENT | PANICKED) } else { 0 }
    }

    /// The cause that a free word gives, if it is inconsistent. Any bit pattern is understood.
    pub(crate) fn from_free_word(word: u32) -> Option<Self> {
        // The name 0 would be slot 0 in generation 0. Generations count from 1 (`table`), so it is
        // nobody's.
        let id = (word & NAME != 0).then_some(Id(HELD | word & NAME));
        match (is_inconsistent(word), word & PANICKED != 0) {
            (false, _) => None,
            (true, false) => Some(Self::Died(id)),
            (true, true) => Some(Self::Panicked(id)),
        }
    }
}

#[cfg(test)]
mod tests;
