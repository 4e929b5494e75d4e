//! [`PipeReceiver`]: the end of a pipe for receiving.

use super::end::{End, Place};
use super::ring::Ring;
use crate::error::{PipeEndError, PipeRecvError, PipeRecvTimeoutError, PipeTryRecvError, RegisterError};
use crate::raw;
use crate::raw::pipe::{Frame, NotReady};
use crate::sync::result::no_deadline;
use crate::sync::{Deadline, WaitSource};
use core::fmt;
use core::mem;
use std::time::{Duration, Instant};

/// The end of a [`Pipe`](super::Pipe) for receiving: [`Pipe::receiver`](super::Pipe::receiver).
///
/// One process at a time has it. It may move between the threads of its process. When it is
/// dropped, the pipe ends: the sender gets
/// [`PipeSendError::Disconnected`](crate::PipeSendError::Disconnected). In a child that was forked
/// meanwhile, the copy is no end: its methods fail, and its drop does nothing.
///
/// # If a process dies
/// A sender that waits for room gets [`PipeSendError::PeerDied`](crate::PipeSendError::PeerDied).
/// It learns of the death within a second or so if the thread that took the receiver had ended
/// before its process, by itself. Another process can take the receiver over. It gets the messages
/// that the dead one had not received. A message of several parts that the dead one had begun to
/// receive is lost.
pub struct PipeReceiver {
    end: End,
    raw: raw::pipe::Receiver,
    /// What has come of a message of several frames.
    part: Vec<u8>,
    /// How many bytes of that message are still to come. 0: none has begun.
    left: u64,
}

/// Why no message was received.
pub(super) enum NotReceived {
    Raw(NotReady),
    TooShort {
        length: u64,
        room: usize,
    },
    #[cfg(feature = "serde")]
    Decode(std::io::Error),
    OfAnotherProcess,
    Register(RegisterError),
}

impl From<NotReady> for NotReceived {
    fn from(error: NotReady) -> Self {
        Self::Raw(error)
    }
}

impl From<RegisterError> for NotReceived {
    fn from(error: RegisterError) -> Self {
        Self::Register(error)
    }
}

/// Where a message is collected.
trait Sink {
    /// A message of so many bytes begins. What was collected before is dropped.
    fn begin(&mut self, length: u64) -> Result<(), NotReceived>;
    /// Appends the bytes of a frame.
    fn append(&mut self, ring: &Ring, frame: &Frame);
    /// What was collected.
    fn part(&mut self) -> Vec<u8>;
}

/// A buffer, and how much of it is used.
struct Buffer<'b> {
    bytes: &'b mut [u8],
    used: usize,
}

impl Sink for Buffer<'_> {
    fn begin(&mut self, length: u64) -> Result<(), NotReceived> {
        self.used = 0;
        let room = self.bytes.len();
        if length <= room as u64 { Ok(()) } else { Err(NotReceived::TooShort { length, room }) }
    }
    fn append(&mut self, ring: &Ring, frame: &Frame) {
        ring.read(frame, &mut self.bytes[self.used..]);
        self.used += frame.bytes() as usize;
    }
    fn part(&mut self) -> Vec<u8> {
        self.bytes[..self.used].to_vec()
    }
}

impl Sink for Vec<u8> {
    fn begin(&mut self, length: u64) -> Result<(), NotReceived> {
        self.clear();
        // A length may be nonsense. What is longer grows as it comes.
        self.reserve(length.min(1 << 20) as usize);
        Ok(())
    }
    fn append(&mut self, ring: &Ring, frame: &Frame) {
        ring.append(frame, self);
    }
    fn part(&mut self) -> Vec<u8> {
        mem::take(self)
    }
}

impl PipeReceiver {
    pub(super) fn take(place: Place) -> Result<Self, PipeEndError> {
        let (end, raw) = End::take(place, |lane, me| lane.take_receiver(me))?;
        Ok(Self { end, raw, part: vec![], left: 0 })
    }

    /// Receives a message. Waits for one as long as it takes. A signal ends the wait only in an
    /// [interruptible scope](crate::interruptible).
    ///
    /// # Errors
    /// [`PipeRecvError::Disconnected`] if the sender was dropped, and all messages are received;
    /// [`PipeRecvError::PeerDied`], in the same way; [`PipeRecvError::Interrupted`];
    /// [`PipeRecvError::Malformed`]; [`PipeRecvError::OfAnotherProcess`];
    /// [`PipeRecvError::Register`].
    ///
    /// # If a process dies
    /// The message was received, and is lost with the receiver, or it was not, and the next
    /// receiver gets it. If it has several parts, and the receiver dies among them, it is lost.
    pub fn recv_bytes(&mut self) -> Result<Vec<u8>, PipeRecvError> {
        Ok(self.recv_with(Deadline::NEVER)?)
    }

    /// Receives a message if that takes no waiting.
    ///
    /// # Errors
    /// [`PipeTryRecvError::Empty`] if there is no whole message; those of
    /// [`recv_bytes`](Self::recv_bytes).
    ///
    /// # If a process dies
    /// As [`recv_bytes`](Self::recv_bytes).
    pub fn try_recv_bytes(&mut self) -> Result<Vec<u8>, PipeTryRecvError> {
        Ok(self.recv_with(Deadline::Immediate)?)
    }

    /// Receives a message. Waits for all of it at most that long (monotonic time).
    /// [`Duration::MAX`] waits forever. What has come by then of a message stays for the next call.
    ///
    /// # Errors
    /// [`PipeRecvTimeoutError::TimedOut`]; those of [`recv_bytes`](Self::recv_bytes).
    ///
    /// # If a process dies
    /// As [`recv_bytes`](Self::recv_bytes).
    pub fn recv_bytes_timeout(&mut self, timeout: Duration) -> Result<Vec<u8>, PipeRecvTimeoutError> {
        Ok(self.recv_with(Deadline::after(timeout))?)
    }

    /// Receives a message. Waits for all of it at most until that moment.
    ///
    /// # Errors
    /// As [`recv_bytes_timeout`](Self::recv_bytes_timeout).
    ///
    /// # If a process dies
    /// As [`recv_bytes`](Self::recv_bytes).
    pub fn recv_bytes_deadline(&mut self, deadline: Instant) -> Result<Vec<u8>, PipeRecvTimeoutError> {
        Ok(self.recv_with(Deadline::at(deadline))?)
    }

    /// Receives a message into a buffer, and returns its length. Waits as
    /// [`recv_bytes`](Self::recv_bytes).
    ///
    /// ```
    /// use outlive::{Pipe, PipeRecvError};
    ///
    /// let pipe = Pipe::anonymous(4096)?;
    /// let (mut sender, mut receiver) = (pipe.sender()?, pipe.receiver()?);
    /// sender.send_bytes(b"hello")?;
    /// let mut buffer = [0; 5];
    /// let too_short = receiver.recv_into(&mut buffer[..3]);
    /// assert!(matches!(too_short, Err(PipeRecvError::TooShort { length: 5, room: 3 })));
    /// assert_eq!(receiver.recv_into(&mut buffer)?, 5); // it has stayed
    /// assert_eq!(&buffer, b"hello");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`PipeRecvError::TooShort`] if the buffer is shorter than the message, which stays; those of
    /// [`recv_bytes`](Self::recv_bytes). The buffer may have changed.
    ///
    /// # If a process dies
    /// As [`recv_bytes`](Self::recv_bytes).
    #[inline]
    pub fn recv_into(&mut self, buffer: &mut [u8]) -> Result<usize, PipeRecvError> {
        match self.recv_at_once(buffer) {
            Some(length) => Ok(length),
            None => Ok(self.recv_into_with(buffer, Deadline::NEVER)?),
        }
    }

    /// Receives a message into a buffer if that takes no waiting, and returns its length.
    ///
    /// # Errors
    /// [`PipeTryRecvError::TooShort`]; those of [`try_recv_bytes`](Self::try_recv_bytes).
    ///
    /// # If a process dies
    /// As [`recv_bytes`](Self::recv_bytes).
    #[inline]
    pub fn try_recv_into(&mut self, buffer: &mut [u8]) -> Result<usize, PipeTryRecvError> {
        match self.recv_at_once(buffer) {
            Some(length) => Ok(length),
            None => Ok(self.recv_into_with(buffer, Deadline::Immediate)?),
        }
    }

    /// Receives a message into a buffer, and returns its length. Waits as
    /// [`recv_bytes_timeout`](Self::recv_bytes_timeout).
    ///
    /// # Errors
    /// [`PipeRecvTimeoutError::TooShort`]; those of
    /// [`recv_bytes_timeout`](Self::recv_bytes_timeout).
    ///
    /// # If a process dies
    /// As [`recv_bytes`](Self::recv_bytes).
    pub fn recv_into_timeout(&mut self, buffer: &mut [u8], timeout: Duration) -> Result<usize, PipeRecvTimeoutError> {
        Ok(self.recv_into_with(buffer, Deadline::after(timeout))?)
    }

    /// Receives a message into a buffer, and returns its length. Waits as
    /// [`recv_bytes_deadline`](Self::recv_bytes_deadline).
    ///
    /// # Errors
    /// As [`recv_into_timeout`](Self::recv_into_timeout).
    ///
    /// # If a process dies
    /// As [`recv_bytes`](Self::recv_bytes).
    pub fn recv_into_deadline(&mut self, buffer: &mut [u8], deadline: Instant) -> Result<usize, PipeRecvTimeoutError> {
        Ok(self.recv_into_with(buffer, Deadline::at(deadline))?)
    }

    /// Waits until there is a message, or its first part, at most that long (monotonic time).
    /// Returns whether there is. [`Duration::ZERO`] does not wait.
    ///
    /// # Errors
    /// Those of [`recv_bytes`](Self::recv_bytes): there is no message, and none will come.
    ///
    /// # If a process dies
    /// Nothing was received, so nothing is lost.
    pub fn poll(&mut self, timeout: Duration) -> Result<bool, PipeRecvError> {
        let deadline = if timeout.is_zero() { Deadline::Immediate } else { Deadline::after(timeout) };
        match self.next_frame(deadline) {
            Ok(_) => Ok(true),
            Err(NotReceived::Raw(NotReady::WouldBlock | NotReady::TimedOut)) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Receives a message, as far as it has come. `None`: not to its end.
    pub(in crate::sync) fn recv_as_far_as_possible(&mut self) -> Option<Result<Vec<u8>, PipeRecvError>> {
        match self.recv_with(Deadline::Immediate) {
            Err(NotReceived::Raw(NotReady::WouldBlock)) => None,
            received => Some(received.map_err(PipeRecvError::from)),
        }
    }

    /// A source of [`wait_any`](crate::wait_any): there is a message, or its first part, or none
    /// will come.
    #[must_use]
    pub fn readable(&self) -> WaitSource<'_> {
        self.end.place.readable()
    }

    /// As [`readable`](Self::readable).
    ///
    /// # Safety
    /// The receiver exists as long as the source.
    pub(in crate::sync) unsafe fn readable_for<'a>(&self) -> WaitSource<'a> {
        // SAFETY: the source refers to the mapping, which the receiver keeps.
        unsafe { core::mem::transmute::<WaitSource<'_>, WaitSource<'a>>(self.readable()) }
    }

    /// Receives a message of one frame, if it is there and fits.
    #[inline(always)]
    fn recv_at_once(&mut self, buffer: &mut [u8]) -> Option<usize> {
        let lane = self.end.place.lane();
        let frame = lane.find(&self.raw).ok()?;
        let length = frame.bytes() as usize;
        let is_plain = frame.is_last() && !frame.continues() && length <= buffer.len();
        if !is_plain || self.left > 0 || !self.end.is_of_this_process() {
            return None;
        }
        self.end.place.ring().read(&frame, buffer);
        lane.finish(&mut self.raw, frame);
        Some(length)
    }

    #[inline(never)]
    pub(super) fn recv_with(&mut self, deadline: Deadline) -> Result<Vec<u8>, NotReceived> {
        let mut message = mem::take(&mut self.part);
        self.collect(&mut message, deadline)?;
        Ok(message)
    }

    #[cold]
    #[inline(never)]
    fn recv_into_with(&mut self, buffer: &mut [u8], deadline: Deadline) -> Result<usize, NotReceived> {
        let room = buffer.len();
        let mut buffer = Buffer { bytes: buffer, used: 0 };
        if self.left > 0 {
            let length = self.part.len() as u64 + self.left;
            if length > room as u64 {
                return Err(NotReceived::TooShort { length, room });
            }
            buffer.used = self.part.len();
            buffer.bytes[..buffer.used].copy_from_slice(&self.part);
        }
        self.collect(&mut buffer, deadline)?;
        Ok(buffer.used)
    }

    /// Receives the rest of a message, and keeps what has come if the rest does not.
    fn collect(&mut self, sink: &mut impl Sink, deadline: Deadline) -> Result<(), NotReceived> {
        loop {
            let frame = match self.next_frame(deadline) {
                Ok(frame) => frame,
                Err(error) => {
                    self.part = if self.left > 0 { sink.part() } else { vec![] };
                    return Err(error);
                }
            };
            if !frame.continues() {
                sink.begin(frame.left())?;
            }
            sink.append(self.end.place.ring(), &frame);
            self.left = frame.left() - frame.bytes();
            let lane = self.end.place.lane();
            if self.left == 0 {
                lane.finish(&mut self.raw, frame);
                self.part = vec![];
                return Ok(());
            }
            if let Err(error) = lane.finish_and_go_on(&mut self.raw, frame) {
                self.begin_anew();
                return Err(error.into());
            }
        }
    }

    /// The next frame that begins a message, or continues the one that has begun to come.
    fn next_frame(&mut self, deadline: Deadline) -> Result<Frame, NotReceived> {
        loop {
            let frame = self.any_next_frame(deadline)?;
            let is_next = !frame.continues() || self.left > 0 && frame.left() == self.left;
            if !frame.continues() || !is_next {
                self.begin_anew(); // the message before it was cut off
            }
            if is_next {
                return Ok(frame);
            }
            // A former receiver had begun this message.
            self.end.place.lane().finish_and_go_on(&mut self.raw, frame)?;
        }
    }

    /// Drops what has come of a message.
    fn begin_anew(&mut self) {
        self.left = 0;
        self.part.clear();
    }

    fn any_next_frame(&mut self, deadline: Deadline) -> Result<Frame, NotReceived> {
        if !self.end.is_of_this_process() {
            return Err(NotReceived::OfAnotherProcess);
        }
        let lane = self.end.place.lane();
        if let Ok(frame) = lane.find(&self.raw) {
            return Ok(frame);
        }
        let me = self.end.place.participant()?;
        let next = match deadline {
            Deadline::Immediate => lane.try_next_frame(me, &mut self.raw),
            Deadline::By(deadline) => lane.next_frame(me, &mut self.raw, deadline),
        };
        if let Err(NotReady::Closed | NotReady::PeerDied(_) | NotReady::Malformed) = next {
            self.begin_anew();
        }
        Ok(next?)
    }

    /// Receives some bytes of the next message, and returns their number. `more` gets those for
    /// which there is no room.
    pub(super) fn recv_some(&mut self, bytes: &mut [u8], more: &mut Vec<u8>) -> Result<usize, PipeRecvError> {
        loop {
            let frame = self.any_next_frame(Deadline::NEVER)?;
            let ring = self.end.place.ring();
            let received = if frame.bytes() as usize <= bytes.len() {
                ring.read(&frame, bytes);
                frame.bytes() as usize
            } else {
                ring.append(&frame, more);
                0
            };
            let lane = self.end.place.lane();
            if frame.bytes() > 0 {
                lane.finish(&mut self.raw, frame);
                return Ok(received);
            }
            lane.finish_and_go_on(&mut self.raw, frame).map_err(NotReceived::from)?;
        }
    }

    /// What has come of a message of several parts.
    pub(super) fn take_part(&mut self) -> Vec<u8> {
        self.left = 0;
        mem::take(&mut self.part)
    }
}

impl Drop for PipeReceiver {
    fn drop(&mut self) {
        self.end.give_back(self.raw.holder(), |lane| lane.give_back_receiver(&self.raw));
    }
}

impl fmt::Debug for PipeReceiver {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.debug_struct("PipeReceiver").field("taken_by", &self.raw.holder()).finish_non_exhaustive()
    }
}

macro_rules! from_not_received {
    ($($error:ident { $would_block:pat => $empty:expr, $timed_out:pat => $late:expr, $interrupted:pat => $by:expr })*) => {$(
        impl From<NotReceived> for $error {
            #[cold]
            fn from(error: NotReceived) -> Self {
                match error {
                    NotReceived::TooShort { length, room } => Self::TooShort { length: length as usize, room },
                    #[cfg(feature = "serde")]
                    NotReceived::Decode(error) => Self::Decode(error),
                    NotReceived::OfAnotherProcess => Self::OfAnotherProcess,
                    NotReceived::Register(error) => Self::Register(error),
                    NotReceived::Raw(NotReady::Closed) => Self::Disconnected,
                    NotReceived::Raw(NotReady::PeerDied(by)) => Self::PeerDied { by },
                    NotReceived::Raw(NotReady::Malformed) => Self::Malformed,
                    NotReceived::Raw($would_block) => $empty,
                    NotReceived::Raw($timed_out) => $late,
                    NotReceived::Raw($interrupted) => $by,
                }
            }
        }
    )*};
}

from_not_received! {
    PipeRecvError {
        NotReady::WouldBlock => no_deadline(), NotReady::TimedOut => no_deadline(),
        NotReady::Interrupted => Self::Interrupted
    }
    PipeTryRecvError {
        NotReady::WouldBlock => Self::Empty, NotReady::TimedOut => Self::Empty, NotReady::Interrupted => Self::Empty
    }
    PipeRecvTimeoutError {
        NotReady::WouldBlock => Self::TimedOut, NotReady::TimedOut => Self::TimedOut,
        NotReady::Interrupted => Self::Interrupted
    }
}
