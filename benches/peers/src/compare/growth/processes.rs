//! What it costs to join, to lock, to die and to notify in a segment in which more and more
//! processes take part. Each of them has opened the segment for itself, and sleeps on another lock
//! of it.

use super::super::Effort;
use super::super::crowd::Crowd;
use super::super::figures::{Case, Kind, Unit};
use super::super::rounds::{Contestant, play_several};
use super::segments::Page;
use super::{Names, apart, length_of_mapping, memory};
use crate::objects::made;
use outlive::{Condvar, LockError, Mutex, Segment, Shareable};
use outlive_benches::peers::{Cond, Guarded, Pthread, Robustness};
use outlive_benches::process::{self, Child, monotonic_nanoseconds};
use std::error::Error;
use std::hint::black_box;
use std::io::{Read, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Longer than the first phase of a wait can last, which grows while processes come and go.
const SETTLE: Duration = Duration::from_millis(50);
const ENOUGH: Duration = Duration::from_secs(10);
/// Processes that come and go, in a round.
const COMERS: usize = 8;
const TURNS: u32 = 5_000;

const CURVES: [(&str, Unit); 11] = [
    ("to join, by the first lock, when all others sleep", Unit::Nanoseconds),
    ("to join right after another", Unit::Nanoseconds),
    ("sleepers' time for each that joins and leaves", Unit::Nanoseconds),
    ("to open by name", Unit::Nanoseconds),
    ("to lock and unlock", Unit::Nanoseconds),
    ("from a holder's death to the next", Unit::Nanoseconds),
    ("sleepers' time for that death", Unit::Nanoseconds),
    ("from a notification to the waiter", Unit::Nanoseconds),
    ("sleepers' time for that notification", Unit::Nanoseconds),
    ("private memory of a process for it", Unit::Bytes),
    ("bytes of the segment", Unit::Bytes),
];

#[derive(Shareable)]
#[repr(C)]
struct Ours {
    /// The lock on which the many sleep.
    crowded: Mutex<u64>,
    lock: Mutex<u64>,
    condvar: Condvar,
    awake_at: AtomicU64,
}

#[derive(Debug, Shareable)]
#[repr(C, align(64))]
struct Theirs {
    crowded: Pthread,
    lock: Pthread,
    of_condition: Pthread,
    condition: Cond,
    awake_at: AtomicU64,
}

/// What is done among the sleepers.
trait Side {
    /// Locks the free lock and unlocks it.
    fn lock(&self);
    /// Locks it, and sleeps with it until killed.
    fn hold(&self);
    /// Locks it although its holder has died, and notes when.
    fn take_over(&self);
    /// Waits for a notification, and notes when it came.
    fn await_notification(&self);
    fn notify(&self);
    fn awake_at(&self) -> &AtomicU64;

    fn is_awake(&self) {
        self.awake_at().store(monotonic_nanoseconds(), Ordering::Release);
    }
}

impl Side for Ours {
    fn lock(&self) {
        *black_box(&self.lock).lock().expect("nobody has died") += 1;
    }
    fn hold(&self) {
        let _held = self.lock.lock().expect("nobody has died");
        std::thread::sleep(ENOUGH);
    }
    fn take_over(&self) {
        match self.lock.lock() {
            Err(LockError::OwnerDied(left)) => {
                self.is_awake();
                left.into_inner().mark_consistent();
            }
            other => panic!("{other:?}"),
        }
    }
    fn await_notification(&self) {
        let guard = self.lock.lock().expect("nobody has died");
        let is_new = |number: &mut u64| *number != u64::MAX;
        let mut guard = self.condvar.wait_while(guard, is_new).expect("nobody has died");
        *guard = 0;
        self.is_awake();
    }
    fn notify(&self) {
        *self.lock.lock().expect("nobody has died") = u64::MAX;
        self.condvar.notify_one();
    }
    fn awake_at(&self) -> &AtomicU64 {
        &self.awake_at
    }
}

impl Side for Theirs {
    fn lock(&self) {
        black_box(&self.lock).with(|number| *number += 1);
    }
    fn hold(&self) {
        self.lock.with(|_number| std::thread::sleep(ENOUGH));
    }
    fn take_over(&self) {
        self.lock.with(|_number| self.is_awake());
    }
    fn await_notification(&self) {
        assert_eq!(self.of_condition.lock(), 0);
        // SAFETY: this thread holds the mutex, and has no reference to the number.
        unsafe {
            while self.of_condition.number() == 0 {
                assert_eq!(self.condition.wait(&self.of_condition), 0);
            }
            self.of_condition.set_number(0);
            self.is_awake();
            assert_eq!(self.of_condition.unlock(), 0);
        }
    }
    fn notify(&self) {
        self.of_condition.with(|number| *number = 1);
        assert_eq!(self.condition.signal(), 0);
    }
    fn awake_at(&self) -> &AtomicU64 {
        &self.awake_at
    }
}

/// Measures.
///
/// # Errors
/// A segment or a peer cannot be made.
pub(super) fn measure(effort: Effort, tell: &mut dyn FnMut(f64)) -> Result<Vec<Case>, Box<dyn Error>> {
    let (counts, rounds): (&[usize], _) = match effort {
        Effort::Whole => (&[1, 10, 100, 1_000], 5),
        Effort::Quick => (&[1, 100], 2),
        Effort::Try => (&[1, 4], 1),
    };
    let mut by_curve = CURVES.map(|_| vec![]);
    for &count in counts {
        let mut cases = CURVES.map(|(curve, unit)| Case::on_curve("growth", curve, unit, count, "processes"));
        with_sleepers(&mut cases, count, rounds, &mut |part| tell(part / counts.len() as f64))?;
        by_curve.iter_mut().zip(cases).for_each(|(curve, case)| curve.push(case));
    }
    Ok(by_curve.concat())
}

fn with_sleepers(
    cases: &mut [Case],
    count: usize,
    rounds: usize,
    tell: &mut dyn FnMut(f64),
) -> Result<(), Box<dyn Error>> {
    let names = Names::new("growth", 1);
    let name = names.get(0);
    let open = || Segment::<Ours>::open(&*name);
    let bare = Names::new("growth-bare", 1);
    Page::named(&bare, 0, true)?;
    let ours = Segment::<Ours>::options().participants(count + 64).create(&*name, |_free, _| {})?;
    let theirs = made::<Theirs>(|new| {
        new.crowded.set_up(Robustness::Robust)?;
        new.lock.set_up(Robustness::Robust)?;
        new.of_condition.set_up(Robustness::Stalled)?;
        new.condition.set_up()
    })?;
    let held = ours.crowded.lock().map_err(|error| error.to_string())?;
    assert_eq!(theirs.crowded.lock(), 0);
    let our_crowd = Crowd::of(count, &|_, _| {
        let own = open().expect("it is there");
        drop(own.crowded.lock());
    })?;
    let their_crowd = Crowd::of(count, &|_, _| assert_eq!(theirs.crowded.lock(), 0))?;
    our_crowd.fall_asleep(0)?;
    their_crowd.fall_asleep(0)?;
    std::thread::sleep(SETTLE);
    let contestants = vec![
        Contestant::in_several("outlive", Kind::Ours, || {
            let mut figures = of_side(&*ours, &our_crowd)?;
            figures[3] = in_newcomer(&|| {
                open()?;
                Ok(())
            })?;
            let joining = || {
                // Once for the pages that the reading itself needs.
                memory(&["Private_Dirty", "Private_Clean"])?;
                let before = memory(&["Private_Dirty", "Private_Clean"])?;
                ours.lock();
                Ok(vec![memory(&["Private_Dirty", "Private_Clean"])? - before])
            };
            figures[9] = apart(joining)?[0];
            figures[10] = length_of_mapping(&*ours)?;
            Ok(figures)
        }),
        Contestant::in_several("pthread, robust", Kind::Peer, || of_side(&*theirs, &their_crowd)),
        Contestant::in_several("shm_open, mmap", Kind::Floor, || {
            let mut figures = vec![f64::NAN; CURVES.len()];
            figures[3] = in_newcomer(&|| {
                Page::named(&bare, 0, false)?;
                Ok(())
            })?;
            Ok(figures)
        }),
    ];
    play_several(cases, contestants, rounds, tell);
    drop((our_crowd, their_crowd)); // before they could get the lock
    drop(held);
    // SAFETY: this thread has it, and no reference to its data. It is in a list of this thread's,
    // so it must not be unmapped locked.
    assert_eq!(unsafe { theirs.crowded.unlock() }, 0);
    Ok(())
}

/// The figures of all curves that both sides have. The others are NaN.
fn of_side(side: &dyn Side, crowd: &Crowd) -> Result<Vec<f64>, Box<dyn Error>> {
    let members = crowd.members();
    let before = process::time_used(members)?;
    let lock = || {
        side.lock();
        Ok(())
    };
    let join = in_newcomer(&lock)?;
    let mut join_next = 0.0;
    for _ in 1..COMERS {
        join_next += in_newcomer(&lock)? / (COMERS - 1) as f64;
    }
    std::thread::sleep(SETTLE);
    let of_comers = (process::time_used(members)? - before).as_nanos() as f64 / COMERS as f64;

    (0..TURNS / 20).for_each(|_| side.lock());
    let begun = Instant::now();
    (0..TURNS).for_each(|_| side.lock());
    let lock = begun.elapsed().as_nanos() as f64 / f64::from(TURNS);

    let holder = process::fork(|| side.hold())?;
    holder.wait_until_asleep_in(&[libc::SYS_clock_nanosleep], Duration::ZERO)?;
    let death = event(side, crowd, &|| side.take_over(), &|| holder.kill())?;
    let notification = event(side, crowd, &|| side.await_notification(), &|| side.notify())?;
    let none = f64::NAN;
    Ok(vec![join, join_next, of_comers, none, lock, death[0], death[1], notification[0], notification[1], none, none])
}

/// The nanoseconds that a new process needs for this.
fn in_newcomer(work: &dyn Fn() -> Result<(), Box<dyn Error>>) -> Result<f64, Box<dyn Error>> {
    let figures = apart(|| {
        process::map_all_code();
        let begun = Instant::now();
        work()?;
        Ok(vec![begun.elapsed().as_nanos() as f64])
    })?;
    Ok(figures[0])
}

/// Something happens for which a new process waits. Nanoseconds until that runs, and the processor
/// time of the crowd. The new process lives on meanwhile: its own end would wake the crowd, too.
fn event(side: &dyn Side, crowd: &Crowd, wait: &dyn Fn(), happen: &dyn Fn()) -> Result<[f64; 2], Box<dyn Error>> {
    let (end, may_end) = process::pipe()?;
    let mut waiter: Child = process::fork(|| {
        process::map_all_code();
        wait();
        (&end).read_exact(&mut [0]).expect("open");
    })?;
    waiter.wait_until_asleep_in(&[libc::SYS_futex, libc::SYS_futex_waitv], Duration::ZERO)?;
    std::thread::sleep(SETTLE);
    side.awake_at().store(0, Ordering::Release);
    let before = process::time_used(crowd.members())?;
    let at = monotonic_nanoseconds();
    happen();
    waiter.wait_until_asleep_in(&[libc::SYS_read], SETTLE)?;
    let of_crowd = process::time_used(crowd.members())? - before;
    (&may_end).write_all(&[0])?;
    waiter.join(ENOUGH)?;
    match side.awake_at().load(Ordering::Acquire).checked_sub(at) {
        Some(nanoseconds) => Ok([nanoseconds as f64, of_crowd.as_nanos() as f64]),
        None => Err("the waiter ran before it was to".into()),
    }
}
