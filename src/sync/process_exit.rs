//! [`ProcessExit`]: the end of a process that takes no part, as a source of
//! [`wait_any`](crate::wait_any).
//!
//! A wait sleeps on futex words, and a pidfd is a descriptor. So one thread a process sleeps on the
//! pidfds. When one of them becomes readable, the thread sets an event, which is a source.

#![allow(clippy::disallowed_types)] // process-local bookkeeping, never in shared memory, never in an algorithm

use super::event::Event;
use super::per_process::PerProcess;
use super::wait_any::WaitSource;
use crate::error::{IoError, ProcessExitError};
use crate::segment::{Segment, local};
use core::fmt;
use rustix::buffer::spare_capacity;
use rustix::event::{PollFd, PollFlags, Timespec, epoll, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The end of a process, to be waited for beside other things: a child process, or any other.
///
/// The process need not take part in a segment, and need not know of outlive. For a participant,
/// [`Segment::when_dead`] is cheaper and quicker. For a child alone, without anything else to wait
/// for, there is [`Child::wait`](std::process::Child::wait).
///
/// ```
/// use outlive::{ProcessExit, Queue, wait_any};
/// use std::process::Command;
///
/// let answers = Queue::<u64>::anonymous(64)?;
/// let mut child = Command::new("true").spawn()?;
/// let exit = ProcessExit::of_child(&child)?;
/// match wait_any(&[answers.readable(), exit.when_exited()?])? {
///     0 => println!("an answer: {}", answers.recv()?),
///     _ => println!("the child has ended: {}", child.wait()?),
/// }
/// # assert!(exit.has_exited());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// It holds a pidfd and a small anonymous segment. The first source starts a thread of the crate,
/// named `outlive-exits`, which sleeps until a watched process ends. Its end is noticed when all
/// its threads have ended, whether or not somebody waits for it (`waitpid`).
///
/// In a child that was forked meanwhile it works, too: the child starts a thread of its own. That
/// begins with [`when_exited`](Self::when_exited) there. A source that was made before the fork is
/// served by the parent's thread alone, so the child must not rely on it.
///
/// # If a process dies
/// That is what it is for. If a waiter dies, nothing is lost.
pub struct ProcessExit {
    watched: Arc<Watched>,
}

struct Watched {
    pidfd: OwnedFd,
    /// Is set when the process has ended.
    exited: Segment<Event>,
}

impl Watched {
    fn has_exited(&self) -> bool {
        // An end that cannot be looked up now is found by the thread that watches.
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        self.exited.is_set()
            || poll(&mut [PollFd::new(&self.pidfd, PollFlags::IN)], Some(&now)).is_ok_and(|ready| ready == 1)
    }
}

impl ProcessExit {
    /// The end of the process of this id. The id must be that of a process that has not been
    /// waited for: another process may get the same id after that.
    ///
    /// # Errors
    /// [`ProcessExitError::NotFound`], [`ProcessExitError::Unsupported`] before Linux 5.3,
    /// [`ProcessExitError::Io`] if there can be no more descriptors, [`ProcessExitError::Open`] if
    /// there is no memory.
    pub fn of(process_id: u32) -> Result<Self, ProcessExitError> {
        let not_found = ProcessExitError::NotFound { process_id };
        let Some(id) = i32::try_from(process_id).ok().and_then(Pid::from_raw) else { return Err(not_found) };
        match pidfd_open(id, PidfdFlags::empty()) {
            Ok(pidfd) => Self::of_pidfd(pidfd),
            Err(Errno::SRCH) => Err(not_found),
            Err(Errno::NOSYS) => Err(ProcessExitError::Unsupported),
            Err(errno) => Err(IoError::new("open a pidfd", None, errno).into()),
        }
    }

    /// The end of a child process.
    ///
    /// # Errors
    /// As [`of`](Self::of).
    pub fn of_child(child: &std::process::Child) -> Result<Self, ProcessExitError> {
        Self::of(child.id())
    }

    /// The end of the process of this pidfd, from pidfd_open(2) or clone(2). It is certain that no
    /// other process has got the id meanwhile.
    ///
    /// # Errors
    /// [`ProcessExitError::Open`] if there is no memory.
    pub fn of_pidfd(pidfd: OwnedFd) -> Result<Self, ProcessExitError> {
        let exited = Segment::anonymous(|_cleared| {})?;
        Ok(Self { watched: Arc::new(Watched { pidfd, exited }) })
    }

    /// Whether the process has ended.
    #[must_use]
    pub fn has_exited(&self) -> bool {
        self.watched.has_exited()
    }

    /// A source of [`wait_any`](crate::wait_any), of futures and of descriptors: the process has
    /// ended.
    ///
    /// # Errors
    /// [`ProcessExitError::Io`] if the thread that watches cannot be started, or there can be no
    /// more descriptors.
    pub fn when_exited(&self) -> Result<WaitSource<'_>, ProcessExitError> {
        if self.has_exited() {
            self.watched.exited.raw.set(); // now, and not a moment later
        } else {
            Watcher::get()?.watch(&self.watched)?;
        }
        Ok(self.watched.exited.when_set())
    }
}

impl Drop for ProcessExit {
    fn drop(&mut self) {
        if let Some(watcher) = WATCHER.current() {
            watcher.forget(Arc::as_ptr(&self.watched).addr());
        }
    }
}

impl fmt::Debug for ProcessExit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProcessExit")
            .field("pidfd", &self.watched.pidfd)
            .field("has_exited", &self.has_exited())
            .finish_non_exhaustive()
    }
}

impl AsFd for ProcessExit {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.watched.pidfd.as_fd()
    }
}

/// The thread of this process that sleeps on pidfds, and what it watches.
struct Watcher {
    epoll: OwnedFd,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    has_thread: bool,
    /// By their addresses, which epoll gives back.
    watched: BTreeMap<usize, Arc<Watched>>,
}

static WATCHER: PerProcess<Watcher> = PerProcess::new();

impl Watcher {
    fn get() -> Result<&'static Self, ProcessExitError> {
        WATCHER.get_or_try(|| {
            let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)
                .map_err(|errno| IoError::new("make an epoll descriptor", None, errno))?;
            Ok::<_, ProcessExitError>(Self { epoll, state: Mutex::default() })
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it is locked, but for a lack of memory.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn watch(&'static self, watched: &Arc<Watched>) -> Result<(), IoError> {
        let address = Arc::as_ptr(watched).addr();
        let mut state = self.lock();
        if !state.has_thread {
            // Signals are for the threads of the program. A thread inherits what is blocked.
            let _blocked = local::SignalsBlocked::now();
            std::thread::Builder::new()
                .name("outlive-exits".into())
                .spawn(|| self.run())
                .map_err(|error| IoError::new("start the thread that watches processes", None, error))?;
            state.has_thread = true;
        }
        if let Entry::Vacant(place) = state.watched.entry(address) {
            let data = epoll::EventData::new_u64(address as u64);
            epoll::add(&self.epoll, &watched.pidfd, data, epoll::EventFlags::IN)
                .map_err(|errno| IoError::new("watch a pidfd", None, errno))?;
            place.insert(Arc::clone(watched));
        }
        Ok(())
    }

    /// Watches it no longer, if it did.
    fn forget(&self, address: usize) -> Option<Arc<Watched>> {
        let mut state = self.lock();
        let watched = state.watched.remove(&address)?;
        // Before the lock is given back: another thread may be about to watch it anew. It fails if
        // the program has closed the descriptor behind our back. epoll has then forgotten it.
        let _is_closed = epoll::delete(&self.epoll, &watched.pidfd);
        drop(state);
        Some(watched)
    }

    fn run(&self) {
        let mut events = Vec::with_capacity(16);
        loop {
            events.clear();
            match epoll::wait(&self.epoll, spare_capacity(&mut events), None) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(errno) => panic!("the descriptors of this process were closed behind its back: {errno}"),
            }
            for event in &events {
                let address = event.data.u64() as usize;
                let watched = self.lock().watched.get(&address).map(Arc::clone);
                // At that address there may be another by now, whose process lives.
                if let Some(watched) = watched.filter(|watched| watched.has_exited()) {
                    watched.exited.raw.set();
                    self.forget(address);
                }
            }
            local::leave_orphans();
        }
    }
}
