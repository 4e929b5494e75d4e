//! Deeds with numbered items in a queue. No item is received twice, and none is missing but those
//! of the dead. The items of one worker come in their order, except those that a dead receiver has
//! left.

use super::Random;
use super::shared::{MOST_WORKERS, Outcome, Shared, unmet};
use core::time::Duration;
use outlive::{RecvTimeoutError, SendTimeoutError, Shareable, TryRecvError, WaitAnyTimeoutError, wait_any_timeout};
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

/// The capacity of the queue.
pub(super) const QUEUE: usize = 4;

/// An item, with the number of its worker, and its place among all items of that worker.
#[derive(Debug, Clone, Copy, Shareable)]
#[repr(C)]
pub(super) struct Item {
    sender: u64,
    number: u64,
}

/// The numbers of a worker's items that were received last: each at its remainder.
pub(super) type Receipt = [AtomicU64; 64];
/// The number of the last item from each worker.
pub(super) type Seen = [AtomicU64; MOST_WORKERS];

/// Longer than most waits, and short, because all workers may be senders at the same time.
pub(super) fn a_moment(random: &mut Random) -> Duration {
    Duration::from_micros(random.below(2_000))
}

pub(super) fn send_items(shared: &Shared, random: &mut Random, me: u32) -> Outcome {
    for _ in 0..=random.below(2 * QUEUE as u64) {
        // From 1. A number may be left out, if the queue stays full.
        let number = shared.numbered[me as usize].fetch_add(1, SeqCst) + 1;
        match shared.queue.send_timeout(Item { sender: me.into(), number }, a_moment(random)) {
            Ok(()) => drop(shared.items_sent.fetch_add(1, SeqCst)),
            Err(SendTimeoutError::TimedOut(back)) if back.number == number => return Outcome::Done,
            Err(other) => return unmet(&other.map(|_| ())),
        }
    }
    Outcome::Done
}

pub(super) fn receive_items(shared: &Shared, random: &mut Random, me: u32) -> Outcome {
    for _ in 0..=random.below(2 * QUEUE as u64) {
        match shared.queue.recv_timeout(a_moment(random)) {
            Ok(item) => {
                if let Err(fault) = note(shared, item, &shared.seen[me as usize]) {
                    return Outcome::Fault(fault);
                }
            }
            Err(RecvTimeoutError::TimedOut) => return Outcome::Done,
            Err(other) => return unmet(&other),
        }
    }
    Outcome::Done
}

/// Waits for the first of several that others use, and takes nothing but items. What woke it may
/// have been meant for one of the others.
pub(super) fn wait_for_any(shared: &Shared, random: &mut Random, me: u32) -> Outcome {
    let sources = [
        shared.queue.readable(),
        shared.gate.when_set(),
        shared.turn.when_set(),
        shared.tokens.when_available(),
        shared.pool.when_available(),
        shared.lock.when_free(),
        shared.pair.when_free(),
    ];
    // Any of them from some place on, so that the sleeps are on different ones.
    let sources = &sources[random.below(sources.len() as u64) as usize..];
    match wait_any_timeout(sources, a_moment(random)) {
        Ok(_) => {}
        Err(WaitAnyTimeoutError::TimedOut) => return Outcome::Done,
        Err(other) => return unmet(&other),
    }
    match shared.queue.try_recv() {
        Ok(item) => note(shared, item, &shared.seen[me as usize]).map_or_else(Outcome::Fault, |()| Outcome::Done),
        Err(TryRecvError::Empty) => Outcome::Done,
        Err(other) => unmet(&other),
    }
}

fn note(shared: &Shared, item: Item, seen: &Seen) -> Result<(), String> {
    shared.items_received.fetch_add(1, SeqCst);
    let Some(numbered) = shared.numbered.get(item.sender as usize) else { return Err(format!("nobody sent {item:?}")) };
    if item.number == 0 || item.number > numbered.load(SeqCst) {
        return Err(format!("nobody sent {item:?}"));
    }
    // A worker that was stopped may note an old item late.
    let receipts = &shared.receipts[item.sender as usize];
    if receipts[item.number as usize % receipts.len()].fetch_max(item.number, SeqCst) == item.number {
        return Err(format!("{item:?} was received twice"));
    }
    if seen[item.sender as usize].fetch_max(item.number, SeqCst) > item.number {
        shared.items_late.fetch_add(1, SeqCst);
    }
    Ok(())
}

pub(super) fn all_items_are_received(shared: &Shared, deaths: u64) -> Result<(), String> {
    loop {
        match shared.queue.try_recv() {
            // Its receiver is new: what comes late was left by the dead.
            Ok(item) => note(shared, item, &core::array::from_fn(|_| AtomicU64::new(0)))?,
            Err(TryRecvError::Empty) => break,
            Err(other) => return Err(other.to_string()),
        }
    }
    let count = |counter: &AtomicU64| counter.load(SeqCst);
    let (sent, received, late) = (count(&shared.items_sent), count(&shared.items_received), count(&shared.items_late));
    // A worker may have died after it sent or received an item, and before it reported that. Each
    // dead receiver has left one item.
    if sent.abs_diff(received) <= deaths && late <= deaths {
        Ok(())
    } else {
        Err(format!("{sent} items were sent, {received} received, {late} of them late, with {deaths} deaths"))
    }
}
