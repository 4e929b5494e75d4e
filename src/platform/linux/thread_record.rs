//! Who a participant is to the operating system, and the slow check of whether it is still there.
//!
//! The kernel's mark can be late or never come: `process_mrelease` right after SIGKILL throws the
//! list's memory away before it is walked. So whoever sleeps looks slowly at times. A false "gone"
//! would break mutual exclusion, so what cannot be looked at is there: another PID namespace, a
//! `/proc` that is not ours, `hidepid`.

use super::super::ThreadInfo;
use core::mem::size_of;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

/// Facts about a participant's thread, in its slot of the segment.
#[derive(Debug)]
#[repr(C)]
pub struct ThreadRecord {
    /// Inode of the PID namespace in which the ids count; 0 unknown. Namespace inodes have 32 bits.
    pid_namespace: AtomicU32,
    /// Inode of the time namespace in which the start time counts; 0 unknown.
    time_namespace: AtomicU32,
    /// Start of the thread, clock ticks since boot as in /proc; 0 unknown.
    start: AtomicU64,
    process_id: AtomicU32,
    /// See [`ThreadInfo::process`].
    process: AtomicU32,
    /// When it began to sleep, milliseconds of the monotonic clock modulo 2^32; 0: it does not. A
    /// sleep of more than 24 days is told as one that has just begun.
    waits_since: AtomicU32,
    /// See [`ThreadInfo::waits_at`].
    waits_at: AtomicU32,
}
const _: () = assert!(size_of::<ThreadRecord>() == 32);

// ORDERING of all fields: Relaxed; they are published by the lifeline (Release when armed, Acquire
// when collected), and what is read too early or too late is judged again or only shown to people.
const FACT: Ordering = Ordering::Relaxed;

impl ThreadInfo for ThreadRecord {
    fn process(&self) -> u32 {
        self.process.load(FACT)
    }
    fn note_waiting<W>(&self, word: Option<&W>) {
        let since = word.map_or(0, |_| (super::futex::now().as_millis() as u32).max(1));
        self.waits_since.store(since, FACT);
    }
    fn is_waiting(&self) -> bool {
        self.waits_since.load(FACT) != 0
    }
    fn waits_at(&self) -> u32 {
        self.waits_at.load(FACT)
    }
    fn set_waits_at(&self, number: u32) {
        self.waits_at.store(number, FACT);
    }
}

impl ThreadRecord {
    /// Nothing is known but the [`ThreadInfo::process`] number.
    #[cfg(test)]
    pub(crate) fn from_process(process: u32) -> Self {
        let zero = || AtomicU32::new(0);
        Self {
            pid_namespace: zero(),
            time_namespace: zero(),
            start: AtomicU64::new(0),
            process_id: zero(),
            process: AtomicU32::new(process),
            waits_since: zero(),
            waits_at: zero(),
        }
    }

    /// Writes what is known of the owner. `process` is the [`ThreadInfo::process`] number.
    pub(crate) fn set(&self, me: &Myself, process: u32) {
        self.pid_namespace.store(me.pid_namespace, FACT);
        self.time_namespace.store(me.time_namespace, FACT);
        self.start.store(me.start, FACT);
        self.process_id.store(me.process_id, FACT);
        self.process.store(process, FACT);
        self.waits_since.store(0, FACT);
        self.waits_at.store(0, FACT);
    }

    /// The process id in its own PID namespace.
    pub(crate) fn process_id(&self) -> u32 {
        self.process_id.load(FACT)
    }

    /// Since when (milliseconds of the monotonic clock) it sleeps, if it does.
    pub(crate) fn waits_since(&self) -> Option<u64> {
        let since = Some(self.waits_since.load(FACT)).filter(|since| *since != 0)?;
        let now = super::futex::now().as_millis() as u64;
        // Before 0 is a beginning that is newer than `now`.
        let lasts = ((now as u32).wrapping_sub(since) as i32).max(0);
        Some(now.saturating_sub(lasts as u64))
    }

    /// How long ago the thread began, if that can be told: it began in this boot of the system, and
    /// its clock is ours. To the hundredth of a second.
    pub(crate) fn age(&self) -> Option<Duration> {
        let (start, time) = (self.start.load(FACT), self.time_namespace.load(FACT));
        if start == 0 || time != time_namespace() {
            return None;
        }
        // SAFETY: it asks for a number.
        let ticks = u64::try_from(unsafe { libc::sysconf(libc::_SC_CLK_TCK) }).ok().filter(|ticks| *ticks != 0)?;
        let start = Duration::from_secs(start / ticks) + Duration::from_secs(start % ticks) / ticks as u32;
        Some(super::futex::now_since_boot().saturating_sub(start)) // the clock that /proc tells the start by
    }

    /// Whether the ids count here.
    fn can_be_judged(&self) -> bool {
        let namespace = self.pid_namespace.load(FACT);
        namespace != 0 && namespace == pid_namespace()
    }

    /// True only if the process is known to have ended. A process that has become another program
    /// by exec is not known to have.
    pub(super) fn is_process_gone(&self) -> bool {
        let process = self.process_id.load(FACT);
        if !self.can_be_judged() || process == 0 {
            return false;
        }
        if is_missing(process, process) {
            return true;
        }
        if !proc_is_ours() {
            return false;
        }
        let Some(seen) = stat(&format!("/proc/{process}/stat")) else {
            return false;
        };
        // A main thread that ended before others is a zombie, too, and they are counted beside it.
        if matches!(seen.state, b'Z' | b'X') && seen.threads <= 1 {
            return true;
        }
        // A thread is not older than its process: this is a later process of that number.
        let (start, time) = (self.start.load(FACT), self.time_namespace.load(FACT));
        start != 0 && time != 0 && time == time_namespace() && seen.start > start
    }

    /// Whether another thread of the process is killed, and has not come out of the kernel since.
    ///
    /// The kernel cuts the lifelines of each thread when that thread ends. Another thread of the
    /// same process may be in the middle of a long system call, such as a read of a file into what
    /// the dead one held, and SIGKILL waits for its end. As long as SIGKILL is pending for a
    /// thread, it may still write. What becomes another program (exec) waits for its threads before
    /// that.
    pub(super) fn is_ending(&self, thread: u32) -> bool {
        const KILLED: u64 = 1 << (libc::SIGKILL - 1);
        let process = self.process_id.load(FACT);
        // First what is nearly always the answer: of a killed process with one thread, that thread
        // is left. A directory has two links, and this one has one more for each thread
        // (`proc_task_getattr` in the kernel's fs/proc/base.c). Asking for that takes 4 µs on a
        // processor that was idle, where /proc was looked at before, as each participant does when
        // it registers. A stat file takes 20.
        let tasks = format!("/proc/{process}/task");
        let Ok(seen) = fs::metadata(&tasks) else {
            return false;
        };
        if seen.nlink() == 3 && process == thread || !self.can_be_judged() || !proc_is_ours() {
            return false;
        }
        let Ok(tasks) = fs::read_dir(tasks) else {
            return false;
        };
        tasks.flatten().any(|task| {
            let is_another = task.file_name().to_str().is_some_and(|id| id != thread.to_string());
            let stat = || stat(task.path().join("stat").to_str()?);
            is_another && stat().is_some_and(|seen| seen.pending & KILLED != 0)
        })
    }

    /// Looks up what [`is_ending`](Self::is_ending) will ask: the kernel keeps the way there in
    /// its cache of directory entries, and finds it in half the time.
    pub(super) fn prepare_for_end(&self) {
        let process = self.process_id.load(FACT);
        let _links = fs::metadata(format!("/proc/{process}/task"));
    }

    /// True only if the thread is known to have ended.
    pub(super) fn is_gone(&self, thread: u32) -> bool {
        if thread == 0 || !self.can_be_judged() {
            return false;
        }
        let process = self.process_id.load(FACT);
        if is_missing(process, thread) {
            return process == thread || is_past_exec(process);
        }
        // It exists, or its id was given away. /proc tells more, if it is the /proc of our own PID
        // namespace.
        if !proc_is_ours() {
            return false;
        }
        let Some(seen) = stat(&format!("/proc/{process}/task/{thread}/stat")) else {
            return false;
        };
        if matches!(seen.state, b'Z' | b'X') {
            return true;
        }
        let (start, time) = (self.start.load(FACT), self.time_namespace.load(FACT));
        start != 0 && time != 0 && time == time_namespace() && seen.start != start
    }

    /// Looks whether the thread lives: it is there now, and it began when the thread on record did.
    ///
    /// The facts must have been written in the present boot of the system.
    pub(crate) fn look(&self, thread: u32) -> Sight {
        let (namespace, process) = (self.pid_namespace.load(FACT), self.process_id.load(FACT));
        let (start, time) = (self.start.load(FACT), self.time_namespace.load(FACT));
        if namespace == 0 || start == 0 || time != time_namespace() || !proc_is_ours() {
            return Sight::Unseen;
        }
        let lives = |process: u32, thread: u32| {
            stat(&format!("/proc/{process}/task/{thread}/stat"))
                .is_some_and(|seen| seen.start == start && !matches!(seen.state, b'Z' | b'X'))
        };
        if namespace == pid_namespace() {
            return if lives(process, thread) { Sight::Alive(process) } else { Sight::NotThere };
        }
        // A PID namespace below ours (a container, seen from its host): its processes have ids of
        // ours as well.
        ids_in(Path::new("/proc"))
            .filter(|seen| self::namespace(&format!("/proc/{seen}/ns/pid")) == namespace)
            .filter(|seen| innermost_id(&format!("/proc/{seen}/status")) == Some(process))
            .find(|seen| {
                let tasks = format!("/proc/{seen}/task");
                ids_in(Path::new(&tasks))
                    .any(|task| innermost_id(&format!("{tasks}/{task}/status")) == Some(thread) && lives(*seen, task))
            })
            .map_or(Sight::Unseen, Sight::Alive)
    }
}

/// What is seen of a thread on record: [`ThreadRecord::look`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sight {
    /// It lives, in the process that has this id for us.
    Alive(u32),
    /// It is not there, where it should be.
    NotThere,
    /// We cannot look where it should be.
    Unseen,
}

/// The numbers in a directory of /proc: processes, or the threads of one.
fn ids_in(directory: &Path) -> impl Iterator<Item = u32> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// The id that a thread has in its own PID namespace: the last number of `NSpid` in a status file
/// (proc(5)).
fn innermost_id(path: &str) -> Option<u32> {
    let text = fs::read_to_string(path).ok()?;
    let ids = text.lines().find_map(|line| line.strip_prefix("NSpid:"))?;
    ids.split_whitespace().next_back()?.parse().ok()
}

/// The calling thread's id.
pub(crate) fn thread_id() -> u32 {
    // SAFETY: gettid has no preconditions and cannot fail.
    unsafe { libc::gettid() as u32 }
}

/// The calling thread, as its [`ThreadRecord`] will say.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Myself {
    pub(crate) process_id: u32,
    pub(crate) thread_id: u32,
    pid_namespace: u32,
    time_namespace: u32,
    start: u64,
}

impl Myself {
    pub(crate) fn look() -> Self {
        Self {
            process_id: std::process::id(),
            thread_id: thread_id(),
            pid_namespace: pid_namespace(),
            time_namespace: time_namespace(),
            start: stat("/proc/thread-self/stat").map_or(0, |s| s.start),
        }
    }

    pub(crate) fn is_main_thread(&self) -> bool {
        self.process_id == self.thread_id
    }

    /// What is known of a claimer that has not described itself yet.
    pub(crate) fn tag(&self) -> u32 {
        Tag::of(self.pid_namespace, self.time_namespace, self.start).0
    }

    /// Whether a claimer is known to be gone; never true for one that is alive. See
    /// [`Newcomer::is_claimer_gone`](crate::raw::table::Newcomer).
    pub(crate) fn knows_gone(&self, thread: u32, tag: u32) -> bool {
        let (theirs, ours) = (Tag(tag), Tag(self.tag()));
        if theirs.namespace() == 0 || theirs.namespace() != ours.namespace() {
            return false;
        }
        // SAFETY: signal 0 only asks whether the thread exists.
        let answer = unsafe { libc::syscall(libc::SYS_tkill, thread, 0) };
        if answer != 0 {
            return std::io::Error::last_os_error().raw_os_error() == Some(libc::ESRCH);
        }
        // There is a thread of that id. It is another one if it started at another time.
        if !proc_is_ours() {
            return false;
        }
        let seen = stat(&format!("/proc/{thread}/task/{thread}/stat"));
        seen.is_some_and(|seen| {
            let its = Tag::of(self.pid_namespace, self.time_namespace, seen.start);
            let is_another = its.start() != theirs.start() && its.start() != 0 && theirs.start() != 0;
            is_another || matches!(seen.state, b'Z' | b'X')
        })
    }
}

/// What a claim says of a claimer beside its thread id, in 24 bits.
///
/// | bits | meaning                                                                                                  |
/// |------|----------------------------------------------------------------------------------------------------------|
/// | 0–19 | the PID namespace: its inode's number, counted from [`Tag::FIRST_INODE`]; 0: unknown, or out of range   |
/// | 20–23 | the start of the thread in clock ticks, modulo 15, and 1; 0: unknown                                    |
///
/// It is exact: no two PID namespaces that exist have one number, and a thread keeps its start.
/// What is not known is no proof of anything. The start is known only in the first time namespace:
/// in others /proc tells another one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Tag(u32);

impl Tag {
    const NAMESPACE: u32 = (1 << 20) - 1;
    /// Below the numbers that the kernel gives to namespaces: its first ones have fixed numbers
    /// from 0xefff_fff8 on, and the others are the lowest that are free from 0xf000_0000 on
    /// (`PROC_DYNAMIC_FIRST`). So 20 bits do, unless there are a million.
    const FIRST_INODE: u32 = 0xefff_fff0;
    /// Inode of the first time namespace (`PROC_TIME_INIT_INO`).
    const FIRST_TIME_NAMESPACE: u32 = 0xefff_fffa;

    fn of(pid_namespace: u32, time_namespace: u32, start: u64) -> Self {
        let namespace = pid_namespace.checked_sub(Self::FIRST_INODE).filter(|number| *number <= Self::NAMESPACE);
        let is_known = start != 0 && matches!(time_namespace, 0 | Self::FIRST_TIME_NAMESPACE);
        let start = if is_known { start % 15 + 1 } else { 0 };
        Self((start as u32) << 20 | namespace.unwrap_or(0))
    }
    fn namespace(self) -> u32 {
        self.0 & Self::NAMESPACE
    }
    fn start(self) -> u32 {
        self.0 >> 20 & 0xf
    }
}

fn namespace(path: &str) -> u32 {
    fs::metadata(path).map_or(0, |m| m.ino() as u32)
}
fn pid_namespace() -> u32 {
    namespace("/proc/self/ns/pid")
}
/// The inode of this process's time namespace, 0 where the kernel has none.
fn time_namespace() -> u32 {
    namespace("/proc/self/ns/time")
}

/// Whether /proc shows this process under the id that it knows itself by. In a new PID namespace
/// with the old /proc mounted, `/proc/2` is somebody else.
fn proc_is_ours() -> bool {
    fs::read_link("/proc/self").is_ok_and(|p| p.to_str() == Some(&std::process::id().to_string()))
}

/// Whether the kernel has no such thread in that process.
fn is_missing(process: u32, thread: u32) -> bool {
    // SAFETY: signal 0 only asks whether the thread exists.
    let answer = unsafe { libc::syscall(libc::SYS_tgkill, process, thread, 0) };
    answer != 0 && std::io::Error::last_os_error().raw_os_error() == Some(libc::ESRCH)
}

/// Whether no exec can be under way in a process of which another thread than the main one was
/// found missing just now.
///
/// An exec by that thread looks the same for a moment: the thread has taken the main thread's id,
/// and the kernel has its robust list still to walk. Until that is done it is its process's only
/// thread, and no zombie.
fn is_past_exec(process: u32) -> bool {
    let is_past = |seen: Stat| seen.threads > 1 || matches!(seen.state, b'Z' | b'X');
    is_missing(process, process) || proc_is_ours() && stat(&format!("/proc/{process}/stat")).is_some_and(is_past)
}

struct Stat {
    state: u8,
    threads: u32,
    start: u64,
    /// The signals that are pending for the thread alone, the first in bit 0.
    pending: u64,
}

/// Fields 3, 20, 22 and 31 of a stat file (proc(5)). The name in field 2 may contain anything, `)`
/// included.
fn stat(path: &str) -> Option<Stat> {
    let text = fs::read(path).ok()?;
    let after_name = &text[text.iter().rposition(|b| *b == b')')? + 1..];
    let mut fields = after_name.split(|b| *b == b' ').filter(|f| !f.is_empty());
    let state = *fields.next()?.first()?;
    let threads = core::str::from_utf8(fields.nth(16)?).ok()?.parse().ok()?;
    let start = core::str::from_utf8(fields.nth(1)?).ok()?.parse().ok()?;
    let pending = core::str::from_utf8(fields.nth(8)?).ok()?.parse().ok()?;
    Some(Stat { state, threads, start, pending })
}

/// Whether this process has no thread of that id any more.
pub(crate) fn thread_has_ended(thread: u32) -> bool {
    is_missing(std::process::id(), thread)
}

#[cfg(test)]
mod tests;
