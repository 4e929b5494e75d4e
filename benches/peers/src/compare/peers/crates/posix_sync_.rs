//! The crate posix-sync.

use super::{Room, object_in};
use crate::compare::peers::kinds::{self, Condition, Meeting, ReadWrite, words};
use crate::compare::peers::ours::change;
use crate::compare::peers::{OfLock, OfMeeting, OfReadWrite, OfSignal};
use crate::objects::Shared;
use outlive_benches::peers::Guarded;
use posix_sync::barrier::{BarrierBuilder, BarrierSharing, BorrowedBarrier};
use posix_sync::condvar::{BorrowedCondvar, CondvarBuilder, CondvarSharing};
use posix_sync::mutex::guards::{RobustGuardContainer, StandardGuard};
use posix_sync::mutex::robustness_markers::Robust;
use posix_sync::mutex::{BorrowedMutex, MutexBuilder, MutexSharing};
use posix_sync::rwlock::{BorrowedRwLock, RwLockBuilder, RwLockSharing};

/// An object, and the room in which it is. It is dropped before the room.
struct InRoom<T> {
    object: T,
    room: Shared<Room>,
}

type Mutex = InRoom<BorrowedMutex<'static, Robust>>;

fn robust_mutex() -> std::io::Result<Mutex> {
    let room = Room::new()?;
    let builder = MutexBuilder::<Robust>::new().with_sharing(MutexSharing::Shared);
    // SAFETY: enough room, aligned to words, nobody else's yet. It stays as long as the object, and
    // nobody destroys that.
    let object = unsafe { builder.build_borrowed(object_in(&room).cast(), &()) };
    Ok(InRoom { object, room })
}

impl Mutex {
    #[inline]
    fn guard(&self) -> StandardGuard<'_> {
        // SAFETY: the mutex stays, and nobody destroys it.
        match unsafe { self.object.lock() }.expect("no deadlock") {
            RobustGuardContainer::Standard(guard) => guard,
            RobustGuardContainer::Indeterminate(_) => panic!("nobody dies"),
        }
    }
}

impl Guarded for Mutex {
    #[inline]
    fn with<R>(&self, inside: impl FnOnce(&mut u64) -> R) -> R {
        let _guard = self.guard();
        change(&self.room.number, inside)
    }
}

pub(super) fn mutex() -> OfLock {
    kinds::lock(Box::new(robust_mutex()?))
}

pub(super) fn read_write() -> OfReadWrite {
    let room = Room::new()?;
    let builder = RwLockBuilder::new().with_sharing(RwLockSharing::Shared);
    // SAFETY: as in `robust_mutex`.
    let object: BorrowedRwLock<'static> = unsafe { builder.build_borrowed(object_in(&room).cast(), &()) };
    kinds::read_write(Box::new(InRoom { object, room }))
}

impl ReadWrite for InRoom<BorrowedRwLock<'static>> {
    #[inline]
    fn read<R>(&self, inside: impl FnOnce() -> R) -> R {
        // SAFETY: the lock stays, and nobody destroys it.
        let _guard = unsafe { self.object.read() }.expect("no deadlock");
        inside()
    }
    #[inline]
    fn write<R>(&self, inside: impl FnOnce() -> R) -> R {
        // SAFETY: as above.
        let _guard = unsafe { self.object.write() }.expect("no deadlock");
        inside()
    }
}

pub(super) fn condition() -> OfSignal {
    let room = Room::new()?;
    let builder = CondvarBuilder::new().with_sharing(CondvarSharing::Shared);
    // SAFETY: as in `robust_mutex`.
    let object: BorrowedCondvar<'static> = unsafe { builder.build_borrowed(object_in(&room).cast(), &()) };
    kinds::condition(Box::new((robust_mutex()?, InRoom { object, room })))
}

impl Condition for (Mutex, InRoom<BorrowedCondvar<'static>>) {
    fn set(&self) {
        self.0.with(|number| *number = 1);
    }
    #[inline]
    fn notify(&self) {
        // SAFETY: the condition stays, and nobody destroys it.
        unsafe { self.1.object.notify_one() }.expect("it is there");
    }
    fn wait_and_clear(&self) {
        let mut guard = self.0.guard();
        while change(&self.0.room.number, std::mem::take) == 0 {
            // SAFETY: as above; the guard is of the only mutex that the condition is used with.
            unsafe { self.1.object.wait(&mut guard) }.expect("nobody dies");
        }
    }
}

pub(super) fn barrier(parties: u32) -> OfMeeting {
    let room = Room::new()?;
    let builder = BarrierBuilder::new().with_sharing(BarrierSharing::Shared);
    // SAFETY: as in `robust_mutex`.
    let object: Result<BorrowedBarrier<'static>, _> =
        unsafe { builder.build_borrowed(object_in(&room).cast(), &(), parties) };
    kinds::meeting(Box::new(InRoom { object: object.map_err(words)?, room }))
}

impl Meeting for InRoom<BorrowedBarrier<'static>> {
    #[inline]
    fn arrive(&self) {
        // SAFETY: the barrier stays, and nobody destroys it.
        unsafe { self.object.wait() }.expect("it is there");
    }
}
