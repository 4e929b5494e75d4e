//! The algorithms, generic over [`Platform`](crate::platform::Platform), without unsafe code and
//! without a participant of their own: who acts is an argument.
//!
//! Three mechanisms, and nothing else: a [hold] names its holder, a [lifeline](table) is a word
//! that the kernel cuts, and a [vigil] is kept by whoever sleeps for long. Most users want the
//! typed faces in [`sync`](crate::sync).

#![forbid(unsafe_code)]

pub mod barrier;
pub mod condvar;
pub mod event;
pub mod generation;
pub mod hold;
pub mod mutex;
pub mod once;
pub mod permit_pool;
pub mod places;
pub mod reentrant;
pub mod rwlock;
pub mod semaphore;
pub mod table;
pub mod vigil;

pub use barrier::Barrier;
pub use condvar::Condvar;
pub use event::Event;
pub use hold::{Cause, Id};
pub use mutex::{Acquired, Leaked, Mutex, NotLocked};
pub use once::Once;
pub use permit_pool::PermitPool;
pub use reentrant::ReentrantMutex;
pub use rwlock::RwLock;
pub use semaphore::Semaphore;
pub use table::{Participant, Slot, Table};

/// Of the unit tests: nothing is written into the sources, and Miri is a thousand times slower.
#[cfg(test)]
pub(crate) fn random_cases() -> proptest::test_runner::Config {
    let cases = if cfg!(miri) { 4 } else { 256 };
    proptest::test_runner::Config { cases, failure_persistence: None, ..Default::default() }
}
