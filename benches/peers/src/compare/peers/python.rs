//! CPython's multiprocessing, if there is a python3. The script plays the rounds: see `python.py`.

use super::{MakeChannel, MakeLock, MakeMeeting, MakeSignal, Peer};
use crate::compare::Failure;
use crate::compare::player::Player;
use crate::python::running;

const SCRIPT: &str = include_str!("python.py");

pub(super) fn locks() -> Vec<Peer<MakeLock>> {
    vec![Peer::python("CPython Lock", "Lock"), Peer::python("CPython RLock", "RLock")]
}

pub(super) fn semaphores() -> Vec<Peer<MakeSignal>> {
    vec![Peer::python("CPython Semaphore", "Semaphore")]
}

pub(super) fn events() -> Vec<Peer<MakeSignal>> {
    vec![Peer::python("CPython Event", "Event")]
}

pub(super) fn conditions() -> Vec<Peer<MakeSignal>> {
    vec![Peer::python("CPython Condition", "Condition")]
}

pub(super) fn barriers() -> Vec<Peer<MakeMeeting>> {
    vec![Peer::python("CPython Barrier", "Barrier")]
}

pub(super) fn channels() -> Vec<Peer<MakeChannel>> {
    vec![
        Peer::python("CPython Queue", "Queue"),
        Peer::python("CPython SimpleQueue", "SimpleQueue"),
        Peer::python("CPython Pipe", "Pipe"),
    ]
}

/// A player that gets orders which begin so.
///
/// # Errors
/// There is no python3 with multiprocessing.
pub fn player(order: String) -> Result<Player, Failure> {
    Ok(Player::program(running(SCRIPT)?, order)?)
}
