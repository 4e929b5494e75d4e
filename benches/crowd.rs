//! What an event costs beside many processes that sleep on a lock. The events are a process that
//! comes and goes, a death, and a notification. Each makes sleepers recheck, or watch other words.

// A moment in shared memory is no part of an algorithm.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)]

use outlive::{Condvar, Mutex, Segment, Shareable};
use outlive_benches::Mode;
use outlive_benches::process::{self, Child, OthersLoad, monotonic_nanoseconds};
use outlive_benches::report::Table;
use std::error::Error;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::{Duration, Instant};

const MANY: [usize; 5] = [0, 10, 100, 250, 1_000];
const COMERS: usize = 1_000;
const TIMES: usize = 20;
/// Longer than the first phase of a wait can last.
const SETTLE: Duration = Duration::from_millis(100);
const ENOUGH: Duration = Duration::from_secs(20);

#[derive(Shareable)]
#[repr(C)]
struct Shared {
    /// The lock for which the crowd waits.
    crowded: Mutex<u64>,
    /// The lock for which one other process waits.
    lock: Mutex<u64>,
    condvar: Condvar,
    /// When that other process woke up, on the monotonic clock. 0: it has not.
    awake_at: AtomicU64,
}

fn main() -> Result<(), Box<dyn Error>> {
    let mode = Mode::of_arguments();
    if mode == Mode::List {
        return Ok(());
    }
    let load = OthersLoad::since_now()?;
    let columns = [
        "sleepers",
        "newcomer: sleepers' time",
        "in all",
        "death: wakes after",
        "sleepers' time",
        "notify: wakes after",
        "sleepers' time",
    ];
    let mut table = Table::new("µs for each event; the processor time of all sleepers together", &columns);
    for count in if mode == Mode::Measure { &MANY[..] } else { &MANY[1..2] } {
        table.row(row(*count, mode)?);
    }
    println!("{table}");
    load.print()?;
    Ok(())
}

fn row(count: usize, mode: Mode) -> Result<Vec<String>, Box<dyn Error>> {
    let segment = Segment::<Shared>::options().participants(count + 64).anonymous(|_free, _| {})?;
    let held = segment.crowded.lock().map_err(|error| error.to_string())?;
    let crowd: Result<Vec<_>, _> = (0..count).map(|_| process::fork(|| drop(segment.crowded.lock()))).collect();
    let crowd = crowd?;
    for sleeper in &crowd {
        asleep(sleeper)?;
    }
    std::thread::sleep(SETTLE);

    let (comers, times) = (if mode == Mode::Measure { COMERS } else { 2 }, mode.rounds(TIMES));
    let (begun, before) = (Instant::now(), process::time_used(&crowd)?);
    for _ in 0..comers {
        process::fork(|| drop(segment.lock.lock()))?.join(ENOUGH)?;
    }
    let all = begun.elapsed();
    std::thread::sleep(SETTLE);
    let of_comers = process::time_used(&crowd)? - before;

    let (mut death, mut notify) = (Event::default(), Event::default());
    for _ in 0..times {
        death.add(&crowd, &segment, died)?;
        notify.add(&crowd, &segment, notified)?;
    }
    let each = |time: Duration, of: usize| format!("{:.0}", time.as_secs_f64() * 1e6 / of.max(1) as f64);
    let cells = [
        count.to_string(),
        each(of_comers, comers),
        each(all, comers),
        each(death.woken_after(), 1),
        each(death.of_crowd, times),
        each(notify.woken_after(), 1),
        each(notify.of_crowd, times),
    ];
    drop(crowd); // killed
    drop(held);
    Ok(cells.into())
}

#[derive(Default)]
struct Event {
    woken_after: Vec<Duration>,
    of_crowd: Duration,
}

/// The processes that take part in an event (the last one waits), and the event itself.
type Prepared<'a> = (Vec<Child>, Box<dyn FnOnce() + 'a>);
type Prepare<'a> = fn(&'a Segment<Shared>) -> Result<Prepared<'a>, Box<dyn Error>>;

impl Event {
    fn add<'a>(
        &mut self,
        crowd: &[Child],
        segment: &'a Segment<Shared>,
        prepare: Prepare<'a>,
    ) -> Result<(), Box<dyn Error>> {
        let awake_at = &segment.awake_at;
        awake_at.store(0, SeqCst);
        let (mut children, happen) = prepare(segment)?;
        asleep(children.last().ok_or("nobody waits")?)?;
        std::thread::sleep(SETTLE);
        let before = process::time_used(crowd)?;
        let at = monotonic_nanoseconds();
        happen();
        children.last_mut().ok_or("nobody waits")?.join(ENOUGH)?;
        self.woken_after.push(Duration::from_nanos(awake_at.load(SeqCst) - at));
        std::thread::sleep(SETTLE);
        self.of_crowd += process::time_used(crowd)? - before;
        Ok(())
    }

    /// The median of all.
    fn woken_after(&mut self) -> Duration {
        self.woken_after.sort();
        self.woken_after.get(self.woken_after.len() / 2).copied().unwrap_or_default()
    }
}

/// A holder dies, and one process waits for its lock.
fn died(segment: &Segment<Shared>) -> Result<Prepared<'_>, Box<dyn Error>> {
    let holder = process::fork(|| {
        core::mem::forget(segment.lock.lock());
        std::thread::sleep(ENOUGH);
    })?;
    holder.wait_until_asleep_in(&[libc::SYS_clock_nanosleep], Duration::ZERO)?;
    let waiter = process::fork(|| {
        match segment.lock.lock() {
            Err(outlive::LockError::OwnerDied(left)) => left.into_inner().mark_consistent(),
            other => panic!("{other:?}"),
        }
        segment.awake_at.store(monotonic_nanoseconds(), SeqCst);
    })?;
    let id = holder.id() as libc::pid_t;
    // SAFETY: a child of ours that has not been waited for, so the id is its own.
    Ok((vec![holder, waiter], Box::new(move || _ = unsafe { libc::kill(id, libc::SIGKILL) })))
}

/// A notification, for which one process waits.
fn notified(segment: &Segment<Shared>) -> Result<Prepared<'_>, Box<dyn Error>> {
    let waiter = process::fork(|| {
        let guard = segment.lock.lock().expect("free");
        drop(segment.condvar.wait_while(guard, |count| core::mem::take(count) == 0).expect("consistent"));
        segment.awake_at.store(monotonic_nanoseconds(), SeqCst);
    })?;
    let notify = || {
        *segment.lock.lock().expect("free") = 1;
        segment.condvar.notify_one();
    };
    Ok((vec![waiter], Box::new(notify)))
}

fn asleep(child: &Child) -> Result<(), Box<dyn Error>> {
    Ok(child.wait_until_asleep_in(&[libc::SYS_futex, libc::SYS_futex_waitv], Duration::ZERO)?)
}
