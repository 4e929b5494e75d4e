//! Deeds with messages of any length. Each is received whole or not at all, and none is missing but
//! those of the dead. The queue has a segment of its own, which the workers open by its name.

use super::Random;
use super::shared::{Outcome, Shared, unmet};
use core::time::Duration;
use outlive::{
    MessageQueue, MessageQueueSegment, OpenError, RecvMessageTimeoutError, SendMessageTimeoutError, TryRecvMessageError,
};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

const MESSAGES: usize = 4;
const BYTES: usize = 4_000;

/// What the workers count.
#[derive(Debug, outlive::Shareable)]
#[repr(C)]
pub(super) struct Counts {
    /// Names the queue. It is not 0.
    name: AtomicU64,
    sent: AtomicU64,
    received: AtomicU64,
}

impl Counts {
    pub(super) fn prepare(&mut self) {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        *self.name.get_mut() = u64::from(std::process::id()) << 32 | NEXT.fetch_add(1, SeqCst);
    }

    fn name(&self) -> String {
        format!("outlive-soak-messages-{:x}", self.name.load(SeqCst))
    }
}

/// The queue of this process, which belongs to one soak.
fn queue(shared: &Shared) -> Result<&'static MessageQueueSegment, OpenError> {
    static QUEUE: OnceLock<MessageQueueSegment> = OnceLock::new();
    if let Some(queue) = QUEUE.get() {
        return Ok(queue);
    }
    let queue = MessageQueue::open_or_create(&*shared.messages.name(), MESSAGES, BYTES)?;
    Ok(QUEUE.get_or_init(|| queue))
}

/// Opens the queue, while the worker has all that it needs for that.
pub(super) fn open(shared: &Shared) -> Result<(), OpenError> {
    queue(shared).map(drop)
}

/// The bytes of a message follow from its length and its first byte.
fn message(length: usize, first: u8) -> Vec<u8> {
    (0..length).map(|at| first.wrapping_add((at * length) as u8)).collect()
}

fn check(bytes: &[u8]) -> Result<(), String> {
    let is_whole = bytes.first().is_some_and(|first| bytes == message(bytes.len(), *first));
    if is_whole { Ok(()) } else { Err(format!("a message that nobody sent, of {} bytes", bytes.len())) }
}

/// Longer than most waits, and short, because all workers may be senders at the same time.
fn a_moment(random: &mut Random) -> Duration {
    Duration::from_micros(random.below(2_000))
}

pub(super) fn send_messages(shared: &Shared, random: &mut Random, _: u32) -> Outcome {
    let queue = match queue(shared) {
        Ok(queue) => queue,
        Err(error) => return Outcome::Fault(error.to_string()),
    };
    for _ in 0..=random.below(2 * MESSAGES as u64) {
        // Most are short. A long one takes all blocks.
        let most = if random.below(4) == 0 { BYTES } else { 100 };
        let bytes = message(1 + random.below(most as u64) as usize, random.below(256) as u8);
        match queue.send_bytes_timeout(&bytes, a_moment(random)) {
            Ok(()) => drop(shared.messages.sent.fetch_add(1, SeqCst)),
            Err(SendMessageTimeoutError::TimedOut) => return Outcome::Done,
            Err(other) => return unmet(&other),
        }
    }
    Outcome::Done
}

pub(super) fn receive_messages(shared: &Shared, random: &mut Random, _: u32) -> Outcome {
    let queue = match queue(shared) {
        Ok(queue) => queue,
        Err(error) => return Outcome::Fault(error.to_string()),
    };
    for _ in 0..=random.below(2 * MESSAGES as u64) {
        match queue.recv_bytes_timeout(a_moment(random)) {
            Ok(bytes) => {
                shared.messages.received.fetch_add(1, SeqCst);
                if let Err(fault) = check(&bytes) {
                    return Outcome::Fault(fault);
                }
            }
            Err(RecvMessageTimeoutError::TimedOut) => return Outcome::Done,
            Err(other) => return unmet(&other),
        }
    }
    Outcome::Done
}

pub(super) fn all_messages_are_received(shared: &Shared, deaths: u64) -> Result<(), String> {
    let counts = &shared.messages;
    let text = |error: &dyn std::error::Error| error.to_string();
    let queue = MessageQueue::open_or_create(&*counts.name(), MESSAGES, BYTES).map_err(|error| text(&error))?;
    MessageQueue::remove(&*counts.name()).map_err(|error| text(&error))?;
    loop {
        match queue.try_recv_bytes() {
            Ok(bytes) => {
                counts.received.fetch_add(1, SeqCst);
                check(&bytes)?;
            }
            Err(TryRecvMessageError::Empty) => break,
            Err(other) => return Err(text(&other)),
        }
    }
    // Nothing is left of the dead: all blocks can be used.
    queue.try_send_bytes(&vec![1; queue.max_message()]).map_err(|error| text(&error))?;
    let (sent, received) = (counts.sent.load(SeqCst), counts.received.load(SeqCst));
    // A worker may have died after it sent or received a message, and before it reported that.
    if sent.abs_diff(received) <= deaths {
        Ok(())
    } else {
        Err(format!("{sent} messages were sent, {received} received, with {deaths} deaths"))
    }
}
