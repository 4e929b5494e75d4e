//! Locks, semaphores, conditions, events and barriers in memory shared between processes, that
//! outlive the processes that use them: when any participant is killed, at any instruction, the
//! others go on.
//!
//! ```
//! use outlive::{LockError, Mutex, Segment};
//!
//! // In one process (others open the same name, or are passed the segment):
//! # let name = &format!("outlive-tour-{}", std::process::id());
//! let counter = Segment::<Mutex<u64>>::open_or_create(name, |_zero| {})?;
//!
//! match counter.lock() {
//!     Ok(mut count) => *count += 1,
//!     // The last holder was killed. The lock is ours, and we know: repair, then vouch for it.
//!     Err(LockError::OwnerDied(left)) => {
//!         let mut count = left.into_guard();
//!         *count += 1;
//!         count.mark_consistent();
//!     }
//!     Err(other) => eprintln!("{other}"),
//! }
//! # Segment::<Mutex<u64>>::remove(name)?;
//! # Ok::<(), outlive::Error>(())
//! ```
//!
//! # What there is, and what dies how
//!
//! | type                            | what it is                                  | if its holder dies                                   |
//! |---------------------------------|---------------------------------------------|------------------------------------------------------|
//! | [`Mutex<T>`]                    | data, for one at a time                     | the next gets the guard in [`LockError::OwnerDied`]  |
//! | [`ReentrantMutex<T>`]           | the same; the holder may lock again         | as `Mutex`                                           |
//! | [`Lock`]                        | without data; release by any participant    | as `Mutex`                                           |
//! | [`RwLock<T>`]                   | many readers or one writer                  | reader: nothing; writer: as `Mutex`, readers are told too |
//! | [`Semaphore`]                   | counts                                      | nobody holds; what the dead took is gone             |
//! | [`PermitPool<N>`]               | N locks, any of which will do               | the next gets its permit, and can ask who died       |
//! | [`Condvar`]                     | waiting until something under a lock is so  | nobody holds; waiters look again                     |
//! | [`Event`]                       | waiting until somebody says so              | nobody holds; waiters look again                     |
//! | [`Barrier<N>`]                  | waiting until all are there                 | if it waits there or has joined: all get [`WaitError::Broken`] |
//! | [`Once`], [`OnceLock<T>`], [`LazyLock`] | made once, by whoever comes first   | the next one makes it                                |
//! | [`Segment<T>`]                  | the memory they lie in                      | nothing half-made is ever seen                       |
//!
//! A waiter that dies, or one that was to wake others, harms nobody: the others look again. (At a
//! barrier a waiter is a party.) What each is called in Python's `multiprocessing` and in std, and
//! where we differ and why, is in the [guide].
//!
//! # How it works
//!
//! Three mechanisms, and nothing else.
//!
//! 1. **A hold is a word that names its holder** ([`raw::hold`]). The compare-and-swap that takes
//!    the lock writes the holder's id. There is never an instant at which it is held and nobody can
//!    tell by whom: no log, no recovery pass.
//! 2. **A lifeline is a word that the kernel cuts** ([`raw::table`]). Every participant (a thread
//!    in a segment) has one or two futex words, linked once into the thread's robust list
//!    (set_robust_list(2)). When the thread ends in any way, SIGKILL and exec included, the kernel
//!    marks the word and wakes a waiter on it. Locking and unlocking never touch that list, which
//!    is why they cost what a bare compare-and-swap costs.
//! 3. **The vigil: whoever sleeps for long, sleeps on everybody's lifeline** ([`raw::vigil`]), in
//!    one `futex_waitv`. So any death makes every sleeper look again. What the dead took along (a
//!    wake, a turn) need not be known: the living look.
//!
//! Under it lies a net: no sleep lasts longer than a second before the sleeper looks again. Nothing
//! rests on it (models and kill tests run with the net off), but for what no model covers: kernels
//! without `futex_waitv` (there it is 20 ms), more threads than one wait holds, marks that the
//! kernel loses (`process_mrelease`).
//!
//! The algorithms in [`raw`] are generic over [`platform::Platform`] and use nothing else. The
//! project's models run the same code on loom and shuttle, with a modelled kernel, and with a death
//! at every operation.
//!
//! ## Ways that do not work
//!
//! Each was tried, and failed in a model or an experiment. [`raw::vigil`] has those of sleeping;
//! the others:
//!
//! - *A thread id in the lock word*, as in pthread's robust mutexes: two PID namespaces have equal
//!   ids, and ids are reused.
//! - *Each lock in the robust list*: twice the price, and the kernel follows 2,048 entries at most.
//! - *A pidfd per holder*: reported only when all memory of the dead is given back, a hundred times
//!   later for large processes.
//! - *Unlinking lifelines in a thread-local destructor*: another destructor that runs later may
//!   still hold a guard.
//! - *Unmapping when the last handle is dropped*: the kernel stops its walk at the first unreadable
//!   entry, and the other segments of that thread would not learn of its death.
//! - *Asking, when a hold is taken over, whether the holder's process has ended*, to find out
//!   leaked guards, instead of a count in each thread: of 200 killed holders 157 still looked alive
//!   in /proc when the next had the lock. One in another PID namespace cannot be asked at all.
//! - *Reading the hold with Relaxed, and judging its holder by the lifeline*: on weakly ordered
//!   processors a living holder can be judged by its predecessor's mark (`models/tests/table.rs`).
//!
//! # Limits
//!
//! 64-bit little-endian Linux with glibc. x86_64 is tested. aarch64 is tested on an emulated
//! machine with a real kernel, never on real hardware: the emulator hides most of a weak memory
//! order, which the models explore. At most 256 threads take part in one segment, or as many as
//! [`Options::participants`] says, up to 4,096; up to about 60 of them are watched by every
//! sleeper, of more some deaths may be noticed a second late. A thread takes part in at most 1,000
//! segments at a time, a main thread in 2,000, less the robust mutexes of the C library that it
//! holds: see [`segment`](segment#how-many-segments). A child of `vfork` or of a raw `clone` cannot
//! take part (it is told), and first use inside a signal handler is not allowed. A core dump or a
//! tracer delays the report of a death until it is done.
//!
//! # Features
//!
//! `bytemuck` and `zerocopy` let those crates' plain data into a segment, in the wrappers `Pod` and
//! `Plain`.

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}

pub mod error;
pub mod guide;
pub mod platform;
pub mod raw;
pub mod segment;
pub mod sync;

pub use error::{ActionError, Error, Inconsistent, LockError, Result, WaitError};
pub use outlive_derive::Shareable;
pub use raw::{Cause, Id};
pub use segment::*;
pub use sync::{
    Barrier, BarrierMember, BarrierWaitResult, Condvar, Event, HolderWatch, Interrupter, LazyLock, Lock, LockGuard,
    LockResult, LockState, Mutex, MutexGuard, Once, OnceLock, OnceState, Permit, PermitPool, ReentrantMutex,
    ReentrantMutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard, Semaphore, SemaphorePermit, SetError,
    WaitTimeoutResult, Waitable, Woken, interruptible, interruptible_by,
};
