//! [`PipeSendError`], [`PipeRecvError`] and their kin: nothing was sent through a pipe, or nothing
//! received. [`PipeEndError`]: no end of a pipe was taken.

use super::RegisterError;
use super::register::needs_registration;
use crate::ParticipantId;
use std::{fmt, io};

const INTERRUPTED: &str = "this thread was interrupted while it waited; see to the signal, then wait again or give up";
const OF_ANOTHER_PROCESS: &str =
    "this end belongs to the process that forked this one; use it there, or take an end of this process";
const NOBODY_RECEIVES: &str = "nobody receives any more; stop sending, or make another pipe";
const NOTHING_COMES: &str = "and all that was sent is received; stop receiving";

fn too_long(f: &mut fmt::Formatter<'_>, length: usize, most: u64) -> fmt::Result {
    write!(f, "the message has {length} bytes, and at most {most} can be sent so; send parts, or use `send`")
}

fn too_short(f: &mut fmt::Formatter<'_>, needed: u64, given: usize) -> fmt::Result {
    write!(f, "the next message has {needed} bytes, and the buffer {given}; receive it with a longer buffer")
}

fn malformed(f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_str("the next message was overwritten, and is lost with what followed it; receive the next one")
}

/// A message was not sent, however long the caller waited:
/// [`PipeSender::send`](crate::PipeSender::send).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum PipeSendError {
    /// The pipe was full when the caller was [interrupted](crate::interruptible).
    Interrupted,
    /// The receiver was dropped: nobody will receive the message.
    Disconnected,
    /// The receiver's process is dead, and no other one has taken the end over yet.
    PeerDied {
        /// The participant that had taken the receiver.
        by: ParticipantId,
    },
    /// The message is too long.
    TooLong {
        /// How many bytes it has.
        length: usize,
        /// How many it may have.
        most: u64,
    },
    /// The end belongs to the process that forked this one.
    OfAnotherProcess,
    /// This thread cannot be registered as a participant of the segment.
    Register(RegisterError),
}

impl fmt::Display for PipeSendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Interrupted => f.write_str(INTERRUPTED),
            Self::Disconnected => write!(f, "the receiver was dropped: {NOBODY_RECEIVES}"),
            Self::PeerDied { by } => {
                write!(f, "the process of the receiver, participant {by}, is dead: {NOBODY_RECEIVES}")
            }
            Self::TooLong { length, most } => too_long(f, *length, *most),
            Self::OfAnotherProcess => f.write_str(OF_ANOTHER_PROCESS),
            Self::Register(error) => write!(f, "nothing can be sent from here: {error}"),
        }
    }
}

/// A message was not sent without waiting: [`PipeSender::try_send`](crate::PipeSender::try_send).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum PipeTrySendError {
    /// There is no room for the whole message.
    Full,
    /// The receiver was dropped: nobody will receive the message.
    Disconnected,
    /// The receiver's process is dead, and no other one has taken the end over yet.
    PeerDied {
        /// The participant that had taken the receiver.
        by: ParticipantId,
    },
    /// The message is too long.
    TooLong {
        /// How many bytes it has.
        length: usize,
        /// How many it may have.
        most: u64,
    },
    /// The end belongs to the process that forked this one.
    OfAnotherProcess,
    /// This thread cannot be registered as a participant of the segment.
    Register(RegisterError),
}

impl fmt::Display for PipeTrySendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => f.write_str("there is no room for the message; wait for room, or try again later"),
            Self::Disconnected => write!(f, "the receiver was dropped: {NOBODY_RECEIVES}"),
            Self::PeerDied { by } => {
                write!(f, "the process of the receiver, participant {by}, is dead: {NOBODY_RECEIVES}")
            }
            Self::TooLong { length, most } => too_long(f, *length, *most),
            Self::OfAnotherProcess => f.write_str(OF_ANOTHER_PROCESS),
            Self::Register(error) => write!(f, "nothing can be sent from here: {error}"),
        }
    }
}

/// A message was not sent by the deadline.
///
/// From [`PipeSender::send_timeout`](crate::PipeSender::send_timeout) and
/// [`PipeSender::send_deadline`](crate::PipeSender::send_deadline).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum PipeSendTimeoutError {
    /// There was no room for the rest of the message by the deadline.
    TimedOut,
    /// The pipe was full when the caller was [interrupted](crate::interruptible).
    Interrupted,
    /// The receiver was dropped: nobody will receive the message.
    Disconnected,
    /// The receiver's process is dead, and no other one has taken the end over yet.
    PeerDied {
        /// The participant that had taken the receiver.
        by: ParticipantId,
    },
    /// The message is too long.
    TooLong {
        /// How many bytes it has.
        length: usize,
        /// How many it may have.
        most: u64,
    },
    /// The end belongs to the process that forked this one.
    OfAnotherProcess,
    /// This thread cannot be registered as a participant of the segment.
    Register(RegisterError),
}

impl fmt::Display for PipeSendTimeoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TimedOut => f.write_str("there was no room for the message by the deadline; wait longer, or give up"),
            Self::Interrupted => f.write_str(INTERRUPTED),
            Self::Disconnected => write!(f, "the receiver was dropped: {NOBODY_RECEIVES}"),
            Self::PeerDied { by } => {
                write!(f, "the process of the receiver, participant {by}, is dead: {NOBODY_RECEIVES}")
            }
            Self::TooLong { length, most } => too_long(f, *length, *most),
            Self::OfAnotherProcess => f.write_str(OF_ANOTHER_PROCESS),
            Self::Register(error) => write!(f, "nothing can be sent from here: {error}"),
        }
    }
}

/// No message was received, however long the caller waited:
/// [`PipeReceiver::recv`](crate::PipeReceiver::recv) and
/// [`PipeReceiver::recv_into`](crate::PipeReceiver::recv_into).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum PipeRecvError {
    /// There was no whole message when the caller was [interrupted](crate::interruptible).
    Interrupted,
    /// The sender was dropped, and all that it sent is received.
    Disconnected,
    /// The sender's process is dead, and all that it sent is received. A part of a message is
    /// dropped. No other process has taken the end over yet.
    PeerDied {
        /// The participant that had taken the sender.
        by: ParticipantId,
    },
    /// The next message does not fit into the buffer. It can be received with a longer one.
    TooShort {
        /// How many bytes it has.
        needed: u64,
        /// How many the buffer has.
        given: usize,
    },
    /// The next message was overwritten by somebody. It is lost, with all that was sent by now.
    Malformed,
    /// The end belongs to the process that forked this one.
    OfAnotherProcess,
    /// This thread cannot be registered as a participant of the segment.
    Register(RegisterError),
}

impl fmt::Display for PipeRecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Interrupted => f.write_str(INTERRUPTED),
            Self::Disconnected => write!(f, "the sender was dropped, {NOTHING_COMES}"),
            Self::PeerDied { by } => write!(f, "the process of the sender, participant {by}, is dead, {NOTHING_COMES}"),
            Self::TooShort { needed, given } => too_short(f, *needed, *given),
            Self::Malformed => malformed(f),
            Self::OfAnotherProcess => f.write_str(OF_ANOTHER_PROCESS),
            Self::Register(error) => write!(f, "nothing can be received here: {error}"),
        }
    }
}

/// No message was received without waiting.
///
/// From [`PipeReceiver::try_recv`](crate::PipeReceiver::try_recv) and
/// [`PipeReceiver::try_recv_into`](crate::PipeReceiver::try_recv_into).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum PipeTryRecvError {
    /// There is no whole message.
    Empty,
    /// The sender was dropped, and all that it sent is received.
    Disconnected,
    /// The sender's process is dead, and all that it sent is received. A part of a message is
    /// dropped. No other process has taken the end over yet.
    PeerDied {
        /// The participant that had taken the sender.
        by: ParticipantId,
    },
    /// The next message does not fit into the buffer. It can be received with a longer one.
    TooShort {
        /// How many bytes it has.
        needed: u64,
        /// How many the buffer has.
        given: usize,
    },
    /// The next message was overwritten by somebody. It is lost, with all that was sent by now.
    Malformed,
    /// The end belongs to the process that forked this one.
    OfAnotherProcess,
    /// This thread cannot be registered as a participant of the segment.
    Register(RegisterError),
}

impl fmt::Display for PipeTryRecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("there is no whole message; wait for one, or try again later"),
            Self::Disconnected => write!(f, "the sender was dropped, {NOTHING_COMES}"),
            Self::PeerDied { by } => write!(f, "the process of the sender, participant {by}, is dead, {NOTHING_COMES}"),
            Self::TooShort { needed, given } => too_short(f, *needed, *given),
            Self::Malformed => malformed(f),
            Self::OfAnotherProcess => f.write_str(OF_ANOTHER_PROCESS),
            Self::Register(error) => write!(f, "nothing can be received here: {error}"),
        }
    }
}

/// No message was received by the deadline.
///
/// From [`PipeReceiver::recv_timeout`](crate::PipeReceiver::recv_timeout),
/// [`PipeReceiver::recv_deadline`](crate::PipeReceiver::recv_deadline) and their kin.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum PipeRecvTimeoutError {
    /// There was no whole message by the deadline.
    TimedOut,
    /// There was no whole message when the caller was [interrupted](crate::interruptible).
    Interrupted,
    /// The sender was dropped, and all that it sent is received.
    Disconnected,
    /// The sender's process is dead, and all that it sent is received. A part of a message is
    /// dropped. No other process has taken the end over yet.
    PeerDied {
        /// The participant that had taken the sender.
        by: ParticipantId,
    },
    /// The next message does not fit into the buffer. It can be received with a longer one.
    TooShort {
        /// How many bytes it has.
        needed: u64,
        /// How many the buffer has.
        given: usize,
    },
    /// The next message was overwritten by somebody. It is lost, with all that was sent by now.
    Malformed,
    /// The end belongs to the process that forked this one.
    OfAnotherProcess,
    /// This thread cannot be registered as a participant of the segment.
    Register(RegisterError),
}

impl fmt::Display for PipeRecvTimeoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TimedOut => f.write_str("no whole message had come by the deadline; wait longer, or give up"),
            Self::Interrupted => f.write_str(INTERRUPTED),
            Self::Disconnected => write!(f, "the sender was dropped, {NOTHING_COMES}"),
            Self::PeerDied { by } => write!(f, "the process of the sender, participant {by}, is dead, {NOTHING_COMES}"),
            Self::TooShort { needed, given } => too_short(f, *needed, *given),
            Self::Malformed => malformed(f),
            Self::OfAnotherProcess => f.write_str(OF_ANOTHER_PROCESS),
            Self::Register(error) => write!(f, "nothing can be received here: {error}"),
        }
    }
}

needs_registration! {
    PipeSendError PipeTrySendError PipeSendTimeoutError PipeRecvError PipeTryRecvError PipeRecvTimeoutError
}

/// No end of a pipe was taken.
///
/// From [`Pipe::sender`](crate::Pipe::sender), [`Pipe::receiver`](crate::Pipe::receiver) and their
/// kin.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum PipeEndError {
    /// A living process has this end.
    Taken {
        /// The participant that took it.
        by: ParticipantId,
    },
    /// The end was dropped, so the pipe has ended.
    Disconnected,
    /// This thread cannot be registered as a participant of the segment.
    Register(RegisterError),
}

impl fmt::Display for PipeEndError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Taken { by } => write!(
                f,
                "a pipe has one sender and one receiver, and the process of participant {by} has this end; use it there, or use a Queue"
            ),
            Self::Disconnected => f.write_str("this end was dropped, so the pipe has ended; make another pipe"),
            Self::Register(error) => write!(f, "no end can be taken here: {error}"),
        }
    }
}

needs_registration! { PipeEndError }

/// For [`std::io::Write`].
impl From<PipeSendError> for io::Error {
    fn from(error: PipeSendError) -> Self {
        let kind = match error {
            PipeSendError::Disconnected | PipeSendError::PeerDied { .. } => io::ErrorKind::BrokenPipe,
            PipeSendError::Interrupted => io::ErrorKind::Interrupted,
            PipeSendError::TooLong { .. } => io::ErrorKind::InvalidInput,
            PipeSendError::OfAnotherProcess | PipeSendError::Register(_) => io::ErrorKind::Other,
        };
        Self::new(kind, error)
    }
}

/// For [`std::io::Read`].
impl From<PipeRecvError> for io::Error {
    fn from(error: PipeRecvError) -> Self {
        let kind = match error {
            PipeRecvError::Disconnected => io::ErrorKind::UnexpectedEof,
            PipeRecvError::PeerDied { .. } => io::ErrorKind::ConnectionAborted,
            PipeRecvError::Interrupted => io::ErrorKind::Interrupted,
            PipeRecvError::TooShort { .. } => io::ErrorKind::InvalidInput,
            PipeRecvError::Malformed => io::ErrorKind::InvalidData,
            PipeRecvError::OfAnotherProcess | PipeRecvError::Register(_) => io::ErrorKind::Other,
        };
        Self::new(kind, error)
    }
}
