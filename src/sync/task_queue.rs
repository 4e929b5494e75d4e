//! [`TaskQueue`]: work that is not lost with its worker.

mod array;
mod guard;
mod segment;
mod slot;
mod source;

pub use array::ArrayTaskQueue;
pub use guard::{Task, TaskLoan};
pub use segment::{TaskQueueRoot, TaskQueueSegment};
pub use slot::TaskSlot;

use super::queue::NotSent;
use super::result::{FromRaw, no_deadline, refused};
use super::{Deadline, take_part_to_wake};
use crate::ParticipantId;
use crate::error::{
    NotInSegmentError, RecvError, RecvTimeoutError, SendError, SendTimeoutError, TryRecvError, TrySendError,
    UnfinishedError, UnfinishedTimeoutError,
};
use crate::platform::{Linux, Platform};
use crate::raw;
use crate::raw::task_queue::{Cells, NotClaimed, SlotWords, Slots, Tasks};
use crate::segment::{Shareable, local};
use core::fmt;
use std::time::{Duration, Instant};

/// A bounded queue of tasks in memory that processes share. A task that was sent is given out until
/// a worker says that it is done.
///
/// A worker takes a [`Task`]: a guard, through which it uses the item in place. If the worker dies,
/// or panics, or drops the guard, the task is given out again. If all processes have ended, who
/// opens the queue next gets the tasks. They are lost only with the segment:
/// [`Segment`](crate::Segment) says how long a name lasts. So a task may be begun more than once:
/// *at least once* is the promise, and [`Task::attempts`] says which attempt it is.
///
/// A producer [sends](Self::send) an item, or [reserves](Self::reserve) room, and writes the item
/// in place. Nothing copies it after that, so items may have megabytes.
///
/// | where the task queue is                     | type                           | capacity           |
/// |---------------------------------------------|--------------------------------|--------------------|
/// | in a segment of its own                     | [`TaskQueueSegment<T>`], which [`create`](Self::create) and its kin give | chosen at run time |
/// | in a field of a type that lies in a segment | [`ArrayTaskQueue<T, N>`]       | `N`                |
///
/// Both dereference to `TaskQueue<T>`.
///
/// ```
/// use outlive::{Shareable, TaskQueue};
///
/// #[derive(Shareable)]
/// #[repr(C)]
/// struct Job {
///     number: u64,
/// }
///
/// # let name = &format!("outlive-doc-task-queue-{}", std::process::id());
/// // Each process calls this:
/// let jobs = TaskQueue::<Job>::open_or_create(name, 1024)?;
/// // One of them:
/// jobs.send(Job { number: 7 })?;
/// jobs.close()?; // nothing more will come
/// // Each worker:
/// while let Ok(job) = jobs.take() {
///     println!("job {}, attempt {}", job.number, job.attempts());
///     job.done()?;
/// }
/// // It stays closed. So the next run makes a new one:
/// TaskQueue::<Job>::remove(name)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # If a process dies
///
/// | participant                               | what the others see                                            |
/// |-------------------------------------------|----------------------------------------------------------------|
/// | a producer, before its item is published  | nothing of the item; its room is free again                    |
/// | a producer, after that                    | the task                                                       |
/// | a worker, while it takes a task           | the task, with or without one more attempt                     |
/// | a worker that has a [`Task`]              | the task once more, with one more attempt                      |
/// | a worker, in the middle of `done`         | the task is done, or is given out once more                    |
/// | a waiter                                  | nothing                                                        |
///
/// No supervisor is needed: whoever looks for a task finds those of the dead, and each death makes
/// the sleepers look.
///
/// What a worker has changed in the item stays changed. A worker that may find a part of another's
/// work there either begins anew, or leaves the item as it is and writes its result elsewhere.
///
/// # Tasks that kill their workers
///
/// After [so many attempts](Self::set_max_attempts), a task is *set aside*: no worker gets it any
/// more. It keeps its room until somebody [takes it](Self::set_aside) to see what is wrong with it.
/// Without a limit, which is how a task queue begins, a task is given out again forever.
///
/// # If a guard is leaked
///
/// The guard's thread has the task as long as the thread lives. If the thread ends, and its process
/// lives on, the task is not given out: another thread of that process may still use a reference
/// that the guard gave. When that process ends, the task goes out again. So it is with the room of
/// a leaked [`TaskLoan`]. [`take_back`](Self::take_back) is for callers that know better.
///
/// # If a process is stopped
///
/// A worker or producer that is stopped (SIGSTOP, a debugger) keeps its task or room, and delays
/// nobody else. There is no lease that ends by time: a slow worker is alive.
///
/// If a worker is stopped in the middle of a call that takes, this may delay tasks that failed,
/// that were given back, or that dead workers left. They then wait until a worker finds no other
/// task, another task fails or is given back, or somebody dies.
#[repr(C)]
pub struct TaskQueue<T: Shareable> {
    pub(super) words: raw::TaskQueue<Linux>,
    slots: [TaskSlot<T>],
}

impl<T> Cells<Linux> for [TaskSlot<T>] {
    const ITEMS_ARE_HINTS: bool = true;

    #[inline(always)]
    fn capacity(&self) -> usize {
        self.len()
    }
    #[inline(always)]
    fn word(&self, index: usize) -> &<Linux as Platform>::Word64 {
        self[index].words.cell()
    }
}

impl<T> Slots<Linux> for [TaskSlot<T>] {
    #[inline(always)]
    fn slot(&self, index: usize) -> &SlotWords<Linux> {
        &self[index].words
    }
}

impl<T: Shareable> TaskQueue<T> {
    #[inline(always)]
    fn tasks(&self) -> Tasks<'_, Linux, [TaskSlot<T>]> {
        self.words.with(&self.slots)
    }

    /// Sends an item. Waits for room as long as it takes. A signal ends the wait only in an
    /// [interruptible scope](crate::interruptible).
    ///
    /// The item is copied into its room. [`reserve`](Self::reserve) needs no copy.
    ///
    /// # Errors
    /// [`SendError::Disconnected`] if the queue is closed; [`SendError::Interrupted`];
    /// [`SendError::Register`].
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    #[inline]
    pub fn send(&self, item: T) -> Result<(), SendError<T>> {
        match self.reserve() {
            Ok(loan) => {
                loan.fill(item);
                Ok(())
            }
            Err(error) => Err(error.map(|()| item)),
        }
    }

    /// Sends an item if that takes no waiting.
    ///
    /// # Errors
    /// [`TrySendError::Full`] if there is no room; [`TrySendError::Disconnected`] if the queue is
    /// closed; [`TrySendError::Register`].
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    #[inline]
    pub fn try_send(&self, item: T) -> Result<(), TrySendError<T>> {
        match self.try_reserve() {
            Ok(loan) => {
                loan.fill(item);
                Ok(())
            }
            Err(error) => Err(error.map(|()| item)),
        }
    }

    /// Sends an item. Waits for room at most that long (monotonic time). [`Duration::MAX`] waits
    /// forever.
    ///
    /// # Errors
    /// Those of [`send`](Self::send), and [`SendTimeoutError::TimedOut`].
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    pub fn send_timeout(&self, item: T, timeout: Duration) -> Result<(), SendTimeoutError<T>> {
        self.send_by(item, Deadline::after(timeout))
    }

    /// Sends an item. Waits for room at most until that moment.
    ///
    /// # Errors
    /// Those of [`send`](Self::send), and [`SendTimeoutError::TimedOut`].
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    pub fn send_deadline(&self, item: T, deadline: Instant) -> Result<(), SendTimeoutError<T>> {
        self.send_by(item, Deadline::at(deadline))
    }

    fn send_by(&self, item: T, deadline: Deadline) -> Result<(), SendTimeoutError<T>> {
        match self.reserve_with(deadline) {
            Ok(loan) => {
                loan.fill(item);
                Ok(())
            }
            Err(error) => Err(SendTimeoutError::from(((), error)).map(|()| item)),
        }
    }

    /// Reserves room for an item, to be filled in place for as long as that takes. Waits for room
    /// as long as it takes.
    ///
    /// ```
    /// # let jobs = outlive::TaskQueue::<[u8; 1 << 20]>::anonymous(2)?;
    /// let mut image = jobs.reserve()?; // a mebibyte, which nothing copies
    /// image.fill(255);
    /// image.publish()?;
    /// assert_eq!(jobs.take()?[0], 255);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`send`](Self::send), without an item.
    ///
    /// # If a process dies
    /// The room is free again.
    #[inline]
    pub fn reserve(&self) -> Result<TaskLoan<'_, T>, SendError<()>> {
        self.reserve_with(Deadline::NEVER).map_err(|error| SendError::from(((), error)))
    }

    /// Reserves room for an item if that takes no waiting.
    ///
    /// # Errors
    /// Those of [`try_send`](Self::try_send), without an item.
    ///
    /// # If a process dies
    /// The room is free again.
    #[inline]
    pub fn try_reserve(&self) -> Result<TaskLoan<'_, T>, TrySendError<()>> {
        self.reserve_with(Deadline::Immediate).map_err(|error| TrySendError::from(((), error)))
    }

    /// Reserves room for an item. Waits for it at most that long (monotonic time).
    /// [`Duration::MAX`] waits forever.
    ///
    /// # Errors
    /// Those of [`reserve`](Self::reserve), and [`SendTimeoutError::TimedOut`].
    ///
    /// # If a process dies
    /// The room is free again.
    pub fn reserve_timeout(&self, timeout: Duration) -> Result<TaskLoan<'_, T>, SendTimeoutError<()>> {
        self.reserve_with(Deadline::after(timeout)).map_err(|error| SendTimeoutError::from(((), error)))
    }

    /// Reserves room for an item. Waits for it at most until that moment.
    ///
    /// # Errors
    /// Those of [`reserve`](Self::reserve), and [`SendTimeoutError::TimedOut`].
    ///
    /// # If a process dies
    /// The room is free again.
    pub fn reserve_deadline(&self, deadline: Instant) -> Result<TaskLoan<'_, T>, SendTimeoutError<()>> {
        self.reserve_with(Deadline::at(deadline)).map_err(|error| SendTimeoutError::from(((), error)))
    }

    #[inline(always)]
    fn reserve_with(&self, deadline: Deadline) -> Result<TaskLoan<'_, T>, NotSent> {
        let me = local::participant(self).map_err(NotSent::Register)?;
        let reserved = match deadline {
            Deadline::Immediate => self.tasks().try_reserve(me),
            Deadline::By(deadline) => self.tasks().reserve(me, deadline),
        };
        reserved.map(|loan| TaskLoan::new(self, loan)).map_err(NotSent::Raw)
    }

    /// Takes a task. Waits for one as long as it takes. A signal ends the wait only in an
    /// [interruptible scope](crate::interruptible).
    ///
    /// Tasks are given out in about the order in which they were published. Those that failed, that
    /// were given back, or that dead workers left, are given out by turns with the others, and with
    /// each other. So a task that fails each time keeps no other from its turn. What a dead worker
    /// left is found by a worker that finds no other task, and by one that has slept. A
    /// worker that finds tasks all the time looks for deaths after each sixteen of them.
    ///
    /// # Errors
    /// [`RecvError::Disconnected`] if the queue is closed, and all tasks are done or set aside. A
    /// task that another worker has may come back, so the caller waits for its end.
    /// [`RecvError::Interrupted`]; [`RecvError::Register`].
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    #[inline]
    pub fn take(&self) -> Result<Task<'_, T>, RecvError> {
        self.take_with(Deadline::NEVER)
    }

    /// Takes a task if that takes no waiting. If there is none, this has read all slots: what a
    /// dead worker left is found.
    ///
    /// # Errors
    /// [`TryRecvError::Empty`] if there is no task; [`TryRecvError::Disconnected`] if none will
    /// come; [`TryRecvError::Register`].
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    #[inline]
    pub fn try_take(&self) -> Result<Task<'_, T>, TryRecvError> {
        self.take_with(Deadline::Immediate)
    }

    /// Takes a task. Waits for one at most that long (monotonic time). [`Duration::MAX`] waits
    /// forever.
    ///
    /// # Errors
    /// Those of [`take`](Self::take), and [`RecvTimeoutError::TimedOut`].
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    pub fn take_timeout(&self, timeout: Duration) -> Result<Task<'_, T>, RecvTimeoutError> {
        self.take_with(Deadline::after(timeout))
    }

    /// Takes a task. Waits for one at most until that moment.
    ///
    /// # Errors
    /// Those of [`take`](Self::take), and [`RecvTimeoutError::TimedOut`].
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    pub fn take_deadline(&self, deadline: Instant) -> Result<Task<'_, T>, RecvTimeoutError> {
        self.take_with(Deadline::at(deadline))
    }

    #[inline(always)]
    fn take_with<E: FromRaw<NotClaimed>>(&self, deadline: Deadline) -> Result<Task<'_, T>, E> {
        let me = local::participant(self)?;
        let taken = match deadline {
            Deadline::Immediate => self.tasks().try_take(me),
            Deadline::By(deadline) => self.tasks().take(me, deadline),
        };
        taken.map(|taken| Task::new(self, taken)).map_err(refused::<_, E>)
    }

    /// Waits until there is no task but what is set aside: all that was sent is done. As Python's
    /// `JoinableQueue.join`.
    ///
    /// Tasks that are sent meanwhile count, and so do those of dead workers, which others must do.
    ///
    /// ```
    /// # let jobs = outlive::TaskQueue::<u64>::anonymous(8)?;
    /// std::thread::scope(|scope| {
    ///     scope.spawn(|| jobs.take().unwrap().done().unwrap());
    ///     jobs.send(7)?;
    ///     jobs.join()
    ///     # .map_err(Box::<dyn std::error::Error>::from)
    /// })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`UnfinishedError::Interrupted`]; [`UnfinishedError::Register`].
    ///
    /// # If a process dies
    /// Its tasks are still to be done. The death of another waiter disturbs nobody.
    pub fn join(&self) -> Result<(), UnfinishedError> {
        self.join_with(Deadline::NEVER)
    }

    /// As [`join`](Self::join), and waits at most that long (monotonic time). [`Duration::MAX`]
    /// waits forever.
    ///
    /// # Errors
    /// Those of `join`, and [`UnfinishedTimeoutError::TimedOut`].
    ///
    /// # If a process dies
    /// As `join`.
    pub fn join_timeout(&self, timeout: Duration) -> Result<(), UnfinishedTimeoutError> {
        self.join_with(Deadline::after(timeout))
    }

    /// As [`join`](Self::join), and waits at most until that moment.
    ///
    /// # Errors
    /// Those of `join`, and [`UnfinishedTimeoutError::TimedOut`].
    ///
    /// # If a process dies
    /// As `join`.
    pub fn join_deadline(&self, deadline: Instant) -> Result<(), UnfinishedTimeoutError> {
        self.join_with(Deadline::at(deadline))
    }

    fn join_with<E: FromRaw<Unfinished>>(&self, deadline: Deadline) -> Result<(), E> {
        let me = local::participant(self)?;
        self.tasks().wait_until_done(me, deadline.deadline()).map_err(|error| refused(Unfinished(error)))
    }

    /// Takes the tasks that are set aside at the moment, one after the other.
    ///
    /// [`done`](Task::done) removes such a task, and [`give_back`](Task::give_back) lets it have
    /// one more attempt. If it is dropped, or its process dies, it is set aside as before. If
    /// [`set_max_attempts`](Self::set_max_attempts) has allowed more attempts meanwhile, it is
    /// given out again instead.
    ///
    /// ```
    /// # let jobs = outlive::TaskQueue::<u64>::anonymous(8)?;
    /// jobs.set_max_attempts(1);
    /// jobs.send(7)?;
    /// drop(jobs.take()?); // not done
    /// assert_eq!((jobs.len(), jobs.set_aside_len()), (0, 1));
    /// for task in jobs.set_aside() {
    ///     println!("{} was tried {} times", *task, task.attempts());
    ///     task.done()?;
    /// }
    /// assert_eq!(jobs.set_aside_len(), 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// A thread that cannot take part in the segment gets none.
    ///
    /// # If a process dies
    /// The task is set aside as before, or is given out again if more attempts are allowed now.
    pub fn set_aside(&self) -> impl Iterator<Item = Task<'_, T>> + '_ {
        let mut from = 0;
        std::iter::from_fn(move || {
            let taken = self.tasks().take_aside(local::participant(self).ok()?, from)?;
            from = taken.index() + 1;
            Some(Task::new(self, taken))
        })
    }

    /// The number of attempts after which a task is [set aside](Self::set_aside); 0: never.
    pub fn max_attempts(&self) -> u32 {
        self.words.limit()
    }

    /// Chooses after how many attempts a task is [set aside](Self::set_aside). 0: never, which is
    /// how a task queue begins. Any process may change it at any time. It counts when an attempt
    /// ends.
    pub fn set_max_attempts(&self, attempts: u32) {
        self.words.set_limit(attempts);
    }

    /// Takes back all that a participant has here: its tasks are given out again, as if it had
    /// dropped them, and its loans are free. Returns how many that were. Whoever still has one of
    /// the guards gets an error from `done` or `publish`, and its drop does nothing.
    ///
    /// If that participant calls `done`, `give_back` or `publish` at the same moment, the attempts
    /// of the next task in that room may be wrong, and a [`join`](Self::join) may overlook a task.
    ///
    /// It is for what a thread leaked before it ended, or for a worker that is known to be stuck.
    ///
    /// # Safety
    /// No guard of that participant is dereferenced from now on, and no reference that one of them
    /// gave is used any more, in any process.
    ///
    /// # Errors
    /// The queue is in no segment.
    ///
    /// # If a process dies
    /// Some were taken back, and others not.
    pub unsafe fn take_back(&self, holder: ParticipantId) -> Result<usize, NotInSegmentError> {
        take_part_to_wake(self)?;
        Ok(self.tasks().take_back(holder))
    }

    /// Closes the queue forever: nothing more can be sent. Who has [reserved](Self::reserve) room
    /// may still publish. Workers get [`RecvError::Disconnected`] when all tasks are done or set
    /// aside. Returns whether the queue was open.
    ///
    /// A named queue stays closed until its name is removed:
    /// [`open_or_create`](Self::open_or_create) gives the closed one.
    ///
    /// # Errors
    /// The queue is in no segment.
    ///
    /// # If a process dies
    /// The queue is closed, or it is not.
    pub fn close(&self) -> Result<bool, NotInSegmentError> {
        take_part_to_wake(self)?;
        Ok(self.tasks().close())
    }

    /// Whether the queue is closed. Tasks may still be in it.
    pub fn is_closed(&self) -> bool {
        self.words.is_closed()
    }

    /// The number of tasks at the moment that no worker has. This and the other numbers are counted
    /// slot by slot, and are exact while nobody sends, takes or ends.
    pub fn len(&self) -> usize {
        self.tasks().len()
    }

    /// Whether [`len`](Self::len) is 0. Workers may still have tasks.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number of tasks at the moment that workers have, dead or alive.
    pub fn in_flight(&self) -> usize {
        self.tasks().in_flight()
    }

    /// The number of tasks at the moment that are [set aside](Self::set_aside).
    pub fn set_aside_len(&self) -> usize {
        self.tasks().set_aside()
    }

    /// Who has a task at the moment, dead or alive: one entry for each task.
    /// [`Segment::participant`](crate::Segment::participant) says which process that is.
    pub fn workers(&self) -> impl Iterator<Item = ParticipantId> + '_ {
        self.tasks().workers()
    }

    /// The most items that can be in the queue: tasks, what is set aside, and what is reserved.
    pub fn capacity(&self) -> usize {
        self.slots.len()
    }
}

impl<T: Shareable> fmt::Debug for TaskQueue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskQueue")
            .field("len", &self.len())
            .field("in_flight", &self.in_flight())
            .field("set_aside", &self.set_aside_len())
            .field("capacity", &self.capacity())
            .field("closed", &self.is_closed())
            .finish()
    }
}

/// Why a participant did not see the end of all tasks.
struct Unfinished(NotClaimed);

impl FromRaw<Unfinished> for UnfinishedError {
    fn from_raw(Unfinished(refusal): Unfinished) -> Self {
        match refusal {
            NotClaimed::Interrupted => Self::Interrupted,
            NotClaimed::WouldBlock | NotClaimed::TimedOut | NotClaimed::Closed => no_deadline(),
        }
    }
}

impl FromRaw<Unfinished> for UnfinishedTimeoutError {
    fn from_raw(Unfinished(refusal): Unfinished) -> Self {
        match refusal {
            NotClaimed::Interrupted => Self::Interrupted,
            NotClaimed::WouldBlock | NotClaimed::TimedOut | NotClaimed::Closed => Self::TimedOut,
        }
    }
}
