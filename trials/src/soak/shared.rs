//! What the soak's processes share, and what they do with it. **A primitive is registered here**: a
//! field of [`Shared`], and its deeds in [`DEEDS`].

use super::Random;
use super::holds::{
    all_permits_come_back, end_a_thread, go_inside, have_a_permit, nested_adds_up, pair_adds_up, read_the_table,
    table_adds_up, try_to_update, update, update_nested, write_the_table,
};
use super::items::{Item, QUEUE, Receipt, Seen, all_items_are_received, receive_items, send_items, wait_for_any};
use super::messages::{self, all_messages_are_received, receive_messages, send_messages};
use super::piped::{self, all_of_the_pipe_is_received, receive_by_pipe, send_by_pipe};
use super::tasks::{Work, all_tasks_are_done, do_tasks, send_tasks};
use super::waits::{
    all_values_are_right, as_many_leaders, give_tokens, go_through, have_a_turn, heap_adds_up, make_once, meet,
    put_and_take, swing_the_gate, take_tokens, tokens_add_up, whole_heap,
};
use core::time::Duration;
use outlive::{
    ArrayQueue, ArrayTaskQueue, Barrier, Condvar, Event, Lock, LockErrorKind, Mutex, OnceLock, PermitPool,
    ReentrantMutex, RegisterError, RwLock, Semaphore, Shareable,
};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::SeqCst};

/// The highest number of workers.
pub const MOST_WORKERS: usize = 256;

/// The memory that the processes share.
#[derive(Debug, Shareable)]
#[repr(C)]
pub struct Shared {
    /// Deeds done, for each worker and all its successors.
    pub progress: [AtomicU64; MOST_WORKERS],
    /// Threads that have ended with a hold, while their process lived.
    pub thread_deaths: AtomicU64,
    /// How often a process found the participant table full.
    pub full: AtomicU64,

    /// Two numbers that are equal unless a holder died between the two updates.
    pub(super) pair: Mutex<[u64; 2]>,
    /// Updates of the pair that were certainly done.
    pub(super) updates: AtomicU64,

    /// Protects `inside`.
    pub(super) lock: Lock,
    /// The worker inside: 1 and its number; 0 for none, or if a worker died there.
    pub(super) inside: AtomicU32,

    /// No holder is recorded, so the dead take their tokens along. The supervisor gives others.
    pub(super) tokens: Semaphore,
    pub(super) tokens_taken: AtomicU64,
    pub(super) tokens_given: AtomicU64,

    pub(super) pool: PermitPool<PERMITS>,
    /// The worker that has each permit, in the form of `inside`.
    pub(super) permitted: [AtomicU32; PERMITS],

    /// Like `pair`. There are fewer reader words than readers.
    pub(super) table: RwLock<[u64; 2], 4>,
    pub(super) table_updates: AtomicU64,

    /// Like `pair`. The holder's inner holds share it.
    pub(super) nested: ReentrantMutex<[AtomicU64; 2]>,
    pub(super) nested_updates: AtomicU64,

    pub(super) heap: Mutex<Heap>,
    pub(super) not_empty: Condvar,
    pub(super) not_full: Condvar,
    pub(super) put: AtomicU64,
    pub(super) taken: AtomicU64,

    /// Set and cleared by workers. Set by the supervisor, in case all wait for it.
    pub(super) gate: Event,
    /// Set means that no worker has the turn. If the worker that has it may have died, the
    /// supervisor sets it.
    pub(super) turn: Event,

    pub(super) meeting: Barrier<2>,
    pub(super) leaders: AtomicU64,
    pub(super) followers: AtomicU64,

    /// Made one after the other, as long as some are left. Most deeds make none, so that they last.
    pub(super) once: [OnceLock<u64>; ONCE],
    pub(super) once_next: AtomicU64,

    /// Numbered items.
    pub(super) queue: ArrayQueue<Item, QUEUE>,
    /// The number of the next item, for each worker and all its successors.
    pub(super) numbered: [AtomicU64; MOST_WORKERS],
    /// Which items were received.
    pub(super) receipts: [Receipt; MOST_WORKERS],
    /// The last item that each worker has received from each other one.
    pub(super) seen: [Seen; MOST_WORKERS],
    pub(super) items_sent: AtomicU64,
    pub(super) items_received: AtomicU64,
    /// Received after a later item of the same worker.
    pub(super) items_late: AtomicU64,

    /// Of the queue of messages, which has a segment of its own.
    pub(super) messages: messages::Counts,
    /// Of the pipe, which has one, too.
    pub(super) piped: piped::Counts,
    pub(super) tasks: ArrayTaskQueue<Work, QUEUE>,
    pub(super) tasks_sent: AtomicU64,
    pub(super) tasks_done: AtomicU64,
}

pub(super) const PERMITS: usize = 3;
pub(super) const TOKENS: u32 = 4;
pub(super) const ONCE: usize = 1 << 14;

/// Items, and how many were ever put and taken. A holder changes the latter first, so a repair can
/// use them.
#[derive(Debug, Shareable)]
#[repr(C)]
pub(super) struct Heap {
    pub(super) items: u64,
    pub(super) put: u64,
    pub(super) taken: u64,
    /// Thrown away by the supervisor.
    pub(super) thrown_away: u64,
}

pub(super) const FULL_HEAP: u64 = 4;

/// A deed: one thing that a worker can do.
#[derive(Debug)]
pub struct Deed {
    /// The deed's name, for people.
    pub name: &'static str,
    /// Does the deed. An error is a fault, except [`Outcome::Full`].
    pub run: fn(&Shared, &mut Random, u32) -> Outcome,
    /// Checks the totals in the end, when all workers are dead. The number of deaths limits how
    /// much may be missing.
    pub check: fn(&Shared, u64) -> Result<(), String>,
}

/// How a deed went.
#[derive(Debug)]
pub enum Outcome {
    /// Well.
    Done,
    /// All slots of the participant table are taken.
    Full,
    /// The primitive did something forbidden.
    Fault(String),
}

/// All deeds. Each is done as often as the others.
pub const DEEDS: &[Deed] = &[
    Deed { name: "update the pair", run: update, check: pair_adds_up },
    Deed { name: "try to update the pair", run: try_to_update, check: nothing },
    Deed { name: "go inside", run: go_inside, check: nothing },
    Deed { name: "a thread ends with a hold", run: end_a_thread, check: nothing },
    Deed { name: "take and give tokens", run: take_tokens, check: tokens_add_up },
    Deed { name: "have a permit", run: have_a_permit, check: all_permits_come_back },
    Deed { name: "read the table", run: read_the_table, check: nothing },
    Deed { name: "write the table", run: write_the_table, check: table_adds_up },
    Deed { name: "update what is nested", run: update_nested, check: nested_adds_up },
    Deed { name: "put and take an item", run: put_and_take, check: heap_adds_up },
    Deed { name: "open or shut the gate", run: swing_the_gate, check: nothing },
    Deed { name: "go through the gate", run: go_through, check: nothing },
    Deed { name: "have a turn", run: have_a_turn, check: nothing },
    Deed { name: "meet another", run: meet, check: as_many_leaders },
    Deed { name: "make a value once", run: make_once, check: all_values_are_right },
    Deed { name: "send items", run: send_items, check: nothing },
    Deed { name: "receive items", run: receive_items, check: all_items_are_received },
    Deed { name: "send messages", run: send_messages, check: nothing },
    Deed { name: "receive messages", run: receive_messages, check: all_messages_are_received },
    Deed { name: "send by pipe", run: send_by_pipe, check: nothing },
    Deed { name: "receive by pipe", run: receive_by_pipe, check: all_of_the_pipe_is_received },
    Deed { name: "wait for any of several", run: wait_for_any, check: nothing },
    Deed { name: "send tasks", run: send_tasks, check: nothing },
    Deed { name: "do tasks", run: do_tasks, check: all_tasks_are_done },
];

impl Shared {
    /// Sets what is not all zero at first.
    pub fn prepare(&mut self) {
        self.tokens = Semaphore::bounded(TOKENS, TOKENS);
        self.turn = Event::auto_reset();
        self.messages.prepare();
        self.piped.prepare();
    }

    /// The supervisor, which outlives all workers, calls this again and again. The dead may have
    /// taken along what others wait for (a token, a turn, an item). This gives it back. It wakes
    /// only those that need a wake for that.
    ///
    /// # Errors
    /// A fault.
    pub fn tend(&self, deaths: u64) -> Result<(), String> {
        self.gate.set().map_err(|error| error.to_string())?;
        if deaths == 0 {
            return Ok(());
        }
        self.turn.set().map_err(|error| error.to_string())?;
        for _ in 0..2 * deaths {
            if !give_tokens(self, 1)? {
                break;
            }
        }
        let mut heap = whole_heap(self.heap.try_lock_for(TIMEOUT)).map_err(|outcome| format!("{outcome:?}"))?;
        let half = FULL_HEAP / 2;
        if heap.items > half {
            let more = heap.items - half;
            heap.thrown_away += more;
            heap.items = half;
            self.not_full.notify_n(more as u32);
        } else if heap.items < half {
            let more = half - heap.items;
            heap.put += more;
            heap.items = half;
            self.put.fetch_add(more, SeqCst);
            self.not_empty.notify_n(more as u32);
        }
        Ok(())
    }
}

/// Longer than anything may take, even on a busy machine and with a stopped holder.
pub const TIMEOUT: Duration = Duration::from_secs(60);

pub(super) fn nothing(_: &Shared, _: u64) -> Result<(), String> {
    Ok(())
}

/// The outcome of a deed whose lock failed although it waited as long as needed.
pub(super) fn refused(error: impl Into<LockErrorKind>) -> Outcome {
    match error.into() {
        LockErrorKind::Register(RegisterError::Full { .. }) => Outcome::Full,
        other => Outcome::Fault(other.to_string()),
    }
}

/// The same for an error that contains no guard.
pub(super) fn unmet(error: &(dyn std::error::Error + 'static)) -> Outcome {
    match error.source().unwrap_or(error).downcast_ref() {
        Some(RegisterError::Full { .. }) => Outcome::Full,
        _ => Outcome::Fault(error.to_string()),
    }
}

pub(super) fn spin(random: &mut Random) {
    for _ in 0..random.below(200) {
        std::hint::spin_loop();
    }
}

pub(super) fn as_reported(done: u64, reported: &AtomicU64, deaths: u64) -> Result<(), String> {
    let sure = reported.load(SeqCst);
    // A dead worker may have died between its update and its report.
    if sure <= done && done <= sure + deaths { Ok(()) } else { Err(format!("{done} updates, {sure} reported")) }
}
