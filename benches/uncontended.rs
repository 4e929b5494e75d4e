//! Lock and unlock where nobody else wants to: the price that every user pays every time.
//!
//! Criterion gives the figures; then a comparison of our own, since two of criterion's figures are seconds apart, and the machine
//! is not the same any more: many short rounds, in each of them every candidate, and the median of the ratios in one round.

use criterion::Criterion;
use outlive::{Lock, Mutex, Segment, Shareable};
use outlive_benches::Mode;
use outlive_benches::peers::{Floor, Pthread, Robustness, Std};
use outlive_benches::process::stay_on_this_processor;
use outlive_benches::report::{Samples, Table, Target, verdict, with_interval};
use std::error::Error;
use std::hint::black_box;
use std::time::{Duration, Instant};

/// Of one candidate in one round: some tens of microseconds, so that few of them are disturbed.
const TURNS: u64 = 4_000;
const ROUNDS: usize = 4_000;

#[derive(Shareable)]
#[repr(C, align(64))]
struct Ours {
    mutex: Mutex<u64>,
    apart: [u64; 6],
    lock: Lock,
}

/// One candidate: does its thing so many times, and says how long that took.
type Candidate<'a> = (&'static str, Box<dyn FnMut(u64) -> Duration + 'a>);

/// Each candidate gets a loop of its own, with `once` inlined.
fn candidate<'a>(name: &'static str, mut once: impl FnMut() + 'a) -> Candidate<'a> {
    let run = move |turns| {
        let begun = Instant::now();
        for _ in 0..turns {
            once();
        }
        begun.elapsed()
    };
    (name, Box::new(run))
}

const FLOOR: &str = "floor: cas + swap";
const MUTEX: &str = "outlive Mutex";
const PSHARED: &str = "pthread pshared";

fn main() -> Result<(), Box<dyn Error>> {
    stay_on_this_processor();
    let first = Segment::<Ours>::anonymous(|_free| {})?;
    let second = Segment::<Ours>::anonymous(|_free| {})?;
    let floor = Segment::<Floor>::anonymous(|_free| {})?;
    let mut answer = Ok(());
    let pshared = Segment::<Pthread>::anonymous(|new| answer = new.set_up(Robustness::Stalled))?;
    answer?;
    let mut answer = Ok(());
    let robust = Segment::<Pthread>::anonymous(|new| answer = new.set_up(Robustness::Robust))?;
    answer?;
    let std = Segment::<Std>::anonymous(Std::set_up)?;
    // SAFETY: set up in the line above, and this process has it alone.
    let std = unsafe { std.get() };
    let (ours, other) = (&*first, &*second);
    let (floor, pshared, robust) = (&*floor, &*pshared, &*robust);
    let id = first.attach()?.word();

    let mut candidates = vec![
        candidate(FLOOR, || {
            let word = black_box(floor);
            assert!(word.take(black_box(id)));
            word.give_back();
        }),
        candidate(MUTEX, || drop(black_box(&ours.mutex).lock().unwrap())),
        candidate("outlive Mutex, two segments in turn", {
            let mut pair = (&ours.mutex, &other.mutex);
            move || {
                drop(black_box(pair.0).lock().unwrap());
                pair = (pair.1, pair.0);
            }
        }),
        candidate("outlive Lock, acquire + release", || {
            let lock = black_box(&ours.lock);
            lock.acquire().unwrap();
            lock.release().unwrap();
        }),
        candidate("outlive Lock, guard", || drop(black_box(&ours.lock).lock().unwrap())),
        candidate("std::sync::Mutex (threads only)", || drop(black_box(std).lock().unwrap())),
        candidate(PSHARED, || pthread(pshared)),
        candidate("pthread pshared robust", || pthread(robust)),
    ];

    let mode = Mode::of_arguments();
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_millis(1_500))
        .configure_from_args();
    let mut group = criterion.benchmark_group("uncontended lock + unlock");
    for (name, run) in &mut candidates {
        group.bench_function(*name, |bencher| bencher.iter_custom(&mut *run));
    }
    group.finish();
    criterion.final_summary();
    if mode != Mode::List {
        compare(&mut candidates, mode.rounds(ROUNDS));
    }
    Ok(())
}

#[inline(always)]
fn pthread(mutex: &Pthread) {
    let mutex = black_box(mutex);
    assert_eq!(mutex.lock(), 0);
    // SAFETY: held, by the line above; nobody has looked at the data.
    assert_eq!(unsafe { mutex.unlock() }, 0);
}

fn compare(candidates: &mut [Candidate<'_>], rounds: usize) {
    let count = candidates.len();
    let mut times = vec![Vec::with_capacity(rounds); count];
    for round in 0..rounds {
        for turn in 0..count {
            let which = (round + turn) % count;
            let (_, run) = &mut candidates[which];
            run(TURNS / 20); // brings its lines and branches back
            times[which].push(run(TURNS).as_nanos() as f64 / TURNS as f64);
        }
    }
    let index_of = |name| candidates.iter().position(|c| c.0 == name).expect("one of the candidates");
    let (floor, pshared) = (index_of(FLOOR), index_of(PSHARED));
    let mut table = Table::new(
        format!("uncontended lock + unlock, {rounds} rounds; medians, [95 % interval] of ratios within a round"),
        &["", "ns", "x floor", "", "x pthread pshared", ""],
    );
    for (which, (name, _)) in candidates.iter().enumerate() {
        let to_floor = Samples::ratios(&times[which], &times[floor]);
        let to_pshared = Samples::ratios(&times[which], &times[pshared]);
        let judge = |figures: &Samples, target| match name.starts_with("outlive") {
            true => verdict(figures, target),
            false => String::new(),
        };
        table.row([
            (*name).to_string(),
            format!("{:.1}", times[which].iter().copied().collect::<Samples>().median()),
            with_interval(&to_floor),
            judge(&to_floor, Target::AtMost(1.3)),
            with_interval(&to_pshared),
            judge(&to_pshared, Target::AtMost(1.0)),
        ]);
    }
    println!("{table}");
}
