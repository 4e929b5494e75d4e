//! One lock that several processes want all the time: how many turns a second, how small is the
//! smallest share, and how long are the waits?

use super::Effort;
use super::figures::{Case, Kind, Row, Unit};
use super::rounds::{Contestant, play};
use super::waits::{OwnWaits, Waits};
use crate::objects::made;
use outlive::{Mutex, Segment};
use outlive_benches::contest::{Control, be_busy, compete, compete_as_threads, steps_in, take_turns};
use outlive_benches::peers::{FlockFile, Guarded, Pthread, Robustness};
use std::error::Error;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

const PROCESSES: [usize; 5] = [1, 2, 4, 8, 32];
const HELD: [Duration; 4] =
    [Duration::ZERO, Duration::from_nanos(100), Duration::from_micros(1), Duration::from_micros(10)];
const ROUNDS: usize = 5;

#[derive(Debug, Clone, Copy, PartialEq)]
enum Lock {
    Outlive,
    Plain,
    Robust,
    Flock,
    Std,
    ParkingLot,
}

const LOCKS: [(Lock, &str, Kind); 6] = [
    (Lock::Outlive, "outlive Mutex", Kind::Ours),
    (Lock::Plain, "pthread mutex", Kind::Peer),
    (Lock::Robust, "pthread mutex, robust", Kind::Peer),
    (Lock::Flock, "flock", Kind::Peer),
    (Lock::Std, "std Mutex", Kind::Threads),
    (Lock::ParkingLot, "parking_lot Mutex", Kind::Threads),
];

/// A lock of threads.
struct OfThreads<L>(L);

impl Guarded for OfThreads<std::sync::Mutex<u64>> {
    fn with<R>(&self, inside: impl FnOnce(&mut u64) -> R) -> R {
        inside(&mut self.0.lock().expect("nobody panics"))
    }
}

impl Guarded for OfThreads<parking_lot::Mutex<u64>> {
    fn with<R>(&self, inside: impl FnOnce(&mut u64) -> R) -> R {
        inside(&mut self.0.lock())
    }
}

/// One contest.
#[derive(Debug, Clone, Copy)]
struct Contest {
    processes: usize,
    round: Duration,
    steps: u64,
}

#[derive(Debug, Clone, Copy)]
struct Outcome {
    per_second: f64,
    /// The turns of the process that got the fewest, relative to an equal share.
    least_share: f64,
}

impl Contest {
    /// `open` gives each worker its lock.
    fn of<'c, L: Guarded>(
        self,
        control: &'c Control,
        as_threads: bool,
        waits: Option<&Waits>,
        open: impl Fn(&'c Control) -> L + Sync,
    ) -> Result<Outcome, Box<dyn Error>> {
        let work = |me: usize| match waits {
            None => take_turns(&open(control), control, me, self.steps),
            Some(waits) => self.take_turns_by_the_clock(&open(control), control, waits),
        };
        let elapsed = if as_threads {
            compete_as_threads(control, self.processes, self.round, work)
        } else {
            compete(control, self.processes, self.round, work)
        }?;
        let counts: Vec<_> =
            control.counts[..self.processes].iter().map(|count| count.load(Ordering::Acquire) as f64).collect();
        let turns: f64 = counts.iter().sum();
        let least = counts.iter().copied().fold(f64::INFINITY, f64::min);
        Ok(Outcome { per_second: turns / elapsed.as_secs_f64(), least_share: least / (turns / self.processes as f64) })
    }

    fn take_turns_by_the_clock(self, lock: &impl Guarded, control: &Control, waits: &Waits) {
        lock.with(|_number| {});
        let mut own = OwnWaits::none();
        control.begin();
        while control.is_running() {
            let begun = Instant::now();
            lock.with(|number| {
                own.add(begun.elapsed());
                be_busy(*number, self.steps);
                *number += 1;
            });
        }
        waits.add(&own);
    }

    fn run(self, lock: Lock, waits: Option<&Waits>) -> Result<Outcome, Box<dyn Error>> {
        let control = Segment::<Control>::anonymous(|_zero| {})?;
        let control = &*control;
        match lock {
            Lock::Outlive => {
                let lock = Segment::<Mutex<u64>>::anonymous(|_free| {})?;
                self.of(control, false, waits, |_| &*lock)
            }
            Lock::Plain | Lock::Robust => {
                let robustness = if lock == Lock::Robust { Robustness::Robust } else { Robustness::Stalled };
                let lock = made::<Pthread>(|new| new.set_up(robustness))?;
                self.of(control, false, waits, |_| &*lock)
            }
            Lock::Flock => {
                let file = FlockFile::new()?;
                self.of(control, false, waits, |control| file.open(&control.number).expect("a file can be opened"))
            }
            Lock::Std => {
                let lock = OfThreads(std::sync::Mutex::new(0));
                self.of(control, true, waits, |_| &lock)
            }
            Lock::ParkingLot => {
                let lock = OfThreads(parking_lot::Mutex::new(0));
                self.of(control, true, waits, |_| &lock)
            }
        }
    }
}

/// Measures.
///
/// # Errors
/// A segment cannot be made.
pub fn measure(effort: Effort, tell: &mut dyn FnMut(f64)) -> Result<Vec<Case>, Box<dyn Error>> {
    let (processes, held, round): (&[usize], &[Duration], _) = match effort {
        Effort::Whole => (&PROCESSES, &HELD, Duration::from_millis(60)),
        Effort::Quick => (&[2, 8], &[Duration::ZERO, Duration::from_micros(1)], Duration::from_millis(60)),
        Effort::Try => (&[2], &[Duration::ZERO], Duration::from_millis(5)),
    };
    let parts = (processes.len() * held.len()) as f64;
    let mut cases = vec![];
    for &held in held {
        let steps = steps_in(held);
        for &processes in processes {
            let contest = Contest { processes, round, steps };
            let noun = if processes == 1 { "process" } else { "processes" };
            let title = |what: &str| format!("{processes} {noun}, lock held {held:?}: {what}");
            let mut turns = Case::new("contended", title("turns a second"), Unit::PerSecond);
            let mut shares = Case::new("contended", title("the smallest share"), Unit::Share);
            let least: Vec<_> = LOCKS.iter().map(|_| std::cell::RefCell::new(vec![])).collect();
            let contestants = LOCKS.iter().zip(&least).map(|((lock, name, kind), least)| {
                Contestant::new(*name, *kind, move || {
                    let outcome = contest.run(*lock, None)?;
                    least.borrow_mut().push(outcome.least_share);
                    Ok(outcome.per_second)
                })
            });
            play(&mut turns, contestants.collect(), effort.of(ROUNDS), &mut |part| tell(part / parts * 0.8));
            for ((_, name, kind), least) in LOCKS.iter().zip(least) {
                // The first round is not counted.
                let rounds: Vec<_> = least.into_inner().into_iter().skip(1).collect();
                if !rounds.is_empty() {
                    shares.rows.push(Row { name: (*name).to_owned(), kind: *kind, rounds });
                }
            }
            cases.push(turns);
            if processes > 1 {
                cases.push(shares);
                cases.extend(waits_of(contest, &title, effort)?);
            }
            tell(0.2 / parts);
        }
    }
    Ok(cases)
}

/// The waits for a turn. They have rounds of their own: a process that reads the clock between two
/// turns leaves the lock to others meanwhile.
fn waits_of(contest: Contest, title: &dyn Fn(&str) -> String, effort: Effort) -> Result<Vec<Case>, Box<dyn Error>> {
    const PARTS: [(&str, f64); 4] = [("50 %", 0.5), ("99 %", 0.99), ("99.9 %", 0.999), ("all", 1.0)];
    let mut cases = PARTS.map(|(name, _)| {
        Case::new("contended", title(&format!("{name} of the waits took at most")), Unit::Nanoseconds)
    });
    let waits: Vec<_> = LOCKS.iter().map(|_| Segment::<Waits>::anonymous(|_zero| {})).collect::<Result<_, _>>()?;
    for round in 0..effort.of(ROUNDS) {
        for turn in 0..LOCKS.len() {
            let which = (round + turn) % LOCKS.len();
            contest.run(LOCKS[which].0, Some(&waits[which]))?;
        }
    }
    for ((_, name, kind), waits) in LOCKS.iter().zip(&waits) {
        for (case, (_, part)) in cases.iter_mut().zip(PARTS) {
            let wait = if part < 1.0 { waits.quantile(part) } else { waits.longest() };
            case.rows.push(Row { name: (*name).to_owned(), kind: *kind, rounds: vec![wait] });
        }
    }
    Ok(cases.into())
}
