//! One lock that two and four processes want all the time: take it, hold it for 100 ns, give it back, and again.
//!
//! The number under the lock counts the turns: at the end it must be the sum of what the processes have counted themselves.

// The words by which the processes begin and end together are no part of an algorithm.
#![allow(clippy::disallowed_types)]

use outlive::{Mutex, Segment, Shareable};
use outlive_benches::peers::{FlockFile, Guarded, Pthread, Robustness};
use outlive_benches::process::OthersLoad;
use outlive_benches::report::{Samples, Table, Target, verdict, with_interval};
use outlive_benches::{Mode, process};
use std::error::Error;
use std::hint::black_box;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

const ROUNDS: usize = 7;
const ROUND: Duration = Duration::from_secs(1);
const HELD: Duration = Duration::from_nanos(100);
const MOST_PROCESSES: usize = 4;

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Outlive,
    Pshared,
    Robust,
    Flock,
}

const KINDS: [(Kind, &str); 4] = [
    (Kind::Outlive, "outlive Mutex"),
    (Kind::Pshared, "pthread pshared"),
    (Kind::Robust, "pthread pshared robust"),
    (Kind::Flock, "flock"),
];

/// How the processes begin and end together. All zero at first.
#[derive(Shareable)]
#[repr(C)]
struct Control {
    stage: AtomicU32,
    ready: AtomicU32,
    /// What is written meanwhile must not lie beside `stage`, which all of them read in every turn.
    apart: [u64; 31],
    counts: [AtomicU64; MOST_PROCESSES],
    /// The number under flock.
    number: AtomicU64,
}

// Stages. ORDERING of all words in `Control`: Release where something is said, Acquire where it is heard.
const RUN: u32 = 1;
const STOP: u32 = 2;

/// One run of one kind.
struct Outcome {
    per_second: f64,
    /// Of the process that got least: its turns, relative to an equal share.
    smallest_share: f64,
}

fn main() -> Result<(), Box<dyn Error>> {
    let mode = Mode::of_arguments();
    if mode == Mode::List {
        return Ok(());
    }
    let steps = steps_in(HELD);
    let round = if mode == Mode::Measure { ROUND } else { ROUND / 20 };
    for processes in [2, MOST_PROCESSES] {
        let load = OthersLoad::since_now()?;
        let mut outcomes = KINDS.map(|_| vec![]);
        for number in 0..mode.rounds(ROUNDS) {
            for turn in 0..KINDS.len() {
                let which = (number + turn) % KINDS.len();
                outcomes[which].push(run(KINDS[which].0, processes, round, steps)?);
            }
        }
        show(processes, &outcomes);
        println!("Others used {:.0} % of the processors meanwhile.", load.part()? * 100.0);
    }
    Ok(())
}

fn run(kind: Kind, processes: usize, round: Duration, steps: u64) -> Result<Outcome, Box<dyn Error>> {
    let control = Segment::<Control>::anonymous(|_zero| {})?;
    let control = &*control;
    let (elapsed, number) = match kind {
        Kind::Outlive => {
            let lock = Segment::<Mutex<u64>>::anonymous(|_free| {})?;
            let elapsed = compete(control, processes, round, |me| take_turns(&*lock, control, me, steps))?;
            (elapsed, lock.with(|number| *number))
        }
        Kind::Pshared | Kind::Robust => {
            let robustness = if kind == Kind::Robust { Robustness::Robust } else { Robustness::Stalled };
            let mut answer = Ok(());
            let lock = Segment::<Pthread>::anonymous(|new| answer = new.set_up(robustness))?;
            answer?;
            let elapsed = compete(control, processes, round, |me| take_turns(&*lock, control, me, steps))?;
            (elapsed, lock.with(|number| *number))
        }
        Kind::Flock => {
            let file = FlockFile::new()?;
            let elapsed = compete(control, processes, round, |me| {
                let lock = file.open(&control.number).expect("a file in memory can be opened");
                take_turns(&lock, control, me, steps);
            })?;
            (elapsed, control.number.load(Ordering::Acquire))
        }
    };
    let counts: Vec<u64> = control.counts[..processes].iter().map(|count| count.load(Ordering::Acquire)).collect();
    let sum: u64 = counts.iter().sum();
    if number != sum {
        return Err(format!("not exclusive: {sum} turns were made, {number} are in the number under the lock").into());
    }
    let least = counts.iter().copied().min().unwrap_or(0);
    Ok(Outcome {
        per_second: sum as f64 / elapsed.as_secs_f64(),
        smallest_share: least as f64 * processes as f64 / sum as f64,
    })
}

/// Has so many processes do `work` between the same two moments.
fn compete(
    control: &Control,
    processes: usize,
    round: Duration,
    work: impl Fn(usize),
) -> Result<Duration, Box<dyn Error>> {
    let mut children = vec![];
    for me in 0..processes {
        children.push(process::fork(|| work(me))?);
    }
    let begun = Instant::now();
    while control.ready.load(Ordering::Acquire) as usize != processes {
        if begun.elapsed() > Duration::from_secs(5) {
            return Err("the processes do not begin".into());
        }
        std::thread::sleep(Duration::from_micros(200));
    }
    let begun = Instant::now();
    control.stage.store(RUN, Ordering::Release);
    std::thread::sleep(round);
    control.stage.store(STOP, Ordering::Release);
    let elapsed = begun.elapsed();
    for child in &mut children {
        child.join(Duration::from_secs(10))?;
    }
    Ok(elapsed)
}

/// One process.
fn take_turns(lock: &impl Guarded, control: &Control, me: usize, steps: u64) {
    lock.with(|_number| {}); // what is done once is done now
    control.ready.fetch_add(1, Ordering::AcqRel);
    while control.stage.load(Ordering::Acquire) != RUN {
        std::thread::sleep(Duration::from_micros(50)); // `fork` bounds the life of a child
    }
    let mut turns = 0;
    while control.stage.load(Ordering::Relaxed) == RUN {
        lock.with(|number| {
            be_busy(*number, steps);
            *number += 1;
        });
        turns += 1;
    }
    control.counts[me].store(turns, Ordering::Release);
}

/// A chain of multiplications, each of which needs the one before, and the first the seed: with one from under the lock, the
/// processor cannot begin before it has the lock.
#[inline(never)] // the same code where it is measured and where it is used
fn be_busy(seed: u64, steps: u64) {
    let mut x = seed;
    for _ in 0..steps {
        x = x.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
    }
    black_box(x);
}

/// How many steps take that long, when nothing disturbs them.
fn steps_in(time: Duration) -> u64 {
    const STEPS: u64 = 100_000;
    let best = (0..50).map(|_| {
        let begun = Instant::now();
        be_busy(black_box(1), black_box(STEPS));
        begun.elapsed()
    });
    let best = best.min().expect("50 attempts").as_secs_f64();
    (time.as_secs_f64() / best * STEPS as f64).round() as u64
}

fn show(processes: usize, outcomes: &[Vec<Outcome>; KINDS.len()]) {
    let speeds = outcomes.each_ref().map(|of| of.iter().map(|outcome| outcome.per_second).collect::<Vec<_>>());
    let index_of = |kind| KINDS.iter().position(|k| k.0 == kind).expect("one of the kinds");
    let (pshared, robust) = (index_of(Kind::Pshared), index_of(Kind::Robust));
    let mut table = Table::new(
        format!(
            "{processes} processes, {HELD:?} held, {} rounds; medians, [95 % interval] of ratios within a round",
            speeds[0].len()
        ),
        &["", "M/s", "x pthread pshared", "x robust", "", "smallest share", "least ever", ""],
    );
    for (which, (kind, name)) in KINDS.iter().enumerate() {
        let to_robust = Samples::ratios(&speeds[which], &speeds[robust]);
        let shares: Samples = outcomes[which].iter().map(|outcome| outcome.smallest_share).collect();
        let judge = |figures: &Samples, target| match kind {
            Kind::Outlive => verdict(figures, Target::AtLeast(target)),
            _ => String::new(),
        };
        table.row([
            (*name).to_string(),
            format!("{:.2}", speeds[which].iter().copied().collect::<Samples>().median() / 1e6),
            with_interval(&Samples::ratios(&speeds[which], &speeds[pshared])),
            with_interval(&to_robust),
            judge(&to_robust, 1.3),
            format!("{:.2}", shares.median()),
            format!("{:.2}", shares.least()),
            judge(&shares, 0.2),
        ]);
    }
    println!("{table}");
}
