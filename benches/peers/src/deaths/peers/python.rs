//! CPython's multiprocessing, if there is a python3.

use super::{Maker, Peer};
use crate::deaths::scenario::Kind;
use crate::python::running;
use std::process::Command;

const SCRIPT: &str = include_str!("python.py");

pub(super) fn peers() -> Vec<Peer> {
    let peer = |name, kind| Peer { family: "CPython", name, kind, maker: Maker::Python };
    vec![
        peer("Lock", Kind::Lock),
        peer("RLock", Kind::Lock),
        peer("Condition", Kind::Condition),
        peer("Barrier", Kind::Barrier),
        peer("Semaphore", Kind::Semaphore),
        peer("Event", Kind::Event),
        peer("Queue", Kind::Queue),
        peer("SimpleQueue", Kind::Queue),
        peer("Pipe", Kind::Queue),
    ]
}

/// What starts a keeper, if it is given the name of a peer and a directory.
///
/// # Errors
/// There is no python3 with multiprocessing.
pub(super) fn keeper() -> Result<Command, String> {
    running(SCRIPT)
}

/// The version of python3.
pub(super) fn version() -> Option<String> {
    let output = Command::new("python3").arg("--version").output().ok()?;
    Some(String::from_utf8(output.stdout).ok()?.trim().strip_prefix("Python ")?.to_string())
}
