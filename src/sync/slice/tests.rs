//! Locks of slices in memory that is laid out as a segment is, for Miri.

use super::*;

/// The root and the room of a segment.
#[repr(C, align(128))]
struct Laid<Root, T, const N: usize> {
    root: Root,
    room: [LockedCell<T>; N],
}

/// All that a program can have of a segment at the same time: the root, the room, and the lock, by
/// which the data changes.
macro_rules! changes_beside_root_and_room {
    ($segment:ident, $root:ty, $one:expr) => {{
        fn try_elements<T: Shareable + Sync + Copy + PartialEq + fmt::Debug, const N: usize>(one: T) {
            // SAFETY: memory of zeros is a valid value of every Shareable type.
            let mut laid: Box<Laid<$root, T, N>> = unsafe { Box::new(core::mem::zeroed()) };
            let whole = core::ptr::from_mut(&mut *laid);
            let lock = $segment::<T>::lock_before(NonNull::new(whole.cast::<$root>()).expect("a box"), N);
            // SAFETY: they lie within the box, and only shared references to them are made.
            let (root, room, lock) = unsafe { (&(*whole).root, &(*whole).room, lock.as_ref()) };
            assert_eq!((lock.len(), lock.data().addr()), (N, room.as_ptr().addr()));
            let shown = format!("{root:?} {room:?}");
            // SAFETY: nobody else has the data. The lock has it in a cell.
            let data = unsafe { &mut *lock.data().cast_mut() };
            data.fill(one);
            assert!(!lock.is_inconsistent());
            assert_eq!(format!("{root:?} {room:?}"), shown);
            assert_eq!(data, [one; N]);
        }
        try_elements::<_, 3>($one);
        try_elements::<_, 1>($one);
    }};
}

#[derive(Debug, Clone, Copy, PartialEq)]
#[repr(C, align(128))]
struct Line(u8);

// SAFETY: repr(C) around a byte.
unsafe impl Shareable for Line {
    const DEFINITION: &'static Definition = &Definition::structure::<Self>("Line", &[Part::field::<u8>("0", 0)]);
}

#[test]
fn the_data_of_a_mutex_changes_beside_references_to_root_and_room() {
    changes_beside_root_and_room!(MutexSegment, MutexRoot, 7u8);
    changes_beside_root_and_room!(MutexSegment, MutexRoot, 7u16);
    changes_beside_root_and_room!(MutexSegment, MutexRoot, 7.5f64);
    changes_beside_root_and_room!(MutexSegment, MutexRoot, 7u128);
    changes_beside_root_and_room!(MutexSegment, MutexRoot, Line(7));
}

#[test]
fn the_data_of_a_rwlock_changes_beside_references_to_root_and_room() {
    changes_beside_root_and_room!(RwLockSegment, RwLockRoot, 7u8);
    changes_beside_root_and_room!(RwLockSegment, RwLockRoot, 7.5f64);
    changes_beside_root_and_room!(RwLockSegment, RwLockRoot, Line(7));
}
