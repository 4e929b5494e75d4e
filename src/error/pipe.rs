//! [`PipeSendError`], [`PipeRecvError`] and their kin: nothing was sent through a pipe, or nothing
//! received. [`PipeEndError`]: no end of a pipe was taken.
//!
//! The names follow those of [`SendMessageError`](super::SendMessageError) and
//! [`RecvMessageError`](super::RecvMessageError).

use super::RegisterError;
use super::register::needs_registration;
use crate::ParticipantId;
use std::{fmt, io};

const INTERRUPTED: &str = "this thread was interrupted while it waited; see to the signal, then wait again or give up";
const OF_ANOTHER_PROCESS: &str =
    "this end belongs to the process that forked this one; use it there, or take an end of this process";
const NOBODY_RECEIVES: &str = "nobody receives any more; stop sending, or make another pipe";
const NOTHING_COMES: &str = "and all that was sent is received; stop receiving";

macro_rules! is_an_error {
    ($error:ident, $cause:ident) => {
        impl std::error::Error for $error {
            fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
                match self {
                    Self::Register(error) => Some(error),
                    Self::$cause(error) => Some(error),
                    _ => None,
                }
            }
        }

        impl From<RegisterError> for $error {
            fn from(error: RegisterError) -> Self {
                Self::Register(error)
            }
        }
    };
}

macro_rules! not_sent {
    ($($(#[$doc:meta])* $error:ident { $($(#[$of:meta])* $variant:ident: $text:expr;)* })*) => {$(
        $(#[$doc])*
        #[derive(Debug)]
        #[non_exhaustive]
        pub enum $error {
            $($(#[$of])* $variant,)*
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
                most: usize,
            },
            /// The `Serialize` of the message's type gave this error. Nothing was sent.
            Encode(io::Error),
            /// The end belongs to the process that forked this one.
            OfAnotherProcess,
            /// This thread cannot be registered as a participant of the segment.
            Register(RegisterError),
        }

        impl fmt::Display for $error {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    $(Self::$variant => f.write_str($text),)*
                    Self::Disconnected => write!(f, "the receiver was dropped: {NOBODY_RECEIVES}"),
                    Self::PeerDied { by } => {
                        write!(f, "the process of the receiver, participant {by}, is dead: {NOBODY_RECEIVES}")
                    }
                    Self::TooLong { length, most } => write!(
                        f,
                        "the message was expected to have at most {most} bytes, but has {length}; send parts, or wait for room for it"
                    ),
                    Self::Encode(error) => {
                        write!(f, "the message was not sent, because it could not be written whole: {error}")
                    }
                    Self::OfAnotherProcess => f.write_str(OF_ANOTHER_PROCESS),
                    Self::Register(error) => write!(f, "nothing can be sent from here: {error}"),
                }
            }
        }

        is_an_error! { $error, Encode }
    )*};
}

not_sent! {
    /// A message was not sent, however long the caller waited:
    /// [`PipeSender::send_bytes`](crate::PipeSender::send_bytes).
    PipeSendError {
        /// The pipe was full when the caller was [interrupted](crate::interruptible).
        Interrupted: INTERRUPTED;
    }

    /// A message was not sent without waiting:
    /// [`PipeSender::try_send_bytes`](crate::PipeSender::try_send_bytes).
    PipeTrySendError {
        /// There is no room for the whole message.
        Full: "there is no room for the message; wait for room, or try again later";
    }

    /// A message was not sent by the deadline.
    ///
    /// From [`PipeSender::send_bytes_timeout`](crate::PipeSender::send_bytes_timeout) and its kin.
    PipeSendTimeoutError {
        /// There was no room for the rest of the message by the deadline.
        TimedOut: "there was no room for the message by the deadline; wait longer, or give up";
        /// The pipe was full when the caller was [interrupted](crate::interruptible).
        Interrupted: INTERRUPTED;
    }
}

macro_rules! not_received {
    ($($(#[$doc:meta])* $error:ident { $($(#[$of:meta])* $variant:ident: $text:expr;)* })*) => {$(
        $(#[$doc])*
        #[derive(Debug)]
        #[non_exhaustive]
        pub enum $error {
            $($(#[$of])* $variant,)*
            /// The sender was dropped, and all that it sent is received.
            Disconnected,
            /// The sender's process is dead, and all that it sent is received. A part of a message
            /// is dropped. No other process has taken the end over yet.
            PeerDied {
                /// The participant that had taken the sender.
                by: ParticipantId,
            },
            /// The buffer is shorter than the message. The message is still there, and is the next
            /// one.
            TooShort {
                /// How many bytes the message has.
                length: usize,
                /// How many the buffer has.
                room: usize,
            },
            /// The next message was overwritten by somebody. It is lost, with all that was sent by
            /// now.
            Malformed,
            /// The `Deserialize` of the expected type gave this error. The message was received:
            /// the next one is another.
            Decode(io::Error),
            /// The end belongs to the process that forked this one.
            OfAnotherProcess,
            /// This thread cannot be registered as a participant of the segment.
            Register(RegisterError),
        }

        impl fmt::Display for $error {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    $(Self::$variant => f.write_str($text),)*
                    Self::Disconnected => write!(f, "the sender was dropped, {NOTHING_COMES}"),
                    Self::PeerDied { by } => {
                        write!(f, "the process of the sender, participant {by}, is dead, {NOTHING_COMES}")
                    }
                    Self::TooShort { length, room } => write!(
                        f,
                        "the buffer was expected to have room for {length} bytes, but has {room}; the message is still the next one: receive it with a longer buffer"
                    ),
                    Self::Malformed => f.write_str(
                        "the next message was expected to begin with its length, but its words were overwritten, so it is lost with what followed it; receive the next one, and look for who writes into this memory",
                    ),
                    Self::Decode(error) => {
                        write!(f, "a message was received, but could not be read as it was expected: {error}")
                    }
                    Self::OfAnotherProcess => f.write_str(OF_ANOTHER_PROCESS),
                    Self::Register(error) => write!(f, "nothing can be received here: {error}"),
                }
            }
        }

        is_an_error! { $error, Decode }
    )*};
}

not_received! {
    /// No message was received, however long the caller waited.
    ///
    /// From [`PipeReceiver::recv_bytes`](crate::PipeReceiver::recv_bytes),
    /// [`PipeReceiver::recv_into`](crate::PipeReceiver::recv_into) and
    /// [`PipeReceiver::poll`](crate::PipeReceiver::poll).
    PipeRecvError {
        /// There was no whole message when the caller was [interrupted](crate::interruptible).
        Interrupted: INTERRUPTED;
    }

    /// No message was received without waiting.
    ///
    /// From [`PipeReceiver::try_recv_bytes`](crate::PipeReceiver::try_recv_bytes) and
    /// [`PipeReceiver::try_recv_into`](crate::PipeReceiver::try_recv_into).
    PipeTryRecvError {
        /// There is no whole message.
        Empty: "there is no whole message; wait for one, or try again later";
    }

    /// No message was received by the deadline.
    ///
    /// From [`PipeReceiver::recv_bytes_timeout`](crate::PipeReceiver::recv_bytes_timeout) and its
    /// kin.
    PipeRecvTimeoutError {
        /// There was no whole message by the deadline.
        TimedOut: "no whole message had come by the deadline; wait longer, or give up";
        /// There was no whole message when the caller was [interrupted](crate::interruptible).
        Interrupted: INTERRUPTED;
    }
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
            PipeSendError::TooLong { .. } | PipeSendError::Encode(_) => io::ErrorKind::InvalidInput,
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
            PipeRecvError::Malformed | PipeRecvError::Decode(_) => io::ErrorKind::InvalidData,
            PipeRecvError::OfAnotherProcess | PipeRecvError::Register(_) => io::ErrorKind::Other,
        };
        Self::new(kind, error)
    }
}
