//! Atomics, for plain data in a segment: those of the standard library, and two for floats.
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
//!
//! [Room](crate::SegmentOptions::room) for atomics has a length that is chosen at run time:
//!
//! ```
//! use outlive::Segment;
//! use outlive::atomic::{AtomicU32, Ordering};
//!
//! let counts = Segment::<()>::options().room::<AtomicU32>(1_000).anonymous(|(), _zeros| {})?;
//! counts.room()[999].fetch_add(1, Ordering::Relaxed);
//! assert_eq!(counts.room().iter().map(|count| count.load(Ordering::Relaxed)).sum::<u32>(), 1);
//! # Ok::<(), outlive::OpenError>(())
//! ```
//!
//! [`AtomicBool`] and [`AtomicPtr`] are here for use within a process. They are not `Shareable`:
//! not every byte is a `bool`, and an address means something in one process alone.

#![allow(clippy::disallowed_types)] // this is where they come from

mod float;

pub use float::{AtomicF32, AtomicF64};

pub use core::sync::atomic::{
    AtomicBool, AtomicI8, AtomicI16, AtomicI32, AtomicI64, AtomicIsize, AtomicPtr, AtomicU8, AtomicU16, AtomicU32,
    AtomicU64, AtomicUsize, Ordering,
};
