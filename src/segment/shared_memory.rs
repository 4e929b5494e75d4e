//! [`SharedMemory`]: a block of bytes that processes share, without a lock.

#![allow(clippy::disallowed_types)] // the bytes are plain data of users, in atomic words

pub(crate) mod words;

use super::own::{OwnSegment, gives_its_segment};
use super::{Definition, Location, Segment, SegmentOptions, Shareable};
use crate::atomic::AtomicU64;
use crate::error::{OpenError, OutOfBoundsError, RangeError, RemoveError};
use core::cell::UnsafeCell;
use core::fmt;
use core::ptr::NonNull;

/// One byte of a [`SharedMemory`], as the room of its segment. It has no operations.
#[repr(transparent)]
pub struct SharedByte(UnsafeCell<u8>);

// SAFETY: repr(transparent) around a byte, stated as one that may change behind a shared reference;
// no pointers, no Drop. The compiler need not recommend what nobody makes.
#[diagnostic::do_not_recommend]
unsafe impl Shareable for SharedByte {
    const DEFINITION: &'static Definition = &Definition::atomic::<Self>("outlive::SharedByte");
}

// SAFETY: a shared reference gives nothing. `SharedMemory` accesses the byte as a part of an atomic
// word alone.
unsafe impl Sync for SharedByte {}

impl SharedByte {
    /// The byte, without an atomic operation: the borrow shows that nobody else has it. The
    /// function that fills a new segment has such a borrow.
    pub fn get_mut(&mut self) -> &mut u8 {
        self.0.get_mut()
    }
}

impl fmt::Debug for SharedByte {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedByte").finish_non_exhaustive()
    }
}

/// A block of bytes in memory that processes share. All of them may read and write it at the same
/// time. There is no lock.
///
/// It is Python's `multiprocessing.shared_memory.SharedMemory`. [`create`](Self::create) is
/// `SharedMemory(name, create=True, size=n)`, [`remove`](Self::remove) is `unlink`, and to drop it
/// is `close`. Its length is exactly the one that it was made with.
///
/// ```
/// use outlive::SharedMemory;
///
/// # let name = &format!("outlive-doc-shared-memory-{}", std::process::id());
/// let frame = SharedMemory::create(name, 640 * 480)?;
/// frame.write_at(1_000, b"pixels")?;
/// // Here or in any other process:
/// let same = SharedMemory::open(name)?;
/// let mut bytes = [0; 6];
/// same.read_at(1_000, &mut bytes)?;
/// assert_eq!((&bytes, same.len()), (b"pixels", 307_200));
/// # SharedMemory::remove(name)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Which type for which data
///
/// | the data                                            | the type                                     |
/// |-----------------------------------------------------|----------------------------------------------|
/// | bytes, or elements, that belong together            | [`Mutex<[T]>`](crate::MutexSegment), [`RwLock<[T]>`](crate::RwLockSegment) |
/// | a struct                                            | [`Segment<T>`] with a lock in it             |
/// | numbers that are changed one by one                 | [room](SegmentOptions::room) for [atomics](crate::atomic) |
/// | items that go from one process to another           | [`Queue`](crate::Queue)                      |
/// | bytes with a protocol of their own                  | this type                                    |
///
/// Mostly one of the others is the better choice. A lock gives a `&mut [T]`, and tells the next
/// holder if the last one died.
///
/// # At the same time
///
/// Others may write while this process reads. So there is no `&[u8]` of the bytes, which must not
/// change: [`read_at`](Self::read_at) and [`write_at`](Self::write_at) copy. A copy that meets a
/// write may have some new bytes and some old ones. Each aligned word of 8 bytes that lies within
/// both is old or new as a whole. Bytes beside those that are written are not touched.
///
/// The copies order nothing (they are [`Relaxed`](crate::atomic::Ordering::Relaxed)). To know that
/// the bytes are there, read them after something that the writer does after its write: it
/// releases a lock, it sends an item, it sets an [`Event`](crate::Event). These may lie in another
/// segment.
///
/// All accesses are made by words of 8 bytes, also those of [`as_atomics`](Self::as_atomics). There
/// are no views of smaller atomics. Rust does not allow that two sizes of atomics meet in one
/// place at the same time, one of them writing.
///
/// # If a process dies
/// What it had written stays. Of a write in the middle of which it died, some words are new, and
/// the others are old.
///
/// # What others see
/// It is a [`Segment`]. So it is made completely or not at all, its type is checked, and
/// [`inspect`](crate::inspect) describes it. Its header and its table of participants lie before
/// the bytes, so the bytes do not begin at the beginning of the file. A program without this crate
/// cannot use it by its name.
pub struct SharedMemory {
    segment: Segment<(), SharedByte>,
    /// The bytes, in words. The last word may be longer than they are.
    words: NonNull<[AtomicU64]>,
}

// SAFETY: `words` is a shared reference in all but its lifetime, to atomics.
unsafe impl Send for SharedMemory {}
// SAFETY: as above.
unsafe impl Sync for SharedMemory {}

impl SharedMemory {
    /// Makes a named (`&str`) or file-backed (`&Path`) block of bytes, all zero.
    ///
    /// # Errors
    /// [`OpenError::InvalidSize`] if the length is 0, or too large for the address space; those of
    /// [`SegmentOptions::create`].
    pub fn create(place: impl Into<Location>, len: usize) -> Result<Self, OpenError> {
        Self::create_at(place, len, |(), _| {})
    }

    /// Opens a named or file-backed block. Its length is the one that it was made with.
    ///
    /// # Errors
    /// Those of [`SegmentOptions::open`]. [`OpenError::Type`] and [`OpenError::RoomType`] if the
    /// segment contains something else.
    pub fn open(place: impl Into<Location>) -> Result<Self, OpenError> {
        Self::open_at(place)
    }

    /// Opens a block, or makes it if there is none. A block that exists keeps its length.
    ///
    /// # Errors
    /// Those of [`create`](Self::create) and [`open`](Self::open).
    pub fn open_or_create(place: impl Into<Location>, len: usize) -> Result<Self, OpenError> {
        Self::open_or_create_at(place, len, |(), _| {})
    }

    /// Makes a block without a name: for threads, for children that are forked, or to be
    /// [passed on](Segment::pass_to).
    ///
    /// # Errors
    /// [`OpenError::InvalidSize`] if the length is 0, or too large for the address space; those of
    /// [`SegmentOptions::anonymous`].
    pub fn anonymous(len: usize) -> Result<Self, OpenError> {
        Self::anonymous_of(len, |(), _| {})
    }

    /// Removes the name of a block, as [`Segment::remove`].
    ///
    /// # Errors
    /// Those of [`Segment::remove`].
    pub fn remove(place: impl Into<Location>) -> Result<(), RemoveError> {
        Segment::<()>::remove(place)
    }

    /// Options to make or open the segment of a block with. [`TryFrom`] makes a `SharedMemory` of
    /// it. The length counts for a new block alone.
    ///
    /// ```
    /// use outlive::SharedMemory;
    ///
    /// let segment = SharedMemory::options(3)?.participants(1).anonymous(|(), bytes| *bytes[0].get_mut() = 7)?;
    /// assert_eq!(SharedMemory::try_from(segment)?.to_vec(), [7, 0, 0]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The length is 0.
    pub fn options(len: usize) -> Result<SegmentOptions<(), SharedByte>, RangeError> {
        Self::options_for(len)
    }

    /// The number of bytes.
    #[expect(clippy::len_without_is_empty, reason = "no block is empty")]
    pub fn len(&self) -> usize {
        self.segment.room().len()
    }

    fn words(&self) -> &[AtomicU64] {
        // SAFETY: the segment keeps the memory mapped as long as `self` lives. The pointer comes
        // from the mapping's own. A root without a size lies at the place of the room, which is
        // aligned to 128 bytes. The words end at most 7 bytes behind the room, and the mapping ends
        // at a multiple of a page. All accesses are made by these words.
        unsafe { self.words.as_ref() }
    }

    fn check_range(&self, offset: usize, length: usize) -> Result<(), OutOfBoundsError> {
        match offset.checked_add(length) {
            Some(end) if end <= self.len() => Ok(()),
            _ => Err(OutOfBoundsError { offset, length, available: self.len() }),
        }
    }

    /// Copies the bytes from `offset` on into `bytes`.
    ///
    /// # Errors
    /// The block has fewer bytes. Nothing was copied.
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    pub fn read_at(&self, offset: usize, bytes: &mut [u8]) -> Result<(), OutOfBoundsError> {
        self.check_range(offset, bytes.len())?;
        words::read(self.words(), offset, bytes);
        Ok(())
    }

    /// Copies `bytes` into the block, from `offset` on.
    ///
    /// # Errors
    /// The block has fewer bytes. Nothing was copied.
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    pub fn write_at(&self, offset: usize, bytes: &[u8]) -> Result<(), OutOfBoundsError> {
        self.check_range(offset, bytes.len())?;
        words::write(self.words(), offset, bytes);
        Ok(())
    }

    /// Makes each byte this one.
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    pub fn fill(&self, byte: u8) {
        words::fill(self.words(), self.len(), byte);
    }

    /// A copy of all bytes.
    #[must_use]
    pub fn to_vec(&self) -> Vec<u8> {
        let mut bytes = vec![0; self.len()];
        words::read(self.words(), 0, &mut bytes);
        bytes
    }

    /// The bytes as atomics. A last part of fewer than 8 bytes is left out.
    ///
    /// ```
    /// use outlive::SharedMemory;
    /// use outlive::atomic::Ordering;
    ///
    /// let block = SharedMemory::anonymous(100)?;
    /// let [ready, rest @ ..] = block.as_atomics() else { panic!("too short") };
    /// block.write_at(8, b"result")?;
    /// ready.store(1, Ordering::Release);
    /// // In another process: whoever finds 1 there finds the bytes, too.
    /// if ready.load(Ordering::Acquire) == 1 {
    ///     assert_eq!(rest[0].load(Ordering::Relaxed).to_ne_bytes(), *b"result\0\0");
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn as_atomics(&self) -> &[AtomicU64] {
        &self.words()[..self.len() / size_of::<u64>()]
    }

    /// Where the bytes begin, for code that is not Rust's. They are aligned to 128 bytes.
    ///
    /// An access through the pointer must not meet another one in the same place, of whatever
    /// process, unless both read, or both are atomic and of one size. The methods of this type are
    /// atomic, of 8 bytes.
    #[must_use]
    pub fn as_ptr(&self) -> *mut u8 {
        self.words.as_ptr().cast()
    }

    /// The value of plain data whose bytes begin at `offset`. The offset need not be aligned.
    ///
    /// ```
    /// let block = outlive::SharedMemory::anonymous(100)?;
    /// block.write_pod(3, &[1.5f32, 2.5])?;
    /// assert_eq!(block.read_pod::<[f32; 2]>(3)?, [1.5, 2.5]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The block ends before the value does.
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    #[cfg(feature = "bytemuck")]
    pub fn read_pod<T: bytemuck::AnyBitPattern>(&self, offset: usize) -> Result<T, OutOfBoundsError> {
        // SAFETY: `AnyBitPattern` states that any bytes are a value.
        unsafe { self.read_value(offset) }
    }

    /// Writes the bytes of plain data from `offset` on. The offset need not be aligned.
    ///
    /// # Errors
    /// The block ends before the value does. Nothing was written.
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    #[cfg(feature = "bytemuck")]
    pub fn write_pod<T: bytemuck::NoUninit>(&self, offset: usize, value: &T) -> Result<(), OutOfBoundsError> {
        self.write_at(offset, bytemuck::bytes_of(value))
    }

    /// The value of plain data whose bytes begin at `offset`. The offset need not be aligned.
    ///
    /// ```
    /// use zerocopy::big_endian::U32;
    ///
    /// let block = outlive::SharedMemory::anonymous(100)?;
    /// block.write_plain(3, &U32::new(7))?;
    /// assert_eq!(block.read_plain::<U32>(3)?.get(), 7);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The block ends before the value does.
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    #[cfg(feature = "zerocopy")]
    pub fn read_plain<T: zerocopy::FromBytes>(&self, offset: usize) -> Result<T, OutOfBoundsError> {
        // SAFETY: `FromBytes` states that any bytes are a value.
        unsafe { self.read_value(offset) }
    }

    /// Writes the bytes of plain data from `offset` on. The offset need not be aligned.
    ///
    /// # Errors
    /// The block ends before the value does. Nothing was written.
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    #[cfg(feature = "zerocopy")]
    pub fn write_plain<T: zerocopy::IntoBytes + zerocopy::Immutable>(
        &self,
        offset: usize,
        value: &T,
    ) -> Result<(), OutOfBoundsError> {
        self.write_at(offset, value.as_bytes())
    }

    /// # Safety
    /// Any bytes are a value of `T`.
    #[cfg(any(feature = "bytemuck", feature = "zerocopy"))]
    unsafe fn read_value<T>(&self, offset: usize) -> Result<T, OutOfBoundsError> {
        let mut value = core::mem::MaybeUninit::<T>::zeroed();
        // SAFETY: all its bytes are zero, so none is uninitialised. Nobody else has them.
        let bytes = unsafe { core::slice::from_raw_parts_mut(value.as_mut_ptr().cast::<u8>(), size_of::<T>()) };
        self.read_at(offset, bytes)?;
        // SAFETY: the caller says that any bytes are a value.
        Ok(unsafe { value.assume_init() })
    }
}

impl OwnSegment for SharedMemory {
    type Root = ();
    type Room = SharedByte;
    const LENGTH: &'static str = "the length of shared memory";
}

gives_its_segment! { [] SharedMemory, (), SharedByte }

/// The bytes that a segment is.
impl TryFrom<Segment<(), SharedByte>> for SharedMemory {
    type Error = OpenError;

    /// # Errors
    /// [`OpenError::InvalidSize`] if the room of the segment has no bytes.
    fn try_from(segment: Segment<(), SharedByte>) -> Result<Self, OpenError> {
        let (begin, len) = segment.root_and_room();
        Self::check_to_open(len)?;
        debug_assert_eq!(begin.as_ptr().addr(), segment.room().as_ptr().addr());
        let words = len.div_ceil(size_of::<u64>());
        Ok(Self { segment, words: NonNull::slice_from_raw_parts(begin.cast(), words) })
    }
}

/// Shows the length, and not the bytes.
impl fmt::Debug for SharedMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedMemory").field("len", &self.len()).finish_non_exhaustive()
    }
}
