//! How is a type made that is a segment of its own, with a length that is chosen at run time?
//!
//! Each such type has public functions `create`, `open`, `open_or_create`, `anonymous`, `remove`
//! and `options`. What they do is written here once.

use super::{Location, Segment, SegmentOptions, Shareable};
use crate::error::{OpenError, RangeError};

/// A type that is a [`Segment`] of its own: a root, and as many elements of room as its length
/// asks for.
pub(crate) trait OwnSegment: TryFrom<Segment<Self::Root, Self::Room>, Error = OpenError> {
    /// The root value of the segment.
    type Root: Shareable + Sync;
    /// An element of its room.
    type Room: Shareable + Sync;
    /// What the length counts, as an error calls it.
    const LENGTH: &'static str;
    /// The greatest length. What does not fit into the address space is another error.
    const MOST: usize = usize::MAX;

    /// Whether the type can have this length.
    ///
    /// # Errors
    /// The length is 0, or more than [`MOST`](Self::MOST).
    fn check(length: usize) -> Result<(), RangeError> {
        if (1..=Self::MOST).contains(&length) {
            return Ok(());
        }
        Err(RangeError::new(Self::LENGTH, length as u64, 1, Self::MOST.min(isize::MAX as usize) as u64))
    }

    /// As [`check`](Self::check), for a function that makes or opens the segment.
    ///
    /// # Errors
    /// [`OpenError::InvalidSize`].
    fn check_to_open(length: usize) -> Result<(), OpenError> {
        Self::check(length).map_err(OpenError::of_size)
    }

    /// Options for a segment of this length.
    ///
    /// # Errors
    /// Those of [`check`](Self::check).
    fn options_for(length: usize) -> Result<SegmentOptions<Self::Root, Self::Room>, RangeError> {
        Self::check(length)?;
        Ok(Segment::<Self::Root>::options().room(length))
    }

    /// [`options_for`](Self::options_for), for a function that makes or opens the segment.
    ///
    /// # Errors
    /// [`OpenError::InvalidSize`].
    fn options_to_open(length: usize) -> Result<SegmentOptions<Self::Root, Self::Room>, OpenError> {
        Self::options_for(length).map_err(OpenError::of_size)
    }

    /// Makes a named or file-backed segment.
    ///
    /// # Errors
    /// [`OpenError::InvalidSize`]; those of [`SegmentOptions::create`].
    fn create_at(
        place: impl Into<Location>,
        length: usize,
        init: impl FnOnce(&mut Self::Root, &mut [Self::Room]),
    ) -> Result<Self, OpenError> {
        Self::options_to_open(length)?.create(place, init)?.try_into()
    }

    /// Opens a named or file-backed segment, of whatever length.
    ///
    /// # Errors
    /// Those of [`SegmentOptions::open`].
    fn open_at(place: impl Into<Location>) -> Result<Self, OpenError> {
        Self::options_to_open(1)?.open(place)?.try_into()
    }

    /// Opens a segment, of whatever length, or makes it.
    ///
    /// # Errors
    /// Those of [`create_at`](Self::create_at) and [`open_at`](Self::open_at).
    fn open_or_create_at(
        place: impl Into<Location>,
        length: usize,
        init: impl Fn(&mut Self::Root, &mut [Self::Room]),
    ) -> Result<Self, OpenError> {
        Self::options_to_open(length)?.open_or_create(place, init)?.try_into()
    }

    /// Makes a segment without a name.
    ///
    /// # Errors
    /// [`OpenError::InvalidSize`]; those of [`SegmentOptions::anonymous`].
    fn anonymous_of(length: usize, init: impl FnOnce(&mut Self::Root, &mut [Self::Room])) -> Result<Self, OpenError> {
        Self::options_to_open(length)?.anonymous(init)?.try_into()
    }
}

/// The functions `segment` and `into_segment` of a type with a field `segment`, in an `impl` with
/// these generics.
macro_rules! gives_its_segment {
    ([$($generics:tt)*] $type:ty, $root:ty, $room:ty) => {
        impl<$($generics)*> $type {
            /// The segment, for all that segments have:
            /// [`Segment::pass_to`](crate::Segment::pass_to),
            /// [`Segment::send_to`](crate::Segment::send_to),
            /// [`Segment::participants`](crate::Segment::participants) and so on.
            pub fn segment(&self) -> &$crate::Segment<$root, $room> {
                &self.segment
            }

            /// The segment. [`Segment::close_descriptor`](crate::Segment::close_descriptor) needs
            /// it.
            pub fn into_segment(self) -> $crate::Segment<$root, $room> {
                self.segment
            }
        }
    };
}

pub(crate) use gives_its_segment;
