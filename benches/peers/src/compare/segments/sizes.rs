//! How many bytes there are of what.

use crate::compare::Failure;
use crate::compare::figures::{Case, Kind, Row, Unit};
use outlive::{Barrier, Condvar, Event, Lock, Mutex, Once, PermitPool, ReentrantMutex, RwLock, Segment, Semaphore};
use rustix_futex_sync::shm;

fn case(name: &str, rows: impl IntoIterator<Item = (String, Kind, usize)>) -> Case {
    let rows = rows.into_iter().map(|(name, kind, bytes)| Row { name, kind, rounds: vec![bytes as f64] });
    Case { rows: rows.collect(), ..Case::new("segments", name, Unit::Bytes) }
}

pub(super) fn cases() -> Result<Vec<Case>, Failure> {
    let mut primitives = case("bytes of a primitive, without data", of_primitives());
    if cfg!(not(boost)) {
        primitives
            .missing
            .push(("Boost".into(), "built without its headers (Debian: apt-get install libboost-dev g++)".into()));
    }
    let mut participants = case(
        "bytes of a participant, in a segment that it uses",
        [
            ("outlive, each participant that the segment has room for".into(), Kind::Ours, of_a_participant()?),
            ("pthread, robust or not".into(), Kind::Peer, 0),
        ],
    );
    participants.missing.push((
        "all others".into(),
        "they do not know who takes part; iceoryx2 and ipc-channel have files and descriptors for each".into(),
    ));
    Ok(vec![primitives, participants])
}

/// The difference between segments in files, which have room for so many participants.
fn of_a_participant() -> Result<usize, Failure> {
    const MORE: usize = 4032; // whole pages
    let folder = tempfile::tempdir()?;
    let length = |participants: usize| -> Result<usize, Failure> {
        let path = folder.path().join(participants.to_string());
        let _segment = Segment::<u64>::options().participants(participants).create(&*path, |_zero, _no_room| {})?;
        Ok(std::fs::metadata(&path)?.len() as usize)
    };
    Ok((length(32 + MORE)? - length(32)?) / MORE)
}

fn of_primitives() -> Vec<(String, Kind, usize)> {
    let ours = [
        ("outlive Mutex", size_of::<Mutex<()>>()),
        ("outlive Lock", size_of::<Lock>()),
        ("outlive ReentrantMutex", size_of::<ReentrantMutex<()>>()),
        ("outlive RwLock", size_of::<RwLock<()>>()),
        ("outlive Semaphore", size_of::<Semaphore>()),
        ("outlive PermitPool of 4", size_of::<PermitPool<4>>()),
        ("outlive Condvar", size_of::<Condvar>()),
        ("outlive Event", size_of::<Event>()),
        ("outlive Barrier of 4", size_of::<Barrier<4>>()),
        ("outlive Once", size_of::<Once>()),
    ];
    let theirs = [
        ("pthread mutex", size_of::<libc::pthread_mutex_t>()),
        ("pthread rwlock", size_of::<libc::pthread_rwlock_t>()),
        ("pthread condition", size_of::<libc::pthread_cond_t>()),
        ("pthread barrier", size_of::<libc::pthread_barrier_t>()),
        ("sem_t", size_of::<libc::sem_t>()),
        ("rustix-futex-sync shm::Mutex", size_of::<shm::Mutex<()>>()),
        ("rustix-futex-sync shm::RwLock", size_of::<shm::RwLock<()>>()),
        ("rustix-futex-sync shm::Condvar", size_of::<shm::Condvar>()),
        ("rustix-futex-sync shm::Once", size_of::<shm::Once>()),
        ("raw_sync Mutex", of_raw::<raw_sync::locks::Mutex>()),
        ("raw_sync RwLock", of_raw::<raw_sync::locks::RwLock>()),
        ("raw_sync Event", <raw_sync::events::Event as raw_sync::events::EventInit>::size_of(None)),
        ("process-sync SharedMutex or SharedCondvar: a mapping of its own", PAGE),
        ("CPython Lock, Semaphore: a file of its own", PAGE),
    ];
    let of_kind = |kind| move |(name, bytes): (&str, usize)| (name.to_owned(), kind, bytes);
    let mut all: Vec<_> =
        ours.into_iter().map(of_kind(Kind::Ours)).chain(theirs.into_iter().map(of_kind(Kind::Peer))).collect();
    #[cfg(boost)]
    all.extend(crate::boost::sizes().into_iter().map(|(name, bytes)| (name, Kind::Peer, bytes)));
    let threads = [
        ("std Mutex", size_of::<std::sync::Mutex<()>>()),
        ("std RwLock", size_of::<std::sync::RwLock<()>>()),
        ("std Condvar", size_of::<std::sync::Condvar>()),
        ("std Barrier", size_of::<std::sync::Barrier>()),
        ("parking_lot Mutex", size_of::<parking_lot::Mutex<()>>()),
        ("parking_lot RwLock", size_of::<parking_lot::RwLock<()>>()),
        ("parking_lot Condvar", size_of::<parking_lot::Condvar>()),
    ];
    all.extend(threads.into_iter().map(of_kind(Kind::Threads)));
    all
}

const PAGE: usize = 4096;

fn of_raw<L: raw_sync::locks::LockInit>() -> usize {
    L::size_of(None)
}
