//! An initialisation whose process dies. Processes share a table that is expensive to make. The
//! first process that needs the table makes it; the others wait for that process. The first process
//! is killed while it makes the table. Then one of the waiters makes it, and the others use that.
//!
//! `cargo run --release --example init_once`

use outlive::{Event, LazyLock, OnceLock, Segment, Shareable};
use std::error::Error;
use std::process::{Child, Command, ExitCode};
use std::time::{Duration, Instant};

const READERS: u32 = 4;
const TIMEOUT: Duration = Duration::from_secs(20);

/// What the processes share.
#[derive(Shareable)]
#[repr(C)]
struct Shared {
    squares: OnceLock<[u64; 1_000]>,
    begun: Event,
}

fn main() -> ExitCode {
    let result = match std::env::args().nth(1).as_deref() {
        None => run(),
        Some("first") => begin_and_never_finish(),
        Some(number) => read(number),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("init_once: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The parent: starts a process that begins the table and some readers that wait for it, and kills
/// the first.
fn run() -> Result<(), Box<dyn Error>> {
    let shared = Segment::<Shared>::anonymous(|_zero| {})?;
    let mut children = Children(vec![]);
    let start = |role: &str| -> Result<Child, Box<dyn Error>> {
        let mut command = Command::new(std::env::current_exe()?);
        shared.pass_to(command.arg(role), "table")?;
        Ok(command.spawn()?)
    };
    children.0.push(start("first")?);
    shared.begun.wait_timeout(TIMEOUT)?;
    for number in 1..=READERS {
        children.0.push(start(&number.to_string())?);
    }
    let begin = Instant::now();
    while shared.participants().iter().filter(|p| p.asleep_for.is_some()).count() < READERS as usize {
        if begin.elapsed() > TIMEOUT {
            return Err("the readers do not come".into());
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    println!("{READERS} readers wait for the first process to make the table; that process is killed");
    children.0[0].kill()?;
    for reader in &mut children.0[1..] {
        let status = reader.wait()?;
        if !status.success() {
            return Err(format!("a reader ended with {status}").into());
        }
    }
    Ok(())
}

fn begin_and_never_finish() -> Result<(), Box<dyn Error>> {
    let shared = Segment::<Shared>::inherit("table")?;
    shared.squares.get_or_init(|| {
        let _parent_waits_no_longer = shared.begun.set();
        loop {
            std::thread::park(); // until SIGKILL
        }
    })?;
    Ok(())
}

fn read(number: &str) -> Result<(), Box<dyn Error>> {
    let shared = Segment::<Shared>::inherit("table")?;
    let squares = LazyLock::new(&shared.squares, || {
        println!("reader {number} makes the table");
        std::array::from_fn(|n| (n * n) as u64)
    });
    println!("reader {number}: 12 squared is {}", squares[12]);
    Ok(())
}

/// The children. Dropping this ends them, also after an error.
struct Children(Vec<Child>);

impl Drop for Children {
    fn drop(&mut self) {
        for child in &mut self.0 {
            // A child that was waited for has ended. Killing it again does nothing.
            let _ended = child.kill().and_then(|()| child.wait());
        }
    }
}
