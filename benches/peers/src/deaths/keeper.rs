//! The keeper makes the object, forks the parties that use it, and buries them. It is never killed
//! as a part of a test, so the object is there whoever dies.
//!
//! It obeys lines from the driver: `start N` forks party N, which connects to the driver by itself;
//! `bury PID` waits for the end of a party that the driver has killed; other lines are orders. The
//! keeper ends with its connection, and its children die with it.

use super::ledger::Ledger;
use super::object::Object;
use super::order::{Order, Reply};
use outlive_benches::process::{self, Child};
use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// The file name of the driver's socket, in a cell's directory.
pub const SOCKET: &str = "driver";
/// The file name of the ledger.
pub const LEDGER: &str = "ledger";

/// Keeps, in a cell's directory, the object that `make` makes, until the driver goes away.
///
/// # Errors
/// Those of sockets and of fork(2). An object that can't be made is reported to the driver.
pub fn keep(directory: &Path, make: fn() -> io::Result<Box<dyn Object>>) -> io::Result<()> {
    // SAFETY: a plain system call on the calling process itself.
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
    let ledger = Ledger::open(&directory.join(LEDGER))?;
    let mut driver = UnixStream::connect(directory.join(SOCKET))?;
    std::env::set_current_dir(directory)?; // for objects that are files
    let object = match make() {
        Ok(object) => object,
        Err(error) => return writeln!(driver, "failed {error}"),
    };
    writeln!(driver, "keeper {}", std::process::id())?;
    let mut children: HashMap<u32, Child> = HashMap::new();
    let mut lines = BufReader::new(driver.try_clone()?);
    let mut line = String::new();
    while lines.read_line(&mut line)? > 0 {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["start", number] => {
                let child = process::fork(|| {
                    serve(directory, number, &*object, ledger).expect("the driver listens");
                })?;
                children.insert(child.id(), child);
            }
            ["bury", process] => {
                let mut child = process.parse().ok().and_then(|id| children.remove(&id));
                let ended = child.as_mut().map(|child| child.wait(Duration::from_secs(10)));
                match ended {
                    Some(Ok(_)) => writeln!(driver, "done")?,
                    other => writeln!(driver, "failed {other:?}")?,
                }
            }
            _ => writeln!(driver, "{}", obey(&line, &*object, ledger))?,
        }
        line.clear();
    }
    Ok(())
}

fn obey(line: &str, object: &dyn Object, ledger: Ledger) -> Reply {
    match line.parse::<Order>() {
        Ok(order) => object.obey(order, ledger).into(),
        Err(why) => Reply::Failed(why),
    }
}

/// One party: obeys its own lines. It says `begins` before each operation.
fn serve(directory: &Path, number: &str, object: &dyn Object, ledger: Ledger) -> io::Result<()> {
    let mut driver = UnixStream::connect(directory.join(SOCKET))?;
    writeln!(driver, "party {number} {}", std::process::id())?;
    let mut lines = BufReader::new(driver.try_clone()?);
    let mut line = String::new();
    while lines.read_line(&mut line)? > 0 {
        writeln!(driver, "begins")?;
        let (victim, order) = victim(&line);
        let reply = obey(order, object, ledger);
        if let Some(victim) = victim {
            // SAFETY: another child of the keeper, which the driver has not buried yet.
            unsafe { libc::kill(victim, libc::SIGKILL) };
        }
        writeln!(driver, "{reply}")?;
        line.clear();
    }
    Ok(())
}

/// `then-kill PID ORDER` is an order after which the party kills another one, at once.
fn victim(line: &str) -> (Option<i32>, &str) {
    let words = line.strip_prefix("then-kill ").and_then(|rest| rest.split_once(' '));
    match words.and_then(|(id, order)| Some((id.parse().ok()?, order))) {
        Some((victim, order)) => (Some(victim), order),
        None => (None, line),
    }
}
