//! Which mappings stay although their segment was dropped?
//!
//! A thread that works for others may have to do with a primitive whose segment was dropped
//! meanwhile. A pin keeps the memory mapped. It does not keep the segment: nothing new is found by
//! its addresses any more.

#![allow(clippy::disallowed_types)] // process-local bookkeeping, never in shared memory, never in an algorithm

use super::mapping::{Mapping, mappings, sweep};
use super::process::{ensure_page, page, process_number};
use super::thread::LOCAL;
use crate::atomic::{AtomicPtr, AtomicU64};
use crate::error::RegisterError;
use core::ptr;
use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};

/// How many pins a mapping has: `process number << 24 | count`. A forked child has none of its
/// parent's.
#[derive(Debug)]
pub(super) struct Pins(AtomicU64);

const COUNT: u64 = (1 << 24) - 1;

impl Pins {
    pub(super) const fn none() -> Self {
        Self(AtomicU64::new(0))
    }

    pub(super) fn are_of(&self, process: u64) -> bool {
        // ORDERING: Acquire. Pairs with the AcqRel of the last unpin: its thread is done here.
        let pins = self.0.load(Acquire);
        pins & COUNT != 0 && pins >> 24 == process & (u64::MAX >> 24)
    }

    fn add(&self, process: u64) {
        let process = process << 24;
        let more = |pins| if pins & !COUNT == process { Some(pins + 1) } else { Some(process | 1) };
        self.0.fetch_update(AcqRel, Relaxed, more).expect("always some");
    }

    fn remove(&self, process: u64) {
        let less = |pins| (pins & !COUNT == process << 24).then(|| pins - 1);
        // A pin that a fork has copied counts for nothing.
        let _was_copied = self.0.fetch_update(AcqRel, Relaxed, less);
    }
}

/// Keeps a mapping mapped.
#[derive(Debug)]
pub(crate) struct Pin {
    mapping: &'static Mapping,
    state: u64,
    process: u64,
}

/// Pins the mapping that contains `place`. The caller borrows `place` from its segment.
pub(crate) fn pin<T: ?Sized>(place: &T) -> Result<Pin, RegisterError> {
    ensure_page()?;
    let address = ptr::from_ref(place).cast::<u8>() as usize;
    let mapping = mappings().find(|mapping| mapping.covers(address)).ok_or(RegisterError::NotInSegment)?;
    let process = process_number();
    mapping.pins.add(process);
    Ok(Pin { mapping, state: mapping.state_and_version(), process })
}

impl Pin {
    /// Whether the segment has not been dropped.
    pub(crate) fn is_live(&self) -> bool {
        self.mapping.is_still(self.state)
    }
}

impl Drop for Pin {
    fn drop(&mut self) {
        self.mapping.pins.remove(self.process);
        if !self.is_live() {
            sweep();
        }
    }
}

/// Null, or a static.
static WHEN_A_PINNED_ONE_GOES: AtomicPtr<fn()> = AtomicPtr::new(ptr::null_mut());

/// From now on `tell` is called whenever a segment is dropped while a pin is on it.
pub(crate) fn when_a_pinned_one_goes(tell: &'static fn()) {
    WHEN_A_PINNED_ONE_GOES.store(ptr::from_ref(tell).cast_mut(), Release); // ORDERING: Release; pairs with the Acquire below.
}

/// The segment of this mapping was dropped.
pub(super) fn tell_of_the_end(mapping: &Mapping) {
    if mapping.pins.are_of(process_number()) {
        // SAFETY: null, or a static.
        unsafe { WHEN_A_PINNED_ONE_GOES.load(Acquire).as_ref() }.into_iter().for_each(|tell| tell());
    }
}

/// The calling thread leaves the segments that were dropped, as it would at its next operation.
pub(crate) fn leave_orphans() {
    LOCAL.with(|local| {
        // A thread that has noted no sequence takes part nowhere.
        if page().sequence.load(Relaxed) != local.sequence.get() && local.process.get() == process_number() {
            local.refresh(page());
        }
    });
}
