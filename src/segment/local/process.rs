//! Which process is this, and are the thread-local caches still valid?
//!
//! A forked child is another participant than its parent. Two numbers lie in a page that the kernel
//! fills with zeros in a child (`MADV_WIPEONFORK`, after a raw clone too).
//!
//! - The *sequence* changes with each segment that is dropped. A cache of another sequence is void.
//! - The *process number* is remembered by each guard.
//!
//! In a child both numbers are 0. So no cache entry fits, and no guard of the parent's releases
//! anything. A `vfork` child shares all memory with its parent and must only exec.

#![allow(clippy::disallowed_types)] // process-local bookkeeping, never in shared memory, never in an algorithm

use crate::atomic::{AtomicBool, AtomicU64};
use crate::error::Unsupported;
use core::ptr;
use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};

/// The two numbers that a fork wipes.
#[derive(Debug)]
#[repr(align(64))]
pub(super) struct Page {
    pub(super) sequence: AtomicU64,
    pub(super) process: AtomicU64,
}

/// The size of the largest page that kernels for this processor use. So many bytes surround the two
/// numbers on both sides, and nothing else lies in their page.
const LARGEST_PAGE: usize = if cfg!(any(target_arch = "x86_64", target_arch = "x86")) { 4 << 10 } else { 64 << 10 };

/// The page of the two numbers, within the program's zeroed memory (`.bss`), which is anonymous.
/// Its address is known when the program is linked: every lock would have to read a pointer to it
/// twice.
#[repr(C)]
struct Wiped {
    _before: [u8; LARGEST_PAGE],
    page: Page,
    _after: [u8; LARGEST_PAGE],
}

static WIPED: Wiped = Wiped {
    _before: [0; LARGEST_PAGE],
    page: Page { sequence: AtomicU64::new(0), process: AtomicU64::new(0) },
    _after: [0; LARGEST_PAGE],
};
/// Whether the kernel has been asked to wipe the page.
static IS_WIPED: AtomicBool = AtomicBool::new(false);
/// The source of sequences, process numbers and thread numbers. No number occurs twice in a process
/// and all its descendants.
static NUMBER: AtomicU64 = AtomicU64::new(1);

pub(super) fn new_number() -> u64 {
    NUMBER.fetch_add(1, Relaxed) // ORDERING: Relaxed; only uniqueness matters. 2^64 numbers do not wrap.
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

pub(super) fn ensure_page() -> Result<&'static Page, Unsupported> {
    // ORDERING: Acquire; pairs with the Release below: a thread that sees it set may write numbers
    // there.
    if !IS_WIPED.load(Acquire) {
        let (start, size) = wiped_memory();
        // SAFETY: this page lies within WIPED. It contains only the two numbers, which are 0 until
        // a thread has passed this point. To repeat the call changes nothing.
        if size > LARGEST_PAGE || unsafe { libc::madvise(start, size, libc::MADV_WIPEONFORK) } != 0 {
            let error = std::io::Error::last_os_error();
            return Err(Unsupported(format!(
                "the kernel cannot wipe a page of {size} bytes on fork (it can since Linux 4.14): {error}"
            )));
        }
        IS_WIPED.store(true, Release);
    }
    let page = page();
    if page.process.load(Acquire) == 0 {
        // The first use in this process, or in a forked child, which has one thread.
        let _ = page.sequence.compare_exchange(0, new_number(), AcqRel, Relaxed);
        let _ = page.process.compare_exchange(0, new_number(), AcqRel, Relaxed);
    }
    Ok(page)
}

/// The number of this process, which it gets now if it has none yet.
pub(crate) fn ensure_process_number() -> Result<u64, Unsupported> {
    Ok(ensure_page()?.process.load(Relaxed)) // ORDERING: Relaxed; only a fork changes it.
}

/// The number of this process. It is 0 in a forked child at first, and later another than its
/// parent's.
#[inline(always)]
pub(crate) fn process_number() -> u64 {
    page().process.load(Relaxed) // ORDERING: Relaxed; only a fork changes it.
}
