//! What this process knows of its segments: which address belongs to which mapping, and which
//! participant the calling thread is there.
//!
//! A primitive is found by its address: `mutex.lock()` has nothing but `&self`. A thread-local
//! cache of a few address ranges answers nearly always; otherwise the list of mappings is asked,
//! and the thread registers if it must.
//!
//! # fork
//!
//! The child is another participant. Two numbers live in a page that the kernel wipes in a child
//! (`MADV_WIPEONFORK`, raw clone included): the *epoch*, by which caches are judged, and the
//! *process number*, which each guard remembers. In a child both are 0: no cache entry fits, no
//! guard of the parent's releases anything. A `vfork` child shares all memory with its parent and
//! must only exec.
//!
//! No lock is needed anywhere here, because a child may have inherited it locked: lists only grow,
//! their nodes are reused and never freed.
//!
//! # Leaked guards
//!
//! A guard that is leaked (`mem::forget`, `Box::leak`) may have given a reference that is still in
//! use when its thread has ended. So each thread counts the holds whose guards give references, in
//! thread-local memory. A thread that ends by itself while its count is not 0 says so in its slots
//! ([`Table::leak`]), before the kernel cuts its lifelines. A thread that locks after that, in a
//! destructor that runs still later, says so at once.
//!
//! That count may be too high, never too low: a guard is counted when it is made and when it is
//! dropped, whatever any word says. A read hold is counted before its word is taken, and that count
//! says also whether the thread's homes may move: see [`rwlock`](crate::raw::rwlock#homes). Holds
//! of a [`Lock`](crate::Lock) have a count of their own, since there the word alone tells whose
//! hold is released. It can tell a wrong one: a `Lock` that is data of a mutex can be moved to
//! another segment, where its word names another thread, and the dead may have written any word.
//! With one count for both, the release of such a lock would hide a leaked guard. The count of
//! locks is too high if another thread has released one, and too low after such a move: then the
//! next gets `OwnerDied` where it should wait, for a lock that gives no reference.
//!
//! The slot of a thread whose count was too high stays taken until its process ends, or until a
//! newcomer that finds no other slot sees that no word names it.
//!
//! # The end of a mapping
//!
//! The kernel stops walking a thread's robust list at the first address that it cannot read, so a
//! mapping must not go while any thread's lifeline is linked in it. Only the thread itself can
//! unlink it. A dropped [`Segment`](super::Segment) becomes an *orphan*; each thread detaches from
//! orphans at its next operation on any segment, and whoever passes by gives back those that no
//! living thread is linked in. As long as it is mapped the segment is in use, for everybody: see
//! [`naming`](super::naming). So a thread that took part and idles keeps the segment from being
//! replaced or revived.

#![allow(clippy::disallowed_types)] // process-local bookkeeping, never in shared memory, never in an algorithm

use super::header::{self, Layout};
use super::naming::Descriptor;
use crate::error::{Error, Result};
use crate::platform::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize};
use crate::platform::linux::{self, Anchors, Linux, Myself, OwnMemory};
use crate::platform::{Platform, linux::RobustNode, linux::ThreadRecord};
use crate::raw::Id;
use crate::raw::rwlock::Home;
use crate::raw::table::recycle::Named;
use crate::raw::table::{Newcomer, Participant, Slot, Table};
use core::cell::{Cell, UnsafeCell};
use core::ptr;
use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release, SeqCst};
use core::sync::atomic::compiler_fence;
use memmap2::MmapRaw;
use pages::Pages;
use registrations::{Pin, TAKEN, Thread, push, walk_mappings, walk_pins};
use std::fs::File;

mod pages;
mod registrations;
#[cfg(test)]
mod tests;

/// The two numbers that a fork wipes.
#[derive(Debug)]
#[repr(align(64))]
struct Page {
    epoch: AtomicU64,
    process: AtomicU64,
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

fn new_number() -> u64 {
    NUMBER.fetch_add(1, Relaxed) // ORDERING: uniqueness is all that is asked. 2^64 do not wrap.
}

#[inline(always)]
fn page() -> &'static Page {
    &WIPED.page
}

/// Where the page of the two numbers begins, and its size.
fn wiped_memory() -> (*mut libc::c_void, usize) {
    // SAFETY: sysconf has no preconditions, and knows the size of a page.
    let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) } as usize;
    let within = ptr::from_ref(page()) as usize & !(size - 1);
    (ptr::from_ref(&WIPED).with_addr(within).cast_mut().cast(), size)
}

fn ensure_page() -> Result<&'static Page> {
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

/// A mapping of a segment.
#[derive(Debug)]
pub(super) struct Mapping {
    next: *const Mapping,
    /// `version << 2 | state`; the version changes when the record is used anew.
    state: AtomicU64,
    start: AtomicUsize,
    length: AtomicUsize,
    device: AtomicU64,
    inode: AtomicU64,
    pins: AtomicPtr<Pin>,
    body: UnsafeCell<Option<Body>>,
}

const FREE: u64 = 0;
const BUSY: u64 = 1; // being set up, or being taken down
const LIVE: u64 = 2;
const ORPHAN: u64 = 3;

/// What is really mapped. Written in BUSY alone.
#[derive(Debug)]
pub(super) struct Body {
    pub(super) map: MmapRaw,
    pub(super) layout: Layout,
    pub(super) table: Table<'static, Linux>,
    /// The file that it was mapped through. Where a mapping does not keep it open (overlayfs) this
    /// does, and the lock on it.
    pub(super) file: Descriptor,
}

static MAPPINGS: AtomicPtr<Mapping> = AtomicPtr::new(ptr::null_mut());
/// How many mappings may be orphans: never less than there are.
static ORPHANS: AtomicUsize = AtomicUsize::new(0);
/// A record that was free. A hint.
static FREED: AtomicPtr<Mapping> = AtomicPtr::new(ptr::null_mut());

// SAFETY: all fields but `body` are atomics or written before publication; that one is written only
// by who brought the state to BUSY by CAS, and read by those for whom it is LIVE, or who have a pin
// in it (then it is not taken down).
unsafe impl Sync for Mapping {}
// SAFETY: as above; nothing in it belongs to one thread.
unsafe impl Send for Mapping {}

fn mappings() -> impl Iterator<Item = &'static Mapping> {
    walk_mappings(MAPPINGS.load(Acquire)) // ORDERING: pairs with the push.
}

impl Mapping {
    /// Maps the file, whose header was judged, and which has the lock that says "in use", and makes
    /// it known to this process.
    pub(super) fn new(file: File, layout: Layout) -> Result<&'static Self> {
        ensure_page()?;
        sweep();
        let (device, inode) = super::naming::inode(&file)?;
        // Through this very open file: the mapping keeps it, and with it the lock.
        let map = memmap2::MmapOptions::new()
            .len(layout.total)
            .map_raw(&file)
            .map_err(|e| Error::io("map the segment", None, e))?;
        let file = Descriptor::new(file)?;
        let base = map.as_mut_ptr();
        // SAFETY: the file has `total` bytes; the words and the table lie within them, aligned, and
        // consist of atomics and unused integers, so any bytes there are valid. The references live
        // as long as the mapping: they are handed out only while it is LIVE or pinned. A file that
        // is truncated by somebody with the right to do it raises SIGBUS (documented).
        let table = unsafe {
            Table {
                membership: &*base.add(header::MEMBERSHIP).cast::<AtomicU32>(),
                cursor: &*base.add(header::CURSOR).cast::<AtomicU32>(),
                stamp: &*base.add(header::STAMP).cast::<AtomicU32>(),
                slots: core::slice::from_raw_parts(base.add(header::TABLE).cast::<Slot<Linux>>(), layout.participants),
            }
        };
        let mapping = Self::take_free_record();
        // SAFETY: the record is BUSY by our CAS or our making: nobody else looks at its body.
        unsafe { *mapping.body.get() = Some(Body { map, layout, table, file }) };
        mapping.start.store(base as usize, Relaxed);
        mapping.length.store(layout.total, Relaxed);
        mapping.device.store(device, Relaxed);
        mapping.inode.store(inode, Relaxed);
        let version = (mapping.state.load(Relaxed) >> 2) + 1;
        // ORDERING: Release; pairs with the Acquire in `covers` and in `state`: all of the above is
        // seen with LIVE.
        mapping.state.store(version << 2 | LIVE, Release);
        Ok(mapping)
    }

    fn take_free_record() -> &'static Self {
        // SAFETY: null, or a record, and those are never freed.
        let freed = unsafe { FREED.swap(ptr::null_mut(), AcqRel).as_ref() };
        let mut free = freed.into_iter().chain(mappings());
        free.find(|mapping| mapping.change_state(FREE, BUSY)).unwrap_or_else(|| {
            let new = Self {
                next: ptr::null(),
                state: AtomicU64::new(BUSY),
                start: AtomicUsize::new(0),
                length: AtomicUsize::new(0),
                device: AtomicU64::new(0),
                inode: AtomicU64::new(0),
                pins: AtomicPtr::new(ptr::null_mut()),
                body: UnsafeCell::new(None),
            };
            push(&MAPPINGS, new, |node, next| node.next = next)
        })
    }

    fn state(&self) -> u64 {
        self.state.load(Acquire) & 3
    }

    /// What [`is_still`](Self::is_still) compares.
    fn state_and_version(&self) -> u64 {
        self.state.load(Relaxed) // ORDERING: the caller borrows a primitive in it, so it does not change.
    }

    /// Whether it is LIVE, and what it was when its state was that.
    #[inline(always)]
    fn is_still(&self, state: u64) -> bool {
        // ORDERING: Relaxed; see `abandon`.
        self.state.load(Relaxed) == state && state & 3 == LIVE
    }

    fn change_state(&self, from: u64, to: u64) -> bool {
        let seen = self.state.load(Relaxed);
        // ORDERING: AcqRel: who enters BUSY sees all that was done with the record, who leaves it
        // shows it.
        seen & 3 == from && self.state.compare_exchange(seen, seen & !3 | to, AcqRel, Relaxed).is_ok()
    }

    /// The mapped parts.
    ///
    /// # Safety
    /// The mapping is LIVE until the result is dropped, or the calling thread has a pin in it.
    pub(super) unsafe fn body(&self) -> &Body {
        // SAFETY: not BUSY for as long, so nobody writes it; it was filled before LIVE.
        unsafe { (*self.body.get()).as_ref() }.expect("a mapping in use has a body")
    }

    /// Device and inode of its file.
    pub(super) fn inode(&self) -> (u64, u64) {
        (self.device.load(Relaxed), self.inode.load(Relaxed)) // ORDERING: written before LIVE, which the caller has seen.
    }

    /// Whether a LIVE mapping contains this address. Consistent even while the record is being
    /// reused.
    fn covers(&self, address: usize) -> bool {
        let before = self.state.load(Acquire);
        let start = self.start.load(Relaxed);
        let length = self.length.load(Relaxed);
        Linux::fence(Acquire);
        before & 3 == LIVE && address.wrapping_sub(start) < length && self.state.load(Relaxed) == before
    }

    /// Whether it is, or was last, of the same segment as `other`. The state does not matter to
    /// those who look for a pin of their own: where they have one the mapping is not taken down,
    /// even while somebody looks whether it can be.
    fn is_same_segment(&self, other: &Self) -> bool {
        self.device.load(Relaxed) == other.device.load(Relaxed) && self.inode.load(Relaxed) == other.inode.load(Relaxed)
    }

    fn pins(&self) -> impl Iterator<Item = &'static Pin> {
        walk_pins(self.pins.load(Acquire))
    }

    /// The user has dropped the segment.
    pub(super) fn abandon(&self) {
        let Ok(page) = ensure_page() else { return };
        // BUSY until the epoch has changed: nobody may take the mapping down, and map another in
        // its place, before that. Every cache entry of this process for the range ends here: those
        // by page with the state, those by range with the epoch.
        // ORDERING: AcqRel for both; who is handed a later mapping sees both, by whatever it was
        // handed over with. The epoch by a read-modify-write, so that who sees that of a later drop
        // sees this one, too.
        if !self.change_state(LIVE, BUSY) {
            return;
        }
        ORPHANS.fetch_add(1, Relaxed); // ORDERING: seen with the epoch.
        page.epoch.swap(new_number(), AcqRel);
        self.change_state(BUSY, ORPHAN);
        LOCAL.with(|local| {
            // At first this one, so that as a rule nobody has to look for it. Not in a forked child
            // that is still its parent.
            let process = page.process.load(Relaxed);
            if local.process.get() == process {
                local.leave_orphan(self);
                self.take_down_if_unused(process);
            }
            local.refresh(page);
        });
    }

    /// Takes down an orphan that nobody is linked in.
    fn take_down_if_unused(&self, process: u64) {
        if !self.change_state(ORPHAN, BUSY) {
            return;
        }
        let is_used = self.pins().any(|pin| pin.tenant.is_there(process));
        if is_used {
            self.change_state(BUSY, ORPHAN);
            return;
        }
        for pin in self.pins() {
            pin.tenant.vacate();
        }
        self.length.store(0, Relaxed);
        // SAFETY: BUSY by our CAS, and no thread of this process has a lifeline linked here.
        unsafe { *self.body.get() = None };
        self.change_state(BUSY, FREE);
        ORPHANS.fetch_sub(1, Relaxed); // ORDERING: while it is too high somebody looks for nothing.
        FREED.store(ptr::from_ref(self).cast_mut(), Release);
    }

    /// The participant that the thread is through this very mapping.
    fn pin_of(&self, thread: u64) -> Option<&'static Pin> {
        self.pins().find(|pin| pin.tenant.thread.load(Acquire) == thread)
    }

    /// The calling thread, which has this pin, leaves the segment: if no word of the segment names
    /// it.
    fn detach(&self, pin: &Pin) -> Result<()> {
        // A signal handler would lock something behind the look for what is held, or as who the
        // thread was.
        let _blocked = SignalsBlocked::now();
        // SAFETY: the calling thread has a pin here.
        let left = pin.leave_once(|| unsafe { self.body() }.let_go(pin));
        LOCAL.with(Local::forget);
        left
    }
}

/// No signal handler runs in the calling thread until this is dropped, but for what the thread
/// itself does wrong.
struct SignalsBlocked(libc::sigset_t);

impl SignalsBlocked {
    fn now() -> Self {
        // SAFETY: both sets are valid, and the answer cannot be an error for these arguments
        // (pthread_sigmask(3)).
        unsafe {
            let (mut all, mut before) = (core::mem::zeroed(), core::mem::zeroed());
            libc::sigfillset(&mut all);
            // Blocked, these end the process without a word (signal(7)).
            for signal in [libc::SIGSEGV, libc::SIGBUS, libc::SIGFPE, libc::SIGILL, libc::SIGTRAP, libc::SIGSYS] {
                libc::sigdelset(&mut all, signal);
            }
            libc::pthread_sigmask(libc::SIG_SETMASK, &all, &mut before);
            Self(before)
        }
    }
}

impl Drop for SignalsBlocked {
    fn drop(&mut self) {
        // SAFETY: the set that the thread had.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &self.0, core::ptr::null_mut()) };
    }
}

/// Where a thread, the calling one, takes part, and as whom.
fn own_slots(thread: u64) -> impl Iterator<Item = (&'static Table<'static, Linux>, Id)> {
    mappings().filter_map(move |mapping| Some((mapping, mapping.pin_of(thread)?))).filter_map(|(mapping, pin)| {
        // SAFETY: the calling thread has a pin there.
        let table = unsafe { &mapping.body().table };
        Some((table, Id::holder_in(pin.id.load(Relaxed))?))
    })
}

impl Body {
    /// Takes the lifelines of the calling thread, which has this pin, out of its list, and gives
    /// its slot away: if no word of the segment names it.
    fn let_go(&self, pin: &Pin) -> Result<()> {
        let id = Id::holder_in(pin.id.load(Relaxed)).expect("a pin has an id");
        if let Some(offset) = self.find_word_naming(id)? {
            return Err(Error::StillHolding { offset });
        }
        let [own, process] = &pin.places;
        for place in [process, own] {
            // SAFETY: the calling thread's pin has the places, and its other pins the neighbours:
            // their mappings stay.
            unsafe { linux::unlink(place) };
        }
        // Only now that both are out of the list: with this the slot is given away, and nothing of
        // it is ours any more.
        self.table.leave(id);
        Ok(())
    }

    /// The offset of a word that names the participant as a holder, anywhere behind the table.
    ///
    /// A count of holds would burden every lock and unlock, and be wrong after a `mem::forget`; the
    /// words themselves tell. They are read by the kernel: most of them are plain data that other
    /// threads may be writing to, and to look at those ourselves would be a data race.
    fn find_word_naming(&self, id: Id) -> Result<Option<usize>> {
        self.find_word(|word| Id::holder_in(word) == Some(id))
    }

    /// The offset of the first word behind the table that is `sought`.
    fn find_word(&self, mut sought: impl FnMut(u32) -> bool) -> Result<Option<usize>> {
        let start = self.map.as_mut_ptr() as usize;
        let mut memory = OwnMemory::default();
        let mut bytes = [0; OwnMemory::MOST];
        for at in (self.layout.root..self.layout.total).step_by(bytes.len()) {
            let bytes = &mut bytes[..(self.layout.total - at).min(OwnMemory::MOST)];
            memory.read(start + at, bytes).map_err(|e| Error::io("read the segment", None, e))?;
            let mut words = bytes.chunks_exact(4).map(|word| u32::from_ne_bytes(word.try_into().expect("four bytes")));
            if let Some(index) = words.position(&mut sought) {
                return Ok(Some(at + index * 4));
            }
        }
        Ok(None)
    }
}

/// Gives back the orphans that nobody is linked in.
fn sweep() {
    // ORDERING: Relaxed; who has seen the epoch of an orphan's end has seen its count. Another
    // finds it later.
    if ORPHANS.load(Relaxed) == 0 {
        return;
    }
    let process = process_number();
    for mapping in mappings() {
        mapping.take_down_if_unused(process);
    }
}

/// One address range, and who the thread is there.
#[derive(Debug)]
struct Entry {
    start: Cell<usize>,
    length: Cell<usize>,
    id: Cell<Id>,
    /// [`NO_TABLE`], or the mapping's. (A pointer, because Rust 1.85 takes no such reference in a
    /// constant.)
    table: Cell<*const Table<'static, Linux>>,
    mapping: Cell<Option<&'static Mapping>>,
    /// Of the mapping.
    state: Cell<u64>,
}

/// Of an entry of no length.
static NO_WORD: AtomicU32 = AtomicU32::new(0);
static NO_TABLE: Table<'static, Linux> = Table { membership: &NO_WORD, cursor: &NO_WORD, stamp: &NO_WORD, slots: &[] };

/// The calling thread's cache. Without a destructor, so that it can be used in those of other
/// thread-locals.
#[derive(Debug)]
struct Local {
    epoch: Cell<u64>,
    process: Cell<u64>,
    /// This thread's number.
    thread: Cell<u64>,
    /// Holds of this thread whose guards have not been dropped, but for read holds: see the
    /// [module](self).
    holds: Cell<usize>,
    /// Read holds of a [`RwLock`](crate::RwLock) that this thread has begun to take, and whose
    /// guards have not been dropped.
    reads: Cell<usize>,
    /// By how much the thread's homes have moved: see [`rwlock`](crate::raw::rwlock#homes).
    shift: Cell<usize>,
    /// Holds of a [`Lock`](crate::Lock) that this thread has taken and has not given back.
    locks: Cell<usize>,
    /// The thread is at its end, and has said what it leaves.
    is_ending: Cell<bool>,
    /// Where its lifelines are, once it has any.
    anchors: Cell<Option<&'static Anchors>>,
    entries: [Entry; ENTRIES],
    next: Cell<usize>,
    /// What it knows beyond the entries, once it uses more segments than those.
    pages: Cell<Option<&'static Pages>>,
    /// What is noted there under another stamp is not true any more.
    stamp: Cell<u64>,
    /// Something is being noted in the entries or the pages.
    is_noting: Cell<bool>,
}
const ENTRIES: usize = 4;

thread_local! {
    static LOCAL: Local = const {
        #[allow(clippy::declare_interior_mutable_const)] // copied four times, never used itself
        const EMPTY: Entry = Entry {
            start: Cell::new(0),
            length: Cell::new(0),
            id: Cell::new(Id::new(0, 0)),
            table: Cell::new(&raw const NO_TABLE),
            mapping: Cell::new(None),
            state: Cell::new(0),
        };
        Local {
            epoch: Cell::new(u64::MAX), // no epoch: that of nobody's page is 0
            process: Cell::new(0),
            thread: Cell::new(0),
            holds: Cell::new(0),
            reads: Cell::new(0),
            shift: Cell::new(0),
            locks: Cell::new(0),
            is_ending: Cell::new(false),
            anchors: Cell::new(None),
            entries: [EMPTY; ENTRIES],
            next: Cell::new(0),
            pages: Cell::new(None),
            stamp: Cell::new(0),
            is_noting: Cell::new(false),
        }
    };
}

/// Who the calling thread is in the segment that contains `place`; registers it there if need be.
///
/// The result must not outlive the segment: it is used for one operation on a primitive that is
/// borrowed from it.
#[inline(always)]
pub(crate) fn participant<T: ?Sized>(place: &T) -> Result<Participant<'_, Linux>> {
    let address = ptr::from_ref(place).cast::<u8>() as usize;
    // SAFETY: a thread-local without a destructor is there as long as its thread; the pointer does
    // not leave it. (A closure that did all the work would be too large to be inlined into the fast
    // path.)
    let local = unsafe { &*LOCAL.with(ptr::from_ref) };
    match local.cached(address) {
        Some(participant) => Ok(participant),
        None => local.find(address),
    }
}

/// Who the calling thread is in the segment that contains `place`, if it takes part there.
pub(crate) fn known_as<T: ?Sized>(place: &T) -> Option<Id> {
    let address = ptr::from_ref(place).cast::<u8>() as usize;
    LOCAL.with(|local| match local.cached(address) {
        Some(participant) => Some(participant.id),
        None => local.look_up(address).ok()?.1,
    })
}

/// The calling thread has a hold more, whose guard can be leaked.
#[inline(always)]
pub(crate) fn hold_begins() {
    LOCAL.with(|local| local.holds.set(local.holds.get().wrapping_add(1)));
}

/// A hold of the calling thread, and of this process, is over, and so is its guard.
///
/// Called after the release. Called before it, this and `hold_begins` are two dependent updates of
/// one word between the locked instructions of lock and unlock, and the second instruction waits
/// until both are stored: 0.7 to 1.7 ns. The count may be too high for that moment, as the
/// [module](self) says.
#[inline(always)]
pub(crate) fn hold_ends() {
    LOCAL.with(|local| local.holds.set(local.holds.get().wrapping_sub(1)));
}

/// The calling thread is about to take a reader word, before it looks which. What it gets, a guard
/// or a refusal, ends with [`read_ends`].
///
/// One count, up and down: a signal handler in the middle of an update takes back what it adds, so
/// that the update is right whether the handler's is lost or not. (With a count of each, one would
/// be lost, and the other not.)
#[inline(always)]
pub(crate) fn read_begins() {
    LOCAL.with(|local| local.reads.set(local.reads.get().wrapping_add(1)));
    compiler_fence(SeqCst); // a signal handler that comes from now on leaves the thread's home where it is
}

/// The calling thread has given its reader word back, or has got none.
#[inline(always)]
pub(crate) fn read_ends() {
    compiler_fence(SeqCst); // as above, up to now
    LOCAL.with(|local| local.reads.set(local.reads.get().wrapping_sub(1)));
}

/// The homes of the calling thread, between `read_begins` and `read_ends`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OwnHome;

impl Home for OwnHome {
    #[inline(always)]
    fn shift(self) -> usize {
        LOCAL.with(|local| local.shift.get())
    }

    #[cold]
    fn move_by(self, by: usize) -> bool {
        // A signal handler could take a reader word, and keep it, between the look and the move.
        let _blocked = SignalsBlocked::now();
        LOCAL.with(|local| {
            // One is that of the caller. A forgotten guard counts for ever.
            let may = local.reads.get() == 1;
            if may {
                local.shift.set(local.shift.get().wrapping_add(by));
            }
            may
        })
    }
}

/// The calling thread has acquired a [`Lock`](crate::Lock).
#[inline(always)]
pub(crate) fn lock_begins() {
    LOCAL.with(|local| local.locks.set(local.locks.get().wrapping_add(1)));
}

/// A [`Lock`](crate::Lock) whose word named the calling thread has been released.
#[inline(always)]
pub(crate) fn lock_ends() {
    LOCAL.with(|local| local.locks.set(local.locks.get().wrapping_sub(1)));
}

/// The calling thread ends by itself. Its thread-local variables have been dropped, and of what
/// belongs to the C library's keys some; called again when more of that may have been.
extern "C" fn thread_ends() {
    LOCAL.with(|local| {
        local.is_ending.set(true);
        local.forget(); // whatever it locks from now on goes through `find`
        // A forked child that has done nothing here since: slots and holds are its parent's.
        if local.process.get() != process_number() {
            // Nor is what it has of its parent's list.
            if let Ok(page) = ensure_page() {
                local.become_of(page.process.load(Acquire));
            }
            return;
        }
        if local.holds.get() != 0 || local.reads.get() != 0 || local.locks.get() != 0 {
            own_slots(local.thread.get()).for_each(|(table, id)| table.leak(id));
        }
        if let Some(anchors) = local.anchors.get() {
            // SAFETY: this thread's, of this process.
            unsafe {
                anchors.repair();
                anchors.part_from_libc();
            }
        }
    });
}

/// Whether two places are in one segment, be it through two mappings. The calling thread takes part
/// in both.
pub(crate) fn are_in_one_segment<A, B>(one: &A, other: &B) -> Result<bool> {
    if ptr::eq(participant(one)?.table, participant(other)?.table) {
        return Ok(true);
    }
    let mapping_of = |address| mappings().find(|mapping| mapping.covers(address)).ok_or(Error::NotInSegment);
    let one = mapping_of(ptr::from_ref(one) as usize)?;
    Ok(one.is_same_segment(mapping_of(ptr::from_ref(other) as usize)?))
}

impl Local {
    #[inline(always)]
    fn cached(&self, address: usize) -> Option<Participant<'static, Linux>> {
        // ORDERING: Relaxed; see `Mapping::abandon`. In a forked child it is 0, and no thread's.
        if page().epoch.load(Relaxed) != self.epoch.get() {
            return None;
        }
        for entry in &self.entries {
            let start = entry.start.get();
            if address.wrapping_sub(start) < entry.length.get() {
                // SAFETY: a static, or the table of a mapping that the caller borrows from.
                let me = Participant { id: entry.id.get(), table: unsafe { &*entry.table.get() } };
                // A signal handler may have put another segment in its place between the looks.
                compiler_fence(SeqCst);
                return (entry.start.get() == start).then_some(me);
            }
        }
        self.pages.get()?.find(address, self.stamp.get())
    }

    /// The mapping that contains the address, and who the thread is in its segment, if it takes
    /// part.
    fn look_up(&self, address: usize) -> Result<(&'static Mapping, Option<Id>)> {
        let page = ensure_page()?;
        if page.epoch.load(Acquire) != self.epoch.get() || page.process.load(Relaxed) != self.process.get() {
            self.refresh(page);
        }
        let mapping = mappings().find(|mapping| mapping.covers(address)).ok_or(Error::NotInSegment)?;
        let thread = self.thread.get();
        let registered =
            mappings().filter(|other| other.is_same_segment(mapping)).find_map(|other| other.pin_of(thread));
        Ok((mapping, registered.and_then(|pin| Id::holder_in(pin.id.load(Relaxed)))))
    }

    #[cold]
    fn find(&self, address: usize) -> Result<Participant<'static, Linux>> {
        let (mapping, known) = self.look_up(address)?;
        // SAFETY: the caller borrows a primitive at this address, so the segment is not dropped and
        // stays LIVE.
        let table = unsafe { &mapping.body().table };
        let id = match known {
            Some(id) => id,
            // SAFETY: as above.
            None => self.register(mapping, unsafe { mapping.body() })?,
        };
        if self.is_ending.get() {
            table.leak(id);
        }
        let me = Participant { id, table };
        // What a signal handler finds in the middle of this it does not note.
        if self.is_noting.replace(true) {
            return Ok(me);
        }
        let entry = &self.entries[self.next.get() % ENTRIES];
        self.next.set(self.next.get().wrapping_add(1));
        if entry.length.get() != 0 || self.pages.get().is_some() {
            let pages = self.pages.get().or_else(|| Thread::pages_of(self.thread.get()));
            self.pages.set(pages);
            pages.into_iter().for_each(|pages| pages.note(address, self.stamp.get(), mapping, me));
        }
        entry.length.set(0);
        compiler_fence(SeqCst);
        entry.start.set(mapping.start.load(Relaxed));
        entry.id.set(id);
        entry.table.set(table);
        entry.mapping.set(Some(mapping));
        entry.state.set(mapping.state_and_version());
        compiler_fence(SeqCst);
        entry.length.set(mapping.length.load(Relaxed));
        self.is_noting.set(false);
        Ok(me)
    }

    /// Forgets who the thread is where.
    fn forget(&self) {
        self.entries.iter().for_each(|entry| entry.length.set(0));
        self.stamp.set(new_number());
    }

    fn register(&self, mapping: &'static Mapping, body: &Body) -> Result<Id> {
        let table = &body.table;
        let list = linux::robust_list()?;
        linux::call_at_thread_end(thread_ends).map_err(|errno| {
            let error = std::io::Error::from_raw_os_error(errno);
            Error::Unsupported(format!(
                "the end of this thread cannot be watched for leaked guards, since the C library has no thread-specific key left: {error}"
            ))
        })?;
        let process = self.process.get();
        let leader = mappings()
            .filter(|other| other.is_same_segment(mapping))
            .flat_map(Mapping::pins)
            .find(|pin| {
                let tenant = &pin.tenant;
                !matches!(tenant.thread.load(Acquire), 0 | TAKEN) && tenant.process.load(Relaxed) == process
            })
            .map(|pin| pin.leader.load(Relaxed))
            .filter(|leader| *leader != 0);
        let myself = Myself::look();
        let anchors = self.anchors_in(list, &myself);
        let entries = if myself.is_main_thread() { 1 } else { 2 };
        // SAFETY: they are in the calling thread's list.
        let room = unsafe { anchors.check_room(entries) };
        room.map_err(|crowded| Error::TooManySegments {
            segments: crowded.lifelines / entries,
            other_entries: crowded.others,
        })?;
        let pin = Pin::take_in(&mapping.pins, process);
        let me = Registration { myself, anchors, pin, leader, body };
        let Ok(id) = table.register(&me) else {
            pin.tenant.vacate();
            return Err(Error::Full { participants: table.slots.len() });
        };
        pin.settle(self.thread.get(), process, id, leader.unwrap_or(id.word()), &me.myself);
        Ok(id)
    }

    /// The thread's anchors in its list.
    fn anchors_in(&self, list: ptr::NonNull<linux::Head>, me: &Myself) -> &'static Anchors {
        // A thread that was given another list needs others: the kernel does not find the first any
        // more.
        // SAFETY: anchors and list are this thread's.
        let found = self.anchors.get().filter(|anchors| unsafe { anchors.are_found_by(list) });
        let anchors = found.unwrap_or_else(|| {
            // A signal handler in the middle of this registers nowhere, so it needs none.
            Thread::new_anchors(self.thread.get(), self.process.get(), me, list)
        });
        self.anchors.set(Some(anchors));
        anchors
    }

    /// Forgets the entries of mappings that were dropped, becomes a new thread after a fork, and
    /// leaves orphans.
    #[cold]
    fn refresh(&self, page: &Page) {
        let (epoch, process) = (page.epoch.load(Acquire), page.process.load(Acquire));
        for entry in &self.entries {
            if !entry.mapping.get().is_some_and(|mapping| mapping.is_still(entry.state.get())) {
                entry.length.set(0);
            }
        }
        self.become_of(process);
        self.epoch.set(epoch);
        // ORDERING: Relaxed; seen with the epoch.
        if ORPHANS.load(Relaxed) != 0 {
            mappings().filter(|mapping| mapping.state() != LIVE).for_each(|orphan| self.leave_orphan(orphan));
            sweep();
        }
    }

    /// The thread is of this process. If it was another's before, in the parent, it becomes a new
    /// one.
    fn become_of(&self, process: u64) {
        if self.process.get() == process {
            return;
        }
        // A signal handler in the middle of it would be the thread of before.
        let _blocked = SignalsBlocked::now();
        self.forget();
        self.process.set(process);
        self.thread.set(new_number());
        self.holds.set(0); // its guards are copies of its parent's
        self.reads.set(0);
        self.locks.set(0);
        let parents = self.anchors.take();
        self.anchors.set(parents.and_then(|anchors| Thread::keep_anchors(anchors, self.thread.get(), process)));
        self.pages.set(None);
    }

    /// Leaves a segment that was dropped, if the thread takes part there, and has no other mapping
    /// of it.
    fn leave_orphan(&self, orphan: &Mapping) {
        let Some(pin) = orphan.pin_of(self.thread.get()) else { return };
        if !mappings().any(|other| other.state() == LIVE && other.is_same_segment(orphan)) {
            // NotAcquired while something is held: then the mapping stays, and the next change of
            // the epoch asks again.
            let _still_holding = orphan.detach(pin);
        }
    }
}

/// Leaves the segment that this mapping is of, if the calling thread is in it.
pub(super) fn detach(mapping: &Mapping) -> Result<()> {
    let page = ensure_page()?;
    LOCAL.with(|local| {
        if page.epoch.load(Acquire) != local.epoch.get() {
            local.refresh(page);
        }
        let thread = local.thread.get();
        let mut all = mappings().filter(|other| other.is_same_segment(mapping));
        let left = all.try_for_each(|other| other.pin_of(thread).map_or(Ok(()), |pin| other.detach(pin)));
        sweep(); // it may have been the last one in a mapping that was dropped
        left
    })
}

struct Registration<'b> {
    myself: Myself,
    anchors: &'static Anchors,
    pin: &'static Pin,
    leader: Option<u32>,
    body: &'b Body,
}

impl Newcomer<Linux> for Registration<'_> {
    fn thread(&self) -> u32 {
        self.myself.thread_id
    }
    fn tag(&self) -> u32 {
        self.myself.tag()
    }
    fn describe(&self, about: &ThreadRecord, id: Id) {
        about.set(&self.myself, self.leader.unwrap_or(id.word()));
    }
    /// The thread's own node first: the kernel walks the newest first, and gives the slot away with
    /// the mark on `own`, after which it must read nothing more of the slot. So the second is not
    /// covered by `pending` either, which is looked at last. Who collects between the two is told
    /// by the membership word.
    fn arm(&self, [own, process]: &[RobustNode; 2]) {
        let me = &self.myself;
        let [own_place, process_place] = &self.pin.places;
        // SAFETY: the anchors are in the calling thread's list. The slot was claimed, so its nodes
        // are in no living list and their words without owner. The mapping stays as long as the
        // pin, which was taken by this thread.
        unsafe {
            self.anchors.link(own_place, own, me.thread_id, true);
            if !me.is_main_thread() {
                self.anchors.link(process_place, process, me.process_id, false);
            }
        }
    }
    fn is_claimer_gone(&self, thread: u32, tag: u32) -> bool {
        self.myself.knows_gone(thread, tag)
    }
    fn read_names(&self, named: &mut Named) -> bool {
        let none_is_sought = |word| {
            named.note(word);
            false
        };
        self.body.find_word(none_is_sought).is_ok()
    }
}
