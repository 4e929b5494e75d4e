//! outlive's own types.
//!
//! A new type needs a row in `peers`, and one of the traits of [`object`](crate::deaths::object): a
//! new queue or pipe implements `Channel`, as `Messages` does.

use super::{Peer, here};
use crate::deaths::object::{
    AsBarrier, AsChannel, AsCondition, AsEvent, AsLock, AsRwLock, Channel, Condition, Exclusive, Meeting, Object,
    Shared, Signal,
};
use crate::deaths::order::Answer;
use crate::deaths::scenario::Kind;
use outlive::{
    ArrayQueue, ArrayTaskQueue, Barrier, BarrierError, Condvar, CondvarError, Event, Inconsistent, Lock, LockError,
    MessageQueue, MessageQueueSegment, MessageReceiver, MessageSender, Mutex, MutexGuard, Permit, PermitPool, Pipe,
    PipeReceiver, PipeRecvError, PipeSendError, PipeSender, Queue, QueueReceiver, QueueSender, RecvError,
    RecvMessageError, ReentrantMutex, RwLock, RwLockReadGuard, RwLockWriteGuard, Segment, Semaphore, Shareable,
    TaskQueue,
};
use std::cell::RefCell;
use std::io;

const FAMILY: &str = "outlive";

pub(super) fn peers() -> Vec<Peer> {
    let peer = |name, kind, make| here(FAMILY, name, kind, make);
    vec![
        peer("Mutex", Kind::Lock, || boxed(AsLock(Guarded { lock: segment(|_| {})?, guard: RefCell::default() }))),
        peer("ReentrantMutex", Kind::Lock, || boxed(AsLock(segment::<ReentrantMutex<u64>>(|_| {})?))),
        peer("Lock", Kind::Lock, || boxed(AsLock(segment::<Lock>(|_| {})?))),
        peer("RwLock", Kind::RwLock, || {
            boxed(AsRwLock(ReadWrite { lock: segment(|_| {})?, read: RefCell::default(), write: RefCell::default() }))
        }),
        peer("Condvar with Mutex", Kind::Condition, || {
            let both = segment::<Both>(|_| {})?;
            let lock = Guarded { lock: &both.mutex, guard: RefCell::default() };
            boxed(AsCondition(WithCondvar { lock, condition: &both.condition }))
        }),
        peer("Barrier", Kind::Barrier, || boxed(AsBarrier(segment::<Barrier>(|new| *new = Barrier::new(3))?))),
        peer("Semaphore", Kind::Semaphore, || {
            boxed(AsLock(segment::<Semaphore>(|new| *new = Semaphore::bounded(1, 1))?))
        }),
        peer("PermitPool", Kind::Semaphore, || {
            boxed(AsLock(Pool { pool: segment(|_| {})?, permit: RefCell::default() }))
        }),
        peer("Event", Kind::Event, || boxed(AsEvent(segment::<Event>(|_| {})?))),
        peer("Event, auto-reset", Kind::Event, || boxed(AsEvent(segment::<Event>(|new| *new = Event::auto_reset())?))),
        peer("ArrayQueue", Kind::Queue, || {
            boxed(AsChannel(Items { both: segment(|_| {})?, sender: RefCell::default(), receiver: RefCell::default() }))
        }),
        peer("MessageQueue", Kind::Queue, || {
            let queue = MessageQueue::anonymous(64, 64 * 1024).map_err(io::Error::other)?;
            let queue = Box::leak(Box::new(queue));
            boxed(AsChannel(Messages { queue, sender: RefCell::default(), receiver: RefCell::default() }))
        }),
        peer("TaskQueue", Kind::Queue, || boxed(AsChannel(Tasks(segment(|_| {})?)))),
        peer("Pipe", Kind::Pipe, || {
            let pipe = Pipe::anonymous(64 << 10).map_err(io::Error::other)?;
            boxed(AsChannel(OneToOne { pipe, sender: RefCell::default(), receiver: RefCell::default() }))
        }),
    ]
}

fn boxed(object: impl Object + 'static) -> io::Result<Box<dyn Object>> {
    Ok(Box::new(object))
}

/// A segment that stays as long as the process, and is inherited by its forked children.
fn segment<T: Shareable + Sync>(init: impl FnOnce(&mut T)) -> io::Result<&'static T> {
    let segment = Segment::<T>::anonymous(init).map_err(io::Error::other)?;
    Ok(&**Box::leak(Box::new(segment)))
}

fn words<E: ToString>(error: E) -> String {
    error.to_string()
}

/// That the object told of a death. Who died is not needed here.
fn owner_died<G>(left: &Inconsistent<G>) -> Option<String> {
    left.by()?;
    Some("OwnerDied".into())
}

struct Guarded {
    lock: &'static Mutex<u64>,
    guard: RefCell<Option<MutexGuard<'static, u64>>>,
}

impl Exclusive for Guarded {
    fn take(&self) -> Answer {
        let (guard, told) = match self.lock.lock() {
            Ok(guard) => (guard, None),
            Err(LockError::OwnerDied(left)) => {
                let told = owner_died(&left);
                let mut guard = left.into_inner();
                guard.mark_consistent();
                (guard, told)
            }
            Err(other) => return Err(words(other)),
        };
        *self.guard.borrow_mut() = Some(guard);
        Ok(told)
    }
    fn give_back(&self) -> Answer {
        self.guard.borrow_mut().take().map(drop).ok_or("not taken")?;
        Ok(None)
    }
}

impl Exclusive for &'static ReentrantMutex<u64> {
    fn take(&self) -> Answer {
        match self.acquire() {
            Ok(()) => Ok(None),
            Err(LockError::OwnerDied(left)) => {
                self.mark_consistent().map_err(words)?;
                Ok(owner_died(&left))
            }
            Err(other) => Err(words(other)),
        }
    }
    fn give_back(&self) -> Answer {
        self.release().map_err(words)?;
        Ok(None)
    }
}

impl Exclusive for &'static Lock {
    fn take(&self) -> Answer {
        match self.acquire() {
            Ok(()) => Ok(None),
            Err(LockError::OwnerDied(left)) => {
                self.mark_consistent().map_err(words)?;
                Ok(owner_died(&left))
            }
            Err(other) => Err(words(other)),
        }
    }
    fn give_back(&self) -> Answer {
        self.release().map_err(words)?;
        Ok(None)
    }
}

struct ReadWrite {
    lock: &'static RwLock<u64>,
    read: RefCell<Option<RwLockReadGuard<'static, u64>>>,
    write: RefCell<Option<RwLockWriteGuard<'static, u64>>>,
}

impl Shared for ReadWrite {
    fn read(&self) -> Answer {
        let (guard, told) = match self.lock.read() {
            Ok(guard) => (guard, None),
            Err(LockError::OwnerDied(left)) => {
                let told = owner_died(&left);
                (left.into_inner(), told)
            }
            Err(other) => return Err(words(other)),
        };
        *self.read.borrow_mut() = Some(guard);
        Ok(told)
    }
    fn end_read(&self) -> Answer {
        self.read.borrow_mut().take().map(drop).ok_or("not taken")?;
        Ok(None)
    }
    fn write(&self) -> Answer {
        let (guard, told) = match self.lock.write() {
            Ok(guard) => (guard, None),
            Err(LockError::OwnerDied(left)) => {
                let told = owner_died(&left);
                let mut guard = left.into_inner();
                guard.mark_consistent();
                (guard, told)
            }
            Err(other) => return Err(words(other)),
        };
        *self.write.borrow_mut() = Some(guard);
        Ok(told)
    }
    fn end_write(&self) -> Answer {
        self.write.borrow_mut().take().map(drop).ok_or("not taken")?;
        Ok(None)
    }
}

#[derive(Shareable)]
#[repr(C)]
struct Both {
    mutex: Mutex<u64>,
    condition: Condvar,
}

struct WithCondvar {
    lock: Guarded,
    condition: &'static Condvar,
}

impl Exclusive for WithCondvar {
    fn take(&self) -> Answer {
        self.lock.take()
    }
    fn give_back(&self) -> Answer {
        self.lock.give_back()
    }
}

impl Condition for WithCondvar {
    fn wait(&self) -> Answer {
        let guard = self.lock.guard.borrow_mut().take().ok_or("not taken")?;
        let (guard, told) = match self.condition.wait(guard) {
            Ok(guard) => (guard, None),
            Err(CondvarError::OwnerDied(left)) => {
                let told = owner_died(&left);
                let mut guard = left.into_inner();
                guard.mark_consistent();
                (guard, told)
            }
            Err(other) => return Err(words(other)),
        };
        *self.lock.guard.borrow_mut() = Some(guard);
        Ok(told)
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

impl Meeting for &'static Barrier {
    fn arrive(&self) -> Answer {
        match self.wait() {
            Ok(_) => Ok(None),
            Err(BarrierError::Broken { .. }) => Ok(Some("Broken".into())),
            Err(other) => Err(words(other)),
        }
    }
    fn reset(&self) -> Answer {
        Barrier::reset(self).map_err(words)?;
        Ok(None)
    }
}

impl Exclusive for &'static Semaphore {
    fn take(&self) -> Answer {
        self.acquire().map_err(words)?;
        Ok(None)
    }
    fn give_back(&self) -> Answer {
        self.release().map_err(words)?;
        Ok(None)
    }
}

struct Pool {
    pool: &'static PermitPool<1>,
    permit: RefCell<Option<Permit<'static, 1>>>,
}

impl Exclusive for Pool {
    fn take(&self) -> Answer {
        let permit = self.pool.permit().map_err(words)?;
        let told = permit.previous_holder_died().map(|_| "previous_holder_died".to_string());
        *self.permit.borrow_mut() = Some(permit);
        Ok(told)
    }
    fn give_back(&self) -> Answer {
        self.permit.borrow_mut().take().ok_or("not taken")?.release().map_err(words)?;
        Ok(None)
    }
}

impl Signal for &'static Event {
    fn wait(&self) -> Answer {
        Event::wait(self).map_err(words)?;
        Ok(None)
    }
    fn set(&self) -> Answer {
        Event::set(self).map_err(words)?;
        Ok(None)
    }
    fn clear(&self) -> Answer {
        Event::clear(self);
        Ok(None)
    }
}

/// `ArrayQueue` has items of one size: one queue for each size.
#[derive(Shareable)]
#[repr(C)]
struct TwoQueues {
    small: ArrayQueue<[u8; 64], 64>,
    large: ArrayQueue<[u8; 6000], 16>,
}

struct Items {
    both: &'static TwoQueues,
    sender: RefCell<Option<QueueSender<'static, [u8; 64]>>>,
    receiver: RefCell<Option<QueueReceiver<'static, [u8; 64]>>>,
}

fn sends<const SIZE: usize>(queue: &Queue<[u8; SIZE]>, bytes: &[u8]) -> Answer {
    let item = <[u8; SIZE]>::try_from(bytes).map_err(words)?;
    queue.send(item).map_err(|error| error.map(|_| ()).to_string())?;
    Ok(None)
}

fn receives<const SIZE: usize>(queue: &Queue<[u8; SIZE]>, into: &mut [u8]) -> Answer {
    match queue.recv() {
        Ok(item) => {
            into.copy_from_slice(&item);
            Ok(None)
        }
        Err(RecvError::Disconnected) => Ok(Some("Disconnected".into())),
        Err(other) => Err(words(other)),
    }
}

impl Channel for Items {
    fn send(&self, bytes: &[u8]) -> Answer {
        match bytes.len() {
            64 => sends(&self.both.small, bytes),
            _ => sends(&self.both.large, bytes),
        }
    }
    fn receive(&self, into: &mut Vec<u8>) -> Answer {
        match into.len() {
            64 => receives(&self.both.small, into),
            _ => receives(&self.both.large, into),
        }
    }
    fn keep_end(&self, to_send: bool) -> Answer {
        match to_send {
            true => *self.sender.borrow_mut() = Some(self.both.small.sender().map_err(words)?),
            false => *self.receiver.borrow_mut() = Some(self.both.small.receiver().map_err(words)?),
        }
        Ok(None)
    }
}

struct Messages {
    queue: &'static MessageQueueSegment,
    sender: RefCell<Option<MessageSender<'static>>>,
    receiver: RefCell<Option<MessageReceiver<'static>>>,
}

impl Channel for Messages {
    fn send(&self, bytes: &[u8]) -> Answer {
        self.queue.send_bytes(bytes).map_err(words)?;
        Ok(None)
    }
    fn receive(&self, into: &mut Vec<u8>) -> Answer {
        match self.queue.recv_bytes() {
            Ok(message) => {
                *into = message;
                Ok(None)
            }
            Err(RecvMessageError::Disconnected) => Ok(Some("Disconnected".into())),
            Err(other) => Err(words(other)),
        }
    }
    fn keep_end(&self, to_send: bool) -> Answer {
        match to_send {
            true => *self.sender.borrow_mut() = Some(self.queue.sender().map_err(words)?),
            false => *self.receiver.borrow_mut() = Some(self.queue.receiver().map_err(words)?),
        }
        Ok(None)
    }
}

/// As [`TwoQueues`].
#[derive(Shareable)]
#[repr(C)]
struct TwoTaskQueues {
    small: ArrayTaskQueue<[u8; 64], 64>,
    large: ArrayTaskQueue<[u8; 6000], 16>,
}

struct Tasks(&'static TwoTaskQueues);

fn sends_task<const SIZE: usize>(queue: &TaskQueue<[u8; SIZE]>, bytes: &[u8]) -> Answer {
    let item = <[u8; SIZE]>::try_from(bytes).map_err(words)?;
    queue.send(item).map_err(|error| error.map(|_| ()).to_string())?;
    Ok(None)
}

fn does_task<const SIZE: usize>(queue: &TaskQueue<[u8; SIZE]>, into: &mut [u8]) -> Answer {
    let task = queue.take().map_err(words)?;
    into.copy_from_slice(&*task);
    task.done().map_err(words)?;
    Ok(None)
}

impl Channel for Tasks {
    fn send(&self, bytes: &[u8]) -> Answer {
        match bytes.len() {
            64 => sends_task(&self.0.small, bytes),
            _ => sends_task(&self.0.large, bytes),
        }
    }
    fn receive(&self, into: &mut Vec<u8>) -> Answer {
        match into.len() {
            64 => does_task(&self.0.small, into),
            _ => does_task(&self.0.large, into),
        }
    }
}

/// A process takes an end with its first message, and has it until it dies.
struct OneToOne {
    pipe: Pipe,
    sender: RefCell<Option<PipeSender>>,
    receiver: RefCell<Option<PipeReceiver>>,
}

/// What is in the cell, which is made first if nothing is there.
fn made<T, E: ToString>(cell: &mut Option<T>, make: impl FnOnce() -> Result<T, E>) -> Result<&mut T, String> {
    match cell {
        Some(made) => Ok(made),
        None => Ok(cell.insert(make().map_err(words)?)),
    }
}

impl Channel for OneToOne {
    /// Told that no receiver is left: another one comes. So it is sent again.
    fn send(&self, bytes: &[u8]) -> Answer {
        let mut sender = self.sender.borrow_mut();
        let sender = made(&mut sender, || self.pipe.sender())?;
        loop {
            match sender.send_bytes(bytes) {
                Ok(()) => return Ok(None),
                Err(PipeSendError::PeerDied { .. }) => std::thread::sleep(std::time::Duration::from_micros(200)),
                Err(other) => return Err(words(other)),
            }
        }
    }
    fn receive(&self, into: &mut Vec<u8>) -> Answer {
        let mut receiver = self.receiver.borrow_mut();
        match made(&mut receiver, || self.pipe.receiver())?.recv_bytes() {
            Ok(message) => {
                *into = message;
                Ok(None)
            }
            Err(PipeRecvError::PeerDied { .. }) => Ok(Some("PeerDied".into())),
            Err(other) => Err(words(other)),
        }
    }
    fn keep_end(&self, to_send: bool) -> Answer {
        match to_send {
            true => made(&mut self.sender.borrow_mut(), || self.pipe.sender()).map(|_| None),
            false => made(&mut self.receiver.borrow_mut(), || self.pipe.receiver()).map(|_| None),
        }
    }
}
