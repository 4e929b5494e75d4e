//! The program as a user calls it: what it measures can be kept, and shown again.

use std::path::Path;
use std::process::Command;

fn compare(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_compare")).args(arguments).output().expect("it runs");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

/// The names and the texts of all files, below the folder.
fn files(folder: &Path) -> Vec<(String, String)> {
    let mut all = vec![];
    for name in ["SPEED.md", "GROWTH.md"] {
        all.push((name.to_owned(), std::fs::read_to_string(folder.join(name)).expect("text")));
    }
    for entry in std::fs::read_dir(folder.join("charts")).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        all.push((name, std::fs::read_to_string(path).expect("text")));
    }
    all.sort();
    all
}

#[test]
fn a_run_that_was_kept_gives_the_same_tables_and_documents() {
    let folder = tempfile::tempdir().expect("a folder");
    let [json, first, second] =
        ["run.json", "first", "second"].map(|name| folder.path().join(name).display().to_string());
    let workloads = ["pairs", "pingpong", "channels"].map(|name| ["--only", name]);
    let measured = compare(&[&["--try", "--json", &json, "--docs", &first], workloads.as_flattened()].concat());
    let read = compare(&["--from", &json, "--docs", &second]);
    assert_eq!(measured, read);
    let documents = files(Path::new(&first));
    assert_eq!(documents, files(Path::new(&second)));
    let speed = &documents.iter().find(|(name, _)| name == "SPEED.md").expect("it was written").1;
    for expected in ["lock: take and give back", "| outlive Mutex |", "charts/pairs.svg", "charts/pingpong.svg"] {
        assert!(speed.contains(expected), "{expected} in {speed}");
    }
    let summary = &documents.iter().find(|(name, _)| name == "summary.svg").expect("it was drawn").1;
    for expected in ["Lock and unlock a mutex", "Read under", "Wake a process", "Send 64 bytes", "Send 4 KiB", " x"] {
        assert!(summary.contains(expected), "{expected} in {summary}");
    }
}

/// Whoever changes a reason or a table writes the page anew, from the run that is kept.
#[test]
fn the_page_is_that_of_the_run_that_is_kept() {
    let folder = tempfile::tempdir().expect("a folder");
    compare(&["--from", "run.json", "--docs", &folder.path().display().to_string()]);
    let text = |file: &Path| std::fs::read_to_string(file).expect("text");
    let written = text(&folder.path().join("SPEED.md"));
    assert!(written == text(Path::new("../../docs/SPEED.md")), "docs/SPEED.md is not what compare writes: {written}");
}

#[test]
fn what_is_no_run_is_an_error_that_names_the_file() {
    let output = Command::new(env!("CARGO_BIN_EXE_compare")).args(["--from", "Cargo.toml"]).output().expect("it runs");
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("Cargo.toml: "));
}

/// Two of the contestants never get the lock. That is known after a bounded time, and the others go
/// on.
#[test]
fn a_next_holder_that_never_comes_is_named_as_missing() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let path = file.path().display().to_string();
    compare(&["--try", "--only", "deaths", "--json", &path]);
    let report: serde_json::Value = serde_json::from_reader(&file).expect("JSON");
    let case = &report["cases"][0];
    let missing = case["missing"].as_array().expect("an array");
    for name in ["pthread mutex", "sem_t"] {
        let why = missing.iter().find(|row| row[0] == name).and_then(|row| row[1].as_str()).expect(name);
        assert!(why.starts_with("hangs: ") && why.ends_with("0 of 1 waiters went on"), "{why}");
    }
    let rows = case["rows"].as_array().expect("an array");
    for name in ["outlive Mutex", "outlive PermitPool", "pthread mutex, robust", "flock", "pidfd, poll"] {
        assert!(rows.iter().any(|row| row["name"] == name), "{name} in {rows:?}");
    }
}

#[test]
fn sleepers_and_growth_can_be_tried() {
    let idle = compare(&["--try", "--only", "idle"]); // Boost may be missing
    assert!(idle.contains("outlive Mutex, without futex_waitv"), "{idle}");
    let tried = compare(&["--try", "--only", "wakeups", "--only", "growth"]);
    for expected in ["until all run, 4 waiters", "to join", "to lock each in turn", "100 mutexes"] {
        assert!(tried.contains(expected), "{expected} in {tried}");
    }
    assert!(!tried.contains("missing"), "{tried}");
}
