//! How long it takes from the SIGKILL of a holder until the next one runs.
//!
//! The waiters are a [crowd](super::crowd), which all contestants of a case share. In each round a
//! new process, the victim, takes the lock, the waiters fall asleep on it, and the victim is
//! killed. Then each waiter gets the lock in turn. A contestant whose next holder never comes is
//! missing, with that as the reason.

use super::Effort;
use super::crowd::{Control, Crowd, futex_wait, futex_wake};
use super::figures::{Case, Kind, Unit};
use super::rounds::{Contestant, play};
use crate::objects::made;
use outlive::{LockError, Mutex, PermitPool, RwLock, Segment, Shareable};
use outlive_benches::peers::{FlockFile, Guarded, Pthread, Robustness, Sem};
use outlive_benches::process::{self, Child, monotonic_nanoseconds};
use std::cell::RefCell;
use std::error::Error;
use std::fs::File;
use std::hint::black_box;
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

/// What has the name of the curve in common: how much memory the victim has.
const SMALL: (&str, usize) = ("holder killed", 0);
const LARGE: (&str, usize) = ("holder of 512 MiB killed", 512 << 20);

/// Something that one process has at a time, and that others wait for.
trait Scene {
    /// Waits until the calling process has it, calls `inside`, and gives it back.
    fn take(&self, inside: &dyn Fn());
    /// The same for the victim, which has it first, and is killed inside.
    fn hold(&self, inside: &dyn Fn()) {
        self.take(inside);
    }
}

impl<L: Guarded> Scene for L {
    fn take(&self, inside: &dyn Fn()) {
        self.with(|_number| inside());
    }
}

/// outlive's, in one segment.
#[derive(Debug, Shareable)]
#[repr(C)]
struct Ours {
    mutex: Mutex<u64>,
    read_write: RwLock<u64>,
    permits: PermitPool<1>,
}

struct Writing<'s>(&'s RwLock<u64>);

impl Scene for Writing<'_> {
    fn take(&self, inside: &dyn Fn()) {
        match self.0.write() {
            Ok(_guard) => inside(),
            Err(LockError::OwnerDied(left)) => {
                inside();
                left.into_inner().mark_consistent();
            }
            Err(error) => panic!("{error}"),
        }
    }
}

struct OnePermit<'s>(&'s PermitPool<1>);

impl Scene for OnePermit<'_> {
    fn take(&self, inside: &dyn Fn()) {
        let _permit = self.0.permit().expect("in a segment");
        inside();
    }
}

/// Each process opens the file for itself.
struct LockedFile<'s>(&'s FlockFile, &'s AtomicU64);

impl Scene for LockedFile<'_> {
    fn take(&self, inside: &dyn Fn()) {
        self.0.open(self.1).expect("a file can be opened").with(|_number| inside());
    }
}

/// As above, by fcntl(2).
struct RecordOfFile<'s>(&'s File);

impl Scene for RecordOfFile<'_> {
    fn take(&self, inside: &dyn Fn()) {
        let path = format!("/proc/self/fd/{}", self.0.as_raw_fd());
        let file = File::options().read(true).write(true).open(path).expect("a file can be opened");
        let set = |kind: libc::c_int| {
            // SAFETY: all bytes 0 are a valid flock; it lives for the call.
            let result = unsafe {
                let mut lock: libc::flock = std::mem::zeroed();
                lock.l_type = kind as libc::c_short;
                libc::fcntl(file.as_raw_fd(), libc::F_OFD_SETLKW, &raw mut lock)
            };
            assert_ne!(result, -1, "fcntl: {}", std::io::Error::last_os_error());
        };
        set(libc::F_WRLCK);
        inside();
        set(libc::F_UNLCK);
    }
}

struct Semaphore<'s>(&'s Sem);

impl Scene for Semaphore<'_> {
    fn take(&self, inside: &dyn Fn()) {
        assert_eq!(self.0.wait(), 0);
        inside();
        assert_eq!(self.0.post(), 0);
    }
}

/// No lock at all: programs that watch another process by themselves, as a supervisor does.
struct Watched<'s> {
    process: &'s AtomicU32,
}

impl Scene for Watched<'_> {
    fn take(&self, inside: &dyn Fn()) {
        let process = self.process.load(Ordering::Acquire);
        // SAFETY: names a process and no memory.
        let descriptor = unsafe { libc::syscall(libc::SYS_pidfd_open, process, 0) };
        let fd = i32::try_from(descriptor).expect("a descriptor");
        assert!(fd >= 0, "pidfd_open: {}", std::io::Error::last_os_error());
        let mut watched = libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
        // SAFETY: one valid entry; no deadline, no signal mask. The descriptor is this call's own.
        let ready = unsafe {
            let ready = libc::ppoll(&mut watched, 1, std::ptr::null(), std::ptr::null());
            libc::close(fd);
            ready
        };
        assert_eq!(ready, 1);
        inside();
    }
    fn hold(&self, inside: &dyn Fn()) {
        self.process.store(std::process::id(), Ordering::Release);
        inside();
    }
}

/// A word in the victim's robust list, and a futex: what the kernel does for each robust lock.
#[derive(Debug, Shareable)]
#[repr(C, align(64))]
struct Bare {
    word: AtomicU32,
}

/// As the kernel defines it.
#[repr(C)]
struct ListHead {
    next: *mut ListHead,
    offset: libc::c_long,
    pending: *mut ListHead,
}

impl Scene for Bare {
    fn take(&self, inside: &dyn Fn()) {
        loop {
            let word = self.word.fetch_or(libc::FUTEX_WAITERS, Ordering::AcqRel) | libc::FUTEX_WAITERS;
            if word & libc::FUTEX_OWNER_DIED != 0 {
                break;
            }
            futex_wait(&self.word, word, None);
        }
        inside();
        futex_wake(&self.word, 1);
    }
    /// Its list has one entry, whose word is beside it.
    fn hold(&self, inside: &dyn Fn()) {
        self.word.store(std::process::id(), Ordering::Release);
        let mut entry = ListHead { next: std::ptr::null_mut(), offset: 0, pending: std::ptr::null_mut() };
        let mut head = ListHead { next: &raw mut entry, offset: 0, pending: std::ptr::null_mut() };
        entry.next = &raw mut head;
        head.offset = self.word.as_ptr() as libc::c_long - (&raw const entry) as libc::c_long;
        // SAFETY: the list ends with its head. Both, and the word, live until this process ends.
        let result = unsafe { libc::syscall(libc::SYS_set_robust_list, &raw mut head, size_of::<ListHead>()) };
        assert_eq!(result, 0, "set_robust_list: {}", std::io::Error::last_os_error());
        inside();
    }
}

/// The waiters, and how often a waiter had to be waited for in vain.
struct Stage<'s> {
    scenes: &'s [(&'static str, Kind, &'s dyn Scene)],
    waiters: usize,
    bound: Duration,
    crowd: RefCell<Option<Crowd>>,
}

impl Stage<'_> {
    /// Nanoseconds from the kill to the next holder.
    fn kill(&self, which: usize, memory: usize) -> Result<f64, Box<dyn Error>> {
        let mut crowd = self.crowd.borrow_mut();
        let act = |which: u32, control: &Control| self.scenes[which as usize].2.take(&|| control.runs());
        // If this fails, its waiters may sleep forever. The next contestant gets others.
        let waiters = match crowd.take() {
            Some(waiters) => waiters,
            None => Crowd::of(self.waiters, &act)?,
        };
        let mut victim = start(self.scenes[which].2, memory)?;
        waiters.fall_asleep(which as u32)?;
        let killed_at = monotonic_nanoseconds();
        victim.kill();
        let moments = waiters.end(self.bound)?;
        victim.wait(Duration::from_secs(10))?;
        *crowd = Some(waiters);
        match moments.first.checked_sub(killed_at) {
            Some(nanoseconds) => Ok(nanoseconds as f64),
            None => Err("a waiter ran before the holder was killed".into()),
        }
    }
}

/// Forks a victim, and returns when it holds what it is killed with.
fn start(scene: &dyn Scene, memory: usize) -> Result<Child, Box<dyn Error>> {
    let (mut reader, writer) = process::pipe()?;
    let victim = process::fork(|| {
        let mut bytes = Vec::<u8>::with_capacity(memory);
        bytes.resize(memory, 7);
        black_box(&bytes);
        scene.hold(&|| {
            (&writer).write_all(b"!").expect("the parent reads");
            loop {
                // SAFETY: only sleeps. `fork` limits how long a child lives.
                unsafe { libc::pause() };
            }
        });
    })?;
    drop(writer); // so that the read ends if the victim does
    reader.read_exact(&mut [0])?;
    Ok(victim)
}

/// Measures.
///
/// # Errors
/// A segment or a peer cannot be made.
pub fn measure(effort: Effort, tell: &mut dyn FnMut(f64)) -> Result<Vec<Case>, Box<dyn Error>> {
    // How many waiters, how many rounds, and what part of the time that takes.
    let plan: &[(_, &[_], _)] = match effort {
        Effort::Whole => &[(SMALL, &[1, 64, 250], 16), (LARGE, &[1, 64, 250], 3)],
        Effort::Quick => &[(SMALL, &[1, 64], 4), (LARGE, &[1], 2)],
        Effort::Try => &[(SMALL, &[1, 4], 1)],
    };
    let parts = plan.iter().map(|(_, waiters, _)| waiters.len()).sum::<usize>() as f64;
    let mut cases = vec![];
    for ((curve, memory), waiters, rounds) in plan {
        for &waiters in *waiters {
            let mut case = Case::on_curve("deaths", *curve, Unit::Nanoseconds, waiters, "waiters");
            // What hangs is shown once.
            let with_those_that_hang = cases.is_empty();
            of_case(&mut case, *memory, *rounds, with_those_that_hang, effort, &mut |part| tell(part / parts))?;
            cases.push(case);
        }
    }
    Ok(cases)
}

fn of_case(
    case: &mut Case,
    memory: usize,
    rounds: usize,
    with_those_that_hang: bool,
    effort: Effort,
    tell: &mut dyn FnMut(f64),
) -> Result<(), Box<dyn Error>> {
    let waiters = case.at.as_ref().map_or(1, |at| at.count as usize);
    let ours = Segment::<Ours>::options().participants(waiters + 64).anonymous(|_free, _| {})?;
    let (read_write, permit) = (Writing(&ours.read_write), OnePermit(&ours.permits));
    let robust = made::<Pthread>(|new| new.set_up(Robustness::Robust))?;
    let plain = made::<Pthread>(|new| new.set_up(Robustness::Stalled))?;
    let sem = made::<Sem>(|new| new.set_up(1))?;
    let sem = Semaphore(&sem);
    let number = Segment::<AtomicU64>::anonymous(|_zero| {})?;
    let (file, record) = (FlockFile::new()?, tempfile::tempfile()?);
    let (flock, record) = (LockedFile(&file, &number), RecordOfFile(&record));
    let victim = Segment::<AtomicU32>::anonymous(|_zero| {})?;
    let watched = Watched { process: &victim };
    let bare = Segment::<Bare>::anonymous(|_zero| {})?;
    let mut scenes: Vec<(&'static str, Kind, &dyn Scene)> = vec![
        ("bare futex in the robust list", Kind::Floor, &*bare),
        ("outlive Mutex", Kind::Ours, &ours.mutex),
        ("outlive RwLock, writer", Kind::Ours, &read_write),
        ("outlive PermitPool", Kind::Ours, &permit),
        ("pthread mutex, robust", Kind::Peer, &*robust),
        ("flock", Kind::Peer, &flock),
        ("fcntl, open file description", Kind::Peer, &record),
        ("pidfd, poll", Kind::Peer, &watched),
    ];
    if with_those_that_hang {
        scenes.extend([("pthread mutex", Kind::Peer, &*plain as &dyn Scene), ("sem_t", Kind::Peer, &sem)]);
        for threads in ["std Mutex", "parking_lot Mutex"] {
            let why = "for threads of one process, which all die with the holder";
            case.missing.push((threads.into(), why.into()));
        }
    }
    let bound = if effort == Effort::Whole { Duration::from_secs(2) } else { Duration::from_millis(800) };
    let stage = Stage { scenes: &scenes, waiters, bound, crowd: RefCell::new(None) };
    let contestants = scenes.iter().enumerate().map(|(which, (name, kind, _))| {
        let stage = &stage;
        Contestant::new(*name, *kind, move || stage.kill(which, memory))
    });
    play(case, contestants.collect(), rounds, tell);
    Ok(())
}
