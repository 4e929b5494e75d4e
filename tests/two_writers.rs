//! The first example, run as a user runs it: the file that it writes, its output, and what it
//! refuses.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)] // tests look from outside

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The example beside this test: `cargo test` builds both.
fn two_writers(arguments: &[&str], directory: &Path) -> Output {
    let mut program = std::env::current_exe().expect("own path");
    program.pop(); // deps
    program.pop();
    program.push("examples/two_writers");
    let mut command = Command::new(&program);
    command.args(arguments).current_dir(directory).env("TMPDIR", directory);
    let hint = "build it first: cargo build --example two_writers";
    command.output().unwrap_or_else(|error| panic!("{}: {error}; {hint}", program.display()))
}

fn directory() -> tempfile::TempDir {
    tempfile::tempdir().expect("a directory")
}

/// The output of the example, which must succeed without an error message.
fn said(output: &Output) -> Vec<String> {
    assert!(output.status.success(), "{output:?}");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    String::from_utf8(output.stdout.clone()).expect("text").lines().map(str::to_owned).collect()
}

/// The error message of the example, which must fail without other output.
fn refused(output: &Output) -> String {
    assert_eq!(output.status.code().map(|code| code != 0), Some(true), "{output:?}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "");
    let complaint = String::from_utf8(output.stderr.clone()).expect("text");
    assert!(!complaint.contains("panicked") && !complaint.is_empty(), "{complaint}");
    complaint
}

/// How many lines each writer has in the file, in the order of the writers. Each line must be
/// whole, and each writer's lines in order.
fn lines_by_writer(path: &Path, writers: usize) -> Vec<usize> {
    let text = std::fs::read_to_string(path).expect("readable");
    assert!(text.ends_with('\n'));
    let mut counts = vec![0; writers];
    for line in text.lines() {
        let (mut writer, mut number) = (0, 0);
        for (start, odd) in [("locked acquired via with: ", true), ("Lock acquired  directory: ", false)] {
            if let Some(rest) = line.strip_prefix(start) {
                let (who, which) = rest.split_once(", line ").expect("a whole line");
                writer = who.strip_prefix("writer ").and_then(|n| n.parse::<usize>().ok()).expect("a writer");
                number = which.parse::<usize>().expect("a number");
                assert_eq!(writer % 2 == 1, odd, "{line}");
            }
        }
        assert!((1..=writers).contains(&writer), "no whole line: {line:?}");
        counts[writer - 1] += 1;
        assert_eq!(number, counts[writer - 1], "out of order: {line}");
    }
    counts
}

/// The lines of a file, with equal lines in a row counted as one group.
fn groups(path: &Path) -> Vec<(String, usize)> {
    let text = std::fs::read_to_string(path).expect("readable");
    let mut groups: Vec<(String, usize)> = vec![];
    for line in text.split_terminator('\n') {
        match groups.last_mut() {
            Some((last, count)) if last == line => *count += 1,
            _ => groups.push((line.to_owned(), 1)),
        }
    }
    groups
}

/// The exact output of Python's first example: each writer takes the lock once for its ten lines.
#[test]
fn two_writers_write_ten_lines_each_in_two_groups() {
    let directory = directory();
    let said = said(&two_writers(&["out.txt"], directory.path()));
    assert_eq!(said[0], "end");
    let mut groups = groups(&directory.path().join("out.txt"));
    groups.sort();
    assert_eq!(groups, [("Lock acquired  directory".to_owned(), 10), ("locked acquired via with: ".to_owned(), 10)]);
}

/// The first writer's one whole line stays. The second writer writes all of its own lines behind
/// it.
#[test]
fn a_writer_that_is_killed_within_its_group_leaves_no_torn_line() {
    let directory = directory();
    said(&two_writers(&["out.txt", "--kill-first"], directory.path()));
    let groups = groups(&directory.path().join("out.txt"));
    assert_eq!(groups, [("locked acquired via with: ".to_owned(), 1), ("Lock acquired  directory".to_owned(), 10)]);
}

#[test]
fn with_numbers_and_a_lock_for_each_line_all_lines_are_whole() {
    let directory = directory();
    let arguments = ["out.txt", "--numbers", "--lock-per-line", "--lines", "200", "--writers", "3"];
    said(&two_writers(&arguments, directory.path()));
    assert_eq!(lines_by_writer(&directory.path().join("out.txt"), 3), [200; 3]);
}

#[test]
fn two_writers_write_ten_lines_each_to_a_new_file_and_name_it() {
    let directory = directory();
    let said = said(&two_writers(&["--numbers"], directory.path()));
    assert_eq!(said.len(), 2, "{said:?}");
    assert_eq!(said[0], "end");
    let path = PathBuf::from(&said[1]);
    assert!(path.is_absolute() && path.starts_with(directory.path()));
    assert_eq!(lines_by_writer(&path, 2), [10, 10]);
}

#[test]
fn file_lines_and_writers_are_as_asked_for() {
    let directory = directory();
    let said = said(&two_writers(&["out.txt", "--numbers", "--lines", "50", "--writers", "5"], directory.path()));
    let path = directory.path().join("out.txt");
    assert_eq!(said, ["end", path.canonicalize().expect("there").to_str().expect("text")]);
    assert_eq!(lines_by_writer(&path, 5), [50; 5]);
}

#[test]
fn a_writer_killed_in_the_middle_of_a_line_stops_nobody() {
    for (writers, lines) in [(2, 10), (3, 1), (4, 30)] {
        let directory = directory();
        let (writers_text, lines_text) = (writers.to_string(), lines.to_string());
        let arguments = ["out.txt", "--numbers", "--kill-first", "--writers", &writers_text, "--lines", &lines_text];
        let said = said(&two_writers(&arguments, directory.path()));
        let killed = said.iter().position(|line| line.starts_with("killed writer 1 (process ")).expect("told");
        assert!(said[killed].ends_with(") in the middle of a line"));
        let told: Vec<_> = said.iter().filter(|line| line.contains(": OwnerDied, participant ")).collect();
        assert_eq!(told.len(), 1, "one writer learns of it, and repairs the file: {said:?}");
        assert!(told[0].contains(" died; had the lock ") && told[0].contains(" after the kill; cut off "), "{told:?}");
        assert!(told[0].ends_with(" bytes of a torn line") && !told[0].contains("cut off 0 "), "{told:?}");
        let path = directory.path().join("out.txt");
        assert_eq!(said[said.len() - 2], "end");
        assert_eq!(Path::new(&said[said.len() - 1]), path.canonicalize().expect("there"));
        let mut expected = vec![lines; writers];
        expected[0] = usize::from(lines > 1); // killed in its second line, or its only one
        assert_eq!(lines_by_writer(&path, writers), expected);
    }
}

#[test]
fn a_single_writer_can_be_killed_too() {
    let directory = directory();
    let said = said(&two_writers(&["out.txt", "--kill-first", "--writers", "1"], directory.path()));
    assert!(said[0].starts_with("killed writer 1"), "{said:?}");
    assert_eq!(said[1], "end");
    let text = std::fs::read_to_string(directory.path().join("out.txt")).expect("readable");
    assert_eq!(text.lines().count(), 2, "a whole line and a torn one, which nobody was left to cut off");
}

#[test]
fn help_lists_the_arguments() {
    let directory = directory();
    let help = said(&two_writers(&["--help"], directory.path())).join("\n");
    for word in ["[FILE]", "--lines", "--writers", "--lock-per-line", "--numbers", "--kill-first", "--force", "--help"]
    {
        assert!(help.contains(word), "{word} is missing: {help}");
    }
    assert!(!help.contains("internal"), "{help}");
    assert_eq!(std::fs::read_dir(directory.path()).expect("readable").count(), 0);
}

#[test]
fn a_file_that_exists_is_overwritten_only_if_asked_for() {
    let directory = directory();
    let path = directory.path().join("out.txt");
    std::fs::write(&path, "mine\n").expect("written");
    let complaint = refused(&two_writers(&["out.txt"], directory.path()));
    assert!(complaint.contains("out.txt exists") && complaint.contains("--force"), "{complaint}");
    assert_eq!(std::fs::read_to_string(&path).expect("readable"), "mine\n");
    assert_eq!(said(&two_writers(&["out.txt", "--force", "--numbers"], directory.path()))[0], "end");
    assert_eq!(lines_by_writer(&path, 2), [10, 10]);
}

#[test]
fn an_impossible_request_is_refused_and_nothing_is_made() {
    let directory = directory();
    let cases: [(&[&str], &str); 11] = [
        (&["--lines", "0"], "--lines"),
        (&["--lines", "many"], "--lines"),
        (&["--lines", "-1"], "-1"),
        (&["--lines", "1000001"], "--lines"),
        (&["--writers", "0"], "--writers"),
        (&["--writers", "201"], "--writers"),
        (&["--wrong"], "--wrong"),
        (&["one.txt", "two.txt"], "two.txt"),
        (&["missing/out.txt"], "missing/out.txt"),
        (&["."], "."),
        (&[""], "FILE"),
    ];
    for (arguments, named) in cases {
        let complaint = refused(&two_writers(arguments, directory.path()));
        assert!(complaint.contains(named), "{arguments:?}: {complaint}");
        assert_eq!(std::fs::read_dir(directory.path()).expect("readable").count(), 0, "{arguments:?}");
    }
    // SAFETY: no preconditions.
    if unsafe { libc::geteuid() } != 0 {
        std::fs::set_permissions(directory.path(), std::fs::Permissions::from_mode(0o500)).expect("ours");
        assert!(refused(&two_writers(&["out.txt"], directory.path())).contains("cannot write out.txt"));
    }
}
