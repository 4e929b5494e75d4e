//! Two processes write to one file under one lock, as in the first example of Python's
//! `multiprocessing`. One uses a guard (Python's `with lock:`), the other `lock.acquire()` and
//! `lock.release()`. Each takes the lock once, and writes ten lines. With `--kill-first` the first
//! writer is killed in the middle of a line.
//!
//! `cargo run --release --example two_writers -- --help`

#![allow(clippy::disallowed_types)] // a plain number that processes share

use clap::Parser;
use outlive::{Lock, LockError, Segment, Shareable};
use std::error::Error;
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

/// Several processes append lines to one file under one shared lock.
///
/// Each writer takes the lock once for all its lines, so its lines stand together in the file.
#[derive(Parser)]
#[command(name = "two_writers", version)]
struct Arguments {
    /// The file to write [default: a new file in the temporary directory]
    file: Option<PathBuf>,
    /// Number of lines of each writer
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    lines: u32,
    /// Number of writers
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=200))]
    writers: u32,
    /// Take the lock again for each line: the writers' lines mix, but each line is whole
    #[arg(long)]
    lock_per_line: bool,
    /// Write the writer's number and the line's number into each line
    #[arg(long)]
    numbers: bool,
    /// Kill the first writer (SIGKILL) in the middle of a line, while it holds the lock
    #[arg(long)]
    kill_first: bool,
    /// Overwrite the file if it exists
    #[arg(long)]
    force: bool,
    /// (internal) be writer number N
    #[arg(long, hide = true)]
    writer: Option<u32>,
}

/// What the processes share, beside the file.
#[derive(Shareable)]
#[repr(C)]
struct Shared {
    file: Lock,
    /// When the first writer was killed, in nanoseconds of the monotonic clock. 0: it was not.
    killed_at: AtomicU64,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let result = match arguments.writer {
        Some(number) => write_as(number, &arguments),
        None => run(&arguments),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("two_writers: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The parent: starts the writers, waits for them, and shows where the file is.
fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let path = new_file(arguments)?;
    let segment = Segment::<Shared>::anonymous(|_free| {})?;
    let mut writers = Writers(vec![]);
    for number in 1..=arguments.writers {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg(&path).args(["--writer", &number.to_string(), "--lines", &arguments.lines.to_string()]);
        for (is_set, option) in [(arguments.lock_per_line, "--lock-per-line"), (arguments.numbers, "--numbers")] {
            if is_set {
                command.arg(option);
            }
        }
        let first_to_die = arguments.kill_first && number == 1;
        if first_to_die {
            command.arg("--kill-first").stdout(Stdio::piped());
        }
        segment.pass_to(&mut command, "writers")?;
        let mut writer = command.spawn()?;
        if first_to_die {
            // The other writers begin when the first holds the lock and has written half a line.
            wait_for_half_a_line(&mut writer)?;
        }
        writers.0.push(writer);
    }
    if arguments.kill_first {
        wait_for_a_sleeper(&segment, arguments.writers)?;
        segment.killed_at.store(now(), Ordering::SeqCst);
        writers.0[0].kill()?;
        println!("killed writer 1 (process {}) in the middle of a line", writers.0[0].id());
    }
    let mut failed = vec![];
    for (index, writer) in writers.0.iter_mut().enumerate() {
        let status = writer.wait()?;
        let as_planned = arguments.kill_first && index == 0 && status.signal() == Some(libc::SIGKILL);
        if !status.success() && !as_planned {
            failed.push(format!("writer {} ended with {status}", index + 1));
        }
    }
    println!("end");
    println!("{}", path.display());
    if failed.is_empty() { Ok(()) } else { Err(failed.join("; ").into()) }
}

/// Makes the file. Without `--force` it must not exist yet.
fn new_file(arguments: &Arguments) -> Result<PathBuf, Box<dyn Error>> {
    let path = match &arguments.file {
        Some(path) => path.clone(),
        None => {
            let (_, path) = tempfile::Builder::new().prefix("two_writers-").suffix(".txt").tempfile()?.keep()?;
            return Ok(path);
        }
    };
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(arguments.force).create_new(!arguments.force);
    match options.open(&path) {
        Ok(_) => Ok(std::path::absolute(path)?),
        Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {
            Err(format!("{} exists; choose another file, or overwrite it with --force", path.display()).into())
        }
        Err(e) => Err(format!("cannot write {}: {e}", path.display()).into()),
    }
}

fn wait_for_half_a_line(writer: &mut Child) -> Result<(), Box<dyn Error>> {
    let mut byte = [0];
    let output = writer.stdout.as_mut().ok_or("the first writer has no output")?;
    output.read_exact(&mut byte).map_err(|_| "the first writer ended before it could be killed")?;
    Ok(())
}

/// Waits until another writer sleeps on the lock, if there is another.
fn wait_for_a_sleeper(segment: &Segment<Shared>, writers: u32) -> Result<(), Box<dyn Error>> {
    let begin = Instant::now();
    while writers > 1 && !segment.participants().iter().any(|p| p.asleep_for.is_some()) {
        if begin.elapsed() > Duration::from_secs(10) {
            return Err("no other writer has come to the lock within ten seconds".into());
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

/// The children. Dropping this ends them, also after an error.
struct Writers(Vec<Child>);

impl Drop for Writers {
    fn drop(&mut self) {
        for writer in &mut self.0 {
            // A child that was waited for has ended. Killing it again does nothing.
            let _ended = writer.kill().and_then(|()| writer.wait());
        }
    }
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| since.as_nanos() as u64)
}

/// A writer. Writers with odd numbers lock by a guard, the others acquire and release.
fn write_as(number: u32, arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let path = arguments.file.as_ref().ok_or("a writer needs a file")?;
    let shared = Segment::<Shared>::inherit("writers")?;
    let lines = 1..=arguments.lines;
    if arguments.lock_per_line {
        lines.into_iter().try_for_each(|line| with_the_lock(number, &shared, path, || write(number, line, arguments)))
    } else {
        with_the_lock(number, &shared, path, || lines.into_iter().try_for_each(|line| write(number, line, arguments)))
    }
}

/// Calls `act` while it holds the lock. If the last holder has died, it first repairs the file.
fn with_the_lock(
    number: u32,
    shared: &Shared,
    path: &Path,
    act: impl FnOnce() -> Result<(), Box<dyn Error>>,
) -> Result<(), Box<dyn Error>> {
    if number % 2 == 1 {
        let _guard = match shared.file.lock() {
            Ok(guard) => guard,
            Err(LockError::OwnerDied(left)) => {
                mend(path, number, left.by(), shared)?;
                let mut guard = left.into_inner();
                guard.mark_consistent();
                guard
            }
            Err(error) => return Err(error.into()),
        };
        act()
    } else {
        match shared.file.acquire() {
            Ok(()) => {}
            Err(LockError::OwnerDied(left)) => {
                mend(path, number, left.by(), shared)?;
                shared.file.mark_consistent()?;
            }
            Err(error) => return Err(error.into()),
        }
        let result = act();
        shared.file.release()?;
        result
    }
}

/// Writes one line.
fn write(number: u32, line: u32, arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let path = arguments.file.as_ref().ok_or("a writer needs a file")?;
    let numbers = format!("writer {number}, line {line}");
    let text = match (number % 2 == 1, arguments.numbers) {
        (true, false) => "locked acquired via with: ".to_owned(),
        (true, true) => format!("locked acquired via with: {numbers}"),
        (false, false) => "Lock acquired  directory".to_owned(),
        (false, true) => format!("Lock acquired  directory: {numbers}"),
    };
    append(path, &text, arguments.kill_first && line == 2.min(arguments.lines))
}

/// Appends one line in two steps, so that the lock is really needed. With `stop_in_the_middle` it
/// stops after the first step, forever.
fn append(path: &Path, text: &str, stop_in_the_middle: bool) -> Result<(), Box<dyn Error>> {
    let mut file = OpenOptions::new().append(true).open(path)?;
    let (first, second) = text.split_at(text.len() / 2);
    file.write_all(first.as_bytes())?;
    if stop_in_the_middle {
        let mut output = std::io::stdout();
        output.write_all(b".")?;
        output.flush()?;
        loop {
            std::thread::park(); // until SIGKILL
        }
    }
    file.write_all(second.as_bytes())?;
    file.write_all(b"\n")?;
    Ok(())
}

/// Cuts off the torn line that the dead writer has left, and reports it.
fn mend(path: &Path, number: u32, dead: Option<outlive::ParticipantId>, shared: &Shared) -> Result<(), Box<dyn Error>> {
    let since = Duration::from_nanos(now().saturating_sub(shared.killed_at.load(Ordering::SeqCst)));
    let mut file = OpenOptions::new().read(true).write(true).open(path)?;
    let whole = whole_lines(&mut file)?;
    let torn = file.metadata()?.len() - whole;
    file.set_len(whole)?;
    let dead = dead.map_or_else(|| "somebody".to_owned(), |id| format!("participant {id}"));
    println!(
        "writer {number}: OwnerDied, {dead} died; had the lock {since:?} after the kill; cut off {torn} bytes of a torn line"
    );
    Ok(())
}

/// The length of the file up to and including its last newline.
fn whole_lines(file: &mut File) -> Result<u64, Box<dyn Error>> {
    let mut text = vec![];
    file.seek(SeekFrom::Start(0))?;
    file.read_to_end(&mut text)?;
    Ok(text.iter().rposition(|b| *b == b'\n').map_or(0, |at| at as u64 + 1))
}
