//! The words of a slot of a [task queue](super).
//!
//! The *hold* is a [hold](crate::raw::hold) word. It names the participant that uses the slot.
//!
//! | bits | name  | meaning                                                     |
//! |------|-------|-------------------------------------------------------------|
//! | 0–27 | name  | with HELD: the participant that uses the slot               |
//! | 28   | ASIDE | with FULL, without HELD: the task is set aside              |
//! | 29   | HELD  | a producer fills the slot, or a worker has the task         |
//! | 30   | FULL  | the slot has a task                                         |
//! | 31   | AGAIN | with FULL, without HELD: the task is in no cell of the ring |
//!
//! | HELD | FULL | state   | next state                                                                |
//! |------|------|---------|---------------------------------------------------------------------------|
//! | 0    | 0    | free    | filling, by the CAS of a producer                                         |
//! | 1    | 0    | filling | full or again, if it is published; free, if it is given up or its producer is dead |
//! | 0    | 1    | full, again | taken, by the CAS of a worker                                         |
//! | 1    | 1    | taken   | free, if it is done; again or aside, if it is given back or fails; taken by another or aside, if its worker is dead |
//! | 0    | 1    | aside   | taken, by the CAS of a participant that sees to what is set aside         |
//!
//! The other words belong to the user that the hold names. Each user has acquired what the one
//! before it has released.
//!
//! | word     | meaning                                                                         |
//! |----------|---------------------------------------------------------------------------------|
//! | attempts | how many workers have begun the task                                            |
//! | uses     | how often a task of the slot was done, or taken when set aside, modulo 2^32     |
//!
//! Two words belong to the *cell* of the ring that has the index of the slot, and not to the slot:
//! the word of the cell, and its item. That is the number of any slot.
//!
//! A slot of zeros is free.

use crate::platform::{Platform, Word as _, Word64 as _};
use crate::raw::hold::{HELD, Id};

pub(super) const FREE: u32 = 0;
pub(super) const FULL: u32 = 1 << 30;
pub(super) const AGAIN: u32 = FULL | 1 << 31;
pub(super) const ASIDE: u32 = FULL | 1 << 28;

/// The words of a slot, and of a cell. The item lies beside them.
#[derive(Debug)]
#[repr(C)]
pub struct SlotWords<P: Platform> {
    pub(super) cell: P::Word64,
    /// The item of the cell: the number of a slot.
    pub(super) number: P::Word,
    pub(super) hold: P::Word,
    pub(super) attempts: P::Word,
    pub(super) uses: P::Word,
}

impl<P: Platform> SlotWords<P> {
    /// The words `cell` and `number`, and of the slot `hold`, `attempts` and `uses`.
    pub fn from_words(cell: u64, [number, hold, attempts, uses]: [u32; 4]) -> Self {
        Self {
            cell: P::Word64::new(cell),
            number: P::Word::new(number),
            hold: P::Word::new(hold),
            attempts: P::Word::new(attempts),
            uses: P::Word::new(uses),
        }
    }

    /// The word of the cell.
    #[inline(always)]
    pub fn cell(&self) -> &P::Word64 {
        &self.cell
    }
}

impl<P: Platform> Default for SlotWords<P> {
    /// A free slot.
    fn default() -> Self {
        Self::from_words(0, [0; 4])
    }
}

/// A hold, taken apart. Any bits are understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Free,
    Filling(Id),
    Full,
    Again,
    Taken(Id),
    Aside,
}

impl State {
    #[inline(always)]
    pub(super) fn of(hold: u32) -> Self {
        match (hold & FULL != 0, Id::holder_in(hold)) {
            (false, None) => Self::Free,
            (false, Some(user)) => Self::Filling(user),
            (true, Some(user)) => Self::Taken(user),
            (true, None) if hold & ASIDE == ASIDE => Self::Aside,
            (true, None) if hold & AGAIN == AGAIN => Self::Again,
            (true, None) => Self::Full,
        }
    }
}

#[inline(always)]
pub(super) fn filling(id: Id) -> u32 {
    id.word()
}

#[inline(always)]
pub(super) fn taken(id: Id) -> u32 {
    const { assert!(FULL & HELD == 0) };
    FULL | id.word()
}
