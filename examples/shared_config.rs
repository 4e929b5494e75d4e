//! A configuration that many processes read all the time and one changes now and then; the one that
//! changes it is killed in the middle of a change. The readers never see half of it as if it were
//! whole, nobody hangs, and the next to change it repairs it.
//!
//! `cargo run --release --example shared_config`

use outlive::{LockError, RwLock, RwLockWriteGuard, Segment, Shareable};
use std::error::Error;
use std::io::{Read, Write};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

const READERS: usize = 3;

/// Valid as long as `low <= high`.
#[derive(Shareable, Clone, Copy)]
#[repr(C)]
struct Config {
    version: u64,
    low: u64,
    high: u64,
}

impl Config {
    fn is_valid(&self) -> bool {
        self.low <= self.high
    }
}

type Shared = RwLock<Config>;

fn main() -> ExitCode {
    let result = match std::env::args().nth(1).as_deref() {
        Some("reader") => read(),
        Some("writer") => change_and_stop_halfway(),
        _ => run(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("shared_config: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The parent: starts the others, kills the writer, repairs, and has the readers report.
fn run() -> Result<(), Box<dyn Error>> {
    let config = Segment::<Shared>::anonymous(|new| *new.get_mut() = Config { version: 1, low: 10, high: 20 })?;
    let mut children = Children(vec![]);
    for _ in 0..READERS {
        children.start(&config, "reader")?;
    }
    let writer = children.start(&config, "writer")?;
    wait_for_a_byte(&mut children.0[writer], "the writer")?; // it has changed one half
    children.0[writer].kill()?;
    println!("killed the writer (process {}) in the middle of a change", children.0[writer].id());

    // Readers are told as well as writers, for as long as nobody has repaired it.
    let Err(LockError::OwnerDied(seen)) = config.read() else { return Err("a reader was not told".into()) };
    println!("a reader sees low {} high {}, and is told not to believe it", seen.guard().low, seen.guard().high);
    drop(seen);

    let mut guard = match config.write() {
        Err(LockError::OwnerDied(left)) => left.into_guard(),
        Ok(_) => return Err("the next writer was not told".into()),
        Err(other) => return Err(other.to_string().into()),
    };
    if !guard.is_valid() {
        guard.high = guard.low + 10;
    }
    guard.version += 1;
    guard.mark_consistent();
    // From here on others read, too, and nobody writes before us.
    let repaired = RwLockWriteGuard::downgrade(guard);
    println!("repaired: version {} low {} high {}", repaired.version, repaired.low, repaired.high);
    drop(repaired);

    for reader in &mut children.0[..READERS] {
        wait_for_a_byte(reader, "a reader")?; // it has seen the repaired one
        let status = reader.wait()?;
        if !status.success() {
            return Err(format!("a reader ended with {status}").into());
        }
    }
    println!("all {READERS} readers have read the repaired one, and none was fooled");
    Ok(())
}

/// Reads until it has seen the repaired configuration. What it is told not to believe, it does not
/// use.
fn read() -> Result<(), Box<dyn Error>> {
    let config = Segment::<Shared>::inherit("config")?;
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_secs(20) {
        match config.read() {
            Ok(config) if !config.is_valid() => return Err("half a change, and nobody said so".into()),
            Ok(config) if config.version > 1 => {
                drop(config);
                return tell_the_parent();
            }
            Ok(_) => {}
            Err(LockError::OwnerDied(_)) => std::thread::yield_now(), // somebody will repair it
            Err(other) => return Err(other.to_string().into()),
        }
    }
    Err("nobody has repaired the configuration".into())
}

/// Raises both limits, but is killed after the first.
fn change_and_stop_halfway() -> Result<(), Box<dyn Error>> {
    let config = Segment::<Shared>::inherit("config")?;
    let mut config = config.write().map_err(|error| error.to_string())?;
    config.low = 110;
    tell_the_parent()?;
    loop {
        std::thread::park(); // until SIGKILL
    }
}

fn tell_the_parent() -> Result<(), Box<dyn Error>> {
    let mut output = std::io::stdout();
    output.write_all(b".")?;
    Ok(output.flush()?)
}

fn wait_for_a_byte(child: &mut Child, who: &str) -> Result<(), Box<dyn Error>> {
    let output = child.stdout.as_mut().ok_or("no output to wait for")?;
    output.read_exact(&mut [0]).map_err(|_| format!("{who} ended without a word"))?;
    Ok(())
}

/// The children. Whatever happens, none is left behind.
struct Children(Vec<Child>);

impl Children {
    /// Starts one in a role, and gives its place in the list.
    fn start(&mut self, config: &Segment<Shared>, role: &str) -> Result<usize, Box<dyn Error>> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg(role).stdout(Stdio::piped());
        config.pass_to(&mut command, "config")?;
        self.0.push(command.spawn()?);
        Ok(self.0.len() - 1)
    }
}

impl Drop for Children {
    fn drop(&mut self) {
        for child in &mut self.0 {
            // Those that were waited for have ended, and killing them again does nothing.
            let _ended = child.kill().and_then(|()| child.wait());
        }
    }
}
