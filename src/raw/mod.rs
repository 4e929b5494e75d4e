//! The algorithms. They are generic over [`Platform`](crate::platform::Platform) and have no unsafe
//! code. They do not know the calling thread: the participant that acts is an argument.
//!
//! All of them use three mechanisms. A [hold] is a word that names its holder. A [lifeline](table)
//! is a word of a participant: the kernel cuts it when the participant's thread ends. A [vigil] is
//! a sleep that also watches the lifelines of all other participants. Most users want the types in
//! [`sync`](crate::sync), which use these algorithms.

#![forbid(unsafe_code)]

pub mod barrier;
pub mod condvar;
pub mod ends;
pub mod event;
pub mod generation;
pub mod hold;
pub mod message_queue;
pub mod mutex;
pub mod once;
pub mod permit_pool;
pub mod pipe;
pub mod places;
pub mod queue;
pub mod reentrant;
pub mod rwlock;
pub mod semaphore;
pub mod table;
pub mod task_queue;
pub mod vigil;
pub mod wait_any;

pub use barrier::Barrier;
pub use condvar::Condvar;
pub use event::Event;
pub use hold::{Cause, Id};
pub use message_queue::MessageQueue;
pub use mutex::{Acquired, Leaked, Mutex, NotLocked};
pub use once::Once;
pub use permit_pool::PermitPool;
pub use pipe::Pipe;
pub use queue::Queue;
pub use reentrant::ReentrantMutex;
pub use rwlock::RwLock;
pub use semaphore::Semaphore;
pub use table::{Participant, Slot, Table};
pub use task_queue::TaskQueue;
pub use vigil::Deadline;

/// For the unit tests. A case that fails is not written into a file beside the sources. Miri is a
/// thousand times slower, so it tries fewer cases.
#[cfg(test)]
pub(crate) fn random_cases() -> proptest::test_runner::Config {
    let cases = if cfg!(miri) { 4 } else { 256 };
    proptest::test_runner::Config { cases, failure_persistence: None, ..Default::default() }
}
