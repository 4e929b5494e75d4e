//! The futures of task queues.

use super::futures::debug;
use super::{Task as Waiting, WhenReady};
use crate::error::{RecvError, SendError, TryRecvError, TrySendError, UnfinishedError};
use crate::segment::Shareable;
#[allow(unused_imports)] // for the links
use crate::sync::wait_any::WaitSource;
use crate::sync::{Task, TaskLoan, TaskQueue};
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};

/// The future of [`TaskQueue::take_async`].
#[must_use = "futures do nothing unless they are polled"]
pub struct TaskTake<'q, T: Shareable> {
    queue: &'q TaskQueue<T>,
    waiting: Waiting<'q>,
}

/// The future of [`TaskQueue::reserve_async`].
#[must_use = "futures do nothing unless they are polled"]
pub struct TaskReserve<'q, T: Shareable> {
    queue: &'q TaskQueue<T>,
    waiting: Waiting<'q>,
}

/// The future of [`TaskQueue::send_async`].
#[must_use = "futures do nothing unless they are polled"]
pub struct TaskSend<'q, T: Shareable> {
    reserve: TaskReserve<'q, T>,
    /// Until it is sent.
    item: Option<T>,
}

/// The future of [`TaskQueue::join_async`].
#[derive(Debug)]
#[must_use = "futures do nothing unless they are polled"]
pub struct TaskJoin<'q>(WhenReady<'q>);

// Nothing in it refers to itself.
impl<T: Shareable> Unpin for TaskSend<'_, T> {}

impl<T: Shareable> TaskQueue<T> {
    /// [`take`](Self::take) as a future, for any executor.
    ///
    /// The task is taken within one poll. So a future that is dropped has taken none. See
    /// [`WaitSource::ready`] for how it waits.
    ///
    /// The [`Task`] belongs to the thread that has polled. A future that may move between threads
    /// cannot keep it over an `.await`: it does the work at once, or copies the item, or leaves
    /// both the taking and the work to a thread that may block (`spawn_blocking`). A future of one
    /// thread can keep it (`LocalSet`), and delays nobody.
    ///
    /// ```
    /// use outlive::TaskQueue;
    ///
    /// async fn work(jobs: &TaskQueue<u64>) -> Result<u64, Box<dyn std::error::Error>> {
    ///     let mut sum = 0;
    ///     while let Ok(job) = jobs.take_async().await {
    ///         sum += *job;
    ///         job.done()?;
    ///     }
    ///     Ok(sum) // the queue is closed, and all is done
    /// }
    /// # let _ = work;
    /// ```
    ///
    /// # Errors
    /// Those of [`take`](Self::take), but for [`RecvError::Interrupted`].
    ///
    /// # If a process dies
    /// As [`take`](Self::take).
    pub fn take_async(&self) -> TaskTake<'_, T> {
        TaskTake { queue: self, waiting: Waiting::new(self.readable()) }
    }

    /// [`reserve`](Self::reserve) as a future, for any executor.
    ///
    /// The room is reserved within one poll. So a future that is dropped has reserved none. See
    /// [`WaitSource::ready`] for how it waits, and [`take_async`](Self::take_async) for what
    /// belongs to a thread: the [`TaskLoan`], too.
    ///
    /// # Errors
    /// Those of [`reserve`](Self::reserve), but for [`SendError::Interrupted`].
    ///
    /// # If a process dies
    /// As [`reserve`](Self::reserve).
    pub fn reserve_async(&self) -> TaskReserve<'_, T> {
        TaskReserve { queue: self, waiting: Waiting::new(self.writable()) }
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
    pub fn send_async(&self, item: T) -> TaskSend<'_, T> {
        TaskSend { reserve: self.reserve_async(), item: Some(item) }
    }

    /// [`join`](Self::join) as a future, for any executor. See [`WaitSource::ready`] for how it
    /// waits.
    ///
    /// # Errors
    /// [`UnfinishedError::Register`].
    ///
    /// # If a process dies
    /// As [`join`](Self::join).
    pub fn join_async(&self) -> TaskJoin<'_> {
        TaskJoin(self.when_done().ready())
    }
}

impl<'q, T: Shareable> Future for TaskTake<'q, T> {
    type Output = Result<Task<'q, T>, RecvError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let queue = self.queue;
        let attempt = || match queue.try_take() {
            Ok(task) => Some(Ok(task)),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => Some(Err(RecvError::Disconnected)),
            Err(TryRecvError::Register(error)) => Some(Err(RecvError::Register(error))),
        };
        self.waiting.poll(context, attempt).map(|result| result?)
    }
}

impl<'q, T: Shareable> Future for TaskReserve<'q, T> {
    type Output = Result<TaskLoan<'q, T>, SendError<()>>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let queue = self.queue;
        let attempt = || match queue.try_reserve() {
            Ok(loan) => Some(Ok(loan)),
            Err(TrySendError::Full(())) => None,
            Err(TrySendError::Disconnected(())) => Some(Err(SendError::Disconnected(()))),
            Err(TrySendError::Register { item, error }) => Some(Err(SendError::Register { item, error })),
        };
        let result = self.waiting.poll(context, attempt);
        result.map(|result| result.unwrap_or_else(|error| Err(SendError::Register { item: (), error })))
    }
}

impl<T: Shareable> Future for TaskSend<'_, T> {
    type Output = Result<(), SendError<T>>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { reserve, item } = &mut *self;
        assert!(item.is_some(), "polled after it had ended");
        Pin::new(reserve).poll(context).map(|reserved| {
            let item = item.take().expect("it was not sent");
            match reserved {
                Ok(loan) => {
                    loan.fill(item);
                    Ok(())
                }
                Err(error) => Err(error.map(|()| item)),
            }
        })
    }
}

impl Future for TaskJoin<'_> {
    type Output = Result<(), UnfinishedError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(context).map(|result| Ok(result?))
    }
}

debug! {
    TaskTake [T: Shareable] ['_, T]
    TaskReserve [T: Shareable] ['_, T]
    TaskSend [T: Shareable] ['_, T]
}
