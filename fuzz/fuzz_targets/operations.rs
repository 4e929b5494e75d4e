//! Random operations and deaths, compared with a reference: see `outlive_trials::operations`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| drop(outlive_trials::operations::run_bytes(bytes)));
