//! Boost.Interprocess, if its headers were there when this program was built. Each operation is a
//! call of a function in C++.

#[cfg(not(boost))]
pub(super) use missing::*;
#[cfg(boost)]
pub(super) use there::*;

#[cfg(not(boost))]
mod missing {
    use super::super::*;

    const WHY: &str = crate::boost::WHY_MISSING;

    fn row<M>(name: &'static str, make: M) -> Vec<Peer<M>> {
        vec![Peer::new(name, Kind::Peer, make)]
    }

    pub(in super::super) fn locks() -> Vec<Peer<MakeLock>> {
        row("Boost interprocess_mutex", || missing(WHY))
    }
    pub(in super::super) fn read_write_locks() -> Vec<Peer<MakeReadWrite>> {
        row("Boost interprocess_sharable_mutex", || missing(WHY))
    }
    pub(in super::super) fn semaphores() -> Vec<Peer<MakeSignal>> {
        row("Boost interprocess_semaphore", || missing(WHY))
    }
    pub(in super::super) fn conditions() -> Vec<Peer<MakeSignal>> {
        row("Boost interprocess_condition", || missing(WHY))
    }
    pub(in super::super) fn channels() -> Vec<Peer<MakeChannel>> {
        row("Boost message_queue", |_| missing(WHY))
    }
}

#[cfg(boost)]
mod there {
    use super::super::channels::{self, Channel, Receiver, Sender, Shape};
    use super::super::kinds::{self, Condition, ReadWrite, Signal};
    use super::super::ours::change;
    use super::super::{MakeChannel, MakeLock, MakeReadWrite, MakeSignal, Object, OfSignal, Peer};
    use crate::boost::{self, *};
    use crate::compare::Failure;
    use crate::compare::figures::Kind;
    use crate::objects::Shared;
    use outlive_benches::peers::Guarded;
    use std::ffi::{CString, c_int, c_void};
    use std::ptr::NonNull;
    use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

    fn row<M>(name: &'static str, make: M) -> Peer<M> {
        Peer::new(name, Kind::Peer, make)
    }

    pub(in super::super) fn locks() -> Vec<Peer<MakeLock>> {
        vec![
            row("Boost interprocess_mutex", || {
                let at = InRoom::new(boost_mutex_new)?;
                kinds::lock(Box::new(Lock { at, take: boost_mutex_lock, give_back: boost_mutex_unlock }))
            }),
            row("Boost interprocess_recursive_mutex", || {
                let at = InRoom::new(boost_recursive_new)?;
                kinds::lock(Box::new(Lock { at, take: boost_recursive_lock, give_back: boost_recursive_unlock }))
            }),
        ]
    }

    pub(in super::super) fn read_write_locks() -> Vec<Peer<MakeReadWrite>> {
        vec![
            row("Boost interprocess_sharable_mutex", || {
                let at = InRoom::new(boost_sharable_new)?;
                let read = [boost_sharable_read as Function, boost_sharable_end_read];
                kinds::read_write(Box::new(Both { at, read, write: [boost_sharable_write, boost_sharable_end_write] }))
            }),
            row("Boost interprocess_upgradable_mutex", || {
                let at = InRoom::new(boost_upgradable_new)?;
                let read = [boost_upgradable_read as Function, boost_upgradable_end_read];
                let write = [boost_upgradable_write as Function, boost_upgradable_end_write];
                kinds::read_write(Box::new(Both { at, read, write }))
            }),
        ]
    }

    pub(in super::super) fn semaphores() -> Vec<Peer<MakeSignal>> {
        vec![row("Boost interprocess_semaphore", semaphore)]
    }

    pub(in super::super) fn conditions() -> Vec<Peer<MakeSignal>> {
        vec![row("Boost interprocess_condition", || {
            let at = InRoom::new(boost_mutex_new)?;
            let lock = Lock { at, take: boost_mutex_lock, give_back: boost_mutex_unlock };
            kinds::condition(Box::new(WithCondition { lock, condition: InRoom::new(boost_condition_new)? }))
        })]
    }

    pub(in super::super) fn channels() -> Vec<Peer<MakeChannel>> {
        vec![row("Boost message_queue", |shape| Ok(Object::Processes(Box::new(Queue::new(shape)?))))]
    }

    fn check(code: c_int) -> Result<(), Failure> {
        if code == 0 { Ok(()) } else { Err(boost::error().into()) }
    }

    /// An object in shared memory, and a number beside it.
    struct InRoom(Shared<Room>);

    #[repr(C, align(64))]
    struct Room {
        number: AtomicU64,
        room: [u64; 127],
    }

    impl InRoom {
        /// Room in which the function has made its object.
        fn new(new: Function) -> Result<Self, Failure> {
            let room = Self(Shared::new(Room { number: AtomicU64::new(0), room: [0; 127] })?);
            // SAFETY: says a size.
            assert!(size_of::<[u64; 127]>() >= unsafe { boost_room() }, "room for each of Boost's objects");
            // SAFETY: enough room, aligned to words, nobody else's yet.
            check(unsafe { new(room.at()) })?;
            Ok(room)
        }
        fn at(&self) -> *mut c_void {
            // SAFETY: a field of a valid value.
            unsafe { (&raw mut (*self.0.as_ptr()).room).cast() }
        }
        #[inline]
        fn call(&self, function: Function) {
            // SAFETY: an object that the function belongs to, which never moves. The callers take
            // it before they give it back.
            check(unsafe { function(self.at()) }).expect("nobody dies");
        }
    }

    struct Lock {
        at: InRoom,
        take: Function,
        give_back: Function,
    }

    impl Guarded for Lock {
        #[inline]
        fn with<R>(&self, inside: impl FnOnce(&mut u64) -> R) -> R {
            self.at.call(self.take);
            let result = change(&self.at.0.number, inside);
            self.at.call(self.give_back);
            result
        }
    }

    struct Both {
        at: InRoom,
        read: [Function; 2],
        write: [Function; 2],
    }

    impl ReadWrite for Both {
        #[inline]
        fn read<R>(&self, inside: impl FnOnce() -> R) -> R {
            self.at.call(self.read[0]);
            let result = inside();
            self.at.call(self.read[1]);
            result
        }
        #[inline]
        fn write<R>(&self, inside: impl FnOnce() -> R) -> R {
            self.at.call(self.write[0]);
            let result = inside();
            self.at.call(self.write[1]);
            result
        }
    }

    struct Semaphore(InRoom);

    fn semaphore() -> OfSignal {
        let semaphore = Semaphore(InRoom::new(boost_semaphore_new)?);
        semaphore.take(); // its first permit
        kinds::signal(Box::new(semaphore))
    }

    impl Signal for Semaphore {
        #[inline]
        fn give(&self) {
            self.0.call(boost_semaphore_post);
        }
        #[inline]
        fn take(&self) {
            self.0.call(boost_semaphore_wait);
        }
    }

    struct WithCondition {
        lock: Lock,
        condition: InRoom,
    }

    impl Condition for WithCondition {
        fn set(&self) {
            self.lock.with(|number| *number = 1);
        }
        #[inline]
        fn notify(&self) {
            self.condition.call(boost_condition_notify_one);
        }
        fn wait_and_clear(&self) {
            let lock = &self.lock;
            lock.at.call(lock.take);
            while change(&lock.at.0.number, std::mem::take) == 0 {
                // SAFETY: a condition and its mutex, which was taken above.
                check(unsafe { boost_condition_wait(self.condition.at(), lock.at.at()) }).expect("nobody dies");
            }
            lock.at.call(lock.give_back);
        }
    }

    struct Queue(NonNull<c_void>);

    impl Queue {
        fn new(shape: Shape) -> Result<Self, Failure> {
            static COUNT: AtomicU32 = AtomicU32::new(0);
            let number = COUNT.fetch_add(1, Ordering::Relaxed);
            let name = CString::new(format!("outlive-peers-boost-{}-{number}", std::process::id()))?;
            // SAFETY: the name is a C string.
            let queue = unsafe { boost_queue_new(name.as_ptr(), shape.capacity(), shape.length) };
            Ok(Self(NonNull::new(queue).ok_or_else(boost::error)?))
        }
    }

    impl Drop for Queue {
        fn drop(&mut self) {
            // SAFETY: a queue that nobody uses any more.
            unsafe { boost_queue_delete(self.0.as_ptr()) };
        }
    }

    impl Channel for Queue {
        fn sender(&self) -> Result<Box<dyn Sender + '_>, Failure> {
            channels::sends(|item| {
                let (queue, length) = (self.0.as_ptr(), item.len());
                // SAFETY: a queue; the bytes are valid for the call.
                check(unsafe { boost_queue_send(queue, item.as_ptr().cast(), length) })
            })
        }
        fn receiver(&self) -> Result<Box<dyn Receiver + '_>, Failure> {
            channels::receives(|item| {
                let (queue, room, mut length) = (self.0.as_ptr(), item.len(), 0);
                // SAFETY: a queue; the room is valid for the call.
                check(unsafe { boost_queue_receive(queue, item.as_mut_ptr().cast(), room, &raw mut length) })?;
                channels::whole(length, item)
            })
        }
    }
}
