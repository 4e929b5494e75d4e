//! What do polling, and fewer buffers, do for channels between processes?

use super::Failure;
use super::rounds::{Column, Variant, compare};
use outlive::{ArrayQueue, MessageQueue, MessageQueueSegment, Segment, TaskQueue, TaskQueueSegment};
use outlive_peers::compare::channels::items_a_second;
use outlive_peers::compare::latency::{between_processors, on_one_processor};
use outlive_peers::compare::peers::{
    self, Channel, MakeChannel, Object, OfChannel, Receiver, Sender, Shape, Source, poll,
};

const LENGTH: usize = 64;
const CELLS: usize = 256;
const ITEMS: u64 = 60_000;
const LONG: usize = 1 << 20;
const TURNS: u64 = 60;
const SHORT_TURNS: u64 = 5_000;

/// A channel of outlive by which nobody sleeps.
struct Polled<C>(C);

struct End<'c, C>(&'c C);

impl Channel for Polled<Segment<ArrayQueue<[u8; LENGTH], CELLS>>> {
    fn sender(&self) -> Result<Box<dyn Sender + '_>, Failure> {
        Ok(Box::new(End(&self.0)))
    }
    fn receiver(&self) -> Result<Box<dyn Receiver + '_>, Failure> {
        Ok(Box::new(End(&self.0)))
    }
}

impl Sender for End<'_, Segment<ArrayQueue<[u8; LENGTH], CELLS>>> {
    fn send(&mut self, item: &[u8]) -> Result<(), Failure> {
        let item: [u8; LENGTH] = item.try_into()?;
        poll(|| self.0.try_send(item).ok());
        Ok(())
    }
}

impl Receiver for End<'_, Segment<ArrayQueue<[u8; LENGTH], CELLS>>> {
    fn receive(&mut self, item: &mut [u8]) -> Result<(), Failure> {
        item.copy_from_slice(&poll(|| self.0.try_recv().ok()));
        Ok(())
    }
}

impl Channel for Polled<MessageQueueSegment> {
    fn sender(&self) -> Result<Box<dyn Sender + '_>, Failure> {
        Ok(Box::new(End(&self.0)))
    }
    fn receiver(&self) -> Result<Box<dyn Receiver + '_>, Failure> {
        Ok(Box::new(End(&self.0)))
    }
}

impl Sender for End<'_, MessageQueueSegment> {
    fn send(&mut self, item: &[u8]) -> Result<(), Failure> {
        poll(|| self.0.try_send_bytes(item).ok());
        Ok(())
    }
}

impl Receiver for End<'_, MessageQueueSegment> {
    fn receive(&mut self, item: &mut [u8]) -> Result<(), Failure> {
        poll(|| self.0.try_recv_into(item).ok());
        Ok(())
    }
}

impl Channel for Polled<TaskQueueSegment<[u8; LONG]>> {
    fn sender(&self) -> Result<Box<dyn Sender + '_>, Failure> {
        Ok(Box::new(End(&self.0)))
    }
    fn receiver(&self) -> Result<Box<dyn Receiver + '_>, Failure> {
        Ok(Box::new(End(&self.0)))
    }
}

impl Sender for End<'_, TaskQueueSegment<[u8; LONG]>> {
    fn send(&mut self, item: &[u8]) -> Result<(), Failure> {
        let mut loan = poll(|| self.0.try_reserve().ok());
        loan.copy_from_slice(item);
        Ok(loan.publish()?)
    }
}

impl Receiver for End<'_, TaskQueueSegment<[u8; LONG]>> {
    fn receive(&mut self, item: &mut [u8]) -> Result<(), Failure> {
        let task = poll(|| self.0.try_take().ok());
        item.copy_from_slice(&*task);
        Ok(task.done()?)
    }
}

/// How the peer of this name is made.
fn maker(name: &str) -> Option<MakeChannel> {
    match peers::channels().into_iter().find(|peer| peer.name == name)?.source {
        Source::Here(make) => Some(make),
        Source::Python(_) => None,
    }
}

/// Whether this channel can be had. Says why, if it cannot.
fn is_there(name: &str, make: Option<MakeChannel>, shape: Shape) -> Option<MakeChannel> {
    let Some(make) = make else {
        eprintln!("missing: {name}: it was left out when this was built");
        return None;
    };
    match make(shape) {
        Ok(_) => Some(make),
        Err(why) => {
            eprintln!("missing: {name}: {why}");
            None
        }
    }
}

/// Items from one process to four.
///
/// # Errors
/// A process or a channel cannot be made.
pub(crate) fn items(rounds: usize) -> Result<String, Failure> {
    let shape = Shape { senders: 1, receivers: 4, length: LENGTH };
    let polled: [(&str, MakeChannel); 2] = [
        ("outlive Queue, polled", |_| {
            let queue = Segment::<ArrayQueue<[u8; LENGTH], CELLS>>::anonymous(|_empty| {})?;
            Ok(Object::Processes(Box::new(Polled(queue))))
        }),
        ("outlive MessageQueue, polled", |_| {
            Ok(Object::Processes(Box::new(Polled(MessageQueue::anonymous(CELLS, CELLS * LENGTH)?))))
        }),
    ];
    let named = [
        "a ring under a robust mutex, polled",
        "outlive Queue",
        "outlive TaskQueue",
        "outlive MessageQueue",
        "Boost message_queue",
        "a bare ring, polled",
    ];
    let named = named.into_iter().filter_map(|name| Some((name, is_there(name, maker(name), shape)?)));
    let variant = |(name, make): (&'static str, MakeChannel)| -> Variant<'_> {
        (name, Box::new(move || Ok(vec![items_a_second(make, shape, ITEMS)?])))
    };
    let variants = named.chain(polled).map(variant).collect();
    compare("items: 64 bytes each, from one process to four", &[Column::Times("items a second")], variants, rounds)
}

/// Items of 1 MiB between two processors, through few and many buffers.
///
/// # Errors
/// A process or a channel cannot be made.
pub(crate) fn buffers(rounds: usize) -> Result<String, Failure> {
    fn polled(capacity: usize) -> OfChannel {
        Ok(Object::Processes(Box::new(Polled(TaskQueue::<[u8; LONG]>::anonymous(capacity)?))))
    }
    let variants: [(&str, Option<MakeChannel>); 7] = [
        ("iceoryx2, polled", maker("iceoryx2, polled")),
        ("Unix stream", maker("Unix stream")),
        ("outlive TaskQueue, 4 buffers", maker("outlive TaskQueue")),
        ("1 buffer", Some(|_| Ok(Object::Processes(Box::new(TaskQueue::<[u8; LONG]>::anonymous(1)?))))),
        ("4 buffers, polled", Some(|_| polled(4))),
        ("1 buffer, polled", Some(|_| polled(1))),
        ("a bare ring of 4 buffers, polled", maker("a bare ring, polled")),
    ];
    let variant = |(name, make): (&'static str, Option<MakeChannel>)| -> Option<Variant<'_>> {
        let make = is_there(name, make, Shape { senders: 1, receivers: 1, length: LONG })?;
        Some((
            name,
            Box::new(move || Ok(vec![between_processors(make, LONG, TURNS)?, on_one_processor(make, LONG, TURNS)?])),
        ))
    };
    let variants = variants.into_iter().filter_map(variant).collect();
    let columns = [Column::Times("two processors"), Column::Times("one processor")];
    compare("buffers: 1 MiB to and fro", &columns, variants, rounds)
}

/// A worker checks all slots of a TaskQueue before it sleeps.
///
/// # Errors
/// A process or a channel cannot be made.
pub(crate) fn slots(rounds: usize) -> Result<String, Failure> {
    fn tasks(capacity: usize) -> OfChannel {
        Ok(Object::Processes(Box::new(TaskQueue::<[u8; LENGTH]>::anonymous(capacity)?)))
    }
    let variants: [(&str, Option<MakeChannel>); 6] = [
        ("Unix pipe", maker("Unix pipe")),
        ("outlive Queue", maker("outlive Queue")),
        ("outlive TaskQueue, 4 slots", Some(|_| tasks(4))),
        ("64 slots", Some(|_| tasks(64))),
        ("256 slots", Some(|_| tasks(256))),
        ("1024 slots", Some(|_| tasks(1024))),
    ];
    let variant = |(name, make): (&'static str, Option<MakeChannel>)| -> Option<Variant<'_>> {
        let make = is_there(name, make, Shape { senders: 1, receivers: 1, length: LENGTH })?;
        Some((name, Box::new(move || Ok(vec![on_one_processor(make, LENGTH, SHORT_TURNS)?]))))
    };
    let variants = variants.into_iter().filter_map(variant).collect();
    compare("slots: 64 bytes to and fro on one processor", &[Column::Times("an item")], variants, rounds)
}
