//! The first bytes of a segment, and where everything else is.
//!
//! | offset | bytes | field                                                            |
//! |--------|-------|------------------------------------------------------------------|
//! | 0      | 8     | magic, `outlive` and a zero byte                                 |
//! | 8      | 4     | format version                                                   |
//! | 12     | 4     | bits of `usize`                                                  |
//! | 16     | 8     | fingerprint of the root type                                     |
//! | 24     | 8     | its size                                                         |
//! | 32     | 8     | fingerprint of the room's element type                           |
//! | 40     | 8     | its size                                                         |
//! | 48     | 8     | number of elements of the room                                   |
//! | 56     | 8     | number of participants                                           |
//! | 64     | 8     | length of the whole segment                                      |
//! | 72     | 8     | origin: a hash of the boot id, 0 unknown                         |
//! | 80     | 8     | a hash of the bytes before the origin                            |
//! | 88     | 8     | origin: the file's time of birth, 0 unknown                      |
//! | 96     | 8     | origin: its device                                               |
//! | 104    | 8     | origin: its inode                                                |
//! | 112    | 4     | `REVIVING` while a revival is under way or was broken off        |
//! | 128    | 4     | membership word                                                  |
//! | 256    | 4     | cursor                                                           |
//! | 384    | 128 n | participant table                                                |
//! | …      |       | root value, at a multiple of 128 and of its alignment            |
//! | …      |       | room, at a multiple of its elements' alignment and of 128        |
//!
//! All numbers are little-endian. Only the origin and the mark `REVIVING` are ever changed after
//! publication, by an opener that finds that nobody has the segment mapped: it frees the table, and
//! writes the origin anew. What the origin is good for, and what it is not good for, is told in
//! [`naming`](super::naming).

use super::Shareable;
use crate::error::{Error, Result};
use crate::raw::Id;

/// The format's version. It changes with every change of the header, the slots or the words of the primitives.
pub const FORMAT: u32 = 2;

const MAGIC: [u8; 8] = *b"outlive\0";
/// Bytes that are written when a segment is made.
pub(super) const LENGTH: usize = 128;
/// So many of them must be there for the others to be judged.
pub(super) const LEAST: usize = 88;
pub(super) const BOOT: usize = 72;
const CHECK: usize = 80;
pub(super) const BIRTH: usize = 88;
pub(super) const DEVICE: usize = 96;
pub(super) const INODE: usize = 104;
pub(super) const MARK: usize = 112;
/// At [`MARK`]: an opener has begun to free the table, and has not finished.
pub(super) const REVIVING: u32 = 0x7276_6976;
pub(super) const MEMBERSHIP: usize = 128;
pub(super) const CURSOR: usize = 256;
pub(super) const TABLE: usize = 384;
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
    /// `None` if it does not fit into the address space, there are no or too many participants, or
    /// the room has elements without a size: there could be 2^64 of those, and a loop over them
    /// would not end.
    pub(super) fn of<T: Shareable, R: Shareable>(participants: usize, room_length: usize) -> Option<Self> {
        const { assert!(align_of::<T>() <= PAGE && align_of::<R>() <= PAGE, "alignment above a page's") };
        if participants == 0 || participants > Id::MOST_PARTICIPANTS {
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
        let about = [
            T::FINGERPRINT,
            size_of::<T>() as u64,
            R::FINGERPRINT,
            size_of::<R>() as u64,
            self.room_length as u64,
            self.participants as u64,
            self.total as u64,
        ];
        for (place, value) in bytes[16..BOOT].chunks_exact_mut(8).zip(about) {
            place.copy_from_slice(&value.to_le_bytes());
        }
        let check = hash(bytes[..BOOT].iter().copied());
        bytes[CHECK..CHECK + 8].copy_from_slice(&check.to_le_bytes());
        for (at, value) in origin.places() {
            bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
        }
        bytes
    }

    /// Judges a header, and the length of the file that has it.
    pub(super) fn judge<T: Shareable, R: Shareable>(bytes: &[u8; LENGTH], file: u64) -> Result<Self> {
        let long = |at| long(bytes, at);
        judge_format(bytes)?;
        if long(16) != T::FINGERPRINT || long(24) != size_of::<T>() as u64 {
            return Err(Error::Type { found_size: long(24), expected_size: size_of::<T>() as u64 });
        }
        if long(32) != R::FINGERPRINT || long(40) != size_of::<R>() as u64 {
            return Err(Error::RoomType { found_size: long(40), expected_size: size_of::<R>() as u64 });
        }
        let number = |at| usize::try_from(long(at)).ok();
        // Only the two counts are believed, and only if all that follows from them agrees with header and file. The length alone
        // would not do: it is a multiple of the page's, and another number of participants, with the root elsewhere, may
        // give the same.
        let layout = number(56)
            .zip(number(48))
            .and_then(|(participants, room)| Self::of::<T, R>(participants, room))
            .filter(|layout| layout.total as u64 == long(64))
            .filter(|_| long(CHECK) == hash(bytes[..BOOT].iter().copied()));
        match layout {
            Some(layout) if layout.total as u64 == file => Ok(layout),
            other => Err(Error::Size { found: file, expected: other.map(|l| l.total as u64) }),
        }
    }
}

/// Whether this is the header of a segment at all, and one whose words and table this program
/// knows.
pub(super) fn judge_format(bytes: &[u8; LENGTH]) -> Result<()> {
    if bytes[..8] != MAGIC {
        return Err(Error::NotASegment);
    }
    match (word(bytes, 8), word(bytes, 12)) {
        (FORMAT, usize::BITS) => Ok(()),
        (FORMAT, found) => Err(Error::WordSize { found }),
        (found, _) => Err(Error::Version { found }),
    }
}

/// How many participants a header speaks of. Believed by those who look at so many slots as there
/// are in the file.
pub(super) fn participants(bytes: &[u8; LENGTH]) -> usize {
    usize::try_from(long(bytes, 56)).unwrap_or(usize::MAX).min(Id::MOST_PARTICIPANTS)
}

/// Whether a revival was broken off.
pub(super) fn is_half_revived(bytes: &[u8; LENGTH]) -> bool {
    word(bytes, MARK) == REVIVING
}

fn word(bytes: &[u8; LENGTH], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

fn long(bytes: &[u8; LENGTH], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

/// Which file this was, and in which boot, when the segment was made or last revived. 0 is unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Origin {
    pub(super) boot: u64,
    pub(super) birth: u64,
    pub(super) device: u64,
    pub(super) inode: u64,
}

impl Origin {
    pub(super) fn of(bytes: &[u8; LENGTH]) -> Self {
        let long = |at| long(bytes, at);
        Self { boot: long(BOOT), birth: long(BIRTH), device: long(DEVICE), inode: long(INODE) }
    }

    /// The values, and where they are in the header.
    pub(super) fn places(self) -> [(usize, u64); 4] {
        [(BOOT, self.boot), (BIRTH, self.birth), (DEVICE, self.device), (INODE, self.inode)]
    }

    /// Whether it is a fact that the other is another file, in the same boot. (An overlay shows a
    /// file under another device, and perhaps another inode, but with the same time of birth.)
    pub(super) fn is_other_file(self, other: Self) -> bool {
        let other_birth = self.birth != 0 && other.birth != 0 && self.birth != other.birth;
        other_birth || self.device == other.device && self.inode != other.inode
    }
}

/// A hash of what names a boot of the system. Never 0.
pub(super) fn boot(id: &[u8]) -> u64 {
    hash(id.iter().copied()).max(1)
}

/// FNV-1a.
fn hash(bytes: impl Iterator<Item = u8>) -> u64 {
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ORIGIN: Origin = Origin { boot: 1, birth: 2, device: 3, inode: 4 };

    fn judge(bytes: &[u8; LENGTH], file: u64) -> Result<Layout> {
        Layout::judge::<u64, u16>(bytes, file)
    }

    /// A fault that was there once: 2^64 - 1 of them fit into a page, and a loop over them never
    /// ended.
    #[test]
    fn room_for_elements_without_a_size_cannot_be() {
        assert_eq!(Layout::of::<u64, ()>(1, usize::MAX), None);
        let empty = Layout::of::<u64, ()>(1, 0).expect("no room at all");
        let bytes = Layout { room_length: 5, ..empty }.header::<u64, ()>(ORIGIN);
        assert!(matches!(Layout::judge::<u64, ()>(&bytes, empty.total as u64), Err(Error::Size { .. })));
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            cases: if cfg!(miri) { 30 } else { 2_000 },
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        #[test]
        fn what_was_written_is_read(
            participants in 1..4_097usize, room in 0..1usize << 50, origin: [u64; 4],
        ) {
            let layout = Layout::of::<u64, u16>(participants, room).expect("it fits");
            let [boot, birth, device, inode] = origin;
            let origin = Origin { boot, birth, device, inode };
            let bytes = layout.header::<u64, u16>(origin);
            prop_assert_eq!(judge(&bytes, layout.total as u64).expect("good"), layout);
            prop_assert_eq!(Origin::of(&bytes), origin);
            prop_assert_eq!(super::participants(&bytes), participants);
            prop_assert!(!is_half_revived(&bytes));
            prop_assert!(judge(&bytes, layout.total as u64 + 1).is_err());
        }

        /// A fault that was there once: another number of participants, and so another place of the root, was taken for good
        /// if the length in whole pages was the same.
        #[test]
        fn any_damage_but_to_the_origin_is_noticed(
            participants in 1..4_097usize, room in 0..10_000usize, at in 0..LENGTH, change in 1..=255u8,
        ) {
            let layout = Layout::of::<u64, u16>(participants, room).expect("it fits");
            let mut bytes = layout.header::<u64, u16>(ORIGIN);
            bytes[at] ^= change;
            let is_origin = (BOOT..CHECK).contains(&at) || at >= BIRTH;
            prop_assert_eq!(judge(&bytes, layout.total as u64).is_ok(), is_origin);
        }

        #[test]
        fn whatever_is_found_is_judged(rest: [[u8; 24]; 3], check: u64, file: u64, good_until in 0..LENGTH) {
            let mut bytes = Layout::of::<u64, u16>(1, 0).expect("it fits").header::<u64, u16>(ORIGIN);
            let (rest, check) = (rest.concat(), check.to_le_bytes());
            let found = rest.iter().chain(&check).cycle().take(LENGTH);
            bytes.iter_mut().zip(found).skip(good_until).for_each(|(place, byte)| *place = *byte);
            if let Ok(layout) = judge(&bytes, file) {
                prop_assert!(layout.room + 2 * layout.room_length <= layout.total && layout.total as u64 == file);
            }
        }
    }
}
