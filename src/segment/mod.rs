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
//! | kind      | made by                            | found by others                             | lives until                     |
//! |-----------|------------------------------------|---------------------------------------------|---------------------------------|
//! | anonymous | [`Segment::anonymous`]             | fork, or [`Segment::pass_to`] a child        | its last descriptor is closed   |
//! | named     | [`Segment::create`] with a name     | its name in `/dev/shm`                       | it is removed, or a reboot      |
//! | file      | [`Segment::create`] with a path     | its path                                    | it is removed                   |
//!
//! A segment is built without a name and published in one atomic step: nobody ever sees half of one, and a creator that is
//! killed anywhere leaves nothing behind that blocks the next. There is no init lock and no tracker process.
//!
//! # What is trusted
//!
//! Participants are trusted to respect the locks: whoever may write to the segment can write anything to it. They are not
//! trusted to leave sensible bytes: whatever is found on opening, or was left by the dead, gives an error or a wrong value
//! of plain data, no undefined behaviour, no panic, no endless loop. One thing cannot be caught: a *file* (not a memfd, which is
//! sealed) that is truncated while it is mapped raises SIGBUS in those who touch it. Default mode 0600, ownership is
//! checked, and symbolic links are not followed.

mod definition;
mod header;
pub(crate) mod local;
mod naming;
#[allow(clippy::disallowed_types)] // atomics are named there as what may be stored
mod shareable;

pub use definition::{Definition, Fingerprint, Part};
pub use header::FORMAT;
pub use naming::Location;
pub use shareable::*;

use crate::error::{Error, Result};
use crate::platform::Platform;
use crate::platform::linux::Linux;
use crate::raw::Id;
use core::marker::PhantomData;
use core::ops::Deref;
use core::ptr::NonNull;
use core::sync::atomic::Ordering::{Acquire, Release};
use core::time::Duration;
use header::Layout;
use local::Mapping;
use naming::Unpublished;
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::process::Command;

/// Slots in the participant table unless [`Options::participants`] says otherwise.
const PARTICIPANTS: usize = 256;

/// How a segment is made or opened: [`Segment::options`].
#[derive(Debug, Clone)]
#[must_use]
pub struct Options<T, R = ()> {
    participants: usize,
    room: usize,
    mode: u32,
    owner: Option<u32>,
    replace: bool,
    types: PhantomData<fn() -> (T, R)>,
}

impl<T: Shareable + Sync> Options<T, ()> {
    /// Adds room for `length` elements of type `R` behind the root value, all zero at first: [`Segment::room`]. When a
    /// segment is opened, its own length counts.
    ///
    /// ```
    /// use outlive::{Mutex, Segment};
    ///
    /// let segment = Segment::<()>::options().room::<Mutex<u64>>(1_000).anonymous(|(), _room| {})?;
    /// *segment.room()[999].lock().unwrap() = 7;
    /// # Ok::<(), outlive::Error>(())
    /// ```
    pub fn room<R: Shareable + Sync>(self, length: usize) -> Options<T, R> {
        Options {
            participants: self.participants,
            room: length,
            mode: self.mode,
            owner: self.owner,
            replace: self.replace,
            types: PhantomData,
        }
    }
}

impl<T: Shareable + Sync, R: Shareable + Sync> Options<T, R> {
    /// The most threads that can take part at the same time, 1 to 4,096 (128 bytes each); 256 unless said otherwise.
    pub fn participants(mut self, participants: usize) -> Self {
        self.participants = participants;
        self
    }

    /// Permission bits of a named or file-backed segment, 0600 unless said otherwise. The umask does not count.
    pub fn mode(mut self, mode: u32) -> Self {
        self.mode = mode;
        self
    }

    /// Opens segments that belong to this user id, instead of the process's own.
    pub fn owner(mut self, user: u32) -> Self {
        self.owner = Some(user);
        self
    }

    /// On creation, takes the place of a segment that nobody has open any more. One that is in use stays, and is an error.
    ///
    /// In use is what any process has a [`Segment`] of. A thread that took part, and idles since the last one was dropped, does
    /// not count, nor what it may still hold there. The file system must be able to exchange names (renameat2(2)).
    pub fn replace_abandoned(mut self, yes: bool) -> Self {
        self.replace = yes;
        self
    }

    fn layout(&self) -> Result<Layout> {
        Layout::of::<T, R>(self.participants, self.room).ok_or_else(|| {
            Error::InvalidSize(format!(
                "a segment with {} participants and room for {} elements cannot be; participants go from 1 to {}, and all must fit into the address space",
                self.participants,
                self.room,
                Id::MOST_PARTICIPANTS
            ))
        })
    }

    fn expected_owner(&self) -> u32 {
        self.owner.unwrap_or_else(|| rustix::process::geteuid().as_raw())
    }

    /// A segment without a name: for children that are forked, or that it is [passed](Segment::pass_to) to.
    ///
    /// `init` gets the value and the room in place, all zero, before anybody else can see them.
    ///
    /// # Errors
    /// [`Error::InvalidSize`], or [`Error::Io`] when memory is short.
    ///
    /// # If a process dies
    /// A creator that dies leaves nothing behind.
    pub fn anonymous(&self, init: impl FnOnce(&mut T, &mut [R])) -> Result<Segment<T, R>> {
        let layout = self.layout()?;
        let file = naming::memfd(layout.total)?;
        naming::share(&file)?;
        Segment::build(file, layout, init)
    }

    /// Makes a named or file-backed segment. See [`anonymous`](Self::anonymous) for `init`.
    ///
    /// # Errors
    /// [`Error::AlreadyExists`]; [`Error::Owner`] for one of another user's that was to be replaced;
    /// [`Error::InvalidName`], [`Error::InvalidSize`], [`Error::Unsupported`], [`Error::Io`].
    ///
    /// # If a process dies
    /// Before the name is given, nothing is left behind; after it the segment is complete.
    pub fn create(&self, place: impl Into<Location>, init: impl FnOnce(&mut T, &mut [R])) -> Result<Segment<T, R>> {
        let path = place.into().path()?;
        let layout = self.layout()?;
        if !self.replace && std::fs::symlink_metadata(&path).is_ok() {
            return Err(Error::AlreadyExists(path));
        }
        let new = Unpublished::new(&path, self.mode, layout.total)?;
        // The same open file, and so the same lock on it.
        let file = new.file.try_clone().map_err(|e| Error::io("duplicate the descriptor", None, e))?;
        let segment = Segment::build(file, layout, init)?;
        if new.publish()? || self.replace && new.replace_abandoned(self.expected_owner())? {
            Ok(segment)
        } else {
            Err(Error::AlreadyExists(path))
        }
    }

    /// Opens a named or file-backed segment.
    ///
    /// # Errors
    /// [`Error::NotFound`], and one of its own for everything that may be wrong with what was found: [`Error::NotASegment`],
    /// [`Error::Version`], [`Error::WordSize`], [`Error::Type`], [`Error::RoomType`], [`Error::Size`], [`Error::Owner`].
    /// Nothing is changed in what is refused. [`Error::Busy`] after five seconds, if somebody has stopped in the middle
    /// of replacing or reviving it.
    ///
    /// # If a process dies
    /// Somebody who opens it and dies changes nothing. If the segment is a copy, or older than the last boot, all that the
    /// dead held there is handed to the next who locks it, as [`OwnerDied`](crate::LockError::OwnerDied).
    pub fn open(&self, place: impl Into<Location>) -> Result<Segment<T, R>> {
        let path = place.into().path()?;
        // A segment that had to be revived could be replaced in a gap between two locks: then the name is asked again.
        for _ in 0..1_000 {
            let segment: Segment<T, R> = Segment::adopt(naming::open_shared(&path, self.expected_owner())?)?;
            if naming::is_named(segment.file(), &path)? {
                return Ok(segment);
            }
        }
        Err(Error::Busy)
    }

    /// Opens the segment, or makes it if there is none.
    ///
    /// # Errors
    /// Those of [`open`](Self::open) and [`create`](Self::create).
    ///
    /// # If a process dies
    /// As those two.
    pub fn open_or_create(&self, place: impl Into<Location>, init: impl Fn(&mut T, &mut [R])) -> Result<Segment<T, R>> {
        let place = place.into();
        // Each round but the last, somebody else made or removed it between our two looks.
        for _ in 0..1_000 {
            match self.open(place.clone()) {
                Err(Error::NotFound(_)) => {}
                other => return other,
            }
            match self.create(place.clone(), &init) {
                Err(Error::AlreadyExists(_)) => {}
                other => return other,
            }
        }
        Err(Error::Busy)
    }

    /// Opens the segment that the parent process [passed](Segment::pass_to) under this name.
    ///
    /// # Errors
    /// [`Error::NotPassed`], and those of [`open`](Self::open).
    pub fn inherit(&self, name: &str) -> Result<Segment<T, R>> {
        let not_passed = || Error::NotPassed(name.into());
        let value = std::env::var(variable(name)).map_err(|_| not_passed())?;
        let mut numbers = value.split(':').map(str::parse::<u64>);
        let mut next = || numbers.next().and_then(|n| n.ok()).ok_or_else(not_passed);
        let (descriptor, device, inode) = (next()?, next()?, next()?);
        let descriptor = i32::try_from(descriptor).ok().filter(|d| *d > 2).ok_or_else(not_passed)?;
        // SAFETY: only asked for its flags, its inode and a duplicate, which fail on a number that is not open; the inode
        // tells whether it is what the parent meant.
        let passed = unsafe { BorrowedFd::borrow_raw(descriptor) };
        // Opened anew, not duplicated: a duplicate would share the parent's lock on the file, and could give it up.
        let file = naming::reopen(passed).map_err(|_| not_passed())?;
        if naming::inode(&file)? != (device, inode) {
            return Err(not_passed());
        }
        // It has arrived: our own children get it only if it is passed on.
        rustix::io::fcntl_setfd(passed, rustix::io::FdFlags::CLOEXEC)
            .map_err(|e| Error::io("set a flag of the passed descriptor", None, e))?;
        naming::share(&file)?;
        Segment::adopt(file)
    }
}

fn variable(name: &str) -> String {
    format!("OUTLIVE_SEGMENT_{name}")
}

/// A value of type `T` in memory that processes share, with room for elements of type `R` behind it.
///
/// It gives `&T`. What may be changed in there is behind the primitives that `T` is made of. Dropping it unmaps the
/// memory as soon as no thread of this process takes part in it; a named segment stays until it is [removed](Segment::remove).
pub struct Segment<T: Shareable + Sync, R: Shareable + Sync = ()> {
    mapping: &'static Mapping,
    /// Where the root value is mapped: what `deref` gives without a detour.
    root: NonNull<T>,
    types: PhantomData<(T, R)>,
}

// SAFETY: `root` is a shared reference in all but lifetime, and T is Send and Sync; so is R, which `room` gives.
unsafe impl<T: Shareable + Sync, R: Shareable + Sync> Send for Segment<T, R> {}
// SAFETY: as above.
unsafe impl<T: Shareable + Sync, R: Shareable + Sync> Sync for Segment<T, R> {}

/// A participant of a segment, for people to look at: [`Segment::participants`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ParticipantInfo {
    /// Slot and generation: what [`Inconsistent::by`](crate::Inconsistent::by) names.
    pub id: Id,
    /// Its process id, in its own PID namespace.
    pub process_id: u32,
    /// Its thread id, likewise.
    pub thread_id: u32,
    /// For how long it has been asleep in this segment, if it is.
    pub asleep_for: Option<Duration>,
}

impl<T: Shareable + Sync> Segment<T> {
    /// A segment without a name; `init` gets its value in place, all zero. See [`Options::anonymous`].
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

    /// Opens the segment that the parent [passed](Self::pass_to) under this name. See [`Options::inherit`].
    ///
    /// # Errors
    /// Those of [`Options::inherit`].
    pub fn inherit(name: &str) -> Result<Self> {
        Self::options().inherit(name)
    }

    /// Options to make or open a segment with.
    pub fn options() -> Options<T> {
        Options { participants: PARTICIPANTS, room: 0, mode: 0o600, owner: None, replace: false, types: PhantomData }
    }

    /// Removes the name of a segment. Those who have it open go on with it; whoever opens the name next finds nothing.
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
        let identity = naming::identity(&file)?;
        let segment = Self::of(Mapping::new(file, layout)?);
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
        let header = layout.header::<T, R>(identity);
        segment.file().write_all_at(&header, 0).map_err(|e| Error::io("write the header", None, e))?;
        Ok(segment)
    }

    /// Takes a file that has the shared lock: judges, maps, and declares the participants of another life dead.
    fn adopt(file: File) -> Result<Self> {
        let (bytes, length) = naming::read_header(&file)?;
        let (layout, _) = Layout::judge::<T, R>(&bytes, length)?;
        let identity = naming::identity(&file)?;
        let segment = Self::of(Mapping::new(file, layout)?);
        let body = segment.body();
        // SAFETY: within the mapping, aligned, and changed by atomic stores alone once published.
        let found = unsafe { &*body.map.as_mut_ptr().add(header::IDENTITY).cast::<<Linux as Platform>::Long>() };
        naming::with_exclusive(
            segment.file(),
            || Ok(found.load(Acquire) == identity),
            || {
                body.table.end_all();
                found.store(identity, Release); // last: until then the next opener begins again
            },
        )?;
        Ok(segment)
    }

    fn of(mapping: &'static Mapping) -> Self {
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

    fn file(&self) -> &File {
        // SAFETY: the mapping is LIVE as long as this handle is not dropped.
        unsafe { self.mapping.file() }
    }

    /// The elements behind the root value, as many as were asked for with [`Options::room`] when the segment was made.
    pub fn room(&self) -> &[R] {
        let body = self.body();
        // SAFETY: within the mapping, aligned, by `Layout`. Any bytes are a valid R; R is Sync; only `&R` are given out.
        unsafe {
            core::slice::from_raw_parts(
                body.map.as_mut_ptr().add(body.layout.room).cast::<R>(),
                body.layout.room_length,
            )
        }
    }

    /// Lets a child process that is about to be spawned open this segment, whatever its kind, with
    /// [`Segment::inherit`] under the same name.
    ///
    /// The child gets the descriptor, under the number that it has here, and the environment variable
    /// `OUTLIVE_SEGMENT_<name>`. Nobody else gets it: it stays close-on-exec in this process.
    ///
    /// ```no_run
    /// use outlive::{Lock, Segment};
    /// use std::process::Command;
    ///
    /// // parent
    /// let segment = Segment::<Lock>::anonymous(|_lock| {})?;
    /// let mut child = Command::new("worker");
    /// segment.pass_to(&mut child, "jobs")?;
    /// child.spawn()?;
    ///
    /// // child
    /// let segment = Segment::<Lock>::inherit("jobs")?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Io`] when there are no descriptors left.
    pub fn pass_to(&self, command: &mut Command, name: &str) -> Result<()> {
        use std::os::unix::process::CommandExt;
        let own = rustix::io::fcntl_dupfd_cloexec(self.file(), 3)
            .map_err(|e| Error::io("duplicate the descriptor", None, e))?;
        let (device, inode) = naming::inode(self.file())?;
        command.env(variable(name), format!("{}:{device}:{inode}", own.as_raw_fd()));
        // SAFETY: between fork and exec only one system call is made, fcntl, on a descriptor that the closure owns.
        unsafe {
            command.pre_exec(move || Ok(rustix::io::fcntl_setfd(&own, rustix::io::FdFlags::empty())?));
        }
        Ok(())
    }

    /// Takes the calling thread out of the segment, for threads that live on but have done with it. It comes back with its
    /// next operation. Reads the whole segment once.
    ///
    /// Threads that end need not do this: the kernel sees to it.
    ///
    /// # Errors
    /// [`Error::StillHolding`] while any word of the segment names this thread: also one of plain data that happens to, which of random
    /// 32-bit words one in 2^29 does; then let the thread end, or change that word. [`Error::Unsupported`] if its lifeline cannot be
    /// taken out of its robust list, because other processes have scribbled on the links.
    pub fn detach(&self) -> Result<()> {
        local::detach(self.mapping)
    }

    /// Who takes part at the moment. One that was killed in the middle of [`detach`](Self::detach) may be among them until its slot is
    /// needed: it holds nothing, and nobody waits for it.
    pub fn participants(&self) -> Vec<ParticipantInfo> {
        let slots = self.body().table.slots.iter().enumerate();
        slots
            .filter_map(|(index, slot)| {
                let (id, thread_id) = slot.living(index)?;
                let asleep_for =
                    slot.about().waits_since().map(|since| Linux::now().saturating_sub(Duration::from_millis(since)));
                Some(ParticipantInfo { id, process_id: slot.about().process_id(), thread_id, asleep_for })
            })
            .collect()
    }

    /// Makes the calling thread a participant now, instead of with its first operation.
    ///
    /// # Errors
    /// [`Error::Full`], [`Error::Unsupported`].
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
        // SAFETY: within the mapping, aligned, by `Layout`. Any bytes are a valid T; T is Sync; only `&T` is given out.
        unsafe { self.root.as_ref() }
    }
}

/// The descriptor, to pass it on by other means.
impl<T: Shareable + Sync, R: Shareable + Sync> AsFd for Segment<T, R> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file().as_fd()
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
