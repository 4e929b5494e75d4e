//! Arbitrary words under each raw primitive, and another thread that scribbles on them at the same
//! time.
//!
//! The slots, the membership word and the primitive's own words lie in ordinary memory. They are
//! filled with the input's bytes, and another thread flips their bits. Nothing may panic, nothing
//! may take longer than its deadline, and (under AddressSanitizer) nothing outside of that memory
//! may be touched. The answers do not matter.

use crate::Kinds;
use crate::operations::MOST_PRIMITIVES;
use crate::soak::Random;
use arbitrary::Unstructured;
use core::time::Duration;
use outlive::platform::linux::{RobustNode, ThreadRecord};
use outlive::platform::{Lifeline, Linux, Platform, WAKE_AT_DEATH};
use outlive::raw::Deadline;
use outlive::raw::hold::{INCONSISTENT, PANICKED};
use outlive::raw::message_queue::Store;
use outlive::raw::pipe::{NotReady, Words};
use outlive::raw::queue::Cells;
use outlive::raw::table::recycle::Named;
use outlive::raw::table::{Newcomer, Participant, Slot, Table};
use outlive::raw::task_queue::{SlotWords, Slots};
use outlive::raw::{
    Barrier, Cause, Condvar, Event, Id, MessageQueue, Mutex, Once, PermitPool, Pipe, Queue, ReentrantMutex, RwLock,
    Semaphore, TaskQueue,
};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::SeqCst};
use std::time::Instant;

/// A raw primitive that can be laid over arbitrary words.
#[derive(Debug, Clone, Copy)]
pub struct Primitive {
    /// Its name, for people.
    pub name: &'static str,
    /// How many operations it has.
    pub operations: u8,
    /// Does the operation of this number, with another number as argument. Returns by the deadline.
    pub operate: fn(&Memory, Participant<'_, Linux>, u8, u32),
}

impl Primitive {
    /// For example `pipe: 0`.
    fn kind(&self, operation: u8) -> String {
        format!("{}: {operation}", self.name)
    }
}

/// **A primitive is registered here.**
pub const PRIMITIVES: &[Primitive] = &[
    Primitive { name: "mutex", operations: 8, operate: mutex },
    Primitive { name: "table", operations: 4, operate: table },
    Primitive { name: "semaphore", operations: 5, operate: semaphore },
    Primitive { name: "permits", operations: 5, operate: permits },
    Primitive { name: "rwlock", operations: 9, operate: rwlock },
    Primitive { name: "reentrant", operations: 7, operate: reentrant },
    Primitive { name: "condvar", operations: 4, operate: condvar },
    Primitive { name: "event", operations: 6, operate: event },
    Primitive { name: "barrier", operations: 10, operate: barrier },
    Primitive { name: "once", operations: 4, operate: once },
    Primitive { name: "queue", operations: 8, operate: queue },
    Primitive { name: "message queue", operations: 7, operate: message_queue },
    Primitive { name: "pipe", operations: 2, operate: pipe },
    Primitive { name: "task queue", operations: 10, operate: task_queue },
];

fn mutex(memory: &Memory, me: Participant<'_, Linux>, operation: u8, argument: u32) {
    // SAFETY: a mutex is one atomic word.
    let mutex = unsafe { memory.over::<Mutex<Linux>>() };
    match operation {
        0 => drop(mutex.try_lock(me)),
        1 => drop(mutex.lock(me, deadline())),
        2 => mutex.unlock(argument & (INCONSISTENT | (PANICKED - 1) | PANICKED)),
        3 => drop(mutex.release(None, None)),
        4 => drop(mutex.release(Some(me.id), Some(Cause::Died(Id::holder_in(argument))))),
        5 => mutex.mark_consistent(),
        6 => drop(mutex.holder()),
        _ => drop(mutex.is_inconsistent()),
    }
}

/// The basis of every primitive: registration, checks for deaths, reaping.
fn table(_: &Memory, me: Participant<'_, Linux>, operation: u8, argument: u32) {
    match operation {
        0 => drop(me.table.register(&Anybody { tag: argument })),
        1 => me.table.reap_lost(),
        2 => drop(Id::holder_in(argument).map(|id| me.table.is_alive(id))),
        _ => {
            for (index, slot) in me.table.slots.iter().enumerate() {
                let _whatever = (
                    slot.living(index),
                    slot.living_or_dead(index),
                    slot.read_record(me.id, |_, thread| thread),
                    slot.thread(),
                );
            }
        }
    }
}

fn semaphore(memory: &Memory, me: Participant<'_, Linux>, operation: u8, argument: u32) {
    // SAFETY: a semaphore is two atomic words.
    let semaphore = unsafe { memory.over::<Semaphore<Linux>>() };
    match operation {
        0 => drop(semaphore.try_acquire(argument)),
        1 => drop(semaphore.acquire(me, argument % 4, deadline())),
        2 => drop(semaphore.acquire(me, argument, deadline())),
        3 => drop(semaphore.release(argument)),
        _ => drop((semaphore.available(), semaphore.maximum())),
    }
}

fn permits(memory: &Memory, me: Participant<'_, Linux>, operation: u8, argument: u32) {
    // SAFETY: a pool is atomic words.
    let pool = unsafe { memory.over::<PermitPool<Linux, 5>>() };
    match operation {
        0 => drop(pool.try_acquire(me)),
        1 => drop(pool.acquire(me, deadline())),
        2 => drop(pool.release(argument as usize, me.id)),
        3 => drop(Id::holder_in(argument).map(|id| pool.release(argument as usize % 5, id))),
        _ => assert!(pool.holders().count() <= 5 && pool.capacity() <= 5),
    }
}

fn rwlock(memory: &Memory, me: Participant<'_, Linux>, operation: u8, argument: u32) {
    // SAFETY: a lock is atomic words. Nothing reads what lies between them.
    let lock = unsafe { memory.over::<RwLock<Linux, 3>>() };
    let deadline = Deadline::By(deadline());
    let left = argument & (INCONSISTENT | (PANICKED - 1) | PANICKED);
    match operation {
        0 => drop(lock.read(me, Deadline::Immediate)),
        1 => drop(lock.read(me, deadline)),
        2 => lock.unlock_read(argument as usize),
        3 => drop(lock.write(me, Deadline::Immediate)),
        4 => drop(lock.write(me, deadline)),
        5 => lock.unlock_write(left),
        6 => lock.mark_consistent(),
        // It has no deadline, so it is done only for a writer that found all reader words free.
        7 => drop(lock.write(me, deadline).map(|_| lock.downgrade(me, left))),
        _ => drop((lock.is_inconsistent(), lock.writer())),
    }
}

fn reentrant(memory: &Memory, me: Participant<'_, Linux>, operation: u8, argument: u32) {
    // SAFETY: two atomic words.
    let mutex = unsafe { memory.over::<ReentrantMutex<Linux>>() };
    let left = argument & (INCONSISTENT | (PANICKED - 1) | PANICKED);
    match operation {
        0 => drop(mutex.try_lock(me)),
        1 => drop(mutex.lock(me, deadline())),
        2 => drop(mutex.release(me.id, left)),
        3 => drop(mutex.release_in_panic(me.id)),
        4 => mutex.mark_consistent(),
        // It has no deadline, so it is done only for a holder.
        5 if mutex.holder() == Some(me.id) => drop(mutex.lock_again(me, mutex.release_all(left))),
        _ => drop((mutex.holder(), mutex.is_inconsistent())),
    }
}

fn condvar(memory: &Memory, me: Participant<'_, Linux>, operation: u8, argument: u32) {
    // SAFETY: two atomic words.
    let condvar = unsafe { memory.over::<Condvar<Linux>>() };
    // SAFETY: an atomic word, the first of the two: a lock's place may be anything.
    let mutex = unsafe { memory.over::<Mutex<Linux>>() };
    match operation {
        0 => {
            let waited = condvar.wait(me, true, deadline(), argument, || {});
            condvar.leave(me, waited, mutex);
        }
        1 if argument & 2 == 0 => condvar.notify_holding(me, argument, |_| Some(mutex)),
        1 => condvar.notify((argument & 1 == 0).then_some(me.table), argument),
        2 => condvar.notify_all(),
        _ => drop(condvar.has_waiters()),
    }
}

fn event(memory: &Memory, me: Participant<'_, Linux>, operation: u8, _: u32) {
    // SAFETY: one atomic word.
    let event = unsafe { memory.over::<Event<Linux>>() };
    match operation {
        0 => drop(event.wait(me, deadline())),
        1 => drop(event.wait_since(me, deadline(), event.moment())),
        2 => drop(event.try_wait()),
        3 => event.set(),
        4 => drop(event.clear()),
        _ => drop((event.is_set(), event.is_auto_reset())),
    }
}

fn barrier(memory: &Memory, me: Participant<'_, Linux>, operation: u8, argument: u32) {
    // SAFETY: atomic integers of 32 and 64 bits.
    let barrier = unsafe { memory.over::<Barrier<Linux, 4>>() };
    match operation {
        0 => drop(barrier.wait(me, deadline(), false)),
        1 => drop(barrier.wait(me, deadline(), true)),
        2 => drop(barrier.finish(me, argument)),
        3 => barrier.abort(),
        4 => barrier.give_up(me.id, argument),
        5 => barrier.reset(me),
        6 => drop(barrier.join(me)),
        7 => barrier.leave(me.id, argument as usize),
        8 => drop(barrier.is_broken()),
        _ => assert!(barrier.arrived().count() <= barrier.parties() && barrier.parties() <= 4),
    }
}

fn once(memory: &Memory, me: Participant<'_, Linux>, operation: u8, argument: u32) {
    // SAFETY: one atomic word.
    let once = unsafe { memory.over::<Once<Linux>>() };
    match operation {
        // It has no deadline, so it is done only if there seems to be nobody to wait for. If the
        // scribbler names a participant at this very moment, that name will not last.
        0 if once.initialiser().is_none_or(|id| id == me.id || !me.table.is_alive(id)) => drop(once.begin(me)),
        0 | 1 => once.end(Err(Id::holder_in(argument).map(|id| Cause::Died(Some(id))))),
        2 => once.end(Ok(())),
        _ => drop((once.is_complete(), once.initialiser())),
    }
}

/// A queue with its cells.
#[derive(Debug)]
#[repr(C)]
struct Ringed {
    queue: Queue<Linux>,
    cells: [AtomicU64; 3],
}

impl Cells<Linux> for Ringed {
    fn capacity(&self) -> usize {
        self.cells.len()
    }
    fn word(&self, index: usize) -> &AtomicU64 {
        &self.cells[index]
    }
}

/// A claim is ended, or left as a dead participant would leave it.
fn queue(memory: &Memory, me: Participant<'_, Linux>, operation: u8, argument: u32) {
    // SAFETY: a queue and its cells are atomic integers of 32 and 64 bits.
    let ringed = unsafe { memory.over::<Ringed>() };
    let ring = ringed.queue.with(ringed);
    let claim_free = |waits| if waits { ring.claim_free(me, deadline()) } else { ring.try_claim_free(me) };
    let claim_full = |waits| if waits { ring.claim_full(me, deadline()) } else { ring.try_claim_full(me) };
    let waits = argument & 1 != 0;
    match operation {
        0 => drop(claim_free(waits).map(|claim| ring.publish(claim))),
        1 => drop(claim_full(waits).map(|claim| ring.finish(claim))),
        2 => drop(claim_free(waits)),
        3 => drop(claim_full(waits)),
        4 => {
            let claims = (0..argument % 8).map_while(|_| ring.try_claim_free(me).ok());
            claims.for_each(|claim| ring.publish_quietly(claim));
            ring.announce_items(argument);
        }
        5 => {
            let claims = (0..argument % 8).map_while(|_| ring.try_claim_full(me).ok());
            claims.for_each(|claim| ring.finish_quietly(claim));
            ring.announce_room(argument);
        }
        6 => drop(ring.close()),
        _ => assert!(ring.len() <= ring.capacity() && ring.capacity() == 3),
    }
}

/// A queue of messages with its store, without the bytes. A block has ten.
#[derive(Debug)]
#[repr(C)]
struct Lettered {
    queue: MessageQueue<Linux>,
    cells: [AtomicU64; 3],
    letters: [AtomicU64; 3],
    owners: [AtomicU64; 5],
    links: [AtomicU32; 5],
}

impl Cells<Linux> for Lettered {
    fn capacity(&self) -> usize {
        self.cells.len()
    }
    fn word(&self, index: usize) -> &AtomicU64 {
        &self.cells[index]
    }
}

impl Store<Linux> for Lettered {
    fn block_size(&self) -> usize {
        10
    }
    fn blocks(&self) -> usize {
        self.owners.len()
    }
    fn letter(&self, index: usize) -> &AtomicU64 {
        &self.letters[index]
    }
    fn owner(&self, block: usize) -> &AtomicU64 {
        &self.owners[block]
    }
    fn link(&self, block: usize) -> &AtomicU32 {
        &self.links[block]
    }
}

/// A message is published, given up, finished or put back, or left as a dead participant would
/// leave it.
fn message_queue(memory: &Memory, me: Participant<'_, Linux>, operation: u8, argument: u32) {
    // SAFETY: the queue and its store are atomic integers of 32 and 64 bits. Nothing reads what
    // lies between them.
    let lettered = unsafe { memory.over::<Lettered>() };
    let messages = lettered.queue.with(lettered);
    let deadline = if argument & 1 != 0 { Deadline::By(deadline()) } else { Deadline::Immediate };
    let length = argument as usize % 80;
    match operation {
        0 => drop(messages.start(me, deadline, length).map(|draft| messages.publish(draft, length))),
        1 => drop(messages.start(me, deadline, length).map(|draft| messages.give_up(draft))),
        2 => drop(messages.start(me, deadline, length)),
        3 => {
            let Ok(mut draft) = messages.start(me, deadline, 0) else { return };
            while messages.room(&draft) < length && messages.grow(me, &mut draft) {}
            let places = std::iter::successors(Some(messages.first_place(&draft)), |place| {
                messages.next_place(&draft, *place) // endless, if the links are a circle
            });
            assert!(places.take(10).count() > 0);
            messages.publish(draft, argument as usize);
        }
        4 => {
            let Ok(message) = messages.take(me, deadline) else { return };
            assert!(messages.pieces(&message).count() <= 7, "one for each block, and an error");
            let lengths = messages.pieces(&message).map_while(|piece| Some(piece.ok()?.length));
            assert!(lengths.sum::<usize>() <= messages.most_bytes());
            if argument & 2 != 0 { messages.finish(message) } else { messages.put_back(message) }
        }
        5 => drop(messages.take(me, deadline)),
        _ => drop((messages.ring().len(), messages.ring().close())),
    }
}

/// A pipe with its ring, without the bytes.
#[derive(Debug)]
#[repr(C)]
struct Piped {
    pipe: Pipe<Linux>,
    ring: [AtomicU64; 8],
}

impl Words<Linux> for Piped {
    fn count(&self) -> u64 {
        self.ring.len() as u64
    }
    fn word(&self, position: u64) -> &AtomicU64 {
        &self.ring[position as usize % self.ring.len()]
    }
}

/// An end is given back, or left as a dead participant would leave it.
fn pipe(memory: &Memory, me: Participant<'_, Linux>, operation: u8, argument: u32) {
    // SAFETY: the pipe and its ring are atomic integers of 32 and 64 bits. Nothing reads what lies
    // between them.
    let piped = unsafe { memory.over::<Piped>() };
    let lane = piped.pipe.with(piped);
    let waits = argument & 1 != 0;
    match operation {
        0 => {
            let Ok(mut sender) = lane.take_sender(me) else { return };
            let mut left = u64::from(argument % 80);
            for continues in [false, true, true] {
                let frame = lane.frame(&sender, left, continues);
                let has_room = lane.has_room_for(&mut sender, &frame)
                    || if waits {
                        lane.reserve(me, &mut sender, &frame, deadline()).is_ok()
                    } else {
                        lane.try_reserve(me, &mut sender, frame.words()).is_ok()
                    };
                if !has_room {
                    break;
                }
                lane.publish(&mut sender, frame);
                left -= frame.bytes();
            }
            if argument & 2 != 0 {
                lane.give_back_sender(&sender);
            }
        }
        _ => {
            let Ok(mut receiver) = lane.take_receiver(me) else { return };
            for _ in 0..4 {
                let next = if waits {
                    lane.next_frame(me, &mut receiver, deadline())
                } else {
                    lane.try_next_frame(me, &mut receiver)
                };
                match next {
                    Ok(frame) => {
                        assert!(frame.bytes() <= lane.most_bytes_of_frame() && frame.bytes() <= frame.left());
                        lane.finish(&mut receiver, frame);
                    }
                    Err(NotReady::Malformed) => {}
                    Err(_) => break,
                }
            }
            if argument & 2 != 0 {
                lane.give_back_receiver(&receiver);
            }
        }
    }
}

/// A task queue with its slots.
#[derive(Debug)]
#[repr(C)]
struct Slotted {
    queue: TaskQueue<Linux>,
    slots: [SlotWords<Linux>; 3],
}

impl Cells<Linux> for Slotted {
    const ITEMS_ARE_HINTS: bool = true;

    fn capacity(&self) -> usize {
        self.slots.len()
    }
    fn word(&self, index: usize) -> &AtomicU64 {
        self.slots[index].cell()
    }
}

impl Slots<Linux> for Slotted {
    fn slot(&self, index: usize) -> &SlotWords<Linux> {
        &self.slots[index]
    }
}

/// A loan or a task is ended, or left as a dead participant would leave it.
fn task_queue(memory: &Memory, me: Participant<'_, Linux>, operation: u8, argument: u32) {
    // SAFETY: a task queue and its slots are atomic integers of 32 and 64 bits.
    let slotted = unsafe { memory.over::<Slotted>() };
    let tasks = slotted.queue.with(slotted);
    let waits = argument & 1 != 0;
    let reserve = || if waits { tasks.reserve(me, deadline()) } else { tasks.try_reserve(me) };
    let take = || if waits { tasks.take(me, deadline()) } else { tasks.try_take(me) };
    match operation {
        0 => drop(reserve().map(|loan| tasks.publish(loan, Some(me).filter(|_| argument & 2 == 0)))),
        1 => drop(reserve().map(|loan| (argument & 2 != 0).then(|| tasks.give_up(loan)))),
        2 => drop(take().map(|task| tasks.done(task))),
        3 => drop(take().map(|task| tasks.fail(task))),
        4 => drop(take().map(|task| tasks.give_back(task))),
        5 => drop(take().map(|task| tasks.attempts(task))),
        6 => drop(tasks.wait_until_done(me, deadline())),
        7 => drop(tasks.take_aside(me, argument as usize % 4).map(|task| tasks.done(task))),
        8 => drop(tasks.close()),
        _ => {
            slotted.queue.set_limit(argument % 4);
            _ = Id::holder_in(argument).map(|id| tasks.take_back(id));
            let most = [tasks.len(), tasks.in_flight(), tasks.set_aside(), tasks.workers().count()];
            assert!(most.iter().all(|count| *count <= 3));
        }
    }
}

/// The deadline of all operations that wait.
#[must_use]
pub fn deadline() -> Option<Duration> {
    Some(Linux::now() + Duration::from_micros(300))
}

/// Far more than any operation should take, even on a busy machine.
const LONGEST: Duration = Duration::from_secs(20);

const SLOTS: usize = 4;
const SLOT_WORDS: usize = 32;
/// Where the primitive lies: far enough from the end for the largest of them.
const PRIMITIVE: usize = SLOTS * SLOT_WORDS + SLOT_WORDS;
const WORDS: usize = PRIMITIVE + 1024;

/// The memory for everything: the slots, then the membership word, the cursor and the tag, then the
/// primitive.
#[derive(Debug)]
#[repr(C, align(128))]
pub struct Memory {
    words: [AtomicU32; WORDS],
}

impl Memory {
    fn filled_with(bytes: &[u8]) -> Box<Self> {
        let mut bytes = bytes.iter().copied().cycle();
        let mut next = || bytes.next().unwrap_or(0);
        Box::new(Self {
            words: core::array::from_fn(|_| AtomicU32::new(u32::from_le_bytes(core::array::from_fn(|_| next())))),
        })
    }

    /// The primitive of type `T` that these words are.
    ///
    /// # Safety
    /// `T` consists of atomic integers alone, for which all values are valid.
    #[must_use]
    pub unsafe fn over<T>(&self) -> &T {
        const { assert!(size_of::<T>() <= (WORDS - PRIMITIVE) * 4 && align_of::<T>() <= 128, "there is room for it") };
        // SAFETY: within the words, and aligned, by the assertion. Valid for all values, by the
        // caller's promise.
        unsafe { &*self.words[PRIMITIVE..].as_ptr().cast::<T>() }
    }

    fn table(&self) -> Table<'_, Linux> {
        const { assert!(size_of::<Slot<Linux>>() == SLOT_WORDS * 4) };
        Table {
            membership: &self.words[SLOTS * SLOT_WORDS],
            cursor: &self.words[SLOTS * SLOT_WORDS + 1],
            stamp: &self.words[SLOTS * SLOT_WORDS + 2],
            // SAFETY: a slot consists of atomic and unused integers. So many slots fit in front of
            // the membership word.
            slots: unsafe { core::slice::from_raw_parts(self.words.as_ptr().cast::<Slot<Linux>>(), SLOTS) },
        }
    }
}

/// A newcomer without a lifeline that the kernel knows. Nothing may follow the links in this
/// memory.
struct Anybody {
    tag: u32,
}

impl Newcomer<Linux> for Anybody {
    fn thread(&self) -> u32 {
        // SAFETY: gettid has no preconditions.
        (unsafe { libc::gettid() }) as u32
    }
    fn tag(&self) -> u32 {
        self.tag & 0xff_ffff
    }
    fn describe(&self, _about: &ThreadRecord, _id: Id) {}
    fn arm(&self, [own, _process]: &[RobustNode; 2]) {
        own.word().store(self.thread() | WAKE_AT_DEATH, SeqCst);
    }
    fn is_claimer_gone(&self, thread: u32, tag: u32) -> bool {
        thread ^ tag & 1 == 0
    }
    fn read_names(&self, named: &mut Named) -> bool {
        self.tag.to_le_bytes().iter().for_each(|byte| named.note(u32::from(*byte).wrapping_mul(0x3579_8fb1)));
        true
    }
}

#[derive(Debug)]
struct Input {
    primitive: u8,
    me: u32,
    /// 0: there is no scribbler.
    scribbler: u8,
    operations: Vec<(u8, u32)>,
    words: Vec<u8>,
}

impl Input {
    fn of(bytes: &mut Unstructured<'_>) -> arbitrary::Result<Self> {
        let (primitive, me, scribbler) = bytes.arbitrary()?;
        let count = bytes.arbitrary::<u8>()? % 16;
        let operations = (0..count).map(|_| bytes.arbitrary()).collect::<arbitrary::Result<_>>()?;
        Ok(Self { primitive, me, scribbler, operations, words: bytes.bytes(bytes.len())?.to_vec() })
    }
}

/// The body of the fuzz target.
///
/// Returns the kinds of operations that were done.
///
/// # Panics
/// If an operation panics, or takes much longer than its deadline.
pub fn run_bytes(bytes: &[u8]) -> Kinds {
    let Ok(input) = Input::of(&mut Unstructured::new(bytes)) else { return Kinds::new() };
    let Some(primitive) = PRIMITIVES.get(usize::from(input.primitive % MOST_PRIMITIVES)) else { return Kinds::new() };
    let memory = Memory::filled_with(&input.words);
    let table = memory.table();
    let Some(id) = Id::holder_in(input.me | outlive::raw::hold::HELD) else { return Kinds::new() };
    std::thread::scope(|scope| {
        let worker = scope.spawn(|| {
            let me = Participant { id, table: &table };
            for (operation, argument) in &input.operations {
                let begin = Instant::now();
                (primitive.operate)(&memory, me, operation % primitive.operations, *argument);
                let took = begin.elapsed();
                assert!(took < LONGEST, "{} {operation}: returned after {took:?}", primitive.name);
            }
        });
        let begin = Instant::now();
        let mut random = Random::new(input.scribbler.into());
        while !worker.is_finished() {
            if input.scribbler != 0 {
                let word = random.below(WORDS as u64) as usize;
                memory.words[word].fetch_xor(1 << random.below(32), SeqCst);
            }
            std::thread::yield_now();
            if begin.elapsed() > 3 * LONGEST {
                // The scope would wait for the thread forever.
                eprintln!("{} hangs with {input:?}", primitive.name);
                std::process::abort();
            }
        }
        // The scope waits for its end alone. While it destroys its thread-local values after that,
        // LeakSanitizer takes them for leaked.
        worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    });
    input.operations.iter().map(|(operation, _)| primitive.kind(operation % primitive.operations)).collect()
}

/// All that [`run_bytes`] can return.
#[must_use]
pub fn kinds() -> Kinds {
    PRIMITIVES
        .iter()
        .flat_map(|primitive| (0..primitive.operations).map(|operation| primitive.kind(operation)))
        .collect()
}
