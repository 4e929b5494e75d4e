//! How long a turn takes when two processes wait for each other, and both sleep meanwhile.

use super::Effort;
use super::figures::{Case, Kind, Unit};
use super::rounds::{Contestant, play};
use crate::objects::{Datagrams, made};
use outlive::{ArrayQueue, Condvar, Event, Mutex, Segment, Semaphore, Shareable};
use outlive_benches::peers::{Cond, PosixQueue, Pthread, Robustness, Sem};
use outlive_benches::process::{self, stay_on_processor};
use std::error::Error;
use std::io::{Read, Write};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

const TURNS: u32 = 4_000;
const ROUNDS: usize = 16;

/// One of the two directions of something that two processes use.
trait Signal {
    /// Sends one signal.
    fn give(&self);
    /// Waits for one, and takes it.
    fn take(&self);
}

/// A turn to and fro over `signals`: nanoseconds for one of the two.
fn turns(signals: &[impl Signal; 2], turns: u32, pinned: bool) -> Result<f64, Box<dyn Error>> {
    let place = |me: usize| stay_on_processor(if pinned { 0 } else { me });
    let warm = turns / 4;
    let mut other = process::fork(|| {
        place(1);
        for _ in 0..turns + warm {
            signals[1].take();
            signals[0].give();
        }
    })?;
    place(0);
    let mut begun = Instant::now();
    for turn in 0..turns + warm {
        if turn == warm {
            begun = Instant::now();
        }
        signals[1].give();
        signals[0].take();
    }
    let elapsed = begun.elapsed();
    other.join(Duration::from_secs(20))?;
    Ok(elapsed.as_nanos() as f64 / f64::from(2 * turns))
}

/// Spins. The least that a message between two processors can cost.
#[derive(Debug, Shareable)]
#[repr(C, align(128))]
struct Line {
    word: AtomicU32,
}

impl Signal for Line {
    fn give(&self) {
        self.word.store(1, Ordering::Release);
    }
    fn take(&self) {
        while self.word.load(Ordering::Acquire) == 0 {
            std::hint::spin_loop();
        }
        self.word.store(0, Ordering::Relaxed);
    }
}

/// A bare futex: the least that a sleep and a wake can cost.
#[derive(Debug, Shareable)]
#[repr(C, align(128))]
struct Futex {
    word: AtomicU32,
}

impl Signal for Futex {
    fn give(&self) {
        self.word.store(1, Ordering::Release);
        // SAFETY: the call reads no memory.
        unsafe { libc::syscall(libc::SYS_futex, &self.word, libc::FUTEX_WAKE, 1) };
    }
    fn take(&self) {
        while self.word.swap(0, Ordering::Acquire) == 0 {
            let forever = std::ptr::null::<libc::timespec>();
            // SAFETY: the word lives as long as the call.
            unsafe { libc::syscall(libc::SYS_futex, &self.word, libc::FUTEX_WAIT, 0, forever) };
        }
    }
}

impl Signal for Event {
    fn give(&self) {
        self.set().expect("in a segment");
    }
    fn take(&self) {
        self.wait().expect("in a segment");
    }
}

impl Signal for Semaphore {
    fn give(&self) {
        self.release().expect("no maximum");
    }
    fn take(&self) {
        self.acquire().expect("in a segment");
    }
}

impl Signal for ArrayQueue<u64, 8> {
    fn give(&self) {
        self.send(7).expect("open");
    }
    fn take(&self) {
        self.recv().expect("open");
    }
}

#[derive(Debug, Shareable)]
#[repr(C, align(64))]
struct OursWithCondition {
    is_given: Mutex<u32>,
    changed: Condvar,
}

impl Signal for OursWithCondition {
    fn give(&self) {
        *self.is_given.lock().expect("nobody dies") = 1;
        self.changed.notify_one();
    }
    fn take(&self) {
        let guard = self.is_given.lock().expect("nobody dies");
        *self.changed.wait_while(guard, |is_given| *is_given == 0).expect("nobody dies") = 0;
    }
}

#[derive(Debug, Shareable)]
#[repr(C, align(64))]
struct TheirsWithCondition {
    mutex: Pthread,
    changed: Cond,
}

impl Signal for TheirsWithCondition {
    fn give(&self) {
        assert_eq!(self.mutex.lock(), 0);
        // SAFETY: this thread holds the mutex.
        unsafe {
            self.mutex.set_number(1);
            assert_eq!(self.mutex.unlock(), 0);
        }
        assert_eq!(self.changed.signal(), 0);
    }
    fn take(&self) {
        assert_eq!(self.mutex.lock(), 0);
        // SAFETY: this thread holds the mutex.
        unsafe {
            while self.mutex.number() == 0 {
                assert_eq!(self.changed.wait(&self.mutex), 0);
            }
            self.mutex.set_number(0);
            assert_eq!(self.mutex.unlock(), 0);
        }
    }
}

impl Signal for Sem {
    fn give(&self) {
        assert_eq!(self.post(), 0);
    }
    fn take(&self) {
        assert_eq!(self.wait(), 0);
    }
}

impl Signal for (std::fs::File, std::fs::File) {
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

impl Signal for PosixQueue {
    fn give(&self) {
        self.send(&[7; 8]).expect("open");
    }
    fn take(&self) {
        self.receive(&mut [0; 8]).expect("open");
    }
}

/// An eventfd.
struct EventFd(std::fs::File);

impl EventFd {
    fn new() -> std::io::Result<Self> {
        use std::os::fd::{FromRawFd, OwnedFd};
        // SAFETY: reads no memory.
        let descriptor = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC) };
        if descriptor == -1 {
            return Err(std::io::Error::last_os_error());
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

/// Measures.
///
/// # Errors
/// A segment or a peer cannot be made.
pub fn measure(effort: Effort, tell: &mut dyn FnMut(f64)) -> Result<Vec<Case>, Box<dyn Error>> {
    let count = if effort == Effort::Try { TURNS / 40 } else { TURNS };
    let lines = Segment::<[Line; 2]>::anonymous(|_zero| {})?;
    let futexes = Segment::<[Futex; 2]>::anonymous(|_zero| {})?;
    let events = Segment::<[Event; 2]>::anonymous(|new| *new = [(); 2].map(|()| Event::auto_reset()))?;
    let semaphores = Segment::<[Semaphore; 2]>::anonymous(|_zero| {})?;
    let queues = Segment::<[ArrayQueue<u64, 8>; 2]>::anonymous(|_empty| {})?;
    let ours = Segment::<[OursWithCondition; 2]>::anonymous(|_zero| {})?;
    let theirs = made::<[TheirsWithCondition; 2]>(|new| {
        new.iter_mut().try_for_each(|new| new.mutex.set_up(Robustness::Stalled).and_then(|()| new.changed.set_up()))
    })?;
    let sems = made::<[Sem; 2]>(|new| new.iter_mut().try_for_each(|new| new.set_up(0)))?;
    let pipes = [process::pipe()?, process::pipe()?];
    let sockets = [Datagrams::new()?, Datagrams::new()?];
    let eventfds = [EventFd::new()?, EventFd::new()?];
    let posix = PosixQueue::new(8, 8).and_then(|one| Ok([one, PosixQueue::new(8, 8)?]));
    let mut cases = vec![];
    for (pinned, place) in [(true, "one processor"), (false, "two processors")] {
        let mut case = Case::new("pingpong", format!("a turn to or fro, {place}"), Unit::Nanoseconds);
        let mut contestants = vec![
            Contestant::new("bare futex", Kind::Floor, || turns(&futexes, count, pinned)),
            Contestant::new("outlive Event", Kind::Ours, || turns(&events, count, pinned)),
            Contestant::new("outlive Semaphore", Kind::Ours, || turns(&semaphores, count, pinned)),
            Contestant::new("outlive Condvar", Kind::Ours, || turns(&ours, count, pinned)),
            Contestant::new("outlive Queue", Kind::Ours, || turns(&queues, count, pinned)),
            Contestant::new("pthread condition", Kind::Peer, || turns(&theirs, count, pinned)),
            Contestant::new("sem_t", Kind::Peer, || turns(&sems, count, pinned)),
            Contestant::new("Unix pipe", Kind::Peer, || turns(&pipes, count, pinned)),
            Contestant::new("Unix datagrams", Kind::Peer, || turns(&sockets, count, pinned)),
            Contestant::new("eventfd", Kind::Peer, || turns(&eventfds, count, pinned)),
        ];
        if !pinned {
            let run = || turns(&lines, count, pinned);
            contestants.push(Contestant::new("a cache line's bounce, both spin", Kind::Floor, run));
        }
        match &posix {
            Ok(posix) => {
                contestants.push(Contestant::new("POSIX message queue", Kind::Peer, || turns(posix, count, pinned)))
            }
            Err(error) => case.missing.push(("POSIX message queue".into(), error.to_string())),
        }
        play(&mut case, contestants, effort.of(ROUNDS), &mut |part| tell(part / 2.0));
        cases.push(case);
    }
    Ok(cases)
}
