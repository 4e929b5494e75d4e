//! The robust list as the kernel and glibc have it: its nodes, its head, and what is asked of the
//! kernel about it.
//!
//! A node has the layout of a glibc `pthread_mutex_t`: futex word at 0, previous link at 24, next
//! link at 32. Links name the neighbours by the addresses of their next links. The kernel reads
//! only `next`, and the word 32 bytes before it (`futex_offset`). It follows at most 2,048 entries
//! (`ROBUST_LIST_LIMIT`), newest first. How lifelines share the list with glibc's own robust
//! mutexes is told in [`anchors`](super::anchors).
//!
//! # If somebody scribbles on the links
//!
//! The `next` links of lifelines lie in shared memory, because the kernel wants them beside the
//! word. This process writes them and never reads them, so no link leads it astray.
//!
//! The kernel reads them when the thread ends. A link that another process wrote can stop its walk,
//! or send it elsewhere. Then the older entries of the thread are not found: its lifelines in
//! segments that it joined earlier, and the robust mutexes that it locked before. Sleepers learn of
//! such a death from the slow look. The kernel marks what it is led to only if the word there
//! equals the dying thread's id, and lies in memory that the dying process can write. When a thread
//! leaves a segment it repairs the link that led there. When it ends by itself it repairs all: what
//! the dead have left in a link changes nothing in a process that lives on.

use core::fmt;
use core::mem::{MaybeUninit, offset_of};
use core::ptr::NonNull;
use core::sync::atomic::{AtomicU32, AtomicU64};

/// A futex word with the links by which the kernel finds it when its thread ends.
///
/// The links mean something to the thread that linked it alone; nobody else but the kernel follows
/// them.
#[derive(Debug)]
#[repr(C)]
pub struct RobustNode {
    pub(super) word: AtomicU32,
    unused: [u32; 5],
    /// Written by glibc, in a node that is its mutex's neighbour; read by glibc alone. A lifeline
    /// has no use for it.
    pub(super) previous: AtomicU64,
    pub(super) next: AtomicU64,
}

impl RobustNode {
    /// In no list.
    pub(crate) const fn unlinked(word: u32) -> Self {
        let [previous, next] = [AtomicU64::new(0), AtomicU64::new(0)];
        Self { word: AtomicU32::new(word), unused: [0; 5], previous, next }
    }

    /// By which a list names it: that of its next link.
    pub(super) fn address(&self) -> u64 {
        core::ptr::from_ref(self) as u64 + offset_of!(Self, next) as u64
    }
}

const OFFSET: i64 = -32;
const _: () = {
    assert!(offset_of!(RobustNode, previous) == 24 && offset_of!(RobustNode, next) == 32);
    assert!(size_of::<RobustNode>() == 40);
};

/// The kernel's `struct robust_list_head`, one for each thread, in the thread's own memory.
#[repr(C)]
pub(crate) struct Head {
    pub(super) first: AtomicU64,
    offset: i64,
    pub(super) pending: AtomicU64,
}

#[cfg(test)]
impl Head {
    /// Of no thread, and not linked to itself yet.
    pub(super) const fn empty() -> Self {
        Self { first: AtomicU64::new(0), offset: OFFSET, pending: AtomicU64::new(0) }
    }
}

/// Why this thread cannot have a lifeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unsupported {
    /// `get_robust_list` failed with this error number.
    NoRobustList(i32),
    /// The C library has registered no list for this thread: it comes from a raw `clone` or a
    /// `vfork`.
    NotRegistered,
    /// The list of this C library has another layout than glibc's.
    Layout {
        /// The `futex_offset` found.
        offset: i64,
        /// The length of the list's head in bytes.
        length: usize,
    },
}

impl fmt::Display for Unsupported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoRobustList(errno) => write!(
                f,
                "the kernel gives no robust list ({}); outlive needs CONFIG_FUTEX with robust lists, and no sandbox that refuses get_robust_list",
                std::io::Error::from_raw_os_error(*errno)
            ),
            Self::NotRegistered => f.write_str(
                "this thread has no robust list: it was made by a raw clone or a vfork; make it with fork, posix_spawn or pthread_create",
            ),
            Self::Layout { offset, length } => write!(
                f,
                "the C library's robust list has futex_offset {offset} and a head of {length} bytes; outlive fits glibc's, {OFFSET} and {}",
                size_of::<Head>()
            ),
        }
    }
}

/// The calling thread's list, as the kernel has it: never computed, so that a thread without one is
/// found out.
pub(crate) fn robust_list() -> Result<NonNull<Head>, Unsupported> {
    let mut head: *mut Head = core::ptr::null_mut();
    let mut length = 0usize;
    // SAFETY: both results are written to live locals of the sizes that the kernel expects.
    let answer = unsafe { libc::syscall(libc::SYS_get_robust_list, 0, &mut head, &mut length) };
    if answer != 0 {
        let errno = std::io::Error::last_os_error().raw_os_error();
        return Err(Unsupported::NoRobustList(errno.unwrap_or(libc::ENOSYS)));
    }
    let Some(list) = NonNull::new(head) else {
        return Err(Unsupported::NotRegistered);
    };
    // SAFETY: the kernel named this address as the thread's list head, and the thread is running.
    let offset = unsafe { list.as_ref() }.offset;
    if length != size_of::<Head>() || offset != OFFSET {
        return Err(Unsupported::Layout { offset, length });
    }
    Ok(list)
}

/// Runs `change` with all signals blocked: a handler in the middle of it that locked a robust
/// mutex, or left a segment, would tear the list.
pub(super) fn with_signals_blocked<R>(change: impl FnOnce() -> R) -> R {
    let mut all = MaybeUninit::<libc::sigset_t>::uninit();
    let mut before = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: both sets are written before they are read; the calls cannot fail with these
    // arguments.
    unsafe {
        libc::sigfillset(all.as_mut_ptr());
        libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), before.as_mut_ptr());
    }
    let result = change();
    // SAFETY: `before` was filled by the call above.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, before.as_ptr(), core::ptr::null_mut()) };
    result
}
