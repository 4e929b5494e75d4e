//! musl, and what has to be done for it to leave the lifelines to the kernel.
//!
//! Read in musl 1.2.5 (`src/thread/pthread_create.c`, `pthread_mutex_trylock.c`,
//! `pthread_mutex_unlock.c`, `src/process/_Fork.c`), and tried with Rust's musl targets. A thread
//! has its list in its `struct pthread`, as `{head, off, pending}`, which is the kernel's own
//! [`Head`]. Four things are other than in glibc.
//!
//! # The kernel does not know the list at first
//!
//! `off` is 0 until the thread locks a mutex that is robust, or is shared between processes and
//! knows its owner. Then musl sets `off`, and tells the kernel of its list. If the kernel knew
//! another one by then, that would be forgotten, and all lifelines with it. So a thread's list is
//! made known, as musl does it, before its first lifeline is linked there; musl finds `off` set,
//! and leaves it alone.
//!
//! Where the list is, musl shows when it makes it known itself: the first thread of a process
//! locks a robust mutex once ([`show_list`]). The distance from `pthread_self()` is the same in
//! all threads.
//!
//! # The link is 28 bytes behind the word
//!
//! A lifeline's word is at a multiple of 8, for processes with glibc. So the link is not, and is
//! accessed by single instructions ([`write_link`]): a kill comes before or after such an
//! instruction.
//!
//! # musl walks the list of a thread that ends by itself
//!
//! It does so in user space, after all destructors, and takes each entry for a mutex: it reads
//! words around it, follows its link, puts [`MARK`](crate::platform::MARK) into the word, and
//! wakes. That must not happen to a lifeline:
//!
//! 1. Its link lies in a segment. Another process may write there at the time, and would lead musl
//!    to any address, where it writes.
//! 2. musl wakes waiters of this process alone if bit 7 of what is in the place of `_m_type` is
//!    clear. The place is the half of another word of the slot.
//! 3. `pending` names the word when it is marked already, and may be another's.
//!
//! So at the thread's end, when its keys' destructors run, the lifelines *part* from musl's list.
//! The kernel is told of a list of their own, which the thread's end leaves to it. Before it ends
//! by the list's own head, it leads through what else is in musl's list at the time:
//!
//! ```text
//! own head → anchor → lifelines → anchor → own head, or if musl's list is not empty:
//! own head → anchor → lifelines → anchor → musl's head → musl's robust mutexes → musl's head → ...
//! ```
//!
//! The kernel follows the latter up to its limit, without harm: an entry that is marked is left
//! alone. What would be the word of musl's head, seen as an entry, is looked at beforehand.
//!
//! A detached thread's end makes the kernel forget every list, if `off` is set. So `off` is cleared
//! when the lifelines part. A destructor that locks a robust mutex later makes the kernel forget
//! the lifelines' list. They part again in the next round of destructors.
//!
//! # A forked child has its parent's list
//!
//! musl resets `off`, and not the head. A child whose thread ended by `pthread_exit` would walk
//! over its parent's lifelines, and mark them. So the child takes them out of its copy of the list
//! when it first uses a segment, or else when its thread's keys' destructors run. It writes to the
//! anchors alone, which are its own copies, and leaves them in that list.
//!
//! # What is left
//!
//! - A thread that is killed while its keys' destructors run, after the lifelines have parted, and
//!   in the middle of locking or unlocking a robust mutex: `pending`, which tells of that mutex, is
//!   in musl's head, and not found. Those that it holds are found.
//! - A thread that locks a robust mutex in a destructor: the kernel forgets the lifelines until the
//!   next round of destructors. If the thread is killed meanwhile, or that was the last round,
//!   sleepers learn of its end from reaping.
//! - A forked child whose thread held a robust mutex, shared between processes, during the fork,
//!   and whose parent had used no segment yet: [`show_list`] writes to that mutex's link for a
//!   moment, as each lock of such a mutex in that child would.

use crate::platform::OWNER;
use crate::platform::linux::anchors::{Anchors, PRIVATE};
use crate::platform::linux::robust::{Head, Unsupported, kernels_list, with_signals_blocked};
use crate::platform::linux::thread_record::thread_id;
use core::ffi::c_int;
use core::mem::{MaybeUninit, offset_of};
use core::ptr;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicU32, AtomicUsize, Ordering, compiler_fence};

/// Where the word is, seen from the link.
pub(crate) const OFFSET: i64 = -28;

/// A futex word with the links by which the kernel finds it when its thread ends.
///
/// The links mean something to the thread that linked it alone; nobody else but the kernel follows
/// them.
#[derive(Debug)]
#[repr(C, align(8))]
pub struct RobustNode {
    pub(crate) word: AtomicU32,
    /// musl, which never sees this word, would take it for its mutex's count of waiters.
    unused: AtomicU32,
    /// See [`Lifeline::spare`](crate::platform::Lifeline::spare).
    pub(crate) spare: AtomicU32,
    others: [AtomicU32; 2],
    /// Written by musl, in a node that is its mutex's neighbour. A lifeline has no use for it.
    previous: [AtomicU32; 2],
    next: [AtomicU32; 2],
    rest: AtomicU32,
}

// As in musl's `pthread_mutex_t`, which begins 4 bytes before the word; and as large as with glibc.
const _: () = {
    assert!(offset_of!(RobustNode, previous) == 24 - 4 && offset_of!(RobustNode, next) == 32 - 4);
    assert!(size_of::<RobustNode>() == 40 && align_of::<RobustNode>() == 8);
    assert!(offset_of!(RobustNode, spare) == 8);
};

impl RobustNode {
    /// In no list.
    pub(crate) const fn unlinked(word: u32) -> Self {
        let [previous, next] = [[const { AtomicU32::new(0) }; 2], [const { AtomicU32::new(0) }; 2]];
        let [unused, spare, rest] = [const { AtomicU32::new(0) }; 3];
        let others = [const { AtomicU32::new(0) }; 2];
        Self { word: AtomicU32::new(word), unused, spare, others, previous, next, rest }
    }

    /// By which a list names it: that of its next link.
    pub(crate) fn address(&self) -> u64 {
        self.next.as_ptr().expose_provenance() as u64
    }
    pub(crate) fn next(&self) -> u64 {
        // SAFETY: eight bytes of this node.
        unsafe { read_link(self.address()) }
    }
    pub(crate) fn set_next(&self, next: u64) {
        // SAFETY: as above, and they may be changed through a shared reference.
        unsafe { write_link(self.address(), next) };
    }
    pub(crate) fn previous(&self) -> u64 {
        // SAFETY: as above.
        unsafe { read_link(self.previous.as_ptr().expose_provenance() as u64) }
    }
    pub(crate) fn set_previous(&self, previous: u64) {
        // SAFETY: as above.
        unsafe { write_link(self.previous.as_ptr().expose_provenance() as u64, previous) };
    }
}

/// The link at this address, which need not be a multiple of eight.
///
/// # Safety
/// There is one, which is the calling thread's.
pub(crate) unsafe fn read_link(address: u64) -> u64 {
    let link = ptr::with_exposed_provenance::<u64>(address as usize);
    let value;
    // SAFETY: passed on.
    unsafe {
        core::arch::asm!("mov {value}, qword ptr [{link}]", link = in(reg) link, value = out(reg) value, options(nostack, preserves_flags, readonly));
    }
    value
}

/// Changes the link at this address, which need not be a multiple of eight, by one instruction.
///
/// # Safety
/// There is one, which is the calling thread's to change.
pub(crate) unsafe fn write_link(address: u64, value: u64) {
    let link = ptr::with_exposed_provenance_mut::<u64>(address as usize);
    // SAFETY: passed on.
    unsafe {
        core::arch::asm!("mov qword ptr [{link}], {value}", link = in(reg) link, value = in(reg) value, options(nostack, preserves_flags));
    }
}

/// Where musl has a thread's list, counted from `pthread_self()`; 0: not known yet.
// ORDERING: Relaxed; a distance, the same for all threads, publishes nothing.
static WHERE: AtomicUsize = AtomicUsize::new(0);

/// A `struct pthread` is not larger.
const STRUCT_PTHREAD: usize = 256;

fn pthread_self() -> usize {
    // SAFETY: no preconditions.
    unsafe { libc::pthread_self() as usize }
}

/// Whether this is the list that musl keeps for the calling thread.
fn is_musls(list: *const Head) -> bool {
    let at = list.addr().wrapping_sub(pthread_self());
    match WHERE.load(Ordering::Relaxed) {
        0 if at < STRUCT_PTHREAD => {
            WHERE.store(at, Ordering::Relaxed);
            true
        }
        known => at == known,
    }
}

/// The list of a thread of which the kernel has none: makes it known, as musl would later.
pub(crate) fn registered() -> Result<NonNull<Head>, Unsupported> {
    if !has_own_pthread() {
        return Err(Unsupported::NotRegistered);
    }
    match WHERE.load(Ordering::Relaxed) {
        0 => show_list()?,
        at => with_signals_blocked(|| register(ptr::with_exposed_provenance(pthread_self() + at)))?,
    }
    let (list, _) = kernels_list()?;
    list.filter(|list| is_musls(list.as_ptr())).ok_or(Unsupported::NotRegistered)
}

/// Whether the `struct pthread` that the calling thread uses is its own: it is another's in a child
/// of `vfork` or of a raw `clone`.
fn has_own_pthread() -> bool {
    let mut clock = 0;
    // SAFETY: writes to a live local.
    let answer = unsafe { libc::pthread_getcpuclockid(libc::pthread_self(), &mut clock) };
    // The kernel's number of a thread's clock has the thread's id in it (`MAKE_THREAD_CPUCLOCK`).
    answer == 0 && !(clock >> 3) as u32 == thread_id()
}

/// As musl does it when the thread first locks a robust mutex.
fn register(list: *const Head) -> Result<(), Unsupported> {
    // SAFETY: the list in the calling thread's `struct pthread`.
    let list = unsafe { &*list };
    if list.offset.load(PRIVATE) != 0 {
        return Err(Unsupported::NotRegistered); // musl believes that the kernel knows it
    }
    list.offset.store(OFFSET, PRIVATE);
    tell_kernel(list).inspect_err(|_| list.offset.store(0, PRIVATE))
}

fn tell_kernel(list: &Head) -> Result<(), Unsupported> {
    // SAFETY: a well-formed list of the calling thread, which stays as long as the thread does.
    match unsafe { libc::syscall(libc::SYS_set_robust_list, ptr::from_ref(list), size_of::<Head>()) } {
        0 => Ok(()),
        _ => Err(Unsupported::NoRobustList(std::io::Error::last_os_error().raw_os_error().unwrap_or(libc::ENOSYS))),
    }
}

/// Locks and unlocks a robust mutex, so that musl makes the thread's list known.
fn show_list() -> Result<(), Unsupported> {
    let done = |errno: c_int| if errno == 0 { Ok(()) } else { Err(Unsupported::NoRobustList(errno)) };
    let (mut attributes, mut mutex) = (MaybeUninit::uninit(), MaybeUninit::uninit());
    with_signals_blocked(|| {
        // SAFETY: each is initialised before it is used. The mutex stays where it is, and is used
        // by this thread alone.
        unsafe {
            done(libc::pthread_mutexattr_init(attributes.as_mut_ptr()))?;
            done(libc::pthread_mutexattr_setrobust(attributes.as_mut_ptr(), libc::PTHREAD_MUTEX_ROBUST))?;
            done(libc::pthread_mutexattr_setpshared(attributes.as_mut_ptr(), libc::PTHREAD_PROCESS_SHARED))?;
            done(libc::pthread_mutex_init(mutex.as_mut_ptr(), attributes.as_ptr()))?;
            done(libc::pthread_mutex_lock(mutex.as_mut_ptr()))?;
            done(libc::pthread_mutex_unlock(mutex.as_mut_ptr()))?;
            done(libc::pthread_mutex_destroy(mutex.as_mut_ptr()))
        }
    })
}

/// Whether a forked child's thread has its parent's list.
pub(crate) const fn has_lists_of_parents() -> bool {
    true
}

/// What a thread needs for its lifelines to part from musl's list at its end.
#[derive(Debug)]
pub(crate) struct Parting {
    own: Head,
}

impl Parting {
    pub(crate) const fn new() -> Self {
        Self { own: Head::empty() }
    }
}

impl Anchors {
    /// The lifelines part from musl's list: see the [module](self). For the calling thread's end;
    /// called again, it makes up for what musl has told the kernel since.
    ///
    /// # Safety
    /// The anchors are the calling thread's.
    pub(crate) unsafe fn part_from_libc(&'static self) {
        // SAFETY: passed on.
        with_signals_blocked(|| unsafe { self.part() });
    }

    /// Whether the kernel finds them through `list`, the one that it knows. It does again if they
    /// had parted, and musl told it of another list since.
    ///
    /// # Safety
    /// The anchors, and the list, are the calling thread's.
    pub(crate) unsafe fn are_found_by(&'static self, list: NonNull<Head>) -> bool {
        if self.are_apart() && !self.are_in(list) {
            // SAFETY: passed on.
            unsafe { self.part_from_libc() };
            return kernels_list().is_ok_and(|(now, _)| now.is_some_and(|now| self.are_in(now)));
        }
        self.are_in(list)
    }

    /// In a forked child: forgets the lifelines, which are the parent's. Whether they are still in
    /// the list of this thread, which the fork has copied.
    ///
    /// # Safety
    /// The anchors were the calling thread's before the fork.
    pub(crate) unsafe fn disown(&'static self) -> bool {
        self.forget_lifelines();
        is_musls(self.list())
    }

    /// Whether their list ends in the C library's, where it comes to no end.
    pub(crate) fn are_apart(&self) -> bool {
        ptr::eq(self.list(), &self.parting.own)
    }

    /// [`Anchors::part_from_libc`], with signals blocked.
    ///
    /// # Safety
    /// As there.
    unsafe fn part(&'static self) {
        let own = &self.parting.own;
        let Ok((Some(known), _)) = kernels_list() else { return };
        if ptr::eq(known.as_ptr(), own) || !is_musls(known.as_ptr()) {
            return;
        }
        // SAFETY: the list in the calling thread's `struct pthread`.
        let musls = unsafe { known.as_ref() };
        let (head, [newest, oldest]) = (ptr::from_ref(musls) as u64, self.nodes());
        // SAFETY: musl's own memory, before its list.
        let would_be_word = unsafe { &*((head as i64 + OFFSET) as *const AtomicU32) }.load(PRIVATE);
        if would_be_word & OWNER == thread_id() {
            return;
        }
        let again = self.are_apart();
        if !again {
            // SAFETY: the anchors are in musl's list, and their neighbours are the list's.
            unsafe {
                let (newer, older) = (newest.previous(), oldest.next());
                if !ptr::eq(self.list(), musls) || read_link(newer) != newest.address() {
                    return;
                }
                // Killed from here on, the kernel goes through the anchors, and around musl's list.
                own.first.store(newest.address(), PRIVATE);
                own.offset.store(OFFSET, PRIVATE);
                own.pending.store(0, PRIVATE);
                compiler_fence(Ordering::SeqCst);
                if tell_kernel(own).is_err() {
                    return;
                }
                write_link(newer, older);
                if older != head {
                    write_link(older - 8, newer);
                }
                compiler_fence(Ordering::SeqCst);
            }
            self.move_to(own);
        }
        let is_empty = musls.first.load(PRIVATE) == head;
        oldest.set_next(if is_empty { ptr::from_ref(own) as u64 } else { head });
        compiler_fence(Ordering::SeqCst);
        if !again || tell_kernel(own).is_ok() {
            musls.offset.store(0, PRIVATE);
        }
    }
}
