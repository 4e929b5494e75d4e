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
//! | 72     | 8     | identity: a hash of boot id, device and inode                    |
//! | 80     | 8     | a hash of the bytes before the identity                          |
//! | 128    | 4     | membership word                                                  |
//! | 256    | 4     | cursor                                                           |
//! | 320    | 4     | stamp of the last slow look                                      |
//! | 384    | 128 n | participant table                                                |
//! | …      |       | root value, at a multiple of 128 and of its alignment            |
//! | …      |       | room, at a multiple of its elements' alignment and of 128        |
//!
//! All numbers are little-endian. The identity alone is ever changed after publication: when the segment is found to be a
//! copy, or older than the last boot, all its participants are dead, and it gets the new one.

use super::Shareable;
use crate::error::{Error, Result};
use crate::raw::Id;

/// The format's version. It changes with every change of the header, the slots or the words of the primitives.
pub const FORMAT: u32 = 1;

const MAGIC: [u8; 8] = *b"outlive\0";
/// Bytes that are read to judge a segment.
pub(super) const LENGTH: usize = 88;
pub(super) const IDENTITY: usize = 72;
const CHECK: usize = 80;
pub(super) const MEMBERSHIP: usize = 128;
pub(super) const CURSOR: usize = 256;
pub(super) const STAMP: usize = 320;
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
    /// `None` if it does not fit into the address space, or there are no or too many participants.
    pub(super) fn of<T: Shareable, R: Shareable>(participants: usize, room_length: usize) -> Option<Self> {
        const { assert!(align_of::<T>() <= PAGE && align_of::<R>() <= PAGE, "alignment above a page's") };
        if participants == 0 || participants > Id::MOST_PARTICIPANTS {
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
    pub(super) fn header<T: Shareable, R: Shareable>(&self, identity: u64) -> [u8; LENGTH] {
        let mut bytes = [0; LENGTH];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..12].copy_from_slice(&FORMAT.to_le_bytes());
        bytes[12..16].copy_from_slice(&usize::BITS.to_le_bytes());
        let rest = [
            T::FINGERPRINT,
            size_of::<T>() as u64,
            R::FINGERPRINT,
            size_of::<R>() as u64,
            self.room_length as u64,
            self.participants as u64,
            self.total as u64,
            identity,
        ];
        for (place, value) in bytes[16..CHECK].chunks_exact_mut(8).zip(rest) {
            place.copy_from_slice(&value.to_le_bytes());
        }
        let check = hash(bytes[..IDENTITY].iter().copied());
        bytes[CHECK..].copy_from_slice(&check.to_le_bytes());
        bytes
    }

    /// Judges a header, and the length of the file that has it. Gives the layout and the identity it states.
    pub(super) fn judge<T: Shareable, R: Shareable>(bytes: &[u8; LENGTH], file: u64) -> Result<(Self, u64)> {
        let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"));
        let long = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"));
        if bytes[..8] != MAGIC {
            return Err(Error::NotASegment);
        }
        if word(8) != FORMAT {
            return Err(Error::Version { found: word(8) });
        }
        if word(12) != usize::BITS {
            return Err(Error::WordSize { found: word(12) });
        }
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
            .filter(|_| long(CHECK) == hash(bytes[..IDENTITY].iter().copied()));
        match layout {
            Some(layout) if layout.total as u64 == file => Ok((layout, long(IDENTITY))),
            other => Err(Error::Size { found: file, expected: other.map(|l| l.total as u64) }),
        }
    }
}

/// The identity of a file on a running system. Never 0.
pub(super) fn identity(boot: &[u8], device: u64, inode: u64) -> u64 {
    hash(boot.iter().copied().chain(device.to_le_bytes()).chain(inode.to_le_bytes())).max(1)
}

/// FNV-1a.
fn hash(bytes: impl Iterator<Item = u8>) -> u64 {
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    type Judged = Result<(Layout, u64)>;

    fn judge(bytes: &[u8; LENGTH], file: u64) -> Judged {
        Layout::judge::<u64, u16>(bytes, file)
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            cases: if cfg!(miri) { 30 } else { 2_000 },
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        #[test]
        fn what_was_written_is_read(participants in 1..4_097usize, room in 0..1usize << 50, identity: u64) {
            let layout = Layout::of::<u64, u16>(participants, room).expect("it fits");
            let bytes = layout.header::<u64, u16>(identity);
            prop_assert_eq!(judge(&bytes, layout.total as u64).expect("good"), (layout, identity));
            prop_assert!(judge(&bytes, layout.total as u64 + 1).is_err());
        }

        /// A fault that was there once: another number of participants, and so another place of the root, was taken for good
        /// if the length in whole pages was the same.
        #[test]
        fn any_damage_but_to_the_identity_is_noticed(
            participants in 1..4_097usize, room in 0..10_000usize, at in 0..LENGTH, change in 1..=255u8,
        ) {
            let layout = Layout::of::<u64, u16>(participants, room).expect("it fits");
            let mut bytes = layout.header::<u64, u16>(7);
            bytes[at] ^= change;
            let is_identity = (IDENTITY..CHECK).contains(&at);
            prop_assert_eq!(judge(&bytes, layout.total as u64).is_ok(), is_identity);
        }

        #[test]
        fn whatever_is_found_is_judged(rest: [[u8; 24]; 3], check: u64, file: u64, good_until in 0..LENGTH) {
            let mut bytes = Layout::of::<u64, u16>(1, 0).expect("it fits").header::<u64, u16>(0);
            let (rest, check) = (rest.concat(), check.to_le_bytes());
            let found = rest.iter().chain(&check).cycle().take(LENGTH);
            bytes.iter_mut().zip(found).skip(good_until).for_each(|(place, byte)| *place = *byte);
            if let Ok((layout, _)) = judge(&bytes, file) {
                prop_assert!(layout.room + 2 * layout.room_length <= layout.total && layout.total as u64 == file);
            }
        }
    }
}
