//! Jobs for several workers. A parent puts jobs into a queue, and worker processes put their
//! answers into another. Both queues have room for four items, so whoever is too fast waits. A
//! worker is killed while it has a job. The others do the rest, and the parent finds out which
//! answer is missing.
//!
//! A queue loses nothing while an item is sent or received. But a job that `recv` has returned
//! belongs to the worker, and is lost with it. So the parent keeps account of the answers.
//!
//! `cargo run --release --example job_queue`

#![allow(clippy::disallowed_types)] // a plain number that processes share

use outlive::{ArrayQueue, Segment, Shareable};
use std::process::{Child, Command};
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::Duration;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

const WORKERS: usize = 3;
const JOBS: u64 = 12;

/// Count the prime numbers below a number.
#[derive(Clone, Copy, Shareable)]
#[repr(C)]
struct Job {
    below: u64,
}

#[derive(Clone, Copy, Shareable)]
#[repr(C)]
struct Answer {
    below: u64,
    primes: u64,
}

#[derive(Shareable)]
#[repr(C)]
struct Shared {
    jobs: ArrayQueue<Job, 4>,
    answers: ArrayQueue<Answer, 4>,
    /// Set by the worker that is to be killed, when it has a job.
    is_busy: AtomicU64,
}

impl Job {
    fn answer(self) -> Answer {
        let is_prime = |n: &u64| (2..).take_while(|d| d * d <= *n).all(|d| n % d != 0);
        Answer { below: self.below, primes: (2..self.below).filter(is_prime).count() as u64 }
    }
}

fn main() -> Result<()> {
    match std::env::args().nth(1).as_deref() {
        None => run(),
        Some("worker") => {
            let shared = Segment::<Shared>::inherit("jobs")?;
            // Ends when the queue of jobs is closed and empty.
            Ok(shared.jobs.iter().try_for_each(|job| shared.answers.send(job.answer()))?)
        }
        Some("victim") => {
            let shared = Segment::<Shared>::inherit("jobs")?;
            let _job = shared.jobs.recv()?;
            shared.is_busy.store(1, SeqCst);
            loop {
                std::thread::park(); // until SIGKILL
            }
        }
        Some(other) => Err(format!("unknown argument {other:?}; run it without any").into()),
    }
}

fn run() -> Result<()> {
    let shared = Segment::<Shared>::anonymous(|_empty| {})?;
    let mut workers = Workers(vec![start(&shared, "victim")?]);
    let missing = std::thread::scope(|scope| {
        scope.spawn(|| {
            (1..=JOBS).try_for_each(|n| shared.jobs.send(Job { below: n * 1_000 }))?;
            Ok::<_, Box<dyn std::error::Error + Send + Sync>>(shared.jobs.close()?)
        });
        while shared.is_busy.load(SeqCst) == 0 {
            std::thread::sleep(Duration::from_millis(1));
        }
        workers.0[0].kill()?;
        println!("killed a worker that had a job; {} jobs wait", shared.jobs.len());
        for _ in 0..WORKERS {
            workers.0.push(start(&shared, "worker")?);
        }
        scope.spawn(|| {
            workers.0.iter_mut().for_each(|worker| drop(worker.wait()));
            shared.answers.close() // no answer will come
        });
        let mut missing: Vec<_> = (1..=JOBS).map(|n| n * 1_000).collect();
        for answer in shared.answers.iter() {
            println!("{} primes below {}", answer.primes, answer.below);
            missing.retain(|below| *below != answer.below);
        }
        Result::Ok(missing)
    })?;
    for below in missing {
        println!("{} primes below {below}: its worker was killed, so it is done again", Job { below }.answer().primes);
    }
    Ok(())
}

fn start(shared: &Segment<Shared>, role: &str) -> Result<Child> {
    let mut command = Command::new(std::env::current_exe()?);
    shared.pass_to(command.arg(role), "jobs")?;
    Ok(command.spawn()?)
}

/// The children. Dropping this ends them, also after an error.
struct Workers(Vec<Child>);

impl Drop for Workers {
    fn drop(&mut self) {
        self.0.iter_mut().for_each(|worker| drop(worker.kill().and_then(|()| worker.wait())));
    }
}
