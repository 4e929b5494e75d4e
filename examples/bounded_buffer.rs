//! A notification that is lost with its process. Producers and consumers are processes, with a
//! buffer of four places between them and two condition variables, as in a textbook. A producer is
//! killed after it has stored its item and before it has notified, while everybody else sleeps.
//! With Python's or POSIX's condition variables they would sleep forever.
//!
//! `cargo run --release --example bounded_buffer`

#![allow(clippy::disallowed_types)] // a plain number that processes share

use outlive::{Condvar, Mutex, Segment, Shareable};
use std::error::Error;
use std::process::{Child, Command};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

const PLACES: usize = 4;
const ITEMS_OF_EACH: u64 = 1_000;
const END: u64 = 0;

/// What is under the lock.
#[derive(Shareable)]
#[repr(C)]
struct Ring {
    items: [u64; PLACES],
    first: u64,
    length: u64,
}

/// What the processes share.
#[derive(Shareable)]
#[repr(C)]
struct Buffer {
    ring: Mutex<Ring>,
    not_empty: Condvar,
    not_full: Condvar,
    /// Set by the producer that is to be killed, when it has stored its item and notified nobody.
    silent: AtomicU32,
}

/// In this example no holder of the lock is killed, so `?` suffices. (`two_writers` shows what to
/// do after a death.)
impl Buffer {
    fn put(&self, item: u64) -> Result<(), Box<dyn Error>> {
        self.put_silently(item)?;
        self.not_empty.notify_one();
        Ok(())
    }

    fn put_silently(&self, item: u64) -> Result<(), Box<dyn Error>> {
        let ring = self.ring.lock()?;
        let mut ring = self.not_full.wait_while(ring, |ring| ring.length as usize == PLACES)?;
        let place = (ring.first + ring.length) as usize % PLACES;
        ring.items[place] = item;
        ring.length += 1; // from here on the item counts, even if this process dies
        Ok(())
    }

    fn take(&self) -> Result<u64, Box<dyn Error>> {
        let ring = self.ring.lock()?;
        let mut ring = self.not_empty.wait_while(ring, |ring| ring.length == 0)?;
        let item = ring.items[ring.first as usize % PLACES];
        ring.first += 1;
        ring.length -= 1;
        drop(ring);
        self.not_full.notify_one();
        Ok(item)
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    match std::env::args().nth(1).as_deref() {
        None => run(),
        Some("produce") => {
            let buffer = Segment::<Buffer>::inherit("buffer")?;
            (1..=ITEMS_OF_EACH).try_for_each(|item| buffer.put(item))
        }
        Some("produce one and stop") => {
            let buffer = Segment::<Buffer>::inherit("buffer")?;
            buffer.put_silently(1)?;
            buffer.silent.store(1, Ordering::SeqCst);
            loop {
                std::thread::park(); // until SIGKILL
            }
        }
        Some("consume") => consume(),
        Some(other) => Err(format!("unknown argument {other:?}; run it without any").into()),
    }
}

fn consume() -> Result<(), Box<dyn Error>> {
    let buffer = Segment::<Buffer>::inherit("buffer")?;
    let (mut count, mut sum) = (0, 0);
    loop {
        match buffer.take()? {
            END => break,
            item => (count, sum) = (count + 1, sum + item),
        }
    }
    println!("consumer {}: {count} items, {sum} in all", std::process::id());
    Ok(())
}

/// The children. Dropping this ends them, also after an error.
struct Children(Vec<Child>);

impl Children {
    fn start(&mut self, buffer: &Segment<Buffer>, role: &str) -> Result<(), Box<dyn Error>> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg(role);
        buffer.pass_to(&mut command, "buffer")?;
        self.0.push(command.spawn()?);
        Ok(())
    }
}

impl Drop for Children {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ended = child.kill().and_then(|()| child.wait());
        }
    }
}

/// The parent: starts the others, kills a producer, and waits for the rest.
fn run() -> Result<(), Box<dyn Error>> {
    let buffer = Segment::<Buffer>::anonymous(|_empty| {})?;
    let mut children = Children(vec![]);
    (0..2).try_for_each(|_| children.start(&buffer, "consume"))?;
    until(|| buffer.participants().iter().filter(|p| p.asleep_for.is_some()).count() == 2)?;
    println!("two consumers sleep: the buffer is empty");

    children.start(&buffer, "produce one and stop")?;
    until(|| buffer.silent.load(Ordering::SeqCst) == 1)?;
    let mut silent = children.0.pop().ok_or("just started")?;
    silent.kill()?;
    silent.wait()?;
    until(|| buffer.ring.lock().is_ok_and(|ring| ring.length == 0))?;
    println!("a producer was killed before its notification: a consumer took the item all the same");

    (0..2).try_for_each(|_| children.start(&buffer, "produce"))?;
    let mut producers = children.0.split_off(2);
    for producer in &mut producers {
        producer.wait()?;
    }
    (0..2).try_for_each(|_| buffer.put(END))?;
    for child in &mut children.0 {
        child.wait()?;
    }
    Ok(())
}

/// Waits until `is_so` returns true, ten seconds at most.
fn until(mut is_so: impl FnMut() -> bool) -> Result<(), Box<dyn Error>> {
    for _ in 0..10_000 {
        if is_so() {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    Err("it took more than ten seconds".into())
}
