//! The first bytes of a segment, and where everything else is.
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
//! | 112    | 8     | identity: a hash of boot id, device and inode                    |
//! | 120    | 8     | a hash of the bytes before the identity                          |
//! | 128    | 4     | membership word                                                  |
//! | 256    | 4     | cursor                                                           |
//! | 384    | 128 n | participant table                                                |
//! | …      |       | root value, at a multiple of 128 and of its alignment            |
//! | …      |       | room, at a multiple of its elements' alignment and of 128        |
//!
//! All numbers are little-endian. The identity alone is ever changed after publication: when the segment is found to be a
//! copy, or older than the last boot, all its participants are dead, and it gets the new one.

use super::{Fingerprint, Shareable};
use crate::error::{Error, Result};
use crate::raw::Id;
use sha2::{Digest, Sha256};

/// The format's version. It changes with every change of the header, the slots or the words of the primitives.
pub const FORMAT: u32 = 2;

const MAGIC: [u8; 8] = *b"outlive\0";
/// Bytes that are read to judge a segment.
pub(super) const LENGTH: usize = CHECK + 8;
const ROOT: usize = 16;
const ROOM: usize = ROOT + Fingerprint::LENGTH + 8;
const ROOM_LENGTH: usize = ROOM + Fingerprint::LENGTH + 8;
const PARTICIPANTS: usize = ROOM_LENGTH + 8;
const CHANGES: usize = PARTICIPANTS + 4;
pub(super) const IDENTITY: usize = CHANGES + 4;
const CHECK: usize = IDENTITY + 8;
/// From here on a cache line each, or more.
pub(super) const MEMBERSHIP: usize = LENGTH.next_multiple_of(SLOT);
pub(super) const CURSOR: usize = MEMBERSHIP + SLOT;
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
        bytes[ROOT..ROOM].copy_from_slice(&about::<T>());
        bytes[ROOM..ROOM_LENGTH].copy_from_slice(&about::<R>());
        bytes[ROOM_LENGTH..PARTICIPANTS].copy_from_slice(&(self.room_length as u64).to_le_bytes());
        bytes[PARTICIPANTS..CHANGES].copy_from_slice(&(self.participants as u32).to_le_bytes());
        bytes[CHANGES..IDENTITY].copy_from_slice(&changes::<T, R>().to_le_bytes());
        bytes[IDENTITY..CHECK].copy_from_slice(&identity.to_le_bytes());
        let check = hash(&bytes[..IDENTITY]);
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
        let size = |at: usize| long(at + Fingerprint::LENGTH);
        // Interior mutability is part of the fingerprint, and compared once more as what it is: a
        // `&T` into bytes that others may change would be undefined behaviour.
        let may_change = word(CHANGES) ^ changes::<T, R>();
        if bytes[ROOT..ROOM] != about::<T>() || may_change & ROOT_CHANGES != 0 {
            return Err(Error::Type { found_size: size(ROOT), expected_size: size_of::<T>() as u64 });
        }
        if bytes[ROOM..ROOM_LENGTH] != about::<R>() || may_change & ROOM_CHANGES != 0 {
            return Err(Error::RoomType { found_size: size(ROOM), expected_size: size_of::<R>() as u64 });
        }
        // Only the two counts are believed, and only if all that follows from them agrees with the
        // hash and the file. The length alone would not do: it is a multiple of the page's, and
        // another number of participants, with the root elsewhere, may give the same.
        let layout = usize::try_from(long(ROOM_LENGTH))
            .ok()
            .and_then(|room| Self::of::<T, R>(word(PARTICIPANTS) as usize, room))
            .filter(|_| long(CHECK) == hash(&bytes[..IDENTITY]));
        match layout {
            Some(layout) if layout.total as u64 == file => Ok((layout, long(IDENTITY))),
            other => Err(Error::Size { found: file, expected: other.map(|l| l.total as u64) }),
        }
    }
}

/// What is compared of a type: fingerprint and size.
fn about<T: Shareable>() -> [u8; Fingerprint::LENGTH + 8] {
    let mut bytes = [0; Fingerprint::LENGTH + 8];
    bytes[..Fingerprint::LENGTH].copy_from_slice(&Fingerprint::of::<T>().to_bytes());
    bytes[Fingerprint::LENGTH..].copy_from_slice(&(size_of::<T>() as u64).to_le_bytes());
    bytes
}

const ROOT_CHANGES: u32 = 1;
const ROOM_CHANGES: u32 = 2;

/// Which of the two has interior mutability.
fn changes<T: Shareable, R: Shareable>() -> u32 {
    let flag = |changes: bool, flag: u32| if changes { flag } else { 0 };
    flag(T::DEFINITION.has_interior_mutability(), ROOT_CHANGES)
        | flag(R::DEFINITION.has_interior_mutability(), ROOM_CHANGES)
}

/// The identity of a file on a running system. Never 0.
pub(super) fn identity(boot: &[u8], device: u64, inode: u64) -> u64 {
    hash(&[boot, &device.to_le_bytes(), &inode.to_le_bytes()].concat()).max(1)
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
