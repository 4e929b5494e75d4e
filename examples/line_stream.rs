//! A child writes lines into a pipe, as into any `std::io::Write`. The parent reads them, as from
//! any `BufRead`. The first child dies in the middle. With an ordinary pipe that would look like
//! the end of the file. Here the parent learns that something is missing, and starts another child,
//! which goes on in the same pipe.
//!
//! `cargo run --release --example line_stream`

use outlive::Pipe;
use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::process::{Child, Command};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

const LINES: usize = 1_000;
const DIES_AT: usize = 400;

fn main() -> Result<()> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    match &arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => run(),
        ["write", from, to] => write(from.parse()?, to.parse()?),
        other => Err(format!("unknown arguments {other:?}; run it without any").into()),
    }
}

/// Writes these lines. If they are not all, the process dies like one that was killed.
fn write(from: usize, to: usize) -> Result<()> {
    let pipe = Pipe::try_from(Pipe::options(4096)?.inherit("lines")?)?;
    let mut lines = pipe.sender()?.into_writer();
    for line in from..to {
        writeln!(lines, "line {line}")?;
    }
    if to < LINES {
        std::process::abort();
    }
    Ok(()) // drops the writer: the end of the stream
}

fn start(pipe: &Pipe, from: usize, to: usize) -> Result<Child> {
    let mut command = Command::new(std::env::current_exe()?);
    pipe.segment().pass_to(command.args(["write", &from.to_string(), &to.to_string()]), "lines")?;
    Ok(command.spawn()?)
}

fn run() -> Result<()> {
    let pipe = Pipe::anonymous(4096)?;
    let mut reader = BufReader::new(pipe.receiver()?.into_reader());
    let mut writer = start(&pipe, 0, DIES_AT)?;
    let (mut count, mut line, mut died_after) = (0, String::new(), None);
    loop {
        match reader.read_line(&mut line) {
            Ok(0) => break,
            Ok(_) => {
                assert_eq!(line, format!("line {count}\n"));
                count += 1;
                line.clear();
            }
            // Until the next writer has taken the end over, the dead one is still the other end.
            Err(error) if error.kind() == ErrorKind::ConnectionAborted && died_after == Some(count) => {
                if let Some(status) = writer.try_wait()? {
                    return Err(format!("the second writer has died, too: {status}").into());
                }
                std::thread::yield_now();
            }
            Err(error) if error.kind() == ErrorKind::ConnectionAborted => {
                println!("after {count} lines: {error}");
                died_after = Some(count);
                line.clear(); // a part of a line
                writer.wait()?;
                writer = start(&pipe, count, LINES)?;
            }
            Err(error) => return Err(error.into()),
        }
    }
    assert!(writer.wait()?.success(), "the second writer ends well");
    println!("{count} lines, each of them once");
    assert_eq!(count, LINES);
    Ok(())
}
