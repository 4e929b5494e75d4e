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
mod participants;
mod passing;
mod place;
#[allow(clippy::disallowed_types)] // atomics are named there as what may be stored
mod shareable;

pub use definition::{Definition, Fingerprint, Part};
pub use header::FORMAT;
pub use inspect::{SegmentInfo, TypeInfo, inspect, inspect_fd};
pub(crate) use monitor::sealed;
pub use monitor::{Monitor, Observe};
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
use naming::{Patience, Replacer};
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd};

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
    patience: Duration,
    vouched: bool,
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
            patience: self.patience,
            vouched: self.vouched,
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
    ///
    /// Only permission bits count, at most 0777, and the owner must be able to read and write. With
    /// another mode nothing can be made or opened: [`Error::InvalidOption`].
    pub fn mode(mut self, mode: u32) -> Self {
        self.mode = mode;
        self
    }

    /// Opens segments that belong to this user id, instead of the process's own.
    ///
    /// A user namespace shows all users that it does not map under one id, usually 65534. There
    /// that id is never accepted: [`Error::UnmappedOwner`]. No user has the id `u32::MAX`:
    /// [`Error::InvalidOption`].
    pub fn owner(mut self, user: u32) -> Self {
        self.owner = Some(user);
        self
    }

    /// On creation, takes the place of a segment that nobody uses any more. One that is in use
    /// stays, and is an error. So is everything that is no segment.
    ///
    /// In use is what any process has mapped: by a [`Segment`], also in a child that was forked; or
    /// because a thread that took part lives on, and has not done anything with any segment since
    /// the last [`Segment`] was dropped. (A shared lock of a process that may read the file makes
    /// it look in use, too.) The file system must be able to exchange names (renameat2(2)).
    pub fn replace_abandoned(mut self, yes: bool) -> Self {
        self.replace = yes;
        self
    }

    /// How long to wait for others who are just opening or replacing the segment, which takes them
    /// microseconds; 5 seconds unless said otherwise. Then it is [`Error::Busy`].
    ///
    /// Who may read the file can keep others waiting, by a shared lock; the default mode 0600 does
    /// not let them.
    pub fn patience(mut self, bound: Duration) -> Self {
        self.patience = bound;
        self
    }

    /// Vouches that nobody uses the segment if no lock says so, whoever is on record: the way out
    /// of [`Error::SeenTwice`].
    ///
    /// If that is wrong, locks that are held are given to others, and two hold them at once.
    pub fn vouch_unused(mut self, yes: bool) -> Self {
        self.vouched = yes;
        self
    }

    /// Refuses options that can never work, before anything is made or looked at. Gives the layout
    /// of a new segment.
    fn check(&self) -> Result<Layout> {
        checks::mode(self.mode)?;
        self.owner.map_or(Ok(()), checks::user)?;
        Layout::of::<T, R>(self.participants, self.room).ok_or_else(|| {
            if size_of::<R>() == 0 && self.room > 0 {
                return Error::InvalidSize(format!(
                    "a room of {} elements without a size ({}) cannot be: they would have no place; use a type with a size, or no room",
                    self.room,
                    core::any::type_name::<R>()
                ));
            }
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
    /// [`Error::InvalidSize`], [`Error::InvalidOption`], [`Error::FileSizeLimit`],
    /// [`Error::NoSpace`] or [`Error::Io`].
    ///
    /// # If a process dies
    /// A creator that dies leaves nothing behind.
    pub fn anonymous(&self, init: impl FnOnce(&mut T, &mut [R])) -> Result<Segment<T, R>> {
        let layout = self.check()?;
        Segment::build(naming::memfd(layout.total)?, layout, init)
    }

    /// Makes a named or file-backed segment. See [`anonymous`](Self::anonymous) for `init`.
    ///
    /// # Errors
    /// [`Error::AlreadyExists`]; [`Error::InvalidName`], [`Error::InvalidPath`],
    /// [`Error::InvalidSize`], [`Error::InvalidOption`]; [`Error::FileSizeLimit`],
    /// [`Error::NoSpace`]; [`Error::UntrustedDirectory`], [`Error::Unsupported`], [`Error::Io`]. If
    /// a segment was to be [replaced](Self::replace_abandoned), also: [`Error::NotASegment`],
    /// [`Error::Version`], [`Error::WordSize`], [`Error::Owner`], [`Error::UnmappedOwner`],
    /// [`Error::Busy`], [`Error::SeenTwice`]. Nothing is changed in what is refused.
    ///
    /// # If a process dies
    /// Before the name is given, nothing is left behind; after it the segment is complete.
    pub fn create(&self, place: impl Into<Location>, init: impl FnOnce(&mut T, &mut [R])) -> Result<Segment<T, R>> {
        let layout = self.check()?;
        let path = place.into().path_to_create()?;
        let replacer = self.replace.then_some(Replacer {
            path: &path,
            owner: self.expected_owner(),
            is_vouched_for: self.vouched,
        });
        match &replacer {
            Some(replacer) => replacer.expect_segment_or_nothing()?,
            None if std::fs::symlink_metadata(&path).is_ok() => return Err(Error::AlreadyExists(path)),
            None => {}
        }
        let segment = Segment::build(naming::unnamed(&path, self.mode, layout.total)?, layout, init)?;
        let has_the_name = match &replacer {
            Some(replacer) => replacer.replace(segment.file()?, &mut Patience::new(self.patience))?,
            None => naming::publish(segment.file()?, &path)?,
        };
        if has_the_name { Ok(segment) } else { Err(Error::AlreadyExists(path)) }
    }

    /// Opens a named or file-backed segment.
    ///
    /// # Errors
    /// [`Error::NotFound`], and one of its own for everything that may be wrong with what was
    /// found: [`Error::NotASegment`], [`Error::Version`], [`Error::WordSize`], [`Error::Type`],
    /// [`Error::RoomType`], [`Error::Size`], [`Error::Owner`], [`Error::UnmappedOwner`],
    /// [`Error::SeenTwice`]. [`Error::NoSpace`] for a copy with holes that the file system has no
    /// room to fill. Options that can never work are refused as by [`create`](Self::create).
    /// Nothing is changed in what is refused. [`Error::Busy`] when [`patience`](Self::patience)
    /// ends.
    ///
    /// # If a process dies
    /// Somebody who opens it and dies changes nothing. If nobody has the segment mapped (all have
    /// died, the system was started anew, it is a copy or a backup), all that the dead held there
    /// is handed to the next who locks it, as [`OwnerDied`](crate::LockError::OwnerDied).
    pub fn open(&self, place: impl Into<Location>) -> Result<Segment<T, R>> {
        self.check()?;
        let path = place.into().path()?;
        let mut patience = Patience::new(self.patience);
        let (_turn, file) = naming::open(&path, self.expected_owner(), &mut patience)?;
        self.join_or_revive(file, false, &mut patience)
    }

    /// Takes a file, in the caller's turn at it: judges, maps, and revives it if nobody else has it
    /// mapped. If the open file is shared with other processes, the kernel shows none of their
    /// locks: then it is joined.
    fn join_or_revive(&self, file: File, is_shared: bool, patience: &mut Patience) -> Result<Segment<T, R>> {
        let (header, length) = naming::read_header(&file)?;
        let layout = Layout::judge::<T, R>(&header, length)?;
        allocation::fill_holes(&file, layout.total)?;
        naming::share(&file, patience)?;
        let is_in_use = is_shared || naming::is_in_use(file.as_fd())?;
        if is_in_use && !header::is_half_revived(&header) {
            return Ok(Segment::of(Mapping::new(file, layout)?));
        }
        if !self.vouched {
            naming::expect_nobody_alive(&file, &header)?;
        }
        let origin = naming::origin_of(&file)?;
        let segment: Segment<T, R> = Segment::of(Mapping::new(file, layout)?);
        segment.revive(origin);
        Ok(segment)
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
        let mut patience = Patience::new(self.patience);
        // Each round but the last, somebody else made or removed it between our two looks.
        loop {
            match self.open(place.clone()) {
                Err(Error::NotFound(_)) => {}
                other => return other,
            }
            match self.create(place.clone(), &init) {
                Err(Error::AlreadyExists(_)) => {}
                other => return other,
            }
            patience.nap(None)?;
        }
    }
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

    /// Options to make or open a segment with.
    pub fn options() -> Options<T> {
        Options {
            participants: PARTICIPANTS,
            room: 0,
            mode: 0o600,
            owner: None,
            replace: false,
            patience: Duration::from_secs(5),
            vouched: false,
            types: PhantomData,
        }
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
        // Nobody else has this file: the lock cannot be refused.
        naming::share(&file, &mut Patience::new(Duration::ZERO))?;
        let header = layout.header::<T, R>(naming::origin_of(&file)?);
        let of_the_header = file.try_clone().map_err(|e| Error::io("duplicate the descriptor", None, e))?;
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
            let place = unsafe { &*base.add(at).cast::<<Linux as Platform>::Long>() };
            place.store(value, Relaxed);
        }
        mark.store(0, Release);
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

    /// The descriptor of its file.
    ///
    /// # Errors
    /// [`Error::DescriptorLost`].
    fn file(&self) -> Result<BorrowedFd<'_>> {
        self.body().file.get()
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
    /// segments open at once (`ulimit -n`). The segment is used as before. It cannot be passed on any
    /// more: [`pass_to`](Self::pass_to) and [`send_to`](Self::send_to) answer
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

    /// Takes the calling thread out of the segment, for threads that live on but have done with it. It comes back with its
    /// next operation. Reads the whole segment once.
    ///
    /// Threads that end need not do this: the kernel sees to it.
    ///
    /// # Errors
    /// [`Error::StillHolding`] while any word of the segment names this thread: also one of plain data that happens to, which of random
    /// 32-bit words one in 2^29 does; then let the thread end, or change that word. [`Error::Io`]
    /// where a sandbox refuses process_vm_readv(2), and there is no descriptor left for a pipe instead.
    pub fn detach(&self) -> Result<()> {
        local::detach(self.mapping)
    }

    /// Who takes part at the moment. One that was killed in the middle of [`detach`](Self::detach) may be among them until its slot is
    /// needed: it holds nothing, and nobody waits for it.
    pub fn participants(&self) -> Vec<ParticipantInfo> {
        participants::living(self.body().table.slots)
    }

    /// What is known of the participant that an id names, dead or alive: which process, which thread.
    ///
    /// Ids come from locks and errors: [`Lock::holder`](crate::Lock::holder),
    /// [`Inconsistent::by`](crate::Inconsistent::by), [`Permit::previous_holder_died`](crate::Permit::previous_holder_died),
    /// and others. A participant leaves a slot behind, which speaks of it until the next participant
    /// takes that slot. Slots are taken in turn. From then on the answer is `None`, and never somebody
    /// else. (Only who keeps an id while its slot has 65,535 further owners may be told of the last
    /// of these.)
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
        // SAFETY: within the mapping, aligned, by `Layout`. Any bytes are a valid T; T is Sync; only `&T` is given out.
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
