//! Real processes: they are forked, watched, and ended in any case.

mod last_words;
mod load;

pub use load::OthersLoad;

use last_words::LastWords;
use libc::pid_t;
use std::any::Any;
use std::convert::Infallible;
use std::fmt::Display;
use std::fs::File;
use std::io;
use std::os::fd::{FromRawFd, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

/// A child ends by itself after so many seconds, so that nothing here waits forever.
const LONGEST_LIFE_SECONDS: u32 = 60;

/// A forked child. Dropping it kills the child and waits for its end.
#[derive(Debug)]
pub struct Child {
    id: pid_t,
    status: Option<i32>,
    last_words: LastWords,
}

/// Forks a child that does `work` and exits, with 0 or, if it panicked, with 101. In the child this
/// function never returns. The child runs no destructors of the parent, and dies with it.
///
/// # Errors
/// Those of fork(2). Also if this process has more than one thread: the child of such a process may
/// do hardly anything.
pub fn fork(work: impl FnOnce()) -> io::Result<Child> {
    try_fork(|| {
        work();
        Ok::<(), Infallible>(())
    })
}

/// As [`fork`], with work that can fail. [`Child::join`] then returns the error's text, as it does
/// with that of a panic.
///
/// # Errors
/// Those of [`fork`].
pub fn try_fork<E: Display>(work: impl FnOnce() -> Result<(), E>) -> io::Result<Child> {
    if std::fs::read_dir("/proc/self/task")?.count() != 1 {
        return Err(io::Error::other("only a process of one thread is forked here"));
    }
    let last_words = LastWords::none()?;
    // SAFETY: always succeeds.
    let parent = unsafe { libc::getpid() };
    // SAFETY: this process has one thread. So in the child no lock is held by a thread that does
    // not exist there.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => {
            // SAFETY: plain system calls on the calling process itself.
            let orphaned = unsafe {
                libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
                libc::alarm(LONGEST_LIFE_SECONDS);
                libc::getppid() != parent
            };
            last_words.be_own();
            // The closure is not used after a panic: the process ends.
            let failure = match catch_unwind(AssertUnwindSafe(work)) {
                _ if orphaned => Some("its parent has ended".to_owned()),
                Ok(Ok(())) => None,
                Ok(Err(error)) => Some(error.to_string()),
                Err(panic) => Some(panic_text(&*panic)),
            };
            if let Some(text) = &failure {
                fail(text);
            }
            // SAFETY: ends the process. Destructors and exit handlers, which are the parent's, do
            // not run.
            unsafe { libc::_exit(0) }
        }
        id => {
            last_words.keep_from_other_children();
            Ok(Child { id, status: None, last_words })
        }
    }
}

/// Ends the calling process, a forked child, with this error. Any thread may call it.
pub fn fail(text: &str) -> ! {
    LastWords::say(text);
    // SAFETY: as in `try_fork`.
    unsafe { libc::_exit(101) }
}

/// What a panic said.
#[must_use]
pub fn panic_text(panic: &(dyn Any + Send)) -> String {
    match (panic.downcast_ref::<String>(), panic.downcast_ref::<&str>()) {
        (Some(text), _) => text.clone(),
        (_, Some(text)) => (*text).to_owned(),
        _ => "a panic without a text".to_owned(),
    }
}

/// How many of these children have not ended. Does not wait.
///
/// # Errors
/// That of the first child that has failed, as [`Child::join`] has it.
pub fn count_running(children: &mut [Child]) -> io::Result<usize> {
    let mut running = 0;
    for child in children {
        match child.try_wait(libc::WNOHANG)? {
            Some(status) => child.judge(status)?,
            None => running += 1,
        }
    }
    Ok(running)
}

/// Waits until all these children have ended successfully. Does not wait for the others if one
/// fails.
///
/// # Errors
/// That of the first child that fails, as [`Child::join`] has it. If one has not ended by the
/// timeout.
pub fn join_all(children: &mut [Child], timeout: Duration) -> io::Result<()> {
    let begun = Instant::now();
    loop {
        match count_running(children)? {
            0 => return Ok(()),
            running if begun.elapsed() > timeout => {
                let all = children.len();
                let text = format!("after {} s, {running} of {all} processes had not ended", timeout.as_secs_f64());
                return Err(io::Error::new(io::ErrorKind::TimedOut, text));
            }
            _ => std::thread::sleep(Duration::from_micros(300)),
        }
    }
}

impl Child {
    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.id as u32 // positive
    }

    /// How long the child was on a processor, from /proc/PID/schedstat in nanoseconds.
    ///
    /// # Errors
    /// If /proc does not say, for example after the child was waited for.
    pub fn time_used(&self) -> io::Result<Duration> {
        let text = std::fs::read_to_string(format!("/proc/{}/schedstat", self.id))?;
        let first = text.split_whitespace().next().and_then(|nanoseconds| nanoseconds.parse().ok());
        first.map(Duration::from_nanos).ok_or_else(|| io::Error::other(format!("schedstat is {text:?}")))
    }

    /// Sends SIGKILL, and does not wait.
    pub fn kill(&self) {
        if self.status.is_none() {
            // SAFETY: a child of ours that was not waited for, so the id is its own.
            unsafe { libc::kill(self.id, libc::SIGKILL) };
        }
    }

    /// Waits until the child has ended, and returns its raw status.
    ///
    /// # Errors
    /// If it has not ended by the timeout. Those of waitpid(2).
    pub fn wait(&mut self, timeout: Duration) -> io::Result<i32> {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.try_wait(libc::WNOHANG)? {
                return Ok(status);
            }
            if begun.elapsed() > timeout {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "a child does not end"));
            }
            std::thread::sleep(Duration::from_micros(200));
        }
    }

    /// Waits until the child has ended successfully.
    ///
    /// # Errors
    /// Those of [`wait`](Self::wait). Also if it failed, panicked or was killed: then with what it
    /// said.
    pub fn join(&mut self, timeout: Duration) -> io::Result<()> {
        let status = self.wait(timeout)?;
        self.judge(status)
    }

    /// The error with which it ended with this status, if it did.
    fn judge(&self, status: i32) -> io::Result<()> {
        let text = match self.last_words.read() {
            _ if status == 0 => return Ok(()),
            Some(text) => text,
            None if libc::WIFSIGNALED(status) => format!("a child was ended by signal {}", libc::WTERMSIG(status)),
            None => format!("a child ended with status {status:#x}"),
        };
        Err(io::Error::other(text))
    }

    fn try_wait(&mut self, flags: i32) -> io::Result<Option<i32>> {
        if self.status.is_none() {
            let mut status = 0;
            // SAFETY: a child of ours that was not waited for; `status` is valid for the call.
            match unsafe { libc::waitpid(self.id, &mut status, flags) } {
                -1 => return Err(io::Error::last_os_error()),
                0 => {}
                _ => self.status = Some(status),
            }
        }
        Ok(self.status)
    }

    /// Whether the child is asleep in one of these system calls.
    ///
    /// # Errors
    /// If /proc does not say, for example after the child has ended.
    pub fn is_asleep_in(&self, calls: &[i64]) -> io::Result<bool> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.id))?;
        // "1234 (the name) S ...": the name may contain anything, the state follows its last
        // parenthesis.
        let state = stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().next());
        if matches!(state, Some("Z" | "X")) {
            return Err(io::Error::other("a child was to sleep, but has ended"));
        }
        let call = std::fs::read_to_string(format!("/proc/{}/syscall", self.id))?;
        let call = call.split_whitespace().next().and_then(|number| number.parse().ok());
        Ok(state == Some("S") && call.is_some_and(|call| calls.contains(&call)))
    }

    /// Waits until the child is asleep in one of these system calls, and still is after `settle`.
    ///
    /// # Errors
    /// If it is not asleep after five seconds. Those of [`is_asleep_in`](Self::is_asleep_in).
    pub fn wait_until_asleep_in(&self, calls: &[i64], settle: Duration) -> io::Result<()> {
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(5) {
            if self.is_asleep_in(calls)? {
                std::thread::sleep(settle);
                if self.is_asleep_in(calls)? {
                    return Ok(());
                }
            }
            std::thread::sleep(Duration::from_micros(100));
        }
        Err(io::Error::new(io::ErrorKind::TimedOut, "a child does not fall asleep"))
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.kill();
        // After SIGKILL it ends.
        let _status = self.try_wait(0);
    }
}

/// How long all these children together were on a processor.
///
/// # Errors
/// Those of [`Child::time_used`].
pub fn time_used(of: &[Child]) -> io::Result<Duration> {
    of.iter().map(Child::time_used).sum()
}

/// Fills in all pages of this process's mappings, as in a process that has run for a while. A
/// forked child begins without the pages of its code. Does nothing if `RLIMIT_MEMLOCK` is too
/// small.
pub fn map_all_code() {
    // SAFETY: nothing changes but the moment at which pages are mapped.
    unsafe {
        libc::mlockall(libc::MCL_CURRENT);
        libc::munlockall();
    }
}

/// A pipe: the end to read from, the end to write to.
///
/// # Errors
/// Those of pipe2(2).
pub fn pipe() -> io::Result<(File, File)> {
    let mut ends = [-1; 2];
    // SAFETY: room for two descriptors.
    if unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: two new descriptors, which belong to this call.
    let [read, write] = ends.map(|end| unsafe { OwnedFd::from_raw_fd(end) }.into());
    Ok((read, write))
}

/// Nanoseconds on `CLOCK_MONOTONIC`, which all processes share.
#[must_use]
pub fn monotonic_nanoseconds() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: a valid timespec; the clock always exists.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64 // neither is negative
}

/// Keeps the calling thread on its present processor. If the kernel refuses, nothing changes.
pub fn stay_on_this_processor() {
    // SAFETY: only returns a number.
    if let Ok(processor) = usize::try_from(unsafe { libc::sched_getcpu() }) {
        stay_on_processor(processor);
    }
}

/// Keeps the calling thread on this processor. If the kernel refuses, nothing changes.
pub fn stay_on_processor(processor: usize) {
    // SAFETY: the set is plain bits, and all zero is the empty set. 0 names the calling thread.
    unsafe {
        let mut set = std::mem::zeroed::<libc::cpu_set_t>();
        libc::CPU_SET(processor, &mut set);
        libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &set);
    }
}

/// Lets the calling thread run on all processors again. If the kernel refuses, nothing changes.
pub fn use_all_processors() {
    // SAFETY: the set is plain bits. 0 names the calling thread. The kernel takes those processors
    // of the set that there are.
    unsafe {
        let mut set = std::mem::zeroed::<libc::cpu_set_t>();
        (0..libc::CPU_SETSIZE as usize).for_each(|processor| libc::CPU_SET(processor, &mut set));
        libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &set);
    }
}
