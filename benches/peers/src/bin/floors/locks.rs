//! How often does a contended lock change its holder? The fewer changes, the more turns: a holder
//! that takes the lock again finds its cache line at hand.

use super::Failure;
use super::rounds::{Column, Variant, compare};
use outlive::Segment;
use outlive_benches::contest::{self, Control, steps_in};
use outlive_benches::process::stay_on_processor;
use outlive_peers::compare::peers::{self, MakeLock, Object, Source};
use outlive_peers::compare::waits::Waits;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

const AMONG: [&str; 10] = [
    "rustix-futex-sync shm::Mutex",
    "outlive Mutex",
    "outlive Lock",
    "outlive ReentrantMutex",
    "compare-and-swap, swap; polled",
    "pthread mutex, robust",
    "Boost interprocess_mutex",
    "process-sync SharedMutex",
    "raw_sync Mutex",
    "System V semaphore, SEM_UNDO",
];

pub(crate) fn of_0_nanoseconds(rounds: usize) -> Result<String, Failure> {
    measure(rounds, 2, Duration::ZERO)
}

pub(crate) fn of_100_nanoseconds(rounds: usize) -> Result<String, Failure> {
    measure(rounds, 2, Duration::from_nanos(100))
}

pub(crate) fn of_100_nanoseconds_by_8(rounds: usize) -> Result<String, Failure> {
    measure(rounds, 8, Duration::from_nanos(100))
}

pub(crate) fn of_1_microsecond(rounds: usize) -> Result<String, Failure> {
    measure(rounds, 2, Duration::from_micros(1))
}

pub(crate) fn of_1_microsecond_by_32(rounds: usize) -> Result<String, Failure> {
    measure(rounds, 32, Duration::from_micros(1))
}

pub(crate) fn of_10_microseconds_by_4(rounds: usize) -> Result<String, Failure> {
    measure(rounds, 4, Duration::from_micros(10))
}

pub(crate) fn of_10_microseconds(rounds: usize) -> Result<String, Failure> {
    measure(rounds, 32, Duration::from_micros(10))
}

fn measure(rounds: usize, processes: usize, held: Duration) -> Result<String, Failure> {
    let steps = steps_in(held);
    let round = Duration::from_millis(20.max(3 * processes as u64));
    let mut variants: Vec<Variant<'_>> = vec![];
    for name in AMONG {
        let Some(peer) = peers::locks().into_iter().find(|peer| peer.name == name) else { continue };
        let Source::Here(make) = peer.source else { continue };
        if make().is_ok() {
            variants.push((name, Box::new(move || contest_of(make, processes, round, steps))));
        }
    }
    let title = format!("locks: {processes} processes want one lock, each holds it for {held:?}");
    let columns = [
        Column::Times("turns a second"),
        Column::Plain("turns in a row"),
        Column::Plain("smallest share"),
        Column::Times("99 % of waits"),
        Column::Times("99.9 %"),
        Column::Times("all"),
    ];
    compare(&title, &columns, variants, rounds)
}

fn contest_of(make: MakeLock, processes: usize, round: Duration, steps: u64) -> Result<Vec<f64>, Failure> {
    let (control, changes) = (Segment::<Control>::anonymous(|_zero| {})?, Segment::<AtomicU64>::anonymous(|_zero| {})?);
    let Object::Processes(lock) = make()? else { return Err("a lock for threads".into()) };
    let elapsed = contest::compete(&control, processes, round, |me| {
        stay_on_processor(me % 2);
        changes.fetch_add(lock.compete_noting_changes(&control, me, steps), Ordering::Relaxed);
    })?;
    let counts = control.counts[..processes].iter().map(|count| count.load(Ordering::Acquire) as f64);
    let (turns, least) = (counts.clone().sum::<f64>(), counts.fold(f64::INFINITY, f64::min));
    let changes = changes.load(Ordering::Relaxed).max(1) as f64;
    // The waits have a contest of their own: reading the clock takes time.
    let (control, waits) = (Segment::<Control>::anonymous(|_zero| {})?, Segment::<Waits>::anonymous(|_zero| {})?);
    contest::compete(&control, processes, round, |me| {
        stay_on_processor(me % 2);
        lock.compete_by_the_clock(&control, steps, &waits);
    })?;
    Ok(vec![
        turns / elapsed.as_secs_f64(),
        turns / changes,
        least / (turns / processes as f64),
        waits.quantile(0.99),
        waits.quantile(0.999),
        waits.longest(),
    ])
}
