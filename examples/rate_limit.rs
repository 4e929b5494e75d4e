//! A semaphore without holders. Several processes together may send ten requests in a tenth of a
//! second. A parent puts tokens into a semaphore, and the children take one for each request. One
//! child is killed while it waits. The tokens and wakes go to the others.
//!
//! Tokens are used up and never come back, so nobody needs to hold them. This is what a semaphore
//! is for.
//!
//! `cargo run --release --example rate_limit`

#![allow(clippy::disallowed_types)] // a plain number that processes share

use outlive::{Segment, Semaphore, Shareable};
use std::error::Error;
use std::process::{Child, Command};
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::{Duration, Instant};

const BURST: u32 = 10;
const SENDERS: usize = 3;
const REQUESTS: u64 = 40;

#[derive(Shareable)]
#[repr(C)]
struct Shared {
    tokens: Semaphore,
    sent: AtomicU64,
}

fn main() -> Result<(), Box<dyn Error>> {
    if std::env::args().nth(1).as_deref() == Some("sender") { send() } else { run() }
}

fn run() -> Result<(), Box<dyn Error>> {
    // Bounded: tokens that nobody takes in a quiet time do not accumulate.
    let segment = Segment::<Shared>::anonymous(|shared| shared.tokens = Semaphore::bounded(BURST, BURST))?;
    let mut senders = Senders(vec![]);
    for _ in 0..SENDERS {
        let mut command = Command::new(std::env::current_exe()?);
        segment.pass_to(command.arg("sender"), "limit")?;
        senders.0.push(command.spawn()?);
    }
    let begin = Instant::now();
    while segment.participants().iter().filter(|p| p.asleep_for.is_some()).count() < SENDERS {
        if begin.elapsed() > Duration::from_secs(10) {
            return Err("the senders did not use up the first tokens within ten seconds".into());
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    println!("{} requests sent, the senders wait for tokens", segment.sent.load(SeqCst));
    senders.0[0].kill()?;
    println!("killed sender {} while it waited", senders.0[0].id());
    let begin = Instant::now();
    while segment.sent.load(SeqCst) < REQUESTS {
        if begin.elapsed() > Duration::from_secs(20) {
            return Err("the requests were not sent within twenty seconds".into());
        }
        std::thread::sleep(Duration::from_millis(100) / BURST);
        // An error says that the semaphore has all its tokens. Then this one is not needed.
        let _full = segment.tokens.release();
    }
    println!("{} requests sent, the last in {:.0?}", segment.sent.load(SeqCst), begin.elapsed());
    Ok(())
}

/// A sender: takes a token for each request, until all requests are sent.
fn send() -> Result<(), Box<dyn Error>> {
    let shared = Segment::<Shared>::inherit("limit")?;
    while shared.sent.load(SeqCst) < REQUESTS {
        shared.tokens.try_acquire_for(Duration::from_secs(20))?;
        shared.sent.fetch_add(1, SeqCst);
    }
    Ok(())
}

/// The children. Dropping this ends them, also after an error.
struct Senders(Vec<Child>);

impl Drop for Senders {
    fn drop(&mut self) {
        for sender in &mut self.0 {
            let _ended = sender.kill().and_then(|()| sender.wait());
        }
    }
}
