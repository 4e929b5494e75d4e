//! What the kernel has: locks of files, eventfd, pipes, sockets and POSIX message queues.

use super::{Peer, answer_errno, here};
use crate::deaths::object::{AsChannel, AsEvent, AsLock, Channel, Exclusive, Object, Signal};
use crate::deaths::order::Answer;
use crate::deaths::scenario::Kind;
use libc::c_int;
use std::cell::{OnceCell, RefCell};
use std::ffi::CString;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

const FAMILY: &str = "Linux";

pub(super) fn peers() -> Vec<Peer> {
    let peer = |name, kind, make| here(FAMILY, name, kind, make);
    vec![
        peer("flock", Kind::Lock, || file_lock(flock)),
        peer("fcntl, lock of an open file", Kind::Lock, || file_lock(fcntl)),
        peer("System V semaphore, SEM_UNDO, as a lock", Kind::Lock, undone),
        peer("System V semaphore, SEM_UNDO", Kind::Semaphore, undone),
        peer("eventfd, EFD_SEMAPHORE", Kind::Semaphore, || Ok(Box::new(AsLock(EventFd::new(1, libc::EFD_SEMAPHORE)?)))),
        peer("eventfd", Kind::Event, || Ok(Box::new(AsEvent(EventFd::new(0, 0)?)))),
        peer("pipe", Kind::Queue, pipe),
        peer("socketpair, seqpacket", Kind::Queue, seqpacket),
        peer("POSIX message queue", Kind::Queue, message_queue),
        peer("pipe, one to one", Kind::Pipe, pipe),
    ]
}

/// The answer of a system call that returns -1 or a new descriptor.
fn descriptor(code: c_int) -> io::Result<OwnedFd> {
    match code {
        -1 => Err(io::Error::last_os_error()),
        // SAFETY: a new descriptor, which belongs to the caller.
        code => Ok(unsafe { OwnedFd::from_raw_fd(code) }),
    }
}

/// A lock of a file that each process opens by itself, as the lock belongs to the open file.
struct FileLock {
    set: fn(&File, bool) -> c_int,
    own: OnceCell<File>,
}

const FILE: &str = "locked-file";

fn file_lock(set: fn(&File, bool) -> c_int) -> io::Result<Box<dyn Object>> {
    File::create_new(FILE)?; // in the cell's directory
    Ok(Box::new(AsLock(FileLock { set, own: OnceCell::new() })))
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
    unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_SETLKW, &range) }
}

impl FileLock {
    fn set(&self, take: bool) -> Answer {
        if self.own.get().is_none() {
            let file = File::options().read(true).write(true).open(FILE).map_err(|error| error.to_string())?;
            self.own.get_or_init(|| file);
        }
        answer_errno((self.set)(self.own.get().expect("opened above"), take))
    }
}

impl Exclusive for FileLock {
    fn take(&self) -> Answer {
        self.set(true)
    }
    fn give_back(&self) -> Answer {
        self.set(false)
    }
}

/// A semaphore whose changes the kernel undoes at the end of the process that made them.
struct Undone(c_int);

/// The key of the semaphores of a keeper. A process id has 22 bits at most.
fn key(keeper: u32) -> libc::key_t {
    0x6f00_0000 | (keeper & 0xff_ffff) as libc::key_t
}

fn undone() -> io::Result<Box<dyn Object>> {
    // SAFETY: makes a semaphore, and names no memory.
    let id = unsafe { libc::semget(key(std::process::id()), 1, libc::IPC_CREAT | libc::IPC_EXCL | 0o600) };
    // SAFETY: SETVAL has a number as its argument.
    if id < 0 || unsafe { libc::semctl(id, 0, libc::SETVAL, 1) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(Box::new(AsLock(Undone(id))))
}

/// Removes the semaphores of this keeper, if it has any.
pub(super) fn remove_semaphores(keeper: u32) {
    // SAFETY: these name no memory.
    unsafe {
        let id = libc::semget(key(keeper), 0, 0);
        if id >= 0 {
            libc::semctl(id, 0, libc::IPC_RMID);
        }
    }
}

impl Undone {
    fn add(&self, number: libc::c_short) -> Answer {
        let mut change = libc::sembuf { sem_num: 0, sem_op: number, sem_flg: libc::SEM_UNDO as libc::c_short };
        // SAFETY: one valid change.
        answer_errno(unsafe { libc::semop(self.0, &mut change, 1) })
    }
}

impl Exclusive for Undone {
    fn take(&self) -> Answer {
        self.add(-1)
    }
    fn give_back(&self) -> Answer {
        self.add(1)
    }
}

struct EventFd(File);

impl EventFd {
    fn new(count: u32, flags: c_int) -> io::Result<Self> {
        // SAFETY: makes a descriptor.
        Ok(Self(descriptor(unsafe { libc::eventfd(count, flags | libc::EFD_CLOEXEC) })?.into()))
    }
    fn read(&self) -> Answer {
        (&self.0).read_exact(&mut [0; 8]).map_err(|error| error.to_string())?;
        Ok(None)
    }
    fn write(&self) -> Answer {
        (&self.0).write_all(&1_u64.to_ne_bytes()).map_err(|error| error.to_string())?;
        Ok(None)
    }
}

impl Exclusive for EventFd {
    fn take(&self) -> Answer {
        self.read()
    }
    fn give_back(&self) -> Answer {
        self.write()
    }
}

/// It clears itself when a waiter reads it.
impl Signal for EventFd {
    fn wait(&self) -> Answer {
        self.read()
    }
    fn set(&self) -> Answer {
        self.write()
    }
    fn clear(&self) -> Answer {
        Ok(None)
    }
}

/// A pipe or a pair of sockets: two descriptors, which forked children inherit.
struct Ends {
    to_read: RefCell<Option<File>>,
    to_write: RefCell<Option<File>>,
    /// Whether one write is one read.
    has_messages: bool,
}

impl Ends {
    fn boxed(ends: [c_int; 2], has_messages: bool) -> io::Result<Box<dyn Object>> {
        let [to_read, to_write] =
            [descriptor(ends[0])?, descriptor(ends[1])?].map(|end| RefCell::new(Some(end.into())));
        Ok(Box::new(AsChannel(Self { to_read, to_write, has_messages })))
    }
}

fn pipe() -> io::Result<Box<dyn Object>> {
    let mut ends = [-1; 2];
    // SAFETY: room for two descriptors.
    match unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) } {
        0 => Ends::boxed(ends, false),
        _ => Err(io::Error::last_os_error()),
    }
}

fn seqpacket() -> io::Result<Box<dyn Object>> {
    let mut ends = [-1; 2];
    let kind = libc::SOCK_SEQPACKET | libc::SOCK_CLOEXEC;
    // SAFETY: room for two descriptors.
    match unsafe { libc::socketpair(libc::AF_UNIX, kind, 0, ends.as_mut_ptr()) } {
        0 => Ends::boxed(ends, true),
        _ => Err(io::Error::last_os_error()),
    }
}

impl Channel for Ends {
    fn send(&self, bytes: &[u8]) -> Answer {
        let end = self.to_write.borrow();
        let mut end = end.as_ref().ok_or("this end was given up")?;
        end.write_all(bytes).map_err(|error| error.to_string())?;
        Ok(None)
    }
    fn receive(&self, into: &mut Vec<u8>) -> Answer {
        let end = self.to_read.borrow();
        let mut end = end.as_ref().ok_or("this end was given up")?;
        let mut length = 0;
        while length < into.len() {
            match end.read(&mut into[length..]).map_err(|error| error.to_string())? {
                0 if length == 0 => return Ok(Some("end of file".into())),
                0 => break,
                read => length += read,
            }
            if self.has_messages {
                break;
            }
        }
        into.truncate(length);
        Ok(None)
    }
    fn keep_end(&self, to_send: bool) -> Answer {
        drop(if to_send { &self.to_read } else { &self.to_write }.take());
        Ok(None)
    }
    fn leave(&self) -> Answer {
        drop((self.to_read.take(), self.to_write.take()));
        Ok(None)
    }
}

/// A queue whose name is removed as soon as it is open. On Linux its descriptor is one of a file.
struct MessageQueue(OwnedFd);

const LONGEST: usize = 6000;

fn message_queue() -> io::Result<Box<dyn Object>> {
    let name = CString::new(format!("/outlive-deaths-{}", std::process::id()))?;
    // SAFETY: plain numbers, for which zero is valid.
    let mut shape = unsafe { std::mem::zeroed::<libc::mq_attr>() };
    (shape.mq_maxmsg, shape.mq_msgsize) = (10, LONGEST as _); // the most that anybody may ask for
    let flags = libc::O_RDWR | libc::O_CREAT | libc::O_EXCL | libc::O_CLOEXEC;
    // SAFETY: the name is a C string, and the attributes are valid for the call.
    let queue = descriptor(unsafe { libc::mq_open(name.as_ptr(), flags, 0o600, &shape) });
    // SAFETY: the name is a C string.
    unsafe { libc::mq_unlink(name.as_ptr()) };
    Ok(Box::new(AsChannel(MessageQueue(queue?))))
}

impl Channel for MessageQueue {
    fn send(&self, bytes: &[u8]) -> Answer {
        // SAFETY: a queue; the bytes are valid for the call.
        answer_errno(unsafe { libc::mq_send(self.0.as_raw_fd(), bytes.as_ptr().cast(), bytes.len(), 0) })
    }
    fn receive(&self, into: &mut Vec<u8>) -> Answer {
        into.resize(LONGEST, 0); // no message is longer
        // SAFETY: a queue; the room is valid for the call.
        let length =
            unsafe { libc::mq_receive(self.0.as_raw_fd(), into.as_mut_ptr().cast(), into.len(), std::ptr::null_mut()) };
        into.truncate(usize::try_from(length).unwrap_or(0));
        if length < 0 { answer_errno(-1) } else { Ok(None) }
    }
}
