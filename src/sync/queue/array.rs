//! A queue whose capacity is in its type.

use super::{Queue, QueueCell};
use crate::platform::Linux;
use crate::raw;
use crate::segment::{Definition, Part, Shareable};
use core::mem::{MaybeUninit, offset_of};
use core::ops::Deref;

/// A [`Queue`] for up to `N` items, for a field of a type that lies in a segment.
///
/// It has the methods of [`Queue`]. An item takes at least 8 bytes more than its size, as its
/// alignment wants it, and the queue 2,432 bytes besides.
/// Most of these are for its [ends](Queue::sender).
///
/// ```
/// use outlive::{ArrayQueue, Segment, Shareable};
///
/// #[derive(Shareable)]
/// #[repr(C)]
/// struct Shared {
///     requests: ArrayQueue<u64, 16>,
///     answers: ArrayQueue<u64, 16>,
/// }
///
/// let shared = Segment::<Shared>::anonymous(|_empty| {})?;
/// std::thread::scope(|scope| {
///     scope.spawn(|| shared.answers.send(shared.requests.recv().unwrap() + 1).unwrap());
///     shared.requests.send(41).unwrap();
///     assert_eq!(shared.answers.recv(), Ok(42));
/// });
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # If a process dies
/// See [`Queue`](Queue#if-a-process-dies).
#[repr(C)]
pub struct ArrayQueue<T: Shareable, const N: usize> {
    words: raw::Queue<Linux>,
    cells: [QueueCell<T>; N],
}

// SAFETY: words, understood whatever their bits, and cells, which are Shareable; repr(C), no
// pointers, no Drop.
unsafe impl<T: Shareable, const N: usize> Shareable for ArrayQueue<T, N> {
    const DEFINITION: &'static Definition = &Definition::structure::<Self>(
        "outlive::ArrayQueue",
        &[
            Part::const_parameter("N", N as u128),
            Part::words::<raw::Queue<Linux>>("words", offset_of!(Self, words)),
            Part::field::<[QueueCell<T>; N]>("cells", offset_of!(Self, cells)),
        ],
    );
}

impl<T: Shareable, const N: usize> ArrayQueue<T, N> {
    /// An empty queue. Memory of zeros is one.
    #[must_use]
    pub const fn new() -> Self {
        const { assert!(N > 0 && N <= raw::queue::MOST_CELLS, "a queue has at least one cell, and at most 2^31") };
        // SAFETY: memory of zeros is a valid value of every Shareable type.
        unsafe { MaybeUninit::zeroed().assume_init() }
    }
}

impl<T: Shareable, const N: usize> Default for ArrayQueue<T, N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Shareable, const N: usize> Deref for ArrayQueue<T, N> {
    type Target = Queue<T>;

    #[inline(always)]
    fn deref(&self) -> &Queue<T> {
        const { assert!(N > 0 && N <= raw::queue::MOST_CELLS, "a queue has at least one cell, and at most 2^31") };
        let whole = core::ptr::slice_from_raw_parts(core::ptr::from_ref(self).cast::<QueueCell<T>>(), N);
        // SAFETY: both are repr(C), and have the same fields in the same order: an array of N cells
        // and a slice of as many have the same layout. So offsets, size and alignment are equal.
        unsafe { &*(whole as *const Queue<T>) }
    }
}

impl<T: Shareable, const N: usize> core::fmt::Debug for ArrayQueue<T, N> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        (**self).fmt(f)
    }
}
