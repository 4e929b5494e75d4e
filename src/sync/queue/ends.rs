//! [`QueueSender`] and [`QueueReceiver`]: ends of a queue. When the last one of a side is gone, the
//! queue is closed.

use super::{Queue, QueueIter, QueueSegment};
use crate::error::{
    EndError, RecvError, RecvTimeoutError, RegisterError, SendError, SendTimeoutError, TryRecvError, TrySendError,
};
use crate::platform::Linux;
use crate::raw::Participant;
use crate::raw::queue::Ring;
use crate::segment::{Shareable, local};
use crate::sync::ends::{Channel, Handle, Held, Kind, an_end};
use crate::sync::forward::forward;
use std::sync::Arc;
use std::time::{Duration, Instant};

impl<T: Shareable> Channel for Queue<T> {
    type Segment = QueueSegment<T>;
    type Cells = [super::QueueCell<T>];

    fn me(&self) -> Result<Participant<'_, Linux>, RegisterError> {
        local::participant(self)
    }

    fn ring(&self) -> Ring<'_, Linux, [super::QueueCell<T>]> {
        Queue::ring(self)
    }
}

impl<T: Shareable> Queue<T> {
    /// Takes an end for sending. Once all senders that were ever taken are gone, the queue is
    /// [closed](Self::close): receivers get [`RecvError::Disconnected`] after the last item.
    ///
    /// A sender is gone when it and all its clones are dropped, or when its process has ended in
    /// any way. It borrows the queue. [`QueueSegment::sender_owned`] gives one that does not.
    ///
    /// ```
    /// use outlive::{Queue, RecvError};
    ///
    /// let queue = Queue::<u64>::anonymous(8)?;
    /// let sender = queue.sender()?;
    /// std::thread::scope(|scope| {
    ///     let other = sender.clone();
    ///     scope.spawn(move || other.send(1).unwrap());
    /// });
    /// drop(sender);
    /// assert_eq!(queue.recv(), Ok(1));
    /// assert_eq!(queue.recv(), Err(RecvError::Disconnected));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`EndError::Disconnected`] if the queue is closed; [`EndError::Full`];
    /// [`EndError::Register`].
    ///
    /// # If a process dies
    /// Its senders are gone. If they were the last ones, the queue is closed.
    pub fn sender(&self) -> Result<QueueSender<'_, T>, EndError> {
        Ok(QueueSender { held: Held::take(Handle::Borrowed(self), Kind::Sender)? })
    }

    /// Takes an end for receiving. Once all receivers that were ever taken are gone, the queue is
    /// [closed](Self::close): senders get [`SendError::Disconnected`].
    ///
    /// As for [`sender`](Self::sender), with receivers for senders.
    ///
    /// ```
    /// use outlive::{Queue, SendError};
    ///
    /// let queue = Queue::<u64>::anonymous(8)?;
    /// let receiver = queue.receiver()?;
    /// queue.send(1)?;
    /// assert_eq!(receiver.recv(), Ok(1));
    /// drop(receiver);
    /// assert_eq!(queue.send(2), Err(SendError::Disconnected(2)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`sender`](Self::sender).
    ///
    /// # If a process dies
    /// Its receivers are gone. If they were the last ones, the queue is closed.
    pub fn receiver(&self) -> Result<QueueReceiver<'_, T>, EndError> {
        Ok(QueueReceiver { held: Held::take(Handle::Borrowed(self), Kind::Receiver)? })
    }
}

impl<T: Shareable> QueueSegment<T> {
    /// As [`Queue::sender`], but the end keeps the segment. So it can move to any thread.
    ///
    /// ```
    /// use outlive::Queue;
    /// use std::sync::Arc;
    ///
    /// let queue = Arc::new(Queue::<u64>::anonymous(8)?);
    /// let sender = queue.sender_owned()?;
    /// std::thread::spawn(move || sender.send(1).unwrap());
    /// assert_eq!(queue.iter().sum::<u64>(), 1); // to the end: the thread has dropped the sender
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`Queue::sender`].
    ///
    /// # If a process dies
    /// As [`Queue::sender`].
    pub fn sender_owned(self: &Arc<Self>) -> Result<QueueSender<'static, T>, EndError> {
        Ok(QueueSender { held: Held::take(Handle::Owned(Arc::clone(self)), Kind::Sender)? })
    }

    /// As [`Queue::receiver`], but the end keeps the segment. So it can move to any thread.
    ///
    /// ```
    /// # let queue = std::sync::Arc::new(outlive::Queue::<u64>::anonymous(8)?);
    /// let receiver = queue.receiver_owned()?;
    /// let sum = std::thread::spawn(move || receiver.iter().sum::<u64>());
    /// let sender = queue.sender()?;
    /// sender.send_batch(&[1, 2, 3])?;
    /// drop(sender);
    /// assert_eq!(sum.join().unwrap(), 6);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`Queue::receiver`].
    ///
    /// # If a process dies
    /// As [`Queue::receiver`].
    pub fn receiver_owned(self: &Arc<Self>) -> Result<QueueReceiver<'static, T>, EndError> {
        Ok(QueueReceiver { held: Held::take(Handle::Owned(Arc::clone(self)), Kind::Receiver)? })
    }
}

/// An end of a [`Queue`] for sending: [`Queue::sender`]. A clone shares it.
///
/// It may be used by any threads of its process. It counts as long as its process lives, and it or
/// a clone has not been dropped. After [`mem::forget`](core::mem::forget) it counts until its
/// process ends. In a child that was forked meanwhile, the copy does not count, and its drop does
/// nothing. There, call [`Queue::sender`] again.
///
/// # If a process dies
/// Its senders are gone, and waiting receivers learn of it. They learn of it within a second or so
/// if the thread that took the sender had ended before its process, by itself.
pub struct QueueSender<'q, T: Shareable> {
    held: Arc<Held<'q, Queue<T>>>,
}

/// An end of a [`Queue`] for receiving: [`Queue::receiver`]. A clone shares it.
///
/// As [`QueueSender`]: it may be used by any threads of its process, and a forked child's copy does
/// not count.
///
/// # If a process dies
/// As [`QueueSender`], with waiting senders for receivers.
pub struct QueueReceiver<'q, T: Shareable> {
    held: Arc<Held<'q, Queue<T>>>,
}

an_end! { [T: Shareable] QueueSender<'_, T>, "QueueSender", Queue<T> }
an_end! { [T: Shareable] QueueReceiver<'_, T>, "QueueReceiver", Queue<T> }

forward! { [T: Shareable] QueueSender<'_, T>, Queue, held.channel:
    fn send(item: T) -> Result<(), SendError<T>>;
    fn try_send(item: T) -> Result<(), TrySendError<T>>;
    fn send_timeout(item: T, timeout: Duration) -> Result<(), SendTimeoutError<T>>;
    fn send_deadline(item: T, deadline: Instant) -> Result<(), SendTimeoutError<T>>;
    fn send_batch<'i>(items: &'i [T]) -> Result<(), SendError<&'i [T]>> where T: Copy;
    fn try_send_batch<'i>(items: &'i [T]) -> Result<(), TrySendError<&'i [T]>> where T: Copy;
}

forward! { [T: Shareable] QueueReceiver<'_, T>, Queue, held.channel:
    fn recv() -> Result<T, RecvError>;
    fn try_recv() -> Result<T, TryRecvError>;
    fn recv_timeout(timeout: Duration) -> Result<T, RecvTimeoutError>;
    fn recv_deadline(deadline: Instant) -> Result<T, RecvTimeoutError>;
    ///
    /// # Panics
    /// As there.
    fn recv_batch(items: &mut Vec<T>, limit: usize) -> Result<usize, RecvError>;
    ///
    /// # Panics
    /// As there.
    fn try_recv_batch(items: &mut Vec<T>, limit: usize) -> Result<usize, TryRecvError>;
}

impl<T: Shareable> QueueReceiver<'_, T> {
    /// As [`Queue::iter`].
    pub fn iter(&self) -> QueueIter<'_, T> {
        self.held.channel.iter()
    }

    /// As [`Queue::try_iter`].
    pub fn try_iter(&self) -> impl Iterator<Item = T> + '_ {
        self.held.channel.try_iter()
    }
}

/// As [`Queue::iter`].
impl<'r, T: Shareable> IntoIterator for &'r QueueReceiver<'_, T> {
    type Item = T;
    type IntoIter = QueueIter<'r, T>;

    fn into_iter(self) -> QueueIter<'r, T> {
        self.iter()
    }
}
