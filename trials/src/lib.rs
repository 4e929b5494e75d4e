//! outlive under random operations, bytes and deaths.
//!
//! These techniques are used by fuzzers (`fuzz/`), by ordinary tests over the fuzzers' corpus, by
//! property tests, under Miri and the sanitizers, and for hours (`soak`). Each technique has one
//! place where a primitive is registered:
//!
//! | technique                                             | place                                   |
//! |-------------------------------------------------------|-----------------------------------------|
//! | random operations against a reference, deaths anywhere| `operations::run_bytes`                 |
//! | arbitrary words, scribbled on at the same time        | `words::PRIMITIVES`                     |
//! | a segment of arbitrary bytes                          | `bytes::Everything`, `bytes::PRIMITIVES` |
//! | the typed face against the same reference             | `tests/state_machines.rs`               |
//! | hours of kills                                        | `soak::shared::Shared` and its `DEEDS`  |
//!
//! Each primitive also has a test with real threads in `tests/threads.rs`, for Miri and
//! ThreadSanitizer. What a primitive should do is written once, as a [`Reference`].

#![allow(clippy::disallowed_types, clippy::disallowed_methods)] // all of this looks at the crate from outside

/// A list of values to choose from. `weighted![3 => a, 1 => b]` has `a` three times: it is chosen
/// three times as often. The order matters to the corpus of the fuzzers, which chooses by number.
macro_rules! weighted {
    (@ [$($done:expr,)*]) => { &[$($done),*] };
    (@ [$($done:expr,)*] 1 => $value:expr, $($rest:tt)*) => { weighted!(@ [$($done,)* $value,] $($rest)*) };
    (@ [$($done:expr,)*] 2 => $value:expr, $($rest:tt)*) => {
        weighted!(@ [$($done,)* $value, $value,] $($rest)*)
    };
    (@ [$($done:expr,)*] 3 => $value:expr, $($rest:tt)*) => {
        weighted!(@ [$($done,)* $value, $value, $value,] $($rest)*)
    };
    (@ [$($done:expr,)*] 4 => $value:expr, $($rest:tt)*) => {
        weighted!(@ [$($done,)* $value, $value, $value, $value,] $($rest)*)
    };
    (@ [$($done:expr,)*] 6 => $value:expr, $($rest:tt)*) => {
        weighted!(@ [$($done,)* $value, $value,] 4 => $value, $($rest)*)
    };
    (@ [$($done:expr,)*] 7 => $value:expr, $($rest:tt)*) => {
        weighted!(@ [$($done,)* $value, $value, $value,] 4 => $value, $($rest)*)
    };
    (@ [$($done:expr,)*] 8 => $value:expr, $($rest:tt)*) => {
        weighted!(@ [$($done,)* $value, $value, $value, $value,] 4 => $value, $($rest)*)
    };
    ($($rest:tt)*) => { weighted!(@ [] $($rest)*) };
}

pub mod barrier;
pub mod bytes;
pub mod condvar;
pub mod event;
pub mod locks;
pub mod mutex;
pub mod once;
pub mod operations;
pub mod permit_pool;
pub mod reentrant;
pub mod reference;
pub mod rwlock;
pub mod semaphore;
pub mod soak;
pub mod standard;
pub mod words;

pub use operations::Trial;
pub use reference::Reference;
pub use standard::Standard;
