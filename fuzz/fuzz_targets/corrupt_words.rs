//! Primitives whose words have arbitrary values: see `outlive_trials::words`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| drop(outlive_trials::words::run_bytes(bytes)));
