//! [`SendMessageError`], [`RecvMessageError`] and their kin: no message was sent, or none received.
//!
//! The names follow those of [`SendError`](super::SendError) and [`RecvError`](super::RecvError).

use super::RegisterError;
use std::{fmt, io};

const DISCONNECTED: &str = "the queue is closed";
const NOBODY_RECEIVES: &str = "so the message can reach nobody; stop sending, or make another queue";
const NOTHING_COMES: &str = "and all that was sent is received; stop receiving";

/// What each error of a send can say.
pub(crate) trait SendFailure: From<RegisterError> {
    fn too_long(length: usize, most: usize) -> Self;
    fn encode(error: io::Error) -> Self;
}

/// What each error of a receive can say.
pub(crate) trait RecvFailure: From<RegisterError> {
    fn too_short(length: usize, room: usize) -> Self;
    fn malformed() -> Self;
    fn decode(error: io::Error) -> Self;
}

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
            /// The queue is closed: nobody will receive the message.
            Disconnected,
            /// The message is longer than the queue's
            /// [`max_message`](crate::MessageQueue::max_message).
            TooLong {
                /// How many bytes the message has.
                length: usize,
                /// How many it may have.
                most: usize,
            },
            /// The function that writes the message, or the `Serialize` of its type, gave this
            /// error.
            Encode(io::Error),
            /// This thread cannot be registered as a participant of the segment.
            Register(RegisterError),
        }

        impl fmt::Display for $error {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    $(Self::$variant => f.write_str($text),)*
                    Self::Disconnected => write!(f, "{DISCONNECTED}, {NOBODY_RECEIVES}"),
                    Self::TooLong { length, most } => write!(
                        f,
                        "the message was expected to have at most {most} bytes, but has {length}; make a queue for more bytes, or send parts"
                    ),
                    Self::Encode(error) => {
                        write!(f, "the message was not sent, because it could not be written whole: {error}")
                    }
                    Self::Register(error) => write!(f, "nothing can be sent from here: {error}"),
                }
            }
        }

        is_an_error! { $error, Encode }

        impl SendFailure for $error {
            fn too_long(length: usize, most: usize) -> Self {
                Self::TooLong { length, most }
            }
            fn encode(error: io::Error) -> Self {
                Self::Encode(error)
            }
        }
    )*};
}

not_sent! {
    /// The message was not sent, however long the caller waited.
    ///
    /// From [`MessageQueue::send_bytes`](crate::MessageQueue::send_bytes) and
    /// [`MessageQueue::send_with`](crate::MessageQueue::send_with).
    SendMessageError {
        /// The queue was full when the caller was [interrupted](crate::interruptible).
        Interrupted: "no send had become possible when this thread was interrupted, so the message was not sent; see to the signal, then wait again or give up";
    }

    /// The message was not sent without waiting.
    ///
    /// From [`MessageQueue::try_send_bytes`](crate::MessageQueue::try_send_bytes) and
    /// [`MessageQueue::try_send_with`](crate::MessageQueue::try_send_with).
    TrySendMessageError {
        /// There is no room, or another sender is just looking for room for a long message.
        Full: "the queue has no room for the message; wait for room, or try again later";
    }

    /// The message was not sent by the deadline.
    ///
    /// From [`MessageQueue::send_bytes_timeout`](crate::MessageQueue::send_bytes_timeout) and its
    /// kin.
    SendMessageTimeoutError {
        /// There was no room by the deadline.
        TimedOut: "the queue had no room for the message by the deadline; wait longer, or give up";
        /// The queue was full when the caller was [interrupted](crate::interruptible).
        Interrupted: "no send had become possible when this thread was interrupted, so the message was not sent; see to the signal, then wait again or give up";
    }
}

/// What a send without a deadline can give, one with a deadline can give, too.
impl From<SendMessageError> for SendMessageTimeoutError {
    fn from(error: SendMessageError) -> Self {
        match error {
            SendMessageError::Interrupted => Self::Interrupted,
            SendMessageError::Disconnected => Self::Disconnected,
            SendMessageError::TooLong { length, most } => Self::TooLong { length, most },
            SendMessageError::Encode(error) => Self::Encode(error),
            SendMessageError::Register(error) => Self::Register(error),
        }
    }
}

macro_rules! not_received {
    ($($(#[$doc:meta])* $error:ident { $($(#[$of:meta])* $variant:ident: $text:expr;)* })*) => {$(
        $(#[$doc])*
        #[derive(Debug)]
        #[non_exhaustive]
        pub enum $error {
            $($(#[$of])* $variant,)*
            /// The queue is closed, and all that was sent is received.
            Disconnected,
            /// The buffer is shorter than the message. The message is still there, and is the next
            /// one.
            TooShort {
                /// How many bytes the message has.
                length: usize,
                /// How many the buffer has.
                room: usize,
            },
            /// Memory of the message was overwritten, so the message is lost. The next one can be
            /// received.
            Malformed,
            /// The function that reads the message, or the `Deserialize` of its type, gave this
            /// error. The message was received: the next one is another.
            Decode(io::Error),
            /// This thread cannot be registered as a participant of the segment.
            Register(RegisterError),
        }

        impl fmt::Display for $error {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    $(Self::$variant => f.write_str($text),)*
                    Self::Disconnected => write!(f, "{DISCONNECTED}, {NOTHING_COMES}"),
                    Self::TooShort { length, room } => write!(
                        f,
                        "the buffer was expected to have room for {length} bytes, but has {room}; the message is still the next one: receive it with a longer buffer"
                    ),
                    Self::Malformed => f.write_str(
                        "the message was expected to be a chain of blocks, but its words were overwritten, so it is lost; receive the next one, and look for who writes into this memory",
                    ),
                    Self::Decode(error) => {
                        write!(f, "a message was received, but could not be read as it was expected: {error}")
                    }
                    Self::Register(error) => write!(f, "nothing can be received here: {error}"),
                }
            }
        }

        is_an_error! { $error, Decode }

        impl RecvFailure for $error {
            fn too_short(length: usize, room: usize) -> Self {
                Self::TooShort { length, room }
            }
            fn malformed() -> Self {
                Self::Malformed
            }
            fn decode(error: io::Error) -> Self {
                Self::Decode(error)
            }
        }
    )*};
}

not_received! {
    /// No message was received, however long the caller waited.
    ///
    /// From [`MessageQueue::recv_bytes`](crate::MessageQueue::recv_bytes),
    /// [`MessageQueue::recv_into`](crate::MessageQueue::recv_into) and
    /// [`MessageQueue::recv_with`](crate::MessageQueue::recv_with).
    RecvMessageError {
        /// The queue was empty when the caller was [interrupted](crate::interruptible).
        Interrupted: "no receive had become possible when this thread was interrupted; see to the signal, then wait again or give up";
    }

    /// No message was received without waiting.
    ///
    /// From [`MessageQueue::try_recv_bytes`](crate::MessageQueue::try_recv_bytes) and its kin.
    TryRecvMessageError {
        /// There is no message, or the next one is just being sent.
        Empty: "the queue is empty; wait for a message, or try again later";
    }

    /// No message was received by the deadline.
    ///
    /// From [`MessageQueue::recv_bytes_timeout`](crate::MessageQueue::recv_bytes_timeout) and its
    /// kin.
    RecvMessageTimeoutError {
        /// There was no message by the deadline.
        TimedOut: "no message had come by the deadline; wait longer, or give up";
        /// The queue was empty when the caller was [interrupted](crate::interruptible).
        Interrupted: "no receive had become possible when this thread was interrupted; see to the signal, then wait again or give up";
    }
}

/// What a receive without a deadline can give, one with a deadline can give, too.
impl From<RecvMessageError> for RecvMessageTimeoutError {
    fn from(error: RecvMessageError) -> Self {
        match error {
            RecvMessageError::Interrupted => Self::Interrupted,
            RecvMessageError::Disconnected => Self::Disconnected,
            RecvMessageError::TooShort { length, room } => Self::TooShort { length, room },
            RecvMessageError::Malformed => Self::Malformed,
            RecvMessageError::Decode(error) => Self::Decode(error),
            RecvMessageError::Register(error) => Self::Register(error),
        }
    }
}

impl TrySendMessageError {
    /// The error of a send that waits. `None`: it waits on.
    pub(crate) fn of_a_wait(self) -> Option<SendMessageError> {
        Some(match self {
            Self::Full => return None,
            Self::Disconnected => SendMessageError::Disconnected,
            Self::TooLong { length, most } => SendMessageError::TooLong { length, most },
            Self::Encode(error) => SendMessageError::Encode(error),
            Self::Register(error) => SendMessageError::Register(error),
        })
    }
}

impl TryRecvMessageError {
    /// The error of a receive that waits. `None`: it waits on.
    pub(crate) fn of_a_wait(self) -> Option<RecvMessageError> {
        Some(match self {
            Self::Empty => return None,
            Self::Disconnected => RecvMessageError::Disconnected,
            Self::TooShort { length, room } => RecvMessageError::TooShort { length, room },
            Self::Malformed => RecvMessageError::Malformed,
            Self::Decode(error) => RecvMessageError::Decode(error),
            Self::Register(error) => RecvMessageError::Register(error),
        })
    }
}
