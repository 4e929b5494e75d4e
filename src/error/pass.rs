//! [`PassError`], [`InheritError`], [`ReceiveError`]: a segment could not be passed on, or did not
//! arrive.

use super::{IoError, OpenError};
use std::fmt;

/// This process has closed the segment's descriptor. The segment can still be used, but it cannot
/// be passed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct DescriptorLostError {
    /// The number that the descriptor had; `None` if it was closed by
    /// [`Segment::close_descriptor`](crate::Segment::close_descriptor).
    pub number: Option<i32>,
}

impl DescriptorLostError {
    pub(crate) fn new(number: Option<i32>) -> Self {
        Self { number }
    }
}

impl fmt::Display for DescriptorLostError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.number {
            None => f.write_str(
                "the segment's descriptor was expected to be open, and was closed by Segment::close_descriptor; pass the segment on before that, or open it again by its name",
            ),
            Some(number) => write!(
                f,
                "the segment's descriptor was expected at number {number}, and is there no more: this process has closed descriptors that it had not opened; keep that one open, or open the segment again"
            ),
        }
    }
}

impl std::error::Error for DescriptorLostError {}

/// The segment's descriptor must stay open:
/// [`Segment::close_descriptor`](crate::Segment::close_descriptor).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CloseError {
    /// The segment is on an overlay. Only the descriptor keeps the lock there that says "in use".
    OnOverlay,
}

impl fmt::Display for CloseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OnOverlay => f.write_str(
                "a segment on an overlay is in use only as long as its descriptor is open; keep it open, or put the segment on another file system",
            ),
        }
    }
}

impl std::error::Error for CloseError {}

fn write_invalid_name(f: &mut fmt::Formatter<'_>, name: &str) -> fmt::Result {
    write!(f, "a segment cannot be passed as {name:?}; use 1 to 100 bytes without '=' or NUL")
}

/// A segment could not be passed to a child or sent: [`Segment::pass_to`](crate::Segment::pass_to),
/// [`Segment::send_to`](crate::Segment::send_to). Nothing was passed.
#[derive(Debug)]
#[non_exhaustive]
pub enum PassError {
    /// No segment can be passed under this name.
    InvalidName(String),
    /// This process has closed the segment's descriptor.
    DescriptorLost(DescriptorLostError),
    /// The operating system refused a step.
    Io(IoError),
}

impl fmt::Display for PassError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InvalidName(name) => write_invalid_name(f, name),
            Self::DescriptorLost(error) => error.fmt(f),
            Self::Io(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for PassError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(error) => error.source(),
            _ => None,
        }
    }
}

impl From<DescriptorLostError> for PassError {
    fn from(error: DescriptorLostError) -> Self {
        Self::DescriptorLost(error)
    }
}

impl From<IoError> for PassError {
    fn from(error: IoError) -> Self {
        Self::Io(error)
    }
}

/// A segment could not be inherited from the parent process:
/// [`Segment::inherit`](crate::Segment::inherit).
#[derive(Debug)]
#[non_exhaustive]
pub enum InheritError {
    /// No segment can be passed under this name.
    InvalidName(String),
    /// No segment was passed to this process under that name, or it was inherited already.
    NotPassed(String),
    /// A segment was passed, and could not be opened. It can still be inherited.
    Open(OpenError),
}

impl fmt::Display for InheritError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InvalidName(name) => write_invalid_name(f, name),
            Self::NotPassed(name) => write!(
                f,
                "no segment was passed to this process as {name:?}; the parent passes it with Segment::pass_to before it spawns"
            ),
            Self::Open(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for InheritError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Open(error) => error.source(),
            _ => None,
        }
    }
}

impl From<OpenError> for InheritError {
    fn from(error: OpenError) -> Self {
        Self::Open(error)
    }
}

/// A segment was not received: [`Segment::receive_from`](crate::Segment::receive_from).
#[derive(Debug)]
#[non_exhaustive]
pub enum ReceiveError {
    /// What came over the socket was no segment.
    NotReceived {
        /// What came.
        found: String,
    },
    /// A segment came, and could not be opened.
    Open(OpenError),
    /// The operating system refused a step.
    Io(IoError),
}

impl fmt::Display for ReceiveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotReceived { found } => write!(
                f,
                "expected a segment that the other side sends with Segment::send_to, but {found} came; let nothing else use this socket"
            ),
            Self::Open(error) => error.fmt(f),
            Self::Io(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ReceiveError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::NotReceived { .. } => None,
            Self::Open(error) => error.source(),
            Self::Io(error) => error.source(),
        }
    }
}

impl From<OpenError> for ReceiveError {
    fn from(error: OpenError) -> Self {
        Self::Open(error)
    }
}

impl From<IoError> for ReceiveError {
    fn from(error: IoError) -> Self {
        Self::Io(error)
    }
}
