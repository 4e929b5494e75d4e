//! A small part of the kill test, so that the program cannot rot: each verdict that a table may
//! have comes from a peer of which it is certain.

use outlive_peers::deaths::peers::{self, Peer};
use outlive_peers::deaths::scenario::{self, Effort, Verdict};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

const PROGRAM: &str = env!("CARGO_BIN_EXE_deaths");

fn verdict(peer: &str, scenario: &str) -> Verdict {
    let peer: Peer = peers::all().into_iter().find(|found| found.id() == peer).expect("a peer of this name");
    let scenario = peer.kind.scenarios().iter().find(|found| found.name == scenario).expect("a scenario of this name");
    let effort = Effort { kills: Duration::from_millis(300), rounds: 3, trials: 1 };
    scenario::find_out(|| peer.keeper(Path::new(PROGRAM)), scenario, effort, Duration::from_secs(2))
}

#[test]
fn outlive_recovers_and_tells() {
    assert_eq!(verdict("outlive Mutex", "holder killed"), Verdict::Tells("OwnerDied".into()));
    assert_eq!(verdict("outlive Mutex", "waiter killed"), Verdict::GoesOn(String::new()));
    // Of a few deaths, perhaps none is inside the lock.
    let at_random = verdict("outlive Mutex", "any killed, at random");
    assert!(matches!(at_random, Verdict::Tells(_) | Verdict::GoesOn(_)), "{at_random}");
    assert_eq!(verdict("outlive Mutex", "woken waiter killed"), Verdict::GoesOn(String::new()));
}

#[test]
fn outlive_loses_nothing() {
    assert!(matches!(verdict("outlive MessageQueue", "senders killed, 6 KB"), Verdict::GoesOn(_)));
    assert!(matches!(verdict("outlive MessageQueue", "receivers killed, 6 KB"), Verdict::GoesOn(_)));
    assert!(matches!(verdict("outlive TaskQueue", "receivers killed, 6 KB"), Verdict::GoesOn(_)));
    assert!(matches!(verdict("outlive Pipe", "senders killed, 64 B"), Verdict::GoesOn(_)));
    assert!(matches!(verdict("outlive Pipe", "receivers killed, 6 KB"), Verdict::GoesOn(_)));
    assert_eq!(verdict("outlive Pipe", "sender killed"), Verdict::Tells("PeerDied".into()));
}

#[test]
fn a_plain_mutex_hangs() {
    assert_eq!(verdict("pthread mutex, process-shared", "holder killed"), Verdict::Hangs(String::new()));
}

#[test]
fn a_robust_mutex_tells() {
    assert_eq!(verdict("pthread mutex, robust", "holder killed"), Verdict::Tells("EOWNERDEAD".into()));
}

#[test]
fn flock_is_silent() {
    assert_eq!(verdict("Linux flock", "holder killed"), Verdict::Silent(String::new()));
}

/// The kernel hands a message to a sleeping receiver before that runs.
#[test]
fn a_posix_message_queue_loses_what_it_hands_to_the_dead() {
    assert!(matches!(verdict("Linux POSIX message queue", "woken receiver killed"), Verdict::Loses(_)));
}

#[test]
fn what_cannot_be_made_is_missing_with_its_reason() {
    let peer = &peers::all()[0];
    let scenario = &peer.kind.scenarios()[0];
    let effort = Effort { kills: Duration::ZERO, rounds: 1, trials: 1 };
    let no_keeper = || Ok(Command::new("false"));
    let verdict = scenario::find_out(no_keeper, scenario, effort, Duration::from_secs(1));
    assert!(matches!(verdict, Verdict::Missing(why) if why.contains("the keeper ended with")), "it names the cause");
}

#[test]
fn the_program_names_all_peers_and_writes_json() {
    let list = Command::new(PROGRAM).arg("--list").output().expect("it runs");
    let list = String::from_utf8(list.stdout).expect("text");
    for family in ["outlive", "pthread", "Linux", "Boost", "CPython"] {
        assert!(list.lines().any(|line| line.starts_with(family)), "{family} in {list}");
    }
    let file = tempfile::NamedTempFile::new().expect("a file");
    let only = ["--quick", "--only", "outlive Barrier", "--markdown", "--json"];
    let output = Command::new(PROGRAM).args(only).arg(file.path()).output().expect("it runs");
    let text = String::from_utf8(output.stdout).expect("text");
    assert!(output.status.success() && text.contains("| outlive Barrier | recovers and tells (Broken)"), "{text}");
    let cells: serde_json::Value = serde_json::from_reader(file).expect("JSON");
    let cells = cells["cells"].as_array().expect("an array");
    assert_eq!(cells.len(), 2);
    assert!(cells.iter().any(|cell| cell["verdict"] == "tells"));
}
