//! A barrier whose member dies. Worker processes start at the same moment, work in rounds, and meet
//! after each round. One worker is killed in the middle. The others learn at once which worker
//! died, go on without it, and finish. With Python's barrier they would wait forever.
//!
//! `cargo run --release --example start_together`

use outlive::{Barrier, BarrierTimeoutError, Event, Segment, Shareable};
use std::error::Error;
use std::process::{Child, Command, ExitCode};
use std::time::{Duration, Instant};

const WORKERS: usize = 4;
const ROUNDS: u32 = 5;
/// Every wait here is much shorter.
const TIMEOUT: Duration = Duration::from_secs(20);

/// What the processes share.
#[derive(Shareable)]
#[repr(C)]
struct Shared {
    /// Set by the parent: all begin.
    start: Event,
    /// Set by a worker that has learnt of the death.
    noticed: Event,
    /// All workers and the parent meet here before the start.
    ready: Barrier<{ WORKERS + 1 }>,
    /// The workers meet here after each round.
    round: Barrier<WORKERS>,
    /// The workers that are left, one fewer, meet here.
    rest: Barrier<{ WORKERS - 1 }>,
}

fn main() -> ExitCode {
    let result = match std::env::args().nth(1) {
        None => run(),
        Some(number) => work(&number),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("start_together: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The parent: starts the workers, gives the signal, kills one, and waits for the others.
fn run() -> Result<(), Box<dyn Error>> {
    let shared = Segment::<Shared>::anonymous(|_zero| {})?;
    let mut workers = Workers(vec![]);
    for number in 1..=WORKERS {
        let mut command = Command::new(std::env::current_exe()?);
        shared.pass_to(command.arg(number.to_string()), "workers")?;
        workers.0.push(command.spawn()?);
    }
    shared.ready.wait_timeout(TIMEOUT)?;
    println!("all {WORKERS} workers are there: start");
    shared.start.set()?;

    std::thread::sleep(Duration::from_millis(60));
    workers.0[0].kill()?;
    let killed = Instant::now();
    shared.noticed.wait_timeout(TIMEOUT)?;
    println!("worker 1 was killed; another worker knew {:?} later", killed.elapsed());

    for (index, worker) in workers.0.iter_mut().enumerate().skip(1) {
        let status = worker.wait()?;
        if !status.success() {
            return Err(format!("worker {} ended with {status}", index + 1).into());
        }
    }
    println!("the others have finished all rounds");
    Ok(())
}

/// A worker. It joins the barrier: it declares that it will come to each meeting. So its death is
/// also noticed while it works.
fn work(number: &str) -> Result<(), Box<dyn Error>> {
    let shared = Segment::<Shared>::inherit("workers")?;
    let all = shared.round.join()?;
    shared.ready.wait_timeout(TIMEOUT)?;
    shared.start.wait_timeout(TIMEOUT)?;
    let mut one_is_missing = false;
    for round in 1..=ROUNDS {
        std::thread::sleep(Duration::from_millis(30)); // the work
        if !one_is_missing {
            match all.wait_timeout(TIMEOUT) {
                Ok(met) if met.is_leader() => println!("round {round}: all met"),
                Ok(_) => {}
                Err(BarrierTimeoutError::Broken { died: Some(dead) }) => {
                    shared.noticed.set()?;
                    println!("worker {number}, round {round}: participant {dead} died, going on without it");
                    one_is_missing = true;
                }
                Err(error) => return Err(error.into()),
            }
        }
        if one_is_missing && shared.rest.wait_timeout(TIMEOUT)?.is_leader() {
            println!("round {round}: the rest met");
        }
    }
    Ok(())
}

/// The children. Dropping this ends them, also after an error.
struct Workers(Vec<Child>);

impl Drop for Workers {
    fn drop(&mut self) {
        for worker in &mut self.0 {
            // A child that was waited for has ended. Killing it again does nothing.
            let _ended = worker.kill().and_then(|()| worker.wait());
        }
    }
}
