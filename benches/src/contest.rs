//! Processes that compete, most for one lock that all of them want all the time: how they begin and
//! end together, and how many turns each of them got.

// The words by which they begin and end together are no part of an algorithm.
#![allow(clippy::disallowed_types)]

use crate::peers::Guarded;
use crate::process;
use outlive::Shareable;
use std::error::Error;
use std::hint::black_box;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// The greatest number of processes that compete.
pub const MOST_PROCESSES: usize = 32;

/// How the processes begin and end together. All zero at first.
#[derive(Debug, Shareable)]
#[repr(C)]
pub struct Control {
    stage: AtomicU32,
    ready: AtomicU32,
    /// Keeps words that are written apart from `stage`, which all processes read in every turn.
    apart: [u64; 31],
    /// The turns of each process.
    pub counts: [AtomicU64; MOST_PROCESSES],
    /// The longest wait of each process for a turn, in nanoseconds.
    pub longest: [AtomicU64; MOST_PROCESSES],
    /// The number that flock guards.
    pub number: AtomicU64,
}

// Stages. ORDERING of all words in `Control`: Release for a message, and Acquire where it is read.
const RUN: u32 = 1;
const STOP: u32 = 2;

impl Control {
    /// Called by each participant when it is ready. Returns when the contest begins.
    pub fn begin(&self) {
        self.ready.fetch_add(1, Ordering::AcqRel);
        while self.stage.load(Ordering::Acquire) == 0 {
            std::thread::sleep(Duration::from_micros(50)); // `fork` limits how long a child lives
        }
    }

    /// Whether the contest goes on.
    #[inline(always)]
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.stage.load(Ordering::Relaxed) == RUN
    }
}

/// Lets so many processes do `work`, all between the same two moments. Returns the time between
/// these. Each process must call [`Control::begin`].
///
/// # Errors
/// If a process does not begin or does not end, or fails.
pub fn compete(
    control: &Control,
    processes: usize,
    round: Duration,
    work: impl Fn(usize),
) -> Result<Duration, Box<dyn Error>> {
    let mut children = vec![];
    for me in 0..processes {
        children.push(process::fork(|| work(me))?);
    }
    run(control, processes, round, &mut children)
}

/// As [`compete`], with threads of one process, which is forked.
///
/// # Errors
/// Those of [`compete`].
pub fn compete_as_threads(
    control: &Control,
    threads: usize,
    round: Duration,
    work: impl Fn(usize) + Sync,
) -> Result<Duration, Box<dyn Error>> {
    let child = process::fork(|| {
        std::thread::scope(|scope| {
            for me in 0..threads {
                let work = &work;
                scope.spawn(move || work(me));
            }
        });
    })?;
    run(control, threads, round, &mut [child])
}

fn run(
    control: &Control,
    participants: usize,
    round: Duration,
    children: &mut [process::Child],
) -> Result<Duration, Box<dyn Error>> {
    let begun = Instant::now();
    while control.ready.load(Ordering::Acquire) as usize != participants {
        process::count_running(children)?;
        if begun.elapsed() > Duration::from_secs(5) {
            return Err("the participants do not begin".into());
        }
        std::thread::sleep(Duration::from_micros(200));
    }
    let begun = Instant::now();
    control.stage.store(RUN, Ordering::Release);
    std::thread::sleep(round);
    control.stage.store(STOP, Ordering::Release);
    let elapsed = begun.elapsed();
    process::join_all(children, Duration::from_secs(10))?;
    Ok(elapsed)
}

/// The work of one process: in each turn it is busy for so many steps under the lock.
pub fn take_turns(lock: &impl Guarded, control: &Control, me: usize, steps: u64) {
    compete_for(
        control,
        me,
        || lock.with(|_number| {}),
        || {
            lock.with(|number| {
                be_busy(*number, steps);
                *number += 1;
            });
        },
    );
}

/// As [`take_turns`], and also reads the clock in each turn, before the lock and under it.
pub fn take_turns_by_the_clock(lock: &impl Guarded, control: &Control, me: usize, steps: u64) {
    let mut longest = Duration::ZERO;
    compete_for(
        control,
        me,
        || lock.with(|_number| {}),
        || {
            let begun = Instant::now();
            lock.with(|number| {
                longest = longest.max(begun.elapsed());
                be_busy(*number, steps);
                *number += 1;
            });
        },
    );
    control.longest[me].store(longest.as_nanos() as u64, Ordering::Release);
}

/// Takes turns from the begin of the contest to its end, and counts them. `first` runs before the
/// contest: the first use of a lock is slow.
pub fn compete_for(control: &Control, me: usize, first: impl FnOnce(), mut turn: impl FnMut()) {
    first();
    control.begin();
    let mut turns = 0;
    while control.is_running() {
        turn();
        turns += 1;
    }
    control.counts[me].store(turns, Ordering::Release);
}

/// A chain of multiplications, each of which needs the result of the one before. The first needs
/// the seed. If the seed is read under the lock, the processor cannot begin before it has the lock.
#[inline(never)] // the same code where it is measured and where it is used
pub fn be_busy(seed: u64, steps: u64) {
    let mut x = seed;
    for _ in 0..steps {
        x = x.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
    }
    black_box(x);
}

/// How many steps take this time, when nothing disturbs them.
#[must_use]
pub fn steps_in(time: Duration) -> u64 {
    const STEPS: u64 = 100_000;
    let best = (0..50).map(|_| {
        let begun = Instant::now();
        be_busy(black_box(1), black_box(STEPS));
        begun.elapsed()
    });
    let best = best.min().expect("50 attempts").as_secs_f64();
    (time.as_secs_f64() / best * STEPS as f64).round() as u64
}
