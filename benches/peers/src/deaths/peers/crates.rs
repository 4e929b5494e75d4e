//! Other crates.

use super::{Peer, here, share};
use crate::deaths::object::{
    AsBarrier, AsChannel, AsCondition, AsEvent, AsLock, AsRwLock, Channel, Condition, Exclusive, Meeting, Object,
    Shared, Signal,
};
use crate::deaths::order::Answer;
use crate::deaths::scenario::Kind;
use std::cell::{OnceCell, RefCell};
use std::io;

pub(super) fn peers() -> Vec<Peer> {
    [raw_sync_::peers(), posix_sync_::peers(), rustix_::peers(), process_sync_::peers(), files_and_channels()].concat()
}

fn words<E: ToString>(error: E) -> String {
    error.to_string()
}

const NOT_TAKEN: &str = "not taken";

/// The crate raw_sync.
mod raw_sync_ {
    use super::*;
    use raw_sync::Timeout;
    use raw_sync::events::{Event, EventImpl, EventInit, EventState};
    use raw_sync::locks::{LockImpl, LockInit, Mutex, RwLock};

    pub(super) fn peers() -> Vec<Peer> {
        let peer = |name, kind, make| here("raw_sync", name, kind, make);
        vec![
            peer("Mutex", Kind::Lock, || Ok(Box::new(AsLock(Lock(make::<Mutex>()?))))),
            peer("RwLock", Kind::RwLock, || Ok(Box::new(AsRwLock(Lock(make::<RwLock>()?))))),
            peer("Event", Kind::Event, || event(false)),
            peer("Event, auto-reset", Kind::Event, || event(true)),
        ]
    }

    fn room() -> io::Result<*mut u8> {
        Ok(share([0_u64; 64])?.cast())
    }

    fn make<L: LockInit>() -> io::Result<Box<dyn LockImpl>> {
        let room = room()?;
        assert!(L::size_of(Some(room)) <= size_of::<[u64; 64]>(), "room for any lock");
        // SAFETY: enough room, which stays, and is nobody else's yet. The data are not used.
        let (lock, _) = unsafe { L::new(room, room) }.map_err(|error| io::Error::other(error.to_string()))?;
        Ok(lock)
    }

    fn event(clears_itself: bool) -> io::Result<Box<dyn Object>> {
        let room = room()?;
        assert!(Event::size_of(Some(room)) <= size_of::<[u64; 64]>(), "room for an event");
        // SAFETY: enough room, which stays, and is nobody else's yet.
        let made = unsafe { Event::new(room, clears_itself) };
        let (event, _) = made.map_err(|error| io::Error::other(error.to_string()))?;
        Ok(Box::new(AsEvent(Events { event, clears_itself })))
    }

    struct Lock(Box<dyn LockImpl>);

    impl Lock {
        fn release(&self) -> Answer {
            self.0.release().map_err(words)?;
            Ok(None)
        }
    }

    impl Exclusive for Lock {
        fn take(&self) -> Answer {
            std::mem::forget(self.0.lock().map_err(words)?); // `give_back` releases it
            Ok(None)
        }
        fn give_back(&self) -> Answer {
            self.release()
        }
    }

    impl Shared for Lock {
        fn read(&self) -> Answer {
            std::mem::forget(self.0.rlock().map_err(words)?); // `end_read` releases it
            Ok(None)
        }
        fn end_read(&self) -> Answer {
            self.release()
        }
        fn write(&self) -> Answer {
            self.take()
        }
        fn end_write(&self) -> Answer {
            self.release()
        }
    }

    struct Events {
        event: Box<dyn EventImpl>,
        clears_itself: bool,
    }

    impl Signal for Events {
        fn wait(&self) -> Answer {
            self.event.wait(Timeout::Infinite).map_err(words)?;
            Ok(None)
        }
        fn set(&self) -> Answer {
            self.event.set(EventState::Signaled).map_err(words)?;
            Ok(None)
        }
        fn clear(&self) -> Answer {
            if !self.clears_itself {
                self.event.set(EventState::Clear).map_err(words)?;
            }
            Ok(None)
        }
    }
}

/// The crate posix-sync.
mod posix_sync_ {
    use super::*;
    use posix_sync::barrier::{BarrierBuilder, BarrierSharing, BorrowedBarrier};
    use posix_sync::condvar::{BorrowedCondvar, CondvarBuilder, CondvarSharing};
    use posix_sync::mutex::guards::{RobustGuardContainer, StandardGuard};
    use posix_sync::mutex::robustness_markers::Robust;
    use posix_sync::mutex::{BorrowedMutex, MutexBuilder, MutexSharing};
    use posix_sync::rwlock::guards::{ReadGuard, WriteGuard};
    use posix_sync::rwlock::{BorrowedRwLock, RwLockBuilder, RwLockSharing};

    pub(super) fn peers() -> Vec<Peer> {
        let peer = |name, kind, make| here("posix-sync", name, kind, make);
        vec![
            peer("Mutex, robust", Kind::Lock, || Ok(Box::new(AsLock(mutex()?)))),
            peer("RwLock", Kind::RwLock, rwlock),
            peer("Condvar with a robust Mutex", Kind::Condition, condvar),
            peer("Barrier", Kind::Barrier, barrier),
        ]
    }

    /// Room for one object. Each is made at its beginning, in memory that stays.
    fn room() -> io::Result<*mut [u64; 64]> {
        share([0; 64])
    }

    struct Mutex {
        mutex: &'static BorrowedMutex<'static, Robust>,
        guard: RefCell<Option<StandardGuard<'static>>>,
    }

    fn mutex() -> io::Result<Mutex> {
        let builder = MutexBuilder::<Robust>::new().with_sharing(MutexSharing::Shared);
        // SAFETY: enough room, aligned to pages, nobody else's yet, and it stays.
        let mutex = unsafe { builder.build_borrowed(room()?.cast(), &()) };
        Ok(Mutex { mutex: Box::leak(Box::new(mutex)), guard: RefCell::default() })
    }

    impl Exclusive for Mutex {
        fn take(&self) -> Answer {
            // SAFETY: a mutex that stays, and that nobody destroys.
            let (guard, told) = match unsafe { self.mutex.lock() }.map_err(|error| format!("{error:?}"))? {
                RobustGuardContainer::Standard(guard) => (guard, None),
                RobustGuardContainer::Indeterminate(guard) => {
                    let guard = guard.make_consistent().map_err(|error| format!("{error:?}"))?;
                    (guard, Some("Indeterminate".to_string()))
                }
            };
            *self.guard.borrow_mut() = Some(guard);
            Ok(told)
        }
        fn give_back(&self) -> Answer {
            self.guard.borrow_mut().take().map(drop).ok_or(NOT_TAKEN)?;
            Ok(None)
        }
    }

    struct RwLock {
        lock: &'static BorrowedRwLock<'static>,
        read: RefCell<Option<ReadGuard<'static>>>,
        write: RefCell<Option<WriteGuard<'static>>>,
    }

    fn rwlock() -> io::Result<Box<dyn Object>> {
        let builder = RwLockBuilder::new().with_sharing(RwLockSharing::Shared);
        // SAFETY: enough room, aligned to pages, nobody else's yet, and it stays.
        let lock = unsafe { builder.build_borrowed(room()?.cast(), &()) };
        let lock = Box::leak(Box::new(lock));
        Ok(Box::new(AsRwLock(RwLock { lock, read: RefCell::default(), write: RefCell::default() })))
    }

    impl Shared for RwLock {
        fn read(&self) -> Answer {
            // SAFETY: a lock that stays, and that nobody destroys.
            *self.read.borrow_mut() = Some(unsafe { self.lock.read() }.map_err(|error| format!("{error:?}"))?);
            Ok(None)
        }
        fn end_read(&self) -> Answer {
            self.read.borrow_mut().take().map(drop).ok_or(NOT_TAKEN)?;
            Ok(None)
        }
        fn write(&self) -> Answer {
            // SAFETY: as above.
            *self.write.borrow_mut() = Some(unsafe { self.lock.write() }.map_err(|error| format!("{error:?}"))?);
            Ok(None)
        }
        fn end_write(&self) -> Answer {
            self.write.borrow_mut().take().map(drop).ok_or(NOT_TAKEN)?;
            Ok(None)
        }
    }

    struct Condvar {
        lock: Mutex,
        condition: BorrowedCondvar<'static>,
    }

    fn condvar() -> io::Result<Box<dyn Object>> {
        let builder = CondvarBuilder::new().with_sharing(CondvarSharing::Shared);
        // SAFETY: enough room, aligned to pages, nobody else's yet, and it stays.
        let condition = unsafe { builder.build_borrowed(room()?.cast(), &()) };
        Ok(Box::new(AsCondition(Condvar { lock: mutex()?, condition })))
    }

    impl Exclusive for Condvar {
        fn take(&self) -> Answer {
            self.lock.take()
        }
        fn give_back(&self) -> Answer {
            self.lock.give_back()
        }
    }

    impl Condition for Condvar {
        fn wait(&self) -> Answer {
            let mut guard = self.lock.guard.borrow_mut();
            let guard = guard.as_mut().ok_or(NOT_TAKEN)?;
            // SAFETY: a condition that stays, and the guard of its mutex.
            unsafe { self.condition.wait(guard) }.map_err(|error| format!("{error:?}"))?;
            Ok(None)
        }
        fn notify_one(&self) -> Answer {
            // SAFETY: a condition that stays.
            unsafe { self.condition.notify_one() }.map_err(|error| format!("{error:?}"))?;
            Ok(None)
        }
        fn notify_all(&self) -> Answer {
            // SAFETY: as above.
            unsafe { self.condition.notify_all() }.map_err(|error| format!("{error:?}"))?;
            Ok(None)
        }
    }

    struct Barrier(BorrowedBarrier<'static>);

    fn barrier() -> io::Result<Box<dyn Object>> {
        let builder = BarrierBuilder::new().with_sharing(BarrierSharing::Shared);
        // SAFETY: enough room, aligned to pages, nobody else's yet, and it stays.
        let barrier = unsafe { builder.build_borrowed(room()?.cast(), &(), 3) };
        Ok(Box::new(AsBarrier(Barrier(barrier.map_err(|error| io::Error::other(format!("{error:?}")))?))))
    }

    impl Meeting for Barrier {
        fn arrive(&self) -> Answer {
            // SAFETY: a barrier that stays.
            unsafe { self.0.wait() }.map_err(|error| format!("{error:?}"))?;
            Ok(None)
        }
        fn reset(&self) -> Answer {
            Err("posix-sync's barrier has no repair".into())
        }
    }
}

/// The crate rustix-futex-sync.
mod rustix_ {
    use super::*;
    use rustix_futex_sync::shm;

    pub(super) fn peers() -> Vec<Peer> {
        let peer = |name, kind, make| here("rustix-futex-sync", name, kind, make);
        vec![
            peer("shm::Mutex", Kind::Lock, || Ok(Box::new(AsLock(mutex()?)))),
            peer("shm::RwLock", Kind::RwLock, rwlock),
            peer("shm::Condvar", Kind::Condition, condvar),
        ]
    }

    /// Shares a value, which stays.
    fn place<T>(value: T) -> io::Result<&'static T> {
        let at = share(value)?;
        // SAFETY: a valid value, in memory that stays. It is for use by several processes.
        Ok(unsafe { &*at })
    }

    struct Mutex {
        mutex: &'static shm::Mutex<()>,
        guard: RefCell<Option<shm::MutexGuard<'static, ()>>>,
    }

    fn mutex() -> io::Result<Mutex> {
        Ok(Mutex { mutex: place(shm::Mutex::new(()))?, guard: RefCell::default() })
    }

    impl Exclusive for Mutex {
        fn take(&self) -> Answer {
            *self.guard.borrow_mut() = Some(self.mutex.lock());
            Ok(None)
        }
        fn give_back(&self) -> Answer {
            self.guard.borrow_mut().take().map(drop).ok_or(NOT_TAKEN)?;
            Ok(None)
        }
    }

    struct RwLock {
        lock: &'static shm::RwLock<()>,
        read: RefCell<Option<shm::RwLockReadGuard<'static, ()>>>,
        write: RefCell<Option<shm::RwLockWriteGuard<'static, ()>>>,
    }

    fn rwlock() -> io::Result<Box<dyn Object>> {
        let lock = place(shm::RwLock::new(()))?;
        Ok(Box::new(AsRwLock(RwLock { lock, read: RefCell::default(), write: RefCell::default() })))
    }

    impl Shared for RwLock {
        fn read(&self) -> Answer {
            *self.read.borrow_mut() = Some(self.lock.read());
            Ok(None)
        }
        fn end_read(&self) -> Answer {
            self.read.borrow_mut().take().map(drop).ok_or(NOT_TAKEN)?;
            Ok(None)
        }
        fn write(&self) -> Answer {
            *self.write.borrow_mut() = Some(self.lock.write());
            Ok(None)
        }
        fn end_write(&self) -> Answer {
            self.write.borrow_mut().take().map(drop).ok_or(NOT_TAKEN)?;
            Ok(None)
        }
    }

    struct Condvar {
        lock: Mutex,
        condition: &'static shm::Condvar,
    }

    fn condvar() -> io::Result<Box<dyn Object>> {
        Ok(Box::new(AsCondition(Condvar { lock: mutex()?, condition: place(shm::Condvar::new())? })))
    }

    impl Exclusive for Condvar {
        fn take(&self) -> Answer {
            self.lock.take()
        }
        fn give_back(&self) -> Answer {
            self.lock.give_back()
        }
    }

    impl Condition for Condvar {
        fn wait(&self) -> Answer {
            let guard = self.lock.guard.borrow_mut().take().ok_or(NOT_TAKEN)?;
            *self.lock.guard.borrow_mut() = Some(self.condition.wait(guard));
            Ok(None)
        }
        fn notify_one(&self) -> Answer {
            self.condition.notify_one();
            Ok(None)
        }
        fn notify_all(&self) -> Answer {
            self.condition.notify_all();
            Ok(None)
        }
    }
}

/// The crate process-sync.
mod process_sync_ {
    use super::*;
    use process_sync::{SharedCondvar, SharedMutex};

    pub(super) fn peers() -> Vec<Peer> {
        let peer = |name, kind, make| here("process-sync", name, kind, make);
        vec![
            peer("SharedMutex", Kind::Lock, || Ok(Box::new(AsLock(mutex()?)))),
            peer("SharedCondvar", Kind::Condition, || {
                let condition = RefCell::new(SharedCondvar::new()?);
                Ok(Box::new(AsCondition(Condvar { lock: mutex()?, condition })))
            }),
        ]
    }

    struct Mutex(RefCell<SharedMutex>);

    fn mutex() -> io::Result<Mutex> {
        Ok(Mutex(RefCell::new(SharedMutex::new()?)))
    }

    impl Exclusive for Mutex {
        fn take(&self) -> Answer {
            self.0.borrow_mut().lock().map_err(words)?;
            Ok(None)
        }
        fn give_back(&self) -> Answer {
            self.0.borrow_mut().unlock().map_err(words)?;
            Ok(None)
        }
    }

    struct Condvar {
        lock: Mutex,
        condition: RefCell<SharedCondvar>,
    }

    impl Exclusive for Condvar {
        fn take(&self) -> Answer {
            self.lock.take()
        }
        fn give_back(&self) -> Answer {
            self.lock.give_back()
        }
    }

    impl Condition for Condvar {
        fn wait(&self) -> Answer {
            self.condition.borrow_mut().wait(&mut self.lock.0.borrow_mut()).map_err(words)?;
            Ok(None)
        }
        fn notify_one(&self) -> Answer {
            self.condition.borrow_mut().notify_one().map_err(words)?;
            Ok(None)
        }
        fn notify_all(&self) -> Answer {
            self.condition.borrow_mut().notify_all().map_err(words)?;
            Ok(None)
        }
    }
}

fn files_and_channels() -> Vec<Peer> {
    vec![
        here("named-lock", "NamedLock", Kind::Lock, || Ok(Box::new(AsLock(Named::default())))),
        here("ipc-channel", "bytes channel", Kind::Queue, ipc_channel_),
    ]
}

/// The crate named-lock. Each process opens the file by itself.
#[derive(Default)]
struct Named {
    own: OnceCell<named_lock::NamedLock>,
    guard: RefCell<Option<named_lock::NamedLockGuard>>,
}

impl Exclusive for Named {
    fn take(&self) -> Answer {
        if self.own.get().is_none() {
            // In the cell's directory.
            let lock = named_lock::NamedLock::with_path("named-lock").map_err(words)?;
            self.own.get_or_init(|| lock);
        }
        let lock = self.own.get().expect("opened above");
        *self.guard.borrow_mut() = Some(lock.lock().map_err(words)?);
        Ok(None)
    }
    fn give_back(&self) -> Answer {
        self.guard.borrow_mut().take().map(drop).ok_or(NOT_TAKEN)?;
        Ok(None)
    }
}

/// The crate ipc-channel. Forked children inherit both ends.
struct IpcChannel {
    sender: RefCell<Option<ipc_channel::ipc::IpcBytesSender>>,
    receiver: RefCell<Option<ipc_channel::ipc::IpcBytesReceiver>>,
}

fn ipc_channel_() -> io::Result<Box<dyn Object>> {
    let (sender, receiver) = ipc_channel::ipc::bytes_channel()?;
    Ok(Box::new(AsChannel(IpcChannel { sender: RefCell::new(Some(sender)), receiver: RefCell::new(Some(receiver)) })))
}

impl Channel for IpcChannel {
    fn send(&self, bytes: &[u8]) -> Answer {
        self.sender.borrow().as_ref().ok_or(NOT_TAKEN)?.send(bytes).map_err(words)?;
        Ok(None)
    }
    fn receive(&self, into: &mut Vec<u8>) -> Answer {
        match self.receiver.borrow().as_ref().ok_or(NOT_TAKEN)?.recv() {
            Ok(message) => {
                *into = message;
                Ok(None)
            }
            Err(ipc_channel::IpcError::Disconnected) => Ok(Some("Disconnected".into())),
            Err(other) => Err(words(other)),
        }
    }
    fn keep_end(&self, to_send: bool) -> Answer {
        match to_send {
            true => drop(self.receiver.take()),
            false => drop(self.sender.take()),
        }
        Ok(None)
    }
    fn leave(&self) -> Answer {
        drop((self.sender.take(), self.receiver.take()));
        Ok(None)
    }
}
