//! The futures.

use super::entry::Registered;
use super::{Notify, Task, Told};
use crate::error::{
    AcquireError, RecvError, RegisterError, SendError, TryAcquireError, TryRecvError, TrySendError, TryWaitError,
    WaitError,
};
use crate::platform::Linux;
use crate::raw::event::Set;
use crate::raw::wait_any::Source as _;
use crate::segment::{Shareable, local};
use crate::sync::wait_any::{Prepared, WaitSource};
use crate::sync::{Event, Queue, QueueReceiver, QueueSender, Semaphore};
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};

/// How often a task tries in one poll, at most.
const MOST_ATTEMPTS: usize = 16;

impl Task<'_> {
    /// Tries, and registers if there is nothing to be had.
    pub(super) fn poll<R>(
        &mut self,
        context: &Context<'_>,
        mut attempt: impl FnMut() -> Option<R>,
    ) -> Poll<Result<R, RegisterError>> {
        for _ in 0..MOST_ATTEMPTS {
            if let Some(result) = attempt() {
                self.leave();
                return Poll::Ready(Ok(result));
            }
            let registered = self.register(&mut Told::default(), || Notify::Waker(context.waker().clone()));
            match registered {
                Ok(Registered::Waiting) => {
                    // An event that was set and cleared since the attempt: its entry may count from
                    // a later moment than this task.
                    let Some(result) = self.is_for_all().then(&mut attempt).flatten() else {
                        return Poll::Pending;
                    };
                    self.leave();
                    return Poll::Ready(Ok(result));
                }
                Ok(Registered::Ready) => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        // Others are quicker each time; or the words of a primitive contradict each other, which no
        // participant wrote. The executor's thread has other tasks, too.
        self.leave();
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

/// The future of [`WaitSource::ready`].
#[must_use = "futures do nothing unless they are polled"]
pub struct WhenReady<'a> {
    /// The source since the future was made.
    prepared: Prepared<'a>,
    task: Task<'a>,
}

impl<'a> WaitSource<'a> {
    /// A future that ends when the source is ready, for any executor. It takes nothing: the caller
    /// then tries, and waits again if another was quicker.
    ///
    /// ```
    /// use outlive::Queue;
    ///
    /// async fn receive(jobs: &Queue<u64>) -> Result<Option<u64>, Box<dyn std::error::Error>> {
    ///     loop {
    ///         match jobs.try_recv() {
    ///             Ok(job) => return Ok(Some(job)),
    ///             Err(outlive::TryRecvError::Empty) => jobs.readable().ready().await?,
    ///             Err(_) => return Ok(None),
    ///         }
    ///     }
    /// }
    /// # let _ = receive;
    /// ```
    ///
    /// [`Queue::recv_async`] and its kin are made of it. Several futures at once, with `select!` of
    /// an executor, are what [`wait_any`](crate::wait_any) is for threads.
    ///
    /// # How it waits
    ///
    /// A thread of the crate, named `outlive`, sleeps for all futures and
    /// [descriptors](Self::descriptor) of the process. It is started when the first of them has to
    /// wait, and sleeps until something happens. It takes a slot in each segment of which somebody
    /// waits for a primitive, until that segment is dropped. If tasks wait for more than 60
    /// primitives at a time, another such thread is started; semaphores and locks count twice.
    ///
    /// If a future is dropped, nothing is lost: it has taken nothing before it ends. If it was
    /// about to be polled, the next task is told instead. A future that was woken must be polled or
    /// dropped: until then, others that wait for the same may not be told.
    ///
    /// # Errors
    /// The polling thread, or the crate's thread, cannot be registered as a participant of the
    /// segment; or that thread cannot be started.
    ///
    /// # If a process dies
    /// As [`wait_any`](crate::wait_any#if-a-process-dies).
    pub fn ready(self) -> WhenReady<'a> {
        WhenReady { prepared: self.prepare(), task: Task::new(self) }
    }
}

impl Future for WhenReady<'_> {
    type Output = Result<(), RegisterError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { prepared, task } = &mut *self;
        let me = local::participant(prepared.place).inspect_err(|_| drop(task.leave()))?;
        task.poll(context, || prepared.source().is_ready(me).then_some(()))
    }
}

/// The future of [`Queue::recv_async`].
#[must_use = "futures do nothing unless they are polled"]
pub struct QueueRecv<'q, T: Shareable> {
    queue: &'q Queue<T>,
    task: Task<'q>,
}

/// The future of [`Queue::send_async`].
#[must_use = "futures do nothing unless they are polled"]
pub struct QueueSend<'q, T: Shareable> {
    queue: &'q Queue<T>,
    /// Until it is sent.
    item: Option<T>,
    task: Task<'q>,
}

// Nothing in it refers to itself.
impl<T: Shareable> Unpin for QueueSend<'_, T> {}

impl<T: Shareable> Queue<T> {
    /// [`recv`](Self::recv) as a future, for any executor.
    ///
    /// The item is taken within one poll. So a future that is dropped has taken none. See
    /// [`WaitSource::ready`] for how it waits.
    ///
    /// ```
    /// use outlive::Queue;
    ///
    /// async fn sum(numbers: &Queue<u64>) -> u64 {
    ///     let mut sum = 0;
    ///     while let Ok(number) = numbers.recv_async().await {
    ///         sum += number;
    ///     }
    ///     sum
    /// }
    /// # let _ = sum;
    /// ```
    ///
    /// # Errors
    /// Those of [`recv`](Self::recv), but for [`RecvError::Interrupted`].
    ///
    /// # If a process dies
    /// As [`recv`](Self::recv).
    pub fn recv_async(&self) -> QueueRecv<'_, T> {
        QueueRecv { queue: self, task: Task::new(self.readable()) }
    }

    /// [`send`](Self::send) as a future, for any executor.
    ///
    /// The item is sent within one poll. A future that is dropped before that drops the item. See
    /// [`WaitSource::ready`] for how it waits.
    ///
    /// # Errors
    /// Those of [`send`](Self::send), but for [`SendError::Interrupted`].
    ///
    /// # Panics
    /// The future panics if it is polled after it has ended.
    ///
    /// # If a process dies
    /// As [`send`](Self::send).
    pub fn send_async(&self, item: T) -> QueueSend<'_, T> {
        QueueSend { queue: self, item: Some(item), task: Task::new(self.writable()) }
    }
}

impl<T: Shareable> QueueReceiver<'_, T> {
    /// As [`Queue::recv_async`].
    ///
    /// # Errors
    /// As there.
    ///
    /// # If a process dies
    /// As there.
    pub fn recv_async(&self) -> QueueRecv<'_, T> {
        self.queue().recv_async()
    }
}

impl<T: Shareable> QueueSender<'_, T> {
    /// As [`Queue::send_async`].
    ///
    /// # Errors
    /// As there.
    ///
    /// # Panics
    /// As there.
    ///
    /// # If a process dies
    /// As there.
    pub fn send_async(&self, item: T) -> QueueSend<'_, T> {
        self.queue().send_async(item)
    }
}

impl<T: Shareable> Future for QueueRecv<'_, T> {
    type Output = Result<T, RecvError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let queue = self.queue;
        let attempt = || match queue.try_recv() {
            Ok(item) => Some(Ok(item)),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => Some(Err(RecvError::Disconnected)),
            Err(TryRecvError::Register(error)) => Some(Err(RecvError::Register(error))),
        };
        self.task.poll(context, attempt).map(|result| result?)
    }
}

impl<T: Shareable> Future for QueueSend<'_, T> {
    type Output = Result<(), SendError<T>>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { queue, item, task } = &mut *self;
        let mut attempt = || match queue.try_send(item.take().expect("polled after it had ended")) {
            Ok(()) => Some(Ok(())),
            Err(TrySendError::Full(back)) => {
                *item = Some(back);
                None
            }
            Err(TrySendError::Disconnected(item)) => Some(Err(SendError::Disconnected(item))),
            Err(TrySendError::Register { item, error }) => Some(Err(SendError::Register { item, error })),
        };
        match task.poll(context, &mut attempt) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Ok(result)) => Poll::Ready(result),
            Poll::Ready(Err(error)) => {
                let item = item.take().expect("it was not sent");
                Poll::Ready(Err(SendError::Register { item, error }))
            }
        }
    }
}

/// The future of [`Event::wait_async`].
#[must_use = "futures do nothing unless they are polled"]
pub struct EventWait<'e> {
    event: &'e Event,
    since: Set<'e, Linux>,
    task: Task<'e>,
}

impl Event {
    /// [`wait`](Self::wait) as a future, for any executor.
    ///
    /// As with `wait`, it is enough that the event is set after the call, even if it is cleared at
    /// once; but with `auto_reset` it must be set still. See [`WaitSource::ready`] for how it
    /// waits.
    ///
    /// # Errors
    /// [`WaitError::Register`].
    ///
    /// # If a process dies
    /// As [`wait`](Self::wait).
    pub fn wait_async(&self) -> EventWait<'_> {
        EventWait { event: self, since: Set::new(&self.raw), task: Task::new(self.when_set()) }
    }
}

impl Future for EventWait<'_> {
    type Output = Result<(), WaitError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { event, since, task } = &mut *self;
        let me = local::participant(*event).inspect_err(|_| drop(task.leave()))?;
        let attempt = || match event.try_wait() {
            Ok(()) => Some(Ok(())),
            Err(TryWaitError::WouldBlock) if !event.is_auto_reset() && since.is_ready(me) => Some(Ok(())),
            Err(TryWaitError::WouldBlock) => None,
            Err(TryWaitError::Register(error)) => Some(Err(WaitError::Register(error))),
        };
        task.poll(context, attempt).map(|result| result?)
    }
}

/// The future of [`Semaphore::acquire_async`].
#[must_use = "futures do nothing unless they are polled"]
pub struct SemaphoreAcquire<'s> {
    semaphore: &'s Semaphore,
    task: Task<'s>,
}

impl Semaphore {
    /// [`acquire`](Self::acquire) as a future, for any executor.
    ///
    /// The permit is taken within one poll. So a future that is dropped has taken none. See
    /// [`WaitSource::ready`] for how it waits.
    ///
    /// # Errors
    /// [`AcquireError::Register`].
    ///
    /// # If a process dies
    /// As [`acquire`](Self::acquire).
    pub fn acquire_async(&self) -> SemaphoreAcquire<'_> {
        SemaphoreAcquire { semaphore: self, task: Task::new(self.when_available()) }
    }
}

impl Future for SemaphoreAcquire<'_> {
    type Output = Result<(), AcquireError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let semaphore = self.semaphore;
        let attempt = || match semaphore.try_acquire() {
            Ok(()) => Some(Ok(())),
            Err(TryAcquireError::WouldBlock) => None,
            Err(TryAcquireError::TooMany { wanted, maximum }) => Some(Err(AcquireError::TooMany { wanted, maximum })),
            Err(TryAcquireError::Register(error)) => Some(Err(AcquireError::Register(error))),
        };
        self.task.poll(context, attempt).map(|result| result?)
    }
}

macro_rules! debug {
    ($($future:ident [$($generics:tt)*] [$($arguments:tt)*])*) => {$(
        impl<$($generics)*> fmt::Debug for $future<$($arguments)*> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($future)).finish_non_exhaustive()
            }
        }
    )*};
}

pub(super) use debug;

debug! {
    WhenReady [] ['_]
    QueueRecv [T: Shareable] ['_, T]
    QueueSend [T: Shareable] ['_, T]
    EventWait [] ['_]
    SemaphoreAcquire [] ['_]
}
