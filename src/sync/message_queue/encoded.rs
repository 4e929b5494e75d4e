//! Values of any serde type as messages, encoded by postcard.

use super::{MessageQueue, MessageReader};
use crate::error::{
    RecvFailure, RecvMessageError, RecvMessageTimeoutError, SendFailure, SendMessageError, SendMessageTimeoutError,
    TryRecvMessageError, TrySendMessageError,
};
use crate::raw::queue::NotClaimed;
use crate::sync::Deadline;
use crate::sync::encoding::{Bytes, decode, encode};
use crate::sync::result::FromRaw;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::time::{Duration, Instant};

impl Bytes for MessageReader<'_> {
    fn left(&self) -> usize {
        self.len()
    }
}

/// Values of any serde type: the feature `serde`.
impl MessageQueue {
    /// Sends a value, encoded by [`postcard`](https://docs.rs/postcard) straight into the memory of
    /// the queue. The receiver must expect the same type: the encoding does not name it.
    ///
    /// ```
    /// use outlive::MessageQueue;
    /// use serde::{Deserialize, Serialize};
    ///
    /// #[derive(Debug, PartialEq, Serialize, Deserialize)]
    /// struct Job {
    ///     name: String,
    ///     parts: Vec<u32>,
    /// }
    ///
    /// let queue = MessageQueue::anonymous(8, 1024)?;
    /// let job = Job { name: "sum".into(), parts: vec![1, 2, 3] };
    /// queue.send(&job)?;
    /// assert_eq!(queue.recv::<Job>()?, job);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// It is [`send_with`](Self::send_with), so receivers wait for the end of the encoding.
    ///
    /// # Panics
    /// If the `Serialize` of the type panics. Nothing is sent then.
    ///
    /// # Errors
    /// Those of [`send_bytes`](Self::send_bytes), and [`SendMessageError::Encode`] if the value
    /// cannot be encoded.
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    #[inline]
    pub fn send<T: Serialize + ?Sized>(&self, value: &T) -> Result<(), SendMessageError> {
        self.send_value(value, Deadline::NEVER)
    }

    /// As [`send`](Self::send), if that takes no waiting.
    ///
    /// # Errors
    /// Those of [`send`](Self::send); [`TrySendMessageError::Full`] if it would have to wait.
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    #[inline]
    pub fn try_send<T: Serialize + ?Sized>(&self, value: &T) -> Result<(), TrySendMessageError> {
        self.send_value(value, Deadline::Immediate)
    }

    /// As [`send`](Self::send), but waits at most that long (monotonic time).
    /// [`Duration::MAX`] waits forever.
    ///
    /// # Errors
    /// Those of [`send`](Self::send), and [`SendMessageTimeoutError::TimedOut`].
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    pub fn send_timeout<T: Serialize + ?Sized>(
        &self,
        value: &T,
        timeout: Duration,
    ) -> Result<(), SendMessageTimeoutError> {
        self.send_value(value, Deadline::after(timeout))
    }

    /// As [`send`](Self::send), but waits at most until that moment.
    ///
    /// # Errors
    /// Those of [`send`](Self::send), and [`SendMessageTimeoutError::TimedOut`].
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    pub fn send_deadline<T: Serialize + ?Sized>(
        &self,
        value: &T,
        deadline: Instant,
    ) -> Result<(), SendMessageTimeoutError> {
        self.send_value(value, Deadline::at(deadline))
    }

    fn send_value<T: Serialize + ?Sized, E: SendFailure + FromRaw<NotClaimed>>(
        &self,
        value: &T,
        deadline: Deadline,
    ) -> Result<(), E> {
        self.send_by(|writer| encode(value, writer), deadline)
    }

    /// Receives a value, decoded by [`postcard`](https://docs.rs/postcard) straight from the memory
    /// of the queue.
    ///
    /// If the bytes are no such value, or if bytes are left, the message is dropped. The next one
    /// can be received. A type with a sequence of zero-sized elements, such as `Vec<()>`, has
    /// values of any length that take hardly any bytes. To decode a length that nobody sent may
    /// then take years.
    ///
    /// # Panics
    /// If the `Deserialize` of the type panics. The message is received then.
    ///
    /// # Errors
    /// Those of [`recv_bytes`](Self::recv_bytes), and [`RecvMessageError::Decode`] if the message
    /// is no value of this type.
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    #[inline]
    pub fn recv<T: DeserializeOwned>(&self) -> Result<T, RecvMessageError> {
        self.recv_value(Deadline::NEVER)
    }

    /// As [`recv`](Self::recv), if that takes no waiting.
    ///
    /// # Errors
    /// Those of [`recv`](Self::recv); [`TryRecvMessageError::Empty`] if it would have to wait.
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    #[inline]
    pub fn try_recv<T: DeserializeOwned>(&self) -> Result<T, TryRecvMessageError> {
        self.recv_value(Deadline::Immediate)
    }

    /// As [`recv`](Self::recv), but waits at most that long (monotonic time).
    /// [`Duration::MAX`] waits forever.
    ///
    /// # Errors
    /// Those of [`recv`](Self::recv), and [`RecvMessageTimeoutError::TimedOut`].
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    pub fn recv_timeout<T: DeserializeOwned>(&self, timeout: Duration) -> Result<T, RecvMessageTimeoutError> {
        self.recv_value(Deadline::after(timeout))
    }

    /// As [`recv`](Self::recv), but waits at most until that moment.
    ///
    /// # Errors
    /// Those of [`recv`](Self::recv), and [`RecvMessageTimeoutError::TimedOut`].
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    pub fn recv_deadline<T: DeserializeOwned>(&self, deadline: Instant) -> Result<T, RecvMessageTimeoutError> {
        self.recv_value(Deadline::at(deadline))
    }

    fn recv_value<T: DeserializeOwned, E: RecvFailure + FromRaw<NotClaimed>>(
        &self,
        deadline: Deadline,
    ) -> Result<T, E> {
        self.recv_by(|reader| decode(reader), deadline)
    }
}
