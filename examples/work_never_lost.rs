//! Work that is not lost with its workers. A parent sends a hundred thousand small jobs, and eight
//! worker processes do them. Again and again three of the workers are killed, wherever they are,
//! and replaced. In the end each job is done, and the sum of the results is right.
//!
//! A `TaskQueue` gives a job out until a worker says that it is done. So a job whose worker died is
//! done by another one. It may be done twice: its worker may have died after the last step, and
//! before it said so. Hence each job has a place of its own for its result, where the second result
//! is the same as the first.
//!
//! `cargo run --release --example work_never_lost`

#![allow(clippy::disallowed_types)] // plain numbers that processes share

use outlive::{ArrayTaskQueue, Segment, Shareable};
use std::process::{Child, Command};
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::Duration;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

const JOBS: usize = 100_000;
const WORKERS: usize = 8;
/// How often three workers are killed: each time a part of the jobs is done.
const RAIDS: u64 = 10;

/// How many steps does the number need until it is 1? (It is halved, or tripled plus one.)
#[derive(Clone, Copy, Shareable)]
#[repr(C)]
struct Job {
    number: u64,
}

#[derive(Shareable)]
#[repr(C)]
struct Shared {
    jobs: ArrayTaskQueue<Job, 256>,
    /// How often a job was done.
    done: AtomicU64,
    /// How often that was not the first attempt.
    again: AtomicU64,
    /// The result of each job.
    results: [AtomicU64; JOBS],
}

impl Job {
    fn steps(self) -> u64 {
        let next = |n: &u64| (*n != 1).then(|| if n % 2 == 0 { n / 2 } else { 3 * n + 1 });
        std::iter::successors(Some(self.number), next).count() as u64 - 1
    }
}

fn main() -> Result<()> {
    match std::env::args().nth(1).as_deref() {
        None => run(),
        Some("worker") => work(&*Segment::<Shared>::inherit("work")?),
        Some(other) => Err(format!("unknown argument {other:?}; run it without any").into()),
    }
}

fn work(shared: &Shared) -> Result<()> {
    // Ends when the queue is closed, and all jobs are done: those of other workers, too.
    while let Ok(job) = shared.jobs.take() {
        shared.results[job.number as usize - 1].store(job.steps(), SeqCst);
        shared.done.fetch_add(1, SeqCst);
        shared.again.fetch_add(u64::from(job.attempts() > 1), SeqCst);
        job.done()?;
    }
    Ok(())
}

fn run() -> Result<()> {
    let shared = Segment::<Shared>::anonymous(|_empty| {})?;
    let mut workers = Workers(vec![]);
    for _ in 0..WORKERS {
        workers.0.push(start(&shared)?);
    }
    std::thread::scope(|scope| {
        let sender = scope.spawn(|| {
            (1..=JOBS as u64).try_for_each(|number| shared.jobs.send(Job { number }))?;
            Result::Ok(shared.jobs.close()?)
        });
        for raid in 1..=RAIDS {
            // Waits for results, and not for a time: so all the kills are amid the work.
            while shared.done.load(SeqCst) < raid * JOBS as u64 / (RAIDS + 1) {
                std::thread::sleep(Duration::from_micros(100));
            }
            for worker in workers.0.iter_mut().take(3) {
                worker.kill()?;
                worker.wait()?;
                *worker = start(&shared)?;
            }
            workers.0.rotate_left(3);
        }
        sender.join().map_err(|_| "the sender panicked")?
    })?;
    shared.jobs.join()?;
    for worker in &mut workers.0 {
        if !worker.wait()?.success() {
            return Err("a worker failed".into());
        }
    }
    let expected: u64 = (1..=JOBS as u64).map(|number| Job { number }.steps()).sum();
    let sum: u64 = shared.results.iter().map(|result| result.load(SeqCst)).sum();
    println!("{} workers were killed, and {} jobs were begun again", 3 * RAIDS, shared.again.load(SeqCst));
    println!("all {JOBS} jobs are done: the sum of the results is {sum}");
    if sum == expected { Ok(()) } else { Err(format!("the sum should be {expected}").into()) }
}

fn start(shared: &Segment<Shared>) -> Result<Child> {
    let mut command = Command::new(std::env::current_exe()?);
    shared.pass_to(command.arg("worker"), "work")?;
    Ok(command.spawn()?)
}

/// The children. Dropping this ends them, also after an error.
struct Workers(Vec<Child>);

impl Drop for Workers {
    fn drop(&mut self) {
        self.0.iter_mut().for_each(|worker| drop(worker.kill().and_then(|()| worker.wait())));
    }
}
