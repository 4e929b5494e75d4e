//! That no public primitive is missing from any of the places where the crate's claim is shown. A primitive is what lies in a
//! segment: a type in `src/sync` that is `Shareable`. Who adds one is told here what else it needs.
//!
//! (That each algorithm in `src/raw` has models, and each of its orderings and wakes a model that needs it, is checked by
//! `proof/tests/complete.rs`.)

use std::path::Path;

/// Where each primitive must be named, and what is missing if it is not.
const PLACES: [(&str, &str); 10] = [
    ("tests/kill_everywhere", "its operations, killed at every instruction"),
    ("tests/no_system_call.rs", "its fast paths, without a system call"),
    ("tests", "tests with real processes"),
    ("trials/src/bytes.rs", "fuzzing in a segment of arbitrary bytes"),
    ("trials/tests/state_machines.rs", "a state machine beside its reference"),
    ("trials/src/soak", "deeds in the soak"),
    ("benches", "a row in a benchmark"),
    ("examples", "an example"),
    ("src/guide.rs", "its names elsewhere, and what dies how"),
    ("README.md", "a row in the table of what there is"),
];

/// Where the algorithm beneath must be named.
const PLACES_OF_ALGORITHMS: [(&str, &str); 3] = [
    ("models", "models"),
    ("trials/src/words.rs", "fuzzing on arbitrary words"),
    ("trials/tests/threads.rs", "threads under Miri and ThreadSanitizer"),
];

fn text_of(place: &Path) -> String {
    if place.is_file() {
        return std::fs::read_to_string(place).expect("readable");
    }
    let mut files: Vec<_> =
        std::fs::read_dir(place).expect("a directory").map(|e| e.expect("an entry").path()).collect();
    files.sort();
    let is_rust =
        |path: &Path| path.extension().is_some_and(|end| end == "rs") && !path.ends_with("every_primitive.rs");
    files.iter().filter(|path| is_rust(path)).map(|path| text_of(path)).collect()
}

fn names(text: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word).any(|(at, _)| {
        !text[..at].chars().next_back().is_some_and(is_part)
            && !text[at + word.len()..].chars().next().is_some_and(is_part)
    })
}

/// Each primitive, with the algorithm beneath it.
fn primitives(root: &Path) -> Vec<(String, String)> {
    let mut found = vec![];
    for file in std::fs::read_dir(root.join("src/sync")).expect("a directory") {
        let text = text_of(&file.expect("an entry").path());
        for (_, after) in text.lines().filter_map(|line| line.strip_prefix("unsafe impl")?.split_once("Shareable for "))
        {
            let name: String = after.chars().take_while(|c| c.is_alphanumeric()).collect();
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
        // The soak has the `Once` that a `OnceLock` is made of.
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
