//! The fuzz targets over their corpus, as ordinary tests. Inputs that a fuzzer has found once are
//! tried again on every test run.

use outlive_trials::{Kinds, bytes, operations, words};
use std::path::Path;

/// Each kind of operation must be reached by an input. So a new one gets an input, too.
fn each(target: &str, kinds: &Kinds, body: fn(&[u8]) -> Kinds) {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target);
    let mut reached = Kinds::new();
    for entry in std::fs::read_dir(&directory).expect("a corpus") {
        let path = entry.expect("readable").path();
        println!("{}", path.display());
        reached.extend(body(&std::fs::read(&path).expect("readable")));
    }
    let missing: Vec<_> = kinds.difference(&reached).collect();
    assert!(missing.is_empty(), "no input in {} reaches {missing:#?}", directory.display());
}

#[test]
fn operations() {
    each("operations", &operations::kinds(), operations::run_bytes);
}

#[test]
fn corrupt_words() {
    each("corrupt_words", &words::kinds(), words::run_bytes);
}

#[test]
fn segment_bytes() {
    each("segment_bytes", &bytes::kinds(), bytes::run_bytes);
}
