//! Deeds with a pipe. Messages come whole and in order, and none is missing but those of the dead.
//! A worker that has got an end keeps it until it dies. The pipe has a segment of its own, which
//! the workers open by its name.

use super::Random;
use super::shared::{Outcome, Shared, unmet};
use core::time::Duration;
use outlive::{
    OpenError, Pipe, PipeEndError, PipeReceiver, PipeRecvTimeoutError, PipeSendTimeoutError, PipeSender,
    PipeTryRecvError,
};
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Mutex, OnceLock, PoisonError};

const CAPACITY: usize = 4_096;

/// What the workers count.
#[derive(Debug, outlive::Shareable)]
#[repr(C)]
pub(super) struct Counts {
    /// Names the pipe. It is not 0.
    name: AtomicU64,
    /// The number of the next message.
    next: AtomicU64,
    sent: AtomicU64,
    received: AtomicU64,
    /// The number of the message that was received last, and one more.
    seen: AtomicU64,
}

impl Counts {
    pub(super) fn prepare(&mut self) {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        *self.name.get_mut() = u64::from(std::process::id()) << 32 | NEXT.fetch_add(1, SeqCst);
    }

    fn name(&self) -> String {
        format!("outlive-soak-pipe-{:x}", self.name.load(SeqCst))
    }

    /// Notes a message that was received.
    fn note(&self, bytes: &[u8]) -> Result<(), String> {
        let number = bytes.first_chunk().map(|number| u64::from_ne_bytes(*number));
        let Some(number) = number.filter(|number| bytes == message(*number, bytes.len())) else {
            return Err(format!("a message that nobody sent, of {} bytes", bytes.len()));
        };
        self.received.fetch_add(1, SeqCst);
        let seen = self.seen.fetch_max(number + 1, SeqCst);
        if seen > number { Err(format!("message {number} after {}", seen - 1)) } else { Ok(()) }
    }
}

/// The pipe of this process, which belongs to one soak, and the ends that it has.
fn pipe(shared: &Shared) -> Result<&'static Pipe, OpenError> {
    static PIPE: OnceLock<Pipe> = OnceLock::new();
    if let Some(pipe) = PIPE.get() {
        return Ok(pipe);
    }
    let pipe = Pipe::open_or_create(&*shared.piped.name(), CAPACITY)?;
    Ok(PIPE.get_or_init(|| pipe))
}

static SENDER: Mutex<Option<PipeSender>> = Mutex::new(None);
static RECEIVER: Mutex<Option<PipeReceiver>> = Mutex::new(None);

/// Opens the pipe, while the worker has all that it needs for that.
pub(super) fn open(shared: &Shared) -> Result<(), OpenError> {
    pipe(shared).map(drop)
}

/// The bytes of a message follow from its length and its number, with which it begins.
fn message(number: u64, length: usize) -> Vec<u8> {
    let mut bytes: Vec<u8> = (0..length).map(|at| (number as u8).wrapping_add((at * length) as u8)).collect();
    bytes[..8].copy_from_slice(&number.to_ne_bytes());
    bytes
}

fn a_moment(random: &mut Random) -> Duration {
    Duration::from_micros(random.below(2_000))
}

pub(super) fn send_by_pipe(shared: &Shared, random: &mut Random, _: u32) -> Outcome {
    let pipe = match pipe(shared) {
        Ok(pipe) => pipe,
        Err(error) => return Outcome::Fault(error.to_string()),
    };
    let mut sender = SENDER.lock().unwrap_or_else(PoisonError::into_inner);
    if sender.is_none() {
        match pipe.sender() {
            Ok(taken) => *sender = Some(taken),
            Err(PipeEndError::Taken { .. }) => return Outcome::Done,
            Err(error) => return unmet(&error),
        }
    }
    let Some(sender) = &mut *sender else { return Outcome::Done };
    for _ in 0..=random.below(20) {
        // Most are short. A long one goes through in parts, and may be longer than the pipe.
        let most = if random.below(4) == 0 { 2 * CAPACITY } else { 100 };
        let number = shared.piped.next.fetch_add(1, SeqCst);
        let bytes = message(number, 8 + random.below(most as u64) as usize);
        match sender.send_bytes_timeout(&bytes, a_moment(random)) {
            Ok(()) => drop(shared.piped.sent.fetch_add(1, SeqCst)),
            Err(PipeSendTimeoutError::TimedOut | PipeSendTimeoutError::PeerDied { .. }) => return Outcome::Done,
            Err(other) => return unmet(&other),
        }
    }
    Outcome::Done
}

pub(super) fn receive_by_pipe(shared: &Shared, random: &mut Random, _: u32) -> Outcome {
    let pipe = match pipe(shared) {
        Ok(pipe) => pipe,
        Err(error) => return Outcome::Fault(error.to_string()),
    };
    let mut receiver = RECEIVER.lock().unwrap_or_else(PoisonError::into_inner);
    if receiver.is_none() {
        match pipe.receiver() {
            Ok(taken) => *receiver = Some(taken),
            Err(PipeEndError::Taken { .. }) => return Outcome::Done,
            Err(error) => return unmet(&error),
        }
    }
    let Some(receiver) = &mut *receiver else { return Outcome::Done };
    for _ in 0..=random.below(20) {
        match receiver.recv_bytes_timeout(a_moment(random)) {
            Ok(bytes) => {
                if let Err(fault) = shared.piped.note(&bytes) {
                    return Outcome::Fault(fault);
                }
            }
            Err(PipeRecvTimeoutError::TimedOut | PipeRecvTimeoutError::PeerDied { .. }) => return Outcome::Done,
            Err(other) => return unmet(&other),
        }
    }
    Outcome::Done
}

pub(super) fn all_of_the_pipe_is_received(shared: &Shared, deaths: u64) -> Result<(), String> {
    let counts = &shared.piped;
    let text = |error: &dyn std::error::Error| error.to_string();
    let pipe = Pipe::open_or_create(&*counts.name(), CAPACITY).map_err(|error| text(&error))?;
    Pipe::remove(&*counts.name()).map_err(|error| text(&error))?;
    let mut receiver = pipe.receiver().map_err(|error| text(&error))?;
    loop {
        match receiver.try_recv_bytes() {
            Ok(bytes) => counts.note(&bytes)?,
            Err(PipeTryRecvError::Empty | PipeTryRecvError::PeerDied { .. }) => break,
            Err(other) => return Err(text(&other)),
        }
    }
    // Nothing is left of the dead: the whole pipe can be used.
    let mut sender = pipe.sender().map_err(|error| text(&error))?;
    sender.try_send_bytes(&vec![1; sender.most_at_once()]).map_err(|error| text(&error))?;
    let (sent, received) = (counts.sent.load(SeqCst), counts.received.load(SeqCst));
    // A worker may have died after it sent or received a message, and before it reported that, or
    // while it received one in parts.
    if sent.abs_diff(received) <= deaths {
        Ok(())
    } else {
        Err(format!("{sent} messages were sent through the pipe, {received} received, with {deaths} deaths"))
    }
}
