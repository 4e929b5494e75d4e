//! A read-write lock whose writer dies. Many processes read a configuration all the time, and one
//! changes it now and then. The writer is killed in the middle of a change. No reader takes the
//! half change for a whole one, nobody hangs, and the next writer repairs the configuration.
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

/// The parent: starts the others, kills the writer, repairs the configuration, and waits until all
/// readers have seen the repaired one.
fn run() -> Result<(), Box<dyn Error>> {
    let config = Segment::<Shared>::anonymous(|new| *new.get_mut() = Config { version: 1, low: 10, high: 20 })?;
    let mut children = Children(vec![]);
    for _ in 0..READERS {
        children.start(&config, "reader")?;
    }
    let writer = children.start(&config, "writer")?;
    wait_for_a_byte(&mut children.0[writer], "the writer")?; // the writer has changed one half
    children.0[writer].kill()?;
    println!("killed the writer (process {}) in the middle of a change", children.0[writer].id());

    // Until somebody has repaired the data, readers get this error, too.
    let Err(LockError::OwnerDied(seen)) = config.read() else { return Err("a reader got no error".into()) };
    println!("a reader sees low {} high {}, with an error: OwnerDied", seen.get_ref().low, seen.get_ref().high);
    drop(seen);

    let mut guard = match config.write() {
        Err(LockError::OwnerDied(left)) => left.into_inner(),
        Ok(_) => return Err("the next writer was not told".into()),
        Err(other) => return Err(other.into()),
    };
    if !guard.is_valid() {
        guard.high = guard.low + 10;
    }
    guard.version += 1;
    guard.mark_consistent();
    // From here on others can read, too. No other writer comes in between.
    let repaired = RwLockWriteGuard::downgrade(guard);
    println!("repaired: version {} low {} high {}", repaired.version, repaired.low, repaired.high);
    drop(repaired);

    for reader in &mut children.0[..READERS] {
        wait_for_a_byte(reader, "a reader")?; // the reader has seen the repaired configuration
        let status = reader.wait()?;
        if !status.success() {
            return Err(format!("a reader ended with {status}").into());
        }
    }
    println!("all {READERS} readers have read the repaired configuration, and no half change without an error");
    Ok(())
}

/// A reader: reads until it has seen the repaired configuration. It does not use data that come
/// with an error.
fn read() -> Result<(), Box<dyn Error>> {
    let config = Segment::<Shared>::inherit("config")?;
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_secs(20) {
        match config.read() {
            Ok(config) if !config.is_valid() => return Err("half a change, without an error".into()),
            Ok(config) if config.version > 1 => {
                drop(config);
                return signal_the_parent();
            }
            Ok(_) => {}
            Err(LockError::OwnerDied(_)) => std::thread::yield_now(), // somebody will repair it
            Err(other) => return Err(other.into()),
        }
    }
    Err("nobody has repaired the configuration".into())
}

/// The writer: is to raise both limits, and is killed after the first.
fn change_and_stop_halfway() -> Result<(), Box<dyn Error>> {
    let config = Segment::<Shared>::inherit("config")?;
    let mut config = config.write().map_err(|error| error.to_string())?;
    config.low = 110;
    signal_the_parent()?;
    loop {
        std::thread::park(); // until SIGKILL
    }
}

fn signal_the_parent() -> Result<(), Box<dyn Error>> {
    let mut output = std::io::stdout();
    output.write_all(b".")?;
    Ok(output.flush()?)
}

fn wait_for_a_byte(child: &mut Child, who: &str) -> Result<(), Box<dyn Error>> {
    let output = child.stdout.as_mut().ok_or("no output to wait for")?;
    output.read_exact(&mut [0]).map_err(|_| format!("{who} ended without a word"))?;
    Ok(())
}

/// The children. Dropping this ends them, also after an error.
struct Children(Vec<Child>);

impl Children {
    /// Starts a child in a role. Returns its place in the list.
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
            // A child that was waited for has ended. Killing it again does nothing.
            let _ended = child.kill().and_then(|()| child.wait());
        }
    }
}
