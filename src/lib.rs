//! outlive
#![warn(missing_docs)]
pub mod error;
pub mod platform;
pub mod raw;
pub mod segment;
pub mod sync;

pub use error::{Error, Inconsistent, LockError, Result};
pub use outlive_derive::Shareable;
pub use raw::Id;
pub use segment::*;
pub use sync::{Lock, LockGuard, LockResult, Mutex, MutexGuard};
