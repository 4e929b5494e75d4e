//! The robust list as the kernel and the C library have it: its head, and what is asked of the
//! kernel about it.
//!
//! A [node](super::RobustNode) has the layout of the C library's `pthread_mutex_t`, as far as the
//! links matter: previous link, next link, and the futex word so many bytes before that
//! (`futex_offset`), 32 with glibc and 28 with musl. Links name the neighbours by the addresses of
//! their next links. The kernel reads only `next`, and the word. It follows at most 2,048 entries
//! (`ROBUST_LIST_LIMIT`), newest first. How lifelines share the list with the C library's own
//! robust mutexes is told in [`anchors`](super::anchors), and in what the two libraries differ, in
//! [`neighbour`](super::neighbour).
//!
//! # If another process overwrites the links
//!
//! The `next` links of lifelines lie in shared memory, because the kernel wants them beside the
//! word. This process writes them and never reads them, so a wrong link cannot mislead it.
//!
//! The kernel reads them when the thread ends. A link that another process wrote can stop the
//! kernel's walk, or send it elsewhere. Then the kernel does not find the thread's older entries:
//! its lifelines in segments that it joined earlier, and the robust mutexes that it locked before.
//! Sleepers learn of such a death by reaping.
//!
//! The kernel marks a word that a wrong link leads to only under two conditions: the word equals
//! the dying thread's id, and lies in memory that the dying process can write. A thread that leaves
//! a segment repairs the link that led there. A thread that ends by itself repairs all its links.
//! So a link that a dead process has overwritten changes nothing in a process that lives on.

use super::neighbour::{self, OFFSET};
use core::fmt;
use core::mem::MaybeUninit;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicI64, AtomicU64, Ordering};

/// The kernel's `struct robust_list_head`, one for each thread, in the thread's own memory.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Head {
    pub(super) first: AtomicU64,
    pub(super) offset: AtomicI64,
    pub(super) pending: AtomicU64,
}

#[cfg(any(test, target_env = "musl"))]
impl Head {
    /// The head of no thread's list. It is not linked to itself yet.
    pub(super) const fn empty() -> Self {
        Self { first: AtomicU64::new(0), offset: AtomicI64::new(OFFSET), pending: AtomicU64::new(0) }
    }
}

/// Why this thread cannot have a lifeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unsupported {
    /// `get_robust_list` failed with this error number.
    NoRobustList(i32),
    /// The kernel has no list for this thread, and it is not the C library's: it comes from a raw
    /// `clone` or a `vfork`.
    NotRegistered,
    /// The list has another layout than that of the C library which the program was built for.
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
                "the C library's robust list has futex_offset {offset} and a head of {length} bytes; this program fits {OFFSET} and {}",
                size_of::<Head>()
            ),
        }
    }
}

/// The calling thread's list as the kernel has it, and the length of its head.
pub(super) fn kernels_list() -> Result<(Option<NonNull<Head>>, usize), Unsupported> {
    let mut head: *mut Head = core::ptr::null_mut();
    let mut length = 0usize;
    // SAFETY: both results are written to live locals of the sizes that the kernel expects.
    let answer = unsafe { libc::syscall(libc::SYS_get_robust_list, 0, &mut head, &mut length) };
    if answer != 0 {
        let errno = std::io::Error::last_os_error().raw_os_error();
        return Err(Unsupported::NoRobustList(errno.unwrap_or(libc::ENOSYS)));
    }
    Ok((NonNull::new(head), length))
}

/// The calling thread's list. It is never computed where the kernel can be asked, so that a thread
/// without one is found out.
pub(crate) fn robust_list() -> Result<NonNull<Head>, Unsupported> {
    let (list, length) = match kernels_list()? {
        (Some(list), length) => (list, length),
        (None, length) => (neighbour::registered()?, length),
    };
    // SAFETY: the kernel named this address as the thread's list head, and the thread is running.
    let offset = unsafe { list.as_ref() }.offset.load(Ordering::Relaxed); // ORDERING: this thread's own.
    if length != size_of::<Head>() || offset != OFFSET {
        return Err(Unsupported::Layout { offset, length });
    }
    Ok(list)
}

/// Runs `change` with all signals blocked. A handler that locked a robust mutex or left a segment
/// in the middle of `change` would corrupt the list.
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
