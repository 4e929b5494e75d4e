//! Memory that processes share. It has a type and a table of participants, and it is complete or
//! not there at all.
//!
//! ```
//! use outlive::{Mutex, Segment, Shareable};
//!
//! #[derive(Shareable)]
//! #[repr(C)]
//! struct Shared {
//!     visits: Mutex<u64>,
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let segment = Segment::<Shared>::anonymous(|new| *new.visits.get_mut() = 41)?;
//! *segment.visits.lock().unwrap() += 1;
//! assert_eq!(*segment.visits.lock().unwrap(), 42);
//! # Ok(())
//! # }
//! ```
//!
//! # Three kinds
//!
//! | kind      | made by                              | found by others                      | lives until                          |
//! |-----------|--------------------------------------|--------------------------------------|--------------------------------------|
//! | anonymous | [`Segment::anonymous`]               | fork, or it is passed on             | nobody maps it or has it open        |
//! | named     | [`Segment::create`] with a name      | its name in `/dev/shm`               | it is removed, its user logs out ([`Location::named`]), or a reboot |
//! | persistent | the same, at [`Location::persistent`] | its name, by processes of that user | it is removed                        |
//! | file      | [`Segment::create`] with a path      | its path                             | it is removed                        |
//!
//! All of them can be passed on: to a child by [`Segment::pass_to`], to any process by
//! [`Segment::send_to`]. [`Segment::from_fd`] opens a descriptor that came in another way.
//!
//! A segment is built without a name and published in one atomic step, so no process ever sees half
//! of a segment. A creator that is killed leaves nothing behind that blocks the next one. There is
//! no init lock and no tracker process. Only a process that is killed while it
//! [replaces](SegmentOptions::replace_abandoned) a segment may leave a file, `.outlive-NEW-OLD`,
//! beside it. The next one that replaces a segment there removes that file.
//!
//! # What is trusted
//!
//! Participants are trusted to respect the locks: a process that may write to the segment can write
//! anything to it. Participants are not trusted to leave sensible bytes. Whatever an opener finds,
//! and whatever the dead have left, gives an error or a wrong value of plain data. It never gives
//! undefined behaviour, a panic or an endless loop.
//!
//! One thing cannot be caught. A *file* that is truncated while it is mapped raises SIGBUS in
//! processes that touch it. A memfd is sealed, and cannot be truncated. The default mode is 0600,
//! the owner is checked, and symbolic links are not followed.
//!
//! # How many segments
//!
//! A thread takes part in at most 1,000 segments at a time, the main thread of a process in at most
//! 2,000. In one segment more its first operation gives [`RegisterError::TooManySegments`]. A
//! segment counts from the thread's first operation in it until the thread leaves it. A thread
//! leaves by [`Segment::detach`], or after the [`Segment`] was dropped.
//!
//! The bound comes from the kernel. When a thread ends, the kernel follows 2,048 entries of the
//! thread's robust list, and does not find lifelines behind these. A segment takes two entries, or
//! one entry in a main thread. Each robust mutex of the C library takes another entry while the
//! thread holds it. Of the 48 entries that remain, two are the crate's own. The other 46 are for
//! robust mutexes that the thread locks after it has joined its last segment. With more of them,
//! the kernel does not find the thread's oldest entries.

mod allocation;
mod checks;
mod definition;
mod header;
mod inspect;
pub(crate) mod local;
mod monitor;
mod naming;
mod options;
pub(crate) mod own;
mod participants;
mod passing;
mod place;
#[allow(clippy::disallowed_types)] // atomics are named there as what may be stored
mod shareable;
pub(crate) mod shared_memory;

pub use crate::format::FORMAT;
pub use definition::{Definition, Fingerprint, Part};
pub use header::contents::TypeInfo;
pub use inspect::{SegmentInfo, inspect, inspect_fd};
pub(crate) use monitor::sealed;
pub use monitor::{Monitor, Observe};
pub use options::SegmentOptions;
pub use participants::ParticipantInfo;
pub use place::Location;
pub use shareable::*;
pub use shared_memory::{SharedByte, SharedMemory};

use crate::ParticipantId;
use crate::error::{
    CloseError, DescriptorLostError, IoError, LeaveError, LocationError, OpenError, RegisterError, RemoveError,
};
use crate::platform::Platform;
use crate::platform::linux::Linux;
use core::marker::PhantomData;
use core::ops::Deref;
use core::ptr::NonNull;
use core::sync::atomic::Ordering::{Relaxed, Release};
use core::time::Duration;
use header::Layout;
use local::Mapping;
use naming::Backoff;
use std::fs::File;
use std::os::fd::BorrowedFd;

/// A value of type `T` in memory that processes share, followed by room for elements of type `R`.
///
/// It gives `&T`. What may change in the value is behind the primitives that `T` is made of.
/// Dropping the `Segment` unmaps the memory as soon as no thread of this process takes part in it.
/// A named segment stays until it is [removed](Segment::remove).
pub struct Segment<T: Shareable + Sync, R: Shareable + Sync = ()> {
    mapping: &'static Mapping,
    /// Where the root value is mapped, so that `deref` need not compute it.
    root: NonNull<T>,
    types: PhantomData<(T, R)>,
}

// SAFETY: `root` is a shared reference in all but its lifetime, and T is Send and Sync. So is R, to
// which `room` gives references.
unsafe impl<T: Shareable + Sync, R: Shareable + Sync> Send for Segment<T, R> {}
// SAFETY: as above.
unsafe impl<T: Shareable + Sync, R: Shareable + Sync> Sync for Segment<T, R> {}

impl<T: Shareable + Sync> Segment<T> {
    /// Makes a segment without a name. `init` gets its value in place, all zero. See
    /// [`SegmentOptions::anonymous`].
    ///
    /// # Errors
    /// Those of [`SegmentOptions::anonymous`].
    pub fn anonymous(init: impl FnOnce(&mut T)) -> Result<Self, OpenError> {
        Self::options().anonymous(|root, _| init(root))
    }

    /// Makes a named (`&str`) or file-backed (`&Path`) segment. See [`SegmentOptions::create`].
    ///
    /// ```
    /// use outlive::{Lock, Segment};
    ///
    /// # let name = &format!("outlive-doc-{}", std::process::id());
    /// let made = Segment::<Lock>::create(name, |_lock| {})?;
    /// let opened = Segment::<Lock>::open(name)?; // here or in any other process
    /// Segment::<Lock>::remove(name)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`SegmentOptions::create`].
    pub fn create(place: impl Into<Location>, init: impl FnOnce(&mut T)) -> Result<Self, OpenError> {
        Self::options().create(place, |root, _| init(root))
    }

    /// Opens a named (`&str`) or file-backed (`&Path`) segment. See [`SegmentOptions::open`].
    ///
    /// # Errors
    /// Those of [`SegmentOptions::open`].
    pub fn open(place: impl Into<Location>) -> Result<Self, OpenError> {
        Self::options().open(place)
    }

    /// Opens the segment, or makes it if there is none. See [`SegmentOptions::open_or_create`].
    ///
    /// # Errors
    /// Those of [`SegmentOptions::open_or_create`].
    pub fn open_or_create(place: impl Into<Location>, init: impl Fn(&mut T)) -> Result<Self, OpenError> {
        Self::options().open_or_create(place, |root, _| init(root))
    }

    /// Options for making or opening a segment.
    pub fn options() -> SegmentOptions<T> {
        SegmentOptions::new()
    }

    /// Removes the name of a segment. Processes that have it open can still use it. A process that
    /// opens the name afterwards finds nothing.
    ///
    /// What has the name is not examined. Any file of that name or path is removed, a segment or
    /// not, of whatever type, as by unlink(2). A directory is not removed: [`RemoveError::Io`].
    ///
    /// # Errors
    /// [`RemoveError::NotFound`], [`RemoveError::Location`], [`RemoveError::Io`].
    ///
    /// # If a process dies
    /// The name is removed, or nothing has happened.
    pub fn remove(place: impl Into<Location>) -> Result<(), RemoveError> {
        let path = place.into().path()?;
        match std::fs::remove_file(&path) {
            Ok(()) => Ok(()),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Err(RemoveError::NotFound(path)),
            Err(e) => Err(IoError::new("remove", Some(&path), e).into()),
        }
    }
}

impl<T: Shareable + Sync, R: Shareable + Sync> Segment<T, R> {
    fn build(file: File, layout: Layout, init: impl FnOnce(&mut T, &mut [R])) -> Result<Self, OpenError> {
        use std::os::unix::fs::FileExt;
        // No other process has this file, so the lock is free.
        naming::share(&file, &mut Backoff::new(Duration::ZERO))?;
        let header = layout.header::<T, R>(naming::origin_of(&file)?);
        let of_the_header = file.try_clone().map_err(|e| IoError::new("duplicate the descriptor", None, e))?;
        let segment = Self::from_mapping(Mapping::new(file, layout)?);
        let base = segment.body().map.as_mut_ptr();
        // SAFETY: both lie within the mapping, aligned, by `Layout`. Zero bytes are a valid value
        // of every Shareable type. Nobody else has a reference into this memory: a file without a
        // header cannot be opened as a segment. (Otherwise another thread could open this one under
        // /proc, without a name.)
        let (root, room) = unsafe {
            (
                &mut *base.add(layout.root).cast::<T>(),
                core::slice::from_raw_parts_mut(base.add(layout.room).cast::<R>(), layout.room_length),
            )
        };
        init(root, room);
        of_the_header.write_all_at(&header, 0).map_err(|e| IoError::new("write the header", None, e))?;
        Ok(segment)
    }

    /// Declares dead all participants that the table names. The caller knows that no other process
    /// has the segment mapped. It has the *turn* at the file (see `naming`), and keeps it until
    /// this is done.
    fn revive(&self, origin: header::Origin) {
        let body = self.body();
        let base = body.map.as_mut_ptr();
        // SAFETY: within the mapping, aligned, and only changed by atomic stores once it is
        // published.
        let mark = unsafe { &*base.add(header::MARK).cast::<<Linux as Platform>::Word>() };
        // ORDERING: Relaxed, then a Release fence; Release at the end. A lock of the kernel lets
        // other openers come only after us, and so orders everything for them. But we may die
        // between the two stores of `mark`. So these orderings keep the compiler from moving what
        // is done between them past either store.
        mark.store(header::REVIVING, Relaxed);
        Linux::fence(Release);
        body.table.end_all();
        for (at, value) in origin.places() {
            // SAFETY: as above.
            let place = unsafe { &*base.add(at).cast::<<Linux as Platform>::Word64>() };
            place.store(value, Relaxed);
        }
        mark.store(0, Release);
    }

    fn from_mapping(mapping: &'static Mapping) -> Self {
        // SAFETY: the mapping is LIVE, and becomes an orphan only when this handle is dropped.
        let body = unsafe { mapping.body() };
        // SAFETY: within the mapping, aligned, by `Layout`.
        let root = unsafe { body.map.as_mut_ptr().add(body.layout.root) };
        Self { mapping, root: NonNull::new(root.cast()).expect("mapped"), types: PhantomData }
    }

    fn body(&self) -> &local::Body {
        // SAFETY: the mapping is LIVE as long as this handle is not dropped.
        unsafe { self.mapping.body() }
    }

    /// The descriptor of its file.
    ///
    /// # Errors
    /// This process has closed it.
    fn file(&self) -> Result<BorrowedFd<'_>, DescriptorLostError> {
        self.body().file.get()
    }

    /// Where the root value is mapped, with the right to use all that is mapped behind it, and the
    /// number of elements of the room.
    pub(crate) fn root_and_room(&self) -> (NonNull<T>, usize) {
        (self.root, self.body().layout.room_length)
    }

    /// The elements behind the root value. Their number was given by [`SegmentOptions::room`] when
    /// the segment was made.
    pub fn room(&self) -> &[R] {
        let body = self.body();
        // SAFETY: within the mapping, aligned, by `Layout`. Any bytes are a valid R. R is Sync, and
        // only `&R` are given out.
        unsafe {
            core::slice::from_raw_parts(
                body.map.as_mut_ptr().add(body.layout.room).cast::<R>(),
                body.layout.room_length,
            )
        }
    }

    /// Whether this place still names this very segment. It does not if the name was removed, or
    /// now names another segment.
    ///
    /// A name can go while the segment is in use: by [`remove`](Segment::remove), by `rm`, and from
    /// `/dev/shm` when its user logs out ([`Location::named`]). Processes that have the segment
    /// open can still use it, but newcomers find nothing, or make another segment. A process that
    /// runs for long can ask this now and then, and open the name anew.
    ///
    /// ```
    /// use outlive::{Lock, Segment};
    ///
    /// # let name = &format!("outlive-doc-has-name-{}", std::process::id());
    /// let segment = Segment::<Lock>::create(name, |_lock| {})?;
    /// assert!(segment.has_name(name)?);
    /// Segment::<Lock>::remove(name)?;
    /// assert!(!segment.has_name(name)?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`Location::path`]; [`LocationError::Io`] if the place cannot be examined.
    pub fn has_name(&self, place: impl Into<Location>) -> Result<bool, LocationError> {
        use std::os::unix::fs::MetadataExt;
        let path = place.into().path()?;
        match std::fs::symlink_metadata(&path) {
            Ok(found) => Ok((found.dev(), found.ino()) == self.mapping.inode()),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(false),
            Err(e) => Err(IoError::new("look at", Some(&path), e).into()),
        }
    }

    /// Closes the segment's file descriptor, for processes that have many segments open at once
    /// (`ulimit -n`). The segment can be used as before, but no longer passed on:
    /// [`pass_to`](Self::pass_to) and [`send_to`](Self::send_to) give
    /// [`PassError::DescriptorLost`](crate::PassError::DescriptorLost). To pass on a segment that
    /// has a name, open it anew.
    ///
    /// ```
    /// use outlive::{Mutex, Segment};
    ///
    /// let mut counts = vec![];
    /// for _ in 0..100 {
    ///     let mut count = Segment::<Mutex<u64>>::anonymous(|_zero| {})?;
    ///     count.close_descriptor()?;
    ///     counts.push(count); // without a descriptor
    /// }
    /// *counts[99].lock().unwrap() += 1;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`CloseError::OnOverlay`] on an overlay. There only the descriptor keeps the lock that says
    /// "in use". The descriptor then stays open.
    pub fn close_descriptor(&mut self) -> Result<(), CloseError> {
        match self.file() {
            Ok(file) if naming::is_on_overlay(file) => Err(CloseError::OnOverlay),
            Ok(_) => {
                // SAFETY: a borrow of the descriptor borrows this handle, which is the caller's
                // alone.
                unsafe { self.body().file.close() };
                Ok(())
            }
            Err(_closed_before) => Ok(()),
        }
    }

    /// Takes the calling thread out of the segment, for a thread that lives on and no longer needs
    /// the segment. The thread joins again with its next operation. `detach` reads the whole
    /// segment once.
    ///
    /// Threads that end need not call this: the kernel cuts their lifelines.
    ///
    /// # Errors
    /// [`LeaveError::StillHolding`] while any word of the segment names this thread. That may be a
    /// word of plain data, by chance: one in 2^29 random 32-bit words names the thread. In that
    /// case change the word, or let the thread end. [`LeaveError::Io`] if a sandbox forbids
    /// process_vm_readv(2), and no descriptor is left for a pipe, which is used instead.
    pub fn detach(&self) -> Result<(), LeaveError> {
        local::detach(self.mapping)
    }

    /// Which participants there are at the moment. A thread that was killed in the middle of
    /// [`detach`](Self::detach) may be among them until its slot is needed. It holds nothing, and
    /// nobody waits for it.
    pub fn participants(&self) -> Vec<ParticipantInfo> {
        participants::living(self.body().table.slots)
    }

    /// What is known of the participant that an id names, dead or alive: its process and its
    /// thread.
    ///
    /// Ids come from locks and errors: [`Lock::holder`](crate::Lock::holder),
    /// [`Inconsistent::by`](crate::Inconsistent::by),
    /// [`Permit::previous_holder_died`](crate::Permit::previous_holder_died), and others. The slot
    /// of a participant that is gone describes it until the next participant takes the slot. (Slots
    /// are taken in turn.) From then on the answer is `None`, and not another participant. There is
    /// one exception: after 65,535 further owners of the slot, the id names the last of these.
    ///
    /// ```
    /// use outlive::{LockError, Mutex, Segment};
    ///
    /// let accounts = Segment::<Mutex<u64>>::anonymous(|_zero| {})?;
    /// # std::thread::scope(|scope| scope.spawn(|| std::mem::forget(accounts.lock())).join()).unwrap();
    /// match accounts.lock() {
    ///     Err(LockError::Leaked { by }) => match accounts.participant(by) {
    ///         Some(who) => println!("thread {:?} of process {} left the lock", who.thread_id, who.process_id),
    ///         None => println!("participant {by} left the lock, long ago"),
    ///     },
    ///     other => unreachable!("{other:?}"),
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # If a process dies
    /// The answer for a dead participant is what it has left in its slot, with
    /// [`is_alive`](ParticipantInfo::is_alive) false.
    pub fn participant(&self, id: ParticipantId) -> Option<ParticipantInfo> {
        participants::info(self.body().table.slot(id)?, id)
    }

    /// Makes the calling thread a participant now, before its first operation.
    ///
    /// # Errors
    /// [`RegisterError::Full`], [`RegisterError::TooManySegments`], [`RegisterError::Unsupported`].
    pub fn attach(&self) -> Result<ParticipantId, RegisterError> {
        Ok(local::participant(self.first_byte())?.id)
    }

    /// A place in the segment, of which only the address is used.
    pub(crate) fn first_byte(&self) -> &u8 {
        let base = self.body().map.as_mut_ptr().cast_const();
        // SAFETY: the first byte of the mapping. Only its address is used.
        unsafe { &*base }
    }
}

impl<T: Shareable + Sync, R: Shareable + Sync> Deref for Segment<T, R> {
    type Target = T;
    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: within the mapping, aligned, by `Layout`. Any bytes are a valid T. T is Sync, and
        // only `&T` is given out.
        unsafe { self.root.as_ref() }
    }
}

impl<T: Shareable + Sync, R: Shareable + Sync> Drop for Segment<T, R> {
    fn drop(&mut self) {
        self.mapping.abandon();
    }
}

impl<T: Shareable + Sync, R: Shareable + Sync> core::fmt::Debug for Segment<T, R> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Segment")
            .field("root", &core::any::type_name::<T>())
            .field("bytes", &self.body().layout.total)
            .finish_non_exhaustive()
    }
}
