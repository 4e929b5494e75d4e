//! How is a segment observed without writing to it? By a [`Monitor`].

use super::header::Layout;
use super::naming::{self, Descriptor, TableCopy};
use super::{ParticipantInfo, Segment, SegmentOptions, Shareable, participants};
use crate::ParticipantId;
use crate::error::{IoError, MonitorError, ObserveError, OpenError};
use crate::platform::Platform;
use crate::platform::linux::Linux;
use core::marker::PhantomData;
use core::ptr;
use core::sync::atomic::Ordering::{Acquire, Relaxed};
use memmap2::{MmapOptions, MmapRaw};
use rustix::fs::OFlags;
use std::fs::File;
use std::os::fd::AsFd;

/// A segment that is opened only to be observed: by monitors, and by processes that may do no more.
///
/// A monitor needs the right to read the file, and no other: mode 0444, a read-only mount, or a
/// descriptor that is open for reading is enough. It takes no part and takes no lock. It does not
/// keep the segment in use, and keeps no process waiting. Its mapping is read-only, so it cannot
/// write even by mistake.
///
/// So it gives no `&T`, because users could then write to its locks and atomics. It gives what
/// [`Observe`] says of one field at a time: the value of an atomic or a number, the holder of a
/// lock, whether an event is set.
///
/// ```
/// use outlive::atomic::{AtomicU64, Ordering};
/// use outlive::{Mutex, Segment, Shareable};
///
/// #[derive(Shareable)]
/// #[repr(C)]
/// struct Shared {
///     done: AtomicU64,
///     account: Mutex<u64>,
/// }
///
/// # let name = &format!("outlive-doc-monitor-{}", std::process::id());
/// let segment = Segment::<Shared>::create(name, |_zero| {})?;
/// let guard = segment.account.lock().unwrap();
/// segment.done.store(7, Ordering::Release);
///
/// // In any other process:
/// let monitor = Segment::<Shared>::monitor(name)?;
/// assert_eq!(monitor.observe(|shared| &shared.done)?, 7);
/// let lock = monitor.observe(|shared| &shared.account)?;
/// let holder = monitor.participant(lock.holder.unwrap())?.unwrap();
/// assert_eq!(holder.process_id, std::process::id());
/// # drop(guard);
/// # Segment::<Shared>::remove(name)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Each observation is of one moment, and of another one for each field. As with a [`Segment`], a
/// file that is truncated while it is mapped raises SIGBUS.
///
/// # If a process dies
/// A monitor that dies changes nothing. What the dead have left is shown as it is: a dead holder of
/// a lock, as long as no other participant has taken the lock over.
pub struct Monitor<T: Shareable + Sync, R: Shareable + Sync = ()> {
    map: MmapRaw,
    layout: Layout,
    file: Descriptor,
    root: StandIn<T>,
    element: StandIn<R>,
}

/// What a [`Monitor`] can observe: [atomics](crate::atomic), numbers, and most primitives. Other
/// crates cannot implement this.
pub trait Observe: Shareable + sealed::Observe {
    /// What is observed of it.
    type Observed;
    /// Uses only atomic loads with Relaxed, of at most 8 bytes each. Others are not defined for
    /// memory that the process may not write to (`core::sync::atomic`).
    #[doc(hidden)]
    fn observed(&self) -> Self::Observed;
}

pub(crate) mod sealed {
    #[allow(unreachable_pub)] // a bound of a public trait
    pub trait Observe {}
}

macro_rules! numbers {
    ($($number:ident)*) => {$(
        impl sealed::Observe for $number {}
        /// Its value, which is the one from when the segment was made: nobody can change a number
        /// that is not in a lock or an atomic.
        impl Observe for $number {
            type Observed = Self;
            fn observed(&self) -> Self {
                *self
            }
        }
    )*};
}
numbers! { u8 u16 u32 u64 u128 usize i8 i16 i32 i64 i128 isize f32 f64 }

macro_rules! atomics {
    ($($atomic:ident $number:ident)*) => {$(
        #[allow(clippy::disallowed_types, reason = "plain data of users")]
        impl sealed::Observe for crate::atomic::$atomic {}
        /// Its value. Later observations see what was written before that value was stored with
        /// Release.
        #[allow(clippy::disallowed_types, reason = "plain data of users")]
        impl Observe for crate::atomic::$atomic {
            type Observed = $number;
            fn observed(&self) -> $number {
                self.load(Relaxed) // ORDERING: a fence follows.
            }
        }
    )*};
}
atomics! {
    AtomicU8 u8 AtomicU16 u16 AtomicU32 u32 AtomicU64 u64 AtomicUsize usize
    AtomicI8 i8 AtomicI16 i16 AtomicI32 i32 AtomicI64 i64 AtomicIsize isize AtomicF32 f32 AtomicF64 f64
}

impl<T: Shareable + Sync, R: Shareable + Sync> SegmentOptions<T, R> {
    /// Opens a named or file-backed segment to observe it. Nothing is ever written.
    ///
    /// The segment is checked as by [`open`](Self::open), its owner too. To monitor segments of
    /// another user, name that user: [`owner`](Self::owner).
    ///
    /// # Errors
    /// Those of [`open`](Self::open), except [`OpenError::Busy`], [`OpenError::KeepsChanging`],
    /// [`OpenError::SeenTwice`] and [`OpenError::NoSpace`].
    ///
    /// # If a process dies
    /// See [`Monitor`](Monitor#if-a-process-dies).
    pub fn monitor(&self, place: impl Into<super::Location>) -> Result<Monitor<T, R>, OpenError> {
        self.check()?;
        let path = place.into().path()?;
        Monitor::from_file(naming::open_as_it_is(&path, OFlags::RDONLY, Some(self.expected_owner()))?)
    }

    /// As [`monitor`](Self::monitor), for a file that is open for reading. The caller keeps the
    /// descriptor, as with [`from_fd`](Self::from_fd).
    ///
    /// # Errors
    /// Those of [`monitor`](Self::monitor), as far as they concern an open file. [`OpenError::Io`]
    /// if it is not open for reading.
    ///
    /// # If a process dies
    /// See [`Monitor`](Monitor#if-a-process-dies).
    pub fn monitor_fd(&self, file: impl AsFd) -> Result<Monitor<T, R>, OpenError> {
        self.check()?;
        let file = file.as_fd();
        super::checks::owner(naming::expect_regular(file)?, self.expected_owner())?;
        if !naming::is_open_for(file, &[OFlags::RDONLY, OFlags::RDWR]) {
            return Err(naming::not_open_for("reading").into());
        }
        Monitor::from_file(naming::reopen_to_read(file)?)
    }
}

impl<T: Shareable + Sync> Segment<T> {
    /// Opens a named or file-backed segment to observe it. See [`SegmentOptions::monitor`].
    ///
    /// # Errors
    /// Those of [`SegmentOptions::monitor`].
    pub fn monitor(place: impl Into<super::Location>) -> Result<Monitor<T>, OpenError> {
        Self::options().monitor(place)
    }

    /// The same for a file that is open for reading. See [`SegmentOptions::monitor_fd`].
    ///
    /// # Errors
    /// Those of [`SegmentOptions::monitor_fd`].
    pub fn monitor_fd(file: impl AsFd) -> Result<Monitor<T>, OpenError> {
        Self::options().monitor_fd(file)
    }
}

impl<T: Shareable + Sync, R: Shareable + Sync> Monitor<T, R> {
    fn from_file(file: File) -> Result<Self, OpenError> {
        let (header, length) = naming::read_header(&file)?;
        let layout = Layout::judge::<T, R>(&header, length)?;
        let map = MmapOptions::new()
            .len(layout.total)
            .map_raw_read_only(&file)
            .map_err(|e| IoError::new("map the segment", None, e))?;
        Ok(Self { map, layout, file: Descriptor::new(file)?, root: StandIn::new()?, element: StandIn::new()? })
    }

    /// Observes one field of the root value, or the root value itself. The function names the
    /// field.
    ///
    /// That function gets a stand-in of the root value: zeros, in memory of this process alone.
    /// Whatever it does there changes nothing in the segment.
    ///
    /// ```
    /// use outlive::{Segment, Semaphore};
    ///
    /// # let name = &format!("outlive-doc-observe-{}", std::process::id());
    /// let _segment = Segment::<[Semaphore; 3]>::create(name, |all| all[2] = Semaphore::new(9))?;
    /// let monitor = Segment::<[Semaphore; 3]>::monitor(name)?;
    /// assert_eq!(monitor.observe(|all| &all[2])?, 9);
    /// # Segment::<[Semaphore; 3]>::remove(name)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`ObserveError::NotAField`] unless the reference is to a field of the root value, at any
    /// depth, that the value's [definition](Shareable::DEFINITION) shows. The inside of a lock or a
    /// cell is not shown.
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    pub fn observe<F: Observe>(&self, field: impl for<'a> FnOnce(&'a T) -> &'a F) -> Result<F::Observed, ObserveError> {
        let offset = self.root.offset_of(field)?;
        // SAFETY: an `F` of the root value is there, by `StandIn::offset_of`.
        Ok(unsafe { self.observe_at::<F>(self.layout.root + offset) })
    }

    /// As [`observe`](Self::observe), for an element of the room.
    ///
    /// # Errors
    /// Those of [`observe`](Self::observe); also [`ObserveError::NoElement`] if the room has no
    /// such element.
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    pub fn observe_room<F: Observe>(
        &self,
        index: usize,
        field: impl for<'a> FnOnce(&'a R) -> &'a F,
    ) -> Result<F::Observed, ObserveError> {
        if index >= self.layout.room_length {
            return Err(ObserveError::NoElement { index, length: self.layout.room_length });
        }
        let offset = self.element.offset_of(field)?;
        // SAFETY: an `F` of that element is there, by `StandIn::offset_of`.
        Ok(unsafe { self.observe_at::<F>(self.layout.room + index * size_of::<R>() + offset) })
    }

    /// How many elements the room has.
    pub fn room_length(&self) -> usize {
        self.layout.room_length
    }

    /// # Safety
    /// At this offset of the mapping lies an `F` that is no part of what a lock or a cell contains.
    unsafe fn observe_at<F: Observe>(&self, offset: usize) -> F::Observed {
        // SAFETY: within the mapping, and aligned, by `Layout`. Any bytes are a valid F. What is
        // loaded from it is atomic, or a number that nobody changes.
        let observed = unsafe { &*self.map.as_ptr().add(offset).cast::<F>() }.observed();
        // ORDERING: Acquire. Pairs with the store of the value, if that was a Release. The load
        // itself can have no such ordering: see `Observe::observed`.
        Linux::fence(Acquire);
        observed
    }

    /// Whether any process has the segment mapped to take part in it. Monitors do not count.
    ///
    /// # Errors
    /// [`MonitorError::DescriptorLost`] if this process has closed the monitor's descriptor;
    /// [`MonitorError::Io`].
    ///
    /// # If a process dies
    /// The dead have nothing mapped.
    pub fn is_in_use(&self) -> Result<bool, MonitorError> {
        Ok(naming::is_in_use(self.file.get()?)?)
    }

    /// Which participants there are at the moment. There are none if the segment is not [in
    /// use](Self::is_in_use).
    ///
    /// # Errors
    /// Those of [`is_in_use`](Self::is_in_use).
    ///
    /// # If a process dies
    /// As [`Segment::participants`].
    pub fn participants(&self) -> Result<Vec<ParticipantInfo>, MonitorError> {
        let slots = if self.is_in_use()? { self.layout.participants } else { 0 };
        Ok(participants::living(TableCopy::from_file(self.file.get()?, slots)?.slots()))
    }

    /// What is known of the participant that an id names, as [`Segment::participant`] gives it.
    /// `None` also if the segment is not [in use](Self::is_in_use).
    ///
    /// # Errors
    /// Those of [`is_in_use`](Self::is_in_use).
    ///
    /// # If a process dies
    /// As [`Segment::participant`].
    pub fn participant(&self, id: ParticipantId) -> Result<Option<ParticipantInfo>, MonitorError> {
        let slots = if self.is_in_use()? { self.layout.participants } else { 0 };
        let table = TableCopy::from_file(self.file.get()?, slots)?;
        Ok(table.slots().get(id.index()).and_then(|slot| participants::info(slot, id)))
    }
}

impl<T: Shareable + Sync, R: Shareable + Sync> core::fmt::Debug for Monitor<T, R> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Monitor")
            .field("root", &core::any::type_name::<T>())
            .field("bytes", &self.layout.total)
            .finish_non_exhaustive()
    }
}

/// A value of zeros, in memory of this process alone. It serves to find a field's offset.
struct StandIn<T> {
    memory: MmapRaw,
    value: PhantomData<T>,
}

impl<T: Shareable + Sync> StandIn<T> {
    fn new() -> Result<Self, IoError> {
        let memory = MmapOptions::new().len(size_of::<T>().max(1)).no_reserve_swap().map_anon();
        let memory = memory.map_err(|e| IoError::new("map memory", None, e))?.into();
        Ok(Self { memory, value: PhantomData })
    }

    /// The offset of the field that the function gives. By the definition of `T`, an `F` lies there
    /// that is no part of what a lock or a cell contains.
    fn offset_of<F: Observe>(&self, field: impl for<'a> FnOnce(&'a T) -> &'a F) -> Result<usize, ObserveError> {
        // SAFETY: there are as many bytes, at the begin of a page. They are zeros at first, and
        // later what the users of `&T` have made of them, which is a valid T. Nobody else has this
        // memory.
        let value = unsafe { &*self.memory.as_ptr().cast::<T>() };
        let offset = (ptr::from_ref(field(value)) as usize).wrapping_sub(ptr::from_ref(value) as usize);
        let is_inside = size_of::<T>().checked_sub(size_of::<F>()).is_some_and(|last| offset <= last);
        if is_inside && T::DEFINITION.shows(offset, F::DEFINITION) { Ok(offset) } else { Err(ObserveError::NotAField) }
    }
}
