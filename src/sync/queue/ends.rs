//! [`QueueSender`] and [`QueueReceiver`]: ends of a queue. When the last one of a side is gone, the
//! queue is closed.

use super::{Queue, QueueIter, QueueSegment};
use crate::error::{EndError, RecvError, RecvTimeoutError, SendError, SendTimeoutError, TryRecvError, TrySendError};
use crate::raw::ends::{End, MOST_ENDS, NoEnd};
use crate::segment::{Shareable, local};
use crate::sync::forward::forward;
use crate::sync::guard_tag::GuardTag;
use core::fmt;
use core::ops::Deref;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A queue that an end borrows, or keeps.
enum Handle<'q, T: Shareable> {
    Borrowed(&'q Queue<T>),
    Owned(Arc<QueueSegment<T>>),
}

impl<T: Shareable> Deref for Handle<'_, T> {
    type Target = Queue<T>;

    #[inline(always)]
    fn deref(&self) -> &Queue<T> {
        match self {
            Self::Borrowed(queue) => queue,
            Self::Owned(queue) => queue,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Sender,
    Receiver,
}

/// An end that this process has. All clones of a sender or receiver share it.
struct Held<'q, T: Shareable> {
    queue: Handle<'q, T>,
    kind: Kind,
    end: End,
    tag: GuardTag,
}

impl<'q, T: Shareable> Held<'q, T> {
    fn take(queue: Handle<'q, T>, kind: Kind) -> Result<Arc<Self>, EndError> {
        let me = local::participant(&*queue)?;
        local::end_begins();
        let ring = queue.ring();
        let taken = match kind {
            Kind::Sender => ring.take_sender(me),
            Kind::Receiver => ring.take_receiver(me),
        };
        match taken {
            Ok(end) => Ok(Arc::new(Self { kind, end, tag: GuardTag::now(0), queue })),
            Err(error) => {
                local::end_ends();
                Err(match error {
                    NoEnd::Shut => EndError::Disconnected,
                    NoEnd::Full => EndError::Full { most: MOST_ENDS },
                })
            }
        }
    }
}

impl<T: Shareable> Drop for Held<'_, T> {
    fn drop(&mut self) {
        if !self.tag.is_of_this_process() {
            return; // a fork's copy: the end is the parent's
        }
        // Without a slot for this thread, others find that the end is gone.
        let me = local::participant(&*self.queue).ok();
        let ring = self.queue.ring();
        match self.kind {
            Kind::Sender => ring.give_back_sender(self.end, me),
            Kind::Receiver => ring.give_back_receiver(self.end, me),
        }
        if me.is_some_and(|me| me.id == self.end.holder()) {
            local::end_ends();
        }
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
    held: Arc<Held<'q, T>>,
}

/// An end of a [`Queue`] for receiving: [`Queue::receiver`]. A clone shares it.
///
/// As [`QueueSender`]: it may be used by any threads of its process, and a forked child's copy does
/// not count.
///
/// # If a process dies
/// As [`QueueSender`], with waiting senders for receivers.
pub struct QueueReceiver<'q, T: Shareable> {
    held: Arc<Held<'q, T>>,
}

macro_rules! an_end {
    ($($end:ident)*) => {$(
        impl<T: Shareable> $end<'_, T> {
            /// The queue, for all that is no matter of its ends.
            pub fn queue(&self) -> &Queue<T> {
                &self.held.queue
            }
        }

        /// The clone is the same end.
        impl<T: Shareable> Clone for $end<'_, T> {
            fn clone(&self) -> Self {
                Self { held: Arc::clone(&self.held) }
            }
        }

        impl<T: Shareable> fmt::Debug for $end<'_, T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($end))
                    .field("queue", &self.queue())
                    .field("taken_by", &self.held.end.holder())
                    .finish()
            }
        }
    )*};
}

an_end! { QueueSender QueueReceiver }

forward! { [T: Shareable] QueueSender<'_, T>, Queue, held.queue:
    fn send(item: T) -> Result<(), SendError<T>>;
    fn try_send(item: T) -> Result<(), TrySendError<T>>;
    fn send_timeout(item: T, timeout: Duration) -> Result<(), SendTimeoutError<T>>;
    fn send_deadline(item: T, deadline: Instant) -> Result<(), SendTimeoutError<T>>;
    fn send_batch<'i>(items: &'i [T]) -> Result<(), SendError<&'i [T]>> where T: Copy;
    fn try_send_batch<'i>(items: &'i [T]) -> Result<(), TrySendError<&'i [T]>> where T: Copy;
}

forward! { [T: Shareable] QueueReceiver<'_, T>, Queue, held.queue:
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
        self.held.queue.iter()
    }

    /// As [`Queue::try_iter`].
    pub fn try_iter(&self) -> impl Iterator<Item = T> + '_ {
        self.held.queue.try_iter()
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
