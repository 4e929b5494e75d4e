//! How producers and consumers of a [queue](super) find the next cell.

use super::cell::{Cell, Order, Use};
use super::{Cells, Ring};
use crate::platform::{Platform, Word64};
use crate::raw::generation::{most, next};
use crate::raw::hold::Id;
use crate::raw::table::Participant;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::raw) struct Position {
    pub(in crate::raw) lap: u32,
    pub(in crate::raw) index: u32,
}

/// A cell that can be claimed, as it was seen.
#[derive(Debug, Clone, Copy)]
pub(super) struct Found<const BITS: u32> {
    pub(super) position: Position,
    pub(super) seen: Cell<BITS>,
    /// The dead participant that used it.
    pub(super) from: Option<Id>,
}

impl Position {
    /// As a hint.
    #[inline(always)]
    pub(super) fn word(self) -> u64 {
        u64::from(self.lap) << 32 | u64::from(self.index)
    }
}

impl<P: Platform, C: Cells<P> + ?Sized, const BITS: u32, const ENDS: usize> Ring<'_, P, C, BITS, ENDS> {
    /// The first position that was never claimed, or the living participant that uses its cell.
    #[inline(always)]
    pub(super) fn next_free(&self, me: Participant<'_, P>) -> Result<Found<BITS>, Option<Id>> {
        // As a rule the hint is right. The search would find the same.
        let position = self.position(self.tail().load(Relaxed)); // ORDERING: a hint.
        let free = Cell::<BITS>::free(position.lap);
        // ORDERING: Relaxed; the CAS of the claim acquires.
        if self.cells.word(position.index as usize).load(Relaxed) == free.0 {
            return Ok(Found { position, seen: free, from: None });
        }
        self.search_free(me)
    }

    /// [`next_free`](Self::next_free), wherever the hint is.
    #[inline(never)] // its registers are not saved where the hint is right
    fn search_free(&self, me: Participant<'_, P>) -> Result<Found<BITS>, Option<Id>> {
        loop {
            let hint = self.tail().load(Relaxed); // ORDERING: a hint.
            let mut position = self.position(hint);
            for _ in 0..2 * self.cells.capacity() + 2 {
                let word = self.cells.word(position.index as usize);
                // ORDERING: Relaxed. The claim acquires. Whoever passes a dead user, or takes its
                // item over, judges the user once more, with Acquire (`inherit_from`).
                let seen = Cell::<BITS>(word.load(Relaxed));
                match (seen.order(position.lap), seen.use_of()) {
                    // In an earlier lap: the hint is too large. Nobody wrote that.
                    (Order::Same | Order::Earlier, Use::Free) => {
                        let position = Position { lap: seen.lap(), ..position };
                        return Ok(Found { position, seen, from: None });
                    }
                    (Order::Same, _) => position = self.after(position),
                    // This cell was filled in the lap before its own; so were all before it.
                    (Order::Later, _) => position = self.after(Position { lap: seen.lap_before(), ..position }),
                    (Order::Earlier, Use::Filling(user)) if !self.is_in_use(me, user) => {
                        if C::ITEMS_ARE_HINTS {
                            return Err(None);
                        }
                        self.pass(me, word, seen, user);
                    }
                    (Order::Earlier, Use::Full) => return Err(None),
                    (Order::Earlier, Use::Filling(user) | Use::Taking(user)) => {
                        return Err(self.is_in_use(me, user).then_some(user));
                    }
                }
            }
            if self.tail().load(Relaxed) == hint {
                return Err(None); // invariant 11
            }
        }
    }

    /// The first position that is full, or the living participant that may publish, or may leave,
    /// an item.
    #[inline(always)]
    pub(super) fn next_full(&self, me: Participant<'_, P>) -> Result<Found<BITS>, Option<Id>> {
        // As a rule the hint is right. The search would find the same.
        let position = self.position(self.head().load(Relaxed)); // ORDERING: a hint.
        let full = Cell::<BITS>::full(position.lap);
        // ORDERING: Relaxed; the CAS of the claim acquires.
        if self.cells.word(position.index as usize).load(Relaxed) == full.0 {
            return Ok(Found { position, seen: full, from: None });
        }
        self.search_full(me)
    }

    /// [`next_full`](Self::next_full), wherever the hint is.
    #[inline(never)] // as for `search_free`
    fn search_full(&self, me: Participant<'_, P>) -> Result<Found<BITS>, Option<Id>> {
        loop {
            let mut hint = self.head().load(Relaxed); // ORDERING: a hint.
            let mut position = self.position(hint);
            let (mut all_finished, mut by, mut has_gone_back) = (true, None, false);
            for _ in 0..3 * self.cells.capacity() + 3 {
                let word = self.cells.word(position.index as usize);
                // ORDERING: Relaxed. The claim acquires. Whoever passes a dead user, or takes its
                // item over, judges the user once more, with Acquire (`inherit_from`).
                let seen = Cell::<BITS>(word.load(Relaxed));
                let order = seen.order(position.lap);
                if order == Order::Later || order == Order::Earlier && !has_gone_back {
                    // Invariants 3 and 10. This very position is finished, if the cell is in a
                    // later lap.
                    let is_next = order == Order::Later && seen.lap_before() == position.lap;
                    let lap = if is_next { position.lap } else { seen.last_finished_lap() };
                    position = self.after(Position { lap, ..position });
                    has_gone_back |= order == Order::Earlier;
                    if all_finished {
                        hint = position.word();
                        self.head().store(hint, Relaxed); // ORDERING: a hint.
                    }
                    continue;
                }
                // Still in an earlier lap: nobody wrote that.
                position.lap = seen.lap();
                match seen.use_of() {
                    Use::Free => return Err(by),
                    Use::Full => return Ok(Found { position, seen, from: None }),
                    Use::Filling(user) if self.is_in_use(me, user) => return Err(Some(user)),
                    Use::Filling(user) if C::ITEMS_ARE_HINTS => {
                        return Ok(Found { position, seen, from: Some(user) });
                    }
                    Use::Filling(user) => {
                        // No fence orders the wake. It is not needed: a producer passes this cell
                        // by itself, and the death has woken it.
                        if self.pass(me, word, seen, user) {
                            self.notice_room(1);
                        }
                    }
                    Use::Taking(user) if self.is_in_use(me, user) => {
                        by = by.or(Some(user));
                        all_finished = false;
                        position = self.after(position);
                    }
                    Use::Taking(user) => return Ok(Found { position, seen, from: Some(user) }),
                }
            }
            if self.head().load(Relaxed) == hint {
                return Err(by); // invariant 11
            }
        }
    }

    /// Whether a position that was claimed is over: finished, or left by a producer that died
    /// before it published. What belongs to the position may then be used again, from now on.
    ///
    /// # Errors
    /// It is not. The living participant that uses its cell, if there is one.
    pub(in crate::raw) fn is_over(&self, me: Participant<'_, P>, position: Position) -> Result<(), Option<Id>> {
        let word = self.cells.word(position.index as usize);
        loop {
            // ORDERING: Acquire. Pairs with the Release of `finish`, `pass` and `abandon`: the
            // caller writes after the last user has read or written. Model:
            // `message_queue::a_message_grows_into_a_block_that_was_read`.
            // EQUIVALENT(Acquire to Relaxed): the gate orders the claim and all before it, so that
            // no newcomer is judged dead; and its fence comes before the caller writes.
            let seen = Cell::<BITS>(word.load(Acquire));
            // The position was claimed. So the cell is in its lap, or in a later one. A cell that
            // is free in this lap shows that nobody wrote the position.
            if seen.order(position.lap) != Order::Same {
                return Ok(());
            }
            match seen.use_of() {
                Use::Free => return Ok(()),
                Use::Full => return Err(None),
                Use::Taking(user) => return Err(self.is_in_use(me, user).then_some(user)),
                Use::Filling(living) if self.is_in_use(me, living) => return Err(Some(living)),
                // ORDERING: Relaxed. All that the dead user wrote was seen with its mark. It may
                // have published since the first load, and then died. Model:
                // `message_queue::a_message_of_the_dead_keeps_its_blocks`.
                // EQUIVALENT(not repeated): in one lap no two senders die with one cell, so no
                // second turn comes here.
                Use::Filling(_) if word.load(Relaxed) == seen.0 => return Ok(()),
                Use::Filling(_) => {}
            }
        }
    }

    /// Whether the user of a cell may still end its claim. The caller may be that user: in a signal
    /// handler.
    fn is_in_use(&self, me: Participant<'_, P>, user: Id) -> bool {
        user == me.id || me.table.is_alive(user)
    }

    /// Finishes the position of a dead producer without an item (invariant 6). Returns whether the
    /// caller did it.
    #[cold]
    fn pass(&self, me: Participant<'_, P>, word: &P::Word64, seen: Cell<BITS>, dead: Id) -> bool {
        let finished = Cell::<BITS>::finished(seen.lap());
        // ORDERING: Release. Pairs with the Acquire of the next producer, which writes the item
        // after all that the dead producer wrote.
        // EQUIVALENT(Release to Relaxed): the caller has seen that with the mark, and then passes
        // the fence of `inherit_from`, which publishes it as well.
        let pass = || word.compare_exchange(seen.0, finished.0, Release, Relaxed).is_ok();
        me.inherit_from(dead, seen.0, |order| word.load(order), pass)
    }

    #[inline(always)]
    pub(super) fn position(&self, hint: u64) -> Position {
        let (lap, index) = ((hint >> 32) as u32 & most::<BITS>(), hint as u32);
        Position { lap, index: if (index as usize) < self.cells.capacity() { index } else { 0 } }
    }

    #[inline(always)]
    pub(super) fn after(&self, position: Position) -> Position {
        let index = position.index + 1;
        if (index as usize) < self.cells.capacity() {
            Position { index, ..position }
        } else {
            Position { lap: next::<BITS>(position.lap), index: 0 }
        }
    }
}
