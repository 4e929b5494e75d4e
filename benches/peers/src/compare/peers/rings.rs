//! Rings in shared memory: bare ones, one under pthread mutexes, and outlive's channels.

use super::channels::{self, Channel, Receiver, Sender, Shape, poll};
use super::{MakeChannel, Object, OfChannel, Peer, floors, missing};
use crate::compare::Failure;
use crate::compare::figures::Kind;
use crate::objects::made;
use outlive::{ArrayQueue, MessageQueue, MessageQueueSegment, Pipe, Queue, Segment, TaskQueue, TaskQueueSegment};
use outlive_benches::peers::{LockedRing, Ring};

/// Cells of the rings whose capacity the compiler must know.
const CELLS: usize = 256;

pub(super) fn channels() -> Vec<Peer<MakeChannel>> {
    vec![
        Peer::new("a bare ring, polled", Kind::Floor, |shape| match shape.length {
            floors::LONG => floors::buffers(),
            _ => sized!(shape, bare),
        }),
        Peer::new("outlive Queue", Kind::Ours, |shape| sized!(shape, queue)),
        Peer::new("outlive TaskQueue", Kind::Ours, |shape| sized!(shape, tasks, 1048576 => tasks)),
        Peer::new("outlive MessageQueue", Kind::Ours, |shape| {
            of(MessageQueue::anonymous(shape.capacity(), shape.capacity() * shape.length)?)
        }),
        Peer::new("outlive Pipe", Kind::Ours, |shape| {
            shape.one_to_one("as a Unix socket pair")?;
            of(Pipe::anonymous((4 * shape.length).max(64 << 10))?)
        }),
        Peer::new("a ring under a robust mutex, polled", Kind::Peer, |shape| sized!(shape, locked)),
    ]
}

/// Calls a function that is generic over the length of an item.
macro_rules! sized {
    ($shape:expr, $make:ident $(, $length:literal => $also:ident)?) => {
        match $shape.length {
            8 => $make::<8>($shape),
            64 => $make::<64>($shape),
            4096 => $make::<4096>($shape),
            $($length => $also::<$length>($shape),)?
            _ => missing("it moves items by value, as in a call of a function: for modest sizes"),
        }
    };
}
use sized;

fn of(channel: impl Channel + 'static) -> OfChannel {
    Ok(Object::Processes(Box::new(channel)))
}

fn bare<const N: usize>(_shape: Shape) -> OfChannel {
    of(Bare(Segment::<Ring<[u8; N], CELLS>>::anonymous(Ring::set_up)?))
}

struct Bare<const N: usize>(Segment<Ring<[u8; N], CELLS>>);

impl<const N: usize> Channel for Bare<N> {
    fn sender(&self) -> Result<Box<dyn Sender + '_>, Failure> {
        let ring = &*self.0;
        channels::sends(move |item| {
            let item = item.try_into()?;
            poll(|| ring.try_send(item).then_some(()));
            Ok(())
        })
    }
    fn receiver(&self) -> Result<Box<dyn Receiver + '_>, Failure> {
        let ring = &*self.0;
        channels::receives(move |item| {
            item.copy_from_slice(&poll(|| ring.try_recv()));
            Ok(())
        })
    }
}

fn locked<const N: usize>(_shape: Shape) -> OfChannel {
    of(Locked(made::<LockedRing<[u8; N], CELLS>>(LockedRing::set_up)?))
}

/// One mutex for both sides.
struct Locked<const N: usize>(Segment<LockedRing<[u8; N], CELLS>>);

impl<const N: usize> Channel for Locked<N> {
    fn sender(&self) -> Result<Box<dyn Sender + '_>, Failure> {
        let ring = &*self.0;
        channels::sends(move |item| {
            let item = item.try_into()?;
            poll(|| ring.try_send(item).then_some(()));
            Ok(())
        })
    }
    fn receiver(&self) -> Result<Box<dyn Receiver + '_>, Failure> {
        let ring = &*self.0;
        channels::receives(move |item| {
            item.copy_from_slice(&poll(|| ring.try_recv(false)));
            Ok(())
        })
    }
}

fn queue<const N: usize>(_shape: Shape) -> OfChannel {
    of(Items(Segment::<ArrayQueue<[u8; N], CELLS>>::anonymous(|_empty| {})?))
}

struct Items<const N: usize>(Segment<ArrayQueue<[u8; N], CELLS>>);

impl<const N: usize> Channel for Items<N> {
    fn sender(&self) -> Result<Box<dyn Sender + '_>, Failure> {
        let queue: &Queue<[u8; N]> = &self.0;
        channels::sends(move |item| Ok(queue.send(item.try_into()?).map_err(|error| error.map(|_| ()))?))
    }
    fn receiver(&self) -> Result<Box<dyn Receiver + '_>, Failure> {
        let queue: &Queue<[u8; N]> = &self.0;
        channels::receives(move |item| {
            item.copy_from_slice(&queue.recv()?);
            Ok(())
        })
    }
}

fn tasks<const N: usize>(shape: Shape) -> OfChannel {
    of(TaskQueue::<[u8; N]>::anonymous(shape.capacity())?)
}

/// Items are written and read in place.
impl<const N: usize> Channel for TaskQueueSegment<[u8; N]> {
    fn sender(&self) -> Result<Box<dyn Sender + '_>, Failure> {
        let queue: &TaskQueue<[u8; N]> = self;
        channels::sends(move |item| {
            let mut loan = queue.reserve()?;
            loan.copy_from_slice(item);
            Ok(loan.publish()?)
        })
    }
    fn receiver(&self) -> Result<Box<dyn Receiver + '_>, Failure> {
        let queue: &TaskQueue<[u8; N]> = self;
        channels::receives(move |item| {
            let task = queue.take()?;
            item.copy_from_slice(&*task);
            Ok(task.done()?)
        })
    }
}

impl Channel for MessageQueueSegment {
    fn sender(&self) -> Result<Box<dyn Sender + '_>, Failure> {
        let queue: &MessageQueue = self;
        channels::sends(move |item| Ok(queue.send_bytes(item)?))
    }
    fn receiver(&self) -> Result<Box<dyn Receiver + '_>, Failure> {
        let queue: &MessageQueue = self;
        channels::receives(move |item| channels::whole(queue.recv_into(item)?, item))
    }
}

impl Channel for Pipe {
    fn sender(&self) -> Result<Box<dyn Sender + '_>, Failure> {
        let mut sender = Pipe::sender(self)?;
        channels::sends(move |item| Ok(sender.send_bytes(item)?))
    }
    fn receiver(&self) -> Result<Box<dyn Receiver + '_>, Failure> {
        let mut receiver = Pipe::receiver(self)?;
        channels::receives(move |item| channels::whole(receiver.recv_into(item)?, item))
    }
}
