//! outlive under random operations, bytes and deaths.
//!
//! These techniques are used by fuzzers (`fuzz/`), by ordinary tests over the fuzzers' corpus, by
//! property tests, under Miri and the sanitizers, and for hours (`soak`). Each technique has one
//! place where a primitive is registered:
//!
//! | technique                                             | place                                   |
//! |-------------------------------------------------------|-----------------------------------------|
//! | random operations against a reference, deaths anywhere| `operations::PRIMITIVES`                |
//! | arbitrary words, scribbled on at the same time        | `words::PRIMITIVES`                     |
//! | a segment of arbitrary bytes                          | `bytes::Everything`, `bytes::PRIMITIVES` |
//! | the typed face against the same reference             | `tests/state_machines.rs`               |
//! | hours of kills                                        | `soak::shared::Shared` and its `DEEDS`  |
//!
//! Each primitive also has a test with real threads in `tests/threads.rs`, for Miri and
//! ThreadSanitizer. What a primitive should do is written once, as a [`Reference`].

#![allow(clippy::disallowed_types, clippy::disallowed_methods)] // all of this looks at the crate from outside

pub mod barrier;
pub mod bytes;
pub mod condvar;
pub mod event;
pub mod locks;
pub mod message_queue;
pub mod mutex;
pub mod once;
pub mod operations;
pub mod permit_pool;
pub mod pipe;
pub mod queue;
pub mod reentrant;
pub mod reference;
pub mod rwlock;
pub mod semaphore;
pub mod soak;
pub mod standard;
pub mod task_queue;
pub mod words;

pub use operations::Trial;
pub use reference::Reference;
pub use standard::Standard;

/// What an input of a fuzzer has reached, by name. `tests/corpus.rs` names the kinds without input.
pub type Kinds = std::collections::BTreeSet<String>;

/// One of these values, chosen by the bytes. A value with the weight 3 is chosen three times as
/// often as one with 1. The order matters to the corpus of the fuzzers, which chooses by number.
fn choose<T: Copy>(bytes: &mut arbitrary::Unstructured<'_>, weights: &[(usize, T)]) -> arbitrary::Result<T> {
    let mut number = bytes.choose_index(weights.iter().map(|(weight, _)| weight).sum())?;
    for (weight, value) in weights {
        match number.checked_sub(*weight) {
            Some(rest) => number = rest,
            None => return Ok(*value),
        }
    }
    unreachable!("the number is below the sum of the weights")
}
