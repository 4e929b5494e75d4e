//! How many turns two or four processes get at one lock that all of them want all the time. A turn
//! is: take the lock, hold it for 100 ns, give it back.
//!
//! The number under the lock counts the turns. At the end it must be the sum of the turns that the
//! processes have counted themselves.

use outlive::{Mutex, Segment};
use outlive_benches::Mode;
use outlive_benches::contest::{Control, compete, steps_in, take_turns};
use outlive_benches::peers::{FlockFile, Guarded, Pthread, Robustness};
use outlive_benches::process::OthersLoad;
use outlive_benches::report::{Samples, Table, Target, verdict, with_interval};
use std::error::Error;
use std::sync::atomic::Ordering;
use std::time::Duration;

const ROUNDS: usize = 7;
const ROUND: Duration = Duration::from_secs(1);
const HELD: Duration = Duration::from_nanos(100);

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

/// One run of one kind.
struct Outcome {
    per_second: f64,
    /// The turns of the process that got the fewest, relative to an equal share.
    smallest_share: f64,
}

fn main() -> Result<(), Box<dyn Error>> {
    let mode = Mode::of_arguments();
    if mode == Mode::List {
        return Ok(());
    }
    let steps = steps_in(HELD);
    let round = if mode == Mode::Measure { ROUND } else { ROUND / 20 };
    for processes in [2, 4] {
        let load = OthersLoad::since_now()?;
        let mut outcomes = KINDS.map(|_| vec![]);
        for number in 0..mode.rounds(ROUNDS) {
            for turn in 0..KINDS.len() {
                let which = (number + turn) % KINDS.len();
                outcomes[which].push(run(KINDS[which].0, processes, round, steps)?);
            }
        }
        show(processes, &outcomes);
        load.print()?;
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
        return Err(format!("the lock is not exclusive: of {sum} turns the number under it counted {number}").into());
    }
    let least = counts.iter().copied().min().unwrap_or(0);
    Ok(Outcome {
        per_second: sum as f64 / elapsed.as_secs_f64(),
        smallest_share: least as f64 * processes as f64 / sum as f64,
    })
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
        &["", "M/s", "x pthread pshared", "x robust", "", "smallest share", "least ever"],
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
        ]);
    }
    println!("{table}");
}
