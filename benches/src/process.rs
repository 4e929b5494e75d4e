//! Real processes: they are forked, watched, and ended in any case.

use libc::pid_t;
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
}

/// Forks a child that does `work` and exits, with 0 or, if it panicked, with 101. In the child this
/// function never returns. The child runs no destructors of the parent, and dies with it.
///
/// # Errors
/// Those of fork(2). Also if this process has more than one thread: the child of such a process may
/// do hardly anything.
pub fn fork(work: impl FnOnce()) -> io::Result<Child> {
    if std::fs::read_dir("/proc/self/task")?.count() != 1 {
        return Err(io::Error::other("only a process of one thread is forked here"));
    }
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
            // The closure is not used after a panic: the process ends.
            let failed = orphaned || catch_unwind(AssertUnwindSafe(work)).is_err();
            // SAFETY: ends the process. Destructors and exit handlers, which are the parent's, do
            // not run.
            unsafe { libc::_exit(if failed { 101 } else { 0 }) }
        }
        id => Ok(Child { id, status: None }),
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
    /// Those of [`wait`](Self::wait). Also if it panicked or was killed.
    pub fn join(&mut self, timeout: Duration) -> io::Result<()> {
        match self.wait(timeout)? {
            0 => Ok(()),
            status => Err(io::Error::other(format!("a child ended with status {status:#x}"))),
        }
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

/// How much of the machine other programs have used since some moment. Where processes compete, no
/// ratio cancels this disturbance: if another program takes one of two processors, two processes
/// hardly ever meet at a lock.
#[derive(Debug)]
pub struct OthersLoad {
    busy: f64,
    all: f64,
    own: f64,
}

impl OthersLoad {
    /// Begins now.
    ///
    /// # Errors
    /// If /proc/stat does not say.
    pub fn since_now() -> io::Result<Self> {
        let stat = std::fs::read_to_string("/proc/stat")?;
        let first = stat.lines().next().unwrap_or_default();
        // user, nice, system, idle, iowait, irq, softirq, steal, in ticks of all processors
        // together
        let ticks: Vec<f64> = first.split_whitespace().skip(1).take(8).filter_map(|n| n.parse().ok()).collect();
        let [user, nice, system, idle, io_wait, irq, soft_irq, steal] = ticks[..] else {
            return Err(io::Error::other("/proc/stat does not begin with eight numbers"));
        };
        let busy = user + nice + system + irq + soft_irq + steal;
        Ok(Self { busy, all: busy + idle + io_wait, own: own_ticks() })
    }

    /// The part of all processors' time that other programs have used since; 0 to 1.
    ///
    /// # Errors
    /// Those of [`since_now`](Self::since_now).
    pub fn part(&self) -> io::Result<f64> {
        let now = Self::since_now()?;
        let others = (now.busy - self.busy) - (now.own - self.own);
        Ok((others / (now.all - self.all)).clamp(0.0, 1.0))
    }

    /// Prints the [`part`](Self::part), below a table.
    ///
    /// # Errors
    /// Those of [`part`](Self::part).
    pub fn print(&self) -> io::Result<()> {
        println!("Meanwhile other programs used {:.0} % of the processors.", self.part()? * 100.0);
        Ok(())
    }
}

/// The processor time of this process, and of the children that it has waited for, in ticks.
fn own_ticks() -> f64 {
    let seconds = [libc::RUSAGE_SELF, libc::RUSAGE_CHILDREN].map(|who| {
        // SAFETY: rusage consists of numbers, for which zero is valid; the pointer is valid for the
        // call.
        let usage = unsafe {
            let mut usage = std::mem::zeroed::<libc::rusage>();
            libc::getrusage(who, &mut usage);
            usage
        };
        let of = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
        of(usage.ru_utime) + of(usage.ru_stime)
    });
    // SAFETY: only returns a number.
    let ticks_a_second = unsafe { libc::sysconf(libc::_SC_CLK_TCK) } as f64;
    seconds.iter().sum::<f64>() * ticks_a_second
}
