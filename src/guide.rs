//! A guide: which primitive for which need, and what each is called elsewhere. Nothing to call here.
//!
//! # Which one?
//!
//! | you want                                                             | take                                     |
//! |----------------------------------------------------------------------|------------------------------------------|
//! | data that one process at a time may change                           | [`Mutex<T>`]                             |
//! | the same, and the holder calls itself again                          | [`ReentrantMutex<T>`]                    |
//! | many readers, a writer now and then                                  | [`RwLock<T>`]                            |
//! | a lock around something that is not in the segment: a file, a device | [`Lock`]                                 |
//! | at most N at a time; permits come back when their holder dies        | [`PermitPool<N>`]                        |
//! | to count things that anybody may add: items, tokens                  | [`Semaphore`]                            |
//! | to wait until some data is as it should be                           | [`Condvar`] with a lock                  |
//! | to wait for something that happens once, or again and again          | [`Event`]                                |
//! | all to arrive before any goes on                                     | [`Barrier<N>`]                           |
//! | something to be made by whoever comes first                          | [`OnceLock<T>`], [`Once`], [`LazyLock`]  |
//!
//! # From Python's `multiprocessing`
//!
//! What its documentation says of these classes can be had here; where we differ, the reason is beside it.
//!
//! | Python                                  | here                                                  | differences, and why |
//! |-----------------------------------------|-------------------------------------------------------|----------------------|
//! | `Lock()`                                | [`Lock`]                                              | A holder that died is told to the next ([`LockError::OwnerDied`]) where Python hangs. Locking it twice in one thread is [`LockError::Deadlock`], where Python hangs. |
//! | `lock.acquire()`, `acquire(False)`, `acquire(timeout=s)` | [`Lock::acquire`], [`try_acquire`](Lock::try_acquire), [`try_acquire_for`](Lock::try_acquire_for) | A negative timeout cannot be written; zero is the same. |
//! | `lock.release()`, by any process or thread | [`Lock::release`], by any participant              | `ValueError` is [`Error::NotHeld`]. |
//! | `with lock:`                            | [`Lock::lock`], whose guard releases                  | |
//! | `RLock()`                               | [`ReentrantMutex<()>`](ReentrantMutex), with [`acquire`](ReentrantMutex::acquire) and [`release`](ReentrantMutex::release) | Release by another: [`Error::NotHeld`] for `AssertionError`. |
//! | `Semaphore(n)`, `acquire`, `release`    | [`Semaphore::new`], [`acquire`](Semaphore::acquire), [`release`](Semaphore::release) | Permits of the dead are not returned, as nobody holds them; for that there is [`PermitPool`]. |
//! | `BoundedSemaphore(n)`                   | [`Semaphore::bounded`]                                | `ValueError` is [`Error::OverRelease`]. |
//! | `get_value()`                           | [`Semaphore::available`]                              | |
//! | `Condition(lock)`                       | [`Condvar`], with a [`Lock`], [`Mutex`] or [`ReentrantMutex`] | The data lies in the mutex; the guard goes into the wait and comes back. |
//! | `cond.wait()`, `wait(timeout)`          | [`Condvar::wait`], [`wait_timeout`](Condvar::wait_timeout) | Returns may be spurious, as everywhere but in Python's documentation; a death is one. |
//! | `cond.wait_for(p, timeout)`             | [`Condvar::wait_while`], [`wait_timeout_while`](Condvar::wait_timeout_while) | The predicate is negated, as in std. |
//! | `cond.notify(n)`, `notify_all()`        | [`notify_one`](Condvar::notify_one), [`notify_n`](Condvar::notify_n), [`notify_all`](Condvar::notify_all) | Needs no lock held (Python raises `RuntimeError`). Never waits for the woken, so a killed waiter cannot hang it. |
//! | `Event()`: `is_set`, `set`, `clear`, `wait(timeout)` | [`Event`], [`Event::wait_timeout`]       | `set` never waits for the woken. Who was waiting at a `set` is released even if `clear` follows at once. |
//! | `Barrier(parties, action, timeout)`     | [`Barrier<N>`], [`wait_with`](Barrier::wait_with)     | The action and the timeout are given at the call: a function has no address that two programs share. A party that dies while it waits, or after it has [joined](Barrier::join), breaks it. |
//! | `barrier.wait(timeout)` → index         | [`Barrier::wait`], [`wait_timeout`](Barrier::wait_timeout) → [`BarrierWaitResult::index`] | `BrokenBarrierError` is [`WaitError::Broken`]. |
//! | `reset()`, `abort()`, `parties`, `n_waiting`, `broken` | [`reset`](Barrier::reset), [`abort`](Barrier::abort), [`parties`](Barrier::parties), [`n_waiting`](Barrier::n_waiting), [`is_broken`](Barrier::is_broken) | |
//! | `Value(type)`, `Array(type, n)`         | `Mutex<T>`, `Mutex<[T; N]>`, or [room](crate::Options::room) of run-time length | Typed, and checked when it is opened. |
//! | `RawValue`, `RawArray`                  | the [atomics](crate::platform::atomic)                | A race on plain memory is no value in Rust. |
//! | `shared_memory.SharedMemory`            | [`Segment<T>`]                                        | No tracker process; nobody sees half of one. |
//! | passing to `Process(args=...)`          | fork, or [`Segment::pass_to`] and [`Segment::inherit`] | To processes that are no children: [`Segment::send_to`] and [`Segment::receive_from`]. |
//!
//! # From `std::sync`
//!
//! | std                          | here                              | differences |
//! |------------------------------|-----------------------------------|-------------|
//! | `Mutex`, `MutexGuard`        | [`Mutex`], [`MutexGuard`](crate::MutexGuard) | Death and panic are two errors ([`LockError`]); relocking is `Deadlock`; timeouts as parking_lot's. |
//! | `PoisonError`                | [`LockError::Poisoned`]           | Cleared by [`mark_consistent`](crate::MutexGuard::mark_consistent), on the guard. |
//! | `ReentrantLock`              | [`ReentrantMutex`]                | Tells deaths and panics; overflow is an error. |
//! | `RwLock`                     | [`RwLock`]                        | Writers do not starve; a second read lock in one thread is `Deadlock`, not one now and then; at most `READERS` readers at a time, others wait. |
//! | `Condvar`                    | [`Condvar`]                       | `notify_n`; with a [`ReentrantMutex`] or a [`Lock`], too. |
//! | `Barrier`                    | [`Barrier<N>`]                    | Can be broken, and then says so. |
//! | `Once`, `OnceLock`, `LazyLock` | [`Once`], [`OnceLock`], [`LazyLock`] | After a panic or a death the next one initialises; the handle of a `LazyLock` is each process's own. |
//! | (none)                       | [`Semaphore`], [`PermitPool`], [`Event`] | |
//!
//! # When somebody dies
//!
//! | primitive            | a holder                                             | a waiter | one that was to wake others |
//! |----------------------|------------------------------------------------------|----------|-----------------------------|
//! | [`Mutex`], [`Lock`], [`ReentrantMutex`] | the next gets the guard in `OwnerDied` | nothing  | nothing                     |
//! | [`RwLock`]           | a writer: as the mutex, readers are told too; a reader: nothing | nothing | nothing         |
//! | [`PermitPool`]       | its permit goes to the next, who can ask who died    | nothing  | nothing                     |
//! | [`Semaphore`]        | has no holders: what it took is gone                 | nothing  | nothing                     |
//! | [`Condvar`]          |                                                      | nothing  | waiters return, and look    |
//! | [`Event`]            |                                                      | nothing  | waiters look; if it never came to `set`, they wait on |
//! | [`Barrier`]          | a party that has arrived, or a declared member: all get `Broken` | as a party | nothing            |
//! | [`Once`], [`OnceLock`] | the next caller initialises                        | nothing  | nothing                     |

#[allow(unused_imports)] // for the links above
use crate::{
    Barrier, BarrierWaitResult, Condvar, Error, Event, LazyLock, Lock, LockError, Mutex, Once, OnceLock, PermitPool,
    ReentrantMutex, RwLock, Segment, Semaphore, WaitError,
};
