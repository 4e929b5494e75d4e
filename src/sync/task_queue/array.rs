//! A task queue whose capacity is in its type.

use super::{TaskQueue, TaskSlot};
use crate::platform::Linux;
use crate::raw;
use crate::segment::{Definition, Part, Shareable};
use core::mem::{MaybeUninit, offset_of};
use core::ops::Deref;

/// A [`TaskQueue`] for up to `N` items, for a field of a type that lies in a segment.
///
/// It has the methods of [`TaskQueue`].
///
/// ```
/// use outlive::{ArrayTaskQueue, Segment, Shareable};
/// use outlive::atomic::AtomicU64;
/// use std::sync::atomic::Ordering::SeqCst;
///
/// #[derive(Shareable)]
/// #[repr(C)]
/// struct Shared {
///     numbers: ArrayTaskQueue<u64, 16>,
///     sum: AtomicU64,
/// }
///
/// let shared = Segment::<Shared>::anonymous(|_empty| {})?;
/// shared.numbers.send(40)?;
/// shared.numbers.send(2)?;
/// while let Ok(number) = shared.numbers.try_take() {
///     shared.sum.fetch_add(*number, SeqCst);
///     number.done()?;
/// }
/// shared.numbers.join()?;
/// assert_eq!(shared.sum.load(SeqCst), 42);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # If a process dies
/// See [`TaskQueue`](TaskQueue#if-a-process-dies).
#[repr(C)]
pub struct ArrayTaskQueue<T: Shareable, const N: usize> {
    words: raw::TaskQueue<Linux>,
    slots: [TaskSlot<T>; N],
}

// SAFETY: words, understood whatever their bits, and slots, which are Shareable; repr(C), no
// pointers, no Drop.
unsafe impl<T: Shareable, const N: usize> Shareable for ArrayTaskQueue<T, N> {
    const DEFINITION: &'static Definition = &Definition::structure::<Self>(
        "outlive::ArrayTaskQueue",
        &[
            Part::const_parameter("N", N as u128),
            Part::words::<raw::TaskQueue<Linux>>("words", offset_of!(Self, words)),
            Part::field::<[TaskSlot<T>; N]>("slots", offset_of!(Self, slots)),
        ],
    );
}

impl<T: Shareable, const N: usize> ArrayTaskQueue<T, N> {
    /// An empty task queue. Memory of zeros is one.
    #[must_use]
    pub const fn new() -> Self {
        const { assert!(N > 0 && N <= raw::task_queue::MOST_SLOTS, "a task queue has at least one slot, and at most 2^31") };
        // SAFETY: memory of zeros is a valid value of every Shareable type.
        unsafe { MaybeUninit::zeroed().assume_init() }
    }
}

impl<T: Shareable, const N: usize> Default for ArrayTaskQueue<T, N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Shareable, const N: usize> Deref for ArrayTaskQueue<T, N> {
    type Target = TaskQueue<T>;

    #[inline(always)]
    fn deref(&self) -> &TaskQueue<T> {
        const { assert!(N > 0 && N <= raw::task_queue::MOST_SLOTS, "a task queue has at least one slot, and at most 2^31") };
        let whole = core::ptr::slice_from_raw_parts(core::ptr::from_ref(self).cast::<TaskSlot<T>>(), N);
        // SAFETY: both are repr(C), and have the same fields in the same order: an array of N slots
        // and a slice of as many have the same layout. So offsets, size and alignment are equal.
        unsafe { &*(whole as *const TaskQueue<T>) }
    }
}

impl<T: Shareable, const N: usize> core::fmt::Debug for ArrayTaskQueue<T, N> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        (**self).fmt(f)
    }
}
