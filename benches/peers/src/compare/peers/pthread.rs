//! glibc's primitives, shared between processes.

use super::kinds::{self, Condition, Meeting, ReadWrite, Signal};
use super::{MakeLock, MakeMeeting, MakeReadWrite, MakeRepeated, MakeSignal, Peer, missing};
use crate::compare::figures::Kind;
use crate::objects::made;
use outlive::Shareable;
use outlive_benches::peers::{Cond, Pthread, PthreadBarrier, PthreadRwLock, Robustness, Sem};

fn row<M>(name: &'static str, make: M) -> Peer<M> {
    Peer::new(name, Kind::Peer, make)
}

pub(super) fn locks() -> Vec<Peer<MakeLock>> {
    vec![
        row("pthread mutex", || kinds::lock(made::<Pthread>(|new| new.set_up(Robustness::Stalled))?)),
        row("pthread mutex, robust", || kinds::lock(made::<Pthread>(|new| new.set_up(Robustness::Robust))?)),
    ]
}

pub(super) fn read_write_locks() -> Vec<Peer<MakeReadWrite>> {
    vec![row("pthread rwlock", || kinds::read_write(made(PthreadRwLock::set_up)?))]
}

impl ReadWrite for PthreadRwLock {
    #[inline]
    fn read<R>(&self, inside: impl FnOnce() -> R) -> R {
        assert_eq!(PthreadRwLock::read(self), 0);
        let result = inside();
        // SAFETY: locked above.
        assert_eq!(unsafe { self.unlock() }, 0);
        result
    }
    #[inline]
    fn write<R>(&self, inside: impl FnOnce() -> R) -> R {
        assert_eq!(PthreadRwLock::write(self), 0);
        let result = inside();
        // SAFETY: locked above.
        assert_eq!(unsafe { self.unlock() }, 0);
        result
    }
}

pub(super) fn semaphores() -> Vec<Peer<MakeSignal>> {
    vec![row("sem_t", || kinds::signal(made::<Sem>(|new| new.set_up(0))?))]
}

impl Signal for Sem {
    #[inline]
    fn give(&self) {
        assert_eq!(self.post(), 0);
    }
    #[inline]
    fn take(&self) {
        assert_eq!(self.wait(), 0);
    }
}

pub(super) fn conditions() -> Vec<Peer<MakeSignal>> {
    fn with(robustness: Robustness) -> super::OfSignal {
        kinds::condition(made::<WithCondition>(|new| {
            new.mutex.set_up(robustness)?;
            new.changed.set_up()
        })?)
    }
    vec![
        row("pthread condition", || with(Robustness::Stalled)),
        row("pthread condition, robust mutex", || with(Robustness::Robust)),
    ]
}

#[derive(Shareable)]
#[repr(C, align(64))]
struct WithCondition {
    mutex: Pthread,
    changed: Cond,
}

impl Condition for WithCondition {
    fn set(&self) {
        assert_eq!(self.mutex.lock(), 0);
        // SAFETY: this thread holds the mutex.
        unsafe {
            self.mutex.set_number(1);
            assert_eq!(self.mutex.unlock(), 0);
        }
    }
    #[inline]
    fn notify(&self) {
        assert_eq!(self.changed.signal(), 0);
    }
    fn wait_and_clear(&self) {
        assert_eq!(self.mutex.lock(), 0);
        // SAFETY: this thread holds the mutex.
        unsafe {
            while self.mutex.number() == 0 {
                assert_eq!(self.changed.wait(&self.mutex), 0);
            }
            self.mutex.set_number(0);
            assert_eq!(self.mutex.unlock(), 0);
        }
    }
}

pub(super) fn barriers() -> Vec<Peer<MakeMeeting>> {
    vec![row("pthread barrier", |parties| kinds::meeting(made::<PthreadBarrier>(|new| new.set_up(parties))?))]
}

impl Meeting for PthreadBarrier {
    #[inline]
    fn arrive(&self) {
        assert!(self.wait(), "pthread_barrier_wait");
    }
}

pub(super) fn done_once() -> Vec<Peer<MakeRepeated>> {
    vec![row("pthread_once", || missing("POSIX does not say that processes can share a pthread_once_t"))]
}
