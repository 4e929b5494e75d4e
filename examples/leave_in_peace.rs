//! A wait that a signal interrupts. Two workers and their parent meet at a barrier after each step.
//! One worker is asked to stop (SIGTERM) while it waits there. It takes its arrival back, tidies up
//! and ends. The barrier is not broken, and a new worker takes the place of the old one.
//!
//! `cargo run --release --example leave_in_peace`

#![allow(clippy::disallowed_methods)] // for a handler of SIGTERM

use outlive::{Barrier, BarrierError, Interrupter, Segment, interruptible_by};
use std::error::Error;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

const WORKERS: usize = 2;

static STOP: Interrupter = Interrupter::new();

extern "C" fn stop(_signal: i32) {
    STOP.interrupt(); // a signal handler may call this
}

fn main() -> Result<(), Box<dyn Error>> {
    if std::env::args().nth(1).as_deref() == Some("worker") { work() } else { run() }
}

fn run() -> Result<(), Box<dyn Error>> {
    let meeting = Segment::<Barrier>::anonymous(|meeting| *meeting = Barrier::new(WORKERS + 1))?;
    let mut workers = Workers(vec![]);
    for _ in 0..WORKERS {
        workers.0.push(start(&meeting)?);
    }
    for step in 1..=3 {
        meeting.wait_timeout(Duration::from_secs(20))?;
        println!("all have done step {step}");
    }

    until(|| meeting.n_waiting() == WORKERS)?;
    let mut asked = workers.0.remove(0);
    // SAFETY: sends a signal to a child that was not waited for.
    unsafe { libc::kill(asked.id() as i32, libc::SIGTERM) };
    println!("worker {} was asked to stop, and ended with {}", asked.id(), asked.wait()?);
    println!("{} wait, and the barrier is broken: {}", meeting.n_waiting(), meeting.is_broken());

    workers.0.push(start(&meeting)?);
    meeting.wait_timeout(Duration::from_secs(20))?;
    println!("all have done step 4");
    Ok(())
}

fn start(meeting: &Segment<Barrier>) -> Result<Child, Box<dyn Error>> {
    let mut command = Command::new(std::env::current_exe()?);
    meeting.pass_to(command.arg("worker"), "meeting")?;
    Ok(command.spawn()?)
}

/// A worker: meets the others after each step, until it is asked to stop.
fn work() -> Result<(), Box<dyn Error>> {
    // SAFETY: the handler is async-signal-safe.
    unsafe { libc::signal(libc::SIGTERM, stop as extern "C" fn(i32) as libc::sighandler_t) };
    let meeting = Segment::<Barrier>::inherit("meeting")?;
    loop {
        match interruptible_by(&STOP, || meeting.wait()) {
            Ok(_met) => {}
            Err(BarrierError::Interrupted) => return Ok(()), // a real worker would tidy up here
            Err(error) => return Err(error.into()),
        }
    }
}

fn until(is_so: impl Fn() -> bool) -> Result<(), Box<dyn Error>> {
    let begin = Instant::now();
    while !is_so() {
        if begin.elapsed() > Duration::from_secs(20) {
            return Err("the workers did not come within twenty seconds".into());
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

/// The children. Dropping this ends them, also after an error.
struct Workers(Vec<Child>);

impl Drop for Workers {
    fn drop(&mut self) {
        for worker in &mut self.0 {
            let _ended_already = worker.kill();
            let _not_ours = worker.wait();
        }
    }
}
