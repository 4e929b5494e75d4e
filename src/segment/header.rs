//! What do the first bytes of a segment say, and where is everything else?
//!
//! | offset | bytes | field                                                            |
//! |--------|-------|------------------------------------------------------------------|
//! | 0      | 8     | magic, `outlive` and a zero byte                                 |
//! | 8      | 4     | format version                                                   |
//! | 12     | 4     | bits of `usize`                                                  |
//! | 16     | 32    | fingerprint of the root type                                     |
//! | 48     | 8     | its size                                                         |
//! | 56     | 32    | fingerprint of the room's element type                           |
//! | 88     | 8     | its size                                                         |
//! | 96     | 8     | number of elements of the room                                   |
//! | 104    | 4     | number of participants                                           |
//! | 108    | 4     | 1 if the root has interior mutability, plus 2 if the room has    |
//! | 112    | 8     | a hash of the bytes before                                       |
//! | 120    | 8     | origin: a hash of the boot id, 0 unknown                         |
//! | 128    | 8     | origin: the file's time of birth, 0 unknown                      |
//! | 136    | 8     | origin: its device                                               |
//! | 144    | 8     | origin: its inode                                                |
//! | 152    | 4     | `REVIVING` while a revival is under way or was broken off        |
//! | 160    | 48    | name of the root type, zeros behind it; for people alone         |
//! | 208    | 48    | name of the room's element type, likewise                        |
//! | 256    | 4     | membership word                                                  |
//! | 384    | 4     | cursor                                                           |
//! | 448    | 4     | time of the last reaping                                          |
//! | 512    | 128 n | participant table                                                |
//! | …      |       | root value, at a multiple of 128 and of its alignment            |
//! | …      |       | room, at a multiple of its elements' alignment and of 128        |
//!
//! All numbers are little-endian. After publication only the origin and the mark `REVIVING` ever
//! change. They are changed by an opener that finds that no process has the segment mapped. It
//! frees the table, and writes the origin anew. [`naming`](super::naming) says what the origin is
//! good for, and what it is not good for.

use super::definition::Fingerprint;
use super::shareable::Shareable;
use crate::error::OpenError;
use crate::format::FORMAT;
use crate::raw::Id;
use sha2::{Digest, Sha256};
use std::time::{Duration, SystemTime};

pub(super) mod contents;

const MAGIC: [u8; 8] = *b"outlive\0";
/// The bytes of the header, which are written when a segment is made.
pub(super) const LENGTH: usize = NAMES[1] + LONGEST_NAME;
/// A file must have at least so many bytes for its header to be judged.
pub(super) const LEAST: usize = BOOT;
const ROOT: usize = 16;
const ROOM: usize = ROOT + Fingerprint::LENGTH + 8;
const ROOM_LENGTH: usize = ROOM + Fingerprint::LENGTH + 8;
const PARTICIPANTS: usize = ROOM_LENGTH + 8;
const CHANGES: usize = PARTICIPANTS + 4;
const CHECK: usize = CHANGES + 4;
pub(super) const BOOT: usize = CHECK + 8;
pub(super) const BIRTH: usize = BOOT + 8;
pub(super) const DEVICE: usize = BIRTH + 8;
pub(super) const INODE: usize = DEVICE + 8;
pub(super) const MARK: usize = INODE + 8;
/// Where the names of root type and room type are.
const NAMES: [usize; 2] = [(MARK + 4).next_multiple_of(32), (MARK + 4).next_multiple_of(32) + LONGEST_NAME];
/// The most bytes of a name. Further bytes are cut off.
const LONGEST_NAME: usize = 48;
/// At [`MARK`]: an opener has begun to free the table, and has not finished.
pub(super) const REVIVING: u32 = 0x7276_6976;
/// From here on each item has a cache line of its own, or more.
pub(super) const MEMBERSHIP: usize = LENGTH.next_multiple_of(SLOT);
pub(super) const CURSOR: usize = MEMBERSHIP + SLOT;
pub(super) const STAMP: usize = CURSOR + SLOT / 2;
pub(super) const TABLE: usize = CURSOR + SLOT;
pub(super) const SLOT: usize = 128;
const PAGE: usize = 4096;

/// Where everything is in a segment of a certain type, room and number of participants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) participants: usize,
    pub(super) room_length: usize,
    pub(super) root: usize,
    pub(super) room: usize,
    pub(super) total: usize,
}

impl Layout {
    /// `None` if the segment does not fit into the address space, or there are no or too many
    /// participants. Also `None` if the room has elements without a size. There could be 2^64 of
    /// those, and a loop over them would not end.
    pub(super) fn for_types<T: Shareable, R: Shareable>(participants: usize, room_length: usize) -> Option<Self> {
        const { assert!(align_of::<T>() <= PAGE && align_of::<R>() <= PAGE, "alignment above a page's") };
        if participants == 0 || participants > Id::MAX_PARTICIPANTS {
            return None;
        }
        if size_of::<R>() == 0 && room_length > 0 {
            return None;
        }
        let up = |at: usize, align: usize| at.checked_next_multiple_of(align.max(SLOT));
        let root = up(TABLE + participants * SLOT, align_of::<T>())?;
        let room = up(root.checked_add(size_of::<T>())?, align_of::<R>())?;
        let end = room.checked_add(room_length.checked_mul(size_of::<R>())?)?;
        let total = end.checked_next_multiple_of(PAGE).filter(|t| *t <= isize::MAX as usize)?;
        Some(Self { participants, room_length, root, room, total })
    }

    /// The header's bytes.
    pub(super) fn header<T: Shareable, R: Shareable>(&self, origin: Origin) -> [u8; LENGTH] {
        let mut bytes = [0; LENGTH];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..12].copy_from_slice(&FORMAT.to_le_bytes());
        bytes[12..16].copy_from_slice(&usize::BITS.to_le_bytes());
        bytes[ROOT..ROOM].copy_from_slice(&type_record::<T>());
        bytes[ROOM..ROOM_LENGTH].copy_from_slice(&type_record::<R>());
        bytes[ROOM_LENGTH..PARTICIPANTS].copy_from_slice(&(self.room_length as u64).to_le_bytes());
        bytes[PARTICIPANTS..CHANGES].copy_from_slice(&(self.participants as u32).to_le_bytes());
        bytes[CHANGES..CHECK].copy_from_slice(&changes::<T, R>().to_le_bytes());
        let check = hash(&bytes[..CHECK]);
        bytes[CHECK..BOOT].copy_from_slice(&check.to_le_bytes());
        for (at, value) in origin.places() {
            bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
        }
        for (at, name) in NAMES.into_iter().zip([T::DEFINITION.name(), R::DEFINITION.name()]) {
            let length = whole_characters(name, LONGEST_NAME);
            bytes[at..at + length].copy_from_slice(&name.as_bytes()[..length]);
        }
        bytes
    }

    /// Checks a header, and the length of the file that has it.
    pub(super) fn judge<T: Shareable, R: Shareable>(bytes: &[u8; LENGTH], file: u64) -> Result<Self, OpenError> {
        let word64 = |at| word64(bytes, at);
        judge_format(bytes)?;
        let size = |at: usize| word64(at + Fingerprint::LENGTH);
        // Interior mutability is part of the fingerprint. It is also compared by itself: a `&T`
        // into bytes that others may change would be undefined behaviour.
        let may_change = word(bytes, CHANGES) ^ changes::<T, R>();
        if bytes[ROOT..ROOM] != type_record::<T>() || may_change & ROOT_CHANGES != 0 {
            return Err(OpenError::Type { found_size: size(ROOT), expected_size: size_of::<T>() as u64 });
        }
        if bytes[ROOM..ROOM_LENGTH] != type_record::<R>() || may_change & ROOM_CHANGES != 0 {
            return Err(OpenError::RoomType { found_size: size(ROOM), expected_size: size_of::<R>() as u64 });
        }
        // Only the two counts are used, and only if all that follows from them agrees with the hash
        // and the file. The length alone would not be enough. It is a multiple of the page size, so
        // another number of participants, with the root elsewhere, may give the same length.
        let layout = usize::try_from(word64(ROOM_LENGTH))
            .ok()
            .and_then(|room| Self::for_types::<T, R>(word(bytes, PARTICIPANTS) as usize, room))
            .filter(|_| word64(CHECK) == hash(&bytes[..CHECK]));
        match layout {
            Some(layout) if layout.total as u64 == file => Ok(layout),
            other => Err(OpenError::Size { found: file, expected: other.map(|l| l.total as u64) }),
        }
    }
}

/// The length of the longest beginning of the text that has at most `most` bytes and consists of
/// whole characters.
fn whole_characters(text: &str, most: usize) -> usize {
    (0..=text.len().min(most)).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0)
}

/// Checks that this is the header of a segment, and that this program knows its words and its
/// table.
pub(super) fn judge_format(bytes: &[u8; LENGTH]) -> Result<(), OpenError> {
    if bytes[..8] != MAGIC {
        return Err(OpenError::NotASegment);
    }
    match (word(bytes, 8), word(bytes, 12)) {
        (FORMAT, usize::BITS) => Ok(()),
        (FORMAT, found) => Err(OpenError::WordSize { found }),
        (found, _) => Err(OpenError::Version { found }),
    }
}

/// How many participants a header speaks of, unchecked. Callers read no more slots than the file
/// has.
pub(super) fn participants(bytes: &[u8; LENGTH]) -> usize {
    (word(bytes, PARTICIPANTS) as usize).min(Id::MAX_PARTICIPANTS)
}

/// Whether a revival was begun and not completed.
pub(super) fn is_half_revived(bytes: &[u8; LENGTH]) -> bool {
    word(bytes, MARK) == REVIVING
}

fn word(bytes: &[u8; LENGTH], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

fn word64(bytes: &[u8; LENGTH], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

/// Which file this was, and in which boot, when the segment was made or last revived. 0 means
/// unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Origin {
    pub(super) boot: u64,
    pub(super) birth: u64,
    pub(super) device: u64,
    pub(super) inode: u64,
}

impl Origin {
    pub(super) fn from_header(bytes: &[u8; LENGTH]) -> Self {
        let word64 = |at| word64(bytes, at);
        Self { boot: word64(BOOT), birth: word64(BIRTH), device: word64(DEVICE), inode: word64(INODE) }
    }

    /// The values, and where they lie in the header.
    pub(super) fn places(self) -> [(usize, u64); 4] {
        [(BOOT, self.boot), (BIRTH, self.birth), (DEVICE, self.device), (INODE, self.inode)]
    }

    /// When the file was made.
    pub(super) fn made(self) -> Option<SystemTime> {
        SystemTime::UNIX_EPOCH.checked_add(Duration::from_nanos(self.birth)).filter(|_| self.birth != 0)
    }

    /// Whether the other is certainly another file, in the same boot. An overlay shows a file under
    /// another device, and perhaps another inode, but with the same time of birth.
    pub(super) fn is_other_file(self, other: Self) -> bool {
        let other_birth = self.birth != 0 && other.birth != 0 && self.birth != other.birth;
        other_birth || self.device == other.device && self.inode != other.inode
    }
}

/// What is compared of a type: fingerprint and size.
fn type_record<T: Shareable>() -> [u8; Fingerprint::LENGTH + 8] {
    let mut bytes = [0; Fingerprint::LENGTH + 8];
    bytes[..Fingerprint::LENGTH].copy_from_slice(&Fingerprint::of::<T>().to_bytes());
    bytes[Fingerprint::LENGTH..].copy_from_slice(&(size_of::<T>() as u64).to_le_bytes());
    bytes
}

const ROOT_CHANGES: u32 = 1;
const ROOM_CHANGES: u32 = 2;

/// Which of the two types have interior mutability.
fn changes<T: Shareable, R: Shareable>() -> u32 {
    let flag = |changes: bool, flag: u32| if changes { flag } else { 0 };
    flag(T::DEFINITION.has_interior_mutability(), ROOT_CHANGES)
        | flag(R::DEFINITION.has_interior_mutability(), ROOM_CHANGES)
}

/// A hash of what names a boot of the system. Never 0.
pub(super) fn boot(id: &[u8]) -> u64 {
    hash(id).max(1)
}

/// The first bytes of SHA-256.
fn hash(bytes: &[u8]) -> u64 {
    let digest = Sha256::digest(bytes);
    u64::from_le_bytes(digest[..8].try_into().expect("eight bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ORIGIN: Origin = Origin { boot: 1, birth: 2, device: 3, inode: 4 };

    fn judge(bytes: &[u8; LENGTH], file: u64) -> Result<Layout, OpenError> {
        Layout::judge::<u64, u16>(bytes, file)
    }

    /// A fault that was there once: 2^64 - 1 such elements fit into a page, and a loop over them
    /// never ended.
    #[test]
    fn room_for_elements_without_a_size_is_an_error() {
        assert_eq!(Layout::for_types::<u64, ()>(1, usize::MAX), None);
        let empty = Layout::for_types::<u64, ()>(1, 0).expect("no room at all");
        let bytes = Layout { room_length: 5, ..empty }.header::<u64, ()>(ORIGIN);
        assert!(matches!(Layout::judge::<u64, ()>(&bytes, empty.total as u64), Err(OpenError::Size { .. })));
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            cases: if cfg!(miri) { 8 } else { 2_000 },
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        #[test]
        fn a_header_reads_as_it_was_written(
            participants in 1..4_097usize, room in 0..1usize << 50, origin: [u64; 4],
        ) {
            let layout = Layout::for_types::<u64, u16>(participants, room).expect("it fits");
            let [boot, birth, device, inode] = origin;
            let origin = Origin { boot, birth, device, inode };
            let bytes = layout.header::<u64, u16>(origin);
            prop_assert_eq!(judge(&bytes, layout.total as u64).expect("good"), layout);
            prop_assert_eq!(Origin::from_header(&bytes), origin);
            prop_assert_eq!(super::participants(&bytes), participants);
            prop_assert!(!is_half_revived(&bytes));
            prop_assert!(judge(&bytes, layout.total as u64 + 1).is_err());
        }

        /// A fault that was there once: another number of participants puts the root at another
        /// place. It was accepted if the length in whole pages was the same.
        #[test]
        fn any_damage_outside_the_origin_is_noticed(
            participants in 1..4_097usize, room in 0..10_000usize, at in 0..LENGTH, change in 1..=255u8,
        ) {
            let layout = Layout::for_types::<u64, u16>(participants, room).expect("it fits");
            let mut bytes = layout.header::<u64, u16>(ORIGIN);
            bytes[at] ^= change;
            let is_origin = at >= BOOT;
            prop_assert_eq!(judge(&bytes, layout.total as u64).is_ok(), is_origin);
        }

        #[test]
        fn a_header_of_any_bytes_is_judged(rest: [[u8; 24]; 3], check: u64, file: u64, good_until in 0..LENGTH) {
            let mut bytes = Layout::for_types::<u64, u16>(1, 0).expect("it fits").header::<u64, u16>(ORIGIN);
            let (rest, check) = (rest.concat(), check.to_le_bytes());
            let found = rest.iter().chain(&check).cycle().take(LENGTH);
            bytes.iter_mut().zip(found).skip(good_until).for_each(|(place, byte)| *place = *byte);
            if let Ok(layout) = judge(&bytes, file) {
                prop_assert!(layout.room + 2 * layout.room_length <= layout.total && layout.total as u64 == file);
            }
        }
    }
}
