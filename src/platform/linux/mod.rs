//! The real backend: mapped memory, `futex_waitv`, the robust list.
//!
//! What is relied on was measured on Linux 6.18 with glibc 2.36 and musl 1.2.5; the manual pages
//! are futex(2), get_robust_list(2), set_robust_list(2), and the kernel's
//! `Documentation/locking/robust-futex-ABI.rst` and `Documentation/userspace-api/futex2.rst`.
//!
//! `futex_waitv` came with Linux 5.16. Without it, or where a sandbox refuses it, sleeps are short
//! and the recheck is frequent: see [`set_waitv`].

#![allow(clippy::disallowed_types, clippy::disallowed_methods)] // this is the seam

mod anchors;
mod byte_lock;
mod futex;
mod interruption;
mod known;
mod neighbour;
mod own_memory;
mod robust;
mod spinning;
mod thread_end;
mod thread_record;

pub(crate) use anchors::{Anchors, Place, ROBUST_LIST_LIMIT, unlink};
pub(crate) use byte_lock::{Lock, lock_byte, others_lock, unlock_byte};
pub use futex::{WAITV_VARIABLE, set_recheck, set_waitv, slow_checks, waitv_works};
pub(crate) use interruption::{Interrupter, by, by_handlers, never};
pub(crate) use known::Known;
pub use neighbour::RobustNode;
pub(crate) use neighbour::has_lists_of_parents;
pub(crate) use own_memory::OwnMemory;
pub use robust::Unsupported;
pub(crate) use robust::{Head, robust_list};
pub(crate) use thread_end::call_at_thread_end;
pub use thread_record::ThreadRecord;
pub(crate) use thread_record::{Myself, Sight, thread_has_ended, thread_id};

use super::{Expect, Lifeline, Platform, Word, Word64};
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use core::time::Duration;

/// Linux with glibc or musl. See the [module](self).
#[derive(Debug, Clone, Copy)]
pub struct Linux;

impl Linux {
    /// A 64-bit word that is 0.
    pub(crate) const fn zero_long() -> AtomicU64 {
        AtomicU64::new(0)
    }

    /// A word that is 0: the first state of every primitive.
    pub(crate) const fn zero() -> AtomicU32 {
        Self::word(0)
    }
    /// A word of this value.
    pub(crate) const fn word(value: u32) -> AtomicU32 {
        AtomicU32::new(value)
    }
}

macro_rules! forward {
    ($($name:ident($($arg:ident: $ty:ty),*) $(-> $ret:ty)?;)*) => {
        $(#[inline(always)] fn $name(&self, $($arg: $ty),*) $(-> $ret)? { Self::$name(self, $($arg),*) })*
    };
}

/// A fence, and exchanges that are fences, too.
///
/// On x86-64 a locked instruction orders all accesses around it, as `mfence` does (Intel SDM vol.
/// 3, 9.2.3.9 "Loads and stores are not reordered with locked instructions"). Only the compiler
/// must be kept from moving them.
macro_rules! locked_instructions_are_fences {
    ($number:ty) => {
        #[inline(always)]
        fn fence(order: Ordering) {
            core::sync::atomic::fence(order);
        }
        #[cfg(target_arch = "x86_64")]
        #[inline(always)]
        fn compare_exchange_then_fence(
            &self,
            current: $number,
            new: $number,
            _success: Ordering,
            failure: Ordering,
        ) -> Result<$number, $number> {
            let result = Self::compare_exchange(self, current, new, Ordering::SeqCst, failure);
            if result.is_ok() {
                core::sync::atomic::compiler_fence(Ordering::SeqCst);
            }
            result
        }
        #[cfg(target_arch = "x86_64")]
        #[inline(always)]
        fn swap_then_fence(&self, value: $number, _order: Ordering) -> $number {
            let was = Self::swap(self, value, Ordering::SeqCst);
            core::sync::atomic::compiler_fence(Ordering::SeqCst);
            was
        }
    };
}

impl Word for AtomicU32 {
    #[inline(always)]
    fn new(value: u32) -> Self {
        Self::new(value)
    }
    forward! {
        load(order: Ordering) -> u32;
        store(value: u32, order: Ordering);
        swap(value: u32, order: Ordering) -> u32;
        compare_exchange(current: u32, new: u32, success: Ordering, failure: Ordering) -> Result<u32, u32>;
        fetch_add(value: u32, order: Ordering) -> u32;
        fetch_or(value: u32, order: Ordering) -> u32;
        fetch_and(value: u32, order: Ordering) -> u32;
    }
    locked_instructions_are_fences! { u32 }
}

impl Word64 for AtomicU64 {
    #[inline(always)]
    fn new(value: u64) -> Self {
        Self::new(value)
    }
    forward! {
        load(order: Ordering) -> u64;
        store(value: u64, order: Ordering);
        swap(value: u64, order: Ordering) -> u64;
        compare_exchange(current: u64, new: u64, success: Ordering, failure: Ordering) -> Result<u64, u64>;
    }
    locked_instructions_are_fences! { u64 }
}

impl Lifeline for RobustNode {
    type Word = AtomicU32;
    #[inline]
    fn word(&self) -> &AtomicU32 {
        &self.word
    }
    fn spare(&self) -> &AtomicU32 {
        &self.spare
    }
}

impl Platform for Linux {
    type Word = AtomicU32;
    type Word64 = AtomicU64;
    type Lifeline = RobustNode;
    type ThreadInfo = ThreadRecord;

    // About two microseconds: longer than a short critical section, shorter than a sleep and a wake
    // in the kernel.
    const SPINS: u32 = 100;
    const MOST_WORDS: usize = 128; // FUTEX_WAITV_MAX

    #[inline(always)]
    fn spin() {
        core::hint::spin_loop();
    }
    fn learned_spins() -> u32 {
        spinning::begin()
    }
    fn spins_to_gather(word: &Self::Word, passed: u64, capacity: u64) -> u32 {
        spinning::gather(core::ptr::from_ref(word).addr(), passed, capacity)
    }
    fn note_spins(have_helped: bool) {
        spinning::end(have_helped);
    }
    fn now() -> Duration {
        futex::now()
    }
    fn wait<'w>(words: impl Iterator<Item = Expect<'w, AtomicU32>>, until: Option<Duration>) {
        futex::wait(words, until);
    }
    fn wait_interruptibly<'w>(words: impl Iterator<Item = Expect<'w, AtomicU32>>, until: Option<Duration>) -> bool {
        interruption::wait(words, until)
    }
    fn most_words() -> usize {
        Self::MOST_WORDS - interruption::words()
    }
    fn wake(word: &AtomicU32, count: u32) -> u32 {
        futex::wake(word, count)
    }
    fn requeue(from: &AtomicU32, expected: u32, to: &AtomicU32, count: u32) -> Option<u32> {
        futex::requeue(from, expected, to, count)
    }
    // Not shorter than the kernel's tick. For a timer that ends before the next tick the kernel
    // programs the hardware, and again if the sleeper is woken earlier. Measured on a virtual
    // machine: 2.9 µs for each sleep with an end after 1 ms, and 0.3 µs with an end after 10 ms.
    fn first_phase() -> Option<Duration> {
        Some(Duration::from_millis(10))
    }
    fn recheck() -> Option<Duration> {
        futex::recheck()
    }
    fn reap_period() -> Option<Duration> {
        futex::reap_period()
    }
    fn watches_many() -> bool {
        waitv_works()
    }
    fn is_gone(record: &ThreadRecord, thread: u32) -> bool {
        futex::count_a_slow_check();
        record.is_gone(thread)
    }
    fn is_ending(record: &ThreadRecord, thread: u32) -> bool {
        record.is_ending(thread)
    }
    fn prepare_for_end(record: &ThreadRecord) {
        record.prepare_for_end();
    }
    fn is_process_gone(record: &ThreadRecord) -> bool {
        record.is_process_gone()
    }
}
