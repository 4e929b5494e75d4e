//! An event loop with epoll that waits for sockets and for a queue, in one thread. A process that
//! has such a loop already adds the descriptor of a queue, an event or a semaphore to it.
//!
//! A child sends readings through a queue in shared memory, and is killed in the middle. The parent
//! also serves a socket. The queue ends with its last sender, by whatever death, and the loop
//! learns that through the same descriptor.
//!
//! `cargo run --release --example epoll`

use outlive::{ArrayQueue, Segment, TryRecvError};
use rustix::buffer::spare_capacity;
use rustix::event::epoll;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::process::Command;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

type Readings = ArrayQueue<f64, 16>;

const SOCKET: u64 = 0;
const QUEUE: u64 = 1;

fn main() -> Result<()> {
    match std::env::args().nth(1).as_deref() {
        None => run(),
        Some("sensor") => measure(&Segment::inherit("readings")?),
        Some(other) => Err(format!("unknown argument {other:?}; run it without any").into()),
    }
}

/// Sends a hundred readings, and dies before it has taken leave.
fn measure(readings: &Segment<Readings>) -> Result<()> {
    let sender = readings.sender()?;
    for number in 0..100 {
        sender.send(f64::from(number) / 10.0)?;
    }
    std::process::abort()
}

fn run() -> Result<()> {
    let readings = Segment::<Readings>::anonymous(|_empty| {})?;
    let mut command = Command::new(std::env::current_exe()?);
    readings.pass_to(command.arg("sensor"), "readings")?;
    let mut sensor = command.spawn()?;

    let (mut client, mut server) = UnixStream::pair()?;
    client.write_all(b"how many?")?;

    let ready = readings.readable().descriptor()?;
    let events = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    epoll::add(&events, &server, epoll::EventData::new_u64(SOCKET), epoll::EventFlags::IN)?;
    epoll::add(&events, &ready, epoll::EventData::new_u64(QUEUE), epoll::EventFlags::IN)?;

    let (mut count, mut highest) = (0, 0.0);
    'all: loop {
        let mut happened = Vec::with_capacity(8);
        epoll::wait(&events, spare_capacity(&mut happened), None)?;
        for event in happened {
            if event.data.u64() == SOCKET {
                let mut question = [0; 64];
                let length = server.read(&mut question)?;
                println!("the client asks: {}", String::from_utf8_lossy(&question[..length]));
                continue;
            }
            // First clear, then take all that is there.
            ready.clear()?;
            loop {
                match readings.try_recv() {
                    Ok(reading) => (count, highest) = (count + 1, f64::max(highest, reading)),
                    Err(TryRecvError::Empty) => break,
                    Err(TryRecvError::Disconnected) => break 'all,
                    Err(error) => return Err(error.into()),
                }
            }
        }
    }
    server.write_all(format!("{count} readings, the highest is {highest}").as_bytes())?;
    drop(server);
    let mut answer = String::new();
    client.read_to_string(&mut answer)?;
    println!("{answer}");
    println!("the sensor ended with {}", sensor.wait()?);
    Ok(())
}
