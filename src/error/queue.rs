//! [`SendError`], [`RecvError`] and their kin: nothing was sent, or nothing received.
//!
//! The names follow [`std::sync::mpsc`]; `TimedOut` is its `Timeout`. An error of a send gives the
//! item back.

use super::RegisterError;
use super::register::needs_registration;
use std::fmt;

const DISCONNECTED: &str = "the queue is closed";
const INTERRUPTED: &str = "had become possible when this thread was interrupted";
const SEE_TO_IT: &str = "see to the signal, then wait again or give up";

macro_rules! gives_the_item_back {
    ($($error:ident { $($variant:ident)* })*) => {$(
        impl<T> $error<T> {
            /// The item that was not sent.
            pub fn into_inner(self) -> T {
                match self {
                    $(Self::$variant(item))|* | Self::Register { item, .. } => item,
                }
            }

            /// The same error with another item.
            pub fn map<U>(self, change: impl FnOnce(T) -> U) -> $error<U> {
                match self {
                    $(Self::$variant(item) => $error::$variant(change(item)),)*
                    Self::Register { item, error } => $error::Register { item: change(item), error },
                }
            }
        }

        /// Without the item, which need not implement `Debug`.
        impl<T> fmt::Debug for $error<T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    $(Self::$variant(_) => f.write_str(concat!(stringify!($variant), "(..)")),)*
                    Self::Register { error, .. } => {
                        f.debug_struct("Register").field("error", error).finish_non_exhaustive()
                    }
                }
            }
        }

        impl<T> std::error::Error for $error<T> {
            fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
                match self {
                    Self::Register { error, .. } => Some(error),
                    _ => None,
                }
            }
        }
    )*};
}

/// The item was not sent, however long the caller waited. The error has the item.
///
/// From [`Queue::send`](crate::Queue::send) and [`Queue::send_batch`](crate::Queue::send_batch). Of
/// a batch it has the items that were not sent.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SendError<T> {
    /// The queue is closed: nobody will receive the item.
    Disconnected(T),
    /// The queue was full when the caller was [interrupted](crate::interruptible).
    Interrupted(T),
    /// This thread cannot be registered as a participant of the segment.
    Register {
        /// What was not sent.
        item: T,
        /// Why not.
        error: RegisterError,
    },
}

/// The item was not sent without waiting. The error has the item.
///
/// From [`Queue::try_send`](crate::Queue::try_send) and
/// [`Queue::try_send_batch`](crate::Queue::try_send_batch). Of a batch it has the items that were
/// not sent.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TrySendError<T> {
    /// There is no room, or an item is just being received from the next cell.
    Full(T),
    /// The queue is closed: nobody will receive the item.
    Disconnected(T),
    /// This thread cannot be registered as a participant of the segment.
    Register {
        /// What was not sent.
        item: T,
        /// Why not.
        error: RegisterError,
    },
}

/// The item was not sent by the deadline. The error has the item.
///
/// From [`Queue::send_timeout`](crate::Queue::send_timeout) and
/// [`Queue::send_deadline`](crate::Queue::send_deadline).
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SendTimeoutError<T> {
    /// There was no room by the deadline.
    TimedOut(T),
    /// The queue is closed: nobody will receive the item.
    Disconnected(T),
    /// The queue was full when the caller was [interrupted](crate::interruptible).
    Interrupted(T),
    /// This thread cannot be registered as a participant of the segment.
    Register {
        /// What was not sent.
        item: T,
        /// Why not.
        error: RegisterError,
    },
}

gives_the_item_back! {
    SendError { Disconnected Interrupted }
    TrySendError { Full Disconnected }
    SendTimeoutError { TimedOut Disconnected Interrupted }
}

fn not_sent(f: &mut fmt::Formatter<'_>, error: &RegisterError) -> fmt::Result {
    write!(f, "nothing can be sent from here: {error}")
}

const NOBODY_RECEIVES: &str = "so the item can reach nobody; stop sending, or make another queue";

impl<T> fmt::Display for SendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disconnected(_) => write!(f, "{DISCONNECTED}, {NOBODY_RECEIVES}"),
            Self::Interrupted(_) => {
                write!(f, "no further send {INTERRUPTED}, so what the error gives back was not sent; {SEE_TO_IT}")
            }
            Self::Register { error, .. } => not_sent(f, error),
        }
    }
}

impl<T> fmt::Display for TrySendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full(_) => f.write_str("the queue is full; wait for room, or try again later"),
            Self::Disconnected(_) => write!(f, "{DISCONNECTED}, {NOBODY_RECEIVES}"),
            Self::Register { error, .. } => not_sent(f, error),
        }
    }
}

impl<T> fmt::Display for SendTimeoutError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TimedOut(_) => f.write_str("the queue had no room by the deadline; wait longer, or give up"),
            Self::Disconnected(_) => write!(f, "{DISCONNECTED}, {NOBODY_RECEIVES}"),
            Self::Interrupted(_) => {
                write!(f, "no further send {INTERRUPTED}, so what the error gives back was not sent; {SEE_TO_IT}")
            }
            Self::Register { error, .. } => not_sent(f, error),
        }
    }
}

/// What a send without a deadline can give, one with a deadline can give, too.
impl<T> From<SendError<T>> for SendTimeoutError<T> {
    fn from(error: SendError<T>) -> Self {
        match error {
            SendError::Disconnected(item) => Self::Disconnected(item),
            SendError::Interrupted(item) => Self::Interrupted(item),
            SendError::Register { item, error } => Self::Register { item, error },
        }
    }
}

const NOTHING_COMES: &str = "and all that was sent is received; stop receiving";

/// Nothing was received, however long the caller waited.
///
/// From [`Queue::recv`](crate::Queue::recv) and [`Queue::recv_batch`](crate::Queue::recv_batch).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RecvError {
    /// The queue is closed, and all that was sent is received.
    Disconnected,
    /// The queue was empty when the caller was [interrupted](crate::interruptible).
    Interrupted,
    /// This thread cannot be registered as a participant of the segment.
    Register(RegisterError),
}

/// Nothing was received without waiting.
///
/// From [`Queue::try_recv`](crate::Queue::try_recv) and
/// [`Queue::try_recv_batch`](crate::Queue::try_recv_batch).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TryRecvError {
    /// There is no item, or the next one is just being sent.
    Empty,
    /// The queue is closed, and all that was sent is received.
    Disconnected,
    /// This thread cannot be registered as a participant of the segment.
    Register(RegisterError),
}

/// Nothing was received by the deadline.
///
/// From [`Queue::recv_timeout`](crate::Queue::recv_timeout) and
/// [`Queue::recv_deadline`](crate::Queue::recv_deadline).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RecvTimeoutError {
    /// There was no item by the deadline.
    TimedOut,
    /// The queue is closed, and all that was sent is received.
    Disconnected,
    /// The queue was empty when the caller was [interrupted](crate::interruptible).
    Interrupted,
    /// This thread cannot be registered as a participant of the segment.
    Register(RegisterError),
}

fn not_received(f: &mut fmt::Formatter<'_>, error: &RegisterError) -> fmt::Result {
    write!(f, "nothing can be received here: {error}")
}

impl fmt::Display for RecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disconnected => write!(f, "{DISCONNECTED}, {NOTHING_COMES}"),
            Self::Interrupted => write!(f, "no receive {INTERRUPTED}; {SEE_TO_IT}"),
            Self::Register(error) => not_received(f, error),
        }
    }
}

impl fmt::Display for TryRecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the queue is empty; wait for an item, or try again later"),
            Self::Disconnected => write!(f, "{DISCONNECTED}, {NOTHING_COMES}"),
            Self::Register(error) => not_received(f, error),
        }
    }
}

impl fmt::Display for RecvTimeoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TimedOut => f.write_str("no item had come by the deadline; wait longer, or give up"),
            Self::Disconnected => write!(f, "{DISCONNECTED}, {NOTHING_COMES}"),
            Self::Interrupted => write!(f, "no receive {INTERRUPTED}; {SEE_TO_IT}"),
            Self::Register(error) => not_received(f, error),
        }
    }
}

needs_registration! { RecvError TryRecvError RecvTimeoutError }

/// What a receive without a deadline can give, one with a deadline can give, too.
impl From<RecvError> for RecvTimeoutError {
    fn from(error: RecvError) -> Self {
        match error {
            RecvError::Disconnected => Self::Disconnected,
            RecvError::Interrupted => Self::Interrupted,
            RecvError::Register(error) => Self::Register(error),
        }
    }
}
