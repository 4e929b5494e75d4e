//! Data that is a slice, under one lock, in a segment of its own. Its length is chosen at run time.

use super::{Condvar, Mutex, RwLock};
use crate::error::{OpenError, RangeError, RemoveError};
use crate::platform::Linux;
use crate::raw;
use crate::segment::own::{OwnSegment, gives_its_segment};
use crate::segment::{Definition, Location, Part, Segment, SegmentOptions, Shareable};
use core::cell::UnsafeCell;
use core::fmt;
use core::mem::offset_of;
use core::ops::Deref;
use core::ptr::NonNull;

/// One element of the data of a lock, as the room of a [`MutexSegment`] or [`RwLockSegment`]. Only
/// the lock gives the element. This has no operations but [`get_mut`](Self::get_mut).
#[repr(transparent)]
pub struct LockedCell<T>(UnsafeCell<T>);

// SAFETY: repr(transparent) around data that is Shareable, stated as a cell; no pointers, no Drop.
// The compiler need not recommend what nobody makes.
#[diagnostic::do_not_recommend]
unsafe impl<T: Shareable> Shareable for LockedCell<T> {
    const DEFINITION: &'static Definition =
        &Definition::structure::<Self>("outlive::LockedCell", &[Part::cell::<T>("0", 0)]);
}

// SAFETY: a shared reference gives nothing. The lock gives the element as a part of its data, under
// the bounds of the lock.
unsafe impl<T: Send> Sync for LockedCell<T> {}

impl<T> LockedCell<T> {
    /// The element, without locking: the borrow shows that nobody else has it. The function that
    /// fills a new segment has such a borrow.
    pub fn get_mut(&mut self) -> &mut T {
        self.0.get_mut()
    }

    fn elements(cells: &mut [Self]) -> &mut [T] {
        let elements = core::ptr::from_mut(cells) as *mut [T];
        // SAFETY: a cell is transparent around its element, so a slice of cells is laid out as one
        // of elements. The borrow of the cells is unique, and lasts as long as the result.
        unsafe { &mut *elements }
    }
}

impl<T> fmt::Debug for LockedCell<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LockedCell").finish_non_exhaustive()
    }
}

/// The words of a mutex whose data is the room of a segment, and a condition variable. It has no
/// operations.
#[repr(C, align(128))]
pub struct MutexRoot {
    condvar: Condvar,
    words: MutexWords,
}

/// The word of the mutex lies directly before the data, as in a [`Mutex`]. How far before, depends
/// on the alignment of the elements. So any of these words may be the one.
#[repr(C, align(128))]
struct MutexWords([raw::Mutex<Linux>; 32]);

// SAFETY: words alone, understood whatever their bits; repr(C), no pointers, no Drop. The
// compiler need not recommend what nobody makes.
#[diagnostic::do_not_recommend]
unsafe impl Shareable for MutexRoot {
    const DEFINITION: &'static Definition = &Definition::structure::<Self>(
        "outlive::MutexRoot",
        &[
            Part::field::<Condvar>("condvar", offset_of!(Self, condvar)),
            Part::words::<MutexWords>("words", offset_of!(Self, words)),
        ],
    );
}

impl fmt::Debug for MutexRoot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let _one_of_them = &self.words.0;
        f.debug_struct("MutexRoot").finish_non_exhaustive()
    }
}

/// The words of a [`RwLock`] whose data is the room of a segment. It has no operations.
#[repr(transparent)]
pub struct RwLockRoot<const READERS: usize = 16> {
    words: raw::RwLock<Linux, READERS>,
}

// SAFETY: words alone, understood whatever their bits; repr(transparent) over repr(C), no pointers,
// no Drop. The compiler need not recommend what nobody makes.
#[diagnostic::do_not_recommend]
unsafe impl<const READERS: usize> Shareable for RwLockRoot<READERS> {
    const DEFINITION: &'static Definition = &Definition::structure::<Self>(
        "outlive::RwLockRoot",
        &[
            Part::const_parameter("READERS", READERS as u128),
            Part::words::<raw::RwLock<Linux, READERS>>("words", offset_of!(Self, words)),
        ],
    );
}

impl<const READERS: usize> fmt::Debug for RwLockRoot<READERS> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RwLockRoot").finish_non_exhaustive()
    }
}

/// A lock of a slice in a segment of its own, and the functions that make it. `$declared`, `$const`
/// and `$argument` are the lock's const parameter as it is declared, as an `impl` has it, and its
/// name. The lock has what `$bound` says if its data may lie in a segment.
macro_rules! slice_segment {
    (
        $(#[$doc:meta])*
        $segment:ident, $lock:ident, $name:literal, $default_root:ty, $root:ty, [$($bound:tt)*], [$($declared:tt)*], [$($const:tt)*],
        [$($argument:tt)*]
    ) => {
        $(#[$doc])*
        pub struct $segment<T: $($bound)*, $($declared)*> {
            segment: Segment<$root, LockedCell<T>>,
            /// The lock in the segment.
            lock: NonNull<$lock<[T], $($argument)*>>,
        }

        // SAFETY: `lock` is a shared reference in all but its lifetime. By the bounds of `T`, the
        // lock can be shared between threads.
        unsafe impl<T: $($bound)*, $($const)*> Send for $segment<T, $($argument)*> {}
        // SAFETY: as above.
        unsafe impl<T: $($bound)*, $($const)*> Sync for $segment<T, $($argument)*> {}

        // The bounds are those of the functions: so the compiler says what to use instead of a type
        // that cannot be shared.
        impl<T> $lock<[T]> {
            #[doc = concat!("Makes a named (`&str`) or file-backed (`&Path`) ", $name, " around `length` elements.")]
            ///
            /// `init` gets the elements in place, all zero, before any other process can see them.
            ///
            /// # Errors
            /// [`OpenError::InvalidSize`] if the length is 0, or if the data would not fit into the
            /// address space; those of [`SegmentOptions::create`].
            pub fn create(
                place: impl Into<Location>,
                length: usize,
                init: impl FnOnce(&mut [T]),
            ) -> Result<$segment<T>, OpenError>
            where
                T: $($bound)*,
            {
                $segment::create_at(place, length, |_, cells| init(LockedCell::elements(cells)))
            }

            #[doc = concat!("Opens a named or file-backed ", $name, " of a slice. It has the length that it was made with.")]
            ///
            /// # Errors
            /// Those of [`SegmentOptions::open`]. [`OpenError::Type`] if the segment contains
            /// something else; [`OpenError::RoomType`] if the elements are of another type.
            pub fn open(place: impl Into<Location>) -> Result<$segment<T>, OpenError>
            where
                T: $($bound)*,
            {
                $segment::open_at(place)
            }

            #[doc = concat!("Opens a ", $name, " of a slice, or makes it if there is none. One that exists keeps its length.")]
            ///
            /// # Errors
            /// Those of [`create`](Self::create) and [`open`](Self::open).
            pub fn open_or_create(
                place: impl Into<Location>,
                length: usize,
                init: impl Fn(&mut [T]),
            ) -> Result<$segment<T>, OpenError>
            where
                T: $($bound)*,
            {
                $segment::open_or_create_at(place, length, |_, cells| init(LockedCell::elements(cells)))
            }

            #[doc = concat!("Makes a ", $name, " around `length` elements, in a segment without a name.")]
            ///
            /// It is for threads, for children that are forked, or to be
            /// [passed on](Segment::pass_to).
            ///
            /// # Errors
            /// [`OpenError::InvalidSize`] if the length is 0, or if the data would not fit into the
            /// address space; those of [`SegmentOptions::anonymous`].
            pub fn anonymous(length: usize, init: impl FnOnce(&mut [T])) -> Result<$segment<T>, OpenError>
            where
                T: $($bound)*,
            {
                $segment::anonymous_of(length, |_, cells| init(LockedCell::elements(cells)))
            }

            #[doc = concat!("Options to make or open the segment of a ", $name, " with. [`TryFrom`] makes a")]
            #[doc = concat!("[`", stringify!($segment), "`] of it. The length counts for a new segment alone.")]
            ///
            /// # Errors
            /// The length is 0.
            pub fn options(length: usize) -> Result<SegmentOptions<$default_root, LockedCell<T>>, RangeError>
            where
                T: $($bound)*,
            {
                $segment::options(length)
            }

            /// Removes the name, as [`Segment::remove`].
            ///
            /// # Errors
            /// Those of [`Segment::remove`].
            pub fn remove(place: impl Into<Location>) -> Result<(), RemoveError> {
                Segment::<()>::remove(place)
            }
        }

        impl<T, $($const)*> $lock<[T], $($argument)*> {
            /// The number of elements, without locking: it never changes.
            pub fn len(&self) -> usize {
                self.data().len()
            }

            /// Whether there is no element.
            pub fn is_empty(&self) -> bool {
                self.len() == 0
            }
        }

        impl<T: $($bound)*, $($const)*> $segment<T, $($argument)*> {
            /// Options to make or open such a segment with. [`TryFrom`] makes this type of it. The
            /// length counts for a new segment alone.
            ///
            /// # Errors
            /// The length is 0.
            pub fn options(length: usize) -> Result<SegmentOptions<$root, LockedCell<T>>, RangeError> {
                Self::options_for(length)
            }

            /// The lock whose data is the `length` elements that begin where the root ends. The
            /// lock begins so far before them as its words need.
            fn lock_before(root: NonNull<$root>, length: usize) -> NonNull<$lock<[T], $($argument)*>> {
                const {
                    let (root, words) = (size_of::<$root>(), $lock::<T, $($argument)*>::OFFSET_OF_DATA);
                    assert!(root % 128 == 0 && align_of::<$root>() == 128 && words <= root, "see `deref`");
                    assert!(align_of::<T>() <= 128 && words % align_of::<$lock<T, $($argument)*>>() == 0, "see `deref`");
                }
                let before = size_of::<$root>() - $lock::<T, $($argument)*>::OFFSET_OF_DATA;
                let begin = root.as_ptr().cast::<u8>().wrapping_add(before);
                let whole = core::ptr::slice_from_raw_parts_mut(begin.cast::<T>(), length);
                NonNull::new(whole as *mut $lock<[T], $($argument)*>).expect("mapped")
            }
        }

        impl<T: $($bound)*, $($const)*> OwnSegment for $segment<T, $($argument)*> {
            type Root = $root;
            type Room = LockedCell<T>;
            const LENGTH: &'static str = "the length of the data";
        }

        gives_its_segment! { [T: $($bound)*, $($const)*] $segment<T, $($argument)*>, $root, LockedCell<T> }

        /// The lock that a segment is.
        impl<T: $($bound)*, $($const)*> TryFrom<Segment<$root, LockedCell<T>>> for $segment<T, $($argument)*> {
            type Error = OpenError;

            /// # Errors
            /// [`OpenError::InvalidSize`] if the room of the segment has no elements.
            fn try_from(segment: Segment<$root, LockedCell<T>>) -> Result<Self, OpenError> {
                const {
                    assert!(align_of::<T>() <= align_of::<$root>(), "the elements are aligned to at most 128 bytes");
                    assert!(size_of::<T>() > 0, "the elements have a size");
                }
                let (root, length) = segment.root_and_room();
                Self::check_to_open(length)?;
                Ok(Self { segment, lock: Self::lock_before(root, length) })
            }
        }

        impl<T: $($bound)*, $($const)*> Deref for $segment<T, $($argument)*> {
            type Target = $lock<[T], $($argument)*>;

            #[inline(always)]
            fn deref(&self) -> &Self::Target {
                // SAFETY: the segment keeps the memory mapped as long as `self` lives. The pointer
                // comes from the mapping's own. The room begins where the root ends: root and room
                // are aligned to 128 bytes, and the size of the root is a multiple of that. The
                // repr(C) lock has its words, then its data. It begins so far before the room that
                // its data is the room, and its words are among those of the root. There it is
                // aligned, since its data is, and its words take a multiple of its alignment. Its
                // size is rounded up to at most 128 bytes, and the mapping to pages. Any bytes are
                // a valid lock, and only shared references to it are given out. All that changes
                // in root and room is stated there as words and cells.
                unsafe { self.lock.as_ref() }
            }
        }

        impl<T: $($bound)* + fmt::Debug, $($const)*> fmt::Debug for $segment<T, $($argument)*> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                (**self).fmt(f)
            }
        }
    };
}

slice_segment! {
    /// A [`Mutex`] around a slice, in a [`Segment`] of its own. The length is chosen at run time.
    ///
    /// It is Python's `multiprocessing.Array`. It has the methods of [`Mutex`], whose guard gives
    /// `&mut [T]`. [`Mutex::create`], its kin and [`TryFrom`] make it.
    ///
    /// ```
    /// use outlive::{LockError, Mutex};
    ///
    /// # let name = &format!("outlive-doc-mutex-segment-{}", std::process::id());
    /// let samples = Mutex::<[f64]>::create(name, 1_000, |samples| samples.fill(1.0))?;
    /// // Here or in any other process:
    /// let same = Mutex::<[f64]>::open(name)?;
    /// assert_eq!(same.len(), 1_000);
    /// match same.lock() {
    ///     Ok(mut samples) => samples[999] = 0.5,
    ///     Err(LockError::OwnerDied(left)) => {
    ///         let mut samples = left.into_inner();
    ///         samples.fill(0.0); // whatever makes it right again
    ///         samples.mark_consistent();
    ///     }
    ///     Err(other) => return Err(other.into()),
    /// }
    /// assert_eq!(samples.lock()?.iter().sum::<f64>(), 999.5);
    /// # Mutex::<[f64]>::remove(name)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// A function that takes `&Mutex<[T]>` works with a field of type `Mutex<[T; N]>`, too:
    ///
    /// ```
    /// use outlive::{LockErrorKind, Mutex, Segment};
    ///
    /// fn total(numbers: &Mutex<[u64]>) -> Result<u64, LockErrorKind> {
    ///     Ok(numbers.lock()?.iter().sum())
    /// }
    ///
    /// let in_a_field = Segment::<Mutex<[u64; 3]>>::anonymous(|new| *new.get_mut() = [1, 2, 3])?;
    /// let by_itself = Mutex::<[u64]>::anonymous(3, |new| new.copy_from_slice(&[1, 2, 3]))?;
    /// assert_eq!(total(&*in_a_field)?, total(&by_itself)?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// The [`segment`](Self::segment) has what segments have: it can be passed to a child or over a
    /// socket, and knows its participants. A segment that came in such a way becomes this type by
    /// [`TryFrom`].
    ///
    /// # If a process dies
    /// See [`Mutex`](Mutex#if-a-process-dies). The dead holder may have left any elements half
    /// changed.
    #[doc(alias = "Array")]
    MutexSegment, Mutex, "mutex", MutexRoot, MutexRoot, [Shareable], [], [], []
}

slice_segment! {
    /// A [`RwLock`] around a slice, in a [`Segment`] of its own. The length is chosen at run time.
    ///
    /// It has the methods of [`RwLock`], whose guards give `&[T]` and `&mut [T]`.
    /// [`RwLock::create`](RwLock#method.create), its kin and [`TryFrom`] make it.
    ///
    /// ```
    /// use outlive::RwLock;
    ///
    /// # let name = &format!("outlive-doc-rwlock-segment-{}", std::process::id());
    /// let table = RwLock::<[u32]>::create(name, 4, |table| table.fill(7))?;
    /// table.write()?[0] = 8;
    /// let same = RwLock::<[u32]>::open(name)?; // here or in any other process
    /// assert_eq!(*same.read()?, [8, 7, 7, 7]);
    /// # RwLock::<[u32]>::remove(name)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # How many readers
    ///
    /// These functions make locks for [16 readers](RwLock#how-many-readers) at a time. For another
    /// number there is [`options`](Self::options):
    ///
    /// ```
    /// use outlive::RwLockSegment;
    ///
    /// let segment = RwLockSegment::<u32, 64>::options(4)?.anonymous(|_, _zeros| {})?;
    /// let table = RwLockSegment::try_from(segment)?;
    /// assert_eq!(table.len(), 4);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # If a process dies
    /// See [`RwLock`](RwLock#if-a-process-dies). A dead writer may have left any elements half
    /// changed.
    #[doc(alias = "Array")]
    RwLockSegment, RwLock, "lock", RwLockRoot, RwLockRoot<READERS>, [Shareable + Sync], [const READERS: usize = 16],
    [const READERS: usize], [READERS]
}

impl<T: Shareable> MutexSegment<T> {
    /// A condition variable in the same segment, to wait until the data is as it should be.
    ///
    /// ```
    /// use outlive::Mutex;
    ///
    /// let samples = Mutex::<[f64]>::anonymous(8, |_zeros| {})?;
    /// std::thread::scope(|scope| {
    ///     scope.spawn(|| {
    ///         samples.lock().unwrap()[7] = 0.5;
    ///         samples.condvar().notify_all();
    ///     });
    ///     let guard = samples.lock().unwrap();
    ///     let guard = samples.condvar().wait_while(guard, |samples| samples[7] == 0.0).unwrap();
    ///     assert_eq!(guard[7], 0.5);
    /// });
    /// # Ok::<(), outlive::OpenError>(())
    /// ```
    pub fn condvar(&self) -> &Condvar {
        &self.segment.condvar
    }
}

#[cfg(test)]
mod tests;
