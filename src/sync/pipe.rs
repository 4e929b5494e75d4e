//! [`Pipe`]: messages of any length, from one sender to one receiver.
//!
//! | file       | question                                                 |
//! |------------|----------------------------------------------------------|
//! | `ring`     | How do bytes get into the ring's words, and out of them? |
//! | `end`      | What do the two ends have in common?                     |
//! | `sender`   | How is a message sent?                                   |
//! | `receiver` | How is a message received?                               |
//! | `stream`   | How is a pipe a stream of bytes?                         |
//! | `encoded`  | How are values of any serde type sent and received?      |
//! | `duplex`   | How are two pipes one, with both directions?             |

mod duplex;
#[cfg(feature = "serde")]
mod encoded;
mod end;
mod receiver;
mod ring;
mod sender;
mod stream;

pub use duplex::{DuplexPipe, DuplexPipeEnd, DuplexPipeRoot};
pub use receiver::PipeReceiver;
pub use ring::PipeWord;
pub use sender::PipeSender;
pub(super) use sender::Rest;
pub use stream::{PipeReader, PipeWriter};

use self::end::Place;
use self::ring::Ring;
use crate::error::{OpenError, PipeEndError, RangeError, RemoveError};
use crate::platform::Linux;
use crate::raw;
use crate::segment::own::OwnSegment;
use crate::segment::{Definition, Location, Part, Segment, SegmentOptions, Shareable};
use core::fmt;
use core::mem::offset_of;
use core::ptr::NonNull;
use std::sync::Arc;

/// The fewest words of a ring: one cache line.
const FEWEST_WORDS: u64 = 8;
/// The most words of a ring.
const MOST_WORDS: usize = 1 << 44;

/// How many words a ring for so many bytes has. 0, or more than [`MOST_WORDS`]: there is no such
/// ring.
fn words_for(capacity: usize) -> usize {
    match capacity.div_ceil(size_of::<PipeWord>()) {
        0 => 0,
        words => words.max(FEWEST_WORDS as usize).checked_next_power_of_two().unwrap_or(usize::MAX),
    }
}

/// The ring of these words of a segment.
///
/// # Errors
/// [`OpenError::InvalidSize`].
fn ring_of(words: NonNull<[PipeWord]>) -> Result<Ring, OpenError> {
    Ring::new(words).ok_or_else(|| {
        OpenError::InvalidSize(format!(
            "the ring of a pipe was expected to have a power of two of words, at least {FEWEST_WORDS}, and has {}; \
             make a segment with the options that Pipe::options gives",
            words.len()
        ))
    })
}

/// A pipe in memory that processes share: messages from one sender to one receiver, in order.
///
/// A message is some bytes. It is received whole or not at all. It may be longer than the pipe's
/// capacity: then it goes through in parts, and the receiver collects them. For typed items, or
/// more than two processes, see [`Queue`](crate::Queue). For two directions, see [`DuplexPipe`].
///
/// Messages of many kilobytes go faster through a large ring: a capacity of 4 MiB was four times as
/// fast as one of 256 KiB, with messages of 1 MiB.
///
/// The pipe lies in a [`Segment`] of its own.
///
/// ```
/// use outlive::{Pipe, PipeRecvError};
///
/// # let name = &format!("outlive-doc-pipe-{}", std::process::id());
/// let pipe = Pipe::open_or_create(name, 64 << 10)?;
/// // One process:
/// let mut sender = pipe.sender()?;
/// sender.send_bytes(b"hello")?;
/// drop(sender); // nothing more will come
/// // Another one:
/// let mut receiver = pipe.receiver()?;
/// assert_eq!(receiver.recv_bytes()?, b"hello");
/// assert!(matches!(receiver.recv_bytes(), Err(PipeRecvError::Disconnected)));
/// // It stays closed. So the next run makes a new one:
/// Pipe::remove(name)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # If a process dies
///
/// | participant                            | what the other sees                                          |
/// |----------------------------------------|--------------------------------------------------------------|
/// | the sender, in the middle of `send_bytes`    | the message was sent, or was not; never a part of it         |
/// | the one with the sender                | what it sent, and then [`PipeRecvError::PeerDied`](crate::PipeRecvError::PeerDied) |
/// | the receiver, in the middle of `recv_bytes`  | the next receiver gets the message; if it has several parts, it is lost |
/// | the receiver, after `recv_bytes` has returned | nothing: the message was received, and is lost with the receiver |
/// | the one with the receiver              | [`PipeSendError::PeerDied`](crate::PipeSendError::PeerDied), once there is no more room |
///
/// Who waits for the other one learns of its death at once. A death in the first 10 ms of a wait is
/// noticed when these are over.
///
/// # Its ends
///
/// One process has the sender, and one has the receiver; it may be the same. A second user gets
/// [`PipeEndError::Taken`]. If the process of an end is dead, another process can take the end
/// over, and the pipe goes on. If an end is dropped, the pipe has ended forever.
pub struct Pipe {
    segment: Arc<Segment<PipeRoot, PipeWord>>,
    ring: Ring,
}

/// The words of a [`Pipe`] whose ring is the room of a segment. It has no operations.
#[repr(transparent)]
pub struct PipeRoot {
    words: raw::Pipe<Linux>,
}

// SAFETY: words alone, understood whatever their bits; repr(transparent) over repr(C), no pointers,
// no Drop.
unsafe impl Shareable for PipeRoot {
    const DEFINITION: &'static Definition = &Definition::structure::<Self>(
        "outlive::PipeRoot",
        &[Part::words::<raw::Pipe<Linux>>("words", offset_of!(Self, words))],
    );
}

impl fmt::Debug for PipeRoot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PipeRoot").finish_non_exhaustive()
    }
}

impl OwnSegment for Pipe {
    type Root = PipeRoot;
    type Room = PipeWord;
    const LENGTH: &'static str = "the capacity of a pipe, in words of eight bytes,";
    const MOST: usize = MOST_WORDS;
}

/// The pipe that a segment is.
impl TryFrom<Segment<PipeRoot, PipeWord>> for Pipe {
    type Error = OpenError;

    /// # Errors
    /// [`OpenError::InvalidSize`] if the room of the segment is no ring.
    fn try_from(segment: Segment<PipeRoot, PipeWord>) -> Result<Self, OpenError> {
        let ring = ring_of(NonNull::from(segment.room()))?;
        Ok(Self { segment: Arc::new(segment), ring })
    }
}

impl Pipe {
    /// Makes a named (`&str`) or file-backed (`&Path`) pipe. Its ring gets at least `capacity`
    /// bytes: the next power of two, at least 64.
    ///
    /// 64 KiB is a good choice for messages of up to 16 KiB: that keeps within the processor's
    /// caches. For longer ones, choose room for several messages: see [above](Self).
    ///
    /// # Errors
    /// [`OpenError::InvalidSize`] if the capacity is 0, or more than 2^47; those of
    /// [`SegmentOptions::create`].
    pub fn create(place: impl Into<Location>, capacity: usize) -> Result<Self, OpenError> {
        Self::create_at(place, words_for(capacity), |_, _| {})
    }

    /// Opens a named or file-backed pipe. Its capacity is the one that it was made with.
    ///
    /// # Errors
    /// Those of [`SegmentOptions::open`].
    pub fn open(place: impl Into<Location>) -> Result<Self, OpenError> {
        Self::open_at(place)
    }

    /// Opens a pipe, or makes it if there is none. A pipe that exists keeps its capacity.
    ///
    /// # Errors
    /// Those of [`create`](Self::create) and [`open`](Self::open).
    pub fn open_or_create(place: impl Into<Location>, capacity: usize) -> Result<Self, OpenError> {
        Self::open_or_create_at(place, words_for(capacity), |_, _| {})
    }

    /// Makes a pipe without a name: for threads, for children that are forked, or to be
    /// [passed on](Segment::pass_to).
    ///
    /// # Errors
    /// [`OpenError::InvalidSize`] if the capacity is 0, or more than 2^47; those of
    /// [`SegmentOptions::anonymous`].
    pub fn anonymous(capacity: usize) -> Result<Self, OpenError> {
        Self::anonymous_of(words_for(capacity), |_, _| {})
    }

    /// Removes the name of a pipe, as [`Segment::remove`].
    ///
    /// # Errors
    /// Those of [`Segment::remove`].
    pub fn remove(place: impl Into<Location>) -> Result<(), RemoveError> {
        Segment::<PipeRoot>::remove(place)
    }

    /// Options to make or open the segment of a pipe with. The segment then becomes a pipe by
    /// `Pipe::try_from`. The capacity counts for a new pipe alone.
    ///
    /// # Errors
    /// The capacity is 0, or more than 2^47.
    pub fn options(capacity: usize) -> Result<SegmentOptions<PipeRoot, PipeWord>, RangeError> {
        Self::options_for(words_for(capacity))
    }

    /// The segment, for all that segments have: [`Segment::pass_to`], [`Segment::send_to`],
    /// [`Segment::participants`] and so on. A segment that came in such a way becomes a pipe by
    /// [`TryFrom`].
    pub fn segment(&self) -> &Segment<PipeRoot, PipeWord> {
        &self.segment
    }

    /// How many bytes the ring has. A message takes eight more than its length, rounded up to
    /// eight, and eight are always free.
    pub fn capacity(&self) -> usize {
        self.ring.bytes()
    }

    fn place(&self) -> Place {
        let root: &PipeRoot = &self.segment;
        Place::new(NonNull::from(&root.words), self.ring, self.segment.clone())
    }

    /// Takes the end for sending. It keeps the segment, so it can move to any thread of this
    /// process.
    ///
    /// ```
    /// use outlive::{Pipe, PipeEndError};
    ///
    /// let pipe = Pipe::anonymous(4096)?;
    /// let mut sender = pipe.sender()?;
    /// assert!(matches!(pipe.sender(), Err(PipeEndError::Taken { .. })));
    /// std::thread::spawn(move || sender.send_bytes(b"hello").unwrap());
    /// assert_eq!(pipe.receiver()?.recv_bytes()?, b"hello");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`PipeEndError::Taken`] if a living process has the sender; [`PipeEndError::Disconnected`]
    /// if it was dropped; [`PipeEndError::Register`].
    ///
    /// # If a process dies
    /// If it had the sender, another process can take it over.
    pub fn sender(&self) -> Result<PipeSender, PipeEndError> {
        PipeSender::take(self.place())
    }

    /// Takes the end for receiving. It keeps the segment, so it can move to any thread of this
    /// process.
    ///
    /// # Errors
    /// As [`sender`](Self::sender).
    ///
    /// # If a process dies
    /// As [`sender`](Self::sender).
    pub fn receiver(&self) -> Result<PipeReceiver, PipeEndError> {
        PipeReceiver::take(self.place())
    }
}

impl fmt::Debug for Pipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pipe").field("capacity", &self.capacity()).finish_non_exhaustive()
    }
}
