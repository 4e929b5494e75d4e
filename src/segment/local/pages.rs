//! Which participant is a thread in the segment to which a page belongs, if it uses many segments?
//!
//! The first few segments that a thread uses are kept as ranges of addresses. A thread that uses
//! more also keeps this table, by the page in which a primitive lies. An entry is valid while the
//! state of its mapping is unchanged. So a dropped segment costs the others nothing.

#![allow(clippy::disallowed_types)] // process-local bookkeeping, never in shared memory, never in an algorithm

use super::Mapping;
use crate::platform::linux::Linux;
use crate::raw::Id;
use crate::raw::table::{Participant, Table};
use core::cell::Cell;
use core::sync::atomic::{Ordering::SeqCst, compiler_fence};

/// The number of entries. A thread can take part in at most 2,000 segments.
const ENTRIES: usize = 1 << BITS;
const BITS: u32 = 12;
/// An entry lies within this many places of the one that its page number leads to.
const PROBES: usize = 8;
/// In [`Entry::page`]: the entry is being written, perhaps by code that a signal handler has
/// interrupted. No page has this number.
const WRITING: usize = usize::MAX;

#[derive(Debug)]
#[repr(align(64))]
struct Entry {
    page: Cell<usize>,
    /// The version of the thread's cache at that time: see [`Pages::find`].
    version: Cell<u64>,
    mapping: Cell<Option<&'static Mapping>>,
    /// The mapping's state and version.
    state: Cell<u64>,
    table: Cell<Option<&'static Table<'static, Linux>>>,
    id: Cell<Option<Id>>,
}

/// The table of one thread. It is never freed: a signal handler may have interrupted a search in
/// it.
#[derive(Debug)]
pub(super) struct Pages {
    entries: Box<[Entry]>,
}

// SAFETY: only one thread uses it, the tenant of the record that it is in. The next tenant comes
// after the last one has ended.
unsafe impl Sync for Pages {}
// SAFETY: as above.
unsafe impl Send for Pages {}

impl Pages {
    pub(super) fn new() -> Self {
        let empty = |_| Entry {
            page: Cell::new(0),
            version: Cell::new(0),
            mapping: Cell::new(None),
            state: Cell::new(0),
            table: Cell::new(None),
            id: Cell::new(None),
        };
        Self { entries: (0..ENTRIES).map(empty).collect() }
    }

    fn places(page: usize) -> impl Iterator<Item = usize> {
        let first = page.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (usize::BITS - BITS);
        (first..first + PROBES).map(|place| place % ENTRIES)
    }

    /// Which participant the thread is in the segment to which the address belongs, if that was
    /// [noted](Self::note) under this version.
    #[inline(never)] // the address ranges answer most calls
    pub(super) fn find(&self, address: usize, version: u64) -> Option<Participant<'static, Linux>> {
        let page = address >> 12;
        let is_it = |entry: &&Entry| entry.page.get() == page && entry.version.get() == version;
        let entry = Self::places(page).map(|place| &self.entries[place]).find(is_it)?;
        if !entry.is_valid() {
            return None;
        }
        let me = Participant { id: entry.id.get()?, table: entry.table.get()? };
        // A signal handler may have replaced the entry between the two reads.
        compiler_fence(SeqCst);
        is_it(&entry).then_some(me)
    }

    /// Notes the participant, in place of a void entry, or else of any other.
    pub(super) fn note(
        &self,
        address: usize,
        version: u64,
        mapping: &'static Mapping,
        me: Participant<'static, Linux>,
    ) {
        let page = address >> 12;
        let places = || Self::places(page).map(|place| &self.entries[place]);
        let is_free =
            |entry: &&Entry| entry.page.get() != WRITING && (entry.version.get() != version || !entry.is_valid());
        let same = places().find(|entry| entry.page.get() == page);
        let entry =
            same.or_else(|| places().find(is_free)).or_else(|| places().find(|entry| entry.page.get() != WRITING));
        let Some(entry) = entry else { return };
        // A signal handler finds the entry complete, or finds it being written and then leaves it
        // alone.
        entry.page.set(WRITING);
        compiler_fence(SeqCst);
        entry.version.set(version);
        entry.mapping.set(Some(mapping));
        entry.state.set(mapping.state_and_version());
        entry.table.set(Some(me.table));
        entry.id.set(Some(me.id));
        compiler_fence(SeqCst);
        entry.page.set(page);
    }
}

impl Entry {
    fn is_valid(&self) -> bool {
        self.mapping.get().is_some_and(|mapping| mapping.is_still(self.state.get()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::segment::Segment;
    use core::sync::atomic::AtomicU64;

    fn noted(pages: &Pages, address: usize, version: u64, generation: u16, segment: &Segment<AtomicU64>) {
        // SAFETY: the segment is mapped.
        let table = unsafe { &segment.mapping.body().table };
        pages.note(address, version, segment.mapping, Participant { id: Id::new(0, generation), table });
    }

    fn generation_at(pages: &Pages, address: usize, version: u64) -> Option<u16> {
        pages.find(address, version).map(|me| me.id.generation())
    }

    #[test]
    #[cfg_attr(miri, ignore = "Miri has no memfd")]
    fn thousands_of_pages_are_found_and_unknown_pages_are_not() {
        let (pages, segment) = (Pages::new(), Segment::<AtomicU64>::anonymous(|_| {}).expect("a segment"));
        let address = |page: usize| 0x7f00_0000_0000 + page * 4096 * 10 + page % 4096;
        (0..2_000).for_each(|page| noted(&pages, address(page), 7, page as u16, &segment));
        let known = (0..2_000).filter(|page| generation_at(&pages, address(*page), 7) == Some(*page as u16)).count();
        assert!(known > 1_990, "{known} of 2000");
        assert!((2_000..4_000).all(|page| generation_at(&pages, address(page), 7).is_none()));
        assert!((0..2_000).all(|page| generation_at(&pages, address(page), 8).is_none()), "of another version");
        drop(segment);
        assert!((0..2_000).all(|page| generation_at(&pages, address(page), 7).is_none()), "its mapping has gone");
    }

    /// A signal handler uses other segments while the code that it interrupted was writing an
    /// entry.
    #[test]
    #[cfg_attr(miri, ignore = "Miri has no memfd")]
    fn an_entry_that_is_being_written_is_left_alone() {
        let (pages, segment) = (Pages::new(), Segment::<AtomicU64>::anonymous(|_| {}).expect("a segment"));
        let address = 0x7f00_0000_0000;
        let place = Pages::places(address >> 12).next().expect("a place");
        pages.entries[place].page.set(WRITING);
        noted(&pages, address, 1, 3, &segment);
        assert_eq!(pages.entries[place].page.get(), WRITING);
        assert_eq!(generation_at(&pages, address, 1), Some(3), "it is in the next entry");
        Pages::places(address >> 12).for_each(|place| pages.entries[place].page.set(WRITING));
        noted(&pages, address, 1, 4, &segment);
        assert_eq!(generation_at(&pages, address, 1), None, "there is no room");
    }

    #[test]
    #[cfg_attr(miri, ignore = "Miri has no memfd")]
    fn a_page_has_one_entry_and_the_last_that_was_noted_holds() {
        let (pages, segment) = (Pages::new(), Segment::<AtomicU64>::anonymous(|_| {}).expect("a segment"));
        for generation in 1..20 {
            noted(&pages, 0x5000, 1, generation, &segment);
            assert_eq!(generation_at(&pages, 0x5fff, 1), Some(generation));
        }
        assert_eq!(pages.entries.iter().filter(|entry| entry.page.get() == 5).count(), 1);
    }
}
