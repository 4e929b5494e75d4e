//! What an operation costs without contention, which every user pays every time: one thread takes
//! and gives back, or sends and receives.

use super::Effort;
use super::figures::{Case, Kind, Unit};
use super::rounds::{Contestant, play};
use crate::objects::{Datagrams, FileLock, made};
use outlive::{
    ArrayQueue, Condvar, Event, Lock, MessageQueue, Mutex, Once, PermitPool, ReentrantMutex, RwLock, Segment, Semaphore,
};
use outlive_benches::peers::{
    Cond, FlockFile, Floor, Guarded, PosixQueue, Pthread, PthreadRwLock, Ring, Robustness, Sem,
};
use outlive_benches::process::stay_on_this_processor;
use std::error::Error;
use std::hint::black_box;
use std::io::{Read, Write};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Instant;

/// Operations in a round.
const TURNS: u32 = 2_000;
const ROUNDS: usize = 800;

/// Plays the contestants of a case.
type Run = fn(&mut Case, usize, &mut dyn FnMut(f64)) -> Result<(), Box<dyn Error>>;

fn turns<'a>(name: &str, kind: Kind, mut once: impl FnMut() + 'a) -> Contestant<'a> {
    Contestant::new(name, kind, move || {
        for _ in 0..TURNS / 20 {
            once(); // brings its cache lines and branches back
        }
        let begun = Instant::now();
        for _ in 0..TURNS {
            once();
        }
        Ok(begun.elapsed().as_nanos() as f64 / f64::from(TURNS))
    })
}

/// Measures.
///
/// # Errors
/// A segment or a peer cannot be made.
pub fn measure(effort: Effort, tell: &mut dyn FnMut(f64)) -> Result<Vec<Case>, Box<dyn Error>> {
    stay_on_this_processor();
    let cases: [(&str, Run); 6] = [
        ("mutex: lock and unlock", mutex),
        ("readers-writer lock: lock and unlock", read_write),
        ("semaphore: acquire and release", semaphore),
        ("signals while nobody waits", signals),
        ("queue: send and receive 64 bytes", queue),
        ("queue: send and receive 4 KiB", messages),
    ];
    let mut measured = vec![];
    for (name, run) in cases {
        let mut case = Case::new("pairs", name, Unit::Nanoseconds);
        run(&mut case, effort.of(ROUNDS), &mut |part| tell(part / cases.len() as f64))?;
        measured.push(case);
    }
    Ok(measured)
}

fn floor<'a>(word: &'a Floor) -> Contestant<'a> {
    turns("compare-and-swap, swap", Kind::Floor, move || {
        let word = black_box(word);
        assert!(word.take(black_box(7)));
        word.give_back();
    })
}

fn mutex(case: &mut Case, rounds: usize, tell: &mut dyn FnMut(f64)) -> Result<(), Box<dyn Error>> {
    let word = Segment::<Floor>::anonymous(|_free| {})?;
    let ours = Segment::<Mutex<u64>>::anonymous(|_free| {})?;
    let lock = Segment::<Lock>::anonymous(|_free| {})?;
    let reentrant = Segment::<ReentrantMutex<u64>>::anonymous(|_free| {})?;
    let plain = made::<Pthread>(|new| new.set_up(Robustness::Stalled))?;
    let robust = made::<Pthread>(|new| new.set_up(Robustness::Robust))?;
    let (ours, lock, reentrant, plain, robust) = (&*ours, &*lock, &*reentrant, &*plain, &*robust);
    let number = AtomicU64::new(0);
    let file = FlockFile::new()?;
    let flock = file.open(&number)?;
    let record = FileLock::new()?;
    let (std, parking) = (std::sync::Mutex::new(0_u64), parking_lot::Mutex::new(0_u64));
    let contestants = vec![
        floor(&word),
        turns("outlive Mutex", Kind::Ours, || *black_box(ours).lock().expect("free") += 1),
        turns("outlive Lock", Kind::Ours, || {
            black_box(lock).acquire().expect("free");
            black_box(lock).release().expect("held");
        }),
        turns("outlive ReentrantMutex", Kind::Ours, || drop(black_box(reentrant).lock().expect("free"))),
        turns("pthread mutex", Kind::Peer, || black_box(plain).with(|number| *number += 1)),
        turns("pthread mutex, robust", Kind::Peer, || black_box(robust).with(|number| *number += 1)),
        turns("flock", Kind::Peer, || flock.with(|number| *number += 1)),
        turns("fcntl, open file description", Kind::Peer, || record.with(|| ())),
        turns("std Mutex", Kind::Threads, || *black_box(&std).lock().expect("free") += 1),
        turns("parking_lot Mutex", Kind::Threads, || *black_box(&parking).lock() += 1),
    ];
    play(case, contestants, rounds, tell);
    Ok(())
}

fn read_write(case: &mut Case, rounds: usize, tell: &mut dyn FnMut(f64)) -> Result<(), Box<dyn Error>> {
    let word = Segment::<Floor>::anonymous(|_free| {})?;
    let ours = Segment::<RwLock<u64>>::anonymous(|_free| {})?;
    let theirs = made::<PthreadRwLock>(PthreadRwLock::set_up)?;
    let (ours, theirs) = (&*ours, &*theirs);
    let (std, parking) = (std::sync::RwLock::new(0_u64), parking_lot::RwLock::new(0_u64));
    let unlock = |lock: &PthreadRwLock| {
        // SAFETY: locked by the caller.
        assert_eq!(unsafe { lock.unlock() }, 0);
    };
    let contestants = vec![
        floor(&word),
        turns("outlive RwLock, read", Kind::Ours, || drop(black_box(ours).read().expect("free"))),
        turns("outlive RwLock, write", Kind::Ours, || drop(black_box(ours).write().expect("free"))),
        turns("pthread rwlock, read", Kind::Peer, || {
            assert_eq!(black_box(theirs).read(), 0);
            unlock(theirs);
        }),
        turns("pthread rwlock, write", Kind::Peer, || {
            assert_eq!(black_box(theirs).write(), 0);
            unlock(theirs);
        }),
        turns("std RwLock, read", Kind::Threads, || drop(black_box(&std).read().expect("free"))),
        turns("parking_lot RwLock, read", Kind::Threads, || drop(black_box(&parking).read())),
    ];
    play(case, contestants, rounds, tell);
    Ok(())
}

fn semaphore(case: &mut Case, rounds: usize, tell: &mut dyn FnMut(f64)) -> Result<(), Box<dyn Error>> {
    let word = Segment::<Floor>::anonymous(|_free| {})?;
    let ours = Segment::<Semaphore>::anonymous(|new| *new = Semaphore::new(1))?;
    let pool = Segment::<PermitPool<4>>::anonymous(|_free| {})?;
    let theirs = made::<Sem>(|new| new.set_up(1))?;
    let (ours, pool, theirs) = (&*ours, &*pool, &*theirs);
    let contestants = vec![
        floor(&word),
        turns("outlive Semaphore", Kind::Ours, || {
            black_box(ours).acquire().expect("a permit");
            black_box(ours).release().expect("no maximum");
        }),
        turns("outlive PermitPool", Kind::Ours, || drop(black_box(pool).permit().expect("a permit"))),
        turns("sem_t", Kind::Peer, || {
            assert_eq!(black_box(theirs).wait(), 0);
            assert_eq!(black_box(theirs).post(), 0);
        }),
    ];
    play(case, contestants, rounds, tell);
    Ok(())
}

fn signals(case: &mut Case, rounds: usize, tell: &mut dyn FnMut(f64)) -> Result<(), Box<dyn Error>> {
    let number = Segment::<AtomicU32>::anonymous(|_zero| {})?;
    let event = Segment::<Event>::anonymous(|_cleared| {})?;
    let condvar = Segment::<Condvar>::anonymous(|_empty| {})?;
    let once = Segment::<Once>::anonymous(|_new| {})?;
    once.call_once(|| ())?;
    let theirs = made::<Cond>(Cond::set_up)?;
    let (number, event, condvar, once, theirs) = (&*number, &*event, &*condvar, &*once, &*theirs);
    let contestants = vec![
        turns("load", Kind::Floor, || {
            black_box(black_box(number).load(Ordering::Acquire));
        }),
        turns("outlive Event, set and clear", Kind::Ours, || {
            black_box(event).set().expect("in a segment");
            black_box(event).clear();
        }),
        turns("outlive Condvar, notify one", Kind::Ours, || black_box(condvar).notify_one()),
        turns("outlive Once, done", Kind::Ours, || black_box(once).call_once(|| ()).expect("done")),
        turns("pthread condition, signal", Kind::Peer, || assert_eq!(black_box(theirs).signal(), 0)),
    ];
    play(case, contestants, rounds, tell);
    Ok(())
}

fn queue(case: &mut Case, rounds: usize, tell: &mut dyn FnMut(f64)) -> Result<(), Box<dyn Error>> {
    const CELLS: usize = 1024;
    type Item = [u64; 8];
    let ring = Segment::<Ring<Item, CELLS>>::anonymous(Ring::set_up)?;
    let queue = Segment::<ArrayQueue<Item, CELLS>>::anonymous(|_empty| {})?;
    let messages = MessageQueue::anonymous(CELLS, CELLS * 64)?;
    let (ring, queue, messages) = (&*ring, &*queue, &*messages);
    let posix = PosixQueue::new(8, 64);
    let (mut reader, mut writer) = outlive_benches::process::pipe()?;
    let datagrams = Datagrams::new()?;
    let (send, receive) = crossbeam_channel::bounded::<Item>(CELLS);
    let (mut produce, mut consume) = rtrb::RingBuffer::<Item>::new(CELLS);
    let bytes = [7; 64];
    let mut contestants = vec![
        turns("a bare ring", Kind::Floor, || {
            assert!(black_box(ring).try_send(black_box([7; 8])));
            black_box(black_box(ring).try_recv()).expect("an item");
        }),
        turns("outlive Queue", Kind::Ours, || {
            black_box(queue).send(black_box([7; 8])).expect("room");
            black_box(black_box(queue).recv()).expect("an item");
        }),
        turns("outlive MessageQueue", Kind::Ours, || {
            black_box(messages).send_bytes(black_box(&bytes)).expect("room");
            black_box(messages).recv_into(&mut [0; 64]).expect("a message");
        }),
        turns("Unix pipe", Kind::Peer, move || {
            writer.write_all(black_box(&bytes)).expect("room");
            reader.read_exact(&mut [0; 64]).expect("bytes");
        }),
        turns("Unix datagrams", Kind::Peer, move || {
            datagrams.send(black_box(&bytes)).expect("room");
            datagrams.receive(&mut [0; 64]).expect("bytes");
        }),
        turns("crossbeam-channel", Kind::Threads, || {
            send.send(black_box([7; 8])).expect("open");
            black_box(receive.recv()).expect("an item");
        }),
        turns("rtrb, one to one", Kind::Threads, || {
            produce.push(black_box([7; 8])).expect("room");
            black_box(consume.pop()).expect("an item");
        }),
    ];
    match &posix {
        Ok(posix) => contestants.push(turns("POSIX message queue", Kind::Peer, || {
            posix.send(black_box(&bytes)).expect("room");
            posix.receive(&mut [0; 64]).expect("a message");
        })),
        Err(error) => case.missing.push(("POSIX message queue".into(), error.to_string())),
    }
    play(case, contestants, rounds, tell);
    Ok(())
}

fn messages(case: &mut Case, rounds: usize, tell: &mut dyn FnMut(f64)) -> Result<(), Box<dyn Error>> {
    const LENGTH: usize = 4096;
    let messages = MessageQueue::anonymous(64, 64 * LENGTH)?;
    let messages = &*messages;
    let posix = PosixQueue::new(8, LENGTH);
    let (mut reader, mut writer) = outlive_benches::process::pipe()?;
    let datagrams = Datagrams::new()?;
    let bytes = vec![7; LENGTH];
    let bytes = &bytes[..];
    let [mut to_posix, mut to_ours, mut to_pipe, mut to_datagrams] = [(); 4].map(|()| vec![0; LENGTH]);
    let mut between = vec![0; LENGTH];
    let mut to_floor = vec![0; LENGTH];
    let mut contestants = vec![
        turns("two copies", Kind::Floor, || {
            black_box(&mut between).copy_from_slice(black_box(bytes));
            black_box(&mut to_floor).copy_from_slice(black_box(&between));
        }),
        turns("outlive MessageQueue", Kind::Ours, || {
            black_box(messages).send_bytes(black_box(bytes)).expect("room");
            black_box(messages).recv_into(&mut to_ours).expect("a message");
        }),
        turns("Unix pipe", Kind::Peer, || {
            writer.write_all(black_box(bytes)).expect("room");
            reader.read_exact(&mut to_pipe).expect("bytes");
        }),
        turns("Unix datagrams", Kind::Peer, || {
            datagrams.send(black_box(bytes)).expect("room");
            datagrams.receive(&mut to_datagrams).expect("bytes");
        }),
    ];
    match &posix {
        Ok(posix) => contestants.push(turns("POSIX message queue", Kind::Peer, || {
            posix.send(black_box(bytes)).expect("room");
            posix.receive(&mut to_posix).expect("a message");
        })),
        Err(error) => case.missing.push(("POSIX message queue".into(), error.to_string())),
    }
    play(case, contestants, rounds, tell);
    Ok(())
}
