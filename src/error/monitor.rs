//! [`MonitorError`] and [`ObserveError`]: a [`Monitor`](crate::Monitor) could not answer.

use super::{DescriptorLostError, IoError};
use std::fmt;

/// A monitor could not list the participants of its segment:
/// [`Monitor::participants`](crate::Monitor::participants),
/// [`Monitor::is_in_use`](crate::Monitor::is_in_use).
#[derive(Debug)]
#[non_exhaustive]
pub enum MonitorError {
    /// This process has closed the monitor's descriptor.
    DescriptorLost(DescriptorLostError),
    /// The operating system refused a step.
    Io(IoError),
}

impl fmt::Display for MonitorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DescriptorLost(error) => error.fmt(f),
            Self::Io(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for MonitorError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::DescriptorLost(_) => None,
            Self::Io(error) => error.source(),
        }
    }
}

impl From<DescriptorLostError> for MonitorError {
    fn from(error: DescriptorLostError) -> Self {
        Self::DescriptorLost(error)
    }
}

impl From<IoError> for MonitorError {
    fn from(error: IoError) -> Self {
        Self::Io(error)
    }
}

/// A monitor has nothing to show there: [`Monitor::observe`](crate::Monitor::observe),
/// [`Monitor::observe_room`](crate::Monitor::observe_room).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ObserveError {
    /// The function gave a reference to something else than a field that the value's
    /// [definition](crate::Shareable::DEFINITION) shows.
    NotAField,
    /// The room has no such element.
    NoElement {
        /// The index that was asked for.
        index: usize,
        /// How many elements the room has.
        length: usize,
    },
}

impl fmt::Display for ObserveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAField => f.write_str(
                "the function was expected to give a field of the value that it was given, and gave something else, or what is inside of a lock or a cell; name a field that is beside them",
            ),
            Self::NoElement { index, length } => {
                write!(f, "the room has {length} elements, and none with the index {index}; give a smaller index")
            }
        }
    }
}

impl std::error::Error for ObserveError {}
