//! What the kernel has: locks of files, semaphores, eventfd, pipes, sockets, message queues.

use super::channels::{self, Channel, Receiver, Sender, Shape};
use super::kinds::{self, Signal};
use super::ours::change;
use super::{MakeChannel, MakeLock, MakeSignal, Object, OfChannel, Peer};
use crate::compare::Failure;
use crate::compare::figures::Kind;
use crate::objects::{Datagrams, Shared};
use libc::c_int;
use outlive_benches::peers::{Guarded, PosixQueue};
use outlive_benches::process;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::OnceLock;
use std::sync::atomic::AtomicU64;

fn row<M>(name: &'static str, make: M) -> Peer<M> {
    Peer::new(name, Kind::Peer, make)
}

pub(super) fn locks() -> Vec<Peer<MakeLock>> {
    vec![
        row("flock", || FileLock::of(flock)),
        row("fcntl, open file description", || FileLock::of(fcntl)),
        row("System V semaphore, SEM_UNDO", || kinds::lock(Box::new(Undone::new()?))),
    ]
}

/// A lock of a file that each process opens by itself, as the lock belongs to the open file.
struct FileLock {
    set: fn(&File, bool) -> c_int,
    file: File,
    own: OnceLock<File>,
    number: Shared<AtomicU64>,
}

impl FileLock {
    fn of(set: fn(&File, bool) -> c_int) -> super::OfLock {
        let (file, number) = (tempfile::tempfile()?, Shared::new(AtomicU64::new(0))?);
        kinds::lock(Box::new(Self { set, file, own: OnceLock::new(), number }))
    }

    fn set(&self, take: bool) {
        let own = self.own.get_or_init(|| {
            let path = format!("/proc/self/fd/{}", self.file.as_raw_fd());
            File::options().read(true).write(true).open(path).expect("the file can be opened again")
        });
        assert_ne!((self.set)(own, take), -1, "{}", io::Error::last_os_error());
    }
}

impl Guarded for FileLock {
    fn with<R>(&self, inside: impl FnOnce(&mut u64) -> R) -> R {
        self.set(true);
        let result = change(&self.number, inside);
        self.set(false);
        result
    }
}

fn flock(file: &File, take: bool) -> c_int {
    // SAFETY: a descriptor of our own.
    unsafe { libc::flock(file.as_raw_fd(), if take { libc::LOCK_EX } else { libc::LOCK_UN }) }
}

fn fcntl(file: &File, take: bool) -> c_int {
    let kind = if take { libc::F_WRLCK } else { libc::F_UNLCK } as libc::c_short;
    // A length of 0: the whole file. An open file's lock has no process id.
    let range = libc::flock { l_type: kind, l_whence: libc::SEEK_SET as libc::c_short, l_start: 0, l_len: 0, l_pid: 0 };
    // SAFETY: a descriptor of our own; the range is valid for the call.
    unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_SETLKW, &raw const range) }
}

/// A semaphore of System V whose changes the kernel undoes at the end of the process.
struct Undone {
    id: c_int,
    number: Shared<AtomicU64>,
}

impl Undone {
    fn new() -> io::Result<Self> {
        // SAFETY: makes a semaphore, and names no memory.
        let id = unsafe { libc::semget(libc::IPC_PRIVATE, 1, 0o600) };
        if id < 0 {
            return Err(io::Error::last_os_error());
        }
        let new = Self { id, number: Shared::new(AtomicU64::new(0))? };
        // SAFETY: SETVAL has a number as its argument.
        if unsafe { libc::semctl(id, 0, libc::SETVAL, 1) } < 0 { Err(io::Error::last_os_error()) } else { Ok(new) }
    }
    fn add(&self, number: libc::c_short) {
        let mut change = libc::sembuf { sem_num: 0, sem_op: number, sem_flg: libc::SEM_UNDO as libc::c_short };
        // SAFETY: one valid change.
        assert_eq!(unsafe { libc::semop(self.id, &raw mut change, 1) }, 0, "{}", io::Error::last_os_error());
    }
}

impl Guarded for Undone {
    fn with<R>(&self, inside: impl FnOnce(&mut u64) -> R) -> R {
        self.add(-1);
        let result = change(&self.number, inside);
        self.add(1);
        result
    }
}

impl Drop for Undone {
    fn drop(&mut self) {
        // SAFETY: names no memory.
        unsafe { libc::semctl(self.id, 0, libc::IPC_RMID) };
    }
}

pub(super) fn semaphores() -> Vec<Peer<MakeSignal>> {
    vec![row("eventfd, EFD_SEMAPHORE", || kinds::signal(Box::new(EventFd::new(libc::EFD_SEMAPHORE)?)))]
}

pub(super) fn events() -> Vec<Peer<MakeSignal>> {
    vec![
        row("eventfd", || kinds::signal(Box::new(EventFd::new(0)?))),
        row("Unix pipe", || kinds::signal(Box::new(process::pipe()?))),
        row("Unix datagrams", || kinds::signal(Box::new(Datagrams::new()?))),
    ]
}

struct EventFd(File);

impl EventFd {
    fn new(flags: c_int) -> io::Result<Self> {
        // SAFETY: reads no memory.
        let descriptor = unsafe { libc::eventfd(0, flags | libc::EFD_CLOEXEC) };
        if descriptor == -1 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: it was opened just now, for this value alone.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(descriptor) }.into()))
    }
}

impl Signal for EventFd {
    fn give(&self) {
        (&self.0).write_all(&1_u64.to_ne_bytes()).expect("open");
    }
    fn take(&self) {
        (&self.0).read_exact(&mut [0; 8]).expect("open");
    }
}

impl Signal for (File, File) {
    fn give(&self) {
        (&self.1).write_all(&[7; 8]).expect("open");
    }
    fn take(&self) {
        (&self.0).read_exact(&mut [0; 8]).expect("open");
    }
}

impl Signal for Datagrams {
    fn give(&self) {
        self.send(&[7; 8]).expect("open");
    }
    fn take(&self) {
        self.receive(&mut [0; 8]).expect("open");
    }
}

pub(super) fn channels() -> Vec<Peer<MakeChannel>> {
    vec![
        row("Unix pipe", |shape| {
            if shape.length > libc::PIPE_BUF {
                shape.one_to_one("a longer item is not written at once")?;
            }
            of(process::pipe()?)
        }),
        row("Unix stream", |shape| {
            shape.one_to_one("a stream has no boundaries between items")?;
            let (one, other) = UnixStream::pair()?;
            of((File::from(OwnedFd::from(other)), File::from(OwnedFd::from(one))))
        }),
        row("Unix datagrams", |_shape| of(Datagrams::new()?)),
        row("POSIX message queue", |shape: Shape| of(PosixQueue::new(8, shape.length)?)),
    ]
}

fn of(channel: impl Channel + 'static) -> OfChannel {
    Ok(Object::Processes(Box::new(channel)))
}

/// Bytes, whose reader knows how long the next item is. (A pipe writes and reads an item of
/// `PIPE_BUF` or less at once.)
impl Channel for (File, File) {
    fn sender(&self) -> Result<Box<dyn Sender + '_>, Failure> {
        channels::sends(|item| Ok((&self.1).write_all(item)?))
    }
    fn receiver(&self) -> Result<Box<dyn Receiver + '_>, Failure> {
        channels::receives(|item| Ok((&self.0).read_exact(item)?))
    }
}

impl Channel for Datagrams {
    fn sender(&self) -> Result<Box<dyn Sender + '_>, Failure> {
        channels::sends(|item| Ok(self.send(item)?))
    }
    fn receiver(&self) -> Result<Box<dyn Receiver + '_>, Failure> {
        channels::receives(|item| channels::whole(self.receive(item)?, item))
    }
}

impl Channel for PosixQueue {
    fn sender(&self) -> Result<Box<dyn Sender + '_>, Failure> {
        channels::sends(|item| Ok(self.send(item)?))
    }
    fn receiver(&self) -> Result<Box<dyn Receiver + '_>, Failure> {
        channels::receives(|item| channels::whole(self.receive(item)?, item))
    }
}
