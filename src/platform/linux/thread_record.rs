//! How the operating system knows a participant, and the slow check whether it still exists.
//!
//! The kernel's mark can be late, or never come: `process_mrelease` right after SIGKILL discards
//! the list's memory before the kernel has walked the list. So sleepers reap from time to time:
//! they ask the operating system. A wrong "gone" would break mutual exclusion. So a participant
//! that cannot be checked counts as alive: in another PID namespace, with a `/proc` of another
//! namespace, with `hidepid`.

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
    /// Inode of the PID namespace to which the ids belong. 0: unknown. Namespace inodes have 32
    /// bits.
    pid_namespace: AtomicU32,
    /// Inode of the time namespace to which the start time belongs. 0: unknown.
    time_namespace: AtomicU32,
    /// Start of the thread, in clock ticks since boot as in /proc. 0: unknown.
    start: AtomicU64,
    process_id: AtomicU32,
    /// See [`ThreadInfo::process`].
    process: AtomicU32,
    /// When the thread began to sleep, in milliseconds of the monotonic clock modulo 2^32. 0: it
    /// does not sleep. A sleep of more than 24 days is shown as one that has just begun.
    waits_since: AtomicU32,
    /// See [`ThreadInfo::waits_at`].
    waits_at: AtomicU32,
}
const _: () = assert!(size_of::<ThreadRecord>() == 32);

// ORDERING of all fields: Relaxed. The lifeline publishes them (Release when armed, Acquire when
// collected). A value that was read too early or too late is either checked again, or only shown to
// people.
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
    /// A record in which only the [`ThreadInfo::process`] number is known.
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

    /// Since when the thread sleeps, in milliseconds of the monotonic clock. `None`: it does not.
    pub(crate) fn waits_since(&self) -> Option<u64> {
        let since = Some(self.waits_since.load(FACT)).filter(|since| *since != 0)?;
        let now = super::futex::now().as_millis() as u64;
        // Negative if the sleep began after `now` was read.
        let lasts = ((now as u32).wrapping_sub(since) as i32).max(0);
        Some(now.saturating_sub(lasts as u64))
    }

    /// How long ago the thread began, to the hundredth of a second. `None` if that is not known: in
    /// another time namespace the clock differs. Valid only for a thread of this boot of the
    /// system.
    pub(crate) fn age(&self) -> Option<Duration> {
        let (start, time) = (self.start.load(FACT), self.time_namespace.load(FACT));
        if start == 0 || time != time_namespace() {
            return None;
        }
        // SAFETY: only returns a number.
        let ticks = u64::try_from(unsafe { libc::sysconf(libc::_SC_CLK_TCK) }).ok().filter(|ticks| *ticks != 0)?;
        let start = Duration::from_secs(start / ticks) + Duration::from_secs(start % ticks) / ticks as u32;
        Some(super::futex::now_since_boot().saturating_sub(start)) // the clock of /proc's start
    }

    /// Whether the ids belong to our PID namespace.
    fn can_be_judged(&self) -> bool {
        let namespace = self.pid_namespace.load(FACT);
        namespace != 0 && namespace == pid_namespace()
    }

    /// True only if the process is known to have ended. A process that has become another program
    /// by exec does not count as ended.
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
        // A main thread that ended before other threads is a zombie, too. Then `threads` counts the
        // others as well.
        if matches!(seen.state, b'Z' | b'X') && seen.threads <= 1 {
            return true;
        }
        // A thread is not older than its process. If the process began after the recorded thread,
        // it is a later one with the same id.
        let (start, time) = (self.start.load(FACT), self.time_namespace.load(FACT));
        start != 0 && time != 0 && time == time_namespace() && seen.start > start
    }

    /// Whether another thread of the process is killed, but has not left the kernel since.
    ///
    /// The kernel marks the lifelines of each thread when that thread ends. Another thread of the
    /// same process may be inside a long system call, such as a read of a file into memory that the
    /// dead thread held. SIGKILL takes effect only at the end of that call. While SIGKILL is
    /// pending for a thread, the thread may still write. A process that becomes another program
    /// (exec) first waits for its other threads.
    pub(super) fn is_ending(&self, thread: u32) -> bool {
        const KILLED: u64 = 1 << (libc::SIGKILL - 1);
        let process = self.process_id.load(FACT);
        // First the usual case: a killed process that has only this thread left. A directory has
        // two links, and this one has one more for each thread (`proc_task_getattr` in the kernel's
        // fs/proc/base.c). Reading the number of links takes 4 µs on a processor that was idle, if
        // /proc was read before, as each participant does when it registers. Reading a stat file
        // takes 20 µs.
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

    /// Looks up the path that [`is_ending`](Self::is_ending) will need. The kernel keeps it in its
    /// cache of directory entries, and then finds it in half the time.
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
        // The thread exists, or its id belongs to a new one. /proc can say which, if it is that of
        // our own PID namespace.
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

    /// Checks whether the thread on record lives: whether a thread with its id exists now, and
    /// began when the thread on record did.
    ///
    /// The record must have been written in the present boot of the system.
    pub(crate) fn observe(&self, thread: u32) -> Sight {
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
        // The namespace may be below ours (a container, seen from its host). Then its processes
        // have ids in our namespace, too.
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

/// What is known of a thread on record: the result of [`ThreadRecord::look`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sight {
    /// The thread lives, in the process that has this id in our PID namespace.
    Alive(u32),
    /// The thread does not exist.
    NotThere,
    /// It cannot be known from here whether the thread exists.
    Unseen,
}

/// The ids in a directory of /proc: of all processes, or of the threads of one process.
fn ids_in(directory: &Path) -> impl Iterator<Item = u32> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// The id of a thread in its own PID namespace: the last number of `NSpid` in a status file
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
    pub(crate) fn current() -> Self {
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

    /// The [`Tag`] of this thread. It goes into a claim of the thread, so that others know
    /// something of the claimer before its record is written.
    pub(crate) fn tag(&self) -> u32 {
        Tag::of(self.pid_namespace, self.time_namespace, self.start).0
    }

    /// Whether the claimer with this thread id and tag is known to be gone. Never true for a living
    /// one. See [`Newcomer::is_claimer_gone`](crate::raw::table::Newcomer).
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
        // A thread with this id exists. It is not the claimer if it started at another time.
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

/// What a claim says about the claimer beside its thread id, in 24 bits.
///
/// | bits  | meaning                                                                            |
/// |-------|------------------------------------------------------------------------------------|
/// | 0–19  | the PID namespace: its inode, counted from [`Tag::FIRST_INODE`]; 0: unknown        |
/// | 20–23 | the start of the thread in clock ticks, modulo 15, plus 1; 0: unknown              |
///
/// An inode out of range counts as unknown. No two existing PID namespaces have the same number,
/// and the start of a thread never changes. So two different known values prove that two threads
/// differ; an unknown value proves nothing. The start is known only in the first time namespace: in
/// others /proc shows another start.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Tag(u32);

impl Tag {
    const NAMESPACE: u32 = (1 << 20) - 1;
    /// Less than every inode of a namespace. The kernel's first namespaces have fixed inodes from
    /// 0xefff_fff8 on. Each other one gets the lowest that is free from 0xf000_0000 on
    /// (`PROC_DYNAMIC_FIRST`). So 20 bits suffice for about a million namespaces.
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
/// The inode of this process's time namespace. 0: the kernel has no time namespaces.
fn time_namespace() -> u32 {
    namespace("/proc/self/ns/time")
}

/// Whether /proc shows this process under its own id. If the old /proc is still mounted in a new
/// PID namespace, `/proc/2` is another process.
fn proc_is_ours() -> bool {
    fs::read_link("/proc/self").is_ok_and(|p| p.to_str() == Some(&std::process::id().to_string()))
}

/// Whether the kernel has no such thread in that process.
fn is_missing(process: u32, thread: u32) -> bool {
    // SAFETY: signal 0 only asks whether the thread exists.
    let answer = unsafe { libc::syscall(libc::SYS_tgkill, process, thread, 0) };
    answer != 0 && std::io::Error::last_os_error().raw_os_error() == Some(libc::ESRCH)
}

/// Whether no exec can be under way in a process, one of whose threads (not the main one) was found
/// missing just now.
///
/// During an exec by that thread it is missing, too: it has taken the main thread's id, and the
/// kernel has not yet walked its robust list. Until the kernel has, the thread is the only one of
/// its process, and no zombie.
fn is_past_exec(process: u32) -> bool {
    let is_past = |seen: Stat| seen.threads > 1 || matches!(seen.state, b'Z' | b'X');
    is_missing(process, process) || proc_is_ours() && stat(&format!("/proc/{process}/stat")).is_some_and(is_past)
}

struct Stat {
    state: u8,
    threads: u32,
    start: u64,
    /// The signals that are pending for this thread. Signal 1 is bit 0.
    pending: u64,
}

/// Fields 3, 20, 22 and 31 of a stat file (proc(5)). The name in field 2 may contain any character,
/// also `)`.
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

/// Whether this process has no thread with this id any more.
pub(crate) fn thread_has_ended(thread: u32) -> bool {
    is_missing(std::process::id(), thread)
}

#[cfg(test)]
mod tests;
