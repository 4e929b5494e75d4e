//! Values of any serde type as messages, encoded by postcard.

use super::{MessageQueue, MessageReader, MessageWriter};
use crate::error::{
    RecvFailure, RecvMessageError, RecvMessageTimeoutError, SendFailure, SendMessageError, SendMessageTimeoutError,
    TryRecvMessageError, TrySendMessageError,
};
use crate::raw::queue::NotClaimed;
use crate::sync::Deadline;
use crate::sync::result::FromRaw;
use core::cell::OnceCell;
use postcard::{de_flavors, ser_flavors};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io::{self, BufRead, Read, Write};
use std::time::{Duration, Instant};

/// Encoding goes into a message.
struct Encoding<'w, 'q>(&'w mut MessageWriter<'q>);

impl ser_flavors::Flavor for Encoding<'_, '_> {
    type Output = ();

    #[inline]
    fn try_extend(&mut self, data: &[u8]) -> postcard::Result<()> {
        self.0.write_all(data).map_err(|_| postcard::Error::SerializeBufferFull)
    }
    #[inline]
    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.try_extend(&[byte])
    }
    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}

/// Decoding comes from a message.
struct Decoding<'d, 'r, 'q> {
    reader: &'r mut MessageReader<'q>,
    /// What was asked for last, in one piece.
    piece: Vec<u8>,
    /// All that was not read before the first bytes that must be kept to the end.
    kept: &'d OnceCell<Vec<u8>>,
    /// What is left of these, once there are any.
    rest: Option<&'d [u8]>,
}

impl Decoding<'_, '_, '_> {
    fn left(&self) -> usize {
        self.rest.map_or(self.reader.len(), <[u8]>::len)
    }
}

const END: postcard::Error = postcard::Error::DeserializeUnexpectedEnd;

impl<'d, 'r: 'd, 'q: 'd> de_flavors::Flavor<'d> for Decoding<'d, 'r, 'q> {
    type Remainder = usize;
    type Source = ();

    #[inline]
    fn pop(&mut self) -> postcard::Result<u8> {
        if let Some(rest) = &mut self.rest {
            let (first, later) = rest.split_first().ok_or(END)?;
            *rest = later;
            return Ok(*first);
        }
        let first = *self.reader.fill_buf().map_err(|_| END)?.first().ok_or(END)?;
        self.reader.consume(1);
        Ok(first)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left())
    }

    fn try_take_n(&mut self, count: usize) -> postcard::Result<&'d [u8]> {
        if count > self.left() {
            return Err(END);
        }
        let rest = match self.rest {
            Some(rest) => rest,
            None => {
                let mut all = vec![0; self.left()];
                self.reader.read_exact(&mut all).map_err(|_| END)?;
                self.kept.get_or_init(|| all)
            }
        };
        let (here, later) = rest.split_at(count);
        self.rest = Some(later);
        Ok(here)
    }

    fn try_take_n_temp<'a>(&'a mut self, count: usize) -> postcard::Result<&'a [u8]>
    where
        'd: 'a,
    {
        if self.rest.is_some() {
            return self.try_take_n(count);
        }
        if count > self.left() {
            return Err(END); // before anything is allocated for it
        }
        self.piece.resize(count, 0);
        self.reader.read_exact(&mut self.piece).map_err(|_| END)?;
        Ok(&self.piece)
    }

    fn finalize(self) -> postcard::Result<usize> {
        Ok(self.left())
    }
}

fn decode<T: DeserializeOwned>(reader: &mut MessageReader<'_>) -> io::Result<T> {
    let kept = OnceCell::new();
    let decoding = Decoding { reader, piece: vec![], kept: &kept, rest: None };
    let mut deserializer = postcard::Deserializer::from_flavor(decoding);
    let decoded = T::deserialize(&mut deserializer).and_then(|value| Ok((value, deserializer.finalize()?)));
    match decoded {
        Ok((value, 0)) => Ok(value),
        Ok((_, left)) => Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!(
                "the value was expected to be the whole message, but {left} bytes are left; send and receive the same type"
            ),
        )),
        Err(error) => Err(io::Error::new(io::ErrorKind::InvalidData, error)),
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
        self.send_by(
            |writer| postcard::serialize_with_flavor(value, Encoding(writer)).map_err(io::Error::other),
            deadline,
        )
    }

    /// Receives a value, decoded by [`postcard`](https://docs.rs/postcard) straight from the memory
    /// of the queue.
    ///
    /// If the bytes are no such value, or if bytes are left, the message is dropped. The next one
    /// can be received.
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
        self.recv_by(decode, deadline)
    }
}
