//! Which process is this, and is what its threads have noted of segments still good?
//!
//! The child is another participant. Two numbers live in a page that the kernel wipes in a child
//! (`MADV_WIPEONFORK`, raw clone included): the *epoch*, by which caches are judged, and the
//! *process number*, which each guard remembers. In a child both are 0: no cache entry fits, no
//! guard of the parent's releases anything. A `vfork` child shares all memory with its parent and
//! must only exec.

#![allow(clippy::disallowed_types)] // process-local bookkeeping, never in shared memory, never in an algorithm

use crate::error::{Error, Result};
use crate::platform::atomic::{AtomicBool, AtomicU64};
use core::ptr;
use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};

/// The two numbers that a fork wipes.
#[derive(Debug)]
#[repr(align(64))]
pub(super) struct Page {
    pub(super) epoch: AtomicU64,
    pub(super) process: AtomicU64,
}

/// The largest page that this processor's kernels use: what surrounds the two numbers on both
/// sides, so that nothing else is in their page.
const LARGEST_PAGE: usize = if cfg!(any(target_arch = "x86_64", target_arch = "x86")) { 4 << 10 } else { 64 << 10 };

/// The page, within the program's zeroed memory (`.bss`), which is anonymous there: at a place that
/// is known when the program is linked, since a pointer to it would be read twice at every lock.
#[repr(C)]
struct Wiped {
    _before: [u8; LARGEST_PAGE],
    page: Page,
    _after: [u8; LARGEST_PAGE],
}

static WIPED: Wiped = Wiped {
    _before: [0; LARGEST_PAGE],
    page: Page { epoch: AtomicU64::new(0), process: AtomicU64::new(0) },
    _after: [0; LARGEST_PAGE],
};
/// Whether the kernel wipes it by now.
static IS_WIPED: AtomicBool = AtomicBool::new(false);
/// Source of epochs, process numbers and thread numbers: never the same twice, in a process and all
/// its descendants.
static NUMBER: AtomicU64 = AtomicU64::new(1);

pub(super) fn new_number() -> u64 {
    NUMBER.fetch_add(1, Relaxed) // ORDERING: uniqueness is all that is asked. 2^64 do not wrap.
}

#[inline(always)]
pub(super) fn page() -> &'static Page {
    &WIPED.page
}

/// Where the page of the two numbers begins, and its size.
pub(super) fn wiped_memory() -> (*mut libc::c_void, usize) {
    // SAFETY: sysconf has no preconditions, and knows the size of a page.
    let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) } as usize;
    let within = ptr::from_ref(page()) as usize & !(size - 1);
    (ptr::from_ref(&WIPED).with_addr(within).cast_mut().cast(), size)
}

pub(super) fn ensure_page() -> Result<&'static Page> {
    // ORDERING: Acquire; pairs with the Release below: who sees it set may write numbers there.
    if !IS_WIPED.load(Acquire) {
        let (start, size) = wiped_memory();
        // SAFETY: this page lies within WIPED, and holds nothing but the two numbers, which are 0
        // as long as nobody has got past this. Whoever does it once more changes nothing.
        if size > LARGEST_PAGE || unsafe { libc::madvise(start, size, libc::MADV_WIPEONFORK) } != 0 {
            let error = std::io::Error::last_os_error();
            return Err(Error::Unsupported(format!(
                "the kernel cannot wipe a page of {size} bytes on fork (it can since Linux 4.14): {error}"
            )));
        }
        IS_WIPED.store(true, Release);
    }
    let page = page();
    if page.process.load(Acquire) == 0 {
        // First use, or the first in a forked child, which has one thread.
        let _ = page.epoch.compare_exchange(0, new_number(), AcqRel, Relaxed);
        let _ = page.process.compare_exchange(0, new_number(), AcqRel, Relaxed);
    }
    Ok(page)
}

/// The number of this process: 0 in a forked child at first, then another than its parent's.
#[inline(always)]
pub(crate) fn process_number() -> u64 {
    page().process.load(Relaxed) // ORDERING: it changes only by a fork.
}
