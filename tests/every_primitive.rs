//! No public primitive is missing from any place where the crate's claim is shown. A primitive is a
//! type in `src/sync` that is `Shareable`, so that it can lie in a segment. This test lists what a
//! new primitive still needs. It also checks the public methods that document what happens if a
//! process dies. Each of them must be among the operations that are killed at every instruction.
//!
//! (`mutants/tests/complete.rs` checks that each algorithm in `src/raw` has models, and that each
//! of its orderings and wakes has a model that fails without it.)

#[allow(dead_code)] // the names of its operations are used alone
#[path = "kill_everywhere/main.rs"]
mod kill_everywhere;

use std::collections::BTreeSet;
use std::path::Path;

/// The places where each primitive must be named, and what is missing otherwise.
const PLACES: [(&str, &str); 11] = [
    ("tests/kill_everywhere", "its operations, killed at every instruction"),
    ("tests/no_system_call.rs", "its fast paths, without a system call"),
    ("tests/*_processes.rs", "tests with real processes"),
    ("trials/src/bytes.rs", "fuzzing in a segment of arbitrary bytes"),
    ("trials/tests/state_machines.rs", "a state machine beside its reference"),
    ("trials/src/soak", "deeds in the soak"),
    ("benches/uncontended.rs", "a row in a benchmark"),
    ("benches/instructions.rs", "its instruction counts"),
    ("examples", "an example"),
    ("src/guide.rs", "its names elsewhere, and what dies how"),
    ("README.md", "a row in the table of what there is"),
];

/// The places where the primitive's algorithm must be named.
const PLACES_OF_ALGORITHMS: [(&str, &str); 3] = [
    ("models/tests", "models"),
    ("trials/src/words.rs", "fuzzing on arbitrary words"),
    ("trials/tests/threads.rs", "threads under Miri and ThreadSanitizer"),
];

/// Types that are parts of a primitive, and have no operations.
const PARTS: [&str; 12] = [
    // The words and the elements of a `Mutex` or `RwLock` of a slice, likewise of a segment's type.
    "LockedCell",
    "MutexRoot",
    "RwLockRoot",
    // The places and the words of a `Queue`. They are public so that the type of a `QueueSegment`'s
    // segment can be named.
    "QueueCell",
    "QueueRoot",
    // The words of a `MessageQueue`, likewise.
    "MessageQueueRoot",
    "MessageWord",
    // Likewise of a `Pipe` and a `DuplexPipe`.
    "PipeWord",
    "PipeRoot",
    "DuplexPipeRoot",
    // Likewise of a `TaskQueue`.
    "TaskSlot",
    "TaskQueueRoot",
];

/// The text of a file, of a folder, or of all files of a folder whose names end as given after `*`.
fn text_of(place: &Path) -> String {
    let name = place.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    if let Some(end) = name.strip_prefix('*') {
        let folder = place.parent().expect("it is in a folder");
        let files = std::fs::read_dir(folder).expect("a directory").map(|e| e.expect("an entry").path());
        return files
            .filter(|path| path.to_str().is_some_and(|path| path.ends_with(end)))
            .map(|path| text_of(&path))
            .collect();
    }
    if place.is_file() {
        return std::fs::read_to_string(place).expect("readable");
    }
    let mut files: Vec<_> =
        std::fs::read_dir(place).expect("a directory").map(|e| e.expect("an entry").path()).collect();
    files.sort();
    // Unit tests have types of their own.
    let is_left_out = |path: &Path| ["every_primitive.rs", "tests.rs"].iter().any(|name| path.ends_with(name));
    let is_rust = |path: &Path| path.extension().is_some_and(|end| end == "rs") && !is_left_out(path);
    files.iter().filter(|path| is_rust(path)).map(|path| text_of(path)).collect()
}

fn names(text: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word).any(|(at, _)| {
        !text[..at].chars().next_back().is_some_and(is_part)
            && !text[at + word.len()..].chars().next().is_some_and(is_part)
    })
}

/// Each primitive, with its algorithm.
fn primitives(root: &Path) -> Vec<(String, String)> {
    // They are not in a segment: they have one.
    let mut found = ["MessageQueue", "Pipe"].map(|name| (name.to_owned(), name.to_owned())).to_vec();
    for file in std::fs::read_dir(root.join("src/sync")).expect("a directory") {
        let text = text_of(&file.expect("an entry").path());
        for (_, after) in text.lines().filter_map(|line| line.strip_prefix("unsafe impl")?.split_once("Shareable for "))
        {
            let name: String = after.chars().take_while(|c| c.is_alphanumeric()).collect();
            if PARTS.contains(&&*name) {
                continue;
            }
            let field = text.split(&format!("pub struct {name}")).nth(1).expect("defined in the file of its impl");
            let raw = field.split(['{', '}']).nth(1).and_then(|fields| fields.split("raw::").nth(1)).unwrap_or("Once");
            found.push((name, raw.chars().take_while(|c| c.is_alphanumeric()).collect()));
        }
    }
    found.sort();
    found
}

#[test]
fn every_primitive_is_shown_in_every_way() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let primitives = primitives(root);
    for known in ["Mutex", "Lock", "Barrier", "OnceLock"] {
        assert!(primitives.iter().any(|(name, _)| name == known), "{known} was not found: {primitives:?}");
    }
    let mut missing = vec![];
    for (place, what) in PLACES {
        let text = text_of(&root.join(place));
        // The soak uses `Once`, of which `OnceLock` is made.
        let has =
            |name: &str| names(&text, name) || name == "Once" && place.ends_with("soak") && names(&text, "OnceLock");
        missing.extend(primitives.iter().filter(|(name, _)| !has(name)).map(|(name, _)| (name, place, what)));
    }
    for (place, what) in PLACES_OF_ALGORITHMS {
        let text = text_of(&root.join(place));
        missing.extend(primitives.iter().filter(|(_, raw)| !names(&text, raw)).map(|(_, raw)| (raw, place, what)));
    }
    let list: String = missing.iter().map(|(name, place, what)| format!("\n{name}: {what} ({place})")).collect();
    assert!(missing.is_empty(), "missing:{list}");
}

/// Methods that need no operation in `tests/kill_everywhere`.
const SHOWN_BY_OTHERS: [&str; 35] = [
    // They take an end as `sender` and `receiver` do. Only what keeps the queue differs.
    "receiver_owned",
    "sender_owned",
    // A future calls the form with `try_`, and a thread sleeps for it as `wait_any` does. The
    // kills need a process with one thread. Models: `wait_any::a_task_takes_two_items` and others.
    "acquire_async",
    "descriptor",
    "join_async",
    "ready",
    "recv_async",
    "recv_bytes_async",
    "reserve_async",
    "send_bytes_async",
    "send_async",
    "take_async",
    "wait_async",
    // Each of them converts its moment into a deadline (`Deadline::at`). After that it runs the
    // code of the form with a timeout.
    "join_deadline",
    "recv_bytes_deadline",
    "recv_deadline",
    "recv_into_deadline",
    "recv_with_deadline",
    "reserve_deadline",
    "send_bytes_deadline",
    "send_deadline",
    "send_with_deadline",
    "take_deadline",
    "try_acquire_many_until",
    "try_acquire_until",
    "try_lock_until",
    "try_permit_until",
    "try_permits_until",
    "try_read_until",
    "try_write_until",
    "wait_any_deadline",
    "wait_until",
    "wait_until_then",
    "wait_until_outcome",
    "wait_until_with",
];

/// The name with which a text begins.
fn name_at(text: &str) -> &str {
    &text[..text.find(|c: char| !c.is_alphanumeric() && c != '_' && c != '$').unwrap_or(text.len())]
}

/// The type of a line that begins an `impl`.
fn type_of(line: &str) -> Option<&str> {
    let generics = line.strip_prefix("impl")?;
    let mut depth = 0;
    let end = generics.char_indices().find(|(_, c)| {
        depth += i32::from(*c == '<') - i32::from(*c == '>');
        depth == 0 && *c == ' '
    });
    Some(name_at(&generics[end?.0 + 1..]))
}

/// The public methods of a file that say what happens if a process dies, each with its type.
fn methods(text: &str) -> Vec<(&str, &str)> {
    let (mut found, mut of, mut says) = (vec![], "", false);
    for line in text.lines() {
        of = type_of(line).or(line.strip_prefix("pub struct ").map(name_at)).unwrap_or(of);
        let line = line.trim();
        if let (true, Some((_, after))) = (says && line.starts_with("pub "), line.split_once("fn ")) {
            match name_at(after) {
                parameter if parameter.starts_with('$') => {
                    let list =
                        text.lines().find(|line| line.contains(&format!("{parameter}:ident"))).expect("of a macro");
                    let place = list.split(',').position(|one| one.contains(&format!("{parameter}:"))).expect("in it");
                    let calls = text.lines().filter_map(|line| line.trim().strip_prefix("family!("));
                    found.extend(calls.map(|call| (of, name_at(call.split(',').nth(place).expect("given").trim()))));
                }
                name => found.push((of, name)),
            }
        }
        says = line.contains("# If a process dies") || says && (line.starts_with("///") || line.starts_with("#["));
    }
    found
}

#[test]
fn every_operation_is_killed_at_every_instruction() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let operations: Vec<_> = kill_everywhere::operations().iter().map(|operation| operation.name()).collect();
    let operations = || operations.iter().map(|name| name.split_once(": ").expect("a primitive and an operation"));
    let (mut missing, mut seen) = (vec![], BTreeSet::new());
    for file in std::fs::read_dir(root.join("src/sync")).expect("a directory") {
        let path = file.expect("an entry").path();
        // A folder belongs to the file of its name.
        let file = if path.is_dir() { text_of(&path.with_extension("rs")) } else { String::new() };
        let text = file + &text_of(&path);
        let mut of_file = BTreeSet::new();
        for (of, method) in methods(&text) {
            // The operations of a method are those of the file's primitive. A function may be tried
            // with any. If two types have a method of this name, the operations of the second type
            // contain the type's name, too.
            let is_first = of_file.insert(method.to_owned());
            let is_killed = operations().any(|(primitive, name)| {
                (of.is_empty() || names(&text, &format!("pub struct {primitive}")))
                    && names(name, method)
                    && (is_first || names(name, of))
            });
            if !SHOWN_BY_OTHERS.contains(&method) && !is_killed {
                missing.push(format!("\n{of}::{method}"));
            }
        }
        seen.extend(of_file);
    }
    for known in SHOWN_BY_OTHERS.into_iter().chain(["lock", "try_read_for", "wait_timeout_while", "downgrade", "force"])
    {
        assert!(seen.contains(known), "no method {known} was found: {seen:?}");
    }
    assert!(missing.is_empty(), "in no operation's name in tests/kill_everywhere:{}", missing.concat());
}
