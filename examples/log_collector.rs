//! A log of several programs. Each sends its records, of any length, to one collector, which writes
//! them down one after the other. A program is killed in the middle of a record of many lines. Of
//! that record nothing is written, and the others go on. The log ends when the last program ends,
//! however it ends.
//!
//! `cargo run --release --example log_collector`

use outlive::{MessageQueue, MessageQueueSegment};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

const PROGRAMS: usize = 3;
const RECORDS: usize = 5;

fn main() -> Result<()> {
    match std::env::args().nth(1).as_deref() {
        None => collect(),
        Some("victim") => {
            let log = inherited()?;
            let sender = log.sender()?;
            sender.send_bytes(b"the victim: begins")?;
            sender.send_with(|record| {
                writeln!(record, "the victim: a report of many lines")?;
                for line in 0..1_000 {
                    writeln!(record, "  line {line}")?;
                }
                println!("in the middle"); // to the collector
                loop {
                    std::thread::park(); // until SIGKILL
                }
            })?;
            Ok(())
        }
        Some(name) => {
            let log = inherited()?;
            let sender = log.sender()?;
            for number in 0..RECORDS {
                sender.send_with(|record| {
                    write!(record, "{name}: record {number}")?;
                    (0..number * 100).try_for_each(|line| write!(record, "\n  line {line}"))
                })?;
            }
            Ok(())
        }
    }
}

fn inherited() -> Result<MessageQueueSegment> {
    let segment = MessageQueue::options(1, 1)?.inherit("log")?;
    Ok(segment.try_into()?)
}

fn collect() -> Result<()> {
    // Up to 64 records, which have 64 KiB together.
    let log = MessageQueue::anonymous(64, 64 * 1024)?;
    let own = log.sender()?; // until all programs have ended
    let mut programs = Programs(vec![start(&log, "victim")?]);
    let mut line = String::new();
    let output = programs.0[0].stdout.take().ok_or("it has one")?;
    BufReader::new(output).read_line(&mut line)?;
    for number in 1..=PROGRAMS {
        programs.0.push(start(&log, &format!("program {number}"))?);
    }
    programs.0[0].kill()?;
    programs.0[0].wait()?;
    std::thread::scope(|scope| -> Result<()> {
        scope.spawn(move || {
            programs.0.iter_mut().for_each(|program| drop(program.wait()));
            drop(own); // the last sender: the log is complete
        });
        let (mut records, mut bytes) = (0, 0);
        for record in log.iter() {
            let text = String::from_utf8_lossy(&record);
            println!("{}", text.lines().next().unwrap_or_default());
            records += 1;
            bytes += record.len();
        }
        println!("{records} records, {bytes} bytes; nothing of the record in which a program was killed");
        Ok(())
    })
}

fn start(log: &MessageQueueSegment, name: &str) -> Result<Child> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg(name).stdout(Stdio::piped());
    log.segment().pass_to(&mut command, "log")?;
    Ok(command.spawn()?)
}

/// The children. Dropping this ends them, also after an error.
struct Programs(Vec<Child>);

impl Drop for Programs {
    fn drop(&mut self) {
        self.0.iter_mut().for_each(|program| drop(program.kill().and_then(|()| program.wait())));
    }
}
