//! How the sender of a long [message](super) gets its blocks.

use super::word::Owner;
use super::{Draft, Messages, NotStarted, Place, Store};
use crate::platform::{Platform, Word, Word64};
use crate::raw::hold::Id;
use crate::raw::mutex::{Leaked, Mutex, NotLocked};
use crate::raw::queue::{Claim, NotClaimed};
use crate::raw::table::Participant;
use crate::raw::vigil::Deadline;
use core::cell::Cell;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};

/// A chain of blocks of the pool: the links of its ends, and how many there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Run {
    first: u32,
    last: u32,
    count: u32,
}

impl Run {
    pub(super) const EMPTY: Self = Self { first: 0, last: 0, count: 0 };

    #[inline(always)]
    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }
    /// The link of its first block; 0: it has none.
    #[inline(always)]
    pub(super) fn first(&self) -> u32 {
        self.first
    }
}

impl<P: Platform, S: Store<P> + ?Sized, const BITS: u32, const ENDS: usize> Messages<'_, P, S, BITS, ENDS> {
    #[inline(always)]
    fn gate(&self) -> &Mutex<P> {
        &self.words.pool.0.gate
    }
    #[inline(always)]
    fn next(&self) -> &P::Word {
        &self.words.pool.0.next
    }

    /// How many blocks of the pool a message has.
    pub(crate) fn blocks_for(&self, length: usize) -> usize {
        let size = self.store.block_size();
        length.saturating_sub(size).div_ceil(size)
    }

    /// How many bytes have room in the draft as it is.
    pub fn room(&self, draft: &Draft) -> usize {
        self.store.block_size().saturating_mul(draft.run.count as usize + 1).min(super::MOST_BYTES)
    }

    /// [`start`](Self::start), if the message needs blocks of the pool.
    #[cold]
    pub(super) fn start_long(
        &self,
        me: Participant<'_, P>,
        deadline: Deadline,
        length: usize,
    ) -> Result<Draft, NotStarted> {
        if length > self.most_bytes() {
            return Err(NotStarted::TooLong);
        }
        let blocks = self.blocks_for(length) as u32;
        // Whoever has the gate may be stopped. Who does not get it learns of the end, too.
        let refused = |error| if self.words.queue.is_closed() { NotClaimed::Closed } else { error };
        if self.words.queue.is_closed() {
            return Err(NotClaimed::Closed.into());
        }
        self.take_gate(me, deadline).map_err(refused)?;
        let found = Cell::new(Run::EMPTY);
        let claimed = self.ring().claim_free_when(me, deadline, || {
            found.set(self.find_free(me, blocks, blocks)?);
            Ok(())
        });
        let draft = claimed.map(|claim| {
            self.own(claim, found.get());
            Draft { claim, run: found.get() }
        });
        self.leave_gate();
        Ok(draft?)
    }

    /// Gives the gate back. A foreign waiter may have found it taken.
    fn leave_gate(&self) {
        self.gate().unlock(0);
        P::fence(SeqCst); // ORDERING: invariant 13 of the queue.
        self.ring().notice_foreign();
    }

    /// Takes the gate. What a dead holder has left needs no repair.
    fn take_gate(&self, me: Participant<'_, P>, deadline: Deadline) -> Result<(), NotClaimed> {
        let taken = match deadline {
            Deadline::Immediate => self.gate().try_lock_with(me, Leaked::Take),
            Deadline::By(deadline) => match self.gate().lock_with(me, deadline, Leaked::Take) {
                // In a signal handler: as the queue does, the caller waits for itself.
                Err(NotLocked::Deadlock) => self.gate().lock_with(me, deadline, Leaked::Wait),
                taken => taken,
            },
        };
        match taken {
            Ok(_) => Ok(()),
            Err(NotLocked::TimedOut) => Err(NotClaimed::TimedOut),
            Err(NotLocked::Interrupted) => Err(NotClaimed::Interrupted),
            Err(_) => Err(NotClaimed::WouldBlock),
        }
    }

    /// Takes more blocks for the draft, if that takes no waiting: about as many as it has, but no
    /// more than a message can have. What it does not need is given back when it is published.
    ///
    /// Returns whether it has more room now. If not, the caller may keep the bytes elsewhere, give
    /// the draft up, and begin a message whose length it then knows.
    ///
    /// # If a process dies
    /// As before it publishes.
    #[cold]
    pub fn grow(&self, me: Participant<'_, P>, draft: &mut Draft) -> bool {
        let missing = self.blocks_for(self.most_bytes()).saturating_sub(draft.run.count as usize);
        if missing == 0 || self.take_gate(me, Deadline::Immediate).is_err() {
            return false; // invariant 3
        }
        let found = self.find_free(me, 1, draft.run.count.max(1).min(missing as u32));
        if let Ok(more) = found {
            self.own(draft.claim, more);
            match self.block(draft.run.last) {
                // ORDERING: Relaxed; the cell's word publishes it.
                Some(last) => self.store.link(last).store(more.first, Relaxed),
                None => draft.run.first = more.first,
            }
            draft.run = Run { last: more.last, count: draft.run.count + more.count, ..draft.run };
        }
        self.leave_gate();
        found.is_ok()
    }

    /// Makes a chain of up to `most` free blocks, if there are `least`. For the holder of the gate.
    ///
    /// # Errors
    /// There are not so many. A living participant that has some of the others, if there is one.
    fn find_free(&self, me: Participant<'_, P>, least: u32, most: u32) -> Result<Run, Option<Id>> {
        let count = self.store.blocks();
        let (mut run, mut by) = (Run::EMPTY, None);
        // ORDERING: Relaxed for all; the gate orders links and hint.
        let mut block = self.next().load(Relaxed) as usize;
        for _ in 0..count {
            block = if block < count { block } else { 0 };
            let link = block as u32 + 1;
            match self.is_free(me, block) {
                Ok(()) => {
                    match self.block(run.last) {
                        Some(last) => self.store.link(last).store(link, Relaxed),
                        None => run.first = link,
                    }
                    run = Run { last: link, count: run.count + 1, ..run };
                    if run.count == most {
                        break;
                    }
                }
                Err(user) => by = by.or(user),
            }
            block += 1;
        }
        if run.count < least {
            return Err(by);
        }
        if let Some(last) = self.block(run.last) {
            self.store.link(last).store(0, Relaxed);
        }
        Ok(run)
    }

    /// Whether the gate is free, and so many blocks are. For a caller without the gate: others may
    /// take it at any moment.
    pub(super) fn might_find_free(&self, me: Participant<'_, P>, least: usize) -> bool {
        // A holder that is alive may be judged dead, because the word is not loaded with Acquire.
        // Then the caller tries once for nothing.
        if self.gate().holder().is_some_and(|holder| holder == me.id || me.table.is_alive(holder)) {
            return false;
        }
        let count = self.store.blocks();
        let first = self.next().load(Relaxed) as usize; // ORDERING: a hint.
        let mut missing = least;
        for step in 0..count {
            if missing == 0 || missing > count - step {
                break;
            }
            missing -= usize::from(self.is_free(me, (first % count + step) % count).is_ok());
        }
        missing == 0
    }

    /// Whether a block belongs to no position, or to one that is over (invariant 1).
    ///
    /// # Errors
    /// It is not free. The living participant that uses it, if there is one.
    fn is_free(&self, me: Participant<'_, P>, block: usize) -> Result<(), Option<Id>> {
        // ORDERING: Acquire. Pairs with the Release of `cut`: the caller writes after the former
        // owner has written. All other changes are ordered by the gate. Model:
        // `message_queue::a_message_grows_into_a_spare_block`.
        // EQUIVALENT(Acquire to Relaxed): the fence of `leave_gate` comes before the caller writes.
        let owner = Owner::<BITS>(self.store.owner(block).load(Acquire));
        match owner.position() {
            Some(position) if (position.index as usize) < self.store.capacity() => self.ring().is_over(me, position),
            _ => Ok(()),
        }
    }

    /// Makes the blocks of a chain belong to a claimed position. For the holder of the gate.
    fn own(&self, claim: Claim, run: Run) {
        let owner = Owner::<BITS>::of(claim.position());
        let mut link = run.first;
        for _ in 0..run.count {
            let Some(block) = self.block(link) else { break };
            // ORDERING: Relaxed for all; the gate orders them for other senders, and the cell's
            // word for receivers.
            self.store.owner(block).store(owner.0, Relaxed);
            link = self.store.link(block).load(Relaxed);
        }
        self.next().store(run.last, Relaxed);
    }

    /// Gives back the blocks that a message of this length does not need. Returns whether there
    /// were any.
    pub(super) fn cut(&self, draft: &mut Draft, length: usize) -> bool {
        let keep = self.blocks_for(length);
        if keep >= draft.run.count as usize {
            return false;
        }
        self.cut_after(draft, keep);
        true
    }

    #[cold]
    fn cut_after(&self, draft: &mut Draft, keep: usize) {
        let (claim, first, count) = (draft.claim, draft.run.first, draft.run.count);
        let mut last = self.first_place(draft);
        for _ in 0..keep {
            let Some(place) = self.place_after(claim, first, last) else { return };
            last = place;
        }
        let mut spare = self.place_after(claim, first, last);
        match last {
            Place::Cell(_) => draft.run = Run::EMPTY,
            Place::Block(block) => {
                // ORDERING: Relaxed; the cell's word publishes it.
                self.store.link(block).store(0, Relaxed);
                draft.run = Run { last: block as u32 + 1, count: keep as u32, ..draft.run };
            }
        }
        for _ in keep..count as usize {
            let Some(Place::Block(block)) = spare else { return };
            spare = self.place_after(claim, first, Place::Block(block));
            // ORDERING: Release. Pairs with the Acquire of `is_free`.
            self.store.owner(block).store(Owner::<BITS>::NOBODY.0, Release);
        }
    }

    /// The block that a link names.
    #[inline(always)]
    pub(super) fn block(&self, link: u32) -> Option<usize> {
        (link as usize).checked_sub(1).filter(|block| *block < self.store.blocks())
    }
}
