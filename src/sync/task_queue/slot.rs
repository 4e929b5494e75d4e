//! A place in a task queue: its words, and its item.

use crate::platform::Linux;
use crate::raw::task_queue::SlotWords;
use crate::segment::{Definition, Part, Shareable};
use core::cell::UnsafeCell;
use core::mem::offset_of;

/// A place for one item in a [`TaskQueue`](super::TaskQueue). It can be named, as the room of a
/// [`TaskQueueSegment`](super::TaskQueueSegment), and has no operations.
#[repr(C)]
pub struct TaskSlot<T> {
    pub(super) words: SlotWords<Linux>,
    item: UnsafeCell<T>,
}

// SAFETY: repr(C). The words are understood whatever their bits; the item is Shareable, and is used
// only by the participant that the slot's hold names, one at a time. No pointers, no Drop. The
// compiler need not recommend what nobody makes.
#[diagnostic::do_not_recommend]
unsafe impl<T: Shareable> Shareable for TaskSlot<T> {
    const DEFINITION: &'static Definition = &Definition::structure::<Self>(
        "outlive::TaskSlot",
        &[
            Part::type_parameter::<T>("T"),
            Part::words::<SlotWords<Linux>>("words", offset_of!(Self, words)),
            Part::cell::<T>("item", offset_of!(Self, item)),
        ],
    );
}

// SAFETY: a shared reference reaches the item only through a hold, which one thread has at a time,
// as the data of a mutex. So an item moves between threads, which `Shareable` types can (they are
// Send). Who has the hold may share the item, under the bounds of its guard.
unsafe impl<T: Send> Sync for TaskSlot<T> {}

impl<T> TaskSlot<T> {
    /// Where the item is.
    #[inline(always)]
    pub(super) fn item(&self) -> *mut T {
        self.item.get()
    }
}

impl<T> core::fmt::Debug for TaskSlot<T> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("TaskSlot").finish_non_exhaustive()
    }
}
