//! The segment of a queue of messages.

use super::MessageQueue;
use super::sizes::Sizes;
use crate::atomic::AtomicU64;
use crate::error::{OpenError, RangeError, RemoveError};
use crate::platform::Linux;
use crate::raw;
use crate::segment::own::{OwnSegment, gives_its_segment};
use crate::segment::{Definition, Location, Part, Segment, SegmentOptions, Shareable};
use core::fmt;
use core::mem::{MaybeUninit, offset_of};
use core::ops::Deref;
use core::ptr::NonNull;
use core::sync::atomic::Ordering::Relaxed;

/// The words of a queue of messages, whose cells and blocks are the room of a segment. It has no
/// operations.
#[repr(C)]
pub struct MessageQueueRoot {
    words: raw::message_queue::MessageQueue<Linux>,
    /// Those of [`Sizes::numbers`]. They are written when the segment is made.
    numbers: [AtomicU64; 3],
}

// SAFETY: words alone, understood whatever their bits; repr(C), no pointers, no Drop.
unsafe impl Shareable for MessageQueueRoot {
    const DEFINITION: &'static Definition = &Definition::structure::<Self>(
        "outlive::MessageQueueRoot",
        &[
            Part::words::<raw::message_queue::MessageQueue<Linux>>("words", offset_of!(Self, words)),
            Part::field::<[AtomicU64; 3]>("numbers", offset_of!(Self, numbers)),
        ],
    );
}

impl MessageQueueRoot {
    /// The root of an empty queue for up to so many messages, which have so many bytes in all. See
    /// [`MessageQueue::options`].
    ///
    /// # Errors
    /// One of the numbers is 0, or too large: see [`MessageQueue::create`].
    pub fn new(messages: usize, bytes: usize) -> Result<Self, RangeError> {
        Sizes::new(messages, bytes).map(Self::with)
    }

    fn with(sizes: Sizes) -> Self {
        // SAFETY: memory of zeros is a valid value of every Shareable type.
        let empty: Self = unsafe { MaybeUninit::zeroed().assume_init() };
        Self { numbers: sizes.numbers().map(AtomicU64::new), ..empty }
    }

    #[inline(always)]
    pub(super) fn words(&self) -> &raw::message_queue::MessageQueue<Linux> {
        &self.words
    }
}

impl fmt::Debug for MessageQueueRoot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessageQueueRoot").finish_non_exhaustive()
    }
}

/// A word of a queue of messages, as the room of its segment. It has no operations.
#[repr(transparent)]
pub struct MessageWord(AtomicU64);

// SAFETY: an atomic word; repr(transparent), no pointers, no Drop. (Some of them are accessed as
// words of another size. So they are not shown as `AtomicU64`.)
unsafe impl Shareable for MessageWord {
    const DEFINITION: &'static Definition = &Definition::atomic::<Self>("outlive::MessageWord");
}

impl fmt::Debug for MessageWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessageWord").finish_non_exhaustive()
    }
}

/// A [`MessageQueue`] in its [`Segment`]. It has the methods of [`MessageQueue`].
///
/// [`MessageQueue::create`] and its kin make it. The [`segment`](Self::segment) has what segments
/// have: it can be passed to a child or over a socket, and knows its participants. A segment that
/// came in such a way becomes a queue by [`TryFrom`].
///
/// # If a process dies
/// See [`MessageQueue`](MessageQueue#if-a-process-dies).
pub struct MessageQueueSegment {
    segment: Segment<MessageQueueRoot, MessageWord>,
    queue: MessageQueue,
}

impl MessageQueue {
    /// Makes a named (`&str`) or file-backed (`&Path`) queue for up to `messages` messages, which
    /// have up to `bytes` bytes in all.
    ///
    /// It takes about twice as many bytes of memory, and at least 128 for each message.
    ///
    /// # Errors
    /// [`OpenError::InvalidSize`] if one of the numbers is 0, if there are 2^28 messages or more,
    /// or 2^32 bytes or more; those of [`SegmentOptions::create`].
    pub fn create(place: impl Into<Location>, messages: usize, bytes: usize) -> Result<MessageQueueSegment, OpenError> {
        let sizes = sizes(messages, bytes)?;
        MessageQueueSegment::create_at(place, sizes.room(), |root, _| *root = MessageQueueRoot::with(sizes))
    }

    /// Opens a named or file-backed queue. Its capacity is the one that it was made with.
    ///
    /// # Errors
    /// Those of [`SegmentOptions::open`]. [`OpenError::Type`] if the segment contains something
    /// else; [`OpenError::InvalidSize`] if its numbers do not fit its length.
    pub fn open(place: impl Into<Location>) -> Result<MessageQueueSegment, OpenError> {
        MessageQueueSegment::open_at(place)
    }

    /// Opens a queue, or makes it if there is none. A queue that exists keeps its capacity.
    ///
    /// # Errors
    /// Those of [`create`](Self::create) and [`open`](Self::open).
    pub fn open_or_create(
        place: impl Into<Location>,
        messages: usize,
        bytes: usize,
    ) -> Result<MessageQueueSegment, OpenError> {
        let sizes = sizes(messages, bytes)?;
        MessageQueueSegment::open_or_create_at(place, sizes.room(), |root, _| *root = MessageQueueRoot::with(sizes))
    }

    /// Makes a queue without a name: for threads, for children that are forked, or to be
    /// [passed on](Segment::pass_to).
    ///
    /// # Errors
    /// [`OpenError::InvalidSize`], as [`create`](Self::create); those of
    /// [`SegmentOptions::anonymous`].
    pub fn anonymous(messages: usize, bytes: usize) -> Result<MessageQueueSegment, OpenError> {
        let sizes = sizes(messages, bytes)?;
        MessageQueueSegment::anonymous_of(sizes.room(), |root, _| *root = MessageQueueRoot::with(sizes))
    }

    /// Removes the name of a queue, as [`Segment::remove`].
    ///
    /// # Errors
    /// Those of [`Segment::remove`].
    pub fn remove(place: impl Into<Location>) -> Result<(), RemoveError> {
        Segment::<MessageQueueRoot>::remove(place)
    }

    /// Options to make or open the segment of a queue with. The segment then becomes a queue by
    /// `MessageQueueSegment::try_from`. The numbers count for a new queue alone, whose root is one
    /// of the same numbers:
    ///
    /// ```
    /// use outlive::{MessageQueue, MessageQueueRoot, MessageQueueSegment};
    ///
    /// let root = MessageQueueRoot::new(16, 4096)?;
    /// let segment = MessageQueue::options(16, 4096)?.anonymous(|new, _| *new = root)?;
    /// let queue = MessageQueueSegment::try_from(segment)?;
    /// assert_eq!(queue.capacity(), 16);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// One of the numbers is 0, or too large: see [`create`](Self::create).
    pub fn options(messages: usize, bytes: usize) -> Result<SegmentOptions<MessageQueueRoot, MessageWord>, RangeError> {
        MessageQueueSegment::options_for(Sizes::new(messages, bytes)?.room())
    }
}

fn sizes(messages: usize, bytes: usize) -> Result<Sizes, OpenError> {
    Sizes::new(messages, bytes).map_err(OpenError::of_size)
}

impl OwnSegment for MessageQueueSegment {
    type Root = MessageQueueRoot;
    type Room = MessageWord;
    const LENGTH: &'static str = "the room of a queue of messages";
}

gives_its_segment! { [] MessageQueueSegment, MessageQueueRoot, MessageWord }

/// The queue that a segment is.
impl TryFrom<Segment<MessageQueueRoot, MessageWord>> for MessageQueueSegment {
    type Error = OpenError;

    /// # Errors
    /// [`OpenError::InvalidSize`] if the numbers in the segment do not fit its length.
    fn try_from(segment: Segment<MessageQueueRoot, MessageWord>) -> Result<Self, OpenError> {
        let (root, room) = (NonNull::from(&*segment), NonNull::from(segment.room()));
        let room = NonNull::slice_from_raw_parts(room.cast::<AtomicU64>(), room.len());
        // ORDERING: Relaxed; they were written before the segment appeared.
        let numbers = segment.numbers.each_ref().map(|number| number.load(Relaxed));
        let Some(sizes) = Sizes::checked(numbers, room.len()) else {
            let [cells, blocks, unit] = numbers;
            return Err(OpenError::InvalidSize(format!(
                "the room of a queue of messages was expected to have {cells} cells and {blocks} blocks of {unit} words, but has {} words; make the queue again, by `MessageQueue::create`",
                room.len()
            )));
        };
        Ok(Self { queue: MessageQueue { root, room, sizes }, segment })
    }
}

impl Deref for MessageQueueSegment {
    type Target = MessageQueue;

    #[inline(always)]
    fn deref(&self) -> &MessageQueue {
        &self.queue
    }
}

impl fmt::Debug for MessageQueueSegment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.queue.fmt(f)
    }
}
