//! glibc tells the kernel of each thread's list when the thread begins, and leaves all the rest to
//! the kernel.

use crate::platform::linux::anchors::Anchors;
use crate::platform::linux::robust::{Head, Unsupported};
use core::mem::offset_of;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// Where the word is, seen from the link.
pub(crate) const OFFSET: i64 = -32;

// ORDERING of all accesses to links: Relaxed; see the `anchors`.
const PRIVATE: Ordering = Ordering::Relaxed;

/// A futex word with the links by which the kernel finds it when its thread ends.
///
/// The links mean something to the thread that linked it alone; nobody else but the kernel follows
/// them.
#[derive(Debug)]
#[repr(C)]
pub struct RobustNode {
    pub(crate) word: AtomicU32,
    unused: u32,
    /// See [`Lifeline::spare`](crate::platform::Lifeline::spare).
    pub(crate) spare: AtomicU32,
    rest: [u32; 3],
    /// Written by glibc, in a node that is its mutex's neighbour; read by glibc alone. A lifeline
    /// has no use for it.
    previous: AtomicU64,
    next: AtomicU64,
}

// As in a `pthread_mutex_t`.
const _: () = {
    assert!(offset_of!(RobustNode, previous) == 24 && offset_of!(RobustNode, next) == 32);
    assert!(size_of::<RobustNode>() == 40 && offset_of!(RobustNode, spare) == 8);
};

impl RobustNode {
    /// In no list.
    pub(crate) const fn unlinked(word: u32) -> Self {
        let [previous, next] = [AtomicU64::new(0), AtomicU64::new(0)];
        let [word, spare] = [AtomicU32::new(word), AtomicU32::new(0)];
        Self { word, unused: 0, spare, rest: [0; 3], previous, next }
    }

    /// By which a list names it: that of its next link.
    pub(crate) fn address(&self) -> u64 {
        core::ptr::from_ref(self) as u64 + offset_of!(Self, next) as u64
    }
    pub(crate) fn next(&self) -> u64 {
        self.next.load(PRIVATE)
    }
    pub(crate) fn set_next(&self, next: u64) {
        self.next.store(next, PRIVATE);
    }
    #[cfg(test)]
    pub(crate) fn previous(&self) -> u64 {
        self.previous.load(PRIVATE)
    }
    pub(crate) fn set_previous(&self, previous: u64) {
        self.previous.store(previous, PRIVATE);
    }
}

/// The link at this address.
///
/// # Safety
/// There is one, which is the calling thread's.
#[cfg(test)]
pub(crate) unsafe fn read_link(address: u64) -> u64 {
    // SAFETY: passed on.
    unsafe { &*(address as *const AtomicU64) }.load(PRIVATE)
}

/// Changes the link at this address.
///
/// # Safety
/// There is one, which is the calling thread's to change.
pub(crate) unsafe fn write_link(address: u64, value: u64) {
    // SAFETY: passed on.
    unsafe { &*(address as *const AtomicU64) }.store(value, PRIVATE);
}

/// The list of a thread of which the kernel has none.
pub(crate) fn registered() -> Result<NonNull<Head>, Unsupported> {
    Err(Unsupported::NotRegistered)
}

/// Whether a forked child's thread has its parent's list.
pub(crate) const fn has_lists_of_parents() -> bool {
    false
}

impl Anchors {
    /// The kernel walks the list at the thread's end, whatever that is.
    ///
    /// # Safety
    /// Nothing is done.
    pub(crate) unsafe fn part_from_libc(&'static self) {}

    /// Whether the kernel finds them through this list, the calling thread's.
    ///
    /// # Safety
    /// Nothing is done.
    pub(crate) unsafe fn are_found_by(&'static self, list: NonNull<Head>) -> bool {
        self.are_in(list)
    }

    /// Whether they are still in the list of this thread, which a fork has copied: they are not.
    ///
    /// # Safety
    /// Nothing is done.
    pub(crate) unsafe fn disown(&'static self) -> bool {
        false
    }

    /// Whether their list ends in the C library's, where it comes to no end.
    pub(crate) fn are_apart(&self) -> bool {
        false
    }
}
