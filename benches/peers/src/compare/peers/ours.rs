//! outlive's own primitives. Its channels are in `rings`.

use super::kinds::{self, Condition, Meeting, ReadWrite, Signal};
use super::{MakeLock, MakeMeeting, MakeReadWrite, MakeRepeated, MakeSignal, Peer};
use crate::compare::figures::Kind;
use outlive::{
    Barrier, Condvar, Event, Lock, Mutex, Once, PermitPool, ReentrantMutex, RwLock, Segment, Semaphore, Shareable,
};
use outlive_benches::peers::Guarded;
use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};

fn row<M>(name: &'static str, make: M) -> Peer<M> {
    Peer::new(name, Kind::Ours, make)
}

pub(super) fn locks() -> Vec<Peer<MakeLock>> {
    vec![
        row("outlive Mutex", || kinds::lock(Segment::<Mutex<u64>>::anonymous(|_free| {})?)),
        row("outlive Lock", || kinds::lock(Segment::<Plain>::anonymous(|_free| {})?)),
        row("outlive ReentrantMutex", || kinds::lock(Segment::<Reentrant>::anonymous(|_free| {})?)),
    ]
}

/// A lock without data, and the number that it guards.
#[derive(Shareable)]
#[repr(C)]
struct Plain {
    lock: Lock,
    number: AtomicU64,
}

impl Guarded for Plain {
    #[inline]
    fn with<R>(&self, inside: impl FnOnce(&mut u64) -> R) -> R {
        self.lock.acquire().expect("nobody dies");
        let result = change(&self.number, inside);
        self.lock.release().expect("held");
        result
    }
}

/// Gives a number that a lock guards to a function.
#[inline]
pub(super) fn change<R>(number: &AtomicU64, inside: impl FnOnce(&mut u64) -> R) -> R {
    // ORDERING: Relaxed. The lock orders the accesses to the number.
    let mut own = number.load(Ordering::Relaxed);
    let result = inside(&mut own);
    number.store(own, Ordering::Relaxed);
    result
}

/// Its data are not exclusive: the holder may lock it again.
#[derive(Shareable)]
#[repr(C)]
struct Reentrant {
    mutex: ReentrantMutex<AtomicU64>,
}

impl Guarded for Reentrant {
    #[inline]
    fn with<R>(&self, inside: impl FnOnce(&mut u64) -> R) -> R {
        change(&self.mutex.lock().expect("nobody dies"), inside)
    }
}

pub(super) fn read_write_locks() -> Vec<Peer<MakeReadWrite>> {
    vec![row("outlive RwLock", || kinds::read_write(Segment::<RwLock<u64>>::anonymous(|_free| {})?))]
}

impl ReadWrite for RwLock<u64> {
    #[inline]
    fn read<R>(&self, inside: impl FnOnce() -> R) -> R {
        let _guard = RwLock::read(self).expect("nobody dies");
        inside()
    }
    #[inline]
    fn write<R>(&self, inside: impl FnOnce() -> R) -> R {
        let _guard = RwLock::write(self).expect("nobody dies");
        inside()
    }
}

pub(super) fn semaphores() -> Vec<Peer<MakeSignal>> {
    vec![row("outlive Semaphore", || kinds::signal(Segment::<Semaphore>::anonymous(|_empty| {})?))]
}

impl Signal for Semaphore {
    #[inline]
    fn give(&self) {
        self.release().expect("no maximum");
    }
    #[inline]
    fn take(&self) {
        self.acquire().expect("in a segment");
    }
}

pub(super) fn events() -> Vec<Peer<MakeSignal>> {
    vec![row("outlive Event", || kinds::signal(Segment::<Event>::anonymous(|new| *new = Event::auto_reset())?))]
}

impl Signal for Event {
    #[inline]
    fn give(&self) {
        self.set().expect("in a segment");
    }
    #[inline]
    fn take(&self) {
        self.wait().expect("in a segment");
    }
}

pub(super) fn conditions() -> Vec<Peer<MakeSignal>> {
    vec![row("outlive Condvar", || kinds::condition(Segment::<WithCondition>::anonymous(|_zero| {})?))]
}

#[derive(Shareable)]
#[repr(C, align(64))]
struct WithCondition {
    is_given: Mutex<u32>,
    changed: Condvar,
}

impl Condition for WithCondition {
    fn set(&self) {
        *self.is_given.lock().expect("nobody dies") = 1;
    }
    #[inline]
    fn notify(&self) {
        self.changed.notify_one();
    }
    fn wait_and_clear(&self) {
        let guard = self.is_given.lock().expect("nobody dies");
        *self.changed.wait_while(guard, |is_given| *is_given == 0).expect("nobody dies") = 0;
    }
}

pub(super) fn barriers() -> Vec<Peer<MakeMeeting>> {
    vec![row("outlive Barrier", |parties| {
        kinds::meeting(Segment::<Barrier>::anonymous(|new| *new = Barrier::new(parties as usize))?)
    })]
}

impl Meeting for Barrier {
    #[inline]
    fn arrive(&self) {
        self.wait().expect("nobody dies");
    }
}

pub(super) fn permit_pools() -> Vec<Peer<MakeRepeated>> {
    vec![row("outlive PermitPool", || {
        let pool = Segment::<PermitPool<4>>::anonymous(|_free| {})?;
        kinds::repeated(move || drop(black_box(&*pool).permit().expect("a permit")))
    })]
}

pub(super) fn done_once() -> Vec<Peer<MakeRepeated>> {
    vec![row("outlive Once", || {
        let once = Segment::<Once>::anonymous(|_new| {})?;
        once.call_once(|| ())?;
        kinds::repeated(move || black_box(&*once).call_once(|| ()).expect("done"))
    })]
}
