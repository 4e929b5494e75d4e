//! What does this process have mapped, and when may a mapping go?
//!
//! The kernel stops walking a thread's robust list at the first address that it cannot read. So a
//! mapping must not go while it contains a linked lifeline of any thread. Only the thread itself
//! can unlink its lifeline.
//!
//! A dropped [`Segment`](crate::Segment) becomes an *orphan*. Each thread detaches from orphans at
//! its next operation on any segment. A thread that does so, or that maps or detaches from another
//! segment, also unmaps the orphans that no living thread is linked in. A [pin](super::pins) keeps
//! an orphan mapped, too.
//!
//! As long as a segment is mapped it is in use, for all processes: see
//! [`naming`](crate::segment::naming). So a thread that took part and is idle keeps the segment
//! from being replaced or revived.

#![allow(clippy::disallowed_types)] // process-local bookkeeping, never in shared memory, never in an algorithm

use super::list::List;
use super::pins::Pins;
use super::process::{ensure_page, process_number};
use super::registrations::Registration;
use crate::atomic::{AtomicPtr, AtomicU32, AtomicU64, AtomicUsize};
use crate::error::{IoError, OpenError};
use crate::platform::Platform;
use crate::platform::linux::Linux;
use crate::raw::table::{Slot, Table};
use crate::segment::header::{self, Layout};
use crate::segment::naming::{self, Descriptor};
use core::cell::UnsafeCell;
use core::ptr;
use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use memmap2::MmapRaw;
use std::fs::File;
use std::os::unix::fs::MetadataExt;

/// A mapping of a segment.
#[derive(Debug)]
pub(in crate::segment) struct Mapping {
    /// `version << 2 | state`. The version changes when the record is reused.
    state: AtomicU64,
    pub(super) start: AtomicUsize,
    pub(super) length: AtomicUsize,
    device: AtomicU64,
    inode: AtomicU64,
    pub(super) registrations: List<Registration>,
    pub(super) pins: Pins,
    body: UnsafeCell<Option<Body>>,
}

pub(super) const FREE: u64 = 0;
pub(super) const BUSY: u64 = 1; // being set up, or being taken down
pub(super) const LIVE: u64 = 2;
pub(super) const ORPHAN: u64 = 3;

/// What is mapped. It is written only in the state BUSY.
#[derive(Debug)]
pub(in crate::segment) struct Body {
    pub(in crate::segment) map: MmapRaw,
    pub(in crate::segment) layout: Layout,
    pub(in crate::segment) table: Table<'static, Linux>,
    /// The file through which it was mapped. Where a mapping does not keep the file open
    /// (overlayfs), this descriptor does, and so keeps the lock on it.
    pub(in crate::segment) file: Descriptor,
}

static MAPPINGS: List<Mapping> = List::new();
/// How many mappings may be orphans. The number is never too low.
pub(super) static ORPHANS: AtomicUsize = AtomicUsize::new(0);
/// A record that was free recently. It is only a hint.
static FREED: AtomicPtr<Mapping> = AtomicPtr::new(ptr::null_mut());

// SAFETY: all fields but `body` are atomics, or are written before publication. `body` is written
// only by the thread that brought the state to BUSY by CAS. It is read only while it is LIVE, or by
// a thread with a registration in it, which keeps it from being taken down.
unsafe impl Sync for Mapping {}
// SAFETY: as above; nothing in it belongs to one thread.
unsafe impl Send for Mapping {}

pub(super) fn mappings() -> impl Iterator<Item = &'static Mapping> {
    MAPPINGS.iter()
}

impl Mapping {
    /// Maps the file, and makes the mapping known to this process. The caller has checked the
    /// header, and the file has the lock that says "in use".
    pub(in crate::segment) fn new(file: File, layout: Layout) -> Result<&'static Self, OpenError> {
        ensure_page()?;
        sweep();
        // Map through this very open file: the mapping keeps it open, and with it the lock.
        let map = memmap2::MmapOptions::new()
            .len(layout.total)
            .map_raw(&file)
            .map_err(|e| IoError::new("map the segment", None, e))?;
        let about = naming::metadata(&file)?;
        // It may have been truncated since its header was checked. A page behind its end would
        // raise SIGBUS.
        if about.len() != layout.total as u64 {
            return Err(OpenError::Size { found: about.len(), expected: Some(layout.total as u64) });
        }
        let file = Descriptor::new(file)?;
        let base = map.as_mut_ptr();
        // SAFETY: the file has `total` bytes, by the check above. The words and the table lie
        // within them, aligned, and consist of atomics and unused integers, so any bytes there are
        // valid. The references live as long as the mapping: they are given out only while it is
        // LIVE, or to a thread with a registration. A file that is truncated by somebody with the
        // right to do it raises SIGBUS (documented).
        let table = unsafe {
            Table {
                membership: &*base.add(header::MEMBERSHIP).cast::<AtomicU32>(),
                cursor: &*base.add(header::CURSOR).cast::<AtomicU32>(),
                stamp: &*base.add(header::STAMP).cast::<AtomicU32>(),
                slots: core::slice::from_raw_parts(base.add(header::TABLE).cast::<Slot<Linux>>(), layout.participants),
            }
        };
        let mapping = Self::take_free_record();
        // SAFETY: the record is BUSY by our CAS, or is new: no other thread reads its body.
        unsafe { *mapping.body.get() = Some(Body { map, layout, table, file }) };
        mapping.start.store(base as usize, Relaxed);
        mapping.length.store(layout.total, Relaxed);
        mapping.device.store(about.dev(), Relaxed);
        mapping.inode.store(about.ino(), Relaxed);
        let version = (mapping.state.load(Relaxed) >> 2) + 1;
        // ORDERING: Release; pairs with the Acquire in `covers` and in `state`: a thread that sees
        // LIVE sees all of the above.
        mapping.state.store(version << 2 | LIVE, Release);
        Ok(mapping)
    }

    fn take_free_record() -> &'static Self {
        // SAFETY: null, or a record. Records are never freed.
        let freed = unsafe { FREED.swap(ptr::null_mut(), AcqRel).as_ref() };
        let mut free = freed.into_iter().chain(mappings());
        free.find(|mapping| mapping.change_state(FREE, BUSY)).unwrap_or_else(|| {
            let new = Self {
                state: AtomicU64::new(BUSY),
                start: AtomicUsize::new(0),
                length: AtomicUsize::new(0),
                device: AtomicU64::new(0),
                inode: AtomicU64::new(0),
                registrations: List::new(),
                pins: Pins::none(),
                body: UnsafeCell::new(None),
            };
            MAPPINGS.push(new)
        })
    }

    pub(super) fn state(&self) -> u64 {
        self.state.load(Acquire) & 3
    }

    /// What [`is_still`](Self::is_still) compares.
    pub(super) fn state_and_version(&self) -> u64 {
        self.state.load(Relaxed) // ORDERING: Relaxed; the caller borrows a primitive in it, so it does not change.
    }

    /// Whether the mapping is LIVE, and has not changed since its state was `state`.
    #[inline(always)]
    pub(super) fn is_still(&self, state: u64) -> bool {
        // ORDERING: Relaxed; see `abandon`.
        self.state.load(Relaxed) == state && state & 3 == LIVE
    }

    pub(super) fn change_state(&self, from: u64, to: u64) -> bool {
        let seen = self.state.load(Relaxed);
        // ORDERING: AcqRel. A thread that enters BUSY sees all that was done with the record
        // before. A thread that leaves BUSY publishes what it has done.
        seen & 3 == from && self.state.compare_exchange(seen, seen & !3 | to, AcqRel, Relaxed).is_ok()
    }

    /// The mapped parts.
    ///
    /// # Safety
    /// The mapping is LIVE until the result is dropped, or the calling thread has a registration in
    /// it.
    pub(in crate::segment) unsafe fn body(&self) -> &Body {
        // SAFETY: nobody writes it meanwhile, since the mapping is LIVE, or is kept by the
        // registration. It was filled before LIVE.
        unsafe { (*self.body.get()).as_ref() }.expect("a mapping in use has a body")
    }

    /// Device and inode of its file.
    pub(in crate::segment) fn inode(&self) -> (u64, u64) {
        (self.device.load(Relaxed), self.inode.load(Relaxed)) // ORDERING: Relaxed; written before LIVE, which the caller has seen.
    }

    /// Whether this mapping is LIVE and contains the address. The answer is consistent even while
    /// the record is being reused.
    pub(super) fn covers(&self, address: usize) -> bool {
        let before = self.state.load(Acquire);
        let start = self.start.load(Relaxed);
        let length = self.length.load(Relaxed);
        Linux::fence(Acquire);
        before & 3 == LIVE && address.wrapping_sub(start) < length && self.state.load(Relaxed) == before
    }

    /// Whether this is, or was last, a mapping of the same segment as `other`. A thread that
    /// searches for its own registration need not check the state. Its registration keeps the
    /// mapping, even while another thread checks whether the mapping can go.
    pub(super) fn is_same_segment(&self, other: &Self) -> bool {
        self.device.load(Relaxed) == other.device.load(Relaxed) && self.inode.load(Relaxed) == other.inode.load(Relaxed)
    }

    pub(super) fn registrations(&self) -> impl Iterator<Item = &'static Registration> {
        self.registrations.iter()
    }

    /// Takes down the mapping, if it is an orphan that no thread is linked in, and that is not
    /// pinned.
    pub(super) fn take_down_if_unused(&self, process: u64) {
        if !self.change_state(ORPHAN, BUSY) {
            return;
        }
        let is_linked = self.registrations().any(|registration| registration.tenant.is_there(process));
        if is_linked || self.pins.are_of(process) {
            self.change_state(BUSY, ORPHAN);
            return;
        }
        for registration in self.registrations() {
            registration.tenant.vacate();
        }
        self.length.store(0, Relaxed);
        // SAFETY: BUSY by our CAS, no thread of this process has a lifeline linked here, and nobody
        // has pinned it.
        unsafe { *self.body.get() = None };
        self.change_state(BUSY, FREE);
        ORPHANS.fetch_sub(1, Relaxed); // ORDERING: Relaxed; while it is too high, a thread may search in vain.
        FREED.store(ptr::from_ref(self).cast_mut(), Release);
    }

    /// The registration of this thread through this very mapping.
    pub(super) fn registration_of(&self, thread: u64) -> Option<&'static Registration> {
        self.registrations().find(|registration| registration.tenant.thread.load(Acquire) == thread)
    }
}

/// Takes down the orphans that no thread is linked in.
pub(super) fn sweep() {
    // ORDERING: Relaxed; a thread that has seen the sequence of an orphan's end has seen its count.
    // Another thread finds the orphan later.
    if ORPHANS.load(Relaxed) == 0 {
        return;
    }
    let process = process_number();
    for mapping in mappings() {
        mapping.take_down_if_unused(process);
    }
}
