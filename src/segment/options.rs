//! How is a segment made or opened: which choices are there, and what is done with them?

use super::header::{self, Layout};
use super::local::Mapping;
use super::naming::{self, Backoff, Replacer, Turn};
use super::{Location, Segment, Shareable, allocation, checks};
use crate::error::{IoError, OpenError};
use crate::raw::Id;
use core::marker::PhantomData;
use core::time::Duration;
use std::fs::File;
use std::os::fd::AsFd;

/// Slots in the participant table unless [`SegmentOptions::participants`] says otherwise.
const PARTICIPANTS: usize = 256;

/// Whose open file a segment is opened through. The kernel does not show a process the locks of its
/// own open file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OpenFile {
    /// This process has opened the file, and shares that with nobody.
    Own,
    /// It is shared with a participant who has passed the segment on.
    OfAParticipant,
    /// It is shared with others, of whom nothing is known.
    OfStrangers,
}

/// How a segment is to be made or opened: [`Segment::options`].
#[derive(Debug, Clone)]
#[must_use]
pub struct SegmentOptions<T, R = ()> {
    pub(super) participants: usize,
    pub(super) room: usize,
    pub(super) mode: u32,
    pub(super) owner: Option<u32>,
    pub(super) replace: bool,
    pub(super) busy_timeout: Duration,
    pub(super) vouched: bool,
    pub(super) types: PhantomData<fn() -> (T, R)>,
}

impl<T> SegmentOptions<T, ()> {
    pub(super) fn new() -> Self {
        Self {
            participants: PARTICIPANTS,
            room: 0,
            mode: 0o600,
            owner: None,
            replace: false,
            busy_timeout: Duration::from_secs(5),
            vouched: false,
            types: PhantomData,
        }
    }
}

impl<T: Shareable + Sync> SegmentOptions<T, ()> {
    /// Adds room for `length` elements of type `R` behind the root value, all zero at first:
    /// [`Segment::room`]. When a segment is opened, the length that it was made with counts.
    ///
    /// ```
    /// use outlive::{Mutex, Segment};
    ///
    /// let segment = Segment::<()>::options().room::<Mutex<u64>>(1_000).anonymous(|(), _room| {})?;
    /// *segment.room()[999].lock().unwrap() = 7;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn room<R: Shareable + Sync>(self, length: usize) -> SegmentOptions<T, R> {
        SegmentOptions {
            participants: self.participants,
            room: length,
            mode: self.mode,
            owner: self.owner,
            replace: self.replace,
            busy_timeout: self.busy_timeout,
            vouched: self.vouched,
            types: PhantomData,
        }
    }
}

impl<T: Shareable + Sync, R: Shareable + Sync> SegmentOptions<T, R> {
    /// The most threads that can take part at the same time: 1 to 4,096, by default 256. Each takes
    /// 128 bytes.
    pub fn participants(mut self, participants: usize) -> Self {
        self.participants = participants;
        self
    }

    /// Permission bits of a named or file-backed segment, by default 0600. The umask does not
    /// count.
    ///
    /// The mode has only permission bits, is at most 0777, and lets the owner read and write. With
    /// any other mode nothing can be made or opened: [`OpenError::InvalidOption`].
    pub fn mode(mut self, mode: u32) -> Self {
        self.mode = mode;
        self
    }

    /// Opens segments of the user with this id, and not those of the process's own user.
    ///
    /// A user namespace shows all users that it does not map under one id, usually 65534. In such a
    /// namespace that id is never accepted: [`OpenError::UnmappedOwner`]. No user has the id
    /// `u32::MAX`: [`OpenError::InvalidOption`].
    pub fn owner(mut self, user: u32) -> Self {
        self.owner = Some(user);
        self
    }

    /// Lets a new segment replace one that is abandoned. A segment in use stays, and is an error.
    /// So is anything that is no segment.
    ///
    /// A segment is in use while any process has it mapped: by a [`Segment`], or in a child that
    /// was forked. It is also mapped while a thread that took part lives on, and has done nothing
    /// with any segment since the last [`Segment`] was dropped. (A shared lock of a process that
    /// may read the file makes it look in use, too.) The file system must be able to exchange names
    /// (renameat2(2)).
    pub fn replace_abandoned(mut self, yes: bool) -> Self {
        self.replace = yes;
        self
    }

    /// How long to wait for other processes that are opening or replacing the segment, by default 5
    /// seconds. That takes them microseconds. After the timeout the error is [`OpenError::Busy`],
    /// or [`OpenError::KeepsChanging`] if nobody was in the way, and the name changed each time.
    ///
    /// A process that may read the file can keep others waiting, by a shared lock. The default mode
    /// 0600 keeps other users from that.
    pub fn busy_timeout(mut self, bound: Duration) -> Self {
        self.busy_timeout = bound;
        self
    }

    /// Vouches that nobody uses the segment if no lock says so, whatever participants are on
    /// record. This is the way out of [`OpenError::SeenTwice`].
    ///
    /// If that is wrong, a lock that is held is given to a second holder.
    pub fn vouch_unused(mut self, yes: bool) -> Self {
        self.vouched = yes;
        self
    }

    /// Checks the options before anything is made or examined. Gives the layout of a new segment.
    pub(super) fn check(&self) -> Result<Layout, OpenError> {
        checks::mode(self.mode)?;
        self.owner.map_or(Ok(()), checks::user)?;
        Layout::for_types::<T, R>(self.participants, self.room).ok_or_else(|| {
            if size_of::<R>() == 0 && self.room > 0 {
                return OpenError::InvalidSize(format!(
                    "a room of {} elements without a size ({}) cannot be: they would have no place; use a type with a size, or no room",
                    self.room,
                    core::any::type_name::<R>()
                ));
            }
            OpenError::InvalidSize(format!(
                "a segment with {} participants and room for {} elements cannot be; participants go from 1 to {}, and all must fit into the address space",
                self.participants,
                self.room,
                Id::MAX_PARTICIPANTS
            ))
        })
    }

    pub(super) fn expected_owner(&self) -> u32 {
        self.owner.unwrap_or_else(|| rustix::process::geteuid().as_raw())
    }

    /// Makes a segment without a name: for children that are forked, or that it is
    /// [passed](Segment::pass_to) to.
    ///
    /// `init` gets the value and the room in place, all zero, before any other process can see
    /// them.
    ///
    /// # Errors
    /// [`OpenError::InvalidSize`], [`OpenError::InvalidOption`], [`OpenError::FileSizeLimit`],
    /// [`OpenError::NoSpace`], [`OpenError::Unsupported`] or [`OpenError::Io`].
    ///
    /// # If a process dies
    /// A creator that dies leaves nothing behind.
    pub fn anonymous(&self, init: impl FnOnce(&mut T, &mut [R])) -> Result<Segment<T, R>, OpenError> {
        let layout = self.check()?;
        Segment::build(naming::memfd(layout.total)?, layout, init)
    }

    /// Makes a named or file-backed segment. See [`anonymous`](Self::anonymous) for `init`.
    ///
    /// # Errors
    /// [`OpenError::AlreadyExists`]; [`OpenError::Location`]; [`OpenError::InvalidSize`],
    /// [`OpenError::InvalidOption`]; [`OpenError::FileSizeLimit`], [`OpenError::NoSpace`];
    /// [`OpenError::Unsupported`]; [`OpenError::DescriptorLost`] if another thread closes the
    /// descriptor meanwhile; [`OpenError::Io`]. To [replace](Self::replace_abandoned) a segment can
    /// also give: [`OpenError::NotASegment`], [`OpenError::Version`], [`OpenError::WordSize`],
    /// [`OpenError::Owner`], [`OpenError::UnmappedOwner`], [`OpenError::Busy`],
    /// [`OpenError::KeepsChanging`], [`OpenError::SeenTwice`]. After an error, what was found is
    /// unchanged, unless the error itself says something else.
    ///
    /// # If a process dies
    /// A creator that dies before the name is given leaves nothing behind. After that the segment
    /// is complete.
    ///
    /// To [replace](Self::replace_abandoned) a segment takes two names for a moment. A replacer
    /// that dies in this moment may leave a file `.outlive-NEW-OLD` (with the inodes of the two
    /// files, in hexadecimal) beside the segment. It has the size of a segment, and blocks nobody.
    /// The next replacer in that directory removes it. To remove it by hand is safe if no replacer
    /// is at work.
    pub fn create(
        &self,
        place: impl Into<Location>,
        init: impl FnOnce(&mut T, &mut [R]),
    ) -> Result<Segment<T, R>, OpenError> {
        let layout = self.check()?;
        let path = place.into().path_to_create()?;
        let replacer = self.replace.then_some(Replacer {
            path: &path,
            owner: self.expected_owner(),
            is_vouched_for: self.vouched,
        });
        match &replacer {
            Some(replacer) => replacer.expect_segment_or_nothing()?,
            None if std::fs::symlink_metadata(&path).is_ok() => return Err(OpenError::AlreadyExists(path)),
            None => {}
        }
        let segment = Segment::build(naming::unnamed(&path, self.mode, layout.total)?, layout, init)?;
        let has_the_name = match &replacer {
            Some(replacer) => replacer.replace(segment.file()?, &mut Backoff::new(self.busy_timeout))?,
            None => naming::publish(segment.file()?, &path)?,
        };
        if has_the_name { Ok(segment) } else { Err(OpenError::AlreadyExists(path)) }
    }

    /// Opens a named or file-backed segment.
    ///
    /// # Errors
    /// [`OpenError::NotFound`], and one error for each thing that may be wrong with what was
    /// found: [`OpenError::NotASegment`], [`OpenError::Version`], [`OpenError::WordSize`],
    /// [`OpenError::Type`], [`OpenError::RoomType`], [`OpenError::Size`], [`OpenError::Owner`],
    /// [`OpenError::UnmappedOwner`], [`OpenError::SeenTwice`]. [`OpenError::NoSpace`] for a copy
    /// with holes that the file system has no room to fill, [`OpenError::Unsupported`] if it cannot
    /// fill them. [`OpenError::Busy`] or [`OpenError::KeepsChanging`] when
    /// [`busy_timeout`](Self::busy_timeout) ends. [`OpenError::Location`] where no segment can be.
    /// [`OpenError::DescriptorLost`] if another thread closes a descriptor meanwhile.
    /// [`OpenError::Io`] if the system refuses a step. Options that can never work give the errors
    /// of [`create`](Self::create). After an error, what was found is unchanged, but for holes that
    /// were filled.
    ///
    /// # If a process dies
    /// An opener that dies changes nothing. If no process has the segment mapped, all its
    /// participants are dead: all have died, the system was started anew, or the file is a copy or
    /// a backup. Then everything that the dead held is handed to the next who locks it, as
    /// [`OwnerDied`](crate::LockError::OwnerDied).
    pub fn open(&self, place: impl Into<Location>) -> Result<Segment<T, R>, OpenError> {
        self.check()?;
        let path = place.into().path()?;
        let mut backoff = Backoff::new(self.busy_timeout);
        let (_turn, file) = naming::open(&path, self.expected_owner(), &mut backoff)?;
        self.join_or_revive(file, OpenFile::Own, &mut backoff)
    }

    /// Opens a file, in the caller's turn at it: checks it, maps it, and revives it if no other
    /// process has it mapped.
    ///
    /// If the open file is shared with other processes, the kernel does not show their locks. These
    /// processes also have the same turn at the same time. So the segment is joined, and never
    /// revived: the others may have it mapped, or be opening it themselves.
    pub(super) fn join_or_revive(
        &self,
        file: File,
        open_file: OpenFile,
        backoff: &mut Backoff,
    ) -> Result<Segment<T, R>, OpenError> {
        let (header, length) = naming::read_header(&file)?;
        let layout = Layout::judge::<T, R>(&header, length)?;
        allocation::fill_holes(&file, layout.total)?;
        let is_half_revived = header::is_half_revived(&header);
        let is_known_to_need_revival = match open_file {
            OpenFile::Own => false, // the locks say so
            OpenFile::OfAParticipant => is_half_revived,
            OpenFile::OfStrangers => {
                is_half_revived || !naming::is_in_use(file.as_fd())? && naming::is_from_elsewhere(&file, &header)?
            }
        };
        // Before the use is locked: the others keep the open file, and with it the lock. Those who
        // may revive the segment would find it in use.
        if is_known_to_need_revival {
            return Err(OpenError::CannotRevive);
        }
        naming::share(&file, backoff)?;
        let is_joined = open_file != OpenFile::Own || naming::is_in_use(file.as_fd())? && !is_half_revived;
        if is_joined {
            let _turn = if open_file == OpenFile::Own { None } else { Some(self.turn_once_more(&file, backoff)?) };
            return Ok(Segment::from_mapping(Mapping::new(file, layout)?));
        }
        if !self.vouched {
            naming::expect_nobody_alive(&file, &header)?;
        }
        let origin = naming::origin_of(&file)?;
        let segment: Segment<T, R> = Segment::from_mapping(Mapping::new(file, layout)?);
        segment.revive(origin);
        Ok(segment)
    }

    /// The turn at a file whose open file is shared, after the use was locked.
    ///
    /// The caller had the turn, and another sharer may have given it back for both. So somebody may
    /// have begun a revival before the use was locked. From now on nobody begins one.
    fn turn_once_more(&self, file: &File, backoff: &mut Backoff) -> Result<Turn, OpenError> {
        let again = || file.try_clone().map_err(|e| IoError::new("duplicate the descriptor", None, e).into());
        let turn = naming::turn_at(again, backoff)?;
        if header::is_half_revived(&naming::read_header(file)?.0) {
            return Err(OpenError::CannotRevive);
        }
        Ok(turn)
    }

    /// Opens the segment, or makes it if there is none.
    ///
    /// # Errors
    /// Those of [`open`](Self::open) and [`create`](Self::create). [`OpenError::KeepsChanging`] if
    /// others make and remove the segment again and again, each time before it can be opened, until
    /// [`busy_timeout`](Self::busy_timeout) ends.
    ///
    /// # If a process dies
    /// As [`open`](Self::open) and [`create`](Self::create).
    pub fn open_or_create(
        &self,
        place: impl Into<Location>,
        init: impl Fn(&mut T, &mut [R]),
    ) -> Result<Segment<T, R>, OpenError> {
        let place = place.into();
        // Begins with the first round in which another process made or removed the segment between
        // our two attempts: `init` may take long.
        let mut backoff: Option<Backoff> = None;
        loop {
            match self.open(place.clone()) {
                Err(OpenError::NotFound(_)) => {}
                other => return other,
            }
            match self.create(place.clone(), &init) {
                Err(OpenError::AlreadyExists(_)) => {}
                other => return other,
            }
            backoff.get_or_insert_with(|| Backoff::new(self.busy_timeout)).pause_for_change(&place.path()?)?;
        }
    }
}
