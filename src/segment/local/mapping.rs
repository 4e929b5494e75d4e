//! What does this process have mapped, and when may a mapping go?
//!
//! The kernel stops walking a thread's robust list at the first address that it cannot read, so a
//! mapping must not go while any thread's lifeline is linked in it. Only the thread itself can
//! unlink it. A dropped [`Segment`](crate::Segment) becomes an *orphan*; each thread detaches from
//! orphans at its next operation on any segment, and whoever passes by gives back those that no
//! living thread is linked in. As long as it is mapped the segment is in use, for everybody: see
//! [`naming`](crate::segment::naming). So a thread that took part and idles keeps the segment from
//! being replaced or revived.

#![allow(clippy::disallowed_types)] // process-local bookkeeping, never in shared memory, never in an algorithm

use super::list::List;
use super::process::{ensure_page, process_number};
use super::registrations::Registration;
use crate::error::{Error, Result};
use crate::platform::Platform;
use crate::platform::atomic::{AtomicPtr, AtomicU32, AtomicU64, AtomicUsize};
use crate::platform::linux::Linux;
use crate::raw::table::{Slot, Table};
use crate::segment::header::{self, Layout};
use crate::segment::naming::{self, Descriptor};
use core::cell::UnsafeCell;
use core::ptr;
use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use memmap2::MmapRaw;
use std::fs::File;

/// A mapping of a segment.
#[derive(Debug)]
pub(in crate::segment) struct Mapping {
    /// `version << 2 | state`; the version changes when the record is used anew.
    state: AtomicU64,
    pub(super) start: AtomicUsize,
    pub(super) length: AtomicUsize,
    device: AtomicU64,
    inode: AtomicU64,
    pub(super) registrations: List<Registration>,
    body: UnsafeCell<Option<Body>>,
}

pub(super) const FREE: u64 = 0;
pub(super) const BUSY: u64 = 1; // being set up, or being taken down
pub(super) const LIVE: u64 = 2;
pub(super) const ORPHAN: u64 = 3;

/// What is really mapped. Written in BUSY alone.
#[derive(Debug)]
pub(in crate::segment) struct Body {
    pub(in crate::segment) map: MmapRaw,
    pub(in crate::segment) layout: Layout,
    pub(in crate::segment) table: Table<'static, Linux>,
    /// The file that it was mapped through. Where a mapping does not keep it open (overlayfs) this
    /// does, and the lock on it.
    pub(in crate::segment) file: Descriptor,
}

static MAPPINGS: List<Mapping> = List::new();
/// How many mappings may be orphans: never less than there are.
pub(super) static ORPHANS: AtomicUsize = AtomicUsize::new(0);
/// A record that was free. A hint.
static FREED: AtomicPtr<Mapping> = AtomicPtr::new(ptr::null_mut());

// SAFETY: all fields but `body` are atomics or written before publication; that one is written only
// by who brought the state to BUSY by CAS, and read by those for whom it is LIVE, or who have a
// registration in it (then it is not taken down).
unsafe impl Sync for Mapping {}
// SAFETY: as above; nothing in it belongs to one thread.
unsafe impl Send for Mapping {}

pub(super) fn mappings() -> impl Iterator<Item = &'static Mapping> {
    MAPPINGS.iter()
}

impl Mapping {
    /// Maps the file, whose header was judged, and which has the lock that says "in use", and makes
    /// it known to this process.
    pub(in crate::segment) fn new(file: File, layout: Layout) -> Result<&'static Self> {
        ensure_page()?;
        sweep();
        let (device, inode) = naming::inode(&file)?;
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
                state: AtomicU64::new(BUSY),
                start: AtomicUsize::new(0),
                length: AtomicUsize::new(0),
                device: AtomicU64::new(0),
                inode: AtomicU64::new(0),
                registrations: List::new(),
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
        self.state.load(Relaxed) // ORDERING: the caller borrows a primitive in it, so it does not change.
    }

    /// Whether it is LIVE, and what it was when its state was that.
    #[inline(always)]
    pub(super) fn is_still(&self, state: u64) -> bool {
        // ORDERING: Relaxed; see `abandon`.
        self.state.load(Relaxed) == state && state & 3 == LIVE
    }

    pub(super) fn change_state(&self, from: u64, to: u64) -> bool {
        let seen = self.state.load(Relaxed);
        // ORDERING: AcqRel: who enters BUSY sees all that was done with the record, who leaves it
        // shows it.
        seen & 3 == from && self.state.compare_exchange(seen, seen & !3 | to, AcqRel, Relaxed).is_ok()
    }

    /// The mapped parts.
    ///
    /// # Safety
    /// The mapping is LIVE until the result is dropped, or the calling thread has a registration in
    /// it.
    pub(in crate::segment) unsafe fn body(&self) -> &Body {
        // SAFETY: not BUSY for as long, so nobody writes it; it was filled before LIVE.
        unsafe { (*self.body.get()).as_ref() }.expect("a mapping in use has a body")
    }

    /// Device and inode of its file.
    pub(in crate::segment) fn inode(&self) -> (u64, u64) {
        (self.device.load(Relaxed), self.inode.load(Relaxed)) // ORDERING: written before LIVE, which the caller has seen.
    }

    /// Whether a LIVE mapping contains this address. Consistent even while the record is being
    /// reused.
    pub(super) fn covers(&self, address: usize) -> bool {
        let before = self.state.load(Acquire);
        let start = self.start.load(Relaxed);
        let length = self.length.load(Relaxed);
        Linux::fence(Acquire);
        before & 3 == LIVE && address.wrapping_sub(start) < length && self.state.load(Relaxed) == before
    }

    /// Whether it is, or was last, of the same segment as `other`. The state does not matter to
    /// those who look for a registration of their own: where they have one the mapping is not taken
    /// down, even while somebody looks whether it can be.
    pub(super) fn is_same_segment(&self, other: &Self) -> bool {
        self.device.load(Relaxed) == other.device.load(Relaxed) && self.inode.load(Relaxed) == other.inode.load(Relaxed)
    }

    pub(super) fn registrations(&self) -> impl Iterator<Item = &'static Registration> {
        self.registrations.iter()
    }

    /// Takes down an orphan that nobody is linked in.
    pub(super) fn take_down_if_unused(&self, process: u64) {
        if !self.change_state(ORPHAN, BUSY) {
            return;
        }
        let is_used = self.registrations().any(|registration| registration.tenant.is_there(process));
        if is_used {
            self.change_state(BUSY, ORPHAN);
            return;
        }
        for registration in self.registrations() {
            registration.tenant.vacate();
        }
        self.length.store(0, Relaxed);
        // SAFETY: BUSY by our CAS, and no thread of this process has a lifeline linked here.
        unsafe { *self.body.get() = None };
        self.change_state(BUSY, FREE);
        ORPHANS.fetch_sub(1, Relaxed); // ORDERING: while it is too high somebody looks for nothing.
        FREED.store(ptr::from_ref(self).cast_mut(), Release);
    }

    /// The participant that the thread is through this very mapping.
    pub(super) fn registration_of(&self, thread: u64) -> Option<&'static Registration> {
        self.registrations().find(|registration| registration.tenant.thread.load(Acquire) == thread)
    }
}

/// Gives back the orphans that nobody is linked in.
pub(super) fn sweep() {
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
