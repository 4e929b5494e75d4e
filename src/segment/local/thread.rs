//! Which participant is the calling thread in the segment that contains an address?

#![allow(clippy::disallowed_types)] // process-local bookkeeping, never in shared memory, never in an algorithm

use super::mapping::{Mapping, mappings};
use super::pages::Pages;
use super::process::{ensure_page, new_number, page};
use super::registrations::Thread;
use crate::atomic::AtomicU32;
use crate::error::RegisterError;
use crate::platform::linux::{Anchors, Linux};
use crate::raw::table::{Participant, Table};
use crate::raw::{self, Id};
use core::cell::Cell;
use core::ptr;
use core::sync::atomic::Ordering::{Acquire, Relaxed, SeqCst};
use core::sync::atomic::compiler_fence;

/// One address range, and which participant the thread is there.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) start: Cell<usize>,
    pub(super) length: Cell<usize>,
    pub(super) id: Cell<Id>,
    /// [`NO_TABLE`], or the mapping's table. A pointer, because Rust 1.85 accepts no such reference
    /// in a constant.
    pub(super) table: Cell<*const Table<'static, Linux>>,
    pub(super) mapping: Cell<Option<&'static Mapping>>,
    /// The mapping's state and version.
    pub(super) state: Cell<u64>,
}

/// For an entry without a length.
static NO_WORD: AtomicU32 = AtomicU32::new(0);
static NO_TABLE: Table<'static, Linux> = Table { membership: &NO_WORD, cursor: &NO_WORD, stamp: &NO_WORD, slots: &[] };

/// The calling thread's cache and counts. There is no destructor, so that the destructors of other
/// thread-locals can use it.
#[derive(Debug)]
pub(super) struct Local {
    pub(super) sequence: Cell<u64>,
    pub(super) process: Cell<u64>,
    /// This thread's number.
    pub(super) thread: Cell<u64>,
    /// Holds of this thread whose guards have not been dropped, without read holds: see
    /// [`holds`](super::holds).
    pub(super) holds: Cell<usize>,
    /// Read holds of a [`RwLock`](crate::RwLock) that this thread has begun to take, and whose
    /// guards have not been dropped.
    pub(super) reads: Cell<usize>,
    /// How far the thread's homes have moved: see `raw::rwlock`.
    pub(super) shift: Cell<usize>,
    /// Holds of a [`Lock`](crate::Lock) that this thread has taken and not released.
    pub(super) locks: Cell<usize>,
    /// Ends of channels that this thread has taken and not given back.
    pub(super) ends: Cell<usize>,
    /// The thread is ending, and has declared what it leaves behind.
    pub(super) is_ending: Cell<bool>,
    /// Where its lifelines are linked, once it has any.
    pub(super) anchors: Cell<Option<&'static Anchors>>,
    pub(super) entries: [Entry; ENTRIES],
    pub(super) next: Cell<usize>,
    /// What the thread knows beyond the entries, once it uses more segments than those.
    pub(super) pages: Cell<Option<&'static Pages>>,
    /// What was noted in `pages` under another version is void.
    pub(super) cache_version: Cell<u64>,
    /// An entry, here or in `pages`, is being written.
    pub(super) is_noting: Cell<bool>,
}
const ENTRIES: usize = 4;

thread_local! {
    pub(super) static LOCAL: Local = const {
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
            sequence: Cell::new(u64::MAX), // no sequence: a wiped page has 0, any other a smaller number
            process: Cell::new(0),
            thread: Cell::new(0),
            holds: Cell::new(0),
            reads: Cell::new(0),
            shift: Cell::new(0),
            locks: Cell::new(0),
            ends: Cell::new(0),
            is_ending: Cell::new(false),
            anchors: Cell::new(None),
            entries: [EMPTY; ENTRIES],
            next: Cell::new(0),
            pages: Cell::new(None),
            cache_version: Cell::new(0),
            is_noting: Cell::new(false),
        }
    };
}

/// Which participant the calling thread is in the segment that contains `place`. Registers the
/// thread there if it does not take part yet.
///
/// The result must not outlive the segment. The caller uses it for one operation on a primitive
/// that it borrows from the segment.
#[inline(always)]
pub(crate) fn participant<T: ?Sized>(place: &T) -> Result<Participant<'_, Linux>, RegisterError> {
    let address = ptr::from_ref(place).cast::<u8>() as usize;
    // SAFETY: a thread-local without a destructor lives as long as its thread, and the pointer does
    // not leave the thread. (A closure that did all the work would be too large to be inlined into
    // the fast path.)
    let local = unsafe { &*LOCAL.with(ptr::from_ref) };
    match local.cached(address) {
        Some(participant) => Ok(participant),
        None => local.find(address),
    }
}

/// Which participant the calling thread is in the segment that contains `place`, if its cache
/// knows.
///
/// For a fast path that leaves all else to a cold function. There are no errors here, whose size
/// and destructor would keep the fast path from being inlined.
#[inline(always)]
pub(crate) fn known<T: ?Sized>(place: &T) -> Option<Participant<'_, Linux>> {
    let address = ptr::from_ref(place).cast::<u8>() as usize;
    // SAFETY: as in `participant`.
    let local = unsafe { &*LOCAL.with(ptr::from_ref) };
    local.cached(address)
}

/// Which participant the calling thread is in the segment that contains `place`, if it takes part
/// there.
pub(crate) fn known_as<T: ?Sized>(place: &T) -> Option<Id> {
    let address = ptr::from_ref(place).cast::<u8>() as usize;
    LOCAL.with(|local| match local.cached(address) {
        Some(participant) => Some(participant.id),
        None => local.look_up(address).ok()?.1,
    })
}

/// Whether two places are in one segment, perhaps through two mappings. Afterwards the calling
/// thread takes part in both.
pub(crate) fn are_in_one_segment<A, B: ?Sized>(one: &A, other: &B) -> Result<bool, RegisterError> {
    if ptr::eq(participant(one)?.table, participant(other)?.table) {
        return Ok(true);
    }
    let mapping_of = |address| mappings().find(|mapping| mapping.covers(address)).ok_or(RegisterError::NotInSegment);
    let one = mapping_of(ptr::from_ref(one) as usize)?;
    Ok(one.is_same_segment(mapping_of(ptr::from_ref(other).cast::<u8>() as usize)?))
}

/// The place of a lock in its segment, the same in all mappings: by how many words it lies behind
/// the beginning of the participant table. 0, which is no lock's place: it is not known, or too
/// large a number.
pub(crate) fn place_of(lock: &raw::Mutex<Linux>) -> u32 {
    let Ok(me) = participant(lock) else { return 0 };
    let behind = (ptr::from_ref(lock) as usize).wrapping_sub(me.table.slots.as_ptr() as usize);
    u32::try_from(behind / size_of::<AtomicU32>()).unwrap_or(0)
}

/// The lock at a place that a living waiter in the segment of `me` has [noted](place_of). `None` if
/// the place is not behind the table, or not in a mapping that the calling thread knows. (It knows
/// the mapping if it holds the lock.)
///
/// The caller changes nothing in the lock, except where it finds itself to be the holder.
pub(crate) fn lock_at<'t>(me: Participant<'t, Linux>, place: u32) -> Option<&'t raw::Mutex<Linux>> {
    let table = me.table.slots.as_ptr_range();
    let address = (table.start as usize).checked_add(place as usize * size_of::<AtomicU32>())?;
    // SAFETY: as in `participant`.
    let local = unsafe { &*LOCAL.with(ptr::from_ref) };
    let is_ours = || local.cached(address).is_some_and(|there| ptr::eq(there.table, me.table));
    if address < table.end as usize || !is_ours() {
        return None;
    }
    // SAFETY: an aligned word behind the table of a mapping, which consists of whole pages and
    // stays as long as its table is borrowed. It is a lock: a thread notes a place only in its own
    // slot, and only while it borrows a lock there. A waiter borrows it as long as it waits. After
    // that the place is still that of some lock, since the type of a place never changes: what can
    // be shared contains no enum and no union. Safe code may then move another lock there. Then
    // this word names its holder, if it has one. A process that scribbles on a slot can lead to any
    // word of the segment, on which it could have scribbled as well.
    Some(unsafe { &*ptr::with_exposed_provenance(address) })
}

impl Local {
    #[inline(always)]
    fn cached(&self, address: usize) -> Option<Participant<'static, Linux>> {
        // ORDERING: Relaxed; see `Mapping::abandon`. In a forked child it is 0, which no thread has
        // noted.
        if page().sequence.load(Relaxed) != self.sequence.get() {
            return None;
        }
        for entry in &self.entries {
            let start = entry.start.get();
            if address.wrapping_sub(start) < entry.length.get() {
                // SAFETY: a static, or the table of a mapping that the caller borrows from.
                let me = Participant { id: entry.id.get(), table: unsafe { &*entry.table.get() } };
                // A signal handler may have replaced the entry between the two reads.
                compiler_fence(SeqCst);
                return (entry.start.get() == start).then_some(me);
            }
        }
        self.pages.get()?.find(address, self.cache_version.get())
    }

    /// The mapping that contains the address, and which participant the thread is in its segment,
    /// if it takes part.
    fn look_up(&self, address: usize) -> Result<(&'static Mapping, Option<Id>), RegisterError> {
        let page = ensure_page()?;
        if page.sequence.load(Acquire) != self.sequence.get() || page.process.load(Relaxed) != self.process.get() {
            self.refresh(page);
        }
        let mapping = mappings().find(|mapping| mapping.covers(address)).ok_or(RegisterError::NotInSegment)?;
        let thread = self.thread.get();
        let registered =
            mappings().filter(|other| other.is_same_segment(mapping)).find_map(|other| other.registration_of(thread));
        Ok((mapping, registered.and_then(|registration| Id::holder_in(registration.id.load(Relaxed)))))
    }

    #[cold]
    fn find(&self, address: usize) -> Result<Participant<'static, Linux>, RegisterError> {
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
        // A signal handler that interrupts the following notes nothing.
        if self.is_noting.replace(true) {
            return Ok(me);
        }
        let entry = &self.entries[self.next.get() % ENTRIES];
        self.next.set(self.next.get().wrapping_add(1));
        if entry.length.get() != 0 || self.pages.get().is_some() {
            let pages = self.pages.get().or_else(|| Thread::pages_of(self.thread.get()));
            self.pages.set(pages);
            pages.into_iter().for_each(|pages| pages.note(address, self.cache_version.get(), mapping, me));
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

    /// Makes the whole cache void.
    pub(super) fn forget(&self) {
        self.entries.iter().for_each(|entry| entry.length.set(0));
        self.cache_version.set(new_number());
    }
}
