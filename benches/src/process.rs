//! Real processes: forked, watched, and ended whatever happens.

use libc::pid_t;
use std::fs::File;
use std::io;
use std::os::fd::{FromRawFd, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

/// A child ends by itself after as many seconds, so that nothing here waits for ever.
const LONGEST_LIFE_SECONDS: u32 = 60;

/// A forked child. Killed and reaped when dropped.
#[derive(Debug)]
pub struct Child {
    id: pid_t,
    status: Option<i32>,
}

/// Forks a child that does `work` and exits: with 0, or with 101 if it panicked. It never comes
/// back from here, runs no destructors of the parent's, and dies with the parent.
///
/// # Errors
/// What fork answers; and if this process has more than one thread, since the child of such a
/// process may do hardly anything.
pub fn fork(work: impl FnOnce()) -> io::Result<Child> {
    if std::fs::read_dir("/proc/self/task")?.count() != 1 {
        return Err(io::Error::other("only a process of one thread is forked here"));
    }
    // SAFETY: always succeeds.
    let parent = unsafe { libc::getpid() };
    // SAFETY: this process has one thread, so the child finds no lock that is held by a thread it
    // does not have.
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
            // SAFETY: ends the process, without destructors and exit handlers, which are the
            // parent's.
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

    /// How long it was on a processor, as /proc/PID/schedstat says to the nanosecond.
    ///
    /// # Errors
    /// When /proc does not tell, as when it was reaped.
    pub fn time_used(&self) -> io::Result<Duration> {
        let text = std::fs::read_to_string(format!("/proc/{}/schedstat", self.id))?;
        let first = text.split_whitespace().next().and_then(|nanoseconds| nanoseconds.parse().ok());
        first.map(Duration::from_nanos).ok_or_else(|| io::Error::other(format!("schedstat is {text:?}")))
    }

    /// Sends SIGKILL, and does not wait.
    pub fn kill(&self) {
        if self.status.is_none() {
            // SAFETY: a child of ours that is not reaped, so the id is its own.
            unsafe { libc::kill(self.id, libc::SIGKILL) };
        }
    }

    /// Waits until it has ended, and gives the raw status.
    ///
    /// # Errors
    /// When it has not ended in that time; what the kernel answers.
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

    /// Waits until it has ended well.
    ///
    /// # Errors
    /// As [`wait`](Self::wait), and when it panicked or was killed.
    pub fn join(&mut self, timeout: Duration) -> io::Result<()> {
        match self.wait(timeout)? {
            0 => Ok(()),
            status => Err(io::Error::other(format!("a child ended with status {status:#x}"))),
        }
    }

    fn try_wait(&mut self, flags: i32) -> io::Result<Option<i32>> {
        if self.status.is_none() {
            let mut status = 0;
            // SAFETY: a child of ours that is not reaped; `status` is valid for the call.
            match unsafe { libc::waitpid(self.id, &mut status, flags) } {
                -1 => return Err(io::Error::last_os_error()),
                0 => {}
                _ => self.status = Some(status),
            }
        }
        Ok(self.status)
    }

    /// Whether it is asleep in one of these system calls.
    ///
    /// # Errors
    /// When /proc does not tell, as when it has ended.
    pub fn is_asleep_in(&self, calls: &[i64]) -> io::Result<bool> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.id))?;
        // "1234 (the name) S ...": the name may contain anything, the state follows its last
        // parenthesis.
        let state = stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().next());
        if matches!(state, Some("Z" | "X")) {
            return Err(io::Error::other("a child has ended that was to sleep"));
        }
        let call = std::fs::read_to_string(format!("/proc/{}/syscall", self.id))?;
        let call = call.split_whitespace().next().and_then(|number| number.parse().ok());
        Ok(state == Some("S") && call.is_some_and(|call| calls.contains(&call)))
    }

    /// Waits until it is asleep in one of these system calls, and still is after `settle`.
    ///
    /// # Errors
    /// When it is not asleep in five seconds; as [`is_asleep_in`](Self::is_asleep_in).
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

/// How long all of these were on a processor.
///
/// # Errors
/// Those of [`Child::time_used`].
pub fn time_used(of: &[Child]) -> io::Result<Duration> {
    of.iter().map(Child::time_used).sum()
}

/// Fills in all pages of what this process has mapped, as they are in a process that has run for a
/// while: a fork's child begins without those of its code. A wish, too: it needs a `RLIMIT_MEMLOCK`
/// of as much.
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
/// What the kernel answers.
pub fn pipe() -> io::Result<(File, File)> {
    let mut ends = [-1; 2];
    // SAFETY: room for two descriptors.
    if unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: two new descriptors, which nobody else has.
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

/// Keeps the calling thread on the processor that it runs on. A wish: where it is refused, nothing
/// changes.
pub fn stay_on_this_processor() {
    // SAFETY: asks for a number.
    if let Ok(processor) = usize::try_from(unsafe { libc::sched_getcpu() }) {
        stay_on_processor(processor);
    }
}

/// Keeps the calling thread on that processor. A wish, too.
pub fn stay_on_processor(processor: usize) {
    // SAFETY: the set is a plain bit set, of which zero is the empty one; 0 is the calling thread.
    unsafe {
        let mut set = std::mem::zeroed::<libc::cpu_set_t>();
        libc::CPU_SET(processor, &mut set);
        libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &set);
    }
}

/// How much of the machine others have used since. Where processes compete that is a disturbance no
/// ratio cancels: with one processor taken by somebody else, two processes hardly meet at a lock.
#[derive(Debug)]
pub struct OthersLoad {
    busy: f64,
    all: f64,
    own: f64,
}

impl OthersLoad {
    /// From now on.
    ///
    /// # Errors
    /// When /proc/stat does not tell.
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

    /// The part of all processors' time that others have used since; 0 to 1.
    ///
    /// # Errors
    /// As [`since_now`](Self::since_now).
    pub fn part(&self) -> io::Result<f64> {
        let now = Self::since_now()?;
        let others = (now.busy - self.busy) - (now.own - self.own);
        Ok((others / (now.all - self.all)).clamp(0.0, 1.0))
    }
}

/// The processor time of this process and of its children that were reaped, in ticks.
fn own_ticks() -> f64 {
    let seconds = [libc::RUSAGE_SELF, libc::RUSAGE_CHILDREN].map(|who| {
        // SAFETY: rusage is numbers, for which zero is valid; the pointer is good for the call.
        let usage = unsafe {
            let mut usage = std::mem::zeroed::<libc::rusage>();
            libc::getrusage(who, &mut usage);
            usage
        };
        let of = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
        of(usage.ru_utime) + of(usage.ru_stime)
    });
    // SAFETY: asks for a number.
    let ticks_a_second = unsafe { libc::sysconf(libc::_SC_CLK_TCK) } as f64;
    seconds.iter().sum::<f64>() * ticks_a_second
}
