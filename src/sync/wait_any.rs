//! [`wait_any`]: the first of several that is ready.

use super::Deadline;
use super::event::Event;
use super::lock::Lock;
use super::mutex::Mutex;
use super::permit_pool::PermitPool;
#[allow(unused_imports)] // for the links
use super::pipe::{PipeReceiver, PipeSender};
use super::queue::Queue;
use super::reentrant::ReentrantMutex;
use super::result::{FromRaw, refused};
use super::semaphore::Semaphore;
#[allow(unused_imports)] // for the links
use super::task_queue::TaskQueue;
use crate::ParticipantId;
use crate::error::{RegisterError, TryWaitAnyError, WaitAnyError, WaitAnyTimeoutError};
use crate::platform::Linux;
use crate::raw::event::Set;
use crate::raw::mutex::Free;
use crate::raw::queue::{Readable, Writable};
use crate::raw::wait_any::{Death, NotReady, Of, Source, try_any};
use crate::raw::{self, Leaked};
use crate::segment::{Segment, Shareable, local};
use core::cell::Cell;
use core::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Waits until one of the sources is ready, as long as it takes, and returns its index. It takes
/// nothing: the caller then tries, and waits again if another thread was quicker.
///
/// ```
/// use outlive::{Event, Queue, Segment, TryRecvError, wait_any};
///
/// let jobs = Queue::<u64>::anonymous(64)?;
/// let stop = Segment::<Event>::anonymous(|_cleared| {})?;
/// # jobs.send(7)?;
/// # let mut done = 0;
///
/// let sources = [jobs.readable(), stop.when_set()];
/// loop {
///     match wait_any(&sources)? {
///         0 => match jobs.try_recv() {
///             Ok(job) => {
///                 println!("job {job}");
/// #               done = job;
/// #               stop.set()?;
///             }
///             Err(TryRecvError::Empty) => {} // another one was quicker
///             Err(_) => break,               // closed: it would be ready forever
///         },
///         _ => break,
///     }
/// }
/// # assert_eq!(done, 7);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// If several are ready, one of them is returned. Each call of a thread begins with the source
/// after that with which its last call began. So a source that is always ready does not hide the
/// others.
///
/// The sources may lie in different segments. The calling thread becomes a participant of each.
///
/// This is `multiprocessing.connection.wait` of Python, and `Select::ready` of crossbeam-channel.
///
/// # The death of a process
///
/// A [death](Segment::when_dead) is that of a participant. A child process is one as soon as it has
/// used the segment, and can be found by its process id in [`participants`](Segment::participants).
/// `examples/supervisor.rs` shows this. Its end is then noticed at once, in any way that it may
/// end.
///
/// [`ProcessExit`](crate::ProcessExit) is the end of any process, also of one that takes no part.
///
/// # How many
///
/// One wait of the kernel takes 128 words. 64 of them are for the sources at most. A source needs
/// one, and a death two. The other words are for the participants that the caller watches, in all
/// the segments together. If they are too few, some deaths are noticed a second late, as
/// [everywhere](crate#limits). The death that is a source is always noticed.
///
/// # What it costs others
///
/// A thread that was woken here may have been woken in place of another thread that waits for the
/// same. So it wakes one more on each source that is ready. A job in a queue with many receivers of
/// this kind wakes two of them.
///
/// # Errors
/// [`WaitAnyError::NoSource`], [`WaitAnyError::TooMany`], [`WaitAnyError::Interrupted`],
/// [`WaitAnyError::Register`].
///
/// # If a process dies
///
/// | participant                                     | what the others see                                    |
/// |-------------------------------------------------|--------------------------------------------------------|
/// | a waiter here, also when it has been woken      | nothing: the others check, and find what is ready      |
/// | the holder of a lock or permit that is a source | the source is ready, mostly within 10 milliseconds; in a [crowd](#how-many) it may take seconds |
/// | one that was about to make a source ready       | as that primitive says                                 |
pub fn wait_any(sources: &[WaitSource<'_>]) -> Result<usize, WaitAnyError> {
    wait_with(sources, None)
}

/// [`wait_any`] for at most that long (monotonic time). [`Duration::MAX`] waits forever.
///
/// # Errors
/// Those of [`wait_any`], and [`WaitAnyTimeoutError::TimedOut`].
///
/// # If a process dies
/// As [`wait_any`](wait_any#if-a-process-dies).
pub fn wait_any_timeout(sources: &[WaitSource<'_>], timeout: Duration) -> Result<usize, WaitAnyTimeoutError> {
    wait_with(sources, Deadline::after(timeout).deadline())
}

/// [`wait_any`] at most until that moment. A moment that has passed counts as now.
///
/// # Errors
/// Those of [`wait_any`], and [`WaitAnyTimeoutError::TimedOut`].
///
/// # If a process dies
/// As [`wait_any`](wait_any#if-a-process-dies).
pub fn wait_any_deadline(sources: &[WaitSource<'_>], deadline: Instant) -> Result<usize, WaitAnyTimeoutError> {
    wait_with(sources, Deadline::at(deadline).deadline())
}

/// The index of a source that is ready now. Never waits, and there may be any number of sources.
///
/// # Errors
/// [`TryWaitAnyError::WouldBlock`] if none is ready; [`TryWaitAnyError::Register`].
///
/// # If a process dies
/// As [`wait_any`](wait_any#if-a-process-dies).
pub fn try_wait_any(sources: &[WaitSource<'_>]) -> Result<usize, TryWaitAnyError> {
    prepare(sources, |prepared| try_any(prepared, next_start()))?.ok_or(TryWaitAnyError::WouldBlock)
}

fn wait_with<E: FromRaw<NotReady>>(sources: &[WaitSource<'_>], deadline: Option<Duration>) -> Result<usize, E> {
    prepare(sources, |prepared| raw::wait_any::wait_any(prepared, next_start(), deadline))?.map_err(refused)
}

/// With which source the next call of this thread begins.
fn next_start() -> usize {
    thread_local! {
        static START: Cell<usize> = const { Cell::new(0) };
    }
    START.replace(START.get().wrapping_add(1))
}

/// Runs `act` on the sources, as the caller sees them from now on.
fn prepare<R>(sources: &[WaitSource<'_>], act: impl FnOnce(&[Of<'_, Linux>]) -> R) -> Result<R, RegisterError> {
    let sources: Vec<_> = sources.iter().map(WaitSource::prepare).collect();
    let of = sources.iter().map(|source| Ok(Of { me: local::participant(source.place)?, source: source.source() }));
    Ok(act(&of.collect::<Result<Vec<_>, RegisterError>>()?))
}

/// A source as a caller sees it from now on.
pub(super) struct Prepared<'a> {
    /// An address in the segment.
    pub(super) place: &'a (dyn fmt::Debug + Sync),
    kind: PreparedKind<'a>,
}

enum PreparedKind<'a> {
    Set(Set<'a, Linux>),
    Primitive(&'a (dyn Source<Linux> + Sync)),
    Other(Arc<dyn Source<Linux> + Send + Sync + 'a>),
}

impl Prepared<'_> {
    pub(super) fn source(&self) -> &dyn Source<Linux> {
        match &self.kind {
            PreparedKind::Set(set) => set,
            PreparedKind::Primitive(source) => *source,
            PreparedKind::Other(source) => &**source,
        }
    }
}

/// Something that [`wait_any`] waits for: a primitive, and what is wanted of it.
///
/// | source                                | ready if                                                 | then try |
/// |---------------------------------------|----------------------------------------------------------|----------|
/// | [`Queue::readable`]                   | there is an item, or the queue is closed and empty       | [`try_recv`](Queue::try_recv) |
/// | [`Queue::writable`]                   | there is room, or the queue is closed                    | [`try_send`](Queue::try_send) |
/// | [`MessageQueue::readable`](crate::MessageQueue::readable) | there is a message, or the queue is closed and empty | [`try_recv_bytes`](crate::MessageQueue::try_recv_bytes) |
/// | [`TaskQueue::readable`]               | there is a task, or the queue is closed and none will come | [`try_take`](TaskQueue::try_take) |
/// | [`TaskQueue::writable`]               | there is room, or the queue is closed                    | [`try_reserve`](TaskQueue::try_reserve), [`try_send`](TaskQueue::try_send) |
/// | [`TaskQueue::when_done`]              | there is no task but what is set aside                   | |
/// | [`MessageQueue::writable`](crate::MessageQueue::writable) | there is room for a message of that length, or the queue is closed | [`try_send_bytes`](crate::MessageQueue::try_send_bytes) |
/// | [`PipeReceiver::readable`]            | there is a message, or its first part, or none will come | [`try_recv_bytes`](crate::PipeReceiver::try_recv_bytes) |
/// | [`PipeSender::writable`]              | there is room for a quarter of the capacity, or nobody receives | [`try_send_bytes`](crate::PipeSender::try_send_bytes) |
/// | [`Event::when_set`]                   | it is set, or was set during the wait (`auto_reset`: is set) | [`try_wait`](Event::try_wait) |
/// | [`Semaphore::when_available`]         | there is a permit                                        | [`try_acquire`](Semaphore::try_acquire) |
/// | [`PermitPool::when_available`]        | a permit is free, or its holder has died                 | [`try_permit`](PermitPool::try_permit) |
/// | [`Mutex::when_free`], of [`ReentrantMutex`](ReentrantMutex::when_free) and [`Lock`](Lock::when_free), too | `try_lock` would not say `WouldBlock` | [`try_lock`](Mutex::try_lock) |
/// | [`Segment::when_dead`]                | the participant is dead                                  | |
/// | [`ProcessExit::when_exited`](crate::ProcessExit::when_exited) | the process has ended            | [`Child::try_wait`](std::process::Child::try_wait) |
///
/// In short, a source is ready if an attempt that does not wait would do something. It borrows its
/// primitive, and can be used for any number of waits, by any number of threads.
///
/// An [`RwLock`](crate::RwLock), a [`Condvar`](crate::Condvar), a [`Barrier`](crate::Barrier) and a
/// [`Once`](crate::Once) are no sources. Their waiters do more than to wait for one thing.
pub struct WaitSource<'a> {
    /// An address in the segment.
    pub(super) place: &'a (dyn fmt::Debug + Sync),
    /// Tells sources of one word apart.
    pub(super) number: u32,
    kind: Kind<'a>,
}

enum Kind<'a> {
    /// It is compared with what it was when the wait began.
    Event(&'a raw::Event<Linux>),
    /// It is a source by itself.
    Primitive(&'a (dyn Source<Linux> + Sync)),
    Other(Arc<dyn Source<Linux> + Send + Sync + 'a>),
}

impl<'a> WaitSource<'a> {
    /// All that the source refers to lies in the segment where `place` is.
    pub(super) fn new(place: &'a (dyn fmt::Debug + Sync), source: impl Source<Linux> + Send + Sync + 'a) -> Self {
        Self { place, number: 0, kind: Kind::Other(Arc::new(source)) }
    }

    /// This source, with a number that tells it apart from others of the same word.
    pub(super) fn numbered(self, number: u32) -> Self {
        Self { number, ..self }
    }

    /// The source, from now on.
    pub(super) fn prepare(&self) -> Prepared<'a> {
        let kind = match &self.kind {
            Kind::Event(event) => PreparedKind::Set(Set::new(event)),
            Kind::Primitive(source) => PreparedKind::Primitive(*source),
            Kind::Other(source) => PreparedKind::Other(Arc::clone(source)),
        };
        Prepared { place: self.place, kind }
    }

    fn lock(mutex: &'a raw::Mutex<Linux>, leaked: Leaked, is_reentrant: bool) -> Self {
        Self::new(mutex, Free { mutex, leaked, is_reentrant })
    }
}

impl fmt::Debug for WaitSource<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WaitSource").finish_non_exhaustive()
    }
}

impl Event {
    /// A source of [`wait_any`]: the event is set. If it was set during the wait,
    /// and cleared at once, the source is ready, too; but with `auto_reset` it must be set still.
    #[must_use]
    pub fn when_set(&self) -> WaitSource<'_> {
        WaitSource { place: &self.raw, number: 0, kind: Kind::Event(&self.raw) }
    }
}

impl Semaphore {
    /// A source of [`wait_any`]: there is a permit.
    #[must_use]
    pub fn when_available(&self) -> WaitSource<'_> {
        WaitSource { place: &self.raw, number: 0, kind: Kind::Primitive(&self.raw) }
    }
}

impl<const N: usize> PermitPool<N> {
    /// A source of [`wait_any`]: a permit is free, or its holder has died.
    #[must_use]
    pub fn when_available(&self) -> WaitSource<'_> {
        WaitSource { place: &self.raw, number: 0, kind: Kind::Primitive(&self.raw) }
    }
}

impl<T: Shareable> Mutex<T> {
    /// A source of [`wait_any`]: nobody holds the lock, or its holder has died or
    /// has leaked it. A lock that the calling thread holds itself is not free.
    #[must_use]
    pub fn when_free(&self) -> WaitSource<'_> {
        WaitSource::lock(&self.raw, Leaked::Refuse, false)
    }
}

impl<T: Shareable> ReentrantMutex<T> {
    /// A source of [`wait_any`]: the calling thread or nobody holds the lock, or
    /// its holder has died or has leaked it.
    #[must_use]
    pub fn when_free(&self) -> WaitSource<'_> {
        WaitSource::lock(self.raw.mutex(), Leaked::Refuse, true)
    }
}

impl Lock {
    /// A source of [`wait_any`]: nobody holds the lock, or its holder has died.
    #[must_use]
    pub fn when_free(&self) -> WaitSource<'_> {
        WaitSource::lock(&self.raw, Leaked::Wait, false)
    }
}

impl<T: Shareable> Queue<T> {
    /// A source of [`wait_any`]: there is an item to receive, or the queue is
    /// closed and none will come.
    #[must_use]
    pub fn readable(&self) -> WaitSource<'_> {
        WaitSource::new(&self.words, Readable(self.ring()))
    }

    /// A source of [`wait_any`]: there is room for an item, or the queue is
    /// closed.
    #[must_use]
    pub fn writable(&self) -> WaitSource<'_> {
        WaitSource::new(&self.words, Writable(self.ring()))
    }
}

impl<T: Shareable + Sync, R: Shareable + Sync> Segment<T, R> {
    /// A source of [`wait_any`]: this participant of the segment is dead. It is
    /// dead when its thread has ended, in any way, or has left the segment.
    ///
    /// ```
    /// use outlive::{Segment, wait_any};
    /// use std::sync::mpsc;
    ///
    /// let segment = Segment::<()>::anonymous(|_| {})?;
    /// let (send, receive) = mpsc::channel();
    /// std::thread::scope(|scope| {
    ///     scope.spawn(|| send.send(segment.attach().unwrap()));
    /// });
    /// let thread = receive.recv()?;
    /// assert_eq!(wait_any(&[segment.when_dead(thread)])?, 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn when_dead(&self, participant: ParticipantId) -> WaitSource<'_> {
        WaitSource::new(self.first_byte(), Death(participant)).numbered(participant.word())
    }
}

#[cfg(all(test, not(miri)))] // Miri has no memfd
mod tests;
