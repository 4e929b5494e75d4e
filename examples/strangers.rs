//! A segment that is sent over a socket. Two processes share nothing but the path of the socket.
//! The desk makes a segment without a name, and sends it to the customer that connects. The
//! customer's question and the desk's answer go through the segment; the socket is not used again.
//! Then the customer dies while it holds the lock. The desk learns at once that it died, and which
//! process it was.
//!
//! `cargo run --release --example strangers`

use outlive::{Event, LockTimeoutError, Mutex, Segment, Shareable};
use std::error::Error;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::{Child, Command, ExitCode};
use std::time::{Duration, Instant};

/// Every wait here is much shorter.
const TIMEOUT: Duration = Duration::from_secs(10);

/// What the two share.
#[derive(Shareable)]
#[repr(C)]
struct Counter {
    order: Mutex<Order>,
    asked: Event,
    answered: Event,
}

#[derive(Shareable)]
#[repr(C)]
struct Order {
    pieces: u64,
    price: u64,
}

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let result = match (arguments.next().as_deref(), arguments.next()) {
        (None, _) => run(),
        (Some("desk"), Some(path)) => sit_at_the_desk(Path::new(&path)),
        (Some("customer"), Some(path)) => buy(Path::new(&path)),
        _ => Err("usage: strangers [desk PATH | customer PATH]".into()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("strangers: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Starts both, as two shells could. They inherit nothing from here.
fn run() -> Result<(), Box<dyn Error>> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("desk");
    let program = std::env::current_exe()?;
    let start = |role: &str| Command::new(&program).arg(role).arg(&path).spawn();
    let mut both = Children(vec![start("desk")?, start("customer")?]);
    let begin = Instant::now();
    loop {
        // The customer dies as planned. The desk's status is the result.
        match both.0[0].try_wait()? {
            Some(status) if status.success() => return Ok(()),
            Some(status) => return Err(format!("the desk ended with {status}").into()),
            None if begin.elapsed() > 2 * TIMEOUT => return Err("the desk does not end".into()),
            None => std::thread::sleep(Duration::from_millis(5)),
        }
    }
}

fn sit_at_the_desk(path: &Path) -> Result<(), Box<dyn Error>> {
    let shared = Segment::<Counter>::anonymous(|_zero| {})?;
    let socket = UnixListener::bind(path)?;
    let (customer, _) = socket.accept()?;
    shared.send_to(&customer)?;

    shared.asked.wait_timeout(TIMEOUT)?;
    shared.asked.clear();
    {
        let mut order = shared.order.lock().map_err(|error| error.to_string())?;
        order.price = order.pieces * 25;
        println!("desk: {} pieces are {}", order.pieces, order.price);
    }
    shared.answered.set()?;

    shared.asked.wait_timeout(TIMEOUT)?; // over this order the customer dies
    match shared.order.try_lock_for(TIMEOUT) {
        Err(LockTimeoutError::OwnerDied(left)) => {
            let who = left.by().and_then(|id| shared.participant(id)).ok_or("nobody knows who died")?;
            println!("desk: process {} died during an order of {} pieces", who.process_id, left.get_ref().pieces);
            left.into_inner().mark_consistent();
            Ok(())
        }
        Ok(_) => Err("the customer did not die".into()),
        Err(other) => Err(other.into()),
    }
}

fn buy(path: &Path) -> Result<(), Box<dyn Error>> {
    let desk = connect(path)?;
    desk.set_read_timeout(Some(TIMEOUT))?;
    let shared = Segment::<Counter>::receive_from(&desk)?;
    drop(desk); // the socket is not needed any more

    shared.order.lock().map_err(|error| error.to_string())?.pieces = 3;
    shared.asked.set()?;
    shared.answered.wait_timeout(TIMEOUT)?;
    println!("customer {}: so {} it is", std::process::id(), shared.order.lock().map_err(|e| e.to_string())?.price);

    let mut order = shared.order.lock().map_err(|error| error.to_string())?;
    order.pieces = 4;
    shared.asked.set()?;
    std::process::abort(); // as in a crash, while this process holds the lock
}

/// Connects to the desk, which may not have opened its socket yet.
fn connect(path: &Path) -> Result<UnixStream, Box<dyn Error>> {
    let begin = Instant::now();
    loop {
        match UnixStream::connect(path) {
            Ok(stream) => return Ok(stream),
            Err(error) if begin.elapsed() > TIMEOUT => return Err(error.into()),
            Err(_) => std::thread::sleep(Duration::from_millis(5)),
        }
    }
}

/// The two processes. Dropping this ends them, also after an error.
struct Children(Vec<Child>);

impl Drop for Children {
    fn drop(&mut self) {
        for child in &mut self.0 {
            // A child that was waited for has ended. Killing it again does nothing.
            let _ended = child.kill().and_then(|()| child.wait());
        }
    }
}
