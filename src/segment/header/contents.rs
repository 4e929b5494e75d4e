//! What does a header say to those who do not know the segment's types?

use super::{
    CHANGES, CHECK, LENGTH, LONGEST_NAME, NAMES, PAGE, PARTICIPANTS, ROOM, ROOM_CHANGES, ROOM_LENGTH, ROOT,
    ROOT_CHANGES, SLOT, TABLE, hash, judge_format, word, word64,
};
use crate::error::OpenError;
use crate::raw::Id;
use crate::segment::definition::Fingerprint;

/// A type of values in a segment.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TypeInfo {
    /// Its own name, as in [`Definition::name`](crate::Definition::name). It is cut to 48 bytes,
    /// and characters that cannot be printed are replaced. Nothing checks it, so it is only for
    /// people.
    pub name: String,
    /// Its fingerprint. It equals [`Fingerprint::of`] in programs that mean the same type.
    pub fingerprint: Fingerprint,
    /// Its size in bytes.
    pub size: u64,
    /// Whether bytes of its values may change behind a shared reference.
    pub has_interior_mutability: bool,
}

/// What a header says of a segment to a reader who does not know its types.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::segment) struct Contents {
    pub(in crate::segment) root: TypeInfo,
    pub(in crate::segment) room: TypeInfo,
    pub(in crate::segment) room_length: u64,
    pub(in crate::segment) participants: usize,
}

impl Contents {
    /// Checks a header, and the length of the file that has it, as
    /// [`Layout::judge`](super::Layout::judge) does. Not everything can be checked without the
    /// types: the header does not say how they are aligned.
    pub(in crate::segment) fn judge(bytes: &[u8; LENGTH], file: u64) -> Result<Self, OpenError> {
        judge_format(bytes)?;
        let type_info = |at: usize, name: usize, changes: u32| TypeInfo {
            name: printable(&bytes[name..name + LONGEST_NAME]),
            fingerprint: Fingerprint::from_bytes(bytes[at..at + Fingerprint::LENGTH].try_into().expect("as many")),
            size: word64(bytes, at + Fingerprint::LENGTH),
            has_interior_mutability: word(bytes, CHANGES) & changes != 0,
        };
        let (root, room) = (type_info(ROOT, NAMES[0], ROOT_CHANGES), type_info(ROOM, NAMES[1], ROOM_CHANGES));
        let (room_length, participants) = (word64(bytes, ROOM_LENGTH), word(bytes, PARTICIPANTS) as usize);
        let is_whole =
            word64(bytes, CHECK) == hash(&bytes[..CHECK]) && (1..=Id::MAX_PARTICIPANTS).contains(&participants);
        let least = room_length.checked_mul(room.size).and_then(|room| {
            let table = (TABLE + participants * SLOT) as u64;
            table.checked_add(root.size)?.checked_add(room)?.checked_next_multiple_of(PAGE as u64)
        });
        // Root and room begin at multiples of their alignments, which are at most a page each.
        match least.filter(|_| is_whole) {
            Some(least)
                if file % PAGE as u64 == 0 && (least..=least.saturating_add(2 * PAGE as u64)).contains(&file) =>
            {
                Ok(Self { root, room, room_length, participants })
            }
            other => Err(OpenError::Size { found: file, expected: other }),
        }
    }
}

/// The text of a name, up to the first zero byte. Characters that cannot be printed are replaced.
fn printable(name: &[u8]) -> String {
    let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
    let readable = |c: char| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c };
    String::from_utf8_lossy(name).chars().map(readable).collect()
}
