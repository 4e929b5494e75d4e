//! Passing segments on: to children that are spawned, and over Unix sockets.
//!
//! What is passed is an open file of its own. It has no lock, so whoever keeps it, such as a [`Command`] that is spawned again
//! and again, does not keep the segment in use. The one that it arrives at opens the file once more if it may, for a lock of its own.
//!
//! # The mark
//!
//! A child finds the number of its descriptor in an environment variable, which its own children inherit, too. The number
//! may be any other descriptor there. So the variable also has device and inode, and a *mark*: a random
//! number, which is the file offset of what was passed, and of nothing else. (Nobody reads at that offset.) A number is
//! looked at before anything is done with it; where all three fit, it was passed, and it is the library's to close.

#![allow(clippy::disallowed_types)] // process-local, never in shared memory, never in an algorithm

use super::{Options, Segment, Shareable, checks, naming};
use crate::error::{Error, Result};
use crate::platform::atomic::AtomicU64;
use core::fmt;
use core::mem::MaybeUninit;
use core::str::FromStr;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use rustix::fs::{OFlags, SeekFrom};
use rustix::io::{Errno, FdFlags};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, recvmsg, sendmsg,
};
use std::fs::File;
use std::io::{IoSlice, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::process::Command;

/// Begins the environment variable of each segment that is passed.
const VARIABLE: &str = "OUTLIVE_SEGMENT_";
/// The byte that a descriptor is sent with.
const PAYLOAD: u8 = b'S';
/// Marks are below this: an offset that a file may have on every file system, 8 GiB at most.
const MARKS: u64 = 1 << 33;

fn variable(name: &str) -> String {
    format!("{VARIABLE}{name}")
}

/// What a child is told of a descriptor that it was passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Ticket {
    number: RawFd,
    device: u64,
    inode: u64,
    mark: u64,
}

impl fmt::Display for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}:{}", self.number, self.device, self.inode, self.mark)
    }
}

impl FromStr for Ticket {
    type Err = ();

    fn from_str(text: &str) -> core::result::Result<Self, ()> {
        let numbers: Vec<u64> =
            text.split(':').map(str::parse).collect::<core::result::Result<_, _>>().map_err(drop)?;
        let [number, device, inode, mark] = numbers[..] else { return Err(()) };
        let number = RawFd::try_from(number).map_err(drop)?;
        // The standard streams are never passed; an offset of 0 is that of every file that was just opened.
        if number > 2 && mark > 0 { Ok(Self { number, device, inode, mark }) } else { Err(()) }
    }
}

impl Ticket {
    /// Whether the number is what was passed. Nothing happens to it, whatever it is: a FIFO, a terminal, a file of somebody else's.
    fn fits(&self) -> bool {
        // SAFETY: all bytes of this structure may be zero.
        let mut about: libc::stat = unsafe { core::mem::zeroed() };
        // SAFETY: the structure is there to be written; a number that is not open is an error.
        let is_open = unsafe { libc::fstat(self.number, &mut about) } == 0;
        let is_the_file =
            about.st_mode & libc::S_IFMT == libc::S_IFREG && (about.st_dev, about.st_ino) == (self.device, self.inode);
        // SAFETY: it asks for the offset, and sets nothing.
        is_open && is_the_file && unsafe { libc::lseek(self.number, 0, libc::SEEK_CUR) } == self.mark as i64
    }

    /// What was passed, for a handle of ours. The number stays open, for a caller with another type.
    fn open(&self) -> Result<Option<File>> {
        if !self.fits() {
            return Ok(None);
        }
        // SAFETY: it is open, and what was passed to this process by its mark, which nobody but this module closes.
        let passed = unsafe { BorrowedFd::borrow_raw(self.number) };
        // It has arrived: our own children get it only if it is passed on.
        rustix::io::fcntl_setfd(passed, FdFlags::CLOEXEC)
            .map_err(|e| Error::io("set a flag of the passed descriptor", None, e))?;
        can_be_written(passed).then(|| opening_of(passed)).transpose()
    }

    /// Closes the number, unless another thread was first.
    fn close(&self) -> bool {
        one_at_a_time(|| {
            let fits = self.fits();
            if fits {
                // SAFETY: it is what was passed, which nobody but this module closes, by one thread at a time.
                unsafe { libc::close(self.number) };
            }
            fits
        })
    }
}

/// Runs `body`, which takes microseconds, in one thread of this process at a time. Not with a mutex: a forked child would
/// inherit it locked if another thread was in there. Here it finds the number of another process, and goes in.
fn one_at_a_time<V>(body: impl FnOnce() -> V) -> V {
    static INSIDE: AtomicU64 = AtomicU64::new(0);
    let process = super::local::process_number();
    loop {
        let inside = INSIDE.load(Relaxed);
        // ORDERING: Acquire and Release as those of a lock, though all that is inside are system calls.
        if inside != process && INSIDE.compare_exchange(inside, process, Acquire, Relaxed).is_ok() {
            break;
        }
        std::thread::yield_now();
    }
    let value = body();
    INSIDE.store(0, Release);
    value
}

/// Another open file of the same inode, without a lock. A process that may not open it again gets a duplicate.
fn opening_of(descriptor: impl AsFd) -> Result<File> {
    match naming::reopen(&descriptor) {
        Ok(file) => naming::away_from_stdio(file),
        Err(_) => rustix::io::fcntl_dupfd_cloexec(descriptor, above_the_known())
            .map(File::from)
            .map_err(|e| Error::io("duplicate the descriptor", None, e)),
    }
}

/// The first number above all that are named in our own environment. Those are of what was passed to us; once they are closed,
/// no descriptor with the same mark may get such a number.
fn above_the_known() -> RawFd {
    let known = std::env::vars_os().filter(|(name, _)| name.as_encoded_bytes().starts_with(VARIABLE.as_bytes()));
    let numbers = known.filter_map(|(_, value)| Some(value.to_str()?.parse::<Ticket>().ok()?.number));
    numbers.max().map_or(3, |number| number.saturating_add(1))
}

/// The mark of an open file; a new one if it has none. A duplicate may have been passed to others before.
fn mark(file: &File) -> Result<u64> {
    let failed = |e: Errno| Error::io("mark the descriptor", None, e);
    match rustix::fs::tell(file).map_err(failed)? {
        0 => {
            let mut random = [0; 8];
            rustix::rand::getrandom(&mut random, rustix::rand::GetRandomFlags::empty()).map_err(failed)?;
            let mark = u64::from_ne_bytes(random) % (MARKS - 1) + 1;
            rustix::fs::seek(file, SeekFrom::Start(mark)).map_err(failed)
        }
        mark => Ok(mark),
    }
}

/// What may only be read proves no right to write, though we may have it.
fn can_be_written(descriptor: BorrowedFd<'_>) -> bool {
    rustix::fs::fcntl_getfl(descriptor)
        .is_ok_and(|flags| flags & OFlags::RWMODE == OFlags::RDWR && !flags.contains(OFlags::PATH))
}

/// The file of a message that came.
fn receive(stream: &UnixStream) -> Result<File> {
    let not_received = |found: String| Error::NotReceived { found };
    // Room for more than one: so that what came too much is counted, and closed.
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(8), ScmCredentials(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    let message = rustix::io::retry_on_intr(|| {
        recvmsg(stream, &mut [IoSliceMut::new(&mut byte)], &mut control, RecvFlags::CMSG_CLOEXEC)
    })
    .map_err(|e| Error::io("receive a segment", None, e))?;
    let mut came: Vec<OwnedFd> = vec![];
    for part in control.drain() {
        if let RecvAncillaryMessage::ScmRights(descriptors) = part {
            came.extend(descriptors);
        }
    }
    if message.bytes == 0 {
        return Err(not_received("the end of the stream".into()));
    }
    if message.flags.contains(ReturnFlags::CTRUNC) {
        return Err(not_received(
            "more descriptors than can be taken (more than one was sent, or this process may have no more)".into(),
        ));
    }
    let [descriptor] = came.as_slice() else {
        return Err(not_received(format!("{} descriptors", came.len())));
    };
    if byte != [PAYLOAD] {
        return Err(not_received("a descriptor that was sent by something else".into()));
    }
    let about = rustix::fs::fstat(descriptor).map_err(|e| Error::io("look at what was received", None, e))?;
    if rustix::fs::FileType::from_raw_mode(about.st_mode) != rustix::fs::FileType::RegularFile {
        return Err(not_received("a descriptor that is no regular file".into()));
    }
    if !can_be_written(descriptor.as_fd()) {
        return Err(not_received("a descriptor that is not open for reading and writing".into()));
    }
    opening_of(descriptor)
}

impl<T: Shareable + Sync, R: Shareable + Sync> Options<T, R> {
    /// Opens the segment that the parent process [passed](Segment::pass_to) under this name.
    ///
    /// Once for each time that it was passed: the passed descriptor is closed, so that it does not keep the segment in use. The
    /// environment variable stays. The next call gives [`Error::NotPassed`], in children of this process, too.
    ///
    /// The owner counts only if [`owner`](Self::owner) names one: the parent has chosen the segment.
    ///
    /// # Errors
    /// [`Error::NotPassed`], [`Error::InvalidPassedName`], and those of [`open`](Self::open), after which
    /// the segment can still be inherited, with the right type for example.
    pub fn inherit(&self, name: &str) -> Result<Segment<T, R>> {
        self.check()?;
        checks::passed_name(name)?;
        let not_passed = || Error::NotPassed(name.into());
        let ticket: Ticket =
            std::env::var(variable(name)).ok().and_then(|value| value.parse().ok()).ok_or_else(not_passed)?;
        let segment = self.adopt_passed(ticket.open()?.ok_or_else(not_passed)?)?;
        if ticket.close() { Ok(segment) } else { Err(not_passed()) }
    }

    /// Opens the segment that another process [sends](Segment::send_to) over this socket. Waits for it, as the
    /// stream's own timeouts and modes say.
    ///
    /// The sender is trusted as much as the content: a sender that is no friend can write anything into the segment at any time,
    /// and can truncate the file, unless it is a sealed memfd, which raises SIGBUS here. The owner counts only
    /// if [`owner`](Self::owner) names one.
    ///
    /// # Errors
    /// [`Error::NotReceived`] if a message comes that is none of [`send_to`](Segment::send_to)'s. It is used up: all descriptors that
    /// came with it are closed. Else those of [`open`](Self::open); [`Error::Io`] if nothing can be received.
    pub fn receive_from(&self, stream: &UnixStream) -> Result<Segment<T, R>> {
        self.check()?;
        self.adopt_passed(receive(stream)?)
    }

    fn adopt_passed(&self, file: File) -> Result<Segment<T, R>> {
        if let Some(owner) = self.owner {
            naming::check_owner(&file, owner)?;
        }
        naming::share(&file)?;
        Segment::adopt(file)
    }
}

impl<T: Shareable + Sync> Segment<T> {
    /// Opens the segment that the parent [passed](Self::pass_to) under this name. See [`Options::inherit`].
    ///
    /// # Errors
    /// Those of [`Options::inherit`].
    pub fn inherit(name: &str) -> Result<Self> {
        Self::options().inherit(name)
    }

    /// Opens the segment that another process [sends](Self::send_to). See [`Options::receive_from`].
    ///
    /// # Errors
    /// Those of [`Options::receive_from`].
    pub fn receive_from(stream: &UnixStream) -> Result<Self> {
        Self::options().receive_from(stream)
    }
}

impl<T: Shareable + Sync, R: Shareable + Sync> Segment<T, R> {
    /// Lets a child process that is about to be spawned open this segment, whatever its kind, with
    /// [`Segment::inherit`] under the same name.
    ///
    /// The child gets a descriptor, and the environment variable `OUTLIVE_SEGMENT_<name>` (so `env_clear` comes
    /// before this). Nobody else gets the descriptor: it stays close-on-exec in this process. The child may be of another user,
    /// who could not open the segment by name.
    ///
    /// A command that is kept, to be spawned again, does not keep the segment in use. The exception is a process
    /// that may not open the file of its own segment again, as one to which another user has passed it: then the command
    /// has the lock, too, as long as it lasts.
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
    /// [`Error::InvalidPassedName`]; [`Error::Io`] when there are no descriptors left.
    pub fn pass_to(&self, command: &mut Command, name: &str) -> Result<()> {
        use std::os::unix::process::CommandExt;
        checks::passed_name(name)?;
        let own = opening_of(self.file())?;
        let about = naming::metadata(&own)?;
        let (device, inode) = (about.dev(), about.ino());
        let ticket = Ticket { number: own.as_raw_fd(), device, inode, mark: mark(&own)? };
        command.env(variable(name), ticket.to_string());
        // SAFETY: between fork and exec only one system call is made, fcntl, on a descriptor that the closure owns.
        unsafe {
            command.pre_exec(move || Ok(rustix::io::fcntl_setfd(&own, FdFlags::empty())?));
        }
        Ok(())
    }

    /// Sends this segment, whatever its kind, over a Unix socket, to a process that calls [`Segment::receive_from`] there.
    /// Nothing else may be sent in between: it is one byte of the stream, with a descriptor.
    ///
    /// ```
    /// use outlive::{Mutex, Segment};
    /// use std::os::unix::net::UnixStream;
    ///
    /// let (here, there) = UnixStream::pair()?; // or connected by a path
    /// let segment = Segment::<Mutex<u64>>::anonymous(|count| *count.get_mut() = 7)?;
    /// segment.send_to(&here)?;
    ///
    /// let same = Segment::<Mutex<u64>>::receive_from(&there)?; // in any other process
    /// assert_eq!(*same.lock().unwrap(), 7);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// The receiver can do whatever a participant can, and that for ever: nobody can take a descriptor back.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be sent. Then nothing was.
    ///
    /// # If a process dies
    /// A segment that was sent and not received is not in use for that.
    pub fn send_to(&self, stream: &UnixStream) -> Result<()> {
        let own = opening_of(self.file())?;
        let rights = [own.as_fd()];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        let fits = control.push(SendAncillaryMessage::ScmRights(&rights));
        debug_assert!(fits, "there is room for one");
        // One byte is sent whole, or not at all.
        rustix::io::retry_on_intr(|| sendmsg(stream, &[IoSlice::new(&[PAYLOAD])], &mut control, SendFlags::NOSIGNAL))
            .map_err(|e| Error::io("send the segment", None, e))?;
        Ok(())
    }

    /// The descriptor of the segment's file, for system calls that this library has no method for. To pass the segment on there are
    /// [`pass_to`](Self::pass_to) and [`send_to`](Self::send_to), which are safe.
    ///
    /// # Safety
    /// Everybody who has the segment open has references into this file. Neither through the descriptor, nor through a duplicate of
    /// it, nor through what is opened or mapped by it (`/proc/self/fd`), may its content or its length be changed while
    /// anybody does. Nor may its locks be changed: they say that the segment is in use. Allowed is to ask
    /// (fstat(2), fcntl(2)), and to give it to a process that keeps to the same.
    pub unsafe fn borrow_fd(&self) -> BorrowedFd<'_> {
        self.file().as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_variable_says_is_judged() {
        let ticket = Ticket { number: 7, device: 1, inode: u64::MAX, mark: 9 };
        assert_eq!(ticket.to_string().parse(), Ok(ticket));
        for wrong in ["", "7", "7:1:2", "7:1:2:3:4", "7:1:2:0", "2:1:2:3", "-7:1:2:3", "4294967303:1:2:3", "7:1:x:3"] {
            assert!(wrong.parse::<Ticket>().is_err(), "{wrong:?}");
        }
    }
}
