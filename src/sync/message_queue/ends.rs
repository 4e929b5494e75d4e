//! [`MessageSender`] and [`MessageReceiver`]: ends of a queue. When the last one of a side is gone,
//! the queue is closed.

use super::{MessageQueue, MessageQueueSegment, MessageReader, MessageWriter};
use crate::error::{
    EndError, RecvMessageError, RecvMessageTimeoutError, RegisterError, SendMessageError, SendMessageTimeoutError,
    TryRecvMessageError, TrySendMessageError,
};
use crate::platform::Linux;
use crate::raw::Participant;
use crate::raw::queue::Ring;
use crate::segment::local;
use crate::sync::ends::{Channel, Handle, Held, Kind, an_end};
use crate::sync::forward::forward;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

impl Channel for MessageQueue {
    type Segment = MessageQueueSegment;
    type Cells = MessageQueue;

    fn me(&self) -> Result<Participant<'_, Linux>, RegisterError> {
        local::participant(self.root())
    }

    fn ring(&self) -> Ring<'_, Linux, MessageQueue> {
        self.messages().ring()
    }
}

impl MessageQueue {
    /// Takes an end for sending. Once all senders that were ever taken are gone, the queue is
    /// [closed](Self::close): receivers get [`RecvMessageError::Disconnected`] after the last
    /// message.
    ///
    /// A sender is gone when it and all its clones are dropped, or when its process has ended in
    /// any way. It borrows the queue. [`MessageQueueSegment::sender_owned`] gives one that does
    /// not.
    ///
    /// ```
    /// use outlive::{MessageQueue, RecvMessageError};
    ///
    /// let queue = MessageQueue::anonymous(8, 1024)?;
    /// let sender = queue.sender()?;
    /// std::thread::scope(|scope| {
    ///     let other = sender.clone();
    ///     scope.spawn(move || other.send_bytes(b"one").unwrap());
    /// });
    /// drop(sender);
    /// assert_eq!(queue.recv_bytes()?, b"one");
    /// assert!(matches!(queue.recv_bytes(), Err(RecvMessageError::Disconnected)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`EndError::Disconnected`] if the queue is closed; [`EndError::Full`];
    /// [`EndError::Register`].
    ///
    /// # If a process dies
    /// Its senders are gone. If they were the last ones, the queue is closed.
    pub fn sender(&self) -> Result<MessageSender<'_>, EndError> {
        Ok(MessageSender { held: Held::take(Handle::Borrowed(self), Kind::Sender)? })
    }

    /// Takes an end for receiving. Once all receivers that were ever taken are gone, the queue is
    /// [closed](Self::close): senders get [`SendMessageError::Disconnected`].
    ///
    /// As for [`sender`](Self::sender), with receivers for senders.
    ///
    /// ```
    /// use outlive::{MessageQueue, SendMessageError};
    ///
    /// let queue = MessageQueue::anonymous(8, 1024)?;
    /// let receiver = queue.receiver()?;
    /// queue.send_bytes(b"one")?;
    /// assert_eq!(receiver.recv_bytes()?, b"one");
    /// drop(receiver);
    /// assert!(matches!(queue.send_bytes(b"two"), Err(SendMessageError::Disconnected)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`sender`](Self::sender).
    ///
    /// # If a process dies
    /// Its receivers are gone. If they were the last ones, the queue is closed.
    pub fn receiver(&self) -> Result<MessageReceiver<'_>, EndError> {
        Ok(MessageReceiver { held: Held::take(Handle::Borrowed(self), Kind::Receiver)? })
    }
}

impl MessageQueueSegment {
    /// As [`MessageQueue::sender`], but the end keeps the segment. So it can move to any thread.
    ///
    /// ```
    /// use outlive::MessageQueue;
    /// use std::sync::Arc;
    ///
    /// let queue = Arc::new(MessageQueue::anonymous(8, 1024)?);
    /// let sender = queue.sender_owned()?;
    /// std::thread::spawn(move || sender.send_bytes(b"one").unwrap());
    /// assert_eq!(queue.iter().count(), 1); // to the end: the thread has dropped the sender
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`MessageQueue::sender`].
    ///
    /// # If a process dies
    /// As [`MessageQueue::sender`].
    pub fn sender_owned(self: &Arc<Self>) -> Result<MessageSender<'static>, EndError> {
        Ok(MessageSender { held: Held::take(Handle::Owned(Arc::clone(self)), Kind::Sender)? })
    }

    /// As [`MessageQueue::receiver`], but the end keeps the segment. So it can move to any thread.
    ///
    /// ```
    /// # let queue = std::sync::Arc::new(outlive::MessageQueue::anonymous(8, 1024)?);
    /// let receiver = queue.receiver_owned()?;
    /// let count = std::thread::spawn(move || receiver.iter().count());
    /// let sender = queue.sender()?;
    /// sender.send_bytes(b"one")?;
    /// sender.send_bytes(b"two")?;
    /// drop(sender);
    /// assert_eq!(count.join().unwrap(), 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`MessageQueue::receiver`].
    ///
    /// # If a process dies
    /// As [`MessageQueue::receiver`].
    pub fn receiver_owned(self: &Arc<Self>) -> Result<MessageReceiver<'static>, EndError> {
        Ok(MessageReceiver { held: Held::take(Handle::Owned(Arc::clone(self)), Kind::Receiver)? })
    }
}

/// An end of a [`MessageQueue`] for sending: [`MessageQueue::sender`]. A clone shares it.
///
/// It may be used by any threads of its process. It counts as long as its process lives, and it or
/// a clone has not been dropped. After [`mem::forget`](core::mem::forget) it counts until its
/// process ends. In a child that was forked meanwhile, the copy does not count, and its drop does
/// nothing. There, call [`MessageQueue::sender`] again.
///
/// # If a process dies
/// Its senders are gone, and waiting receivers learn of it. They learn of it within a second or so
/// if the thread that took the sender had ended before its process, by itself.
pub struct MessageSender<'q> {
    held: Arc<Held<'q, MessageQueue>>,
}

/// An end of a [`MessageQueue`] for receiving: [`MessageQueue::receiver`]. A clone shares it.
///
/// As [`MessageSender`]: it may be used by any threads of its process, and a forked child's copy
/// does not count.
///
/// # If a process dies
/// As [`MessageSender`], with waiting senders for receivers.
pub struct MessageReceiver<'q> {
    held: Arc<Held<'q, MessageQueue>>,
}

an_end! { [] MessageSender<'_>, "MessageSender", MessageQueue }
an_end! { [] MessageReceiver<'_>, "MessageReceiver", MessageQueue }

forward! { [] MessageSender<'_>, MessageQueue, held.channel:
    fn send_bytes(bytes: &[u8]) -> Result<(), SendMessageError>;
    fn try_send_bytes(bytes: &[u8]) -> Result<(), TrySendMessageError>;
    fn send_bytes_timeout(bytes: &[u8], timeout: Duration) -> Result<(), SendMessageTimeoutError>;
    fn send_bytes_deadline(bytes: &[u8], deadline: Instant) -> Result<(), SendMessageTimeoutError>;
    ///
    /// # Panics
    /// As there.
    fn send_with [A] (write: impl FnOnce(&mut MessageWriter<'_>) -> io::Result<A>) -> Result<A, SendMessageError>;
    ///
    /// # Panics
    /// As there.
    fn try_send_with [A] (write: impl FnOnce(&mut MessageWriter<'_>) -> io::Result<A>) -> Result<A, TrySendMessageError>;
    ///
    /// # Panics
    /// As there.
    fn send_with_timeout [A] (write: impl FnOnce(&mut MessageWriter<'_>) -> io::Result<A>, timeout: Duration) -> Result<A, SendMessageTimeoutError>;
    ///
    /// # Panics
    /// As there.
    fn send_with_deadline [A] (write: impl FnOnce(&mut MessageWriter<'_>) -> io::Result<A>, deadline: Instant) -> Result<A, SendMessageTimeoutError>;
}

forward! { [] MessageReceiver<'_>, MessageQueue, held.channel:
    fn recv_bytes() -> Result<Vec<u8>, RecvMessageError>;
    fn try_recv_bytes() -> Result<Vec<u8>, TryRecvMessageError>;
    fn recv_bytes_timeout(timeout: Duration) -> Result<Vec<u8>, RecvMessageTimeoutError>;
    fn recv_bytes_deadline(deadline: Instant) -> Result<Vec<u8>, RecvMessageTimeoutError>;
    fn recv_into(buffer: &mut [u8]) -> Result<usize, RecvMessageError>;
    fn try_recv_into(buffer: &mut [u8]) -> Result<usize, TryRecvMessageError>;
    fn recv_into_timeout(buffer: &mut [u8], timeout: Duration) -> Result<usize, RecvMessageTimeoutError>;
    fn recv_into_deadline(buffer: &mut [u8], deadline: Instant) -> Result<usize, RecvMessageTimeoutError>;
    ///
    /// # Panics
    /// As there.
    fn recv_with [A] (read: impl FnOnce(&mut MessageReader<'_>) -> io::Result<A>) -> Result<A, RecvMessageError>;
    ///
    /// # Panics
    /// As there.
    fn try_recv_with [A] (read: impl FnOnce(&mut MessageReader<'_>) -> io::Result<A>) -> Result<A, TryRecvMessageError>;
    ///
    /// # Panics
    /// As there.
    fn recv_with_timeout [A] (read: impl FnOnce(&mut MessageReader<'_>) -> io::Result<A>, timeout: Duration) -> Result<A, RecvMessageTimeoutError>;
    ///
    /// # Panics
    /// As there.
    fn recv_with_deadline [A] (read: impl FnOnce(&mut MessageReader<'_>) -> io::Result<A>, deadline: Instant) -> Result<A, RecvMessageTimeoutError>;
}

#[cfg(feature = "serde")]
forward! { [] MessageSender<'_>, MessageQueue, held.channel:
    ///
    /// # Panics
    /// As there.
    fn send [T: serde::Serialize + ?Sized] (value: &T) -> Result<(), SendMessageError>;
    ///
    /// # Panics
    /// As there.
    fn try_send [T: serde::Serialize + ?Sized] (value: &T) -> Result<(), TrySendMessageError>;
    ///
    /// # Panics
    /// As there.
    fn send_timeout [T: serde::Serialize + ?Sized] (value: &T, timeout: Duration) -> Result<(), SendMessageTimeoutError>;
    ///
    /// # Panics
    /// As there.
    fn send_deadline [T: serde::Serialize + ?Sized] (value: &T, deadline: Instant) -> Result<(), SendMessageTimeoutError>;
}

#[cfg(feature = "serde")]
forward! { [] MessageReceiver<'_>, MessageQueue, held.channel:
    ///
    /// # Panics
    /// As there.
    fn recv [T: serde::de::DeserializeOwned] () -> Result<T, RecvMessageError>;
    ///
    /// # Panics
    /// As there.
    fn try_recv [T: serde::de::DeserializeOwned] () -> Result<T, TryRecvMessageError>;
    ///
    /// # Panics
    /// As there.
    fn recv_timeout [T: serde::de::DeserializeOwned] (timeout: Duration) -> Result<T, RecvMessageTimeoutError>;
    ///
    /// # Panics
    /// As there.
    fn recv_deadline [T: serde::de::DeserializeOwned] (deadline: Instant) -> Result<T, RecvMessageTimeoutError>;
}

impl MessageReceiver<'_> {
    /// As [`MessageQueue::iter`].
    pub fn iter(&self) -> impl Iterator<Item = Vec<u8>> + '_ {
        self.held.channel.iter()
    }

    /// As [`MessageQueue::try_iter`].
    pub fn try_iter(&self) -> impl Iterator<Item = Vec<u8>> + '_ {
        self.held.channel.try_iter()
    }
}
