//! Makes the table of `docs/EVIDENCE.md`: what a long run has shown, collected from what its parts
//! print.
//!
//! Each number comes from a line that a part prints after it has done the work. A cell without such
//! a line has a dash.

use crate::explored;

/// A row: a primitive, with its names in the parts.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// The name for people.
    pub name: &'static str,
    /// Its files in `src/raw`. Its models have the same names.
    pub files: &'static [&'static str],
    /// How the names of its operations begin in `tests/kill_everywhere`.
    pub kills: &'static [&'static str],
    /// Its tests that compare it with a reference.
    pub references: &'static [&'static str],
}

/// **A primitive is registered here**.
pub const ROWS: [Row; 16] = [
    Row { name: "`Mutex`, `Lock`", files: &["mutex"], kills: &["Mutex", "Lock"], references: &["mutex", "lock"] },
    Row {
        name: "`ReentrantMutex`",
        files: &["reentrant"],
        kills: &["ReentrantMutex"],
        references: &["reentrant", "reentrant_mutex"],
    },
    Row { name: "`RwLock`", files: &["rwlock"], kills: &["RwLock"], references: &["rwlock"] },
    Row { name: "`Semaphore`", files: &["semaphore"], kills: &["Semaphore"], references: &["semaphore"] },
    Row {
        name: "`PermitPool`",
        files: &["permit_pool"],
        kills: &["PermitPool"],
        references: &["permit_pool", "permit_pool"],
    },
    Row { name: "`Condvar`", files: &["condvar"], kills: &["Condvar"], references: &["condvar"] },
    Row { name: "`Event`", files: &["event"], kills: &["Event"], references: &["event", "event_that_resets_itself"] },
    Row {
        name: "`Barrier`",
        files: &["barrier", "generation", "places"],
        kills: &["Barrier"],
        references: &["barrier"],
    },
    Row { name: "`Once`, `OnceLock`, `LazyLock`", files: &["once"], kills: &["Once"], references: &["once"] },
    Row {
        name: "`Queue`, `ArrayQueue`",
        files: &["queue", "queue/search", "queue/cell", "ends"],
        kills: &["Queue"],
        references: &["queue", "array_queue"],
    },
    Row {
        name: "`MessageQueue`",
        files: &[
            "message_queue",
            "message_queue/blocks",
            "message_queue/source",
            "message_queue/pieces",
            "message_queue/word",
        ],
        kills: &["MessageQueue"],
        references: &["message_queue", "message_queue"],
    },
    Row {
        name: "`Pipe`, `DuplexPipe`",
        files: &["pipe", "pipe/source"],
        kills: &["Pipe", "DuplexPipe"],
        references: &["pipe", "pipe"],
    },
    Row {
        name: "`TaskQueue`, `ArrayTaskQueue`",
        files: &["task_queue", "task_queue/slot"],
        kills: &["TaskQueue"],
        references: &["task_queue"],
    },
    Row {
        name: "`wait_any`",
        files: &[
            "wait_any",
            "wait_any/attended",
            "vigil/several",
            "event/source",
            "mutex/source",
            "permit_pool/source",
            "queue/source",
            "semaphore/source",
            "task_queue/source",
        ],
        kills: &["wait_any"],
        references: &[],
    },
    Row {
        name: "`Segment`, participants",
        files: &["table", "table/recycle", "table/reap", "hold", "leaked"],
        kills: &["Segment"],
        references: &[],
    },
    Row {
        name: "sleepers (`raw::vigil`)",
        files: &["vigil", "vigil/spins", "vigil/step"],
        kills: &[],
        references: &[],
    },
];

/// The columns of the table: a property of a primitive, and the method that shows it.
pub const COLUMNS: [(&str, &str); 6] = [
    ("no death, schedule or memory order breaks it", "loom: models, executions"),
    ("nor with more threads", "shuttle: models, executions"),
    ("nor SIGKILL amid an operation, in or beside a sleep", "ptrace: operations, their instructions, kills"),
    ("each ordering, wake and second check is needed", "mutants: killed, shown to be equivalent, open"),
    ("its tests notice other logic", "mutants: killed, shown to be equivalent, open"),
    ("it answers as a plain reference, deaths included", "proptest: scenarios"),
];

/// What all parts printed.
#[derive(Debug, Default, Clone, Copy)]
pub struct Logs<'a> {
    /// `cargo test -p outlive-models -- --nocapture`, parsed by [`explored::collect`].
    pub models: &'a [explored::Line],
    /// `kill_everywhere`, long or full.
    pub kills: &'a str,
    /// `outlive-mutants test --logic`.
    pub mutants: &'a str,
    /// The trials that compare with references, with `--nocapture`.
    pub references: &'a str,
    /// `scripts/verify fuzz`.
    pub fuzz: &'a str,
    /// `scripts/verify miri`.
    pub miri: &'a str,
    /// `scripts/verify thread`.
    pub thread: &'a str,
    /// `scripts/verify soak`.
    pub soak: &'a str,
    /// `scripts/verify aarch64`.
    pub aarch64: &'a str,
}

/// A number as people read it.
fn readable(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<_> = digits.as_bytes().rchunks(3).rev().map(|group| String::from_utf8_lossy(group)).collect();
    groups.join(",")
}

/// The numbers in a line, in order. A number may have commas.
fn numbers(line: &str) -> Vec<u64> {
    let parts = line.split(|c: char| !c.is_ascii_digit() && c != ',');
    parts.filter_map(|part| part.trim_matches(',').replace(',', "").parse().ok()).collect()
}

/// Adds up the numbers of all lines that have `prefix`, then one of these names and a colon.
fn sum<const N: usize>(log: &str, prefix: &str, names: &[&str]) -> Option<[u64; N]> {
    let mut sums = None;
    for line in log.lines() {
        // The line may begin with output of the test harness: "test ... ".
        let Some((name, rest)) = line.split_once(prefix).and_then(|(_, line)| line.split_once(": ")) else { continue };
        if !names.contains(&name) {
            continue;
        }
        let of_line = numbers(rest);
        if of_line.len() < N {
            continue;
        }
        let sums = sums.get_or_insert([0; N]);
        sums.iter_mut().zip(of_line).for_each(|(sum, number)| *sum += number);
    }
    sums
}

fn joined(numbers: &[u64]) -> String {
    numbers.iter().map(|number| readable(*number)).collect::<Vec<_>>().join(", ")
}

/// The cells of a row. A part that was not run has a dash.
#[must_use]
pub fn cells(row: &Row, logs: &Logs<'_>) -> [String; 6] {
    let by = |method: &str| {
        let of_it =
            logs.models.iter().filter(|line| line.method == method && row.files.contains(&line.primitive.as_str()));
        let executions: Vec<_> = of_it.map(|line| numbers(&line.explored).last().copied().unwrap_or(0)).collect();
        (!executions.is_empty()).then(|| joined(&[executions.len() as u64, executions.iter().sum()]))
    };
    let mutants = |prefix| sum::<3>(logs.mutants, prefix, row.files).map(|counts| joined(&counts));
    [
        by("loom"),
        by("shuttle"),
        sum::<3>(logs.kills, "kills of ", row.kills).map(|counts| joined(&counts)),
        mutants("orderings of "),
        mutants("logic of "),
        sum::<1>(logs.references, "beside its reference, ", row.references).map(|counts| joined(&counts)),
    ]
    .map(|cell| cell.unwrap_or_else(|| "–".into()))
}

/// What is shown of the crate as a whole: property, method, and what was explored. A part that was
/// not run has a dash.
#[must_use]
pub fn whole(logs: &Logs<'_>) -> Vec<[String; 3]> {
    let mut target = "";
    let mut fuzzed = vec![];
    for line in logs.fuzz.lines() {
        target = line.strip_prefix("fuzz: ").unwrap_or(target);
        if let Some(runs) = line.strip_prefix("Done ").and_then(|line| numbers(line).first().copied()) {
            fuzzed.push(format!("{target} {}", readable(runs)));
        }
    }
    // Tests with many seeds run at once, and their output may be interleaved within a line.
    let passed = |log: &str| {
        let results =
            log.lines().filter(|line| line.contains("test result: ok")).flat_map(|line| line.split(" passed"));
        let passed: u64 = results.filter_map(|before| before.rsplit(' ').next()?.parse::<u64>().ok()).sum();
        (passed > 0).then(|| format!("{} tests run", readable(passed)))
    };
    let soaked = logs.soak.lines().filter_map(|line| line.strip_prefix("soak: ")).find(|line| line.contains("deeds"));
    let row = |property: &str, method: &str, explored: Option<String>| {
        [property.to_owned(), method.to_owned(), explored.unwrap_or_else(|| "–".into())]
    };
    vec![
        row(
            "no bytes in a segment, no words under a primitive, no order of operations make it panic, hang or leave its memory",
            "cargo-fuzz, AddressSanitizer: runs",
            (!fuzzed.is_empty()).then(|| fuzzed.join(", ")),
        ),
        row("no undefined behaviour, no data race", "Miri, tests of threads with several seeds", passed(logs.miri)),
        row("no data race", "ThreadSanitizer", passed(logs.thread)),
        row(
            "all primitives at once, with kills, stops, shortages of descriptors, memory and slots",
            "soak",
            soaked.map(str::to_owned),
        ),
        row("the tests pass on aarch64", "QEMU: an emulated machine, and user mode", passed(logs.aarch64)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_that_was_not_run_has_a_dash() {
        assert!(ROWS.iter().flat_map(|row| cells(row, &Logs::default())).all(|cell| cell == "–"));
        assert!(whole(&Logs::default()).iter().all(|row| row[2] == "–"));
    }

    #[test]
    fn numbers_are_taken_from_the_lines_of_the_primitive() {
        let models = explored::collect(
            "model event::with_loom::a_set: 2 plans, 1000 executions; 3 threads\n\
                     model event::with_loom::no_set: fails as it must at Plan { deaths: [] } after 13 executions: deadlock\n\
                     model mutex::with_loom::a_set: 2 plans, 5000 executions; 3 threads\n",
        );
        let logs = Logs {
            models: &models,
            kills: "kills of Event: 6 operations, 1,200 instructions, 2,400 kills\nkills of Mutex: 1 operations, 2 instructions, 3 kills\n",
            mutants: "orderings of event: 12 killed, 1 equivalent, 0 open\nlogic of event: 70 killed, 13 equivalent, 0 open\n",
            references: "test event ... beside its reference, event: 5000 scenarios\nbeside its reference, event: 60 scenarios\n\
                         beside its reference, event_that_resets_itself: 60 scenarios\n",
            fuzz: "fuzz: words\n#1 INITED\nDone 12345 runs in 11 second(s)\nfuzz: bytes\nDone 7 runs in 11 second(s)\n",
            thread: "test result: ok. 9 passed; 0 failed\ntest result: FAILED. 3 passed\ntest result: ok. 2 passed;\n",
            aarch64: "== abandoned, in the emulated machine\ntest result: ok. 5 passed; 0 failed\n-- abandoned: passed, 2 s\n",
            ..Logs::default()
        };
        let whole: Vec<_> = whole(&logs).into_iter().map(|[_, _, explored]| explored).collect();
        assert_eq!(whole, ["words 12,345, bytes 7", "–", "11 tests run", "–", "5 tests run"].map(String::from));
        let row = ROWS.iter().find(|row| row.files.contains(&"event")).expect("it is there");
        let cells = cells(row, &logs);
        assert_eq!(cells, ["2, 1,013", "–", "6, 1,200, 2,400", "12, 1, 0", "70, 13, 0", "5,120"].map(String::from));
    }
}
