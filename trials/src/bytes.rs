//! A segment of arbitrary bytes. It is opened, and if that is not refused, used with every
//! primitive.

use crate::Kinds;
use crate::locks::LockFailure;
use crate::operations::MOST_PRIMITIVES;
use arbitrary::Unstructured;
use core::time::Duration;
use outlive::{
    ArrayQueue, ArrayTaskQueue, Barrier, Condvar, DuplexPipe, DuplexPipeRoot, Event, Lock, LockTimeoutError,
    MessageQueue, Mutex, Once, OnceLock, OpenError, PermitPool, Pipe, ReentrantMutex, RwLock, RwLockWriteGuard,
    Segment, Semaphore, Shareable,
};
use sha2::{Digest, Sha256};
use std::io::{Read, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Instant;

/// Every primitive there is. **A primitive is registered here**, and in `PRIMITIVES` below.
#[derive(Debug, Shareable)]
#[repr(C)]
pub struct Everything {
    pair: Mutex<[u64; 2]>,
    lock: Lock,
    real: Mutex<f64>,
    count: AtomicU64,
    semaphore: Semaphore,
    pool: PermitPool<3>,
    table: RwLock<[u64; 2], 2>,
    nested: ReentrantMutex<u64>,
    changed: Condvar,
    lock_of_changed: Lock,
    nested_of_changed: ReentrantMutex<u64>,
    event: Event,
    meeting: Barrier<3>,
    once: Once,
    made: OnceLock<u64>,
    queue: ArrayQueue<u64, 3>,
    tasks: ArrayTaskQueue<u64, 3>,
}

/// The elements of the segment's room.
type Room = Mutex<u32>;
type Any = Segment<Everything, Room>;

const TIMEOUT: Duration = Duration::from_micros(300);

/// Its name, and its operations.
type Primitive = (&'static str, fn(&Any, u8));

/// The operations of each primitive: the function gets the number of an operation. Any answer is
/// right if it comes within the timeout. **A primitive is registered here**, at the end.
const PRIMITIVES: &[Primitive] = &[
    ("segment", segment),
    ("mutex", mutex),
    ("lock", lock),
    ("semaphore", semaphore),
    ("pool", pool),
    ("rwlock", rwlock),
    ("reentrant", reentrant),
    ("condvar", condvar),
    ("event", event),
    ("barrier", barrier),
    ("once", once),
    ("queue", queue),
    ("message queue", message_queue),
    ("pipe", pipe),
    ("task queue", task_queue),
    ("duplex pipe", duplex_pipe),
];

fn segment(all: &Any, operation: u8) {
    match operation % 4 {
        0 => drop(format!("{:?} {all:?} {:?}", **all, all.participants())),
        1 => drop(all.room().iter().map(|element| element.try_lock().is_ok()).collect::<Vec<_>>()),
        2 => drop(all.detach()),
        _ => drop(all.attach()),
    }
}

fn mutex(all: &Any, operation: u8) {
    match operation % 4 {
        0 => drop(all.pair.try_lock()),
        1 => drop(all.pair.try_lock_for(TIMEOUT)),
        2 => {
            if let Ok(mut guard) = all.real.try_lock_for(TIMEOUT).or_else(LockTimeoutError::into_guard) {
                *guard += 1.0;
                guard.mark_consistent();
            }
        }
        _ => drop(all.pair.is_inconsistent()),
    }
}

fn lock(all: &Any, operation: u8) {
    match operation % 6 {
        0 => drop(all.lock.try_acquire()),
        1 => drop(all.lock.try_acquire_for(TIMEOUT)),
        2 => drop(all.lock.release()),
        3 => drop(all.lock.mark_consistent()),
        4 => {
            if let Ok(guard) = all.lock.try_lock_for(TIMEOUT).or_else(LockTimeoutError::into_guard) {
                let _held_by_us = guard.release();
            }
        }
        _ => drop((all.lock.is_inconsistent(), all.lock.holder())),
    }
}

fn semaphore(all: &Any, operation: u8) {
    let count = u32::from(operation / 6 % 4);
    match operation % 6 {
        0 => drop(all.semaphore.try_acquire_many(count)),
        1 => drop(all.semaphore.try_acquire_many_for(count, TIMEOUT)),
        2 => drop(all.semaphore.try_permits_for(count, TIMEOUT).map(|permit| permit.release())),
        3 => drop(all.semaphore.release_many(count)),
        4 => drop(all.semaphore.try_permit().map(|permit| permit.forget())),
        _ => drop((all.semaphore.available(), all.semaphore.maximum())),
    }
}

fn pool(all: &Any, operation: u8) {
    match operation % 5 {
        0 => drop(all.pool.try_permit().map(|permit| permit.release())),
        1 => drop(all.pool.try_permit_for(TIMEOUT).map(|permit| permit.into_parts())),
        2 => drop(all.pool.try_permit_for(TIMEOUT).map(|permit| permit.release())),
        3 => {
            for (index, holder) in all.pool.holders() {
                let _somebody_was_quicker = all.pool.give_back(index, holder);
            }
        }
        _ => assert!(all.pool.capacity() <= 3 && all.pool.held() <= 3),
    }
}

fn guard<G, E: LockFailure<G>>(answer: Result<G, E>) -> Option<G> {
    answer.map_or_else(|error| error.into_parts().1, Some)
}

fn rwlock(all: &Any, operation: u8) {
    match operation % 6 {
        0 => drop(all.table.try_read()),
        1 => drop(all.table.try_read_for(TIMEOUT)),
        2 => drop(guard(all.table.try_write())),
        3 => drop(guard(all.table.try_write_for(TIMEOUT)).map(|mut table| {
            table[0] = table[0].wrapping_add(1);
            table.mark_consistent();
        })),
        // The downgrade waits only for readers that have just come, and there were none.
        4 => drop(guard(all.table.try_write_for(TIMEOUT)).map(RwLockWriteGuard::downgrade)),
        _ => drop(all.table.is_inconsistent()),
    }
}

fn reentrant(all: &Any, operation: u8) {
    match operation % 6 {
        0 => drop((guard(all.nested.try_lock()), guard(all.nested.try_lock()))),
        1 => drop((guard(all.nested.try_lock_for(TIMEOUT)), guard(all.nested.try_lock_for(TIMEOUT)))),
        2 => drop(all.nested.try_acquire_for(TIMEOUT)),
        3 => drop(all.nested.release()),
        4 => drop(all.nested.mark_consistent()),
        _ => drop((all.nested.is_inconsistent(), all.nested.holder())),
    }
}

/// With locks that nobody keeps: a waiter takes the lock again when it returns, however long that
/// takes.
fn condvar(all: &Any, operation: u8) {
    match operation % 5 {
        0 => all.changed.notify_n(operation.into()),
        1 => all.changed.notify_all(),
        2 => drop(guard(all.pair.try_lock()).map(|guard| all.changed.wait_timeout(guard, TIMEOUT))),
        3 => drop(guard(all.nested_of_changed.try_lock()).map(|guard| all.changed.wait_timeout(guard, TIMEOUT))),
        _ => drop(guard(all.lock_of_changed.try_lock()).map(|guard| all.changed.wait_timeout(guard, TIMEOUT))),
    }
}

fn event(all: &Any, operation: u8) {
    match operation % 5 {
        0 => drop(all.event.set()),
        1 => drop(all.event.clear()),
        2 => drop(all.event.try_wait()),
        3 => drop(all.event.wait_timeout(TIMEOUT)),
        _ => drop((all.event.is_set(), all.event.is_auto_reset())),
    }
}

fn barrier(all: &Any, operation: u8) {
    match operation % 6 {
        0 => drop(all.meeting.wait_timeout(TIMEOUT)),
        1 => drop(all.meeting.wait_timeout_with(TIMEOUT, || {})),
        2 => drop(all.meeting.join().map(|member| member.wait_timeout(TIMEOUT).is_ok())),
        3 => drop(all.meeting.abort()),
        4 => drop(all.meeting.reset()),
        _ => assert!(all.meeting.parties() <= 3 && all.meeting.n_waiting() <= 3 && all.meeting.arrived().count() <= 3),
    }
}

/// There is no deadline here. So this begins only if there is no initialiser. Otherwise it might
/// wait for a word of these bytes that happens to name a present participant.
fn once(all: &Any, operation: u8) {
    let nobody = |once: &Once| format!("{once:?}").contains("initialiser: None");
    // SAFETY: repr(C), and its once is the first field.
    let of_made = unsafe { &*(&raw const all.made).cast::<Once>() };
    match operation % 4 {
        0 if nobody(&all.once) => drop(all.once.call_once(|| {})),
        1 if nobody(of_made) => drop(all.made.set(1)),
        2 => drop(all.made.get()),
        _ => drop(all.once.is_completed()),
    }
}

fn queue(all: &Any, operation: u8) {
    let queue = &all.queue;
    match operation % 9 {
        0 => drop(queue.try_send(operation.into())),
        1 => drop(queue.send_timeout(operation.into(), TIMEOUT)),
        2 => drop(queue.try_send_batch(&[1, 2, 3, 4])),
        3 => drop(queue.try_recv()),
        4 => drop(queue.recv_timeout(TIMEOUT)),
        5 => drop(queue.try_recv_batch(&mut vec![], 4)),
        6 => assert!(queue.drain().count() <= 3),
        7 => drop(queue.close()),
        _ => assert!(queue.len() <= 3 && queue.capacity() == 3 && !(queue.is_empty() && queue.is_full())),
    }
}

/// The words of a part of a segment, in which each word may be overwritten.
///
/// # Safety
/// The part consists of words that are understood whatever their bits, and of what lies between
/// them.
unsafe fn words_of<T: ?Sized>(part: &T) -> &[AtomicU64] {
    // SAFETY: within the part, by its size. The kernel aligned the segment, and all sizes in it are
    // multiples of eight. The words allow all bits, by the caller's promise.
    unsafe { core::slice::from_raw_parts((&raw const *part).cast::<AtomicU64>(), size_of_val(part) / 8) }
}

/// Overwrites so many of the words, as the input of `all` and the number choose.
fn garble(words: &[AtomicU64], many: u8, all: &Any, operation: u8) {
    let mut chosen = all.count.load(Relaxed) ^ u64::from(operation);
    for _ in 0..many {
        chosen = chosen.wrapping_mul(0x5851_f42d_4c95_7f2d).rotate_left(29) ^ u64::from(operation);
        let word = &words[chosen as usize % words.len()];
        word.store(if chosen & 1 << 40 == 0 { chosen } else { word.load(Relaxed) ^ 1 << (chosen >> 58) }, Relaxed);
    }
}

/// A queue of messages is a segment of its own. Its words are overwritten by those that the input
/// has chosen for the others.
fn message_queue(all: &Any, operation: u8) {
    let Ok(queue) = MessageQueue::anonymous(3, 500) else { return };
    let _sent = (queue.try_send_bytes(&[1; 400]), queue.try_send_bytes(&[2; 90]));
    // SAFETY: the room consists of atomic words.
    garble(unsafe { words_of(queue.segment().room()) }, operation % 8, all, operation);
    let most = queue.max_message();
    for step in 0..4 {
        match (operation / 8).wrapping_add(step) % 7 {
            0 => drop(queue.try_send_bytes(&[3; 450])),
            1 => drop(queue.send_bytes_timeout(&[4; 300], TIMEOUT)),
            2 => drop(queue.try_send_with(|writer| writer.write_all(&[5; 350]))),
            3 => assert!(queue.try_recv_bytes().map_or(0, |bytes| bytes.len()) <= most),
            4 => assert!(queue.recv_bytes_timeout(TIMEOUT).map_or(0, |bytes| bytes.len()) <= most),
            5 => drop(queue.try_recv_into(&mut [0; 64])),
            _ => drop(queue.try_recv_with(|reader| reader.read_to_end(&mut vec![]))),
        }
    }
    assert!(queue.len() <= 3);
}

/// Likewise a pipe is a segment of its own.
fn pipe(all: &Any, operation: u8) {
    let Ok(pipe) = Pipe::anonymous(256) else { return };
    let (Ok(mut sender), Ok(mut receiver)) = (pipe.sender(), pipe.receiver()) else { return };
    let _sent = (sender.try_send_bytes(&[1; 40]), sender.try_send_bytes(&[2; 90]));
    // SAFETY: the room consists of atomic words.
    garble(unsafe { words_of(pipe.segment().room()) }, operation % 8, all, operation);
    for step in 0..6 {
        match (operation / 8).wrapping_add(step) % 7 {
            0 => drop(sender.try_send_bytes(&[3; 30])),
            1 => drop(sender.send_bytes_timeout(&[4; 300], TIMEOUT)),
            2 => drop(receiver.try_recv_bytes()),
            3 => drop(receiver.recv_bytes_timeout(TIMEOUT)),
            4 => drop(receiver.try_recv_into(&mut [0; 64])),
            5 => drop(receiver.poll(TIMEOUT)),
            _ => drop(receiver.recv_into_timeout(&mut [0; 500], TIMEOUT)),
        }
    }
}

/// Here the positions and the names of the owners are overwritten, too. An end may be taken again
/// when it was dropped.
fn duplex_pipe(all: &Any, operation: u8) {
    let Ok(pipe) = DuplexPipe::anonymous(256) else { return };
    let (Ok(mut first), Ok(mut second)) = (pipe.first(), pipe.second()) else { return };
    let _sent = (first.try_send_bytes(&[1; 40]), second.try_send_bytes(&[2; 90]));
    let root: &DuplexPipeRoot = pipe.segment();
    // SAFETY: both consist of atomic words, and the root of unused bytes between them.
    let parts = unsafe { [words_of(root), words_of(pipe.segment().room())] };
    parts.iter().for_each(|words| garble(words, operation % 4, all, operation));
    for step in 0..6 {
        match (operation / 4).wrapping_add(step) % 8 {
            0 => drop(first.try_send_bytes(&[3; 30])),
            1 => drop(second.send_bytes_timeout(&[4; 300], TIMEOUT)),
            2 => drop(first.try_recv_bytes()),
            3 => drop(second.recv_bytes_timeout(TIMEOUT)),
            4 => drop(first.try_recv_into(&mut [0; 64])),
            5 => drop(second.poll(TIMEOUT)),
            6 => drop(first.recv_into_timeout(&mut [0; 500], TIMEOUT)),
            _ => drop((pipe.first(), pipe.second())),
        }
    }
    drop(first.split().0);
    drop(pipe.first());
}

fn task_queue(all: &Any, operation: u8) {
    let tasks = &all.tasks;
    match operation % 12 {
        0 => drop(tasks.try_send(operation.into())),
        1 => drop(tasks.send_timeout(operation.into(), TIMEOUT)),
        2 => drop(tasks.try_reserve().map(|loan| loan.publish())),
        3 => drop(tasks.reserve_timeout(TIMEOUT)),
        4 => drop(tasks.try_take()),
        5 => drop(tasks.take_timeout(TIMEOUT).map(|task| task.done())),
        6 => drop(tasks.try_take().map(|task| task.give_back())),
        7 => drop(tasks.join_timeout(TIMEOUT)),
        8 => assert!(tasks.set_aside().take(4).count() <= 3),
        9 => tasks.set_max_attempts((operation / 12).into()),
        10 => drop(tasks.close()),
        _ => {
            let all = [tasks.len(), tasks.in_flight(), tasks.set_aside_len(), tasks.workers().count()];
            assert!(all.iter().all(|count| *count <= tasks.capacity()) && tasks.capacity() == 3);
        }
    }
}

#[derive(Debug)]
struct Input {
    participants: u8,
    room: u8,
    /// The changed bytes of the header: each with its place and its change.
    header: Vec<(u8, u8)>,
    /// Whether the header's hash is corrected afterwards.
    hashed: bool,
    /// Whether the segment is mapped meanwhile.
    joined: bool,
    /// How many bytes longer or shorter than normal the file is.
    length: isize,
    here: Vec<u8>,
    in_another_thread: Vec<u8>,
    /// The bytes behind the header, repeated.
    body: Vec<u8>,
}

impl Input {
    fn of(bytes: &mut Unstructured<'_>) -> arbitrary::Result<Self> {
        let (participants, room, kind) = bytes.arbitrary::<(u8, u8, u8)>()?;
        // Most headers are good: nothing can be found behind a bad one.
        let changes = if kind % 4 == 0 { kind / 4 % 4 } else { 0 };
        let header = (0..changes).map(|_| bytes.arbitrary()).collect::<arbitrary::Result<_>>()?;
        let length = if kind / 16 == 1 { bytes.arbitrary::<i16>()?.into() } else { 0 };
        let mut operations = || -> arbitrary::Result<Vec<u8>> {
            let count = bytes.arbitrary::<u8>()? % 16;
            Ok(bytes.bytes(usize::from(count).min(bytes.len()))?.to_vec())
        };
        let (here, in_another_thread) = (operations()?, operations()?);
        let body = bytes.bytes(bytes.len())?.to_vec();
        Ok(Self {
            participants,
            room,
            header,
            hashed: kind % 8 == 0,
            joined: kind / 64 % 2 == 0,
            length,
            here,
            in_another_thread,
            body,
        })
    }
}

/// Far more than any operation should take, even on a busy machine.
const LONGEST: Duration = Duration::from_secs(20);

/// The length of the header that is checked.
const HEADER: usize = 156;
/// The offsets in the header of the number of participants, and of the hash of all that is before
/// the hash.
const PARTICIPANTS: usize = 104;
const HASH: usize = 112;
/// The offset of the participant table, and the size of its entry for one participant.
const TABLE: usize = 512;
const SLOT: usize = 128;

/// The body of the fuzz target. Returns the names of the primitives whose operations were done.
///
/// # Panics
/// If an operation panics, or takes much longer than its timeout. Also if a refused segment was
/// changed.
pub fn run_bytes(bytes: &[u8]) -> Kinds {
    let Ok(input) = Input::of(&mut Unstructured::new(bytes)) else { return Kinds::new() };
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("segment");
    let options = Segment::<Everything>::options()
        .participants(usize::from(input.participants % 8) + 1)
        .room::<Room>(usize::from(input.room % 16));
    // While the segment is mapped, an opener joins, and believes what is in the table as far as
    // possible. If it is not mapped, the table is freed.
    let kept = Some(options.create(&path, |_, _| {}).expect("a new segment")).filter(|_| input.joined);
    let written = overwrite(&path, &input);
    let inspected = outlive::inspect(&path);
    match options.open(&path) {
        Ok(segment) => {
            assert!(inspected.is_ok(), "it can be opened, but not inspected: {inspected:?}");
            std::thread::scope(|scope| {
                let other = scope.spawn(|| all(&segment, &input.in_another_thread));
                all(&segment, &input.here);
                other.join().expect("no panic");
            });
            leave(&segment, &path);
            drop(kept);
            let done = input.here.iter().chain(&input.in_another_thread);
            done.filter_map(|operation| Some(primitive(*operation)?.0.to_owned())).collect()
        }
        Err(error) => {
            let _told = error.to_string();
            assert!(
                !matches!(error, OpenError::NotFound(_) | OpenError::AlreadyExists(_) | OpenError::Busy { .. }),
                "{error:?}"
            );
            assert_eq!(std::fs::read(&path).expect("there"), written, "what was refused was changed");
            Kinds::new()
        }
    }
}

/// All that [`run_bytes`] can return.
#[must_use]
pub fn kinds() -> Kinds {
    PRIMITIVES.iter().map(|(name, _)| (*name).to_owned()).collect()
}

fn primitive(operation: u8) -> Option<&'static Primitive> {
    PRIMITIVES.get(usize::from(operation % MOST_PRIMITIVES))
}

fn all(segment: &Any, operations: &[u8]) {
    for operation in operations {
        let begin = Instant::now();
        if let Some((_, operate)) = primitive(*operation) {
            operate(segment, operation / MOST_PRIMITIVES);
        }
        let took = begin.elapsed();
        assert!(took < LONGEST, "operation {operation} returned after {took:?}");
    }
}

/// Writes the input's bytes over a segment that nobody has open. Returns the contents of the file
/// after that.
fn overwrite(path: &Path, input: &Input) -> Vec<u8> {
    let mut image = std::fs::read(path).expect("readable");
    if !input.body.is_empty() {
        for (place, byte) in image[HEADER..].iter_mut().zip(input.body.iter().cycle()) {
            *place = *byte;
        }
    }
    for (at, change) in &input.header {
        image[usize::from(*at) % HEADER] ^= change;
    }
    if input.hashed {
        let digest = Sha256::digest(&image[..HASH]);
        image[HASH..HASH + 8].copy_from_slice(&digest[..8]);
    }
    let length = image.len().saturating_add_signed(input.length);
    image.resize(length, 0);
    let file = std::fs::OpenOptions::new().write(true).open(path).expect("writable");
    file.set_len(length as u64).expect("resized");
    file.write_all_at(&image, 0).expect("written");
    image
}

/// Takes this thread out of the segment, whatever names it as a holder. Fuzzers do this a million
/// times.
fn leave(segment: &Any, path: &Path) {
    let file = std::fs::OpenOptions::new().read(true).write(true).open(path).expect("there");
    let mut participants = [0; 4];
    file.read_exact_at(&mut participants, PARTICIPANTS as u64).expect("a header");
    let root = TABLE + SLOT * u32::from_le_bytes(participants) as usize;
    let length = file.metadata().expect("there").len() as usize;
    file.write_all_at(&vec![0; length - root], root as u64).expect("written");
    segment.detach().expect("nothing is held any more");
}
