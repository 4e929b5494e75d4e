//! Locks, semaphores, condition variables, events, barriers and queues for processes that share
//! memory. They outlive the processes that use them: any process may be killed at any instruction,
//! and the others go on.
//!
//! ```
//! use outlive::{LockError, Mutex, Segment};
//!
//! // Each process opens the same name, or is passed the segment:
//! # let name = &format!("outlive-tour-{}", std::process::id());
//! let counter = Segment::<Mutex<u64>>::open_or_create(name, |_zero| {})?;
//!
//! match counter.lock() {
//!     Ok(mut count) => *count += 1,
//!     // The last holder was killed. We have the lock: repair the data, then mark it consistent.
//!     Err(LockError::OwnerDied(left)) => {
//!         let mut count = left.into_inner();
//!         *count += 1;
//!         count.mark_consistent();
//!     }
//!     Err(other) => return Err(other.into()),
//! }
//! println!("{} so far", *counter.lock()?); // `?` where nothing is to be repaired
//! # Segment::<Mutex<u64>>::remove(name)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What there is, and what happens if a process dies
//!
//! | type                            | what it is                                  | if its holder or user dies                           |
//! |---------------------------------|---------------------------------------------|------------------------------------------------------|
//! | [`Mutex<T>`]                    | data for one at a time                      | the next locker gets the guard in [`LockError::OwnerDied`] |
//! | [`ReentrantMutex<T>`]           | a mutex that its holder may lock again      | as `Mutex`                                           |
//! | [`Lock`]                        | a mutex without data, which any participant may release | as `Mutex`                               |
//! | [`RwLock<T>`]                   | many readers or one writer                  | reader: nothing; writer: the next reader or writer gets `OwnerDied` |
//! | [`Semaphore`]                   | a count                                     | the permits that it took are gone                    |
//! | [`PermitPool<N>`]               | up to N permits, known by index             | its permit goes to the next, who can ask who died    |
//! | [`Condvar`]                     | a wait until data under a lock is as it should be | waiters check again                            |
//! | [`Event`]                       | a wait until somebody calls `set`           | waiters check again                                  |
//! | [`Barrier<N>`]                  | a wait until all parties have arrived       | if it waits there or has joined: all others get [`BarrierError::Broken`] |
//! | [`Once`], [`OnceLock<T>`], [`LazyLock`] | a value that the first caller makes | the next caller makes it                             |
//! | [`MessageQueue`] | messages of any length from many senders to many receivers | sender: its message is whole, or not there; receiver: the next one gets the message |
//! | [`Queue<T>`], [`ArrayQueue<T, N>`](ArrayQueue) | items from many senders to many receivers | sender: its item is whole, or not there; receiver: the next one gets the item; the last [sender](Queue::sender): the queue ends |
//! | [`Pipe`], [`DuplexPipe`]        | messages of any length, between two processes | the other end gets what was sent, then `PeerDied`; another process may take the end over |
//! | [`TaskQueue<T>`], [`ArrayTaskQueue<T, N>`](ArrayTaskQueue) | work, in place, until a worker says that it is done | worker: its task is given out again; producer: its room is free again |
//! | [`Mutex<[T]>`](MutexSegment), [`RwLock<[T]>`](RwLockSegment) | data of a length that is chosen at run time | as `Mutex` and `RwLock`      |
//! | [`wait_any`], [`ProcessExit`]   | a wait for the first of several of these, or for the end of a process | waiters check again |
//! | [`WaitSource::ready`], [`WaitSource::descriptor`] | the same as a future, and for epoll    | waiters check again           |
//! | [`Segment<T>`]                  | the shared memory in which all of these lie | it appears complete or not at all                    |
//! | [`SharedMemory`]                | a block of bytes, without a lock            | what it had written stays                            |
//!
//! The death of a waiter disturbs nobody, and so does the death of a thread that was about to wake
//! others: the remaining waiters wake up and check again. (At a barrier, a waiter is a party.) The
//! [guide] has the names that Python's `multiprocessing` and `std` use, the differences, and the
//! reasons for them.
//!
//! # How it works
//!
//! There are three mechanisms.
//!
//! 1. **A hold is a word that names its holder** (`raw::hold`). The compare-and-swap that takes the
//!    lock writes the holder's id into the word. So there is no instant at which the lock is held
//!    and its holder is unknown. No log is needed, and no recovery pass.
//! 2. **A lifeline is a word that the kernel cuts** (`raw::table`). Every participant (a thread in
//!    a segment) has one or two futex words. They are linked once into the thread's robust list
//!    (set_robust_list(2)). When the thread ends, in any way, the kernel cuts these words: it sets
//!    a mark in the word, and wakes a sleeper on it. SIGKILL and exec are no exceptions. Locking
//!    and unlocking never touch that list. So a lock costs what a bare compare-and-swap costs.
//! 3. **The vigil: a thread that sleeps for long sleeps on the lifelines of all others**
//!    (`raw::vigil`), in one `futex_waitv`. So any death makes every sleeper check its primitive
//!    again. A dead thread may have received a wake that another thread needed. Nobody needs to
//!    know which thread that was, because all living ones check.
//!
//! Below them is the recheck: a sleeper checks again after a second at most. (Many sleepers share
//! this work, and each then sleeps up to four seconds.) The mechanisms do not need the recheck.
//! Models and kill tests run with it switched off. It covers what no model covers: kernels without
//! `futex_waitv` (there the recheck is 20 ms), more threads than one wait can watch, and marks that
//! the kernel loses (`process_mrelease`).
//!
//! The algorithms in `raw` are generic over `platform::Platform` and use nothing else. The
//! project's models run the same code on loom and shuttle, with a modelled kernel, and with a death
//! at every operation.
//!
//! ## Ways that do not work
//!
//! Each was tried, and failed in a model or an experiment. `raw::vigil` has those that concern
//! sleeping. The others:
//!
//! - *A thread id in the lock word*, as in pthread's robust mutexes. Two PID namespaces have equal
//!   ids, and ids are reused.
//! - *Each lock in the robust list.* It doubles the price of a lock, and the kernel follows 2,048
//!   entries at most.
//! - *A pidfd for each holder.* It reports a death only when all memory of the dead process has
//!   been given back. For large processes that is a hundred times later.
//! - *Unlinking lifelines in a thread-local destructor.* Another destructor that runs later may
//!   still hold a guard.
//! - *Unmapping when the last handle is dropped.* The kernel stops its walk at the first unreadable
//!   entry. In the thread's other segments its death would not be noticed.
//! - *Finding leaked guards by a question to the operating system*, when a hold is taken over: has
//!   the holder's process ended? (Each thread counts its leaked guards instead.) Of 200 killed
//!   holders, 157 still looked alive in /proc when the next holder had the lock. A holder in
//!   another PID namespace cannot be asked about at all.
//! - *Reading the hold with Relaxed, and judging its holder by the lifeline.* On weakly ordered
//!   processors a living holder can be judged by its predecessor's mark (`models/tests/table.rs`).
//!
//! # Glossary
//!
//! | word               | meaning                                                                  |
//! |--------------------|--------------------------------------------------------------------------|
//! | segment            | Shared memory that processes open by name or path, or inherit. A header and the participant table lie at its beginning. |
//! | room               | Elements at the end of a segment. Its creator chooses their number at run time. |
//! | participant        | One thread in one segment. A thread that uses two segments is two participants. |
//! | registration       | What the first operation of a thread in a segment does: it takes a slot of the participant table and arms the lifelines there. |
//! | slot, id           | A slot is the place of one participant in the table. An id names a slot and how often it was given away: `3.1` is slot 3, generation 1. |
//! | hold               | What a participant has while a word contains its id: a lock, a permit, a place. That word is a *hold word*. |
//! | lifeline           | A word in a slot. The kernel *cuts* it when the thread ends: it sets a mark there and wakes one sleeper. |
//! | awaited word       | The word of a primitive on which its waiters sleep.                      |
//! | membership word    | A word of the segment that changes with each newcomer, so that sleepers watch the newcomer, too. It also changes when a slot is reaped. |
//! | vigil              | A sleep on the awaited word, the membership word and the lifelines of the others. |
//! | first phase        | The first 10 ms of a wait. The sleeper watches only the awaited word and the lifelines of the holder. |
//! | recheck            | A check that a sleeper makes without a cause, after a second at most, or up to four where many sleep. |
//! | reap               | To ask the operating system which participants are gone, and to free their slots. One participant does it for all, once a second: a waiter, a caller that tries without waiting, or a newcomer that finds no slot. |
//! | sequence           | A counter beside a state. It changes with each event, so a sleeper that noted the old value misses none. |
//! | inconsistent       | Said of a lock whose holder died or panicked, until a holder calls `mark_consistent`. |
//! | leaked hold        | A hold whose guard was forgotten (`mem::forget`) by a thread that has ended since. Another thread of its process may still use the data. |
//! | home               | The reader word of an [`RwLock`] that a participant tries first.         |
//! | revival            | What an opener does with a segment that nobody has mapped: it frees the whole table. |
//! | seam               | The trait `platform::Platform`: everything that the algorithms may ask of the machine. |
//!
//! # Limits
//!
//! - 64-bit little-endian Linux with glibc, or with musl on x86_64. x86_64 is tested with both.
//!   aarch64 is tested on an emulated machine with a real kernel, never on real hardware. The
//!   emulator hides most of a weak memory order, which the models explore.
//! - At most 256 threads take part in one segment, or as many as [`SegmentOptions::participants`]
//!   says, up to 4,096. Deaths are noticed at once among about 60 of them, or 126 main threads.
//!   With more, some are noticed one to four seconds late.
//! - A thread takes part in at most 1,000 segments at a time, a main thread in 2,000. The robust
//!   mutexes of the C library that it holds count, too: see [`segment`](segment#how-many-segments).
//! - A child of `vfork` or of a raw `clone` cannot take part; it gets an error. A thread must not
//!   use a segment for the first time inside a signal handler.
//! - A core dump or a tracer delays the report of a death until it is done.
//!
//! # Features
//!
//! `bytemuck` and `zerocopy` allow plain data of those crates in a segment, in the wrappers `Pod`
//! and `Plain`.
//!
//! `serde` lets a [`MessageQueue`] and a [`Pipe`] send and receive values of any serde type,
//! encoded by postcard.
//!
//! `unstable-raw` makes the algorithms (`raw`) and the seam beneath them (`platform`) public, for
//! models, and for primitives of your own. These two modules have no stable interface: any release
//! may change them.

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}

pub mod atomic;
pub mod error;
mod format;
pub mod guide;
#[cfg(feature = "unstable-raw")]
pub mod platform;
#[cfg(not(feature = "unstable-raw"))]
#[allow(dead_code, unreachable_pub, unused_imports)] // the feature makes it public
mod platform;
#[cfg(feature = "unstable-raw")]
pub mod raw;
#[cfg(not(feature = "unstable-raw"))]
#[allow(dead_code, unreachable_pub, unused_imports)] // the feature makes it public
mod raw;
pub mod segment;
pub mod sync;
pub mod waitv;

/// For this project's own tests and benchmarks. Nothing here belongs to the public interface.
#[doc(hidden)]
pub mod test_switches {
    pub use crate::platform::linux::{set_recheck, slow_checks};
}

pub use error::*;
pub use outlive_derive::Shareable;
pub use raw::{Cause as InconsistentCause, Id as ParticipantId};
pub use segment::*;
pub use sync::{
    ArrayQueue, ArrayTaskQueue, Barrier, BarrierMember, BarrierWaitResult, Condvar, CondvarResult, DuplexPipe,
    DuplexPipeEnd, DuplexPipeRoot, Event, EventWait, HolderWatch, Interrupter, LazyLock, Lock, LockGuard, LockResult,
    LockState, LockTimeoutResult, LockedCell, MessageQueue, MessageQueueRoot, MessageQueueSegment, MessageReader,
    MessageReceiver, MessageRecv, MessageSend, MessageSender, MessageWord, MessageWriter, Mutex, MutexGuard, MutexRoot,
    MutexSegment, Once, OnceLock, OnceState, Permit, PermitPool, Pipe, PipeReader, PipeReceiver, PipeRecv, PipeRoot,
    PipeSend, PipeSender, PipeWord, PipeWriter, ProcessExit, Queue, QueueCell, QueueIter, QueueReceiver, QueueRecv,
    QueueRoot, QueueSegment, QueueSend, QueueSender, ReadyFd, ReentrantMutex, ReentrantMutexGuard, RwLock,
    RwLockReadGuard, RwLockRoot, RwLockSegment, RwLockWriteGuard, Semaphore, SemaphoreAcquire, SemaphorePermit, Task,
    TaskJoin, TaskLoan, TaskQueue, TaskQueueRoot, TaskQueueSegment, TaskReserve, TaskSend, TaskSlot, TaskTake,
    TryLockResult, WaitSource, WaitTimeoutResult, Waitable, WhenReady, Woken, interruptible, interruptible_by,
    try_wait_any, wait_any, wait_any_deadline, wait_any_timeout,
};
