//! [`OpenError`]: a segment could not be made or opened.

use super::register::Unsupported;
use super::{DescriptorLostError, IoError, LocationError};
use crate::ParticipantId;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// A segment could not be made, opened or inspected. Nothing was changed.
///
/// Each variant's text says what was expected, what was found, and what to do.
#[derive(Debug)]
#[non_exhaustive]
pub enum OpenError {
    /// No segment can be at that place.
    Location(LocationError),
    /// There is no segment of that name.
    NotFound(PathBuf),
    /// Something has that name already.
    AlreadyExists(PathBuf),
    /// No segment can have such a mode or such an owner.
    InvalidOption(String),
    /// No segment can have such a size: too many participants, or a length that overflows.
    InvalidSize(String),
    /// It is not a regular file, or its first bytes are not those of a segment. A symbolic link is
    /// not followed.
    NotASegment,
    /// It has this version of the format; this crate reads [`FORMAT`](crate::format::FORMAT).
    Version {
        /// The version found.
        found: u32,
    },
    /// It was made by a program whose `usize` has another width.
    WordSize {
        /// Bits of the `usize` found.
        found: u32,
    },
    /// It holds another type, or another definition of that type.
    Type {
        /// Size in bytes of the type found.
        found_size: u64,
        /// Size in bytes of the type that was to be opened.
        expected_size: u64,
    },
    /// The elements of its room are of another type.
    RoomType {
        /// Size in bytes of one element found.
        found_size: u64,
        /// Size in bytes of one element of the type that was to be opened.
        expected_size: u64,
    },
    /// It was truncated or damaged: its length is not what its header says, or the header's numbers
    /// fit no length.
    Size {
        /// Length of the file in bytes.
        found: u64,
        /// Length by its header, if that makes sense.
        expected: Option<u64>,
    },
    /// It belongs to another user, who could change it at will.
    Owner {
        /// User id of its owner.
        found: u32,
        /// User id of this process.
        expected: u32,
    },
    /// It belongs to a user that this user namespace does not map. All such users have this one id
    /// here.
    UnmappedOwner {
        /// That id.
        found: u32,
    },
    /// The file system, or the user's part of it, is full.
    NoSpace {
        /// The segment's file, if it has a name, or is to have one.
        path: Option<PathBuf>,
        /// Length of the segment in bytes.
        needed: u64,
    },
    /// This process may not make files that long (RLIMIT_FSIZE).
    FileSizeLimit {
        /// The limit in bytes.
        limit: u64,
        /// Length of the segment in bytes.
        needed: u64,
    },
    /// Others were opening or replacing the segment for longer than
    /// [`SegmentOptions::busy_timeout`](crate::SegmentOptions::busy_timeout) allows.
    Busy {
        /// How long the opener waited.
        waited: Duration,
        /// Whether a shared lock is in the way. No opener has such a lock. A process can take one
        /// that may only read the file.
        by_reader: bool,
    },
    /// No lock says that the segment is in use, but a participant on record is known to live. So
    /// the file is seen through two views with locks of their own, such as an overlay and its upper
    /// directory. On an overlay it is enough that a participant is on record and cannot be checked.
    SeenTwice {
        /// The participant.
        id: ParticipantId,
        /// The id of its process, as this process sees it; `None` if it cannot be checked.
        process_id: Option<u32>,
    },
    /// What has this name changed between each two steps, for longer than
    /// [`SegmentOptions::busy_timeout`](crate::SegmentOptions::busy_timeout) allows: others made,
    /// removed or replaced it.
    KeepsChanging {
        /// The path.
        path: PathBuf,
        /// How long the opener or creator waited.
        waited: Duration,
    },
    /// All participants on record are dead, and this process cannot free what they hold: it may not
    /// open the segment's file anew. So it shares an open file with other processes, and the kernel
    /// does not show it what these do with the segment.
    CannotRevive,
    /// The kernel, the C library or the file system lacks something that segments need.
    Unsupported(String),
    /// Another thread of this process closed a descriptor while the segment was made or opened.
    DescriptorLost(DescriptorLostError),
    /// The operating system refused a step.
    Io(IoError),
}

impl OpenError {
    pub(crate) fn of_size(error: super::RangeError) -> Self {
        Self::InvalidSize(error.to_string())
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Location(error) => error.fmt(f),
            Self::NotFound(path) => write!(f, "there is no segment {}; create it first", path.display()),
            Self::AlreadyExists(path) => {
                write!(f, "{} exists already; open it, or choose another name", path.display())
            }
            Self::InvalidSize(what) | Self::InvalidOption(what) => f.write_str(what),
            Self::NotASegment => f.write_str(
                "this is no segment: not a regular file that begins with outlive's magic number (symbolic links are not followed); check the name",
            ),
            Self::Version { found } => write!(
                f,
                "the segment has format {found}, this program reads format {}; make it anew, or use the same version of outlive on both sides",
                crate::format::FORMAT
            ),
            Self::WordSize { found } => write!(
                f,
                "the segment was made by a {found}-bit program, this is a {}-bit one; build both alike",
                usize::BITS
            ),
            Self::Type { found_size, expected_size } => write!(
                f,
                "the segment holds another type ({found_size} bytes, this program expects {expected_size}); names, order and types of all fields must be the same on both sides"
            ),
            Self::RoomType { found_size, expected_size } => write!(
                f,
                "the segment's room holds elements of another type ({found_size} bytes each, this program expects {expected_size}); use the same type on both sides"
            ),
            Self::Size { found, expected: Some(expected) } => write!(
                f,
                "the segment has {found} bytes but should have {expected}: it was truncated or damaged; make it anew"
            ),
            Self::Size { found, expected: None } => write!(
                f,
                "the segment has {found} bytes and a header that fits no length: it was damaged; make it anew"
            ),
            Self::Owner { found, expected } => write!(
                f,
                "the segment belongs to user {found}, not to user {expected}; if that user is trusted, say so with SegmentOptions::owner"
            ),
            Self::UnmappedOwner { found } => write!(
                f,
                "the segment belongs to a user that this user namespace does not map; all such users have the id {found} here, so it may be anybody's: map its owner (uid_map)"
            ),
            Self::NoSpace { path: Some(path), needed } => write!(
                f,
                "there is no space for the {needed} bytes of {}: its file system or the user's quota is full; free some, or ask for less",
                path.display()
            ),
            Self::NoSpace { path: None, needed } => {
                write!(f, "there is no memory for the {needed} bytes of the segment; free some, or ask for less")
            }
            Self::FileSizeLimit { limit, needed } => write!(
                f,
                "the segment needs {needed} bytes, but this process may make files of at most {limit}; raise the limit (RLIMIT_FSIZE, `ulimit -f`), or ask for less"
            ),
            Self::Busy { waited, by_reader: false } => write!(
                f,
                "the turn to open or replace the segment takes microseconds, and did not come within {waited:?}: another process has it and does not finish; find, with fuser or lsof, the stopped process that has the file open, or a child that it forked, and continue or end it; or wait longer (SegmentOptions::busy_timeout)"
            ),
            Self::Busy { waited, by_reader: true } => write!(
                f,
                "the turn to open or replace the segment takes microseconds, and did not come within {waited:?}: a process has a shared lock on it, which no participant takes; find, with fuser or lsof, the process that reads the file, and end it, or take away its permission to read"
            ),
            Self::SeenTwice { id, process_id: None } => write!(
                f,
                "nobody was expected to use the segment, because no lock says so, but participant {id} on record may live: it is in another PID namespace, and through an overlay, the locks of processes that use the directory below it are not seen; open it by the path that the others use, or, if nobody uses the segment, say so with SegmentOptions::vouch_unused"
            ),
            Self::SeenTwice { id, process_id: Some(process_id) } => write!(
                f,
                "nobody was expected to use the segment, because no lock says so, but participant {id} on record lives in process {process_id}: the two see one file through two views (an overlay and its upper directory, a network file system), or that process has closed all descriptors on an overlay; open it by the path that the others use, or end that process, or, if nobody uses the segment, say so with SegmentOptions::vouch_unused"
            ),
            Self::KeepsChanging { path, waited } => write!(
                f,
                "{} was made, removed or replaced by other processes between each two steps of this one, for {waited:?}; let one process do that, or wait longer (SegmentOptions::busy_timeout)",
                path.display()
            ),
            Self::CannotRevive => f.write_str(
                "the segment's last participants are dead, and have to be removed from its table first (it is from another boot, or a copy, or an opener died while it did that); this process may not open the segment's file anew, and shares its open file with other processes, so it must not do that; let a process that may open the file open it by its name, then try again",
            ),
            Self::Unsupported(what) => f.write_str(what),
            Self::DescriptorLost(error) => error.fmt(f),
            Self::Io(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for OpenError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Location(error) => error.source(),
            Self::Io(error) => error.source(),
            _ => None,
        }
    }
}

impl From<LocationError> for OpenError {
    fn from(error: LocationError) -> Self {
        Self::Location(error)
    }
}

impl From<DescriptorLostError> for OpenError {
    fn from(error: DescriptorLostError) -> Self {
        Self::DescriptorLost(error)
    }
}

impl From<IoError> for OpenError {
    fn from(error: IoError) -> Self {
        Self::Io(error)
    }
}

impl From<Unsupported> for OpenError {
    fn from(Unsupported(what): Unsupported) -> Self {
        Self::Unsupported(what)
    }
}
