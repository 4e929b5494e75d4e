//! How many messages a second go from one process to another: through a `MessageQueue`, a POSIX
//! message queue, and a Unix pipe. With messages of 64 bytes and of 4 KiB.
//!
//! The POSIX queue has room for 10 messages, the most that the kernel allows by default.

use outlive::{MessageQueue, MessageQueueSegment};
use outlive_benches::Mode;
use outlive_benches::peers::PosixQueue;
use outlive_benches::process::{self, OthersLoad};
use outlive_benches::report::{Samples, Table, with_interval};
use std::error::Error;
use std::fs::File;
use std::io::{self, Read, Write};
use std::time::{Duration, Instant};

const ROUNDS: usize = 60;
const MESSAGES: usize = 1024;
const POSIX_MESSAGES: usize = 10;

fn main() -> Result<(), Box<dyn Error>> {
    let mode = Mode::of_arguments();
    if mode == Mode::List {
        return Ok(());
    }
    [64, 4096].into_iter().try_for_each(|length| compare(mode, length))
}

/// A way for messages of one length.
trait Way {
    fn send(&self, message: &[u8]);
    /// Receives a message of the buffer's length.
    fn receive(&self, buffer: &mut [u8]);
}

impl Way for MessageQueueSegment {
    fn send(&self, message: &[u8]) {
        self.send_bytes(message).expect("open");
    }
    fn receive(&self, buffer: &mut [u8]) {
        assert_eq!(self.recv_into(buffer).expect("open"), buffer.len());
    }
}

impl Way for PosixQueue {
    fn send(&self, message: &[u8]) {
        self.send(message).expect("open");
    }
    fn receive(&self, buffer: &mut [u8]) {
        assert_eq!(self.receive(buffer).expect("open"), buffer.len());
    }
}

struct Pipe(File, File);

impl Way for Pipe {
    fn send(&self, message: &[u8]) {
        (&self.1).write_all(message).expect("open");
    }
    fn receive(&self, buffer: &mut [u8]) {
        (&self.0).read_exact(buffer).expect("open");
    }
}

/// Messages a second. The other process sends them.
fn messages_a_second(way: &dyn Way, length: usize, count: u64) -> io::Result<f64> {
    let mut sender = process::fork(|| {
        process::stay_on_processor(1);
        let mut message = vec![7; length];
        for number in 0..=count {
            message[..8].copy_from_slice(&number.to_ne_bytes());
            way.send(&message);
        }
    })?;
    let mut buffer = vec![0; length];
    way.receive(&mut buffer); // it has begun
    let begin = Instant::now();
    for number in 1..=count {
        way.receive(&mut buffer);
        assert_eq!(buffer[..8], number.to_ne_bytes());
    }
    let elapsed = begin.elapsed();
    sender.join(Duration::from_secs(10))?;
    Ok(count as f64 / elapsed.as_secs_f64())
}

fn compare(mode: Mode, length: usize) -> Result<(), Box<dyn Error>> {
    process::stay_on_processor(0);
    let load = OthersLoad::since_now()?;
    let count = if mode == Mode::Measure { 20_000 } else { 200 };
    let mut speeds = [vec![], vec![], vec![]];
    for _ in 0..mode.rounds(ROUNDS) {
        let queue = MessageQueue::anonymous(MESSAGES, MESSAGES * length)?;
        speeds[0].push(messages_a_second(&queue, length, count)?);
        match PosixQueue::new(POSIX_MESSAGES, length) {
            Ok(posix) => speeds[1].push(messages_a_second(&posix, length, count)?),
            Err(error) if speeds[1].is_empty() => eprintln!("MISSING: no POSIX message queue here: {error}"),
            Err(error) => return Err(error.into()),
        }
        let (read, write) = process::pipe()?;
        speeds[2].push(messages_a_second(&Pipe(read, write), length, count)?);
    }
    let names = ["outlive MessageQueue", "POSIX message queue", "Unix pipe"];
    let headings = ["way", "messages a second", "the MessageQueue's, x this"];
    let mut table = Table::new(format!("1 to 1 processes, messages of {length} bytes; medians"), &headings);
    for (name, of) in names.into_iter().zip(&speeds).filter(|(_, of)| !of.is_empty()) {
        let median = of.iter().copied().collect::<Samples>().median();
        table.row([name.to_owned(), format!("{median:.0}"), with_interval(&Samples::ratios(&speeds[0], of))]);
    }
    println!("{table}");
    load.print()?;
    Ok(())
}
