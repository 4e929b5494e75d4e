//! How long it takes from the SIGKILL of a holder until a waiter has the lock.
//!
//! In each round, for each kind of lock: The holder takes the lock, and says so through a pipe. The
//! waiter falls asleep on the lock. The parent reads the clock and kills the holder. The waiter
//! reads the clock as soon as it has the lock.
//!
//! A process that was just forked has no page of its code mapped, and pays for each page that it
//! reaches. It would pay most for the code that it runs for the first time after the death. That is
//! no property of a lock, so the waiter maps all pages before it waits.

// The moment of waking is no part of an algorithm. A pidfd needs a raw system call.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)]

use outlive::{Mutex, Segment};
use outlive_benches::Mode;
use outlive_benches::peers::{FlockFile, Guarded, Pthread, Robustness};
use outlive_benches::process::{self, Child, OthersLoad, monotonic_nanoseconds};
use outlive_benches::report::{Samples, Table, Target, verdict, with_interval};
use std::error::Error;
use std::io::{Read, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

const ROUNDS: usize = 400;
/// How long a waiter sleeps at least before the kill. This is longer than the first phase of a wait
/// in outlive: after that phase it watches all words.
const SETTLE: Duration = Duration::from_millis(15);

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Outlive,
    Robust,
    Pidfd,
    Flock,
}

const KINDS: [(Kind, &str); 4] = [
    (Kind::Outlive, "outlive Mutex"),
    (Kind::Robust, "pthread pshared robust"),
    (Kind::Pidfd, "pidfd, poll"),
    (Kind::Flock, "flock"),
];

fn main() -> Result<(), Box<dyn Error>> {
    let mode = Mode::of_arguments();
    if mode == Mode::List {
        return Ok(());
    }
    let load = OthersLoad::since_now()?;
    let mut times = KINDS.map(|_| vec![]);
    for round in 0..mode.rounds(ROUNDS) {
        for turn in 0..KINDS.len() {
            let which = (round + turn) % KINDS.len();
            times[which].push(once(KINDS[which].0)?);
        }
    }
    show(&times);
    load.print()?;
    Ok(())
}

/// Nanoseconds from the kill to the lock.
fn once(kind: Kind) -> Result<f64, Box<dyn Error>> {
    let woken_at = Segment::<AtomicU64>::anonymous(|_zero| {})?;
    let woken_at = &*woken_at;
    match kind {
        Kind::Outlive => {
            let locks = Segment::<[Mutex<u64>; 2]>::anonymous(|_free| {})?;
            kill_a_holder(woken_at, || Warm { lock: &locks[0], spare: &locks[1] })
        }
        Kind::Robust => {
            let mut answer = Ok(());
            let locks = Segment::<[Pthread; 2]>::anonymous(|new| {
                answer = new.iter_mut().try_for_each(|lock| lock.set_up(Robustness::Robust));
            })?;
            answer?;
            kill_a_holder(woken_at, || Warm { lock: &locks[0], spare: &locks[1] })
        }
        Kind::Flock => {
            let number = Segment::<[AtomicU64; 2]>::anonymous(|_zero| {})?;
            let files = [FlockFile::new()?, FlockFile::new()?];
            kill_a_holder(woken_at, || {
                let [lock, spare] = [0, 1].map(|i| files[i].open(&number[i]).expect("a file in memory can be opened"));
                Warm { lock, spare }
            })
        }
        Kind::Pidfd => kill_a_process(woken_at),
    }
}

/// A lock, and a spare of the same kind. Everything is done once with the spare, before time
/// counts.
struct Warm<L> {
    lock: L,
    spare: L,
}

impl<L: Guarded> Warm<L> {
    fn up(self, woken_at: &AtomicU64) -> L {
        self.spare.with(|number| *number += 1);
        woken_at.store(monotonic_nanoseconds(), Ordering::Relaxed);
        woken_at.store(0, Ordering::Relaxed);
        self.lock
    }
}

fn kill_a_holder<L: Guarded>(woken_at: &AtomicU64, open: impl Fn() -> Warm<L>) -> Result<f64, Box<dyn Error>> {
    let holder = start(|is_ready| {
        open().up(woken_at).with(|_number| {
            is_ready();
            sleep_until_killed();
        });
    })?;
    let waiter = process::fork(|| {
        let lock = open().up(woken_at);
        process::map_all_code();
        lock.with(|_number| woken_at.store(monotonic_nanoseconds(), Ordering::Release));
    })?;
    let calls = [libc::SYS_futex, libc::SYS_futex_waitv, libc::SYS_flock];
    kill_while_asleep(holder, waiter, &calls, woken_at)
}

/// No lock at all: a program that watches another process by itself.
fn kill_a_process(woken_at: &AtomicU64) -> Result<f64, Box<dyn Error>> {
    let holder = start(|is_ready| {
        is_ready();
        sleep_until_killed();
    })?;
    let waiter = process::fork(|| {
        // SAFETY: names a process and no memory.
        let descriptor = unsafe { libc::syscall(libc::SYS_pidfd_open, holder.id(), 0) };
        let fd = i32::try_from(descriptor).expect("a descriptor");
        assert!(fd >= 0, "pidfd_open: {}", std::io::Error::last_os_error());
        process::map_all_code();
        let mut watched = libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
        // SAFETY: one valid entry; no deadline, no signal mask. A signal ends the process.
        let ready = unsafe { libc::ppoll(&mut watched, 1, std::ptr::null(), std::ptr::null()) };
        woken_at.store(monotonic_nanoseconds(), Ordering::Release);
        assert_eq!(ready, 1);
    })?;
    kill_while_asleep(holder, waiter, &[libc::SYS_ppoll], woken_at)
}

/// Forks a child, and waits until the child says by the function that it gets that it is ready.
fn start(work: impl FnOnce(&dyn Fn())) -> Result<Child, Box<dyn Error>> {
    let (mut reader, writer) = process::pipe()?;
    let child = process::fork(|| work(&|| (&writer).write_all(b"!").expect("the parent reads")))?;
    drop(writer); // so that the read ends if the child does
    reader.read_exact(&mut [0])?;
    Ok(child)
}

fn sleep_until_killed() {
    loop {
        // SAFETY: only sleeps. `fork` limits how long a child lives.
        unsafe { libc::pause() };
    }
}

fn kill_while_asleep(
    mut holder: Child,
    mut waiter: Child,
    calls: &[i64],
    woken_at: &AtomicU64,
) -> Result<f64, Box<dyn Error>> {
    waiter.wait_until_asleep_in(calls, SETTLE)?;
    let killed_at = monotonic_nanoseconds();
    holder.kill();
    std::thread::sleep(Duration::from_millis(2)); // leaves the processors to these two
    waiter.join(Duration::from_secs(5))?;
    holder.wait(Duration::from_secs(5))?;
    match woken_at.load(Ordering::Acquire).checked_sub(killed_at) {
        Some(nanoseconds) => Ok(nanoseconds as f64),
        None => Err("the waiter had the lock before the holder was killed".into()),
    }
}

fn show(times: &[Vec<f64>; KINDS.len()]) {
    let robust = KINDS.iter().position(|kind| kind.0 == Kind::Robust).expect("one of the kinds");
    let mut table = Table::new(
        format!("SIGKILL of the holder to the waiter running, {} rounds; ratios within a round", times[0].len()),
        &["", "median us", "p90 us", "x robust [95 % interval]", "p90 : p90", ""],
    );
    for ((kind, name), of) in KINDS.iter().zip(times) {
        let own: Samples = of.iter().copied().collect();
        let to_robust = Samples::ratios(of, &times[robust]);
        let robust: Samples = times[robust].iter().copied().collect();
        table.row([
            (*name).to_string(),
            format!("{:.0}", own.median() / 1e3),
            format!("{:.0}", own.quantile(0.9) / 1e3),
            with_interval(&to_robust),
            format!("{:.2}", own.quantile(0.9) / robust.quantile(0.9)),
            match kind {
                Kind::Outlive => verdict(&to_robust, Target::AtMost(1.0)),
                _ => String::new(),
            },
        ]);
    }
    println!("{table}");
}
