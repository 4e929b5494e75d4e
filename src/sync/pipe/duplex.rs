//! [`DuplexPipe`]: two pipes, one in each direction.

use super::end::Place;
use super::ring::{PipeWord, Ring};
use super::{MOST_WORDS, PipeReceiver, PipeSender, ring_of, words_for};
use crate::error::{
    OpenError, PipeEndError, PipeRecvError, PipeRecvTimeoutError, PipeSendError, PipeSendTimeoutError,
    PipeTryRecvError, PipeTrySendError, RangeError, RemoveError,
};
use crate::platform::Linux;
use crate::raw;
use crate::segment::own::OwnSegment;
use crate::segment::{Definition, Location, Part, Segment, SegmentOptions, Shareable};
use crate::sync::{PipeRecv, PipeSend, WaitSource};
use core::fmt;
use core::mem::offset_of;
use core::ptr::NonNull;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Two [pipes](super::Pipe) in memory that processes share, one in each direction. It has two ends;
/// each sends messages to the other one and receives its messages.
///
/// ```
/// use outlive::DuplexPipe;
///
/// let pipe = DuplexPipe::anonymous(4096)?;
/// let mut server = pipe.second()?;
/// std::thread::spawn(move || {
///     let request = server.recv_bytes().unwrap();
///     server.send_bytes(&[&request[..], b" world"].concat()).unwrap();
/// });
/// let mut client = pipe.first()?;
/// client.send_bytes(b"hello")?;
/// assert_eq!(client.recv_bytes()?, b"hello world");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # If a process dies
/// See [`Pipe`](super::Pipe#if-a-process-dies), for each direction.
pub struct DuplexPipe {
    segment: Arc<Segment<DuplexPipeRoot, PipeWord>>,
    rings: [Ring; 2],
}

/// The words of a [`DuplexPipe`] whose rings are the room of a segment. It has no operations.
#[repr(C)]
pub struct DuplexPipeRoot {
    from_first: raw::Pipe<Linux>,
    from_second: raw::Pipe<Linux>,
}

// SAFETY: words alone, understood whatever their bits; repr(C), no pointers, no Drop.
unsafe impl Shareable for DuplexPipeRoot {
    const DEFINITION: &'static Definition = &Definition::structure::<Self>(
        "outlive::DuplexPipeRoot",
        &[
            Part::words::<raw::Pipe<Linux>>("from_first", offset_of!(Self, from_first)),
            Part::words::<raw::Pipe<Linux>>("from_second", offset_of!(Self, from_second)),
        ],
    );
}

impl fmt::Debug for DuplexPipeRoot {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.debug_struct("DuplexPipeRoot").finish_non_exhaustive()
    }
}

impl OwnSegment for DuplexPipe {
    type Root = DuplexPipeRoot;
    type Room = PipeWord;
    const LENGTH: &'static str = "the capacity of a pipe, in words of eight bytes for both directions,";
    const MOST: usize = 2 * MOST_WORDS;
}

/// The words for both directions.
fn words_for_both(capacity: usize) -> usize {
    words_for(capacity).saturating_mul(2)
}

/// The pipe that a segment is.
impl TryFrom<Segment<DuplexPipeRoot, PipeWord>> for DuplexPipe {
    type Error = OpenError;

    /// # Errors
    /// [`OpenError::InvalidSize`] if the halves of the segment's room are no rings.
    fn try_from(segment: Segment<DuplexPipeRoot, PipeWord>) -> Result<Self, OpenError> {
        let room = segment.room();
        let (first, second) = room.split_at(room.len().div_ceil(2));
        let rings = [ring_of(NonNull::from(first))?, ring_of(NonNull::from(second))?];
        Ok(Self { segment: Arc::new(segment), rings })
    }
}

impl DuplexPipe {
    /// Makes a named (`&str`) or file-backed (`&Path`) pipe. Each direction gets a ring as in
    /// [`Pipe::create`](super::Pipe::create).
    ///
    /// # Errors
    /// As there.
    pub fn create(place: impl Into<Location>, capacity: usize) -> Result<Self, OpenError> {
        Self::create_at(place, words_for_both(capacity), |_, _| {})
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
        Self::open_or_create_at(place, words_for_both(capacity), |_, _| {})
    }

    /// Makes a pipe without a name: for threads, for children that are forked, or to be
    /// [passed on](Segment::pass_to).
    ///
    /// # Errors
    /// As [`Pipe::anonymous`](super::Pipe::anonymous).
    pub fn anonymous(capacity: usize) -> Result<Self, OpenError> {
        Self::anonymous_of(words_for_both(capacity), |_, _| {})
    }

    /// Removes the name of a pipe, as [`Segment::remove`].
    ///
    /// # Errors
    /// Those of [`Segment::remove`].
    pub fn remove(place: impl Into<Location>) -> Result<(), RemoveError> {
        Segment::<DuplexPipeRoot>::remove(place)
    }

    /// Options to make or open the segment of a pipe with. The segment then becomes a pipe by
    /// `DuplexPipe::try_from`. The capacity counts for a new pipe alone.
    ///
    /// # Errors
    /// As [`Pipe::options`](super::Pipe::options).
    pub fn options(capacity: usize) -> Result<SegmentOptions<DuplexPipeRoot, PipeWord>, RangeError> {
        Self::options_for(words_for_both(capacity))
    }

    /// The segment, for all that segments have: [`Segment::pass_to`], [`Segment::send_to`],
    /// [`Segment::participants`] and so on. A segment that came in such a way becomes a pipe by
    /// [`TryFrom`].
    pub fn segment(&self) -> &Segment<DuplexPipeRoot, PipeWord> {
        &self.segment
    }

    /// How many bytes the ring of each direction has.
    pub fn capacity(&self) -> usize {
        self.rings[0].bytes()
    }

    fn places(&self) -> [Place; 2] {
        let root: &DuplexPipeRoot = &self.segment;
        let place = |words, ring| Place::new(NonNull::from(words), ring, self.segment.clone());
        [place(&root.from_first, self.rings[0]), place(&root.from_second, self.rings[1])]
    }

    /// Takes one of the ends. It keeps the segment, so it can move to any thread of this process.
    ///
    /// # Errors
    /// As [`Pipe::sender`](super::Pipe::sender). If only one direction was dropped, the other one
    /// ends, too.
    ///
    /// # If a process dies
    /// If it had this end, another process can take it over.
    pub fn first(&self) -> Result<DuplexPipeEnd, PipeEndError> {
        let [from_first, from_second] = self.places();
        DuplexPipeEnd::take(from_first, from_second)
    }

    /// Takes the other end. It keeps the segment, so it can move to any thread of this process.
    ///
    /// # Errors
    /// As [`first`](Self::first).
    ///
    /// # If a process dies
    /// As [`first`](Self::first).
    pub fn second(&self) -> Result<DuplexPipeEnd, PipeEndError> {
        let [from_first, from_second] = self.places();
        DuplexPipeEnd::take(from_second, from_first)
    }
}

impl fmt::Debug for DuplexPipe {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.debug_struct("DuplexPipe").field("capacity", &self.capacity()).finish_non_exhaustive()
    }
}

/// One of the two ends of a [`DuplexPipe`]: [`DuplexPipe::first`], [`DuplexPipe::second`].
///
/// It is a [`PipeSender`] and a [`PipeReceiver`]: [`split`](Self::split) gives both, for two
/// threads. When it is dropped, both directions end.
///
/// # If a process dies
/// As for [`PipeSender`] and [`PipeReceiver`].
#[derive(Debug)]
pub struct DuplexPipeEnd {
    sender: PipeSender,
    receiver: PipeReceiver,
}

impl DuplexPipeEnd {
    fn take(to: Place, from: Place) -> Result<Self, PipeEndError> {
        // All take the sender first. So who has it finds the receiver free, left by a dead process,
        // or dropped.
        Ok(Self { sender: PipeSender::take(to)?, receiver: PipeReceiver::take(from)? })
    }

    /// As [`PipeReceiver::readable`].
    #[must_use]
    pub fn readable(&self) -> WaitSource<'_> {
        self.receiver.readable()
    }

    /// As [`PipeSender::writable`].
    #[must_use]
    pub fn writable(&self) -> WaitSource<'_> {
        self.sender.writable()
    }

    /// As [`PipeReceiver::recv_bytes_async`].
    ///
    /// # Errors
    /// As there.
    ///
    /// # If a process dies
    /// As there.
    pub fn recv_bytes_async(&mut self) -> PipeRecv<'_> {
        self.receiver.recv_bytes_async()
    }

    /// As [`PipeSender::send_bytes_async`].
    ///
    /// # Errors
    /// As there.
    ///
    /// # If a process dies
    /// As there.
    pub fn send_bytes_async<'p>(&'p mut self, message: &'p [u8]) -> PipeSend<'p> {
        self.sender.send_bytes_async(message)
    }

    /// The two directions, for example for two threads.
    pub fn split(self) -> (PipeSender, PipeReceiver) {
        (self.sender, self.receiver)
    }
}

/// Methods of one direction.
macro_rules! forward {
    (
        $end:ident, $direction:ident:
        $($(#[$doc:meta])* fn $method:ident $([$($generic:tt)*])? ($($argument:ident: $type:ty),*) -> $answer:ty;)*
    ) => {
        impl DuplexPipeEnd {
            $(
                #[doc = concat!("As [`", stringify!($end), "::", stringify!($method), "`].")]
                $(#[$doc])*
                ///
                /// # Errors
                /// As there.
                #[inline]
                pub fn $method $(<$($generic)*>)? (&mut self, $($argument: $type),*) -> $answer {
                    self.$direction.$method($($argument),*)
                }
            )*
        }
    };
}

forward! { PipeSender, sender:
    fn send_bytes(message: &[u8]) -> Result<(), PipeSendError>;
    fn try_send_bytes(message: &[u8]) -> Result<(), PipeTrySendError>;
    fn send_bytes_timeout(message: &[u8], timeout: Duration) -> Result<(), PipeSendTimeoutError>;
    fn send_bytes_deadline(message: &[u8], deadline: Instant) -> Result<(), PipeSendTimeoutError>;
}

forward! { PipeReceiver, receiver:
    fn recv_bytes() -> Result<Vec<u8>, PipeRecvError>;
    fn try_recv_bytes() -> Result<Vec<u8>, PipeTryRecvError>;
    fn recv_bytes_timeout(timeout: Duration) -> Result<Vec<u8>, PipeRecvTimeoutError>;
    fn recv_bytes_deadline(deadline: Instant) -> Result<Vec<u8>, PipeRecvTimeoutError>;
    fn recv_into(buffer: &mut [u8]) -> Result<usize, PipeRecvError>;
    fn try_recv_into(buffer: &mut [u8]) -> Result<usize, PipeTryRecvError>;
    fn recv_into_timeout(buffer: &mut [u8], timeout: Duration) -> Result<usize, PipeRecvTimeoutError>;
    fn recv_into_deadline(buffer: &mut [u8], deadline: Instant) -> Result<usize, PipeRecvTimeoutError>;
    fn poll(timeout: Duration) -> Result<bool, PipeRecvError>;
}

#[cfg(feature = "serde")]
forward! { PipeSender, sender:
    ///
    /// # Panics
    /// As there.
    fn send [T: serde::Serialize + ?Sized] (value: &T) -> Result<(), PipeSendError>;
    ///
    /// # Panics
    /// As there.
    fn try_send [T: serde::Serialize + ?Sized] (value: &T) -> Result<(), PipeTrySendError>;
    ///
    /// # Panics
    /// As there.
    fn send_timeout [T: serde::Serialize + ?Sized] (value: &T, timeout: Duration) -> Result<(), PipeSendTimeoutError>;
    ///
    /// # Panics
    /// As there.
    fn send_deadline [T: serde::Serialize + ?Sized] (value: &T, deadline: Instant) -> Result<(), PipeSendTimeoutError>;
}

#[cfg(feature = "serde")]
forward! { PipeReceiver, receiver:
    ///
    /// # Panics
    /// As there.
    fn recv [T: serde::de::DeserializeOwned] () -> Result<T, PipeRecvError>;
    ///
    /// # Panics
    /// As there.
    fn try_recv [T: serde::de::DeserializeOwned] () -> Result<T, PipeTryRecvError>;
    ///
    /// # Panics
    /// As there.
    fn recv_timeout [T: serde::de::DeserializeOwned] (timeout: Duration) -> Result<T, PipeRecvTimeoutError>;
    ///
    /// # Panics
    /// As there.
    fn recv_deadline [T: serde::de::DeserializeOwned] (deadline: Instant) -> Result<T, PipeRecvTimeoutError>;
}
