//! Values of any serde type as messages, encoded by postcard.

use super::receiver::NotReceived;
use super::sender::NotSent;
use super::{PipeReceiver, PipeSender};
use crate::error::{
    PipeRecvError, PipeRecvTimeoutError, PipeSendError, PipeSendTimeoutError, PipeTryRecvError, PipeTrySendError,
};
use crate::sync::Deadline;
use crate::sync::encoding::{decode, encode};
use core::mem;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::time::{Duration, Instant};

/// How many bytes of memory are kept for the next value.
const MOST_KEPT: usize = 1 << 16;

/// Values of any serde type: the feature `serde`.
impl PipeSender {
    /// Sends a value, encoded by [`postcard`](https://docs.rs/postcard). The receiver must expect
    /// the same type: the encoding does not name it.
    ///
    /// ```
    /// use outlive::Pipe;
    /// use serde::{Deserialize, Serialize};
    ///
    /// #[derive(Debug, PartialEq, Serialize, Deserialize)]
    /// struct Request {
    ///     name: String,
    ///     parts: Vec<u32>,
    /// }
    ///
    /// let pipe = Pipe::anonymous(4096)?;
    /// let (mut sender, mut receiver) = (pipe.sender()?, pipe.receiver()?);
    /// let request = Request { name: "sum".into(), parts: vec![1, 2, 3] };
    /// sender.send(&request)?;
    /// assert_eq!(receiver.recv::<Request>()?, request);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Panics
    /// If the `Serialize` of the type panics. Nothing is sent then.
    ///
    /// # Errors
    /// Those of [`send_bytes`](Self::send_bytes), and [`PipeSendError::Encode`] if the value cannot
    /// be encoded.
    ///
    /// # If a process dies
    /// As [`send_bytes`](Self::send_bytes).
    pub fn send<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), PipeSendError> {
        Ok(self.send_value(value, Deadline::NEVER)?)
    }

    /// As [`send`](Self::send), if that takes no waiting.
    ///
    /// # Panics
    /// As [`send`](Self::send).
    ///
    /// # Errors
    /// Those of [`try_send_bytes`](Self::try_send_bytes), and [`PipeTrySendError::Encode`].
    ///
    /// # If a process dies
    /// As [`send_bytes`](Self::send_bytes).
    pub fn try_send<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), PipeTrySendError> {
        Ok(self.send_value(value, Deadline::Immediate)?)
    }

    /// As [`send`](Self::send), but waits at most that long (monotonic time). [`Duration::MAX`]
    /// waits forever.
    ///
    /// # Panics
    /// As [`send`](Self::send).
    ///
    /// # Errors
    /// Those of [`send_bytes_timeout`](Self::send_bytes_timeout), and
    /// [`PipeSendTimeoutError::Encode`].
    ///
    /// # If a process dies
    /// As [`send_bytes`](Self::send_bytes).
    pub fn send_timeout<T: Serialize + ?Sized>(
        &mut self,
        value: &T,
        timeout: Duration,
    ) -> Result<(), PipeSendTimeoutError> {
        Ok(self.send_value(value, Deadline::after(timeout))?)
    }

    /// As [`send`](Self::send), but waits at most until that moment.
    ///
    /// # Panics
    /// As [`send`](Self::send).
    ///
    /// # Errors
    /// As [`send_timeout`](Self::send_timeout).
    ///
    /// # If a process dies
    /// As [`send_bytes`](Self::send_bytes).
    pub fn send_deadline<T: Serialize + ?Sized>(
        &mut self,
        value: &T,
        deadline: Instant,
    ) -> Result<(), PipeSendTimeoutError> {
        Ok(self.send_value(value, Deadline::at(deadline))?)
    }

    fn send_value<T: Serialize + ?Sized>(&mut self, value: &T, deadline: Deadline) -> Result<(), NotSent> {
        let mut bytes = mem::take(&mut self.encoded);
        bytes.clear();
        encode(value, &mut bytes).map_err(NotSent::Encode)?;
        let sent = if self.send_at_once(&bytes) { Ok(()) } else { self.send_slowly(&bytes, deadline) };
        if bytes.capacity() <= MOST_KEPT {
            self.encoded = bytes;
        }
        sent
    }
}

/// Values of any serde type: the feature `serde`.
impl PipeReceiver {
    /// Receives a value, decoded by [`postcard`](https://docs.rs/postcard).
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
    /// Those of [`recv_bytes`](Self::recv_bytes), and [`PipeRecvError::Decode`] if the message is
    /// no value of this type.
    ///
    /// # If a process dies
    /// As [`recv_bytes`](Self::recv_bytes).
    pub fn recv<T: DeserializeOwned>(&mut self) -> Result<T, PipeRecvError> {
        Ok(self.recv_value(Deadline::NEVER)?)
    }

    /// As [`recv`](Self::recv), if that takes no waiting.
    ///
    /// # Panics
    /// As [`recv`](Self::recv).
    ///
    /// # Errors
    /// Those of [`try_recv_bytes`](Self::try_recv_bytes), and [`PipeTryRecvError::Decode`].
    ///
    /// # If a process dies
    /// As [`recv_bytes`](Self::recv_bytes).
    pub fn try_recv<T: DeserializeOwned>(&mut self) -> Result<T, PipeTryRecvError> {
        Ok(self.recv_value(Deadline::Immediate)?)
    }

    /// As [`recv`](Self::recv), but waits at most that long (monotonic time). [`Duration::MAX`]
    /// waits forever.
    ///
    /// # Panics
    /// As [`recv`](Self::recv).
    ///
    /// # Errors
    /// Those of [`recv_bytes_timeout`](Self::recv_bytes_timeout), and
    /// [`PipeRecvTimeoutError::Decode`].
    ///
    /// # If a process dies
    /// As [`recv_bytes`](Self::recv_bytes).
    pub fn recv_timeout<T: DeserializeOwned>(&mut self, timeout: Duration) -> Result<T, PipeRecvTimeoutError> {
        Ok(self.recv_value(Deadline::after(timeout))?)
    }

    /// As [`recv`](Self::recv), but waits at most until that moment.
    ///
    /// # Panics
    /// As [`recv`](Self::recv).
    ///
    /// # Errors
    /// As [`recv_timeout`](Self::recv_timeout).
    ///
    /// # If a process dies
    /// As [`recv_bytes`](Self::recv_bytes).
    pub fn recv_deadline<T: DeserializeOwned>(&mut self, deadline: Instant) -> Result<T, PipeRecvTimeoutError> {
        Ok(self.recv_value(Deadline::at(deadline))?)
    }

    fn recv_value<T: DeserializeOwned>(&mut self, deadline: Deadline) -> Result<T, NotReceived> {
        let bytes = self.recv_with(deadline)?;
        decode(&mut &bytes[..]).map_err(NotReceived::Decode)
    }
}
