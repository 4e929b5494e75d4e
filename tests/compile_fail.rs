//! Code that must not compile, and the messages that say what to use instead. The messages are
//! those of the compiler in `rust-toolchain.toml`.
//! `TRYBUILD=overwrite cargo test --features unstable-raw --test compile_fail` writes them again.

#[test]
fn types_that_cannot_be_shared_are_refused_with_advice() {
    // The compiler lists other types by their paths, and those of `raw` are public by this feature.
    if !cfg!(feature = "unstable-raw") {
        println!("SKIPPED: without the feature unstable-raw the messages list other types");
        return;
    }
    trybuild::TestCases::new().compile_fail("tests/compile_fail/**/*.rs");
}

/// A fault that was there once: `Plain` of atomics and `Plain` of bytes opened the same segment.
#[cfg(all(feature = "bytemuck", feature = "zerocopy"))]
#[test]
fn wrapped_plain_data_has_nothing_that_changes_behind_a_reference() {
    trybuild::TestCases::new().compile_fail("tests/compile_fail_wrapped/*.rs");
}
