//! The fuzz targets over their corpus, as ordinary tests. Inputs that a fuzzer has found once are
//! tried again on every test run.

use std::path::Path;

fn each(target: &str, body: fn(&[u8])) {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target);
    let mut count = 0;
    for entry in std::fs::read_dir(&directory).expect("a corpus") {
        let path = entry.expect("readable").path();
        println!("{}", path.display());
        body(&std::fs::read(&path).expect("readable"));
        count += 1;
    }
    assert!(count > 0, "no corpus in {}", directory.display());
}

#[test]
fn operations() {
    each("operations", outlive_trials::operations::run_bytes);
}

#[test]
fn corrupt_words() {
    each("corrupt_words", outlive_trials::words::run_bytes);
}

#[test]
fn segment_bytes() {
    each("segment_bytes", outlive_trials::bytes::run_bytes);
}
