//! Lifelines in the thread's robust list, which it shares with glibc's own robust mutexes.
//!
//! A node has the layout of a glibc `pthread_mutex_t`: futex word at 0, previous link at 24, next link at 32. Links point
//! at the neighbours' next links; glibc rewrites those of its neighbours when it locks and unlocks. The kernel reads
//! only `next`, and the word 32 bytes before it (`futex_offset`). It follows at most 2,048 entries
//! (`ROBUST_LIST_LIMIT`), newest first.
//!
//! # If somebody scribbles on the links
//!
//! They lie in shared memory, because the kernel wants them beside the word. Our own walk, in [`unlink`], survives anything
//! that is found there. The kernel's walk, at the thread's end, survives it too, but it stops at what it cannot read, or is led
//! astray: lifelines behind the scribbled one are then not cut, those of other segments included, and their sleepers are left
//! to the slow look. What it is led to is marked only if it equals the dying thread's id, and lies in memory that
//! the dying process can write. glibc follows no link of ours: it writes to the nodes next to its own mutexes'.

use super::super::WAKE_AT_DEATH;
use core::fmt;
use core::mem::{MaybeUninit, offset_of};
use core::ptr::NonNull;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering, compiler_fence};

/// A futex word with the links by which the kernel finds it when its thread ends.
///
/// The links mean something to the thread that linked it alone; nobody else but the kernel follows them.
#[derive(Debug)]
#[repr(C)]
pub struct RobustNode {
    pub(super) word: AtomicU32,
    unused: [u32; 5],
    previous: AtomicU64,
    next: AtomicU64,
}

impl RobustNode {
    /// In no list.
    #[cfg(test)]
    pub(crate) fn unlinked(word: u32) -> Self {
        let [previous, next] = [AtomicU64::new(0), AtomicU64::new(0)];
        Self { word: AtomicU32::new(word), unused: [0; 5], previous, next }
    }

    /// By which a list names it: that of its next link.
    pub(crate) fn address(&self) -> u64 {
        &raw const self.next as u64
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
    first: AtomicU64,
    offset: i64,
    pending: AtomicU64,
}

/// Why this thread cannot have a lifeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unsupported {
    /// `get_robust_list` failed with this error number.
    NoRobustList(i32),
    /// The C library has registered no list for this thread: it comes from a raw `clone` or a `vfork`.
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

/// The calling thread's list, as the kernel has it: never computed, so that a thread without one is found out.
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

/// Runs `change` with all signals blocked: a handler that locked a robust mutex in the middle would tear the list.
fn with_signals_blocked<R>(change: impl FnOnce() -> R) -> R {
    let mut all = MaybeUninit::<libc::sigset_t>::uninit();
    let mut before = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: both sets are written before they are read; the calls cannot fail with these arguments.
    unsafe {
        libc::sigfillset(all.as_mut_ptr());
        libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), before.as_mut_ptr());
    }
    let result = change();
    // SAFETY: `before` was filled by the call above.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, before.as_ptr(), core::ptr::null_mut()) };
    result
}

/// The previous and the next link of a linked node.
///
/// # Safety
/// `next` is the address of its next link (bit 0 aside, with which glibc marks one kind of mutex).
unsafe fn links_at<'a>(next: u64) -> [&'a AtomicU64; 2] {
    let next = next & !1;
    // SAFETY: in glibc's layout and in ours the two links are adjacent.
    unsafe { [&*((next - 8) as *const AtomicU64), &*(next as *const AtomicU64)] }
}

/// Whether the two links of a node can be read, if its next link is at this address; asked of the kernel, which does not crash.
fn are_links(next: u64) -> bool {
    let Some(start) = (next & !1).checked_sub(8).filter(|start| start % 8 == 0) else {
        return false;
    };
    read_by_kernel(start as usize, &mut [0; 16]).is_ok()
}

/// Reads this process's own memory by the kernel's hand: what cannot be read is an error, what is written meanwhile no race.
pub(crate) fn read_by_kernel(start: usize, bytes: &mut [u8]) -> std::io::Result<()> {
    let here = libc::iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: bytes.len() };
    let there = libc::iovec { iov_base: start as *mut libc::c_void, iov_len: bytes.len() };
    // SAFETY: writes to the live bytes alone; what it reads it checks itself.
    let read = unsafe { libc::process_vm_readv(libc::getpid(), &here, 1, &there, 1, 0) };
    match usize::try_from(read) {
        Ok(read) if read == bytes.len() => Ok(()),
        Ok(_) => Err(std::io::ErrorKind::UnexpectedEof.into()),
        Err(_) => Err(std::io::Error::last_os_error()),
    }
}

// ORDERING of all list accesses: Relaxed, with compiler fences between. Only this thread changes the list, and the
// kernel walks it in this thread's own exit: program order is all there is. Atomics because glibc rewrites the links
// beside its own, and because the memory is shared.
const PRIVATE: Ordering = Ordering::Relaxed;

/// Puts `owner` (a thread or process id) into the node's word, and the node into the calling thread's list.
///
/// `covered`: killed at any instruction of it, the word is either still without an owner, or gets marked. `list_op_pending`
/// covers the time when the word has its owner but is not in the list yet. The kernel looks at that one last of all: so a
/// second node of one slot must not be covered, or it is looked at after the slot was given away with the mark on the first.
///
/// # Safety
/// `list` is the calling thread's. The node is in no list, and its memory stays mapped and writable until the thread has
/// ended or unlinked it. The word has no owner: `pending` on a word that held another's id could get that one marked.
pub(crate) unsafe fn link(list: NonNull<Head>, node: &RobustNode, owner: u32, covered: bool) {
    // SAFETY: the list is the calling thread's and outlives this call.
    let head = unsafe { list.as_ref() };
    let node_address = node.address();
    let head_address = list.as_ptr() as u64;
    with_signals_blocked(|| {
        if covered {
            head.pending.store(node_address, PRIVATE);
        }
        compiler_fence(Ordering::SeqCst);
        // ORDERING: Release. Pairs with the Acquire of those who collect lifelines: they see what the slot says.
        node.word.store(owner | WAKE_AT_DEATH, Ordering::Release);
        let first = head.first.load(PRIVATE);
        node.next.store(first, PRIVATE);
        node.previous.store(head_address, PRIVATE);
        compiler_fence(Ordering::SeqCst);
        if first & !1 != head_address {
            // SAFETY: `first` is a linked node of this thread's list: the head is the thread's own, nobody else writes to it.
            let [previous, _] = unsafe { links_at(first) };
            previous.store(node_address, PRIVATE);
        }
        head.first.store(node_address, PRIVATE);
        compiler_fence(Ordering::SeqCst);
        if covered {
            head.pending.store(0, PRIVATE);
        }
    });
}

/// Takes the node out of the calling thread's list; its word stays as it is. False if that cannot be, and nothing is changed:
/// it was not found among as many entries as the kernel would follow, or the links do not fit together.
///
/// The links of lifelines lie in memory that others may write. So none is followed but to one of the thread's own
/// lifelines (`is_own`, by [`RobustNode::address`]) or to what the kernel says can be read, and none is changed but where
/// both neighbours name each other.
///
/// # Safety
/// `list` is the calling thread's. Whatever `is_own` says yes to is mapped.
pub(crate) unsafe fn unlink(list: NonNull<Head>, node: &RobustNode, is_own: impl Fn(u64) -> bool) -> bool {
    const LIMIT: u32 = 2048;
    // SAFETY: the list is the calling thread's and outlives this call.
    let head = unsafe { list.as_ref() };
    let head_address = list.as_ptr() as u64;
    let links = |next: u64| {
        let is_there = is_own(next & !1) || are_links(next);
        // SAFETY: readable, and aligned, as was just found.
        is_there.then(|| unsafe { links_at(next) })
    };
    with_signals_blocked(|| {
        let mut link = &head.first;
        for _ in 0..LIMIT {
            let next = link.load(PRIVATE);
            if next & !1 == node.address() {
                let after = node.next.load(PRIVATE);
                if after & !1 != head_address {
                    match links(after) {
                        Some([back, _]) if back.load(PRIVATE) & !1 == node.address() => {
                            back.store(link.as_ptr() as u64, PRIVATE);
                        }
                        _ => return false,
                    }
                }
                compiler_fence(Ordering::SeqCst);
                link.store(after, PRIVATE);
                return true;
            }
            if next & !1 == head_address {
                return false;
            }
            match links(next) {
                Some([back, forth]) if back.load(PRIVATE) & !1 == link.as_ptr() as u64 => link = forth,
                _ => return false,
            }
        }
        false
    })
}
