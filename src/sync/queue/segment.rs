//! A queue in a segment of its own, with its capacity chosen at run time.

use super::{Queue, QueueCell};
use crate::error::{OpenError, RangeError, RemoveError};
use crate::platform::Linux;
use crate::raw;
use crate::segment::own::{OwnSegment, gives_its_segment};
use crate::segment::{Definition, Location, Part, Segment, SegmentOptions, Shareable};
use core::fmt;
use core::mem::offset_of;
use core::ops::Deref;
use core::ptr::NonNull;

/// The words of a queue whose cells are the room of a segment. It has no operations.
#[repr(transparent)]
pub struct QueueRoot {
    words: raw::Queue<Linux>,
}

// SAFETY: words alone, understood whatever their bits; repr(transparent) over repr(C), no pointers,
// no Drop.
unsafe impl Shareable for QueueRoot {
    const DEFINITION: &'static Definition = &Definition::structure::<Self>(
        "outlive::QueueRoot",
        &[Part::words::<raw::Queue<Linux>>("words", offset_of!(Self, words))],
    );
}

impl fmt::Debug for QueueRoot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QueueRoot").finish_non_exhaustive()
    }
}

/// A [`Queue`] in a [`Segment`] of its own. It has the methods of [`Queue`].
///
/// [`Queue::create`] and its kin make it. The [`segment`](Self::segment) has what segments have: it
/// can be passed to a child or over a socket, and knows its participants. A segment that came in
/// such a way becomes a queue by [`TryFrom`]:
///
/// ```
/// use outlive::{Queue, QueueSegment};
///
/// # let name = &format!("outlive-doc-queue-segment-{}", std::process::id());
/// let jobs = Queue::<u64>::create(name, 64)?;
/// jobs.send(7)?;
/// // With options, or in another way; here or in any other process:
/// let segment = Queue::<u64>::options(64)?.open(name)?;
/// let same = QueueSegment::try_from(segment)?;
/// assert_eq!((same.recv()?, same.capacity()), (7, 64));
/// # Queue::<u64>::remove(name)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # If a process dies
/// See [`Queue`](Queue#if-a-process-dies).
pub struct QueueSegment<T: Shareable> {
    segment: Segment<QueueRoot, QueueCell<T>>,
    /// The queue in the segment.
    queue: NonNull<Queue<T>>,
}

// SAFETY: `queue` is a shared reference in all but its lifetime. A queue can be shared between
// threads, and its items move between them.
unsafe impl<T: Shareable> Send for QueueSegment<T> {}
// SAFETY: as above.
unsafe impl<T: Shareable> Sync for QueueSegment<T> {}

impl<T: Shareable> Queue<T> {
    /// Makes a named (`&str`) or file-backed (`&Path`) queue for up to `capacity` items.
    ///
    /// # Errors
    /// [`OpenError::InvalidSize`] if the capacity is 0 or more than 2^31; those of
    /// [`SegmentOptions::create`].
    pub fn create(place: impl Into<Location>, capacity: usize) -> Result<QueueSegment<T>, OpenError> {
        QueueSegment::create_at(place, capacity, |_, _| {})
    }

    /// Opens a named or file-backed queue. Its capacity is the one that it was made with.
    ///
    /// # Errors
    /// Those of [`SegmentOptions::open`]. [`OpenError::RoomType`] if it is a queue of other items.
    pub fn open(place: impl Into<Location>) -> Result<QueueSegment<T>, OpenError> {
        QueueSegment::open_at(place)
    }

    /// Opens a queue, or makes it if there is none. A queue that exists keeps its capacity.
    ///
    /// # Errors
    /// Those of [`create`](Self::create) and [`open`](Self::open).
    pub fn open_or_create(place: impl Into<Location>, capacity: usize) -> Result<QueueSegment<T>, OpenError> {
        QueueSegment::open_or_create_at(place, capacity, |_, _| {})
    }

    /// Makes a queue without a name: for threads, for children that are forked, or to be
    /// [passed on](Segment::pass_to).
    ///
    /// # Errors
    /// [`OpenError::InvalidSize`] if the capacity is 0 or more than 2^31; those of
    /// [`SegmentOptions::anonymous`].
    pub fn anonymous(capacity: usize) -> Result<QueueSegment<T>, OpenError> {
        QueueSegment::anonymous_of(capacity, |_, _| {})
    }

    /// Removes the name of a queue, as [`Segment::remove`].
    ///
    /// # Errors
    /// Those of [`Segment::remove`].
    pub fn remove(place: impl Into<Location>) -> Result<(), RemoveError> {
        Segment::<QueueRoot>::remove(place)
    }

    /// Options to make or open the segment of a queue with. The segment then becomes a queue by
    /// `QueueSegment::try_from`. The capacity counts for a new queue alone.
    ///
    /// # Errors
    /// The capacity is 0 or more than 2^31.
    pub fn options(capacity: usize) -> Result<SegmentOptions<QueueRoot, QueueCell<T>>, RangeError> {
        QueueSegment::options_for(capacity)
    }
}

impl<T: Shareable> OwnSegment for QueueSegment<T> {
    type Root = QueueRoot;
    type Room = QueueCell<T>;
    const LENGTH: &'static str = "the capacity of a queue";
    const MOST: usize = raw::queue::MOST_CELLS;
}

gives_its_segment! { [T: Shareable] QueueSegment<T>, QueueRoot, QueueCell<T> }

/// The queue that a segment is.
impl<T: Shareable> TryFrom<Segment<QueueRoot, QueueCell<T>>> for QueueSegment<T> {
    type Error = OpenError;

    /// # Errors
    /// [`OpenError::InvalidSize`] if the room of the segment has no cells, or more than 2^31.
    fn try_from(segment: Segment<QueueRoot, QueueCell<T>>) -> Result<Self, OpenError> {
        const {
            assert!(
                align_of::<T>() <= align_of::<QueueRoot>(),
                "the items of a queue are aligned to at most 128 bytes"
            );
            assert!(align_of::<QueueCell<T>>() <= align_of::<QueueRoot>(), "see `deref`");
        }
        let (root, capacity) = segment.root_and_room();
        Self::check_to_open(capacity)?;
        let whole = core::ptr::slice_from_raw_parts_mut(root.as_ptr().cast::<QueueCell<T>>(), capacity);
        let queue = NonNull::new(whole as *mut Queue<T>).expect("mapped");
        Ok(Self { segment, queue })
    }
}

impl<T: Shareable> Deref for QueueSegment<T> {
    type Target = Queue<T>;

    #[inline(always)]
    fn deref(&self) -> &Queue<T> {
        // SAFETY: the segment keeps the memory mapped as long as `self` lives. The pointer comes
        // from the mapping's own. The room begins where the root ends: the size of the root is a
        // multiple of its alignment, which is 128, and the room is aligned to 128, or less than
        // that by its elements. So root and room are laid out as the fields of the repr(C) struct
        // `Queue`. Its size is rounded up to 128, and the mapping to pages. Any bytes are a valid
        // `Queue`, and only `&Queue` is given out.
        unsafe { self.queue.as_ref() }
    }
}

impl<T: Shareable> fmt::Debug for QueueSegment<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
