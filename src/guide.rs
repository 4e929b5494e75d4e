//! A guide: which primitive for which need, and what each is called elsewhere. Nothing to call
//! here.
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
//! What its documentation says of these classes can be had here; where we differ, the reason is
//! beside it.
//!
//! | Python                                  | here                                                  | differences, and why |
//! |-----------------------------------------|-------------------------------------------------------|----------------------|
//! | `Lock()`                                | [`Lock`]                                              | A holder that died is told to the next ([`LockError::OwnerDied`]) where Python hangs. Acquiring it twice in one thread waits until another thread releases it, as in Python; with a guard that is [`LockError::Deadlock`]. |
//! | `lock.acquire()`, `acquire(False)`, `acquire(timeout=s)` | [`Lock::acquire`], [`try_acquire`](Lock::try_acquire), [`try_acquire_for`](Lock::try_acquire_for) | A negative timeout cannot be written; zero is the same. |
//! | `lock.release()`, by any process or thread | [`Lock::release`], by any participant              | `ValueError` is [`Error::NotHeld`]. A lock whose thread has ended stays acquired while its process lives, as Python's. |
//! | `with lock:`                            | [`Lock::lock`], whose guard releases                  | |
//! | `RLock()`                               | [`ReentrantMutex<()>`](ReentrantMutex), with [`acquire`](ReentrantMutex::acquire) and [`release`](ReentrantMutex::release) | Release by another: [`Error::NotHeld`] for `AssertionError`. |
//! | `Semaphore(n)`, `acquire`, `release`    | [`Semaphore::new`], [`acquire`](Semaphore::acquire), [`release`](Semaphore::release) | Permits of the dead are not returned, as nobody holds them; for that there is [`PermitPool`]. |
//! | `BoundedSemaphore(n)`                   | [`Semaphore::bounded`]                                | `ValueError` of a release is [`Error::OverRelease`], that of a wrong number [`Error::OutOfRange`] from [`try_new`](Semaphore::try_new) and [`try_bounded`](Semaphore::try_bounded). |
//! | `get_value()`                           | [`Semaphore::available`]                              | The largest value, `SEM_VALUE_MAX`, is [`Semaphore::MAX_PERMITS`]. |
//! | `Condition(lock)`                       | [`Condvar`], with a [`Lock`], [`Mutex`] or [`ReentrantMutex`] | The data lies in the mutex; the guard goes into the wait and comes back. A `Lock` that was acquired without a guard gets one from [`adopt`](Lock::adopt). |
//! | `cond.wait()`, `wait(timeout)`          | [`Condvar::wait`], [`wait_timeout`](Condvar::wait_timeout) | Returns may be spurious, as everywhere but in Python's documentation; a death is one. [`wait_outcome`](Condvar::wait_outcome) and [`wait_timeout_outcome`](Condvar::wait_timeout_outcome) tell whether the wait was notified; [a loop](Condvar#who-is-notified) around them is Python's `wait`. |
//! | `cond.wait_for(p, timeout)`             | [`Condvar::wait_while`], [`wait_timeout_while`](Condvar::wait_timeout_while) | The predicate is negated, as in std. |
//! | `cond.notify(n)`, `notify_all()`        | [`notify_one`](Condvar::notify_one), [`notify_n`](Condvar::notify_n), [`notify_all`](Condvar::notify_all) | Needs no lock held (Python raises `RuntimeError`), but [whose waits are told so](Condvar#who-is-notified) is exact with it only. Never waits for the woken, so a killed waiter cannot hang it. |
//! | `Event()`: `is_set`, `set`, `clear`, `wait(timeout)` | [`Event`], [`Event::wait_timeout`]       | `set` never waits for the woken. Who was waiting at a `set` is released even if `clear` follows at once. |
//! | `Barrier(parties, action, timeout)`     | [`Barrier<N>`], [`wait_with`](Barrier::wait_with)     | The action and the timeout are given at the call: a function has no address that two programs share. A party that dies while it waits, or after it has [joined](Barrier::join), breaks it. An action that raises is [`wait_then`](Barrier::wait_then). `parties` is any number up to `N`, 256 unless said otherwise; a wrong one is an error of [`try_new`](Barrier::try_new). |
//! | `barrier.wait(timeout)` → index         | [`Barrier::wait`], [`wait_timeout`](Barrier::wait_timeout) → [`BarrierWaitResult::index`] | `BrokenBarrierError` is [`WaitError::Broken`]. |
//! | `reset()`, `abort()`, `parties`, `n_waiting`, `broken` | [`reset`](Barrier::reset), [`abort`](Barrier::abort), [`parties`](Barrier::parties), [`n_waiting`](Barrier::n_waiting), [`is_broken`](Barrier::is_broken) | |
//! | Ctrl-C (`KeyboardInterrupt`) in any wait | [`interruptible`](crate::interruptible) around the call; [`Interrupter`](crate::Interrupter) | The wait ends as `Interrupted`; the binding calls `PyErr_CheckSignals`, and waits again if that says nothing: [more](#waits-that-a-signal-ends). |
//! | `Value(type)`, `Array(type, n)`         | `Mutex<T>`, `Mutex<[T; N]>`, or [room](crate::Options::room) of run-time length | Typed, and checked when it is opened. |
//! | `RawValue`, `RawArray`                  | the [atomics](crate::platform::atomic)                | A race on plain memory is no value in Rust. |
//! | `shared_memory.SharedMemory`            | [`Segment<T>`]                                        | No tracker process; nobody sees half of one. |
//! | passing to `Process(args=...)`          | fork, or [`Segment::pass_to`] and [`Segment::inherit`] | To processes that are no children: [`Segment::send_to`] and [`Segment::receive_from`]; a descriptor that came otherwise: [`Segment::from_fd`]. |
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
//!
//! # Which process is it?
//!
//! A lock tells its holder ([`Lock::holder`], [`Mutex::holder`], [`RwLock::writer`]), and an error
//! tells who died ([`Inconsistent::by`](crate::Inconsistent::by)). Both are an [`Id`](crate::Id),
//! since a lock has no room for more. [`Segment::participant`] tells what is known of that id:
//! process id, thread id, whether it is alive, how long ago its thread began, and for how long it
//! has been asleep; it prints all that for people. Once its slot is another's, the answer is
//! `None`.
//!
//! For how long it has held the lock is written nowhere. It is not longer than its thread's age.
//! One who waits, or looks from time to time, can tell for how long it has seen the same holder:
//! [`HolderWatch`](crate::HolderWatch).
//!
//! Whether a lock is the caller's own is told by
//! [`is_owned_by_current_thread`](Mutex::is_owned_by_current_thread), for writers by
//! [`is_written_by_current_thread`](RwLock::is_written_by_current_thread).
//!
//! # What is in a segment?
//!
//! [`inspect`](crate::inspect) tells of a segment, by its place: the names, sizes and fingerprints
//! of its types, who takes part, whether anybody has it mapped, when it was made. It need not know
//! the types, needs only the right to read, and takes no part.
//!
//! A [`Monitor`](crate::Monitor) knows the types, and tells of their fields: values of atomics,
//! holders of locks, permits of semaphores. It never writes, so it also works on a file of mode
//! 0444, on a read-only mount, and through a descriptor that is open for reading:
//! [`Segment::monitor`].
//!
//! # Leaked guards
//!
//! A guard that is leaked (`mem::forget`, `Box::leak`) holds on, as in std, while its thread lives.
//! The reference that it gave may outlive that thread. So a lock whose holder leaked its guard and
//! ended is given to nobody while the holder's *process* lives:
//!
//! | primitive                     | what the others get                                                   |
//! |-------------------------------|-----------------------------------------------------------------------|
//! | [`Mutex`], [`ReentrantMutex`] | [`LockError::Leaked`], at once, waiters too                            |
//! | [`RwLock`], a writer leaked   | [`LockError::Leaked`]                                                  |
//! | [`RwLock`], a reader leaked   | writers get [`LockError::Leaked`]; readers read on                     |
//! | [`Lock`]                      | it guards no data: they wait, and anybody may release it               |
//! | [`PermitPool`], [`Barrier`]   | as after a death: these give no reference                             |
//! | [`Semaphore`]                 | its permits stay acquired, as after a death, until somebody releases them |
//! | [`Condvar`]                   | who comes back from a wait: what its lock says, as above               |
//! | [`Once`], [`OnceLock`], [`Event`] | there is no guard to leak                                          |
//!
//! When that process ends, the next gets [`LockError::OwnerDied`]. A process that cannot be looked
//! at (in another PID namespace) counts as living, and so does one that has become another program
//! by exec. The methods `lock_leaked`, `read_leaked` and `write_leaked` take such a hold over; they
//! are unsafe, since their caller promises that nothing uses what the guard gave.
//!
//! The rule needs the thread's own word, which it gives when it ends by itself: by returning, or by
//! a panic. A thread that is ended by the system call alone (`SYS_exit`) says nothing, and counts
//! as dead. So does one that locks for the first time in the last of the C library's four rounds of
//! destructors of `pthread_key_create`, and leaks that guard: do not lock in such a destructor.
//!
//! # In a signal handler
//!
//! A handler may use the segments that its thread has used before; a first use there is not
//! allowed. It gives back all that it takes before it returns. The operation that it has
//! interrupted may be in the middle of counting the thread's holds: a hold that is kept beyond the
//! handler may be lost to that count, and then a leaked guard is not noticed, or a
//! [`ReentrantMutex`] is free too early. A handler that forks lets the child end, or exec. To
//! return there into an operation of the parent's would be to act in the parent's name. (Installing
//! a handler is `unsafe`, and this is a part of what its author promises.)
//!
//! # Waits that a signal ends
//!
//! A wait goes on when a signal handler has run, as in std. In the scope of
//! [`interruptible`](crate::interruptible) it ends, whatever the primitive:
//!
//! | primitive | what the caller gets | what is undone |
//! |-----------|----------------------|----------------|
//! | [`Mutex`], [`Lock`], [`ReentrantMutex`], [`RwLock`] | [`LockError::Interrupted`] | |
//! | [`Semaphore`], [`PermitPool`], [`Event`] | [`WaitError::Interrupted`] | |
//! | [`Barrier`] | [`WaitError::Interrupted`] | its arrival; nothing is broken |
//! | [`Condvar`] | [`LockError::WaitInterrupted`] with the guard, or [`Woken::Interrupted`]; a notification comes first | the lock is held again |
//! | [`Once`], [`OnceLock`] | [`WaitError::Interrupted`] | |
//!
//! [`interruptible`](crate::interruptible) needs nothing but handlers without SA_RESTART, as
//! Python's are. It misses a handler that runs just before the sleep, as `sem_wait` does.
//! [`interruptible_by`](crate::interruptible_by) an [`Interrupter`](crate::Interrupter) misses
//! none, and serves threads that are to be stopped by others, too.
//!
//! # What a wait costs
//!
//! A sleeper costs nothing but a look once in a second, which many sleepers share: 250 of them take
//! less than one per cent of a processor, all together. A wait takes at most 8 KiB of the thread's
//! stack, the thread's registration in the segment included.
//!
//! Without `futex_waitv` each sleeper looks by itself, every 20 ms at first, and less often the
//! longer it has waited: every 80 ms at last. Deaths are told as late as that.
//!
//! # Threads of a killed process
//!
//! SIGKILL ends each thread of a process by itself. One of them may be in the middle of a long
//! system call, such as a read of a file into what another of them held. It goes on up to the end
//! of the call. So a [`Mutex`], [`RwLock`] or [`ReentrantMutex`] whose holder died is handed on
//! only when SIGKILL is pending for no other thread of its process. Waiters wait for that, a moment
//! as a rule; the `try_` forms answer [`LockError::WouldBlock`]. A process in another PID
//! namespace, or of which /proc shows nothing, cannot be looked at: there the data may change under
//! the next holder until the call ends.
//!
//! # fork
//!
//! A forked child is another participant. What its parent holds stays the parent's. The child has
//! copies of the parent's guards, and these release nothing. But a copy still gives its reference:
//! a child that uses it reads, or writes, beside the parent, which is undefined behaviour. `fork`
//! is an unsafe function for reasons such as this one. Its caller promises that the child uses no
//! guard that existed at the time: neither through a variable, nor through a reference that the
//! guard gave. The child drops or forgets such guards, and locks anew.
//!
//! A child of `vfork` shares all memory with its parent, and must only exec. One of a raw `clone`
//! has no robust list, cannot take part, and is told so.
//!
//! # Who comes first
//!
//! | primitive | order |
//! |-----------|-------|
//! | [`Mutex`], [`Lock`], [`ReentrantMutex`] | none: a thread that comes while the lock is free takes it, also before those that have waited longer. Each release wakes one waiter. |
//! | [`RwLock`] | a waiting writer keeps new readers out; a writer that ends wakes all, and any of them may be first |
//! | [`Semaphore`] | none among waiters for one permit; a waiter for many takes no permits before all are there, and may be overtaken by waiters for fewer |
//! | [`PermitPool`] | none: the first that looks takes a free permit |
//! | [`Condvar`] | `notify_one` wakes a waiter that slept when it was called; which one, the kernel decides. [`Woken::Notified`] is told to one that waited then: the first that has the lock again |
//! | [`Event`] | all that waited at a `set` are released; an auto-reset event releases one, in no order |
//! | [`Barrier`] | a generation has as many threads as parties; further ones wait for the next, in no order |
//! | [`Once`], [`OnceLock`] | the first that comes; after a death or a panic any of those that wait |

#[allow(unused_imports)] // for the links above
use crate::{
    Barrier, BarrierWaitResult, Condvar, Error, Event, LazyLock, Lock, LockError, Mutex, Once, OnceLock, PermitPool,
    ReentrantMutex, RwLock, Segment, Semaphore, WaitError, Woken,
};
