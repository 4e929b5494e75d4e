//! [`Queue`]: items from many senders to many receivers.

mod array;
mod cell;
mod ends;
mod segment;

pub use array::ArrayQueue;
pub use cell::QueueCell;
pub use ends::{QueueReceiver, QueueSender};
pub use segment::{QueueRoot, QueueSegment};

use super::result::{FromRaw, no_deadline, refused};
use super::{Deadline, take_part_to_wake};
use crate::error::{
    NotInSegmentError, RecvError, RecvTimeoutError, RegisterError, SendError, SendTimeoutError, TryRecvError,
    TrySendError,
};
use crate::platform::Linux;
use crate::raw;
use crate::raw::Participant;
use crate::raw::queue::{Claim, NotClaimed, Ring};
use crate::segment::{Shareable, local};
use core::fmt;
use std::time::{Duration, Instant};

/// A bounded queue in memory that processes share, for many senders and many receivers.
///
/// Each item is received once, and in the order in which its sender sent it. If the queue is full,
/// `send` waits for room. If it is empty, `recv` waits for an item. The items are
/// [`Shareable`], and are copied into the queue and out of it.
///
/// | where the queue is                          | type                       | capacity           |
/// |---------------------------------------------|----------------------------|--------------------|
/// | in a segment of its own                     | [`QueueSegment<T>`], which [`create`](Self::create) and its kin give | chosen at run time |
/// | in a field of a type that lies in a segment | [`ArrayQueue<T, N>`]       | `N`                |
///
/// Both dereference to `Queue<T>`, as `Vec<T>` and `[T; N]` dereference to a slice.
///
/// ```
/// use outlive::{Queue, Shareable};
///
/// #[derive(Shareable)]
/// #[repr(C)]
/// struct Job {
///     number: u64,
/// }
///
/// # let name = &format!("outlive-doc-queue-{}", std::process::id());
/// // Each process calls this:
/// let jobs = Queue::<Job>::open_or_create(name, 1024)?;
/// // One of them:
/// jobs.send(Job { number: 7 })?;
/// jobs.close()?; // nothing more will come
/// // Another one:
/// while let Ok(job) = jobs.recv() {
///     println!("job {}", job.number);
/// }
/// // It stays closed. So the next run makes a new one:
/// Queue::<Job>::remove(name)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # If a process dies
///
/// | participant                             | what the others see                                              |
/// |-----------------------------------------|------------------------------------------------------------------|
/// | a sender, in the middle of `send`       | its item was sent, or was not; never a part of it                |
/// | a sender, in the middle of `send_batch` | the items that it had sent by then                               |
/// | a receiver, in the middle of `recv`     | the next receiver gets the item; it may come late: see below     |
/// | a receiver, after `recv` has returned   | nothing: the item was received, and is lost with the receiver    |
/// | a waiter                                | nothing                                                          |
/// | the last one with a [sender](Self::sender) | [`RecvError::Disconnected`] after the last item               |
/// | the last one with a [receiver](Self::receiver) | [`SendError::Disconnected`]                               |
///
/// An item that a receiver has left by its death is received next. Meanwhile other receivers may
/// have got later items of the same sender.
///
/// # When it ends
///
/// A queue ends when it is closed. It is closed in two ways:
///
/// - by [`close`](Self::close);
/// - by its ends. Processes may take [senders](Self::sender) and [receivers](Self::receiver), which
///   are counted by process. When all senders are gone that were ever taken, or all receivers, the
///   queue is closed. So a process that is killed ends its part by that alone.
///
/// Each call of `sender` takes one of 255 ends of its side, and so does each call of `receiver`.
/// Clones share it. A side of which nobody ever took an end closes nothing. To keep a queue open
/// while others come and go, keep an end of each side that they use.
///
/// A closed queue stays closed, also for those that open its name later. To begin anew, call
/// [`remove`](Self::remove), and let all open it again. A named queue that is not closed
/// keeps its items when all processes have ended. [`Segment`](crate::Segment) says how long a name
/// lasts.
///
/// # If a process is stopped
///
/// `send` and `recv` copy the item while they use its cell. A sender that is stopped in that moment
/// (SIGSTOP, a debugger) delays all receivers of later items. A receiver that is stopped in that
/// moment delays the senders once all other cells are full. Only its death ends that, never time: a
/// process that goes on after a pause finds its cell as it left it.
///
/// # In a fast stream
///
/// A receiver that is faster than its senders would find items one by one, and each would wait for
/// its cache lines. So where many items come within some microseconds, a receiver that waits lets
/// them gather for that long. Each comes later then, and four times as many go through. `try_recv`
/// does not do that: a thread that polls with it sees each item at once.
///
/// # What is not offered
///
/// A `peek` would have to take an item and to put it back. Meanwhile other receivers would pass it,
/// and would receive later items first.
#[repr(C)]
pub struct Queue<T: Shareable> {
    pub(super) words: raw::Queue<Linux>,
    cells: [QueueCell<T>],
}

/// Why a participant could not send.
pub(super) enum NotSent {
    Raw(NotClaimed),
    Register(RegisterError),
}

impl<T: Shareable> Queue<T> {
    #[inline(always)]
    pub(super) fn ring(&self) -> Ring<'_, Linux, [QueueCell<T>]> {
        self.words.with(&self.cells)
    }

    /// Sends an item. Waits for room as long as it takes. A signal ends the wait only in an
    /// [interruptible scope](crate::interruptible).
    ///
    /// # Errors
    /// [`SendError::Disconnected`] if the queue is closed; [`SendError::Interrupted`];
    /// [`SendError::Register`].
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    #[inline]
    pub fn send(&self, item: T) -> Result<(), SendError<T>> {
        self.send_with(item, Deadline::NEVER).map_err(SendError::from)
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
        self.send_with(item, Deadline::Immediate).map_err(TrySendError::from)
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
        self.send_with(item, Deadline::after(timeout)).map_err(SendTimeoutError::from)
    }

    /// Sends an item. Waits for room at most until that moment.
    ///
    /// # Errors
    /// Those of [`send`](Self::send), and [`SendTimeoutError::TimedOut`].
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    pub fn send_deadline(&self, item: T, deadline: Instant) -> Result<(), SendTimeoutError<T>> {
        self.send_with(item, Deadline::at(deadline)).map_err(SendTimeoutError::from)
    }

    #[inline(always)]
    fn send_with(&self, item: T, deadline: Deadline) -> Result<(), (T, NotSent)> {
        let me = match local::participant(self) {
            Ok(me) => me,
            Err(error) => return Err((item, NotSent::Register(error))),
        };
        let ring = self.ring();
        let claimed = match deadline {
            Deadline::Immediate => ring.try_claim_free(me),
            Deadline::By(deadline) => ring.claim_free(me, deadline),
        };
        match claimed {
            Ok(claim) => {
                self.cells[claim.index()].write(&claim, item);
                ring.publish(claim);
                Ok(())
            }
            Err(error) => Err((item, NotSent::Raw(error))),
        }
    }

    /// Sends all items, in order. Waits for room as long as it takes.
    ///
    /// This is faster than one `send` after the other: the receivers are woken once for all of
    /// them, or when the queue is full. Other senders may send items in between.
    ///
    /// ```
    /// # let queue = outlive::Queue::<u64>::anonymous(8)?;
    /// queue.send_batch(&[1, 2, 3])?;
    /// assert_eq!(queue.len(), 3);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`send`](Self::send). The error has the items that were not sent; those before them
    /// were. It borrows them: `map_err(|error| error.map(<[_]>::len))` keeps their number alone.
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    pub fn send_batch<'i>(&self, items: &'i [T]) -> Result<(), SendError<&'i [T]>>
    where
        T: Copy,
    {
        let mut rest = items;
        while !rest.is_empty() {
            match self.send_some(rest) {
                Ok(sent) => rest = &rest[sent..],
                Err((sent, NotSent::Raw(NotClaimed::WouldBlock))) => {
                    rest = &rest[sent..];
                    if let Some((first, others)) = rest.split_first() {
                        self.send_with(*first, Deadline::NEVER).map_err(|(_, error)| SendError::from((rest, error)))?;
                        rest = others;
                    }
                }
                Err((sent, error)) => return Err(SendError::from((&rest[sent..], error))),
            }
        }
        Ok(())
    }

    /// Sends items, in order, as long as that takes no waiting.
    ///
    /// # Errors
    /// Those of [`try_send`](Self::try_send). The error has the items that were not sent; those
    /// before them were.
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    pub fn try_send_batch<'i>(&self, items: &'i [T]) -> Result<(), TrySendError<&'i [T]>>
    where
        T: Copy,
    {
        match self.send_some(items) {
            Ok(_) => Ok(()),
            Err((sent, error)) => Err(TrySendError::from((&items[sent..], error))),
        }
    }

    /// Sends as many items as there is room for, and wakes receivers once. The error says how many
    /// were sent, and why not the next one.
    fn send_some(&self, items: &[T]) -> Result<usize, (usize, NotSent)>
    where
        T: Copy,
    {
        let me = local::participant(self).map_err(|error| (0, NotSent::Register(error)))?;
        let ring = self.ring();
        let mut sent = 0;
        let mut answer = Ok(());
        for item in items {
            match ring.try_claim_free(me) {
                Ok(claim) => {
                    self.cells[claim.index()].write(&claim, *item);
                    ring.publish_quietly(claim);
                    sent += 1;
                }
                Err(error) => {
                    answer = Err(NotSent::Raw(error));
                    break;
                }
            }
        }
        if sent > 0 {
            ring.announce_items(count(sent));
        }
        answer.map(|()| sent).map_err(|error| (sent, error))
    }

    /// Receives an item. Waits for one as long as it takes. A signal ends the wait only in an
    /// [interruptible scope](crate::interruptible).
    ///
    /// # Errors
    /// [`RecvError::Disconnected`] if the queue is closed, and all that was sent is received;
    /// [`RecvError::Interrupted`]; [`RecvError::Register`].
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    #[inline]
    pub fn recv(&self) -> Result<T, RecvError> {
        self.recv_with(Deadline::NEVER)
    }

    /// Receives an item if that takes no waiting.
    ///
    /// # Errors
    /// [`TryRecvError::Empty`] if there is no item; [`TryRecvError::Disconnected`] if none will
    /// come; [`TryRecvError::Register`].
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    #[inline]
    pub fn try_recv(&self) -> Result<T, TryRecvError> {
        self.recv_with(Deadline::Immediate)
    }

    /// Receives an item. Waits for one at most that long (monotonic time). [`Duration::MAX`] waits
    /// forever.
    ///
    /// # Errors
    /// Those of [`recv`](Self::recv), and [`RecvTimeoutError::TimedOut`].
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    pub fn recv_timeout(&self, timeout: Duration) -> Result<T, RecvTimeoutError> {
        self.recv_with(Deadline::after(timeout))
    }

    /// Receives an item. Waits for one at most until that moment.
    ///
    /// # Errors
    /// Those of [`recv`](Self::recv), and [`RecvTimeoutError::TimedOut`].
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    pub fn recv_deadline(&self, deadline: Instant) -> Result<T, RecvTimeoutError> {
        self.recv_with(Deadline::at(deadline))
    }

    #[inline(always)]
    fn recv_with<E: FromRaw<NotClaimed>>(&self, deadline: Deadline) -> Result<T, E> {
        let me = local::participant(self)?;
        let ring = self.ring();
        let claim = Self::claim_full::<E>(&ring, me, deadline)?;
        let item = self.cells[claim.index()].read(&claim);
        ring.finish(claim);
        Ok(item)
    }

    #[inline(always)]
    fn claim_full<E: FromRaw<NotClaimed>>(
        ring: &Ring<'_, Linux, [QueueCell<T>]>,
        me: Participant<'_, Linux>,
        deadline: Deadline,
    ) -> Result<Claim, E> {
        let claimed = match deadline {
            Deadline::Immediate => ring.try_claim_full(me),
            Deadline::By(deadline) => ring.claim_full(me, deadline),
        };
        claimed.map_err(refused::<_, E>)
    }

    /// Receives up to `limit` items, and appends them to `items`. Waits for the first one as long
    /// as it takes, and for no other. Returns how many came: 0 only if `limit` is 0.
    ///
    /// ```
    /// # let queue = outlive::Queue::<u64>::anonymous(8)?;
    /// queue.send_batch(&[1, 2, 3])?;
    /// let mut items = vec![];
    /// assert_eq!(queue.recv_batch(&mut items, 2)?, 2);
    /// assert_eq!(items, [1, 2]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`recv`](Self::recv). Nothing was received then.
    ///
    /// # Panics
    /// If the vector's length overflows. What was received is then in the vector.
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    pub fn recv_batch(&self, items: &mut Vec<T>, limit: usize) -> Result<usize, RecvError> {
        self.recv_batch_with(items, limit, Deadline::NEVER)
    }

    /// Receives up to `limit` items, as long as that takes no waiting, and appends them to `items`.
    /// Returns how many came.
    ///
    /// # Errors
    /// Those of [`try_recv`](Self::try_recv). Nothing was received then.
    ///
    /// # Panics
    /// As [`recv_batch`](Self::recv_batch).
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    pub fn try_recv_batch(&self, items: &mut Vec<T>, limit: usize) -> Result<usize, TryRecvError> {
        self.recv_batch_with(items, limit, Deadline::Immediate)
    }

    /// Receives up to `limit` items, and wakes senders once. The deadline is that of the first
    /// item.
    fn recv_batch_with<E: FromRaw<NotClaimed>>(
        &self,
        items: &mut Vec<T>,
        limit: usize,
        deadline: Deadline,
    ) -> Result<usize, E> {
        if limit == 0 {
            return Ok(0);
        }
        items.reserve(1); // before a cell is claimed
        let ring = self.ring();
        if deadline != Deadline::Immediate {
            ring.gather_items(limit);
        }
        let mut claim = Some(Self::claim_full::<E>(&ring, local::participant(self)?, deadline)?);
        /// Wakes the senders, also if the vector cannot grow.
        struct Announce<F: Fn(usize)>(F, usize);
        impl<F: Fn(usize)> Drop for Announce<F> {
            fn drop(&mut self) {
                (self.0)(self.1);
            }
        }
        let mut announce = Announce(|received| ring.announce_room(count(received)), 0);
        loop {
            // After each allocation: an allocator may do anything, and could take the thread out of
            // the segment.
            let me = local::participant(self).ok();
            let room = (items.capacity() - items.len()).min(limit - announce.1);
            for _ in 0..room {
                let Some(claimed) = claim.take().or_else(|| ring.claim_another_full(me?)) else {
                    return Ok(announce.1);
                };
                items.push(self.cells[claimed.index()].read(&claimed)); // there is memory for it
                ring.finish_quietly(claimed);
                announce.1 += 1;
            }
            if announce.1 == limit {
                return Ok(limit);
            }
            items.reserve(1);
        }
    }

    /// Closes the queue forever: nothing more can be sent. What was sent can still be received.
    /// Then receivers get [`RecvError::Disconnected`]. Returns whether the queue was open.
    ///
    /// A named queue stays closed until its name is removed:
    /// [`open_or_create`](Self::open_or_create) gives the closed one.
    ///
    /// ```
    /// use outlive::{RecvError, Queue, SendError};
    ///
    /// let queue = Queue::<u64>::anonymous(8)?;
    /// queue.send(1)?;
    /// assert!(queue.close()?);
    /// assert_eq!(queue.send(2).unwrap_err().into_inner(), 2);
    /// assert_eq!(queue.recv()?, 1);
    /// assert_eq!(queue.recv(), Err(RecvError::Disconnected));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The queue is in no segment.
    ///
    /// # If a process dies
    /// The queue is closed, or it is not.
    pub fn close(&self) -> Result<bool, NotInSegmentError> {
        take_part_to_wake(self)?;
        Ok(self.ring().close())
    }

    /// Whether the queue is closed. Items may still be in it.
    pub fn is_closed(&self) -> bool {
        self.words.is_closed()
    }

    /// Receives items until none will come: it waits for each. It also ends if a wait is
    /// interrupted, and where the thread cannot take part in the segment.
    ///
    /// ```
    /// # let queue = outlive::Queue::<u64>::anonymous(8)?;
    /// queue.send_batch(&[1, 2, 3])?;
    /// queue.close()?;
    /// assert_eq!(queue.iter().sum::<u64>(), 6);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn iter(&self) -> QueueIter<'_, T> {
        QueueIter { queue: self }
    }

    /// Receives items as long as that takes no waiting.
    pub fn try_iter(&self) -> impl Iterator<Item = T> + '_ {
        std::iter::from_fn(|| self.try_recv().ok())
    }

    /// Receives at most as many items as there are at the call, by [`len`](Self::len). If others
    /// receive meanwhile, some of them may be newer.
    pub fn drain(&self) -> impl Iterator<Item = T> + '_ {
        self.try_iter().take(self.len())
    }

    /// The number of items at the moment. Items that are just being sent or received count. While
    /// nobody sends or receives, it is exact. It may read all cells once or twice, if many items
    /// were sent or received out of turn since the last receive.
    pub fn len(&self) -> usize {
        self.ring().len()
    }

    /// Whether [`len`](Self::len) is 0.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether [`len`](Self::len) is the [`capacity`](Self::capacity).
    pub fn is_full(&self) -> bool {
        self.len() == self.capacity()
    }

    /// The most items that can be in the queue.
    pub fn capacity(&self) -> usize {
        self.cells.len()
    }
}

/// Receives items until none will come: [`Queue::iter`].
#[derive(Debug)]
#[must_use = "an iterator receives nothing until it is used"]
pub struct QueueIter<'q, T: Shareable> {
    queue: &'q Queue<T>,
}

impl<T: Shareable> Iterator for QueueIter<'_, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.queue.recv().ok()
    }
}

/// As [`Queue::iter`].
impl<'q, T: Shareable> IntoIterator for &'q Queue<T> {
    type Item = T;
    type IntoIter = QueueIter<'q, T>;

    fn into_iter(self) -> QueueIter<'q, T> {
        self.iter()
    }
}

/// As many as a wake can count.
fn count(items: usize) -> u32 {
    u32::try_from(items).unwrap_or(u32::MAX)
}

impl<T: Shareable> fmt::Debug for Queue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (len, capacity) = (self.len(), self.capacity());
        f.debug_struct("Queue")
            .field("len", &len)
            .field("capacity", &capacity)
            .field("closed", &self.is_closed())
            .finish()
    }
}

impl<T> From<(T, NotSent)> for SendError<T> {
    #[cold]
    #[inline(never)] // so that `send` is shorter
    fn from((item, error): (T, NotSent)) -> Self {
        match error {
            NotSent::Register(error) => Self::Register { item, error },
            NotSent::Raw(NotClaimed::Interrupted) => Self::Interrupted(item),
            NotSent::Raw(NotClaimed::Closed) => Self::Disconnected(item),
            NotSent::Raw(NotClaimed::WouldBlock | NotClaimed::TimedOut) => no_deadline(),
        }
    }
}

impl<T> From<(T, NotSent)> for TrySendError<T> {
    #[cold]
    fn from((item, error): (T, NotSent)) -> Self {
        match error {
            NotSent::Register(error) => Self::Register { item, error },
            NotSent::Raw(NotClaimed::Closed) => Self::Disconnected(item),
            NotSent::Raw(NotClaimed::WouldBlock | NotClaimed::TimedOut | NotClaimed::Interrupted) => Self::Full(item),
        }
    }
}

impl<T> From<(T, NotSent)> for SendTimeoutError<T> {
    #[cold]
    fn from((item, error): (T, NotSent)) -> Self {
        match error {
            NotSent::Register(error) => Self::Register { item, error },
            NotSent::Raw(NotClaimed::Interrupted) => Self::Interrupted(item),
            NotSent::Raw(NotClaimed::Closed) => Self::Disconnected(item),
            NotSent::Raw(NotClaimed::WouldBlock | NotClaimed::TimedOut) => Self::TimedOut(item),
        }
    }
}
