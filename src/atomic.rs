//! The atomics of the standard library, for plain data in a segment.
//!
//! They are [`Shareable`](crate::Shareable), so they can be fields of a value that processes share.
//! Several processes may change such a field at the same time. Plain integers must lie in a
//! [`Mutex`](crate::Mutex) or a similar lock instead.
//!
//! ```
//! use outlive::Segment;
//! use outlive::atomic::{AtomicU64, Ordering};
//!
//! let requests = Segment::<AtomicU64>::anonymous(|_zero| {})?;
//! requests.fetch_add(1, Ordering::Relaxed);
//! assert_eq!(requests.load(Ordering::Relaxed), 1);
//! # Ok::<(), outlive::OpenError>(())
//! ```

#![allow(clippy::disallowed_types)] // this is where they come from

pub use core::sync::atomic::{
    AtomicBool, AtomicI8, AtomicI16, AtomicI32, AtomicI64, AtomicIsize, AtomicPtr, AtomicU8, AtomicU16, AtomicU32,
    AtomicU64, AtomicUsize, Ordering,
};
