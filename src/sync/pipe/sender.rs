//! [`PipeSender`]: the end of a pipe for sending.

use super::end::{End, Place};
use super::ring::Ring;
use crate::error::{PipeEndError, PipeSendError, PipeSendTimeoutError, PipeTrySendError, RegisterError};
use crate::platform::Linux;
use crate::raw;
use crate::raw::pipe::{Frame, Lane, MOST_BYTES, NotReady};
use crate::sync::result::no_deadline;
use crate::sync::{Deadline, WaitSource};
use core::fmt;
use std::time::{Duration, Instant};

/// The end of a [`Pipe`](super::Pipe) for sending: [`Pipe::sender`](super::Pipe::sender).
///
/// One process at a time has it. It may move between the threads of its process. When it is
/// dropped, the pipe ends: the receiver gets what was sent, and then
/// [`PipeRecvError::Disconnected`](crate::PipeRecvError::Disconnected). In a child that was forked
/// meanwhile, the copy is no end: its methods fail, and its drop does nothing.
///
/// # If a process dies
/// The receiver gets what was sent, and then
/// [`PipeRecvError::PeerDied`](crate::PipeRecvError::PeerDied). It learns of the death within a
/// second or so if the thread that took the sender had ended before its process, by itself. Another
/// process can take the sender over.
pub struct PipeSender {
    end: End,
    raw: raw::pipe::Sender,
    /// The bytes of the value that was encoded last. Kept for the next one.
    #[cfg(feature = "serde")]
    pub(super) encoded: Vec<u8>,
}

/// What is left of a message that is sent.
#[derive(Debug)]
pub(in crate::sync) struct Rest<'m> {
    left: &'m [u8],
    continues: bool,
}

impl<'m> Rest<'m> {
    pub(in crate::sync) fn all_of(message: &'m [u8]) -> Self {
        Self { left: message, continues: false }
    }
}

/// Why a message was not sent.
pub(super) enum NotSent {
    Raw(NotReady),
    TooLong {
        length: usize,
        most: usize,
    },
    #[cfg(feature = "serde")]
    Encode(std::io::Error),
    OfAnotherProcess,
    Register(RegisterError),
}

impl From<NotReady> for NotSent {
    fn from(error: NotReady) -> Self {
        Self::Raw(error)
    }
}

impl From<RegisterError> for NotSent {
    fn from(error: RegisterError) -> Self {
        Self::Register(error)
    }
}

impl PipeSender {
    pub(super) fn take(place: Place) -> Result<Self, PipeEndError> {
        let (end, raw) = End::take(place, |lane, me| lane.take_sender(me))?;
        Ok(Self {
            end,
            raw,
            #[cfg(feature = "serde")]
            encoded: vec![],
        })
    }

    /// Sends a message. Waits for room as long as it takes. A signal ends the wait only in an
    /// [interruptible scope](crate::interruptible).
    ///
    /// A message that is longer than a quarter of the pipe's capacity goes through in parts. If
    /// this fails when some of them are sent, the receiver drops them.
    ///
    /// As long as there is room, the sender does not notice that the receiver's process is dead.
    ///
    /// # Errors
    /// [`PipeSendError::Disconnected`] if the receiver was dropped; [`PipeSendError::PeerDied`];
    /// [`PipeSendError::Interrupted`]; [`PipeSendError::TooLong`] from 64 TiB on;
    /// [`PipeSendError::OfAnotherProcess`]; [`PipeSendError::Register`].
    ///
    /// # If a process dies
    /// The message was sent, or was not; never a part of it.
    #[inline]
    pub fn send_bytes(&mut self, message: &[u8]) -> Result<(), PipeSendError> {
        if self.send_at_once(message) { Ok(()) } else { Ok(self.send_slowly(message, Deadline::NEVER)?) }
    }

    /// Sends a message if that takes no waiting.
    ///
    /// # Errors
    /// [`PipeTrySendError::Full`] if there is no room for the whole message;
    /// [`PipeTrySendError::TooLong`] if there never is; those of [`send_bytes`](Self::send_bytes).
    ///
    /// # If a process dies
    /// As [`send_bytes`](Self::send_bytes).
    #[inline]
    pub fn try_send_bytes(&mut self, message: &[u8]) -> Result<(), PipeTrySendError> {
        if self.send_at_once(message) { Ok(()) } else { Ok(self.send_slowly(message, Deadline::Immediate)?) }
    }

    /// Sends a message. Waits for room at most that long (monotonic time), for all its parts
    /// together. [`Duration::MAX`] waits forever.
    ///
    /// # Errors
    /// [`PipeSendTimeoutError::TimedOut`]: the message was not sent, and the receiver drops its
    /// parts. Those of [`send_bytes`](Self::send_bytes).
    ///
    /// # If a process dies
    /// As [`send_bytes`](Self::send_bytes).
    pub fn send_bytes_timeout(&mut self, message: &[u8], timeout: Duration) -> Result<(), PipeSendTimeoutError> {
        Ok(self.send_slowly(message, Deadline::after(timeout))?)
    }

    /// Sends a message. Waits for room at most until that moment.
    ///
    /// # Errors
    /// As [`send_bytes_timeout`](Self::send_bytes_timeout).
    ///
    /// # If a process dies
    /// As [`send_bytes`](Self::send_bytes).
    pub fn send_bytes_deadline(&mut self, message: &[u8], deadline: Instant) -> Result<(), PipeSendTimeoutError> {
        Ok(self.send_slowly(message, Deadline::at(deadline))?)
    }

    /// The most bytes of a message that [`try_send_bytes`](Self::try_send_bytes) can send: when the
    /// pipe is empty.
    pub fn most_at_once(&self) -> usize {
        self.end.place.lane().most_bytes_at_once() as usize
    }

    /// Sends a message of one frame, if there is room.
    #[inline(always)]
    pub(super) fn send_at_once(&mut self, message: &[u8]) -> bool {
        let lane = self.end.place.lane();
        let length = message.len() as u64;
        if length > lane.most_bytes_of_frame() || !self.end.is_of_this_process() || lane.is_receiver_closed() {
            return false;
        }
        let frame = lane.frame(&self.raw, length, false);
        let has_room = lane.has_room_for(&mut self.raw, &frame);
        if has_room {
            self.end.place.ring().write(&frame, message);
            lane.publish(&mut self.raw, frame);
        }
        has_room
    }

    #[cold]
    #[inline(never)]
    pub(super) fn send_slowly(&mut self, message: &[u8], deadline: Deadline) -> Result<(), NotSent> {
        if !self.end.is_of_this_process() {
            return Err(NotSent::OfAnotherProcess);
        }
        let lane = self.end.place.lane();
        let length = message.len();
        let most = if deadline == Deadline::Immediate { lane.most_bytes_at_once() } else { MOST_BYTES } as usize;
        if length > most {
            return Err(NotSent::TooLong { length, most });
        }
        let me = self.end.place.participant()?;
        if lane.is_receiver_closed() {
            return Err(NotReady::Closed.into());
        }
        if deadline == Deadline::Immediate {
            lane.try_reserve(me, &mut self.raw, lane.words_of_message(length as u64))?;
        }
        let mut rest = Rest::all_of(message);
        Ok(send_rest(&self.end.place, &mut self.raw, &mut rest, |lane, raw, frame| {
            lane.reserve(me, raw, frame, deadline.deadline())
        })?)
    }

    /// Sends what is left of a message, as far as there is room. Returns whether that was all.
    pub(in crate::sync) fn send_as_far_as_possible(
        &mut self,
        rest: &mut Rest<'_>,
    ) -> Option<Result<(), PipeSendError>> {
        let mut send = || {
            if !self.end.is_of_this_process() {
                return Err(NotSent::OfAnotherProcess);
            }
            let (length, most) = (rest.left.len(), MOST_BYTES as usize);
            if length > most {
                return Err(NotSent::TooLong { length, most });
            }
            let me = self.end.place.participant()?;
            if self.end.place.lane().is_receiver_closed() {
                return Err(NotReady::Closed.into());
            }
            Ok(send_rest(&self.end.place, &mut self.raw, rest, |lane, raw, frame| {
                lane.try_reserve(me, raw, frame.words())
            })?)
        };
        match send() {
            Err(NotSent::Raw(NotReady::WouldBlock)) => None,
            sent => Some(sent.map_err(PipeSendError::from)),
        }
    }

    /// A source of [`wait_any`](crate::wait_any): there is room for a message of a quarter of the
    /// pipe's capacity, or nobody receives any more.
    #[must_use]
    pub fn writable(&self) -> WaitSource<'_> {
        let lane = self.end.place.lane();
        let longest = lane.frame(&self.raw, lane.most_bytes_of_frame(), false);
        self.end.place.writable(longest.words())
    }

    /// A source that is ready if there is room for so many words, or nobody receives any more.
    ///
    /// # Safety
    /// The sender exists as long as the source.
    pub(in crate::sync) unsafe fn writable_for<'a>(&self, words: u64) -> WaitSource<'a> {
        // SAFETY: the source refers to the mapping, which the sender keeps.
        unsafe { core::mem::transmute::<WaitSource<'_>, WaitSource<'a>>(self.end.place.writable(words)) }
    }

    /// The words of the next frame of what is left of a message.
    pub(in crate::sync) fn words_of_next_frame(&self, rest: &Rest<'_>) -> u64 {
        self.end.place.lane().frame(&self.raw, rest.left.len() as u64, rest.continues).words()
    }

    /// Sends as many of the bytes as one frame can have.
    pub(super) fn send_some(&mut self, bytes: &[u8]) -> Result<usize, PipeSendError> {
        let most = self.end.place.lane().most_bytes_of_frame().min(bytes.len() as u64) as usize;
        self.send_bytes(&bytes[..most]).map(|()| most)
    }
}

/// Sends what is left of a message. `reserve` waits for room for a frame.
fn send_rest(
    place: &Place,
    sender: &mut raw::pipe::Sender,
    rest: &mut Rest<'_>,
    reserve: impl Fn(&Lane<'_, Linux, Ring>, &mut raw::pipe::Sender, &Frame) -> Result<(), NotReady>,
) -> Result<(), NotReady> {
    let lane = place.lane();
    loop {
        let frame = lane.frame(sender, rest.left.len() as u64, rest.continues);
        if !lane.has_room_for(sender, &frame) {
            reserve(&lane, sender, &frame)?;
        }
        let (now, later) = rest.left.split_at(frame.bytes() as usize);
        place.ring().write(&frame, now);
        lane.publish(sender, frame);
        if later.is_empty() {
            return Ok(());
        }
        *rest = Rest { left: later, continues: true };
    }
}

impl Drop for PipeSender {
    fn drop(&mut self) {
        self.end.give_back(self.raw.holder(), |lane| lane.give_back_sender(&self.raw));
    }
}

impl fmt::Debug for PipeSender {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.debug_struct("PipeSender").field("taken_by", &self.raw.holder()).finish_non_exhaustive()
    }
}

macro_rules! from_not_sent {
    ($($error:ident { $would_block:pat => $full:expr, $timed_out:pat => $late:expr, $interrupted:pat => $by:expr })*) => {$(
        impl From<NotSent> for $error {
            #[cold]
            fn from(error: NotSent) -> Self {
                match error {
                    NotSent::TooLong { length, most } => Self::TooLong { length, most },
                    #[cfg(feature = "serde")]
                    NotSent::Encode(error) => Self::Encode(error),
                    NotSent::OfAnotherProcess => Self::OfAnotherProcess,
                    NotSent::Register(error) => Self::Register(error),
                    NotSent::Raw(NotReady::Closed) => Self::Disconnected,
                    NotSent::Raw(NotReady::PeerDied(by)) => Self::PeerDied { by },
                    NotSent::Raw($would_block) => $full,
                    NotSent::Raw($timed_out) => $late,
                    NotSent::Raw($interrupted) => $by,
                    NotSent::Raw(NotReady::Malformed) => unreachable!("a sender reads no frames"),
                }
            }
        }
    )*};
}

from_not_sent! {
    PipeSendError {
        NotReady::WouldBlock => no_deadline(), NotReady::TimedOut => no_deadline(),
        NotReady::Interrupted => Self::Interrupted
    }
    PipeTrySendError {
        NotReady::WouldBlock => Self::Full, NotReady::TimedOut => Self::Full, NotReady::Interrupted => Self::Full
    }
    PipeSendTimeoutError {
        NotReady::WouldBlock => Self::TimedOut, NotReady::TimedOut => Self::TimedOut,
        NotReady::Interrupted => Self::Interrupted
    }
}
