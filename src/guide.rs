//! A guide: which primitive serves which need, what it is called elsewhere, and what happens when a
//! process dies. This module has no functions.
//!
//! # Which one?
//!
//! | you want                                                             | take                                     |
//! |----------------------------------------------------------------------|------------------------------------------|
//! | data that one thread at a time may use                               | [`Mutex<T>`]                             |
//! | the same, and the holder may lock it again                           | [`ReentrantMutex<T>`]                    |
//! | data of a length that is chosen at run time                          | [`Mutex<[T]>`](MutexSegment), [`RwLock<[T]>`](RwLockSegment) |
//! | numbers that many threads change one by one                          | [atomics](crate::atomic), floats too, in a field or in [room](SegmentOptions::room) |
//! | bytes with a protocol of their own, and no lock                      | [`SharedMemory`]                         |
//! | many readers, and a writer sometimes                                 | [`RwLock<T>`]                            |
//! | a lock around something that is not in the segment: a file, a device | [`Lock`]                                 |
//! | at most N at a time; permits come back when their holder dies        | [`PermitPool<N>`]                        |
//! | to count things that anybody may add, such as items or tokens        | [`Semaphore`]                            |
//! | to wait until data is as it should be                                | [`Condvar`] with a lock                  |
//! | to wait for something that happens, once or repeatedly               | [`Event`]                                |
//! | all threads to arrive before any of them goes on                     | [`Barrier<N>`]                           |
//! | to hand items to others, each to one of them                         | [`Queue<T>`], [`ArrayQueue<T, N>`](ArrayQueue) |
//! | to send messages of any length, as bytes or with serde               | [`MessageQueue`]                         |
//! | to send messages of any length, or a stream, to one process                | [`Pipe`], [`DuplexPipe`]                 |
//! | to hand out work that must not be lost with its worker, or items of megabytes | [`TaskQueue<T>`], [`ArrayTaskQueue<T, N>`](ArrayTaskQueue) |
//! | to wait for the first of several of these, or for a death            | [`wait_any`](crate::wait_any)            |
//! | to wait in an async task, or in a loop with epoll                    | [`recv_async`](Queue::recv_async) and its kin; [`WaitSource`]: see [below](#event-loops) |
//! | a value that the first caller makes                                  | [`OnceLock<T>`], [`Once`], [`LazyLock`]  |
//!
//! # From Python's `multiprocessing`
//!
//! Everything that Python's documentation says of these classes is here. Where a class differs, the
//! table has the reason.
//!
//! | Python                                  | here                                                  | differences, and why |
//! |-----------------------------------------|-------------------------------------------------------|----------------------|
//! | `Lock()`                                | [`Lock`]                                              | Where Python hangs because the holder died, the next caller gets [`LockError::OwnerDied`]. A thread that acquires it twice waits until another thread releases it, as in Python; with a guard it gets [`LockError::Deadlock`]. |
//! | `lock.acquire()`, `acquire(False)`, `acquire(timeout=s)` | [`Lock::acquire`], [`try_acquire`](Lock::try_acquire), [`try_acquire_for`](Lock::try_acquire_for) | There are no negative timeouts; use zero. |
//! | `lock.release()`, by any process or thread | [`Lock::release`], by any participant              | `ValueError` is [`NotHeldError`]. A lock whose thread has ended stays acquired while its process lives, as in Python. |
//! | `with lock:`                            | [`Lock::lock`], whose guard releases                  | |
//! | `RLock()`                               | [`ReentrantMutex<()>`](ReentrantMutex), with [`acquire`](ReentrantMutex::acquire) and [`release`](ReentrantMutex::release) | `AssertionError`, for a release by another thread, is [`NotHeldError`]. |
//! | `Semaphore(n)`, `acquire`, `release`    | [`Semaphore::new`], [`acquire`](Semaphore::acquire), [`release`](Semaphore::release) | The permits that a dead process took do not come back, since a semaphore does not record who took them. Those of a [`PermitPool`] come back. |
//! | `BoundedSemaphore(n)`                   | [`Semaphore::bounded`]                                | `ValueError` of a release is [`ReleaseError::OverRelease`]. `ValueError` of a wrong number is [`RangeError`], from [`try_new`](Semaphore::try_new) and [`try_bounded`](Semaphore::try_bounded). |
//! | `get_value()`                           | [`Semaphore::available`]                              | The largest value, `SEM_VALUE_MAX`, is [`Semaphore::MAX_PERMITS`]. |
//! | `Condition(lock)`                       | [`Condvar`], with a [`Lock`], [`Mutex`] or [`ReentrantMutex`] | The data lies in the mutex; the guard goes into the wait and comes back. A `Lock` that was acquired without a guard gets one from [`adopt`](Lock::adopt). |
//! | `cond.wait()`, `wait(timeout)`          | [`Condvar::wait`], [`wait_timeout`](Condvar::wait_timeout) | A wait may return without a notification, for example when a process dies. Python's documentation does not allow that. [`wait_outcome`](Condvar::wait_outcome) and [`wait_timeout_outcome`](Condvar::wait_timeout_outcome) return whether the wait was notified; [a loop](Condvar#which-waiter-is-notified) around them is Python's `wait`. |
//! | `cond.wait_for(p, timeout)`             | [`Condvar::wait_while`], [`wait_timeout_while`](Condvar::wait_timeout_while) | The predicate is negated, as in std. |
//! | `cond.notify(n)`, `notify_all()`        | [`notify_one`](Condvar::notify_one), [`notify_n`](Condvar::notify_n), [`notify_all`](Condvar::notify_all) | The caller need not hold the lock (Python raises `RuntimeError`). But [which waits return as notified](Condvar#which-waiter-is-notified) is exact only if it does. Never waits for the woken threads, so a killed waiter cannot hang it. |
//! | `Event()`: `is_set`, `set`, `clear`, `wait(timeout)` | [`Event`], [`Event::wait_timeout`]       | `set` never waits for the woken threads. A `set` releases all threads that were waiting, even if `clear` follows at once. |
//! | `Barrier(parties, action, timeout)`     | [`Barrier<N>`], [`wait_with`](Barrier::wait_with)     | The action and the timeout are given at the call, since no function has the same address in two programs. A party that dies while it waits, or after it has [joined](Barrier::join), breaks the barrier. For an action that raises there is [`wait_then`](Barrier::wait_then). `parties` is any number up to `N`, 256 by default; [`try_new`](Barrier::try_new) returns an error for a wrong number. |
//! | `barrier.wait(timeout)` → index         | [`Barrier::wait`], [`wait_timeout`](Barrier::wait_timeout) → [`BarrierWaitResult::index`] | `BrokenBarrierError` is [`BarrierError::Broken`]. |
//! | `reset()`, `abort()`, `parties`, `n_waiting`, `broken` | [`reset`](Barrier::reset), [`abort`](Barrier::abort), [`parties`](Barrier::parties), [`n_waiting`](Barrier::n_waiting), [`is_broken`](Barrier::is_broken) | |
//! | Ctrl-C (`KeyboardInterrupt`) in any wait | [`interruptible`](crate::interruptible) around the call; [`Interrupter`](crate::Interrupter) | The wait ends as `Interrupted`. The binding calls `PyErr_CheckSignals`, and waits again if that reports no exception: see [below](#waits-that-a-signal-ends). |
//! | `Value(type)`, `get_lock()`             | a [`Segment`] of [`Mutex<T>`](Mutex)                  | The type is any struct that is [`Shareable`](crate::Shareable), and is checked when the segment is opened. The data is behind the lock, so nobody can forget to lock. |
//! | `Array(type, n)`, `len(array)`          | `Mutex::<[T]>::create`: [`MutexSegment`]; in a field, `Mutex<[T; N]>` | The length is chosen at run time, and found by those that open it. For many readers there is [`RwLockSegment`]. |
//! | `Value(type, lock=False)`, `RawValue`   | a [`Segment`] of an [atomic](crate::atomic)           | In Rust, a data race on plain memory is undefined behaviour. Floats: [`AtomicF32`](crate::atomic::AtomicF32), [`AtomicF64`](crate::atomic::AtomicF64). |
//! | `Array(type, n, lock=False)`, `RawArray` | [room](SegmentOptions::room) for [atomics](crate::atomic) | Likewise. `+=` on an element is `fetch_add`, and loses nothing. |
//! | `sharedctypes.synchronized`, `copy`, `Structure` | a struct with `#[derive(Shareable)]` in a [`Mutex`], a [`ReentrantMutex`] or a [`RwLock`] | One lock for the whole struct, as Python's `Value` of a `Structure` has, or one for each field. |
//! | `Queue(maxsize)`, `SimpleQueue()`      | [`Queue<T>`]                                          | Always bounded. The items have a fixed size, and there is no feeder thread: an item is sent when `send` returns. Where Python hangs because a process was killed in `put` or `get`, the others go on here. |
//! | `put`, `put_nowait`, `put(timeout=s)`  | [`send`](Queue::send), [`try_send`](Queue::try_send), [`send_timeout`](Queue::send_timeout) | `queue.Full` is [`TrySendError::Full`] or [`SendTimeoutError::TimedOut`], and has the item. |
//! | `get`, `get_nowait`, `get(timeout=s)`  | [`recv`](Queue::recv), [`try_recv`](Queue::try_recv), [`recv_timeout`](Queue::recv_timeout) | `queue.Empty` is [`TryRecvError::Empty`] or [`RecvTimeoutError::TimedOut`]. The timeout covers the whole call. |
//! | `qsize`, `empty`, `full`, `close`      | [`len`](Queue::len), [`is_empty`](Queue::is_empty), [`is_full`](Queue::is_full), [`close`](Queue::close) | `close` is for all processes: the receivers get what was sent, and then [`RecvError::Disconnected`]. So they do when the last process with a [sender](Queue::sender) has ended. |
//! | `JoinableQueue`, `put`, `get`           | [`TaskQueue<T>`], [`send`](TaskQueue::send), [`take`](TaskQueue::take) | A task is given out until it is done: again, if its worker has died or panicked. Python loses it, and `join` waits forever. |
//! | `task_done`, `join`                     | [`Task::done`], [`join`](TaskQueue::join) | `done` is said of one task, so nobody says it too often. `join` has a timeout, too. |
//! | `queue.cancel_join_thread`, `join_thread` | nothing                                             | There is no feeder thread. |
//! | `Pipe(duplex)`, `Connection.send`, `recv`, `poll` | [`DuplexPipe`], with [`first`](DuplexPipe::first), [`second`](DuplexPipe::second); one way, [`Pipe`] | With the feature `serde`, `send` and `recv` take any serde type. [`poll`](PipeReceiver::poll) gives an error at the end. A second user of an end gets an error. |
//! | `Connection.send_bytes`, `recv_bytes`, `recv_bytes_into`, `BufferTooShort` | [`send_bytes`](PipeSender::send_bytes), [`recv_bytes`](PipeReceiver::recv_bytes), [`recv_into`](PipeReceiver::recv_into), [`PipeRecvError::TooShort`] | A message that is too long for the buffer stays. |
//! | `connection.Listener`, `Client`, `AuthenticationError` | std's `UnixListener`, `UnixStream`, with [`Segment::send_to`] and [`Segment::receive_from`] | The socket's permissions say who may connect. A socket only passes the segment; what follows goes through its memory. |
//! | `shared_memory.SharedMemory(name, create, size)` | [`SharedMemory::create`], [`open`](SharedMemory::open) | No tracker process. Nobody ever sees half of a block. `size` is exact. For typed data, take a [`Segment<T>`](Segment). |
//! | `shm.buf`                               | [`read_at`](SharedMemory::read_at), [`write_at`](SharedMemory::write_at), [`as_atomics`](SharedMemory::as_atomics) | There is no `&[u8]` of bytes that others may write. |
//! | `shm.close()`, `unlink()`, `size`, `name` | drop, [`SharedMemory::remove`], [`len`](SharedMemory::len); [`Segment::has_name`] | A block that nobody removes stays until a reboot, as in Python with `track=False`. |
//! | `shared_memory.ShareableList`           | a struct in a [`Mutex`], or a [`MutexSegment`]        | A list of values of different types is a struct with a field for each. Texts are `[u8; N]` with a length. |
//! | `managers.SharedMemoryManager`          | [`Segment::anonymous`], [`SharedMemory::anonymous`]   | Without a name, nothing is left when the last process has ended. |
//! | `Manager()`, `SyncManager`, `BaseManager`, proxies, `Namespace`, `dict`, `list` | a struct in a [`Segment`]      | There is no server process that could die, and each access is an access to memory. Dictionaries and lists that grow are not offered: choose the largest size, or send messages to the one process that has them. |
//! | `Pool`, `map`, `apply_async`, `AsyncResult` | a [`TaskQueue<T>`] of jobs, and workers that take them | As `examples/work_never_lost.rs`. A job is data, not a function: no function has the same address in two programs. Within one process, `std::thread::scope` or rayon. |
//! | `pool.ThreadPool`, `multiprocessing.dummy` | `std::thread`                                      | All primitives here also work between the threads of one process. |
//! | `Process(target, args)`, `start`, `join`, `kill`, `exitcode` | `std::process::Command`, or `fork` | This crate starts no processes. Any process may use a segment, whatever started it. |
//! | `Process.sentinel`, `is_alive`          | [`ProcessExit`](crate::ProcessExit); [`Segment::when_dead`] and [`ParticipantInfo::is_alive`](crate::ParticipantInfo::is_alive) for any participant; std's `Child::wait` | Nobody needs it to notice a death: the primitives do. |
//! | `current_process`, `parent_process`, `active_children` | [`Segment::participants`]                | All threads that take part in the segment, each with its process. |
//! | `set_start_method`, `get_context`, `freeze_support` | nothing                                   | A segment is the same to forked, spawned and unrelated processes. |
//! | `TimeoutError`                          | `TimedOut` of each kind of error                      | See [`error`](crate::error). |
//! | `resource_tracker`, `util.Finalize`     | nothing                                               | What a dead process held is handed on by those that live. |
//! | `connection.wait(objects, timeout)`    | [`wait_any`](crate::wait_any), [`wait_any_timeout`](crate::wait_any_timeout) | Gives one index, and not a list. The objects are queues of all kinds, events, semaphores, permits and locks. For `Process.sentinel` there is [`ProcessExit`](crate::ProcessExit). At most 64. |
//! | passing to `Process(args=...)`          | fork, or [`Segment::pass_to`] and [`Segment::inherit`] | To processes that are not children: [`Segment::send_to`] and [`Segment::receive_from`]. For a descriptor that came another way: [`Segment::from_fd`]. |
//!
//! # From `std::sync`
//!
//! | std                          | here                              | differences |
//! |------------------------------|-----------------------------------|-------------|
//! | `Mutex`, `MutexGuard`        | [`Mutex`], [`MutexGuard`](crate::MutexGuard) | Death and panic are two errors ([`LockError`]). To lock again is `Deadlock`. Timeouts are as in parking_lot. |
//! | `Arc<Mutex<[T]>>`            | [`MutexSegment<T>`](MutexSegment) | A `&Mutex<[T]>` can also be a field of type `Mutex<[T; N]>`. |
//! | `AtomicU64` and its kin      | the same types, in [`atomic`](crate::atomic) | Also `AtomicF32` and `AtomicF64`. `AtomicBool` and `AtomicPtr` cannot lie in a segment. |
//! | `PoisonError`                | [`LockError::Poisoned`]           | Cleared by [`mark_consistent`](crate::MutexGuard::mark_consistent), on the guard. |
//! | `ReentrantLock`              | [`ReentrantMutex`]                | Reports deaths and panics. Overflow is an error. |
//! | `RwLock`                     | [`RwLock`]                        | Writers do not starve. A second read lock in one thread is always `Deadlock`; in std it may deadlock or not. At most `READERS` readers read at a time, others wait. |
//! | `Condvar`                    | [`Condvar`]                       | Has `notify_n`. Works with a [`ReentrantMutex`] or a [`Lock`], too. |
//! | `Barrier`                    | [`Barrier<N>`]                    | Can be broken; then its waits return an error. |
//! | `Once`, `OnceLock`, `LazyLock` | [`Once`], [`OnceLock`], [`LazyLock`] | After a panic or a death the next caller initializes. Each process has its own handle of a `LazyLock`. |
//! | `mpsc::sync_channel`, `SyncSender`, `Receiver` | [`Queue<T>`]          | Many receivers. The ends are [`Queue::sender`] and [`Queue::receiver`]. Without them, [`close`](Queue::close) ends it. |
//! | (none)                       | [`Semaphore`], [`PermitPool`], [`Event`] | |
//!
//! # When a process dies
//!
//! | primitive            | the dead thread held it                              | the dead thread waited | the dead thread was about to wake others |
//! |----------------------|------------------------------------------------------|----------|-----------------------------|
//! | [`Mutex`], [`Lock`], [`ReentrantMutex`] | the next caller gets the guard in `OwnerDied` | nothing  | nothing                     |
//! | [`RwLock`]           | a writer: as `Mutex`, and readers get the error, too; a reader: nothing | nothing | nothing         |
//! | [`MutexSegment`], [`RwLockSegment`] | as [`Mutex`] and [`RwLock`], for all elements | nothing | nothing                     |
//! | [`SharedMemory`], atomics | nothing holds them; a copy may be half done, word by word |         |                             |
//! | [`PermitPool`]       | its permit goes to the next caller, which can ask who died | nothing  | nothing                     |
//! | [`Semaphore`]        | the permits that it took are gone                    | nothing  | nothing                     |
//! | [`Condvar`]          |                                                      | nothing  | waiters return, and check   |
//! | [`Event`]            |                                                      | nothing  | waiters check; if the dead thread had not set it, they go on waiting |
//! | [`Barrier`]          | a party that has arrived, or a thread that has joined: all others get `Broken` | as in the first column | nothing            |
//! | [`MessageQueue`]     | as [`Queue`]; the room of a message that was not sent is free at once | nothing | receivers check, and find what was sent |
//! | [`Queue`]            | a receiver that was taking an item: the next receiver gets it; a sender that was writing one: it is lost | nothing | receivers check, and find what was sent |
//! | [`Pipe`], [`DuplexPipe`] | the other end gets what was sent, then `PeerDied`; another process may take the end over | nothing | the other end checks, and finds what was sent |
//! | [`TaskQueue`]        | a worker: its task is given out again, with one more attempt; a producer: its room is free again | nothing | workers check, and find what was sent |
//! | [`wait_any`](crate::wait_any) |                                             | nothing  | as the source says          |
//! | [`Once`], [`OnceLock`] | the next caller initializes                        | nothing  | nothing                     |
//!
//! # Which process is it?
//!
//! A lock has the id of its holder ([`Lock::holder`], [`Mutex::holder`], [`RwLock::writer`]). An
//! error has the id of the dead holder ([`Inconsistent::by`](crate::Inconsistent::by)). Both are an
//! [`ParticipantId`](crate::ParticipantId), since a lock has no room for more.
//! [`Segment::participant`] returns what is known of the participant with that id. This is its
//! process id, its thread id, and whether it is alive. It is also how long ago its thread began,
//! and for how long it has been asleep. The result can be printed for people. If another
//! participant has got the slot since, the answer is `None`.
//!
//! Nothing records for how long a holder has held its lock. It cannot be longer than the age of its
//! thread. A thread that waits, or that checks from time to time, can measure for how long it has
//! seen the same holder: [`HolderWatch`](crate::HolderWatch).
//!
//! [`is_owned_by_current_thread`](Mutex::is_owned_by_current_thread) returns whether the caller
//! itself holds a lock, [`is_written_by_current_thread`](RwLock::is_written_by_current_thread)
//! whether it is the writer.
//!
//! # What is in a segment?
//!
//! [`inspect`](crate::inspect) describes the segment at a place: the names, sizes and fingerprints
//! of its types, its participants, whether anybody has it mapped, and when it was made. The caller
//! need not know the types. The caller needs only the right to read, and does not become a
//! participant.
//!
//! A [`Monitor`](crate::Monitor) knows the types, and reads their fields: values of atomics,
//! holders of locks, permits of semaphores. It never writes. So it also works on a file of mode
//! 0444, on a read-only mount, and through a descriptor that is open for reading only:
//! [`Segment::monitor`].
//!
//! # Leaked guards
//!
//! As in std, a guard that is leaked (`mem::forget`, `Box::leak`) keeps its lock held while its
//! thread lives. The reference that the guard gave may outlive that thread. So if a thread leaked
//! its guard and ended, nobody gets the lock while the *process* of that thread lives:
//!
//! | primitive                     | what the others get                                                   |
//! |-------------------------------|-----------------------------------------------------------------------|
//! | [`Mutex`], [`ReentrantMutex`] | [`LockError::Leaked`], at once, waiters too                            |
//! | [`RwLock`], a writer leaked   | [`LockError::Leaked`]                                                  |
//! | [`RwLock`], a reader leaked   | writers get [`LockError::Leaked`]; readers may read                    |
//! | [`Lock`]                      | it guards no data: they wait, and anybody may release it               |
//! | [`PermitPool`], [`Barrier`]   | as after a death: these give no reference                             |
//! | [`Semaphore`]                 | its permits stay acquired, as after a death, until somebody releases them |
//! | [`Condvar`]                   | a thread that returns from a wait gets what its lock gives, as above   |
//! | [`TaskQueue`], a task or a loan | nobody gets the task or the room; [`take_back`](TaskQueue::take_back) takes it |
//! | [`Once`], [`OnceLock`], [`Event`] | there is no guard to leak                                          |
//!
//! When that process ends, the next caller gets [`LockError::OwnerDied`]. A process in another PID
//! namespace cannot be looked up, and counts as living. So does a process that has become another
//! program by exec. The methods `lock_leaked`, `read_leaked` and `write_leaked` take such a hold
//! over. They are unsafe: their caller promises that nothing uses what the guard gave.
//!
//! The rule depends on the thread, which records its leaked holds when it ends by itself, by
//! returning or by a panic. A thread that ends by the bare system call (`SYS_exit`) records
//! nothing, and counts as dead. There is one more such case. The C library runs four rounds of
//! destructors of `pthread_key_create`. A thread that locks for the first time in the last round,
//! and leaks that guard, counts as dead, too. Do not lock in such a destructor.
//!
//! # In a signal handler
//!
//! A handler may use only segments that its thread has used before. It must release all that it
//! takes before it returns. The interrupted operation may be in the middle of counting the thread's
//! holds. That count can miss a hold that the handler keeps. Then a leaked guard is not noticed, or
//! a [`ReentrantMutex`] is free too early.
//!
//! If a handler forks, the child must end there, or exec. If the child returned from the handler,
//! it would go on with an operation of its parent, in its parent's name. (To install a handler is
//! `unsafe`. Its author promises this, too.)
//!
//! # Waits that a signal ends
//!
//! As in std, a wait goes on when a signal handler has run. In the scope of
//! [`interruptible`](crate::interruptible) it ends, whatever the primitive:
//!
//! | primitive | what the caller gets | what is undone |
//! |-----------|----------------------|----------------|
//! | [`Mutex`], [`Lock`], [`ReentrantMutex`], [`RwLock`] | [`LockError::Interrupted`] | |
//! | [`Semaphore`], [`PermitPool`] | [`AcquireError::Interrupted`] | |
//! | [`Event`] | [`WaitError::Interrupted`] | |
//! | [`MessageQueue`] | [`SendMessageError::Interrupted`], [`RecvMessageError::Interrupted`] | |
//! | [`Queue`] | [`SendError::Interrupted`] with the item, [`RecvError::Interrupted`] | |
//! | [`Pipe`] | [`PipeSendError::Interrupted`], [`PipeRecvError::Interrupted`] | a message of which parts were sent |
//! | [`TaskQueue`] | as [`Queue`]; from `join`, [`UnfinishedError::Interrupted`](crate::UnfinishedError::Interrupted) | |
//! | [`wait_any`](crate::wait_any) | [`WaitAnyError::Interrupted`](crate::WaitAnyError::Interrupted) | |
//! | [`Barrier`] | [`BarrierError::Interrupted`] | its arrival; nothing is broken |
//! | [`Condvar`] | [`CondvarError::WaitInterrupted`] with the guard, or [`Woken::Interrupted`]; a notification comes first | the lock is held again |
//! | [`Once`], [`OnceLock`] | [`OnceError::Interrupted`] | |
//!
//! [`interruptible`](crate::interruptible) needs only handlers without SA_RESTART, as Python's are.
//! As `sem_wait` does, it misses a handler that runs just before the sleep.
//! [`interruptible_by`](crate::interruptible_by) uses an [`Interrupter`](crate::Interrupter) and
//! misses none. Another thread can also use the `Interrupter` to end the wait.
//!
//! # Event loops
//!
//! A future works with any executor. It takes what it waits for within one poll. So a future that
//! is dropped, by a `select!` or a timeout, has taken nothing, and keeps no wake from others.
//! Only a message that goes through a [`Pipe`] in parts is cut off if its future is dropped.
//!
//! | instead of                     | a future                                         |
//! |--------------------------------|--------------------------------------------------|
//! | [`Queue::recv`]                | [`Queue::recv_async`]                            |
//! | [`MessageQueue::recv_bytes`]   | [`MessageQueue::recv_bytes_async`]               |
//! | [`MessageQueue::send_bytes`]   | [`MessageQueue::send_bytes_async`]               |
//! | [`Queue::send`]                | [`Queue::send_async`]                            |
//! | [`PipeReceiver::recv_bytes`], [`PipeSender::send_bytes`] | [`PipeReceiver::recv_bytes_async`], [`PipeSender::send_bytes_async`] |
//! | [`TaskQueue::take`], [`reserve`](TaskQueue::reserve), [`send`](TaskQueue::send), [`join`](TaskQueue::join) | [`TaskQueue::take_async`] and so on; a [`Task`] stays on the thread that has polled |
//! | [`Event::wait`]                | [`Event::wait_async`]                            |
//! | [`Semaphore::acquire`]         | [`Semaphore::acquire_async`]                     |
//! | anything that [`wait_any`](crate::wait_any) takes | [`WaitSource::ready`], then the form with `try_` |
//! | a descriptor for epoll         | [`WaitSource::descriptor`]                       |
//!
//! `examples/tokio_tasks.rs` has thousands of tasks, `examples/epoll.rs` an event loop. A thread of
//! the crate sleeps for all of them: see [`WaitSource::ready`].
//!
//! The guard of a lock, and a permit of a [`PermitPool`], belong to a thread: the kernel tells of
//! the deaths of threads, not of tasks. A task may be polled by another thread after each `.await`.
//! So locks have no async form. Lock and release within one closure that may block:
//!
//! ```text
//! let sum = tokio::task::spawn_blocking(move || {
//!     let numbers = segment.numbers.lock()?;
//!     Ok(numbers.iter().sum())
//! }).await?;
//! ```
//!
//! # What a wait costs
//!
//! A sleeper checks once a second whether a death was missed. Many sleepers share that: from 64
//! on, each checks once in four seconds. 100 of them took 0.4 to 0.7 per cent of a processor in
//! all, and 1,000 took 4 to 5. Each thread that joins the segment, leaves it or dies wakes its
//! sleepers, too: `docs/GROWTH.md` has what that costs. A wait takes at most 8 KiB of the thread's
//! stack, the thread's registration in the segment included.
//!
//! Without `futex_waitv` each sleeper checks by itself, every 20 ms at first. The longer it has
//! waited, the less often it checks, down to every 80 ms. So a death is noticed at most 20 ms late
//! early in a wait, and at most 80 ms late afterwards.
//!
//! # Threads of a killed process
//!
//! SIGKILL ends the threads of a process one by one. One of them may be in the middle of a long
//! system call. The call may write into the data of a lock that another of these threads held, as a
//! read from a file does. It goes on until the call ends. So a [`Mutex`], [`RwLock`] or
//! [`ReentrantMutex`] whose holder died is handed on only when SIGKILL is pending for no other
//! thread of its process. Waiters wait for that, usually a moment; the `try_` methods return
//! [`TryLockError::WouldBlock`]. A process in another PID namespace, or one that /proc does not
//! show, cannot be looked up. Then the data may still change while the next holder has it, until
//! the call ends.
//!
//! # Robust mutexes of the C library
//!
//! A thread's lifelines lie in the same list as the robust mutexes that it locks
//! (`pthread_mutex_t`). The kernel marks both when the thread ends, in whatever order they were
//! locked. With musl there are two exceptions, both at the end of a thread that ends by itself. If
//! a destructor of `pthread_key_create` locks a robust mutex, the thread's end may be noticed a
//! second late. If the thread is killed in the middle of such a lock or unlock, the robust mutex
//! may stay locked.
//!
//! # fork
//!
//! A forked child is another participant. The holds of its parent stay the parent's. The child has
//! copies of the parent's guards, and dropping a copy releases nothing. But a copy still gives its
//! reference. A child that uses it reads or writes at the same time as the parent, which is
//! undefined behaviour. `fork` is an unsafe function for reasons such as this one. Its caller
//! promises that the child uses no guard that existed at the fork: neither the guard itself, nor a
//! reference that it gave. The child drops or forgets such guards, and locks anew.
//!
//! A child of `vfork` shares all memory with its parent, and must only exec. A child of a raw
//! `clone` has no robust list and cannot take part; it gets an error.
//!
//! # Who comes first
//!
//! | primitive | order |
//! |-----------|-------|
//! | [`Mutex`], [`Lock`], [`ReentrantMutex`] | none: a thread that comes while the lock is free takes it, even if others have waited for longer. Each release wakes one waiter. |
//! | [`RwLock`] | a waiting writer keeps new readers out; the release of a writer wakes all waiters, and any of them may be first |
//! | [`Semaphore`] | none among waiters for one permit; a waiter for many takes no permits before all are available, and waiters for fewer may overtake it |
//! | [`PermitPool`] | none: the first thread that tries takes a free permit |
//! | [`Condvar`] | `notify_one` wakes a waiter that slept when it was called; which one, the kernel decides. [`Woken::Notified`] goes to a thread that waited then: the first one that has the lock again |
//! | [`Event`] | a `set` releases all that waited; an auto-reset event releases one, in no order |
//! | [`Barrier`] | a generation has as many threads as parties; further ones wait for the next, in no order |
//! | [`MessageQueue`] | as [`Queue`]; senders of long messages get room one after the other, and senders of short ones pass them |
//! | [`Queue`] | each sender's items in the order of its sends; a freed cell goes to the first sender that tries, an item to the first receiver |
//! | [`Pipe`] | messages in the order of their sends |
//! | [`TaskQueue`] | about the order in which tasks were published; by turns with them, what failed or was given back |
//! | [`Once`], [`OnceLock`] | the first caller makes the value; after a death or a panic, any of those that wait |

#[allow(unused_imports)] // for the links above
use crate::{
    AcquireError, ArrayQueue, ArrayTaskQueue, Barrier, BarrierError, BarrierWaitResult, Condvar, CondvarError,
    DuplexPipe, Event, LazyLock, Lock, LockError, MessageQueue, Mutex, MutexSegment, NotHeldError, Once, OnceError,
    OnceLock, PermitPool, Pipe, PipeReceiver, PipeRecvError, PipeSendError, PipeSender, Queue, RangeError, RecvError,
    RecvMessageError, RecvTimeoutError, ReentrantMutex, ReleaseError, RwLock, RwLockSegment, Segment, SegmentOptions,
    Semaphore, SendError, SendMessageError, SendTimeoutError, SharedMemory, Task, TaskQueue, TryLockError,
    TryRecvError, TrySendError, WaitError, WaitSource, Woken,
};
