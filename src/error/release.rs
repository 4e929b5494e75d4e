//! [`NotHeldError`], [`OverReleaseError`], [`ReleaseError`]: there was nothing to release.

use super::NotInSegmentError;
use crate::ParticipantId;
use crate::raw::mutex::NotHeld;
use std::fmt;

/// The lock is not held by the participant that was to release it, or to mark it consistent.
/// Nothing was changed.
///
/// ```
/// use outlive::{Lock, Segment};
///
/// let lock = Segment::<Lock>::anonymous(|_free| {})?;
/// assert_eq!(lock.release().unwrap_err().holder, None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct NotHeldError {
    /// The holder, if there is one.
    pub holder: Option<ParticipantId>,
    is_in_segment: bool,
}

impl NotHeldError {
    pub(crate) fn by(holder: Option<ParticipantId>) -> Self {
        Self { holder, is_in_segment: true }
    }
}

impl fmt::Display for NotHeldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.holder {
            None if !self.is_in_segment => write!(f, "nobody can hold it: {}", NotInSegmentError::new()),
            None => f.write_str("it is not held by anybody; acquire it first, and release it once"),
            Some(holder) => write!(
                f,
                "it is held by participant {holder}, not by this thread; if it was this thread's, somebody released it on its behalf"
            ),
        }
    }
}

impl std::error::Error for NotHeldError {}

impl From<NotHeld> for NotHeldError {
    fn from(NotHeld { holder }: NotHeld) -> Self {
        Self::by(holder)
    }
}

/// A lock that is in no segment is held by nobody.
impl From<NotInSegmentError> for NotHeldError {
    fn from(_: NotInSegmentError) -> Self {
        Self { holder: None, is_in_segment: false }
    }
}

/// A semaphore would have had more permits than its maximum. Nothing was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct OverReleaseError {
    /// How many permits were to be released.
    pub released: u32,
    /// How many permits there were already.
    pub available: u32,
    /// How many permits there can be.
    pub maximum: u32,
}

impl OverReleaseError {
    pub(crate) fn new(released: u32, available: u32, maximum: u32) -> Self {
        Self { released, available, maximum }
    }
}

impl fmt::Display for OverReleaseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { released, available, maximum } = self;
        write!(
            f,
            "{released} permits were to be released to a semaphore that has {available} of at most {maximum}: more were released than acquired; release each permit once"
        )
    }
}

impl std::error::Error for OverReleaseError {}

/// Permits could not be released by hand: [`Semaphore::release`](crate::Semaphore::release).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReleaseError {
    /// The semaphore would have had more permits than its maximum.
    OverRelease(OverReleaseError),
    /// The semaphore is in no segment.
    NotInSegment(NotInSegmentError),
}

impl fmt::Display for ReleaseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OverRelease(error) => error.fmt(f),
            Self::NotInSegment(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ReleaseError {}

impl From<OverReleaseError> for ReleaseError {
    fn from(error: OverReleaseError) -> Self {
        Self::OverRelease(error)
    }
}

impl From<NotInSegmentError> for ReleaseError {
    fn from(error: NotInSegmentError) -> Self {
        Self::NotInSegment(error)
    }
}
