//! The futures of queues of messages.

use super::Task;
use crate::error::{RecvMessageError, SendMessageError};
use crate::sync::{MessageQueue, MessageReceiver, MessageSender};
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};

/// The future of [`MessageQueue::recv_bytes_async`].
#[must_use = "futures do nothing unless they are polled"]
pub struct MessageRecv<'q> {
    queue: &'q MessageQueue,
    task: Task<'q>,
}

/// The future of [`MessageQueue::send_bytes_async`].
#[must_use = "futures do nothing unless they are polled"]
pub struct MessageSend<'q> {
    queue: &'q MessageQueue,
    message: &'q [u8],
    task: Task<'q>,
}

impl MessageQueue {
    /// [`recv_bytes`](Self::recv_bytes) as a future, for any executor.
    ///
    /// The message is received within one poll. So a future that is dropped has received none. See
    /// [`WaitSource::ready`](crate::WaitSource::ready) for how it waits.
    ///
    /// ```
    /// use outlive::MessageQueue;
    ///
    /// async fn print(log: &MessageQueue) {
    ///     while let Ok(line) = log.recv_bytes_async().await {
    ///         println!("{}", String::from_utf8_lossy(&line));
    ///     }
    /// }
    /// # let _ = print;
    /// ```
    ///
    /// # Errors
    /// Those of [`recv_bytes`](Self::recv_bytes), but for [`RecvMessageError::Interrupted`].
    ///
    /// # If a process dies
    /// As [`recv_bytes`](Self::recv_bytes).
    pub fn recv_bytes_async(&self) -> MessageRecv<'_> {
        MessageRecv { queue: self, task: Task::new(self.readable()) }
    }

    /// [`send_bytes`](Self::send_bytes) as a future, for any executor.
    ///
    /// The message is sent within one poll. So a future that is dropped before it ends has sent
    /// nothing. See [`WaitSource::ready`](crate::WaitSource::ready) for how it waits, and
    /// [`writable`](Self::writable) for who goes first. Messages that need another number of
    /// [blocks](Self::block_size) count as one more of the primitives for which the crate's thread
    /// waits.
    ///
    /// ```
    /// use outlive::{MessageQueue, SendMessageError};
    ///
    /// async fn report(log: &MessageQueue, line: &str) -> Result<(), SendMessageError> {
    ///     log.send_bytes_async(line.as_bytes()).await
    /// }
    /// # let _ = report;
    /// ```
    ///
    /// # Errors
    /// Those of [`send_bytes`](Self::send_bytes), but for [`SendMessageError::Interrupted`].
    ///
    /// # If a process dies
    /// As [`send_bytes`](Self::send_bytes).
    pub fn send_bytes_async<'q>(&'q self, message: &'q [u8]) -> MessageSend<'q> {
        MessageSend { queue: self, message, task: Task::new(self.writable(message.len())) }
    }
}

impl MessageSender<'_> {
    /// As [`MessageQueue::send_bytes_async`].
    ///
    /// # Errors
    /// As there.
    ///
    /// # If a process dies
    /// As there.
    pub fn send_bytes_async<'q>(&'q self, message: &'q [u8]) -> MessageSend<'q> {
        self.queue().send_bytes_async(message)
    }
}

impl MessageReceiver<'_> {
    /// As [`MessageQueue::recv_bytes_async`].
    ///
    /// # Errors
    /// As there.
    ///
    /// # If a process dies
    /// As there.
    pub fn recv_bytes_async(&self) -> MessageRecv<'_> {
        self.queue().recv_bytes_async()
    }
}

impl Future for MessageRecv<'_> {
    type Output = Result<Vec<u8>, RecvMessageError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let queue = self.queue;
        let attempt = || match queue.try_recv_bytes() {
            Ok(message) => Some(Ok(message)),
            Err(error) => error.of_a_wait().map(Err),
        };
        self.task.poll(context, attempt).map(|result| result?)
    }
}

impl Future for MessageSend<'_> {
    type Output = Result<(), SendMessageError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { queue, message, task } = &mut *self;
        let attempt = || match queue.try_send_bytes(message) {
            Ok(()) => Some(Ok(())),
            Err(error) => error.of_a_wait().map(Err),
        };
        task.poll(context, attempt).map(|result| result?)
    }
}

impl fmt::Debug for MessageRecv<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessageRecv").finish_non_exhaustive()
    }
}

impl fmt::Debug for MessageSend<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessageSend").field("len", &self.message.len()).finish_non_exhaustive()
    }
}
