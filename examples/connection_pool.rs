//! Permits that come back when their holder dies. Worker processes share two connections. A worker
//! is killed while it uses one. The next worker that gets this connection learns of it, and resets
//! the connection. With a semaphore the connection would be lost forever.
//!
//! `cargo run --release --example connection_pool`

#![allow(clippy::disallowed_types)] // plain numbers that processes share

use outlive::{PermitPool, Segment, Shareable};
use std::error::Error;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::{Duration, Instant};

const CONNECTIONS: usize = 2;
const WORKERS: usize = 4;
const QUERIES: u64 = 20;

#[derive(Shareable)]
#[repr(C)]
struct Shared {
    pool: PermitPool<CONNECTIONS>,
    /// Each number stands for a connection. It is odd in the middle of a query.
    connections: [AtomicU64; CONNECTIONS],
    answered: AtomicU64,
}

fn main() -> Result<(), Box<dyn Error>> {
    match std::env::args().nth(1).as_deref() {
        Some("worker") => work(false),
        Some("victim") => work(true),
        _ => run(),
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let segment = Segment::<Shared>::anonymous(|_free| {})?;
    let mut workers = Workers(vec![start(&segment, "victim")?]);
    let output = workers.0[0].stdout.take().ok_or("the victim has no output")?;
    let mut line = String::new();
    BufReader::new(output).read_line(&mut line)?;
    print!("{line}");
    for _ in 1..WORKERS {
        workers.0.push(start(&segment, "worker")?);
    }
    until("the others to begin", || segment.answered.load(SeqCst) > 0)?;
    workers.0[0].kill()?;
    println!("killed process {} in the middle of a query", workers.0[0].id());
    for worker in &mut workers.0[1..] {
        if !worker.wait()?.success() {
            return Err("a worker failed".into());
        }
    }
    println!("{} queries answered; connections in use now: {}", segment.answered.load(SeqCst), segment.pool.held());
    Ok(())
}

fn start(segment: &Segment<Shared>, role: &str) -> Result<Child, Box<dyn Error>> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg(role);
    if role == "victim" {
        command.stdout(Stdio::piped());
    }
    segment.pass_to(&mut command, "pool")?;
    Ok(command.spawn()?)
}

/// A worker: makes its queries, each on a connection of the pool. The victim stops in the middle of
/// its first query.
fn work(stops: bool) -> Result<(), Box<dyn Error>> {
    let shared = Segment::<Shared>::inherit("pool")?;
    let process = std::process::id();
    for _ in 0..QUERIES {
        let permit = shared.pool.try_permit_for(Duration::from_secs(10))?;
        let connection = &shared.connections[permit.index()];
        if let Some(dead) = permit.previous_holder_died() {
            let state = if connection.load(SeqCst) % 2 == 1 { "in the middle of a query" } else { "between queries" };
            println!(
                "process {process}: participant {dead} died with connection {}, {state}: reset it",
                permit.index()
            );
            connection.store(0, SeqCst);
        }
        assert_eq!(connection.fetch_add(1, SeqCst) % 2, 0, "another process is using this connection");
        if stops {
            println!("process {process} uses connection {}", permit.index());
            std::io::stdout().flush()?;
            loop {
                std::thread::park(); // until SIGKILL
            }
        }
        std::thread::sleep(Duration::from_millis(1)); // the answer takes a while
        connection.fetch_add(1, SeqCst);
        shared.answered.fetch_add(1, SeqCst);
    }
    Ok(())
}

fn until(what: &str, done: impl Fn() -> bool) -> Result<(), Box<dyn Error>> {
    let begin = Instant::now();
    while !done() {
        if begin.elapsed() > Duration::from_secs(10) {
            return Err(format!("waited ten seconds for {what}").into());
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
            // A child that was waited for has ended. Killing it again does nothing.
            let _ended = worker.kill().and_then(|()| worker.wait());
        }
    }
}
