//! Memory that processes share, typed, complete or not there at all, and with a participant table.
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
//! [`Segment::send_to`]. A descriptor that came in another way is opened by [`Segment::from_fd`].
//!
//! A segment is built without a name and published in one atomic step: nobody ever sees half of
//! one, and a creator that is killed anywhere leaves nothing behind that blocks the next. There is
//! no init lock and no tracker process.
//!
//! # What is trusted
//!
//! Participants are trusted to respect the locks: whoever may write to the segment can write
//! anything to it. They are not trusted to leave sensible bytes: whatever is found on opening, or
//! was left by the dead, gives an error or a wrong value of plain data, no undefined behaviour, no
//! panic, no endless loop. One thing cannot be caught: a *file* (not a memfd, which is sealed) that
//! is truncated while it is mapped raises SIGBUS in those who touch it. Default mode 0600,
//! ownership is checked, and symbolic links are not followed.
//!
//! # How many segments
//!
//! A thread takes part in at most 1,000 segments at a time, the main thread of a process in 2,000.
//! With one segment more its first operation there gives [`Error::TooManySegments`]. A segment
//! counts from the thread's first operation in it until the thread leaves it, by
//! [`Segment::detach`] or after the [`Segment`] was dropped.
//!
//! The bound is the kernel's. It follows 2,048 entries of a thread's robust list when the thread
//! ends, and a death behind them would be told late or never. A segment takes two entries, of a
//! main thread one. Each robust mutex of the C library that the thread holds takes another one. Of
//! the 48 entries that remain, two are the crate's own. The other 46 are left for robust mutexes
//! that the thread locks after it joined its last segment. With more of those, the kernel does not
//! find the thread's oldest entries.

mod allocation;
mod checks;
mod definition;
mod header;
mod inspect;
pub(crate) mod local;
mod monitor;
mod naming;
mod options;
mod participants;
mod passing;
mod place;
#[allow(clippy::disallowed_types)] // atomics are named there as what may be stored
mod shareable;

pub use crate::format::FORMAT;
pub use definition::{Definition, Fingerprint, Part};
pub use header::contents::TypeInfo;
pub use inspect::{SegmentInfo, inspect, inspect_fd};
pub(crate) use monitor::sealed;
pub use monitor::{Monitor, Observe};
pub use options::Options;
pub use participants::ParticipantInfo;
pub use place::Location;
pub use shareable::*;

use crate::error::{Error, Result};
use crate::platform::Platform;
use crate::platform::linux::Linux;
use crate::raw::Id;
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

/// A value of type `T` in memory that processes share, with room for elements of type `R` behind
/// it.
///
/// It gives `&T`. What may be changed in there is behind the primitives that `T` is made of.
/// Dropping it unmaps the memory as soon as no thread of this process takes part in it; a named
/// segment stays until it is [removed](Segment::remove).
pub struct Segment<T: Shareable + Sync, R: Shareable + Sync = ()> {
    mapping: &'static Mapping,
    /// Where the root value is mapped: what `deref` gives without a detour.
    root: NonNull<T>,
    types: PhantomData<(T, R)>,
}

// SAFETY: `root` is a shared reference in all but lifetime, and T is Send and Sync; so is R, which
// `room` gives.
unsafe impl<T: Shareable + Sync, R: Shareable + Sync> Send for Segment<T, R> {}
// SAFETY: as above.
unsafe impl<T: Shareable + Sync, R: Shareable + Sync> Sync for Segment<T, R> {}

impl<T: Shareable + Sync> Segment<T> {
    /// A segment without a name; `init` gets its value in place, all zero. See
    /// [`Options::anonymous`].
    ///
    /// # Errors
    /// Those of [`Options::anonymous`].
    pub fn anonymous(init: impl FnOnce(&mut T)) -> Result<Self> {
        Self::options().anonymous(|root, _| init(root))
    }

    /// Makes a named (`&str`) or file-backed (`&Path`) segment. See [`Options::create`].
    ///
    /// ```
    /// use outlive::{Lock, Segment};
    ///
    /// # let name = &format!("outlive-doc-{}", std::process::id());
    /// let made = Segment::<Lock>::create(name, |_lock| {})?;
    /// let opened = Segment::<Lock>::open(name)?; // here or in any other process
    /// Segment::<Lock>::remove(name)?;
    /// # Ok::<(), outlive::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`Options::create`].
    pub fn create(place: impl Into<Location>, init: impl FnOnce(&mut T)) -> Result<Self> {
        Self::options().create(place, |root, _| init(root))
    }

    /// Opens a named (`&str`) or file-backed (`&Path`) segment. See [`Options::open`].
    ///
    /// # Errors
    /// Those of [`Options::open`].
    pub fn open(place: impl Into<Location>) -> Result<Self> {
        Self::options().open(place)
    }

    /// Opens it, or makes it. See [`Options::open_or_create`].
    ///
    /// # Errors
    /// Those of [`Options::open_or_create`].
    pub fn open_or_create(place: impl Into<Location>, init: impl Fn(&mut T)) -> Result<Self> {
        Self::options().open_or_create(place, |root, _| init(root))
    }

    /// Options to make or open a segment with.
    pub fn options() -> Options<T> {
        Options::new()
    }

    /// Removes the name of a segment. Those who have it open go on with it; whoever opens the name
    /// next finds nothing.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::InvalidName`], [`Error::Io`].
    pub fn remove(place: impl Into<Location>) -> Result<()> {
        let path = place.into().path()?;
        match std::fs::remove_file(&path) {
            Ok(()) => Ok(()),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Err(Error::NotFound(path)),
            Err(e) => Err(Error::io("remove", Some(&path), e)),
        }
    }
}

impl<T: Shareable + Sync, R: Shareable + Sync> Segment<T, R> {
    fn build(file: File, layout: Layout, init: impl FnOnce(&mut T, &mut [R])) -> Result<Self> {
        use std::os::unix::fs::FileExt;
        // Nobody else has this file: the lock cannot be refused.
        naming::share(&file, &mut Backoff::new(Duration::ZERO))?;
        let header = layout.header::<T, R>(naming::origin_of(&file)?);
        let of_the_header = file.try_clone().map_err(|e| Error::io("duplicate the descriptor", None, e))?;
        let segment = Self::from_mapping(Mapping::new(file, layout)?);
        let base = segment.body().map.as_mut_ptr();
        // SAFETY: both lie within the mapping and aligned, by `Layout`; zero bytes are a valid
        // value of every Shareable type. Nobody else has a reference into this memory: it is no
        // segment before it has its header. (A name or a descriptor would not be needed to open it:
        // this process has it under /proc/self/fd.)
        let (root, room) = unsafe {
            (
                &mut *base.add(layout.root).cast::<T>(),
                core::slice::from_raw_parts_mut(base.add(layout.room).cast::<R>(), layout.room_length),
            )
        };
        init(root, room);
        of_the_header.write_all_at(&header, 0).map_err(|e| Error::io("write the header", None, e))?;
        Ok(segment)
    }

    /// Declares all dead who are on record. Nobody else has the segment mapped, the turn at it is
    /// ours, and it is handed to nobody before this is done.
    fn revive(&self, origin: header::Origin) {
        let body = self.body();
        let base = body.map.as_mut_ptr();
        // SAFETY: within the mapping, aligned, and changed by atomic stores alone once published.
        let mark = unsafe { &*base.add(header::MARK).cast::<<Linux as Platform>::Word>() };
        // ORDERING: Relaxed, then a Release fence; Release at the end. Other openers come after us
        // by a lock of the kernel, which orders all. These keep the compiler from moving the marks
        // past what is done between them: we may die there.
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
    /// [`Error::DescriptorLost`].
    fn file(&self) -> Result<BorrowedFd<'_>> {
        self.body().file.get()
    }

    /// The elements behind the root value, as many as were asked for with [`Options::room`] when
    /// the segment was made.
    pub fn room(&self) -> &[R] {
        let body = self.body();
        // SAFETY: within the mapping, aligned, by `Layout`. Any bytes are a valid R; R is Sync;
        // only `&R` are given out.
        unsafe {
            core::slice::from_raw_parts(
                body.map.as_mut_ptr().add(body.layout.room).cast::<R>(),
                body.layout.room_length,
            )
        }
    }

    /// Whether this place still stands for this very segment. It does not if the name was removed,
    /// or names another segment by now.
    ///
    /// A name can go while the segment is in use: by [`remove`](Segment::remove), by `rm`, and from
    /// `/dev/shm` when its user logs out ([`Location::named`]). Processes that have the segment
    /// open go on with it, but newcomers find nothing, or make another. A process that runs for
    /// long can ask, and then open the name anew.
    ///
    /// ```
    /// use outlive::{Lock, Segment};
    ///
    /// # let name = &format!("outlive-doc-has-name-{}", std::process::id());
    /// let segment = Segment::<Lock>::create(name, |_lock| {})?;
    /// assert!(segment.has_name(name)?);
    /// Segment::<Lock>::remove(name)?;
    /// assert!(!segment.has_name(name)?);
    /// # Ok::<(), outlive::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`Location::path`]; [`Error::Io`] if the place cannot be looked at.
    pub fn has_name(&self, place: impl Into<Location>) -> Result<bool> {
        use std::os::unix::fs::MetadataExt;
        let path = place.into().path()?;
        match std::fs::symlink_metadata(&path) {
            Ok(found) => Ok((found.dev(), found.ino()) == self.mapping.inode()),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(false),
            Err(e) => Err(Error::io("look at", Some(&path), e)),
        }
    }

    /// Closes the file descriptor that the segment has had so far, for processes that have many
    /// segments open at once (`ulimit -n`). The segment is used as before. It cannot be passed on
    /// any more: [`pass_to`](Self::pass_to) and [`send_to`](Self::send_to) answer
    /// [`Error::DescriptorLost`]. One that has a name can be opened anew for that.
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
    /// # Ok::<(), outlive::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Unsupported`] on an overlay: only the descriptor keeps the lock there that says "in
    /// use". The descriptor stays open then.
    pub fn close_descriptor(&mut self) -> Result<()> {
        match self.file() {
            Ok(file) if naming::is_on_overlay(file) => Err(Error::Unsupported(
                "a segment on an overlay is in use only as long as its descriptor is open; keep it open, or put the segment on another file system".into(),
            )),
            Ok(_) => {
                // SAFETY: whoever borrows it borrows this handle, which is the caller's alone.
                unsafe { self.body().file.close() };
                Ok(())
            }
            Err(_closed_before) => Ok(()),
        }
    }

    /// Takes the calling thread out of the segment, for threads that live on but have done with it.
    /// It comes back with its next operation. Reads the whole segment once.
    ///
    /// Threads that end need not do this: the kernel sees to it.
    ///
    /// # Errors
    /// [`Error::StillHolding`] while any word of the segment names this thread: also one of plain
    /// data that happens to, which of random 32-bit words one in 2^29 does; then let the thread
    /// end, or change that word. [`Error::Io`] where a sandbox refuses process_vm_readv(2), and
    /// there is no descriptor left for a pipe instead.
    pub fn detach(&self) -> Result<()> {
        local::detach(self.mapping)
    }

    /// Who takes part at the moment. One that was killed in the middle of [`detach`](Self::detach)
    /// may be among them until its slot is needed: it holds nothing, and nobody waits for it.
    pub fn participants(&self) -> Vec<ParticipantInfo> {
        participants::living(self.body().table.slots)
    }

    /// What is known of the participant that an id names, dead or alive: which process, which
    /// thread.
    ///
    /// Ids come from locks and errors: [`Lock::holder`](crate::Lock::holder),
    /// [`Inconsistent::by`](crate::Inconsistent::by),
    /// [`Permit::previous_holder_died`](crate::Permit::previous_holder_died), and others. A
    /// participant leaves a slot behind, which speaks of it until the next participant takes that
    /// slot. Slots are taken in turn. From then on the answer is `None`, and never somebody else.
    /// (Only who keeps an id while its slot has 65,535 further owners may be told of the last of
    /// these.)
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
    /// # Ok::<(), outlive::Error>(())
    /// ```
    ///
    /// # If a process dies
    /// What it left is told; it says so by [`is_alive`](ParticipantInfo::is_alive).
    pub fn participant(&self, id: Id) -> Option<ParticipantInfo> {
        participants::info(self.body().table.slot(id)?, id)
    }

    /// Makes the calling thread a participant now, instead of with its first operation.
    ///
    /// # Errors
    /// [`Error::Full`], [`Error::TooManySegments`], [`Error::Unsupported`].
    pub fn attach(&self) -> Result<Id> {
        let base = self.body().map.as_mut_ptr().cast_const();
        // SAFETY: the first byte of the mapping; only its address is used.
        Ok(local::participant(unsafe { &*base })?.id)
    }
}

impl<T: Shareable + Sync, R: Shareable + Sync> Deref for Segment<T, R> {
    type Target = T;
    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: within the mapping, aligned, by `Layout`. Any bytes are a valid T; T is Sync;
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
