//! What does a header say to those who do not know the segment's types?

use super::{
    CHANGES, CHECK, LENGTH, LONGEST_NAME, NAMES, PAGE, PARTICIPANTS, ROOM, ROOM_CHANGES, ROOM_LENGTH, ROOT,
    ROOT_CHANGES, SLOT, TABLE, hash, judge_format, long, word,
};
use crate::error::{Error, Result};
use crate::raw::Id;
use crate::segment::definition::Fingerprint;

/// A type that a segment contains.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TypeInfo {
    /// Its own name, as in [`Definition::name`](crate::Definition::name): the first 48 bytes of
    /// that, with what is not printable replaced. Nothing checks it, so it is for people alone.
    pub name: String,
    /// Its fingerprint: equal to [`Fingerprint::of`] in programs that mean the same type.
    pub fingerprint: Fingerprint,
    /// Its size in bytes.
    pub size: u64,
    /// Whether bytes of it may change behind a shared reference.
    pub has_interior_mutability: bool,
}

/// What a header says of a segment, to those who do not know its types.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::segment) struct Contents {
    pub(in crate::segment) root: TypeInfo,
    pub(in crate::segment) room: TypeInfo,
    pub(in crate::segment) room_length: u64,
    pub(in crate::segment) participants: usize,
}

impl Contents {
    /// Judges a header, and the length of the file that has it, as
    /// [`Layout::judge`](super::Layout::judge) does: as far as that is possible without the types,
    /// whose alignments the header does not tell.
    pub(in crate::segment) fn judge(bytes: &[u8; LENGTH], file: u64) -> Result<Self> {
        judge_format(bytes)?;
        let about = |at: usize, name: usize, changes: u32| TypeInfo {
            name: printable(&bytes[name..name + LONGEST_NAME]),
            fingerprint: Fingerprint::from_bytes(bytes[at..at + Fingerprint::LENGTH].try_into().expect("as many")),
            size: long(bytes, at + Fingerprint::LENGTH),
            has_interior_mutability: word(bytes, CHANGES) & changes != 0,
        };
        let (root, room) = (about(ROOT, NAMES[0], ROOT_CHANGES), about(ROOM, NAMES[1], ROOM_CHANGES));
        let (room_length, participants) = (long(bytes, ROOM_LENGTH), word(bytes, PARTICIPANTS) as usize);
        let is_whole =
            long(bytes, CHECK) == hash(&bytes[..CHECK]) && (1..=Id::MOST_PARTICIPANTS).contains(&participants);
        let least = room_length.checked_mul(room.size).and_then(|room| {
            let table = (TABLE + participants * SLOT) as u64;
            table.checked_add(root.size)?.checked_add(room)?.checked_next_multiple_of(PAGE as u64)
        });
        // Root and room begin at their alignments, of up to a page each.
        match least.filter(|_| is_whole) {
            Some(least)
                if file % PAGE as u64 == 0 && (least..=least.saturating_add(2 * PAGE as u64)).contains(&file) =>
            {
                Ok(Self { root, room, room_length, participants })
            }
            other => Err(Error::Size { found: file, expected: other }),
        }
    }
}

/// The text of a name, up to the first zero byte. What nobody could read is replaced.
fn printable(name: &[u8]) -> String {
    let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
    let readable = |c: char| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c };
    String::from_utf8_lossy(name).chars().map(readable).collect()
}
