//! A place in a queue: its word, and its item.

use crate::platform::{Linux, Platform};
use crate::raw::queue::{Cells, Claim};
use crate::segment::{Definition, Part, Shareable};
use core::cell::UnsafeCell;
use core::mem::offset_of;

/// A place for one item in a [`Queue`](super::Queue). It can be named, as the room of a
/// [`QueueSegment`](super::QueueSegment), and has no operations.
#[repr(C)]
pub struct QueueCell<T> {
    word: <Linux as Platform>::Word64,
    item: UnsafeCell<T>,
}

// SAFETY: repr(C). The word is understood whatever its bits; the item is Shareable, and is read and
// written only by the participant whose claim the word names, one at a time. No pointers, no Drop.
unsafe impl<T: Shareable> Shareable for QueueCell<T> {
    const DEFINITION: &'static Definition = &Definition::structure::<Self>(
        "outlive::QueueCell",
        &[
            Part::type_parameter::<T>("T"),
            Part::words::<<Linux as Platform>::Word64>("word", offset_of!(Self, word)),
            Part::cell::<T>("item", offset_of!(Self, item)),
        ],
    );
}

// SAFETY: a shared reference reaches the item only through a claim, which one participant has at a
// time. So an item moves between threads, which `Shareable` types can (they are Send), and is never
// shared.
unsafe impl<T: Shareable> Sync for QueueCell<T> {}

impl<T: Shareable> QueueCell<T> {
    /// Writes the item of a cell that the caller has claimed to fill.
    #[inline(always)]
    pub(super) fn write(&self, _mine: &Claim, item: T) {
        // SAFETY: within a queue, a cell that is filling has one user, which is the caller. The
        // claim's Acquire orders this after the last read. The callers pass the claim of this cell.
        unsafe { self.item.get().write(item) }
    }

    /// Reads the item of a cell that the caller has claimed to take from.
    #[inline(always)]
    pub(super) fn read(&self, _mine: &Claim) -> T {
        // SAFETY: within a queue, a cell that is taking has one user, which is the caller. The
        // claim's Acquire orders this after the write. Any bytes are a valid T. A dead consumer may
        // have read the same item. It has not returned it, and no value of a Shareable type owns
        // anything, so a copy that was made and forgotten does no harm.
        unsafe { self.item.get().read() }
    }
}

impl<T: Shareable> Cells<Linux> for [QueueCell<T>] {
    #[inline(always)]
    fn capacity(&self) -> usize {
        self.len()
    }
    #[inline(always)]
    fn word(&self, index: usize) -> &<Linux as Platform>::Word64 {
        &self[index].word
    }
}

impl<T> core::fmt::Debug for QueueCell<T> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("QueueCell").finish_non_exhaustive()
    }
}
