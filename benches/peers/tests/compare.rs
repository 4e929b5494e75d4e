//! Each workload in short, so that the program cannot rot: all contestants have figures, or stand
//! among the missing with a reason.

use serde_json::Value;
use std::process::Command;

const PROGRAM: &str = env!("CARGO_BIN_EXE_compare");

/// Why a contestant may be missing: what it needs is not there. It says what to install.
const MAY_BE_MISSING: [(&str, &str); 3] =
    [("Boost", "apt-get install"), ("CPython", "apt-get install"), ("iceoryx2", "apt-get install")];

/// Those that have no such thing, and what of their reason must be said.
const HAVE_NONE: [(&str, &str); 13] = [
    ("it has no such lock", "readers-writer"),
    ("it has no such lock", "of the turns write"),
    ("it has no semaphore", "semaphore"),
    ("it has no event", "event"),
    ("it has no barrier", "barrier"),
    ("POSIX does not say", "once"),
    ("one to one only", "processes, items of"),
    ("one receiver only", "processes, items of"),
    ("for modest sizes", "1 MiB"),
    ("Message too long", "1 MiB"),
    ("Invalid argument", "1 MiB"),
    ("a service ends with its last node", "to open one"),
    ("they do not know who takes part", "participant"),
];

fn cases_of(workload: &str) -> Vec<Value> {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let mut command = Command::new(PROGRAM);
    command.args(["--try", "--only", workload, "--json"]).arg(file.path());
    let output = command.output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{workload}: {said}");
    let report: Value = serde_json::from_reader(file).expect("JSON");
    let machine = &report["machine"];
    assert!(machine["toolchain"].as_str().is_some_and(|text| text.starts_with("rustc ")), "{machine}");
    assert!(machine["processors"].as_u64().is_some_and(|count| count > 0), "{machine}");
    report["cases"].as_array().expect("an array").clone()
}

/// Every contestant has figures, or a reason that is known to be one.
fn check(workload: &str, ours: &[&str]) {
    let cases = cases_of(workload);
    assert!(!cases.is_empty());
    for case in &cases {
        let title = case["name"].as_str().expect("a name");
        for row in case["rows"].as_array().expect("rows") {
            let rounds = row["rounds"].as_array().expect("rounds");
            let is_figure = |figure: &Value| figure.as_f64().is_some_and(|figure| figure.is_finite() && figure >= 0.0);
            assert!(!rounds.is_empty() && rounds.iter().all(is_figure), "{title}: {row}");
        }
        for missing in case["missing"].as_array().expect("an array") {
            let [name, why] = [0, 1].map(|at| missing[at].as_str().expect("a text"));
            let has_none = HAVE_NONE.iter().any(|(part, of)| why.contains(part) && title.contains(of));
            let may_be = MAY_BE_MISSING.iter().any(|(of, part)| name.contains(of) && why.contains(part));
            assert!(has_none || may_be, "{title}: {name} is missing: {why}");
        }
    }
    for wanted in ours {
        let has =
            |case: &Value| case["rows"].as_array().is_some_and(|rows| rows.iter().any(|row| row["name"] == *wanted));
        assert!(cases.iter().any(has), "{workload} has no {wanted}");
    }
}

#[test]
fn pairs() {
    check("pairs", &["outlive Mutex", "outlive Barrier", "outlive TaskQueue", "pthread rwlock", "std Once"]);
}

#[test]
fn contended() {
    check("contended", &["outlive Mutex", "pthread mutex, robust", "flock", "parking_lot Mutex"]);
}

#[test]
fn readers() {
    check("readers", &["outlive RwLock", "pthread rwlock", "std RwLock"]);
}

#[test]
fn pingpong() {
    check("pingpong", &["outlive Condvar", "outlive Barrier", "sem_t", "eventfd", "std Condvar"]);
}

#[test]
fn channels() {
    let all = ["outlive Queue", "outlive TaskQueue", "outlive MessageQueue", "outlive Pipe", "ipc-channel, bytes"];
    check("channels", &all);
    check("latency", &["outlive Pipe", "Unix stream", "rtrb, polled"]);
}

#[test]
fn segments() {
    check("segments", &["outlive Segment", "outlive Mutex", "pthread barrier"]);
}
