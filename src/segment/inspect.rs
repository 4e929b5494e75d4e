//! What is in a segment, for people and for monitors that do not know its type?

use super::header::Origin;
use super::header::contents::{Contents, TypeInfo};
use super::{Location, ParticipantInfo, naming, participants};
#[allow(unused_imports)] // for the links below
use crate::error::OpenError;
use rustix::fs::OFlags;
use std::fs::File;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::time::SystemTime;

/// What a segment contains, and which participants use it: [`inspect`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SegmentInfo {
    /// The type of its root value: `T` of a [`Segment<T, R>`](crate::Segment).
    pub root: TypeInfo,
    /// The type of the room's elements, `R`.
    pub room: TypeInfo,
    /// How many elements the room has.
    pub room_length: u64,
    /// Length of the whole segment in bytes.
    pub length: u64,
    /// The most threads that can take part at the same time.
    pub max_participants: usize,
    /// The participants. There are none if the segment is not [in use](Self::is_in_use), whoever is
    /// on record.
    pub participants: Vec<ParticipantInfo>,
    /// Whether any process has it mapped, as far as this view of the file shows. (A process that
    /// may read the file can make it look so, by a shared lock.)
    pub is_in_use: bool,
    /// When the segment was made. For a copy that has been opened, this is when the copy was made.
    /// `None` where the file system does not say.
    pub created: Option<SystemTime>,
    /// User id of its owner.
    pub owner: u32,
    /// Permission bits of its file.
    pub mode: u32,
}

/// Reads what the segment at a place contains, without knowing its type.
///
/// It reads the file, and does nothing else: it takes no part, writes nothing, takes no lock, and
/// keeps no process waiting. It needs the right to read the file. The file may belong to any user,
/// because everything that is found is checked. The answer is of one moment, or of several moments
/// that follow each other.
///
/// ```
/// use outlive::{Fingerprint, Mutex, Segment};
///
/// # let name = &format!("outlive-doc-inspect-{}", std::process::id());
/// let segment = Segment::<Mutex<u64>>::create(name, |_zero| {})?;
/// segment.attach()?;
///
/// let found = outlive::inspect(name)?; // in any other process
/// assert_eq!(found.root.name, "outlive::Mutex");
/// assert_eq!(found.root.fingerprint, Fingerprint::of::<Mutex<u64>>());
/// assert_eq!(found.participants[0].process_id, std::process::id());
/// # Segment::<Mutex<u64>>::remove(name)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`OpenError::NotFound`]; [`OpenError::NotASegment`] for anything but a regular file (a symbolic
/// link is none), or without a whole header; [`OpenError::Version`], [`OpenError::WordSize`];
/// [`OpenError::Size`] for a segment that was truncated or damaged; those of [`Location::path`];
/// [`OpenError::Io`].
///
/// # If a process dies
/// A process that dies while it inspects changes nothing. The dead are not among the participants,
/// as soon as the kernel has marked their lifelines.
pub fn inspect(place: impl Into<Location>) -> Result<SegmentInfo, OpenError> {
    inspect_file(&naming::open_as_it_is(&place.into().path()?, OFlags::RDONLY, None)?)
}

/// As [`inspect`], for a file that is open for reading: one that has no name, or came over a
/// socket. The file offset of the descriptor stays as it is.
///
/// ```
/// use outlive::{Event, Segment};
///
/// # let name = &format!("outlive-doc-inspect-fd-{}", std::process::id());
/// let segment = Segment::<Event>::create(name, |_event| {})?;
/// let file = std::fs::File::open(outlive::Location::named(name.as_str()).path()?)?;
/// assert_eq!(outlive::inspect_fd(&file)?.root.name, "outlive::Event");
/// # Segment::<Event>::remove(name)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// Those of [`inspect`], as far as they concern an open file.
///
/// # If a process dies
/// As [`inspect`].
pub fn inspect_fd(file: impl AsFd) -> Result<SegmentInfo, OpenError> {
    let file = file.as_fd();
    naming::expect_regular(file)?;
    // A separate open file, because the kernel does not show the locks of the asking one.
    inspect_file(&naming::reopen_to_read(file)?)
}

fn inspect_file(file: &File) -> Result<SegmentInfo, OpenError> {
    let (header, length) = naming::read_header(file)?;
    let Contents { root, room, room_length, participants } = Contents::judge(&header, length)?;
    let metadata = naming::metadata(file)?;
    let is_in_use = naming::is_in_use(file.as_fd())?;
    let table = naming::TableCopy::from_file(file, if is_in_use { participants } else { 0 })?;
    Ok(SegmentInfo {
        root,
        room,
        room_length,
        length,
        max_participants: participants,
        participants: participants::living(table.slots()),
        is_in_use,
        created: Origin::from_header(&header).made(),
        owner: metadata.uid(),
        mode: metadata.mode() & 0o7777,
    })
}
