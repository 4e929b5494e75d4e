//! Contestants that work only among the threads of one process: std, parking_lot, crossbeam, rtrb.

use super::channels::{self, Channel, Receiver, Sender, Shape, poll};
use super::kinds::{self, Condition, Meeting, ReadWrite};
use super::{MakeChannel, MakeLock, MakeMeeting, MakeReadWrite, MakeRepeated, MakeSignal, Object, OfChannel, Peer};
use crate::compare::Failure;
use crate::compare::figures::Kind;
use outlive_benches::peers::Guarded;
use std::hint::black_box;
use std::sync::{Barrier, Condvar, Mutex, Once, RwLock, mpsc};

fn row<M>(name: &'static str, make: M) -> Peer<M> {
    Peer::new(name, Kind::Threads, make)
}

pub(super) fn locks() -> Vec<Peer<MakeLock>> {
    vec![
        row("std Mutex", || kinds::lock_of_threads(Std(Mutex::new(0)))),
        row("parking_lot Mutex", || kinds::lock_of_threads(ParkingLot(parking_lot::Mutex::new(0)))),
    ]
}

struct Std<T>(T);
struct ParkingLot<T>(T);

impl Guarded for Std<Mutex<u64>> {
    #[inline]
    fn with<R>(&self, inside: impl FnOnce(&mut u64) -> R) -> R {
        inside(&mut self.0.lock().expect("nobody panics"))
    }
}

impl Guarded for ParkingLot<parking_lot::Mutex<u64>> {
    #[inline]
    fn with<R>(&self, inside: impl FnOnce(&mut u64) -> R) -> R {
        inside(&mut self.0.lock())
    }
}

pub(super) fn read_write_locks() -> Vec<Peer<MakeReadWrite>> {
    vec![
        row("std RwLock", || kinds::read_write_of_threads(Std(RwLock::new(())))),
        row("parking_lot RwLock", || kinds::read_write_of_threads(ParkingLot(parking_lot::RwLock::new(())))),
    ]
}

impl ReadWrite for Std<RwLock<()>> {
    #[inline]
    fn read<R>(&self, inside: impl FnOnce() -> R) -> R {
        let _guard = self.0.read().expect("nobody panics");
        inside()
    }
    #[inline]
    fn write<R>(&self, inside: impl FnOnce() -> R) -> R {
        let _guard = self.0.write().expect("nobody panics");
        inside()
    }
}

impl ReadWrite for ParkingLot<parking_lot::RwLock<()>> {
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

pub(super) fn conditions() -> Vec<Peer<MakeSignal>> {
    vec![
        row("std Condvar", || kinds::condition_of_threads(Std((Mutex::new(0), Condvar::new())))),
        row("parking_lot Condvar", || {
            kinds::condition_of_threads(ParkingLot((parking_lot::Mutex::new(0), parking_lot::Condvar::new())))
        }),
    ]
}

impl Condition for Std<(Mutex<u32>, Condvar)> {
    fn set(&self) {
        *self.0.0.lock().expect("nobody panics") = 1;
    }
    #[inline]
    fn notify(&self) {
        self.0.1.notify_one();
    }
    fn wait_and_clear(&self) {
        let guard = self.0.0.lock().expect("nobody panics");
        *self.0.1.wait_while(guard, |number| *number == 0).expect("nobody panics") = 0;
    }
}

impl Condition for ParkingLot<(parking_lot::Mutex<u32>, parking_lot::Condvar)> {
    fn set(&self) {
        *self.0.0.lock() = 1;
    }
    #[inline]
    fn notify(&self) {
        self.0.1.notify_one();
    }
    fn wait_and_clear(&self) {
        let mut guard = self.0.0.lock();
        self.0.1.wait_while(&mut guard, |number| *number == 0);
        *guard = 0;
    }
}

pub(super) fn barriers() -> Vec<Peer<MakeMeeting>> {
    vec![row("std Barrier", |parties| kinds::meeting_of_threads(Std(Barrier::new(parties as usize))))]
}

impl Meeting for Std<Barrier> {
    #[inline]
    fn arrive(&self) {
        self.0.wait();
    }
}

pub(super) fn done_once() -> Vec<Peer<MakeRepeated>> {
    vec![
        row("std Once", || {
            let once = Once::new();
            once.call_once(|| ());
            kinds::repeated_by_threads(move || black_box(&once).call_once(|| ()))
        }),
        row("parking_lot Once", || {
            let once = parking_lot::Once::new();
            once.call_once(|| ());
            kinds::repeated_by_threads(move || black_box(&once).call_once(|| ()))
        }),
    ]
}

/// What threads hand to each other: an array, or, if it is long, a box.
trait Item: Send + 'static {
    fn new(bytes: &[u8]) -> Result<Self, Failure>
    where
        Self: Sized;
    fn bytes(&self) -> &[u8];
}

impl<const N: usize> Item for [u8; N] {
    #[inline]
    fn new(bytes: &[u8]) -> Result<Self, Failure> {
        Ok(bytes.try_into()?)
    }
    #[inline]
    fn bytes(&self) -> &[u8] {
        self
    }
}

impl Item for Box<[u8]> {
    fn new(bytes: &[u8]) -> Result<Self, Failure> {
        Ok(bytes.into())
    }
    fn bytes(&self) -> &[u8] {
        self
    }
}

/// Calls a function that is generic over the item.
macro_rules! with_item {
    ($make:ident, $shape:expr) => {
        match $shape.length {
            8 => $make::<[u8; 8]>($shape),
            64 => $make::<[u8; 64]>($shape),
            4096 => $make::<[u8; 4096]>($shape),
            _ => $make::<Box<[u8]>>($shape),
        }
    };
}

pub(super) fn channels() -> Vec<Peer<MakeChannel>> {
    vec![
        row("crossbeam-channel", |shape| with_item!(crossbeam, shape)),
        row("std mpsc", |shape| {
            shape.one_receiver("mpsc")?;
            with_item!(std_mpsc, shape)
        }),
        row("rtrb, polled", |shape| {
            shape.one_to_one("its ends are not shared")?;
            with_item!(rtrb_, shape)
        }),
    ]
}

fn of(channel: impl Channel + Sync + 'static) -> OfChannel {
    Ok(Object::Threads(Box::new(channel)))
}

fn crossbeam<I: Item>(shape: Shape) -> OfChannel {
    of(crossbeam_channel::bounded::<I>(shape.capacity()))
}

impl<I: Item> Channel for (crossbeam_channel::Sender<I>, crossbeam_channel::Receiver<I>) {
    fn sender(&self) -> Result<Box<dyn Sender + '_>, Failure> {
        channels::sends(|item| self.0.send(I::new(item)?).map_err(|_| "disconnected".into()))
    }
    fn receiver(&self) -> Result<Box<dyn Receiver + '_>, Failure> {
        channels::receives(|item| {
            item.copy_from_slice(self.1.recv()?.bytes());
            Ok(())
        })
    }
}

/// An end that one thread takes.
type Taken<T> = Mutex<Option<T>>;

fn taken<T>(end: &Taken<T>) -> Result<T, Failure> {
    end.lock().expect("nobody panics").take().ok_or_else(|| "this end was taken already".into())
}

fn std_mpsc<I: Item>(shape: Shape) -> OfChannel {
    let (sender, receiver) = mpsc::sync_channel::<I>(shape.capacity());
    of((sender, Mutex::new(Some(receiver))))
}

impl<I: Item> Channel for (mpsc::SyncSender<I>, Taken<mpsc::Receiver<I>>) {
    fn sender(&self) -> Result<Box<dyn Sender + '_>, Failure> {
        channels::sends(|item| self.0.send(I::new(item)?).map_err(|_| "disconnected".into()))
    }
    fn receiver(&self) -> Result<Box<dyn Receiver + '_>, Failure> {
        let receiver = taken(&self.1)?;
        channels::receives(move |item| {
            item.copy_from_slice(receiver.recv()?.bytes());
            Ok(())
        })
    }
}

fn rtrb_<I: Item>(shape: Shape) -> OfChannel {
    let (producer, consumer) = rtrb::RingBuffer::<I>::new(shape.capacity());
    of((Mutex::new(Some(producer)), Mutex::new(Some(consumer))))
}

impl<I: Item> Channel for (Taken<rtrb::Producer<I>>, Taken<rtrb::Consumer<I>>) {
    fn sender(&self) -> Result<Box<dyn Sender + '_>, Failure> {
        let mut producer = taken(&self.0)?;
        channels::sends(move |item| {
            let mut item = Some(I::new(item)?);
            poll(|| match producer.push(item.take()?) {
                Ok(()) => Some(()),
                Err(rtrb::PushError::Full(back)) => {
                    item = Some(back);
                    None
                }
            });
            Ok(())
        })
    }
    fn receiver(&self) -> Result<Box<dyn Receiver + '_>, Failure> {
        let mut consumer = taken(&self.1)?;
        channels::receives(move |item| {
            item.copy_from_slice(poll(|| consumer.pop().ok()).bytes());
            Ok(())
        })
    }
}
