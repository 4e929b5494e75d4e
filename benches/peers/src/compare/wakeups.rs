//! What it takes to wake many at once: until all of them run, and for the waker itself.

use super::Effort;
use super::crowd::{Control, Crowd, futex_wait, futex_wake};
use super::figures::{Case, Kind, Unit};
use super::rounds::{Contestant, play_several};
use crate::objects::made;
use outlive::{Barrier, Condvar, Event, Mutex, Segment, Semaphore, Shareable};
use outlive_benches::peers::{Cond, Pthread, PthreadBarrier, Robustness, Sem};
use outlive_benches::process::{self, monotonic_nanoseconds};
use std::cell::RefCell;
use std::error::Error;
use std::fs::File;
use std::io::{Read, Write};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

const BOUND: Duration = Duration::from_secs(10);

/// Something on which many wait, until one wakes all of them.
trait Gate {
    /// Waits until the gate opens in this round. Rounds are numbered from 1.
    fn pass(&self, round: u32);
    /// Opens it, for so many waiters.
    fn open(&self, round: u32, waiters: usize);
    /// Makes it ready for the next round. Nobody waits.
    fn close(&self) {}
}

/// A bare futex. The least that it can cost.
#[derive(Debug, Shareable)]
#[repr(C, align(64))]
struct Bare {
    round: AtomicU32,
}

impl Gate for Bare {
    fn pass(&self, round: u32) {
        loop {
            match self.round.load(Ordering::Acquire) {
                open if open == round => return,
                closed => futex_wait(&self.round, closed, None),
            }
        }
    }
    fn open(&self, round: u32, _waiters: usize) {
        self.round.store(round, Ordering::Release);
        futex_wake(&self.round, i32::MAX);
    }
    fn close(&self) {
        self.round.store(0, Ordering::Release);
    }
}

/// outlive's, in one segment.
#[derive(Debug, Shareable)]
#[repr(C)]
struct Ours {
    event: Event,
    semaphore: Semaphore,
    round: Mutex<u32>,
    changed: Condvar,
    barrier: Barrier<1024>,
}

impl Gate for Event {
    fn pass(&self, _round: u32) {
        self.wait().expect("in a segment");
    }
    fn open(&self, _round: u32, _waiters: usize) {
        self.set().expect("in a segment");
    }
    fn close(&self) {
        self.clear();
    }
}

impl Gate for Semaphore {
    fn pass(&self, _round: u32) {
        self.acquire().expect("in a segment");
    }
    fn open(&self, _round: u32, waiters: usize) {
        self.release_many(waiters as u32).expect("no maximum");
    }
}

struct Condition<'s>(&'s Ours);

impl Gate for Condition<'_> {
    fn pass(&self, round: u32) {
        let open = self.0.round.lock().expect("nobody dies");
        drop(self.0.changed.wait_while(open, |open| *open != round).expect("nobody dies"));
    }
    fn open(&self, round: u32, _waiters: usize) {
        *self.0.round.lock().expect("nobody dies") = round;
        self.0.changed.notify_all();
    }
    fn close(&self) {
        *self.0.round.lock().expect("nobody dies") = 0;
    }
}

impl<const N: usize> Gate for Barrier<N> {
    fn pass(&self, _round: u32) {
        self.wait().expect("nobody dies");
    }
    /// The waker is the last party.
    fn open(&self, _round: u32, _waiters: usize) {
        self.wait().expect("nobody dies");
    }
}

#[derive(Debug, Shareable)]
#[repr(C, align(64))]
struct TheirCondition {
    mutex: Pthread,
    changed: Cond,
}

impl TheirCondition {
    fn set_round(&self, round: u32) {
        assert_eq!(self.mutex.lock(), 0);
        // SAFETY: this thread holds the mutex, and has no reference to the number.
        unsafe {
            self.mutex.set_number(u64::from(round));
            assert_eq!(self.mutex.unlock(), 0);
        }
    }
}

impl Gate for TheirCondition {
    fn pass(&self, round: u32) {
        assert_eq!(self.mutex.lock(), 0);
        // SAFETY: this thread holds the mutex, and has no reference to the number.
        unsafe {
            while self.mutex.number() != u64::from(round) {
                assert_eq!(self.changed.wait(&self.mutex), 0);
            }
            assert_eq!(self.mutex.unlock(), 0);
        }
    }
    fn open(&self, round: u32, _waiters: usize) {
        self.set_round(round);
        assert_eq!(self.changed.broadcast(), 0);
    }
    fn close(&self) {
        self.set_round(0);
    }
}

impl Gate for PthreadBarrier {
    fn pass(&self, _round: u32) {
        assert!(self.wait());
    }
    fn open(&self, _round: u32, _waiters: usize) {
        assert!(self.wait());
    }
}

impl Gate for Sem {
    fn pass(&self, _round: u32) {
        assert_eq!(self.wait(), 0);
    }
    fn open(&self, _round: u32, waiters: usize) {
        (0..waiters).for_each(|_| assert_eq!(self.post(), 0));
    }
}

/// A pipe: each waiter reads one byte.
struct Bytes(File, File);

impl Gate for Bytes {
    fn pass(&self, _round: u32) {
        (&self.0).read_exact(&mut [0]).expect("open");
    }
    fn open(&self, _round: u32, waiters: usize) {
        (&self.1).write_all(&vec![7; waiters]).expect("open");
    }
}

/// An eventfd that is a semaphore: each waiter takes one.
struct Count(File);

impl Count {
    fn new() -> std::io::Result<Self> {
        use std::os::fd::{FromRawFd, OwnedFd};
        // SAFETY: reads no memory.
        let descriptor = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_SEMAPHORE) };
        if descriptor == -1 {
            return Err(std::io::Error::last_os_error());
        }
        // SAFETY: it was opened just now, for this value alone.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(descriptor) }.into()))
    }
}

impl Gate for Count {
    fn pass(&self, _round: u32) {
        (&self.0).read_exact(&mut [0; 8]).expect("open");
    }
    fn open(&self, _round: u32, waiters: usize) {
        (&self.0).write_all(&(waiters as u64).to_ne_bytes()).expect("open");
    }
}

/// Nanoseconds from the call until all waiters have run, and of the call itself.
fn wake(which: usize, gate: &dyn Gate, crowd: &Crowd) -> Result<Vec<f64>, Box<dyn Error>> {
    gate.close();
    crowd.fall_asleep(which as u32)?;
    let begun = monotonic_nanoseconds();
    gate.open(crowd.round(), crowd.members().len());
    let called = monotonic_nanoseconds();
    let moments = crowd.end(BOUND)?;
    match moments.first.checked_sub(begun) {
        Some(_) => Ok(vec![(moments.last - begun) as f64, (called - begun) as f64]),
        None => Err("a waiter ran before it was woken".into()),
    }
}

/// Measures.
///
/// # Errors
/// A segment or a peer cannot be made.
pub fn measure(effort: Effort, tell: &mut dyn FnMut(f64)) -> Result<Vec<Case>, Box<dyn Error>> {
    let (counts, rounds): (&[usize], _) = match effort {
        Effort::Whole => (&[1, 8, 64, 250, 1_000], 10),
        Effort::Quick => (&[1, 64], 6),
        Effort::Try => (&[1, 4], 1),
    };
    let (mut all_run, mut called) = (vec![], vec![]);
    for &waiters in counts {
        let case = |curve| Case::on_curve("wakeups", curve, Unit::Nanoseconds, waiters, "waiters");
        let mut cases = [case("until all run"), case("the waker's own call")];
        of_cases(&mut cases, waiters, rounds, &mut |part| tell(part / counts.len() as f64))?;
        let [first, second] = cases;
        all_run.push(first);
        called.push(second);
    }
    Ok([all_run, called].concat())
}

fn of_cases(
    cases: &mut [Case],
    waiters: usize,
    rounds: usize,
    tell: &mut dyn FnMut(f64),
) -> Result<(), Box<dyn Error>> {
    let ours = Segment::<Ours>::options().participants(waiters + 8).anonymous(|new, _| {
        new.barrier = Barrier::new(waiters + 1);
    })?;
    let condition = Condition(&ours);
    let bare = Segment::<Bare>::anonymous(|_zero| {})?;
    let theirs =
        made::<TheirCondition>(|new| new.mutex.set_up(Robustness::Stalled).and_then(|()| new.changed.set_up()))?;
    let meeting = made::<PthreadBarrier>(|new| new.set_up(waiters as u32 + 1))?;
    let sem = made::<Sem>(|new| new.set_up(0))?;
    let pipe = process::pipe()?;
    let (pipe, count) = (Bytes(pipe.0, pipe.1), Count::new()?);
    let gates: [(&str, Kind, &dyn Gate); 10] = [
        ("bare futex", Kind::Floor, &*bare),
        ("outlive Event, set", Kind::Ours, &ours.event),
        ("outlive Condvar, notify all", Kind::Ours, &condition),
        ("outlive Barrier", Kind::Ours, &ours.barrier),
        ("outlive Semaphore, many permits", Kind::Ours, &ours.semaphore),
        ("pthread condition, broadcast", Kind::Peer, &*theirs),
        ("pthread barrier", Kind::Peer, &*meeting),
        ("sem_t, many posts", Kind::Peer, &*sem),
        ("Unix pipe, a byte each", Kind::Peer, &pipe),
        ("eventfd, a semaphore", Kind::Peer, &count),
    ];
    let act = |which: u32, control: &Control| {
        gates[which as usize].2.pass(control.round());
        control.runs();
    };
    // All contestants share it. If one of them fails, the others get another one.
    let crowd = RefCell::new(None);
    let contestants = gates.iter().enumerate().map(|(which, (name, kind, gate))| {
        let (crowd, act) = (&crowd, &act);
        Contestant::in_several(*name, *kind, move || {
            let waiters = match crowd.take() {
                Some(waiters) => waiters,
                None => Crowd::of(waiters, act)?,
            };
            let figures = wake(which, *gate, &waiters)?;
            crowd.replace(Some(waiters));
            Ok(figures)
        })
    });
    play_several(cases, contestants.collect(), rounds, tell);
    Ok(())
}
