//! A task queue in a segment of its own, with its capacity chosen at run time.

use super::{TaskQueue, TaskSlot};
use crate::error::{OpenError, RangeError, RemoveError};
use crate::platform::Linux;
use crate::raw;
use crate::segment::own::{OwnSegment, gives_its_segment};
use crate::segment::{Definition, Location, Part, Segment, SegmentOptions, Shareable};
use core::fmt;
use core::mem::offset_of;
use core::ops::Deref;
use core::ptr::NonNull;

/// The words of a task queue whose slots are the room of a segment. It has no operations.
#[repr(transparent)]
pub struct TaskQueueRoot {
    words: raw::TaskQueue<Linux>,
}

// SAFETY: words alone, understood whatever their bits; repr(transparent) over repr(C), no pointers,
// no Drop. The compiler need not recommend what nobody makes.
#[diagnostic::do_not_recommend]
unsafe impl Shareable for TaskQueueRoot {
    const DEFINITION: &'static Definition = &Definition::structure::<Self>(
        "outlive::TaskQueueRoot",
        &[Part::words::<raw::TaskQueue<Linux>>("words", offset_of!(Self, words))],
    );
}

impl fmt::Debug for TaskQueueRoot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskQueueRoot").finish_non_exhaustive()
    }
}

/// A [`TaskQueue`] in a [`Segment`] of its own. It has the methods of [`TaskQueue`].
///
/// [`TaskQueue::create`] and its kin make it. The [`segment`](Self::segment) has what segments
/// have: it can be passed to a child or over a socket, and knows its participants. A segment that
/// came in such a way becomes a task queue by [`TryFrom`]:
///
/// ```
/// use outlive::{TaskQueue, TaskQueueSegment};
///
/// # let name = &format!("outlive-doc-task-queue-segment-{}", std::process::id());
/// let jobs = TaskQueue::<u64>::create(name, 64)?;
/// jobs.send(7)?;
/// // With options, or in another way; here or in any other process:
/// let segment = TaskQueue::<u64>::options(64)?.open(name)?;
/// let same = TaskQueueSegment::try_from(segment)?;
/// assert_eq!((*same.take()?, same.capacity()), (7, 64));
/// # TaskQueue::<u64>::remove(name)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # If a process dies
/// See [`TaskQueue`](TaskQueue#if-a-process-dies).
pub struct TaskQueueSegment<T: Shareable> {
    segment: Segment<TaskQueueRoot, TaskSlot<T>>,
    /// The task queue in the segment.
    queue: NonNull<TaskQueue<T>>,
}

// SAFETY: `queue` is a shared reference in all but its lifetime. A task queue can be shared between
// threads, and its items move between them.
unsafe impl<T: Shareable> Send for TaskQueueSegment<T> {}
// SAFETY: as above.
unsafe impl<T: Shareable> Sync for TaskQueueSegment<T> {}

impl<T: Shareable> TaskQueue<T> {
    /// Makes a named (`&str`) or file-backed (`&Path`) task queue for up to `capacity` items.
    ///
    /// # Errors
    /// [`OpenError::InvalidSize`] if the capacity is 0 or more than 2^31; those of
    /// [`SegmentOptions::create`].
    pub fn create(place: impl Into<Location>, capacity: usize) -> Result<TaskQueueSegment<T>, OpenError> {
        TaskQueueSegment::create_at(place, capacity, |_, _| {})
    }

    /// Opens a named or file-backed task queue. Its capacity is the one that it was made with.
    ///
    /// # Errors
    /// Those of [`SegmentOptions::open`]. [`OpenError::RoomType`] if its items are of another
    /// type.
    pub fn open(place: impl Into<Location>) -> Result<TaskQueueSegment<T>, OpenError> {
        TaskQueueSegment::open_at(place)
    }

    /// Opens a task queue, or makes it if there is none. One that exists keeps its capacity.
    ///
    /// # Errors
    /// Those of [`create`](Self::create) and [`open`](Self::open).
    pub fn open_or_create(place: impl Into<Location>, capacity: usize) -> Result<TaskQueueSegment<T>, OpenError> {
        TaskQueueSegment::open_or_create_at(place, capacity, |_, _| {})
    }

    /// Makes a task queue without a name: for threads, for children that are forked, or to be
    /// [passed on](Segment::pass_to).
    ///
    /// # Errors
    /// [`OpenError::InvalidSize`] if the capacity is 0 or more than 2^31; those of
    /// [`SegmentOptions::anonymous`].
    pub fn anonymous(capacity: usize) -> Result<TaskQueueSegment<T>, OpenError> {
        TaskQueueSegment::anonymous_of(capacity, |_, _| {})
    }

    /// Removes the name of a task queue, as [`Segment::remove`].
    ///
    /// # Errors
    /// Those of [`Segment::remove`].
    pub fn remove(place: impl Into<Location>) -> Result<(), RemoveError> {
        Segment::<TaskQueueRoot>::remove(place)
    }

    /// Options to make or open the segment of a task queue with. [`TryFrom`] then makes a
    /// [`TaskQueueSegment`] of it. The capacity counts for a new one alone.
    ///
    /// # Errors
    /// The capacity is 0 or more than 2^31.
    pub fn options(capacity: usize) -> Result<SegmentOptions<TaskQueueRoot, TaskSlot<T>>, RangeError> {
        TaskQueueSegment::options_for(capacity)
    }
}

impl<T: Shareable> OwnSegment for TaskQueueSegment<T> {
    type Root = TaskQueueRoot;
    type Room = TaskSlot<T>;
    const LENGTH: &'static str = "the capacity of a task queue";
    const MOST: usize = raw::task_queue::MOST_SLOTS;
}

gives_its_segment! { [T: Shareable] TaskQueueSegment<T>, TaskQueueRoot, TaskSlot<T> }

/// The task queue that a segment is.
impl<T: Shareable> TryFrom<Segment<TaskQueueRoot, TaskSlot<T>>> for TaskQueueSegment<T> {
    type Error = OpenError;

    /// # Errors
    /// [`OpenError::InvalidSize`] if the room of the segment has no slots, or more than 2^31.
    fn try_from(segment: Segment<TaskQueueRoot, TaskSlot<T>>) -> Result<Self, OpenError> {
        const {
            assert!(
                align_of::<T>() <= align_of::<TaskQueueRoot>(),
                "the items of a task queue are aligned to at most 128 bytes"
            );
            assert!(align_of::<TaskSlot<T>>() <= align_of::<TaskQueueRoot>(), "see `deref`");
        }
        let (root, capacity) = segment.root_and_room();
        Self::check_to_open(capacity)?;
        let whole = core::ptr::slice_from_raw_parts_mut(root.as_ptr().cast::<TaskSlot<T>>(), capacity);
        let queue = NonNull::new(whole as *mut TaskQueue<T>).expect("mapped");
        Ok(Self { segment, queue })
    }
}

impl<T: Shareable> Deref for TaskQueueSegment<T> {
    type Target = TaskQueue<T>;

    #[inline(always)]
    fn deref(&self) -> &TaskQueue<T> {
        // SAFETY: the segment keeps the memory mapped as long as `self` lives. The pointer comes
        // from the mapping's own. The room begins where the root ends: the size of the root is a
        // multiple of its alignment, which is 128, and the room is aligned to 128, or less than
        // that by its elements. So root and room are laid out as the fields of the repr(C) struct
        // `TaskQueue`. Its size is rounded up to 128, and the mapping to pages. Any bytes are a
        // valid `TaskQueue`, and only `&TaskQueue` is given out.
        unsafe { self.queue.as_ref() }
    }
}

impl<T: Shareable> fmt::Debug for TaskQueueSegment<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
