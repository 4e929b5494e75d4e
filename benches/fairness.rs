//! How fairly several processes get a lock that all of them want all the time: the share of the
//! process that got the fewest turns, and the longest wait for a turn. The worst second of all
//! rounds is judged, not the median.
//!
//! The waits are measured in a round of their own. A process that reads the clock between two turns
//! leaves the lock to others meanwhile, which makes the shares look better than they are.

use outlive::{Mutex, Segment};
use outlive_benches::Mode;
use outlive_benches::contest::{Control, compete, steps_in, take_turns, take_turns_by_the_clock};
use outlive_benches::peers::{Guarded, Pthread, Robustness};
use outlive_benches::process::OthersLoad;
use outlive_benches::report::Table;
use std::error::Error;
use std::sync::atomic::Ordering;
use std::time::Duration;

const ROUNDS: usize = 3;
const ROUND: Duration = Duration::from_secs(1);
const PROCESSES: [usize; 4] = [2, 4, 8, 32];
const HELD: [Duration; 3] = [Duration::ZERO, Duration::from_micros(1), Duration::from_micros(10)];
/// The part of an equal share that each process should get in each second.
const LEAST: f64 = 0.2;

const KINDS: [(Kind, &str); 3] = [
    (Kind::Outlive, "outlive Mutex"),
    (Kind::Pthread(Robustness::Stalled), "pthread pshared"),
    (Kind::Pthread(Robustness::Robust), "pthread pshared robust"),
];

#[derive(Clone, Copy)]
enum Kind {
    Outlive,
    Pthread(Robustness),
}

/// One second, or the worst of several.
#[derive(Clone, Copy)]
struct Outcome {
    per_second: f64,
    /// The turns of the process that got the fewest, relative to an equal share.
    least: f64,
    /// The longest wait for one turn; 0 if waits were not measured.
    longest: Duration,
}

#[derive(Clone, Copy)]
enum What {
    Shares,
    Waits,
}

fn main() -> Result<(), Box<dyn Error>> {
    let mode = Mode::of_arguments();
    if mode == Mode::List {
        return Ok(());
    }
    let round = if mode == Mode::Measure { ROUND } else { ROUND / 50 };
    let load = OthersLoad::since_now()?;
    for held in HELD {
        let steps = steps_in(held);
        let title = format!("lock held {held:?}, {} rounds of {round:?}; the worst round", mode.rounds(ROUNDS));
        let mut table = Table::new(title, &["processes", "", "M/s", "least share", "", "longest wait, ms"]);
        for processes in PROCESSES {
            let mut worst = [None; KINDS.len()];
            for number in 0..=mode.rounds(ROUNDS) {
                let what = if number == 0 { What::Waits } else { What::Shares };
                for turn in 0..KINDS.len() {
                    let which = (number + turn) % KINDS.len();
                    let outcome = run(KINDS[which].0, processes, round, steps, what)?;
                    worst[which] = Some(worst[which].map_or(outcome, |before| worse(before, outcome)));
                }
            }
            for (outcome, (kind, name)) in worst.iter().flatten().zip(KINDS) {
                let verdict = match kind {
                    Kind::Outlive if outcome.least >= LEAST => format!(">= {LEAST}: met"),
                    Kind::Outlive => format!(">= {LEAST}: missed"),
                    Kind::Pthread(_) => String::new(),
                };
                table.row([
                    processes.to_string(),
                    name.to_owned(),
                    format!("{:.2}", outcome.per_second / 1e6),
                    format!("{:.3}", outcome.least),
                    verdict,
                    format!("{:.2}", outcome.longest.as_secs_f64() * 1e3),
                ]);
            }
        }
        println!("{table}");
    }
    load.print()?;
    Ok(())
}

fn worse(a: Outcome, b: Outcome) -> Outcome {
    Outcome {
        per_second: a.per_second.min(b.per_second),
        least: a.least.min(b.least),
        longest: a.longest.max(b.longest),
    }
}

fn run(kind: Kind, processes: usize, round: Duration, steps: u64, what: What) -> Result<Outcome, Box<dyn Error>> {
    match kind {
        Kind::Outlive => contest(&*Segment::<Mutex<u64>>::anonymous(|_free| {})?, processes, round, steps, what),
        Kind::Pthread(robustness) => {
            let mut answer = Ok(());
            let lock = Segment::<Pthread>::anonymous(|new| answer = new.set_up(robustness))?;
            answer?;
            contest(&*lock, processes, round, steps, what)
        }
    }
}

fn contest(
    lock: &impl Guarded,
    processes: usize,
    round: Duration,
    steps: u64,
    what: What,
) -> Result<Outcome, Box<dyn Error>> {
    let control = Segment::<Control>::anonymous(|_zero| {})?;
    let elapsed = compete(&control, processes, round, |me| match what {
        What::Shares => take_turns(lock, &control, me, steps),
        What::Waits => take_turns_by_the_clock(lock, &control, me, steps),
    })?;
    let counts: Vec<u64> = control.counts[..processes].iter().map(|count| count.load(Ordering::Acquire)).collect();
    let sum: u64 = counts.iter().sum();
    let number = lock.with(|number| *number);
    if number != sum {
        return Err(format!("the lock is not exclusive: of {sum} turns the number under it counted {number}").into());
    }
    let longest = control.longest.iter().map(|wait| wait.load(Ordering::Acquire)).max().unwrap_or(0);
    let least = counts.iter().copied().min().unwrap_or(0);
    Ok(Outcome {
        per_second: sum as f64 / elapsed.as_secs_f64(),
        least: least as f64 * processes as f64 / sum as f64,
        longest: Duration::from_nanos(longest),
    })
}
