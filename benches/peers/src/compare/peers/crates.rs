//! Other crates for several processes.

use super::channels::{self, Channel, Receiver, Sender};
use super::kinds::{self, Condition, ReadWrite, Signal, words};
use super::ours::change;
use super::{MakeChannel, MakeLock, MakeMeeting, MakeReadWrite, MakeRepeated, MakeSignal, Object, Peer};
use crate::compare::Failure;
use crate::compare::figures::Kind;
use crate::objects::Shared;
use outlive_benches::peers::Guarded;
use std::cell::RefCell;
use std::hint::black_box;
use std::sync::OnceLock;
use std::sync::atomic::AtomicU64;

mod posix_sync_;

fn row<M>(name: &'static str, make: M) -> Peer<M> {
    Peer::new(name, Kind::Peer, make)
}

pub(super) fn locks() -> Vec<Peer<MakeLock>> {
    vec![
        row("posix-sync Mutex, robust", posix_sync_::mutex),
        row("raw_sync Mutex", || kinds::lock(Box::new(raw::<raw_sync::locks::Mutex>()?))),
        row("rustix-futex-sync shm::Mutex", || kinds::lock(Shared::new(Rustix(shm::Mutex::new(0)))?)),
        row("process-sync SharedMutex", || kinds::lock(Box::new(ProcessSync::new()?))),
        row("named-lock", || kinds::lock(Box::new(Named::new()?))),
    ]
}

pub(super) fn read_write_locks() -> Vec<Peer<MakeReadWrite>> {
    vec![
        row("posix-sync RwLock", posix_sync_::read_write),
        row("raw_sync RwLock", || kinds::read_write(Box::new(raw::<raw_sync::locks::RwLock>()?))),
        row("rustix-futex-sync shm::RwLock", || kinds::read_write(Shared::new(Rustix(shm::RwLock::new(())))?)),
    ]
}

pub(super) fn events() -> Vec<Peer<MakeSignal>> {
    vec![row("raw_sync Event, auto-reset", || kinds::signal(Box::new(RawEvent::new()?)))]
}

pub(super) fn conditions() -> Vec<Peer<MakeSignal>> {
    vec![
        row("posix-sync Condvar, robust mutex", posix_sync_::condition),
        row("rustix-futex-sync shm::Condvar", || {
            kinds::condition(Shared::new(Rustix((shm::Mutex::new(0), shm::Condvar::new())))?)
        }),
        row("process-sync SharedCondvar", || {
            let condition = RefCell::new(process_sync::SharedCondvar::new()?);
            kinds::condition(Box::new((ProcessSync::new()?, condition)))
        }),
    ]
}

pub(super) fn barriers() -> Vec<Peer<MakeMeeting>> {
    vec![row("posix-sync Barrier", posix_sync_::barrier)]
}

pub(super) fn done_once() -> Vec<Peer<MakeRepeated>> {
    vec![row("rustix-futex-sync shm::Once", || {
        let once = Shared::new(shm::Once::new())?;
        once.call_once(|| ());
        kinds::repeated(move || black_box(&*once).call_once(|| ()))
    })]
}

pub(super) fn channels() -> Vec<Peer<MakeChannel>> {
    vec![row("ipc-channel, bytes", |shape| {
        shape.one_receiver("its receiver is not shared")?;
        let (sender, receiver) = ipc_channel::ipc::bytes_channel()?;
        Ok(Object::Processes(Box::new((sender, receiver))))
    })]
}

/// Forked children inherit both ends.
impl Channel for (ipc_channel::ipc::IpcBytesSender, ipc_channel::ipc::IpcBytesReceiver) {
    fn sender(&self) -> Result<Box<dyn Sender + '_>, Failure> {
        channels::sends(|item| Ok(self.0.send(item)?))
    }
    fn receiver(&self) -> Result<Box<dyn Receiver + '_>, Failure> {
        channels::receives(|item| {
            let received = self.1.recv().map_err(words)?;
            channels::whole(received.len(), item)?;
            item.copy_from_slice(&received);
            Ok(())
        })
    }
}

/// Room in shared memory for an object of another crate, and a number beside it.
#[repr(C, align(64))]
struct Room {
    number: AtomicU64,
    room: [u64; 63],
}

impl Room {
    fn new() -> std::io::Result<Shared<Self>> {
        Shared::new(Self { number: AtomicU64::new(0), room: [0; 63] })
    }
}

/// Where the object in the room begins.
fn object_in(room: &Shared<Room>) -> *mut u8 {
    // SAFETY: a field of a valid value.
    unsafe { (&raw mut (*room.as_ptr()).room).cast() }
}

/// A lock of the crate raw_sync.
struct Raw {
    lock: Box<dyn raw_sync::locks::LockImpl>,
    room: Shared<Room>,
}

fn raw<L: raw_sync::locks::LockInit>() -> Result<Raw, Failure> {
    let room = Room::new()?;
    let at = object_in(&room);
    assert!(L::size_of(Some(at)) <= size_of::<[u64; 63]>(), "room for any lock");
    // SAFETY: enough room, which stays as long as the lock, and is nobody else's yet. The data are
    // not used.
    let (lock, _) = unsafe { L::new(at, at) }.map_err(|error| error.to_string())?;
    Ok(Raw { lock, room })
}

impl Guarded for Raw {
    #[inline]
    fn with<R>(&self, inside: impl FnOnce(&mut u64) -> R) -> R {
        let _guard = self.lock.lock().expect("nobody dies");
        change(&self.room.number, inside)
    }
}

impl ReadWrite for Raw {
    #[inline]
    fn read<R>(&self, inside: impl FnOnce() -> R) -> R {
        let _guard = self.lock.rlock().expect("nobody dies");
        inside()
    }
    #[inline]
    fn write<R>(&self, inside: impl FnOnce() -> R) -> R {
        let _guard = self.lock.lock().expect("nobody dies");
        inside()
    }
}

/// An event of the crate raw_sync.
struct RawEvent {
    event: Box<dyn raw_sync::events::EventImpl>,
    _room: Shared<Room>,
}

impl RawEvent {
    fn new() -> Result<Self, Failure> {
        use raw_sync::events::{Event, EventInit};
        let room = Room::new()?;
        let at = object_in(&room);
        assert!(Event::size_of(Some(at)) <= size_of::<[u64; 63]>(), "room for an event");
        // SAFETY: enough room, which stays as long as the event, and is nobody else's yet.
        let (event, _) = unsafe { Event::new(at, true) }.map_err(|error| error.to_string())?;
        Ok(Self { event, _room: room })
    }
}

impl Signal for RawEvent {
    fn give(&self) {
        self.event.set(raw_sync::events::EventState::Signaled).expect("nobody dies");
    }
    fn take(&self) {
        self.event.wait(raw_sync::Timeout::Infinite).expect("nobody dies");
    }
}

use rustix_futex_sync::shm;

/// Something of the crate rustix-futex-sync.
struct Rustix<T>(T);

impl Guarded for Rustix<shm::Mutex<u64>> {
    #[inline]
    fn with<R>(&self, inside: impl FnOnce(&mut u64) -> R) -> R {
        inside(&mut self.0.lock())
    }
}

impl ReadWrite for Rustix<shm::RwLock<()>> {
    #[inline]
    fn read<R>(&self, inside: impl FnOnce() -> R) -> R {
        let _guard = self.0.read();
        inside()
    }
    #[inline]
    fn write<R>(&self, inside: impl FnOnce() -> R) -> R {
        let _guard = self.0.write();
        inside()
    }
}

impl Condition for Rustix<(shm::Mutex<u32>, shm::Condvar)> {
    fn set(&self) {
        *self.0.0.lock() = 1;
    }
    #[inline]
    fn notify(&self) {
        self.0.1.notify_one();
    }
    fn wait_and_clear(&self) {
        *self.0.1.wait_while(self.0.0.lock(), |number| *number == 0) = 0;
    }
}

/// A mutex of the crate process-sync, whose functions want the handle for themselves.
struct ProcessSync {
    mutex: RefCell<process_sync::SharedMutex>,
    number: Shared<AtomicU64>,
}

impl ProcessSync {
    fn new() -> Result<Self, Failure> {
        let mutex = RefCell::new(process_sync::SharedMutex::new()?);
        Ok(Self { mutex, number: Shared::new(AtomicU64::new(0))? })
    }
}

impl Guarded for ProcessSync {
    #[inline]
    fn with<R>(&self, inside: impl FnOnce(&mut u64) -> R) -> R {
        self.mutex.borrow_mut().lock().expect("nobody dies");
        let result = change(&self.number, inside);
        self.mutex.borrow_mut().unlock().expect("locked");
        result
    }
}

impl Condition for (ProcessSync, RefCell<process_sync::SharedCondvar>) {
    fn set(&self) {
        self.0.with(|number| *number = 1);
    }
    #[inline]
    fn notify(&self) {
        self.1.borrow_mut().notify_one().expect("it is there");
    }
    fn wait_and_clear(&self) {
        let mut mutex = self.0.mutex.borrow_mut();
        mutex.lock().expect("nobody dies");
        while change(&self.0.number, std::mem::take) == 0 {
            self.1.borrow_mut().wait(&mut mutex).expect("nobody dies");
        }
        mutex.unlock().expect("locked");
    }
}

/// The crate named-lock. Each process opens the file by itself.
struct Named {
    file: tempfile::NamedTempFile,
    own: OnceLock<named_lock::NamedLock>,
    number: Shared<AtomicU64>,
}

impl Named {
    fn new() -> Result<Self, Failure> {
        let (file, number) = (tempfile::NamedTempFile::new()?, Shared::new(AtomicU64::new(0))?);
        Ok(Self { file, own: OnceLock::new(), number })
    }
}

impl Guarded for Named {
    fn with<R>(&self, inside: impl FnOnce(&mut u64) -> R) -> R {
        let own =
            self.own.get_or_init(|| named_lock::NamedLock::with_path(self.file.path()).expect("the file is there"));
        let _guard = own.lock().expect("nobody dies");
        change(&self.number, inside)
    }
}
