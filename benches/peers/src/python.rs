//! CPython, if it is there.

use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// What runs a script with multiprocessing.
///
/// # Errors
/// There is no python3 with multiprocessing.
pub(crate) fn running(script: &str) -> Result<Command, String> {
    static IS_THERE: OnceLock<bool> = OnceLock::new();
    let is_there = IS_THERE.get_or_init(|| {
        let mut command = Command::new("python3");
        command.args(["-c", "import multiprocessing.synchronize"]).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    });
    if !is_there {
        return Err("no python3 with multiprocessing (Debian: apt-get install python3)".into());
    }
    let mut command = Command::new("python3");
    command.args(["-c", script]);
    Ok(command)
}
