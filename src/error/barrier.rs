//! [`BarrierError`], [`BarrierTimeoutError`], [`ActionError`], [`JoinError`]: parties did not meet.

use super::RegisterError;
use super::register::needs_registration;
use crate::ParticipantId;
use std::fmt;

const INTERRUPTED: &str = "the parties had not all met when this thread was interrupted, and its arrival was taken back; see to the signal, then wait again or give up";

fn write_broken(f: &mut fmt::Formatter<'_>, died: Option<ParticipantId>) -> fmt::Result {
    match died {
        None => f.write_str("the barrier is broken; reset it when all know"),
        Some(id) => write!(f, "the barrier is broken: participant {id} died; reset it when all know"),
    }
}

/// The parties did not meet, however long the caller waited:
/// [`Barrier::wait`](crate::Barrier::wait), [`Barrier::wait_with`](crate::Barrier::wait_with).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum BarrierError {
    /// The barrier is broken: a party died, gave up or said so. It stays so until it is
    /// [reset](crate::Barrier::reset).
    Broken {
        /// A party that has died, where there is one, and it is known.
        died: Option<ParticipantId>,
    },
    /// The parties had not all met when the caller was [interrupted](crate::interruptible). The
    /// arrival was taken back, and the barrier is not broken.
    Interrupted,
    /// This thread cannot be registered as a participant of the segment.
    Register(RegisterError),
}

impl fmt::Display for BarrierError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Broken { died } => write_broken(f, *died),
            Self::Interrupted => f.write_str(INTERRUPTED),
            Self::Register(error) => write!(f, "it cannot be waited for here: {error}"),
        }
    }
}

/// The parties did not meet by the deadline:
/// [`Barrier::wait_timeout`](crate::Barrier::wait_timeout) and the other forms with a deadline.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum BarrierTimeoutError {
    /// The barrier is broken: a party died, gave up or said so. It stays so until it is
    /// [reset](crate::Barrier::reset).
    Broken {
        /// A party that has died, where there is one, and it is known.
        died: Option<ParticipantId>,
    },
    /// The parties had not all met by the deadline. The barrier is broken if the caller had
    /// arrived.
    TimedOut,
    /// The parties had not all met when the caller was [interrupted](crate::interruptible). The
    /// arrival was taken back, and the barrier is not broken.
    Interrupted,
    /// This thread cannot be registered as a participant of the segment.
    Register(RegisterError),
}

impl fmt::Display for BarrierTimeoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Broken { died } => write_broken(f, *died),
            Self::TimedOut => {
                f.write_str("the parties had not all met by the deadline; reset the barrier when all know")
            }
            Self::Interrupted => f.write_str(INTERRUPTED),
            Self::Register(error) => write!(f, "it cannot be waited for here: {error}"),
        }
    }
}

/// The calling thread did not become a member of the barrier:
/// [`Barrier::join`](crate::Barrier::join).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum JoinError {
    /// The barrier has as many members as parties. Members that died count until the barrier is
    /// [reset](crate::Barrier::reset).
    Full {
        /// How many parties the barrier has.
        parties: usize,
    },
    /// This thread cannot be registered as a participant of the segment.
    Register(RegisterError),
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full { parties } => write!(
                f,
                "the barrier of {parties} parties has as many members already; reset it if some have died, or make it with more parties"
            ),
            Self::Register(error) => write!(f, "the barrier cannot be joined here: {error}"),
        }
    }
}

/// A wait at a barrier with an action that can fail did not succeed:
/// [`Barrier::wait_then`](crate::Barrier::wait_then). `E` is the action's own error.
///
/// `W` is why the parties did not meet: [`BarrierTimeoutError`] from the forms with a deadline.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ActionError<E, W = BarrierError> {
    /// The calling thread's own action failed, with this. The barrier is broken: the others got
    /// `Broken`.
    Failed(E),
    /// The parties did not meet. The calling thread's action was not run, or it was in vain.
    Wait(W),
}

impl<E: fmt::Display, W: fmt::Display> fmt::Display for ActionError<E, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(error) => {
                write!(f, "the action failed, and the barrier is broken; reset it when all know: {error}")
            }
            Self::Wait(error) => error.fmt(f),
        }
    }
}

impl<E, W> std::error::Error for ActionError<E, W>
where
    E: std::error::Error + 'static,
    W: std::error::Error,
{
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Failed(error) => Some(error),
            Self::Wait(error) => error.source(),
        }
    }
}

impl<E, W> From<W> for ActionError<E, W> {
    fn from(error: W) -> Self {
        Self::Wait(error)
    }
}

/// What a wait without a deadline can give, one with a deadline can give, too.
impl From<BarrierError> for BarrierTimeoutError {
    fn from(error: BarrierError) -> Self {
        match error {
            BarrierError::Broken { died } => Self::Broken { died },
            BarrierError::Interrupted => Self::Interrupted,
            BarrierError::Register(error) => Self::Register(error),
        }
    }
}

needs_registration! { BarrierError BarrierTimeoutError JoinError }
