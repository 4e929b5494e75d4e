//! Not yet.
use super::Peer;
pub(super) fn peers() -> Vec<Peer> { vec![] }
pub(super) fn keeper() -> std::process::Command { std::process::Command::new("python3") }
