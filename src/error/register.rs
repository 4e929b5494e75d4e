//! [`RegisterError`] and [`NotInSegmentError`]: a primitive cannot be used here.

use crate::platform::linux::{ROBUST_LIST_LIMIT, Unsupported as RobustListMissing};
use std::fmt;

/// The calling thread could not be registered as a participant of the segment. Nothing was changed.
///
/// A thread is registered with its first operation in a segment, or by
/// [`Segment::attach`](crate::Segment::attach). So the errors of most operations contain this one.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RegisterError {
    /// The primitive is in no segment: it lives on a stack or heap that no other process can see.
    NotInSegment,
    /// Living threads have all slots of the participant table.
    Full {
        /// How many slots the table has.
        participants: usize,
    },
    /// The calling thread takes part in so many segments that the kernel might not find all its
    /// lifelines when it ends.
    TooManySegments {
        /// How many segments the thread takes part in.
        segments: usize,
        /// How many other entries its robust list has. Most of them are robust mutexes that it
        /// holds.
        other_entries: usize,
    },
    /// The kernel or the C library lacks something that participants need. (A boxed text, because
    /// its tag makes every lock that succeeds an instruction or two cheaper than a `String`'s.)
    Unsupported(Box<str>),
}

impl fmt::Display for RegisterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotInSegment => NotInSegmentError::new().fmt(f),
            Self::Full { participants } => write!(
                f,
                "all {participants} participants of the segment are taken by living threads; create it with more (SegmentOptions::participants)"
            ),
            Self::TooManySegments { segments, other_entries } => write!(
                f,
                "this thread takes part in {segments} segments, and its robust list has {other_entries} other entries, such as robust mutexes that it holds; the kernel follows {ROBUST_LIST_LIMIT} entries when the thread ends, and a segment takes two of them, or one in a main thread; drop segments or detach from them, release robust mutexes, or use another thread"
            ),
            Self::Unsupported(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for RegisterError {}

/// The primitive is in no segment. It lives on a stack or heap that no other process can see.
///
/// Operations that only wake others give this error alone: [`Event::set`](crate::Event::set) and
/// [`Barrier::abort`](crate::Barrier::abort).
///
/// ```
/// use outlive::Event;
///
/// let event = Event::new(); // on the stack
/// assert!(event.set().is_err());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct NotInSegmentError {}

impl NotInSegmentError {
    pub(crate) const fn new() -> Self {
        Self {}
    }
}

impl fmt::Display for NotInSegmentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("this primitive is not in a segment, so no other process could see it; put it into a Segment")
    }
}

impl std::error::Error for NotInSegmentError {}

impl From<NotInSegmentError> for RegisterError {
    fn from(NotInSegmentError {}: NotInSegmentError) -> Self {
        Self::NotInSegment
    }
}

/// The kernel or the C library lacks what this text says. Becomes a variant of the public types.
#[derive(Debug)]
pub(crate) struct Unsupported(pub(crate) String);

impl From<RobustListMissing> for Unsupported {
    fn from(missing: RobustListMissing) -> Self {
        Self(missing.to_string())
    }
}

impl From<Unsupported> for RegisterError {
    fn from(Unsupported(what): Unsupported) -> Self {
        Self::Unsupported(what.into())
    }
}

/// What the errors have in common that are a failed registration in one variant, `Register`:
/// `From`, and the source.
macro_rules! needs_registration {
    ($($error:ident)*) => {$(
        impl std::error::Error for $error {
            fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
                match self {
                    Self::Register(error) => Some(error),
                    _ => None,
                }
            }
        }

        impl From<RegisterError> for $error {
            fn from(error: RegisterError) -> Self {
                Self::Register(error)
            }
        }
    )*};
}
pub(super) use needs_registration;
