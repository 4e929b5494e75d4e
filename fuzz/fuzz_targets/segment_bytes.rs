//! A segment of arbitrary bytes: see `outlive_trials::bytes`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| drop(outlive_trials::bytes::run_bytes(bytes)));
