//! How many items a second go through a channel, from one or several processes to one or several.

use super::Effort;
use super::figures::{Case, Kind, Unit};
use super::rounds::{Contestant, play};
use crate::objects::Datagrams;
use outlive::{ArrayQueue, MessageQueue, MessageQueueSegment, Queue, Segment};
use outlive_benches::peers::{PosixQueue, Ring};
use outlive_benches::process::{self, stay_on_processor};
use std::error::Error;
use std::hint::black_box;
use std::io::{self, Read, Write};
use std::time::{Duration, Instant};

const ROUNDS: usize = 24;
const CELLS: usize = 256;

/// Of how many processes to how many.
const CROWDS: [(usize, usize); 4] = [(1, 1), (2, 2), (4, 1), (1, 4)];
/// The length of an item, and how many of them go in a round.
const LENGTHS: [(usize, u64); 4] = [(8, 16_000), (64, 16_000), (4096, 6_000), (1 << 20, 60)];

/// A channel for items of one length.
trait Channel {
    fn send(&self, item: &[u8]) -> io::Result<()>;
    fn receive(&self, item: &mut [u8]) -> io::Result<()>;
    /// Whether it takes items of this length: sends one, and receives it.
    fn try_out(&self, length: usize) -> io::Result<()> {
        self.send(&vec![7; length])?;
        self.receive(&mut vec![0; length])
    }
}

/// Items a second. The last process of the receivers is this one.
fn items_a_second(
    channel: &dyn Channel,
    (senders, receivers): (usize, usize),
    length: usize,
    items: u64,
) -> Result<f64, Box<dyn Error>> {
    // In a child, an error could only be a panic, and this process would wait for it in vain.
    channel.try_out(length)?;
    let (of_sender, of_receiver) = (items / senders as u64, items / receivers as u64);
    let (mut start, mut started) = process::pipe()?;
    let mut children = vec![];
    let receive = |count: u64| {
        let mut item = vec![0; length];
        for _ in 0..count {
            channel.receive(&mut item).expect("open");
            black_box(&item);
        }
    };
    for sender in 0..senders {
        let start = &mut start;
        children.push(process::fork(|| {
            stay_on_processor(sender % 2);
            let item = vec![7; length];
            start.read_exact(&mut [0]).expect("the parent writes");
            for _ in 0..of_sender {
                channel.send(black_box(&item)).expect("open");
            }
        })?);
    }
    for receiver in 1..receivers {
        children.push(process::fork(|| {
            stay_on_processor((receiver + 1) % 2);
            receive(of_receiver);
        })?);
    }
    stay_on_processor(1);
    let begun = Instant::now();
    started.write_all(&vec![1; senders])?;
    receive(of_receiver);
    for child in &mut children {
        child.join(Duration::from_secs(30))?;
    }
    Ok(items as f64 / begun.elapsed().as_secs_f64())
}

impl<const N: usize> Channel for ArrayQueue<[u8; N], CELLS> {
    fn send(&self, item: &[u8]) -> io::Result<()> {
        let item = item.try_into().expect("of this length");
        Queue::send(self, item).map_err(|error| io::Error::other(error.to_string()))
    }
    fn receive(&self, item: &mut [u8]) -> io::Result<()> {
        item.copy_from_slice(&self.recv().map_err(|error| io::Error::other(error.to_string()))?);
        Ok(())
    }
}

impl<const N: usize> Channel for Ring<[u8; N], CELLS> {
    fn send(&self, item: &[u8]) -> io::Result<()> {
        while !self.try_send(item.try_into().expect("of this length")) {
            std::hint::spin_loop();
        }
        Ok(())
    }
    fn receive(&self, item: &mut [u8]) -> io::Result<()> {
        loop {
            if let Some(received) = self.try_recv() {
                item.copy_from_slice(&received);
                return Ok(());
            }
            std::hint::spin_loop();
        }
    }
}

impl Channel for MessageQueueSegment {
    fn send(&self, item: &[u8]) -> io::Result<()> {
        self.send_bytes(item).map_err(|error| io::Error::other(error.to_string()))
    }
    fn receive(&self, item: &mut [u8]) -> io::Result<()> {
        self.recv_into(item).map(|_| ()).map_err(|error| io::Error::other(error.to_string()))
    }
}

impl Channel for PosixQueue {
    fn send(&self, item: &[u8]) -> io::Result<()> {
        Self::send(self, item)
    }
    fn receive(&self, item: &mut [u8]) -> io::Result<()> {
        Self::receive(self, item).map(|_| ())
    }
}

impl Channel for Datagrams {
    fn send(&self, item: &[u8]) -> io::Result<()> {
        Self::send(self, item)
    }
    fn receive(&self, item: &mut [u8]) -> io::Result<()> {
        Self::receive(self, item).map(|_| ())
    }
}

/// A pipe has no boundaries between items. So it is for one sender and one receiver, or for items
/// that the kernel writes at once (`PIPE_BUF`), and reads at once.
impl Channel for (std::fs::File, std::fs::File) {
    fn send(&self, item: &[u8]) -> io::Result<()> {
        (&self.1).write_all(item)
    }
    fn receive(&self, item: &mut [u8]) -> io::Result<()> {
        (&self.0).read_exact(item)
    }
    /// It takes items of any length. One that is longer than its room needs both sides at once.
    fn try_out(&self, _length: usize) -> io::Result<()> {
        Ok(())
    }
}

/// One contestant in one case.
type Run<'a> = Box<dyn FnMut() -> Result<f64, Box<dyn Error>> + 'a>;

/// The contestants with items whose length is known to the compiler.
fn sized<'a, const N: usize>(crowd: (usize, usize), items: u64) -> Vec<(&'static str, Kind, Run<'a>)> {
    let ring = move || {
        let ring = Segment::<Ring<[u8; N], CELLS>>::anonymous(Ring::set_up)?;
        items_a_second(&*ring, crowd, N, items)
    };
    let queue = move || {
        let queue = Segment::<ArrayQueue<[u8; N], CELLS>>::anonymous(|_empty| {})?;
        items_a_second(&*queue, crowd, N, items)
    };
    vec![("a bare ring, spins", Kind::Floor, Box::new(ring)), ("outlive Queue", Kind::Ours, Box::new(queue))]
}

/// Measures.
///
/// # Errors
/// A segment or a peer cannot be made.
pub fn measure(effort: Effort, tell: &mut dyn FnMut(f64)) -> Result<Vec<Case>, Box<dyn Error>> {
    let crowds = if effort == Effort::Whole { &CROWDS[..] } else { &CROWDS[..1] };
    let parts = (crowds.len() * LENGTHS.len()) as f64;
    let mut cases = vec![];
    for &crowd in crowds {
        for (length, items) in LENGTHS {
            let items = if effort == Effort::Try { items.min(64) } else { items };
            let name = format!("{} to {} processes, items of {}", crowd.0, crowd.1, Unit::Bytes.show(length as f64));
            let mut case = Case::new("channels", name, Unit::PerSecond);
            let mut contestants = match length {
                8 => sized::<8>(crowd, items),
                64 => sized::<64>(crowd, items),
                4096 => sized::<4096>(crowd, items),
                _ => vec![],
            };
            if contestants.is_empty() {
                case.missing.push(("a bare ring, outlive Queue".into(), "for items of fixed and modest size".into()));
            }
            contestants.push((
                "outlive MessageQueue",
                Kind::Ours,
                Box::new(move || {
                    let messages = if length > 65_536 { 4 } else { CELLS };
                    let queue = MessageQueue::anonymous(messages, messages * length)?;
                    items_a_second(&queue, crowd, length, items)
                }),
            ));
            if crowd == (1, 1) || length <= libc::PIPE_BUF / 2 {
                contestants.push((
                    "Unix pipe",
                    Kind::Peer,
                    Box::new(move || items_a_second(&process::pipe()?, crowd, length, items)),
                ));
            }
            contestants.push((
                "Unix datagrams",
                Kind::Peer,
                Box::new(move || items_a_second(&Datagrams::new()?, crowd, length, items)),
            ));
            contestants.push((
                "POSIX message queue",
                Kind::Peer,
                Box::new(move || items_a_second(&PosixQueue::new(8, length)?, crowd, length, items)),
            ));
            let contestants = contestants.into_iter().map(|(name, kind, run)| Contestant::new(name, kind, run));
            play(&mut case, contestants.collect(), effort.of(ROUNDS), &mut |part| tell(part / parts));
            cases.push(case);
        }
    }
    Ok(cases)
}
