//! What can go wrong with a segment, and with a lock.

use crate::platform::linux::{ROBUST_LIST_LIMIT, Unsupported as RobustListMissing};
use crate::raw::hold::{Cause, Id};
use crate::raw::mutex::NotHeld;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// Why a segment could not be made, opened or used. Each tells what was expected, what was found,
/// and what to do.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused a step.
    Io {
        /// The step.
        doing: &'static str,
        /// Its file, if it has a name.
        path: Option<PathBuf>,
        /// The refusal.
        source: io::Error,
    },
    /// There is no segment of that name.
    NotFound(PathBuf),
    /// There is something of that name already; nothing was changed.
    AlreadyExists(PathBuf),
    /// A name that no segment can have.
    InvalidName(String),
    /// A path that no file can have.
    InvalidPath(PathBuf),
    /// A name under which no segment can be passed.
    InvalidPassedName(String),
    /// A mode or an owner that no segment can have.
    InvalidOption(String),
    /// What was asked for cannot be: too many participants, a length that overflows, more members
    /// of a barrier than parties.
    InvalidSize(String),
    /// A number that a primitive was to be made with is too small or too large. Nothing was made.
    OutOfRange {
        /// Of what it was to be the number.
        what: &'static str,
        /// The number.
        found: u64,
        /// The least that it can be.
        least: u64,
        /// The most that it can be.
        most: u64,
    },
    /// It is not a regular file (a symbolic link is not followed), or its first bytes are not those
    /// of a segment.
    NotASegment,
    /// It has this version of the format; this crate reads [`FORMAT`](crate::segment::FORMAT).
    Version {
        /// The version found.
        found: u32,
    },
    /// It was made by a program whose `usize` has another width.
    WordSize {
        /// Bits of the `usize` found.
        found: u32,
    },
    /// It holds another type, or another definition of that type.
    Type {
        /// Size in bytes of the type found.
        found_size: u64,
        /// Size in bytes of the type that was to be opened.
        expected_size: u64,
    },
    /// The elements of its room are of another type.
    RoomType {
        /// Size in bytes of one element found.
        found_size: u64,
        /// Size in bytes of one element of the type that was to be opened.
        expected_size: u64,
    },
    /// Its length is not what its header says, or the header's numbers fit nothing: it was
    /// truncated or damaged.
    Size {
        /// Length of the file in bytes.
        found: u64,
        /// Length by its header, if that makes sense.
        expected: Option<u64>,
    },
    /// It belongs to another user, who could do with it what they like.
    Owner {
        /// User id of its owner.
        found: u32,
        /// User id of this process.
        expected: u32,
    },
    /// It belongs to a user that this user namespace does not map. All such users have this one id
    /// here.
    UnmappedOwner {
        /// That id.
        found: u32,
    },
    /// Other users could change the directory of
    /// [`Location::persistent`](crate::Location::persistent).
    UntrustedDirectory {
        /// The directory.
        path: PathBuf,
        /// What is wrong with it.
        found: String,
    },
    /// The file system, or the user's part of it, is full.
    NoSpace {
        /// The segment's file, if it has a name, or is to have one.
        path: Option<PathBuf>,
        /// Length of the segment in bytes.
        needed: u64,
    },
    /// This process may not make files that long (RLIMIT_FSIZE).
    FileSizeLimit {
        /// The limit in bytes.
        limit: u64,
        /// Length of the segment in bytes.
        needed: u64,
    },
    /// Others were opening or replacing the segment for longer than
    /// [`Options::busy_timeout`](crate::segment::Options::busy_timeout) allows; nothing was
    /// changed.
    Busy {
        /// For how long was waited.
        waited: Duration,
        /// Whether a shared lock is in the way. That is no opener's: a process takes it that may
        /// perhaps only read the file.
        by_reader: bool,
    },
    /// No lock says that the segment is in use, but a participant on record is known to live: the
    /// file is seen through two views with locks of their own, such as an overlay and its upper
    /// directory. On an overlay, it is enough that a participant is on record and cannot be looked
    /// at. Nothing was changed.
    SeenTwice {
        /// The participant.
        id: Id,
        /// The id of its process, as this process sees it; `None` if it cannot be looked at.
        process_id: Option<u32>,
    },
    /// This process has closed the segment's descriptor. The segment can be used on, but not passed
    /// on.
    DescriptorLost {
        /// The number that the descriptor had; `None` if it was closed by
        /// [`Segment::close_descriptor`](crate::Segment::close_descriptor).
        number: Option<i32>,
    },
    /// No segment was passed to this process under that name.
    NotPassed(String),
    /// What came over the socket was no segment.
    NotReceived {
        /// What came.
        found: String,
    },
    /// The primitive is not in a segment: it lives on a stack or heap where no other process can
    /// see it.
    NotInSegment,
    /// Every slot of the participant table is taken by a living thread.
    Full {
        /// Number of slots.
        participants: usize,
    },
    /// The calling thread takes part in so many segments that the kernel might not find all its
    /// lifelines when it ends.
    TooManySegments {
        /// How many segments the thread takes part in.
        segments: usize,
        /// How many other entries its robust list has: the robust mutexes that it holds, for the
        /// most part.
        other_entries: usize,
    },
    /// The kernel or the C library lacks something that outlive stands on.
    Unsupported(String),
    /// The lock is not held, or not by the one who was to release it or to vouch for it; nothing
    /// was changed.
    NotHeld {
        /// Who holds it, if anybody does.
        holder: Option<Id>,
    },
    /// A condition variable and the lock that it was to wait with are in different segments.
    OtherSegment,
    /// The participant cannot leave: at this offset of the segment a word says that it holds
    /// something. Plain data that happens to say so counts, too.
    StillHolding {
        /// Offset in bytes from the segment's start.
        offset: usize,
    },
    /// A semaphore would have had more permits than its maximum; nothing was changed.
    OverRelease {
        /// How many were to be released.
        released: u32,
        /// How many there were already.
        available: u32,
        /// The most that there can be.
        maximum: u32,
    },
    /// There can never be as many permits as were asked for at once.
    TooMany {
        /// How many were asked for.
        wanted: u32,
        /// The most that there can be.
        maximum: u32,
    },
}

/// A [`Result`](std::result::Result) with this crate's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    pub(crate) fn io(doing: &'static str, path: Option<&std::path::Path>, source: impl Into<io::Error>) -> Self {
        Self::Io { doing, path: path.map(Into::into), source: source.into() }
    }
}

impl From<NotHeld> for Error {
    fn from(NotHeld { holder }: NotHeld) -> Self {
        Self::NotHeld { holder }
    }
}

impl From<RobustListMissing> for Error {
    fn from(missing: RobustListMissing) -> Self {
        Self::Unsupported(missing.to_string())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { doing, path: Some(path), source } => {
                write!(f, "cannot {doing} {}: {source}", path.display())
            }
            Self::Io { doing, path: None, source } => write!(f, "cannot {doing}: {source}"),
            Self::NotFound(path) => write!(f, "there is no segment {}; create it first", path.display()),
            Self::AlreadyExists(path) => {
                write!(f, "{} exists already; open it, or choose another name", path.display())
            }
            Self::InvalidName(name) => write!(
                f,
                "{name:?} cannot name a segment; use 1 to 200 bytes without '/' or NUL, and not beginning with '.'"
            ),
            Self::InvalidPath(path) => write!(
                f,
                "{path:?} cannot be a segment's file; give a path that ends in a file name of at most 255 bytes, without NUL"
            ),
            Self::InvalidPassedName(name) => {
                write!(f, "a segment cannot be passed as {name:?}; use 1 to 100 bytes without '=' or NUL")
            }
            Self::InvalidSize(what) | Self::InvalidOption(what) => f.write_str(what),
            Self::OutOfRange { what, found, least, most } => write!(
                f,
                "{what} was expected to be {least} to {most}, but is {found}; give a number in this range, or use a type with more room"
            ),
            Self::NotASegment => f.write_str(
                "this is no segment: not a regular file that begins with outlive's magic number (symbolic links are not followed); check the name",
            ),
            Self::Version { found } => write!(
                f,
                "the segment has format {found}, this program reads format {}; make it anew, or use the same version of outlive on both sides",
                crate::format::FORMAT
            ),
            Self::WordSize { found } => write!(
                f,
                "the segment was made by a {found}-bit program, this is a {}-bit one; build both alike",
                usize::BITS
            ),
            Self::Type { found_size, expected_size } => write!(
                f,
                "the segment holds another type ({found_size} bytes, this program expects {expected_size}); names, order and types of all fields must be the same on both sides"
            ),
            Self::RoomType { found_size, expected_size } => write!(
                f,
                "the segment's room holds elements of another type ({found_size} bytes each, this program expects {expected_size})"
            ),
            Self::Size { found, expected: Some(expected) } => write!(
                f,
                "the segment has {found} bytes but should have {expected}: it was truncated or damaged; make it anew"
            ),
            Self::Size { found, expected: None } => write!(
                f,
                "the segment has {found} bytes and a header that fits no length: it was damaged; make it anew"
            ),
            Self::Owner { found, expected } => write!(
                f,
                "the segment belongs to user {found}, not to user {expected}; if that user is trusted, say so with Options::owner"
            ),
            Self::UnmappedOwner { found } => write!(
                f,
                "the segment belongs to a user that this user namespace does not map; all such users have the id {found} here, so it may be anybody's: map its owner (uid_map)"
            ),
            Self::UntrustedDirectory { path, found } => write!(
                f,
                "{} must be a directory of this user's with mode 0700, but it {found}; put that right, or use Location::file",
                path.display()
            ),
            Self::NoSpace { path: Some(path), needed } => write!(
                f,
                "there is no space for the {needed} bytes of {}: its file system or the user's quota is full; free some, or ask for less",
                path.display()
            ),
            Self::NoSpace { path: None, needed } => {
                write!(f, "there is no memory for the {needed} bytes of the segment; free some, or ask for less")
            }
            Self::FileSizeLimit { limit, needed } => write!(
                f,
                "the segment needs {needed} bytes, but this process may make files of at most {limit}; raise the limit (RLIMIT_FSIZE, `ulimit -f`), or ask for less"
            ),
            Self::Busy { waited, by_reader: false } => write!(
                f,
                "the turn to open or replace the segment takes microseconds, and did not come within {waited:?}: another process has it and does not finish; look with fuser or lsof for a stopped process that has the file open, or for a child that it forked, and continue or end it; or wait longer (Options::busy_timeout)"
            ),
            Self::Busy { waited, by_reader: true } => write!(
                f,
                "the turn to open or replace the segment takes microseconds, and did not come within {waited:?}: a process has a shared lock on it, which no participant takes; look with fuser or lsof for who reads the file, and end it or take the permission to read away"
            ),
            Self::SeenTwice { id, process_id: None } => write!(
                f,
                "nobody was expected to use the segment, because no lock says so, but participant {id} on record may live: it is in another PID namespace, and through an overlay the locks of those are not seen who use the directory below it; open it by the path that the others use, or, if nobody uses the segment, say so with Options::vouch_unused"
            ),
            Self::SeenTwice { id, process_id: Some(process_id) } => write!(
                f,
                "nobody was expected to use the segment, because no lock says so, but participant {id} on record lives in process {process_id}: the two see one file through two views (an overlay and its upper directory, a network file system), or that process has closed all descriptors on an overlay; open it by the path that the others use, or end that process, or, if nobody uses the segment, say so with Options::vouch_unused"
            ),
            Self::DescriptorLost { number: None } => f.write_str(
                "the segment's descriptor was expected to be open, and was closed by Segment::close_descriptor; pass the segment on before that, or open it again by its name",
            ),
            Self::DescriptorLost { number: Some(number) } => write!(
                f,
                "the segment's descriptor was expected at number {number}, and is there no more: this process has closed descriptors that it had not opened; keep that one open, or open the segment again"
            ),
            Self::NotPassed(name) => write!(
                f,
                "no segment was passed to this process as {name:?}; the parent passes it with Segment::pass_to before it spawns"
            ),
            Self::NotReceived { found } => write!(
                f,
                "expected a segment that the other side sends with Segment::send_to, but {found} came; let nothing else use this socket"
            ),
            Self::NotInSegment => f.write_str(
                "this primitive is not in a segment, so no other process could see it; put it into a Segment",
            ),
            Self::Full { participants } => write!(
                f,
                "all {participants} participants of the segment are taken by living threads; create it with more (Options::participants)"
            ),
            Self::TooManySegments { segments, other_entries } => write!(
                f,
                "this thread takes part in {segments} segments, and its robust list has {other_entries} other entries, such as robust mutexes that it holds; the kernel follows {ROBUST_LIST_LIMIT} entries when the thread ends, and a segment takes two of them, or one in a main thread; drop segments or detach from them, release robust mutexes, or use another thread"
            ),
            Self::Unsupported(what) => f.write_str(what),
            Self::NotHeld { holder: None } => f.write_str("it is not held by anybody"),
            Self::NotHeld { holder: Some(holder) } => write!(
                f,
                "it is held by participant {holder}, not by this thread; if it was this thread's, somebody released it on its behalf"
            ),
            Self::OtherSegment => f.write_str(
                "the condition variable and the lock are in different segments; put both into one, so that its participants watch each other",
            ),
            Self::StillHolding { offset } => write!(
                f,
                "this thread still holds something in the segment (the word at byte {offset} names it); release it first"
            ),
            Self::OverRelease { released, available, maximum } => write!(
                f,
                "{released} permits were to be released to a semaphore that has {available} of at most {maximum}: more were released than acquired"
            ),
            Self::TooMany { wanted, maximum } => write!(
                f,
                "{wanted} permits were asked for at once, and there can never be more than {maximum}"
            ),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}

/// Why a lock did not simply come: `G` is the guard, where the lock was taken nevertheless.
#[non_exhaustive]
pub enum LockError<G> {
    /// The lock is yours, but a former holder died while it held: what it protects may be half
    /// changed.
    OwnerDied(Inconsistent<G>),
    /// The lock is yours, but a former holder panicked while it held: what it protects may be half
    /// changed.
    Poisoned(Inconsistent<G>),
    /// Somebody alive holds it (`try_lock`).
    WouldBlock,
    /// Somebody alive held it until the deadline.
    TimedOut,
    /// Somebody alive held it until the caller was [interrupted](crate::interruptible). The lock
    /// was not taken.
    Interrupted,
    /// A wait with a condition variable was [interrupted](crate::interruptible), and gives the
    /// guard back. No notification is lost by that. The lock was given back meanwhile, and is held
    /// again.
    WaitInterrupted(G),
    /// The calling thread holds it already: waiting would be for ever.
    Deadlock,
    /// The calling thread holds a reentrant lock as often as can be counted. Nothing was changed.
    TooDeep,
    /// The holder leaked its guard (`mem::forget`, `Box::leak`), and its thread has ended. Its
    /// process lives, or may live, and may still use a reference that the guard gave. So nobody
    /// gets the lock before that process ends, but by an unsafe method: `lock_leaked`,
    /// `read_leaked`, `write_leaked`.
    Leaked {
        /// The holder.
        by: Id,
    },
    /// A condition variable could not wait with this guard, and gives it back: the lock was not
    /// released.
    NotWaited {
        /// The guard.
        guard: G,
        /// Why not.
        error: Error,
    },
    /// This thread cannot take part in the segment.
    Unusable(Error),
}

/// Why what one waited for did not come, where there is no guard to be had: permits of a semaphore,
/// an event, a barrier.
#[derive(Debug)]
#[non_exhaustive]
pub enum WaitError {
    /// It is not there (the `try_` forms without a timeout).
    WouldBlock,
    /// It was not there until the deadline.
    TimedOut,
    /// It was not there until the caller was [interrupted](crate::interruptible). Nothing was
    /// taken, and no barrier is broken.
    Interrupted,
    /// The calling thread is itself at what it would wait for: waiting would be for ever.
    Deadlock,
    /// The barrier is broken: a party died, gave up or said so. It stays so until it is reset.
    Broken {
        /// A party that has died, where there is one, and it is known.
        died: Option<Id>,
    },
    /// This thread cannot take part in the segment, or what was asked for can never be.
    Unusable(Error),
}

/// Why a wait at a barrier with an action that can fail did not succeed:
/// [`Barrier::wait_then`](crate::Barrier::wait_then).
#[derive(Debug)]
#[non_exhaustive]
pub enum ActionError<E> {
    /// The calling thread's own action failed, with this. The barrier is broken: the others got
    /// [`WaitError::Broken`].
    Failed(E),
    /// The parties did not meet; the calling thread's action was not run, or was in vain.
    Wait(WaitError),
}

impl<E: fmt::Display> fmt::Display for ActionError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(error) => {
                write!(f, "the action failed, and the barrier is broken; reset it when all know: {error}")
            }
            Self::Wait(error) => error.fmt(f),
        }
    }
}

impl<E: std::error::Error + 'static> std::error::Error for ActionError<E> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Failed(error) => Some(error),
            Self::Wait(error) => error.source(),
        }
    }
}

impl<E> From<WaitError> for ActionError<E> {
    fn from(error: WaitError) -> Self {
        Self::Wait(error)
    }
}

impl fmt::Display for WaitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WouldBlock => f.write_str("it is not there, and was not to be waited for"),
            Self::TimedOut => f.write_str("it did not come until the deadline"),
            Self::Interrupted => f.write_str(
                "it did not come until this thread was interrupted, and nothing was taken; see to the signal, then wait again or give up",
            ),
            Self::Deadlock => f.write_str("this thread is itself at what it would wait for; that would be for ever"),
            Self::Broken { died: None } => f.write_str("the barrier is broken; reset it when all know"),
            Self::Broken { died: Some(id) } => {
                write!(f, "the barrier is broken: participant {id} died; reset it when all know")
            }
            Self::Unusable(error) => write!(f, "it cannot be waited for here: {error}"),
        }
    }
}

impl std::error::Error for WaitError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Unusable(error) => Some(error),
            _ => None,
        }
    }
}

impl From<Error> for WaitError {
    fn from(error: Error) -> Self {
        Self::Unusable(error)
    }
}

/// A guard of something that may be inconsistent, and why it may be.
///
/// The state stays, and everybody who locks is told, until somebody who knows the data says
/// [`MutexGuard::mark_consistent`](crate::MutexGuard::mark_consistent), or the like of another
/// guard.
pub struct Inconsistent<G> {
    guard: G,
    by: Option<Id>,
}

impl<G> Inconsistent<G> {
    /// Who died or panicked: slot and generation in the participant table; `None` where that is no
    /// longer known. [`Segment::participant`](crate::Segment::participant) tells which process and
    /// thread that was.
    pub fn by(&self) -> Option<Id> {
        self.by
    }
    /// The guard, to judge and repair.
    pub fn into_guard(self) -> G {
        self.guard
    }
    /// The guard, to look at.
    pub fn guard(&self) -> &G {
        &self.guard
    }
    /// The guard, to judge and repair.
    pub fn guard_mut(&mut self) -> &mut G {
        &mut self.guard
    }
}

impl<G> LockError<G> {
    pub(crate) fn of(cause: Cause, guard: G) -> Self {
        match cause {
            Cause::Died(by) => Self::OwnerDied(Inconsistent { guard, by }),
            Cause::Panicked(by) => Self::Poisoned(Inconsistent { guard, by }),
        }
    }

    /// The guard, if there is one: after [`OwnerDied`](Self::OwnerDied),
    /// [`Poisoned`](Self::Poisoned), [`NotWaited`](Self::NotWaited) and
    /// [`WaitInterrupted`](Self::WaitInterrupted).
    ///
    /// # Errors
    /// The error itself, if it came without the lock.
    pub fn into_guard(self) -> std::result::Result<G, Self> {
        match self {
            Self::OwnerDied(left) | Self::Poisoned(left) => Ok(left.guard),
            Self::NotWaited { guard, .. } | Self::WaitInterrupted(guard) => Ok(guard),
            other => Err(other),
        }
    }
}

impl<G> LockError<G> {
    pub(crate) fn map_guard<H>(self, change: impl FnOnce(G) -> H) -> LockError<H> {
        match self {
            Self::OwnerDied(Inconsistent { guard, by }) => {
                LockError::OwnerDied(Inconsistent { guard: change(guard), by })
            }
            Self::Poisoned(Inconsistent { guard, by }) => {
                LockError::Poisoned(Inconsistent { guard: change(guard), by })
            }
            Self::WouldBlock => LockError::WouldBlock,
            Self::TimedOut => LockError::TimedOut,
            Self::Interrupted => LockError::Interrupted,
            Self::WaitInterrupted(guard) => LockError::WaitInterrupted(change(guard)),
            Self::Deadlock => LockError::Deadlock,
            Self::TooDeep => LockError::TooDeep,
            Self::Leaked { by } => LockError::Leaked { by },
            Self::NotWaited { guard, error } => LockError::NotWaited { guard: change(guard), error },
            Self::Unusable(error) => LockError::Unusable(error),
        }
    }
}

impl<G> fmt::Debug for Inconsistent<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inconsistent").field("by", &self.by).finish_non_exhaustive()
    }
}

impl<G> fmt::Debug for LockError<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OwnerDied(left) => f.debug_tuple("OwnerDied").field(left).finish(),
            Self::Poisoned(left) => f.debug_tuple("Poisoned").field(left).finish(),
            Self::WouldBlock => f.write_str("WouldBlock"),
            Self::TimedOut => f.write_str("TimedOut"),
            Self::Interrupted => f.write_str("Interrupted"),
            Self::WaitInterrupted(_) => f.write_str("WaitInterrupted(..)"),
            Self::Deadlock => f.write_str("Deadlock"),
            Self::TooDeep => f.write_str("TooDeep"),
            Self::Leaked { by } => f.debug_struct("Leaked").field("by", by).finish(),
            Self::NotWaited { error, .. } => f.debug_struct("NotWaited").field("error", error).finish_non_exhaustive(),
            Self::Unusable(error) => f.debug_tuple("Unusable").field(error).finish(),
        }
    }
}

impl<G> fmt::Display for LockError<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let who = |f: &mut fmt::Formatter<'_>, left: &Inconsistent<G>| match left.by {
            Some(id) => write!(f, "participant {id}"),
            None => f.write_str("a former holder"),
        };
        match self {
            Self::OwnerDied(left) => {
                who(f, left)?;
                f.write_str(
                    " died while it held the lock; you hold it now: check what it protects, then mark_consistent",
                )
            }
            Self::Poisoned(left) => {
                who(f, left)?;
                f.write_str(
                    " panicked while it held the lock; you hold it now: check what it protects, then mark_consistent",
                )
            }
            Self::WouldBlock => f.write_str("somebody else holds the lock"),
            Self::TimedOut => f.write_str("somebody else held the lock until the deadline"),
            Self::Interrupted => f.write_str(
                "somebody else held the lock until this thread was interrupted; see to the signal, then lock again or give up",
            ),
            Self::WaitInterrupted(_) => f.write_str(
                "this thread was interrupted before it was notified; you hold the lock again: see to the signal, then wait again or give up",
            ),
            Self::Deadlock => f.write_str("this thread holds the lock already; waiting for itself would be for ever"),
            Self::TooDeep => f.write_str("this thread holds the lock so often that one more cannot be counted"),
            Self::Leaked { by } => write!(
                f,
                "participant {by} leaked its guard and ended; its process may still use what the guard gave: end that process, or, if nothing uses it, take the lock over with the unsafe lock_leaked (read_leaked, write_leaked)"
            ),
            Self::NotWaited { error, .. } => write!(f, "nothing was waited for, the lock is as it was: {error}"),
            Self::Unusable(error) => write!(f, "the lock cannot be used here: {error}"),
        }
    }
}

impl<G> std::error::Error for LockError<G> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Unusable(error) | Self::NotWaited { error, .. } => Some(error),
            _ => None,
        }
    }
}

impl<G> From<Error> for LockError<G> {
    fn from(error: Error) -> Self {
        Self::Unusable(error)
    }
}
