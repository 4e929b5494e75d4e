//! [`MessageQueue`]: messages of any length, from many senders to many receivers.

#![allow(clippy::disallowed_types)] // the bytes are plain data of users, in atomic words

#[cfg(feature = "serde")]
mod encoded;
mod ends;
mod reader;
mod segment;
mod sizes;
mod source;
mod writer;

pub use ends::{MessageReceiver, MessageSender};
pub use reader::MessageReader;
pub use segment::{MessageQueueRoot, MessageQueueSegment, MessageWord};
pub use writer::MessageWriter;

use self::sizes::{HEADER, Sizes};
use super::guard_tag::GuardTag;
use super::result::{FromRaw, refused};
use super::{Deadline, take_part_to_wake};
use crate::atomic::AtomicU64;
use crate::error::{
    NotInSegmentError, RecvFailure, RecvMessageError, RecvMessageTimeoutError, SendFailure, SendMessageError,
    SendMessageTimeoutError, TryRecvMessageError, TrySendMessageError,
};
use crate::platform::{Linux, Platform};
use crate::raw::message_queue::{Message, Messages, NotStarted, Place, Store};
use crate::raw::queue::{Cells, NotClaimed};
use crate::segment::local;
use crate::segment::shared_memory::words;
use core::fmt;
use core::ptr::NonNull;
use core::sync::atomic::Ordering::Relaxed;
use std::io;
use std::time::{Duration, Instant};

/// A bounded queue of messages of any length, in memory that processes share, for many senders and
/// many receivers.
///
/// Each message is received once, whole, and in the order in which its sender sent it. If the queue
/// has no room for a message, `send_bytes` waits for it. If it is empty, `recv_bytes` waits for a
/// message. For items of a fixed size, [`Queue`](crate::Queue) is simpler and faster.
///
/// ```
/// use outlive::MessageQueue;
///
/// # let name = &format!("outlive-doc-message-queue-{}", std::process::id());
/// // Each process calls this. There is room for 256 messages, which have 64 KiB in all:
/// let log = MessageQueue::open_or_create(name, 256, 64 * 1024)?;
/// // One of them:
/// log.send_bytes(b"started")?;
/// log.close()?; // nothing more will come
/// // Another one:
/// for message in log.iter() {
///     println!("{}", String::from_utf8_lossy(&message));
/// }
/// // It stays closed. So the next run makes a new one:
/// MessageQueue::remove(name)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # What is sent
///
/// | what                                   | to send                          | to receive                        |
/// |----------------------------------------|----------------------------------|-----------------------------------|
/// | bytes                                  | [`send_bytes`](Self::send_bytes) | [`recv_bytes`](Self::recv_bytes), [`recv_into`](Self::recv_into) |
/// | what a function writes, and another reads | [`send_with`](Self::send_with) | [`recv_with`](Self::recv_with)   |
/// | any serde type, with the feature `serde` | `send`                         | `recv`                            |
///
/// Each of these has a form that does not wait (`try_`), and forms that wait for a limited time
/// (`_timeout`, `_deadline`).
///
/// # If a process dies
///
/// | participant                            | what the others see                                              |
/// |----------------------------------------|------------------------------------------------------------------|
/// | a sender, before its call has returned | its message was sent whole, or was not; its memory is free again |
/// | a receiver, before its call has returned | the next receiver gets the message, or it was received         |
/// | a receiver, after that                 | nothing: the message was received, and is lost with the receiver |
/// | a waiter                               | nothing                                                          |
/// | the last one with a [sender](Self::sender) | [`RecvMessageError::Disconnected`] after the last message    |
/// | the last one with a [receiver](Self::receiver) | [`SendMessageError::Disconnected`]                       |
///
/// A message that a receiver has left by its death is received next. Meanwhile other receivers may
/// have got later messages of the same sender.
///
/// # When it ends
///
/// As a [`Queue`](crate::Queue#when-it-ends): by [`close`](Self::close), or when all senders or all
/// receivers are gone that were ever taken.
///
/// # Long messages
///
/// A queue that was made for so many bytes has room for messages of that many bytes in all,
/// whatever their lengths, as long as they are not more than [`capacity`](Self::capacity). One
/// message may have [`max_message`](Self::max_message) bytes: at least all of those.
///
/// A message that is longer than a [block](Self::block_size) needs more of them. One sender of a
/// long message at a time looks for them, or waits for them. Senders of short messages pass it.
///
/// # Memory that was overwritten
///
/// A program that writes where it must not can overwrite the queue. Whatever it wrote, no call
/// reads or writes beyond the queue, and none runs in circles. A message whose words do not fit
/// together is dropped, and its receiver gets [`RecvMessageError::Malformed`]. The bytes themselves
/// are not checked: the type or the function that reads them does that.
///
/// # If a process is stopped
///
/// As in a [`Queue`](crate::Queue#if-a-process-is-stopped). Besides, a sender of a long message
/// that is stopped while it looks for room delays the senders of other long messages.
///
/// # What is not offered
///
/// A queue of messages is a segment of its own. It has no form for a field of another type.
pub struct MessageQueue {
    root: NonNull<MessageQueueRoot>,
    /// The cells, with their blocks, and then the blocks of the pool.
    room: NonNull<[AtomicU64]>,
    /// As they were when the segment was opened, and checked against the room then. The segment's
    /// own copy may be overwritten.
    sizes: Sizes,
}

// SAFETY: both pointers are shared references in all but their lifetime: to atomic words.
unsafe impl Send for MessageQueue {}
// SAFETY: as above.
unsafe impl Sync for MessageQueue {}

/// The queue with what its operations need.
type Here<'q> = Messages<'q, Linux, MessageQueue>;

impl MessageQueue {
    #[inline(always)]
    pub(super) fn root(&self) -> &MessageQueueRoot {
        // SAFETY: a `MessageQueue` is reached only through its `MessageQueueSegment`, which keeps
        // the memory mapped. Any bytes are a valid root, and only `&` is given out.
        unsafe { self.root.as_ref() }
    }

    #[inline(always)]
    fn room(&self) -> &[AtomicU64] {
        // SAFETY: as in `root`; the length is that of the segment's room.
        unsafe { self.room.as_ref() }
    }

    #[inline(always)]
    pub(super) fn messages(&self) -> Here<'_> {
        self.root().words().with(self)
    }

    /// The words of a block's bytes.
    #[inline(always)]
    fn bytes_of(&self, place: Place) -> &[AtomicU64] {
        let unit = match place {
            Place::Cell(index) => index,
            Place::Block(block) => self.sizes.cells() + block,
        };
        let at = unit * self.sizes.unit() + HEADER;
        &self.room()[at..at + self.sizes.words()]
    }

    /// Writes bytes into a block, from this offset on, which is a multiple of 8. There is room for
    /// them.
    ///
    /// ORDERING: Relaxed here and in `copy_out`; the cell's word orders them. They are atomic
    /// because overwritten memory can lead two participants to one block.
    #[inline]
    fn copy_in(&self, place: Place, offset: usize, bytes: &[u8]) {
        let words = &self.bytes_of(place)[offset / 8..];
        let (whole, rest) = bytes.split_at(bytes.len() & !7);
        let (whole_words, rest_words) = words.split_at(whole.len() / 8);
        for (word, bytes) in whole_words.iter().zip(whole.chunks_exact(8)) {
            word.store(u64::from_ne_bytes(bytes.try_into().expect("eight bytes")), Relaxed);
        }
        if !rest.is_empty() {
            let mut last = [0; 8];
            last[..rest.len()].copy_from_slice(rest);
            rest_words[0].store(u64::from_ne_bytes(last), Relaxed);
        }
    }

    /// Reads bytes from a block, from this offset on.
    #[inline]
    fn copy_out(&self, place: Place, offset: usize, bytes: &mut [u8]) {
        words::read(self.bytes_of(place), offset, bytes);
    }

    #[cold]
    fn not_started<E: SendFailure + FromRaw<NotClaimed>>(&self, error: NotStarted, length: usize) -> E {
        match error {
            NotStarted::TooLong => E::too_long(length, self.max_message()),
            NotStarted::NotClaimed(error) => refused(error),
        }
    }

    /// Sends these bytes as a message. Waits for room as long as it takes. A signal ends the wait
    /// only in an [interruptible scope](crate::interruptible).
    ///
    /// ```
    /// # let queue = outlive::MessageQueue::anonymous(8, 1024)?;
    /// queue.send_bytes(b"a message of any length")?;
    /// assert_eq!(queue.recv_bytes()?, b"a message of any length");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`SendMessageError::Disconnected`] if the queue is closed; [`SendMessageError::TooLong`];
    /// [`SendMessageError::Interrupted`]; [`SendMessageError::Register`].
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    #[inline]
    pub fn send_bytes(&self, bytes: &[u8]) -> Result<(), SendMessageError> {
        self.send_slice(bytes, Deadline::NEVER)
    }

    /// As [`send_bytes`](Self::send_bytes), if that takes no waiting.
    ///
    /// # Errors
    /// Those of [`send_bytes`](Self::send_bytes); [`TrySendMessageError::Full`] if it would have to
    /// wait.
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    #[inline]
    pub fn try_send_bytes(&self, bytes: &[u8]) -> Result<(), TrySendMessageError> {
        self.send_slice(bytes, Deadline::Immediate)
    }

    /// As [`send_bytes`](Self::send_bytes), but waits at most that long (monotonic time).
    /// [`Duration::MAX`] waits forever.
    ///
    /// # Errors
    /// Those of [`send_bytes`](Self::send_bytes), and [`SendMessageTimeoutError::TimedOut`].
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    pub fn send_bytes_timeout(&self, bytes: &[u8], timeout: Duration) -> Result<(), SendMessageTimeoutError> {
        self.send_slice(bytes, Deadline::after(timeout))
    }

    /// As [`send_bytes`](Self::send_bytes), but waits at most until that moment.
    ///
    /// # Errors
    /// Those of [`send_bytes`](Self::send_bytes), and [`SendMessageTimeoutError::TimedOut`].
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    pub fn send_bytes_deadline(&self, bytes: &[u8], deadline: Instant) -> Result<(), SendMessageTimeoutError> {
        self.send_slice(bytes, Deadline::at(deadline))
    }

    /// Sends the message that `write` writes, straight into the memory of the queue. Returns what
    /// `write` returns.
    ///
    /// The message goes into the queue where `write` begins. So receivers wait for its end before
    /// they get a later message of another sender. If `write` takes long, prepare the bytes first.
    /// If there is no room for all of it at once, the bytes are kept in the memory of this process,
    /// and are sent when `write` is through. `write` must not receive from this
    /// queue: it could wait for its own message, forever.
    ///
    /// ```
    /// use std::io::Write;
    ///
    /// # let queue = outlive::MessageQueue::anonymous(8, 1024)?;
    /// queue.send_with(|message| write!(message, "{} of {}", 3, 7))?;
    /// assert_eq!(queue.recv_bytes()?, b"3 of 7");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Panics
    /// If `write` panics. Nothing is sent then.
    ///
    /// # Errors
    /// Those of [`send_bytes`](Self::send_bytes), and [`SendMessageError::Encode`] with the error
    /// of `write`. Nothing is sent then.
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    #[inline]
    pub fn send_with<A>(
        &self,
        write: impl FnOnce(&mut MessageWriter<'_>) -> io::Result<A>,
    ) -> Result<A, SendMessageError> {
        self.send_by(write, Deadline::NEVER)
    }

    /// As [`send_with`](Self::send_with), if that takes no waiting.
    ///
    /// # Errors
    /// Those of [`send_with`](Self::send_with); [`TrySendMessageError::Full`] if it would have to
    /// wait.
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    #[inline]
    pub fn try_send_with<A>(
        &self,
        write: impl FnOnce(&mut MessageWriter<'_>) -> io::Result<A>,
    ) -> Result<A, TrySendMessageError> {
        self.send_by(write, Deadline::Immediate)
    }

    /// As [`send_with`](Self::send_with), but waits at most that long (monotonic time).
    /// [`Duration::MAX`] waits forever.
    ///
    /// # Errors
    /// Those of [`send_with`](Self::send_with), and [`SendMessageTimeoutError::TimedOut`].
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    pub fn send_with_timeout<A>(
        &self,
        write: impl FnOnce(&mut MessageWriter<'_>) -> io::Result<A>,
        timeout: Duration,
    ) -> Result<A, SendMessageTimeoutError> {
        self.send_by(write, Deadline::after(timeout))
    }

    /// As [`send_with`](Self::send_with), but waits at most until that moment.
    ///
    /// # Errors
    /// Those of [`send_with`](Self::send_with), and [`SendMessageTimeoutError::TimedOut`].
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    pub fn send_with_deadline<A>(
        &self,
        write: impl FnOnce(&mut MessageWriter<'_>) -> io::Result<A>,
        deadline: Instant,
    ) -> Result<A, SendMessageTimeoutError> {
        self.send_by(write, Deadline::at(deadline))
    }

    #[inline(always)]
    fn send_slice<E: SendFailure + FromRaw<NotClaimed>>(&self, bytes: &[u8], deadline: Deadline) -> Result<(), E> {
        let me = local::participant(self.root())?;
        let messages = self.messages();
        let draft = match messages.start(me, deadline, bytes.len()) {
            Ok(draft) => draft,
            Err(error) => return Err(self.not_started(error, bytes.len())),
        };
        let mut place = messages.first_place(&draft);
        let mut rest = bytes;
        loop {
            let (here, later) = rest.split_at(rest.len().min(self.sizes.block()));
            self.copy_in(place, 0, here);
            if later.is_empty() {
                messages.publish(draft, bytes.len());
                return Ok(());
            }
            rest = later;
            place = match messages.next_place(&draft, place) {
                Some(next) => next,
                None => {
                    messages.give_up(draft);
                    return Err(E::encode(writer::overwritten()));
                }
            };
        }
    }

    fn send_by<A, E: SendFailure + FromRaw<NotClaimed>>(
        &self,
        write: impl FnOnce(&mut MessageWriter<'_>) -> io::Result<A>,
        deadline: Deadline,
    ) -> Result<A, E> {
        let me = local::participant(self.root())?;
        let draft = match self.messages().start(me, deadline, 0) {
            Ok(draft) => draft,
            Err(error) => return Err(self.not_started(error, 0)),
        };
        let mut writer = MessageWriter::new(self, draft);
        let answer = write(&mut writer).map_err(E::encode)?; // its drop gives the message up
        writer.end::<E>(deadline)?;
        Ok(answer)
    }

    /// Receives a message. Waits for one as long as it takes. A signal ends the wait only in an
    /// [interruptible scope](crate::interruptible).
    ///
    /// # Errors
    /// [`RecvMessageError::Disconnected`] if the queue is closed, and all that was sent is
    /// received; [`RecvMessageError::Malformed`]; [`RecvMessageError::Interrupted`];
    /// [`RecvMessageError::Register`].
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    #[inline]
    pub fn recv_bytes(&self) -> Result<Vec<u8>, RecvMessageError> {
        self.recv_vec(Deadline::NEVER)
    }

    /// As [`recv_bytes`](Self::recv_bytes), if that takes no waiting.
    ///
    /// # Errors
    /// Those of [`recv_bytes`](Self::recv_bytes); [`TryRecvMessageError::Empty`] if it would have
    /// to wait.
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    #[inline]
    pub fn try_recv_bytes(&self) -> Result<Vec<u8>, TryRecvMessageError> {
        self.recv_vec(Deadline::Immediate)
    }

    /// As [`recv_bytes`](Self::recv_bytes), but waits at most that long (monotonic time).
    /// [`Duration::MAX`] waits forever.
    ///
    /// # Errors
    /// Those of [`recv_bytes`](Self::recv_bytes), and [`RecvMessageTimeoutError::TimedOut`].
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    pub fn recv_bytes_timeout(&self, timeout: Duration) -> Result<Vec<u8>, RecvMessageTimeoutError> {
        self.recv_vec(Deadline::after(timeout))
    }

    /// As [`recv_bytes`](Self::recv_bytes), but waits at most until that moment.
    ///
    /// # Errors
    /// Those of [`recv_bytes`](Self::recv_bytes), and [`RecvMessageTimeoutError::TimedOut`].
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    pub fn recv_bytes_deadline(&self, deadline: Instant) -> Result<Vec<u8>, RecvMessageTimeoutError> {
        self.recv_vec(Deadline::at(deadline))
    }

    /// Receives a message into this buffer. Returns how many bytes the message has.
    ///
    /// If the buffer is too short, the error says how many bytes the message has. The message stays
    /// the next one. Another receiver may get it meanwhile, and others may get later messages.
    ///
    /// ```
    /// use outlive::RecvMessageError;
    ///
    /// # let queue = outlive::MessageQueue::anonymous(8, 1024)?;
    /// queue.send_bytes(b"seven..")?;
    /// let mut buffer = [0; 16];
    /// let too_short = queue.recv_into(&mut buffer[..3]);
    /// assert!(matches!(too_short, Err(RecvMessageError::TooShort { length: 7, room: 3, .. })));
    /// let length = queue.recv_into(&mut buffer)?;
    /// assert_eq!(&buffer[..length], b"seven..");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`recv_bytes`](Self::recv_bytes), and [`RecvMessageError::TooShort`].
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    #[inline]
    pub fn recv_into(&self, buffer: &mut [u8]) -> Result<usize, RecvMessageError> {
        self.recv_slice(buffer, Deadline::NEVER)
    }

    /// As [`recv_into`](Self::recv_into), if that takes no waiting.
    ///
    /// # Errors
    /// Those of [`recv_into`](Self::recv_into); [`TryRecvMessageError::Empty`] if it would have to
    /// wait.
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    #[inline]
    pub fn try_recv_into(&self, buffer: &mut [u8]) -> Result<usize, TryRecvMessageError> {
        self.recv_slice(buffer, Deadline::Immediate)
    }

    /// As [`recv_into`](Self::recv_into), but waits at most that long (monotonic time).
    /// [`Duration::MAX`] waits forever.
    ///
    /// # Errors
    /// Those of [`recv_into`](Self::recv_into), and [`RecvMessageTimeoutError::TimedOut`].
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    pub fn recv_into_timeout(&self, buffer: &mut [u8], timeout: Duration) -> Result<usize, RecvMessageTimeoutError> {
        self.recv_slice(buffer, Deadline::after(timeout))
    }

    /// As [`recv_into`](Self::recv_into), but waits at most until that moment.
    ///
    /// # Errors
    /// Those of [`recv_into`](Self::recv_into), and [`RecvMessageTimeoutError::TimedOut`].
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    pub fn recv_into_deadline(&self, buffer: &mut [u8], deadline: Instant) -> Result<usize, RecvMessageTimeoutError> {
        self.recv_slice(buffer, Deadline::at(deadline))
    }

    /// Receives a message, which `read` reads straight from the memory of the queue. Returns what
    /// `read` returns. What `read` leaves unread is dropped.
    ///
    /// ```
    /// use std::io::BufRead;
    ///
    /// # let queue = outlive::MessageQueue::anonymous(8, 1024)?;
    /// queue.send_bytes(b"first line\nsecond line")?;
    /// let lines: Vec<_> = queue.recv_with(|message| message.lines().collect())?;
    /// assert_eq!(lines, ["first line", "second line"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Panics
    /// If `read` panics. The message is received then: the next one is another.
    ///
    /// # Errors
    /// Those of [`recv_bytes`](Self::recv_bytes), and [`RecvMessageError::Decode`] with the error
    /// of `read`. The message was received then.
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    #[inline]
    pub fn recv_with<A>(
        &self,
        read: impl FnOnce(&mut MessageReader<'_>) -> io::Result<A>,
    ) -> Result<A, RecvMessageError> {
        self.recv_by(read, Deadline::NEVER)
    }

    /// As [`recv_with`](Self::recv_with), if that takes no waiting.
    ///
    /// # Errors
    /// Those of [`recv_with`](Self::recv_with); [`TryRecvMessageError::Empty`] if it would have to
    /// wait.
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    #[inline]
    pub fn try_recv_with<A>(
        &self,
        read: impl FnOnce(&mut MessageReader<'_>) -> io::Result<A>,
    ) -> Result<A, TryRecvMessageError> {
        self.recv_by(read, Deadline::Immediate)
    }

    /// As [`recv_with`](Self::recv_with), but waits at most that long (monotonic time).
    /// [`Duration::MAX`] waits forever.
    ///
    /// # Errors
    /// Those of [`recv_with`](Self::recv_with), and [`RecvMessageTimeoutError::TimedOut`].
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    pub fn recv_with_timeout<A>(
        &self,
        read: impl FnOnce(&mut MessageReader<'_>) -> io::Result<A>,
        timeout: Duration,
    ) -> Result<A, RecvMessageTimeoutError> {
        self.recv_by(read, Deadline::after(timeout))
    }

    /// As [`recv_with`](Self::recv_with), but waits at most until that moment.
    ///
    /// # Errors
    /// Those of [`recv_with`](Self::recv_with), and [`RecvMessageTimeoutError::TimedOut`].
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    pub fn recv_with_deadline<A>(
        &self,
        read: impl FnOnce(&mut MessageReader<'_>) -> io::Result<A>,
        deadline: Instant,
    ) -> Result<A, RecvMessageTimeoutError> {
        self.recv_by(read, Deadline::at(deadline))
    }

    #[inline(always)]
    fn take<E: RecvFailure + FromRaw<NotClaimed>>(&self, deadline: Deadline) -> Result<Message, E> {
        let me = local::participant(self.root())?;
        self.messages().take(me, deadline).map_err(refused::<_, E>)
    }

    /// The length of a message. If it has none, the message is dropped.
    #[inline(always)]
    fn length_of<E: RecvFailure>(&self, message: Message) -> Result<(Message, usize), E> {
        match self.messages().length(&message) {
            Ok(length) => Ok((message, length)),
            Err(_) => {
                self.messages().finish(message);
                Err(E::malformed())
            }
        }
    }

    /// Reads a message of this length, and ends it.
    #[inline(always)]
    fn read_all<E: RecvFailure>(&self, message: Message, bytes: &mut [u8]) -> Result<(), E> {
        let mut rest = bytes;
        for piece in self.messages().pieces(&message) {
            let Ok(piece) = piece else {
                self.messages().finish(message);
                return Err(E::malformed());
            };
            let (here, later) = rest.split_at_mut(piece.length);
            self.copy_out(piece.place, 0, here);
            rest = later;
        }
        self.messages().finish(message);
        Ok(())
    }

    #[inline(always)]
    fn recv_vec<E: RecvFailure + FromRaw<NotClaimed>>(&self, deadline: Deadline) -> Result<Vec<u8>, E> {
        let (message, length) = self.length_of::<E>(self.take::<E>(deadline)?)?;
        let mut bytes = vec![0; length];
        self.read_all(message, &mut bytes).map(|()| bytes)
    }

    #[inline(always)]
    fn recv_slice<E: RecvFailure + FromRaw<NotClaimed>>(
        &self,
        buffer: &mut [u8],
        deadline: Deadline,
    ) -> Result<usize, E> {
        let (message, length) = self.length_of::<E>(self.take::<E>(deadline)?)?;
        let room = buffer.len();
        let Some(buffer) = buffer.get_mut(..length) else {
            self.messages().put_back(message);
            return Err(E::too_short(length, room));
        };
        self.read_all(message, buffer).map(|()| length)
    }

    fn recv_by<A, E: RecvFailure + FromRaw<NotClaimed>>(
        &self,
        read: impl FnOnce(&mut MessageReader<'_>) -> io::Result<A>,
        deadline: Deadline,
    ) -> Result<A, E> {
        let (message, length) = self.length_of::<E>(self.take::<E>(deadline)?)?;
        let mut reader = MessageReader::new(self, message, length);
        let answer = read(&mut reader);
        reader.end::<E>()?;
        answer.map_err(E::decode)
    }

    /// Closes the queue forever: nothing more can be sent. What was sent can still be received.
    /// Then receivers get [`RecvMessageError::Disconnected`]. Returns whether the queue was open.
    ///
    /// A named queue stays closed until its name is removed:
    /// [`open_or_create`](Self::open_or_create) gives the closed one.
    ///
    /// # Errors
    /// The queue is in no segment.
    ///
    /// # If a process dies
    /// The queue is closed, or it is not.
    pub fn close(&self) -> Result<bool, NotInSegmentError> {
        take_part_to_wake(self.root())?;
        Ok(self.messages().ring().close())
    }

    /// Whether the queue is closed. Messages may still be in it.
    pub fn is_closed(&self) -> bool {
        self.root().words().queue().is_closed()
    }

    /// Receives messages until none will come: it waits for each. Messages that are
    /// [malformed](RecvMessageError::Malformed) are left out. It also ends if a wait is
    /// interrupted, and where the thread cannot take part in the segment.
    ///
    /// ```
    /// # let queue = outlive::MessageQueue::anonymous(8, 1024)?;
    /// queue.send_bytes(b"one")?;
    /// queue.send_bytes(b"two")?;
    /// queue.close()?;
    /// assert_eq!(queue.iter().collect::<Vec<_>>().concat(), b"onetwo");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn iter(&self) -> impl Iterator<Item = Vec<u8>> + '_ {
        std::iter::from_fn(|| {
            loop {
                match self.recv_bytes() {
                    Err(RecvMessageError::Malformed) => {}
                    received => return received.ok(),
                }
            }
        })
    }

    /// Receives messages as long as that takes no waiting. Messages that are
    /// [malformed](TryRecvMessageError::Malformed) are left out.
    pub fn try_iter(&self) -> impl Iterator<Item = Vec<u8>> + '_ {
        std::iter::from_fn(|| {
            loop {
                match self.try_recv_bytes() {
                    Err(TryRecvMessageError::Malformed) => {}
                    received => return received.ok(),
                }
            }
        })
    }

    /// The number of messages at the moment. Those that are just being sent or received count. So
    /// does one that was given up or received out of turn, until those before it are received.
    /// Otherwise it is exact while nobody sends or receives. It is 0 then only if there is none.
    pub fn len(&self) -> usize {
        self.messages().ring().len()
    }

    /// Whether [`len`](Self::len) is 0.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The most messages that can be in the queue.
    pub fn capacity(&self) -> usize {
        self.sizes.cells()
    }

    /// How many bytes a block has. A message that is no longer is sent fastest.
    pub fn block_size(&self) -> usize {
        self.sizes.block()
    }

    /// The most bytes that one message can have.
    pub fn max_message(&self) -> usize {
        self.messages().most_bytes()
    }
}

impl Cells<Linux> for MessageQueue {
    #[inline(always)]
    fn capacity(&self) -> usize {
        self.sizes.cells()
    }
    #[inline(always)]
    fn word(&self, index: usize) -> &<Linux as Platform>::Word64 {
        &self.room()[index * self.sizes.unit()]
    }
}

impl Store<Linux> for MessageQueue {
    #[inline(always)]
    fn block_size(&self) -> usize {
        self.sizes.block()
    }
    #[inline(always)]
    fn blocks(&self) -> usize {
        self.sizes.blocks()
    }
    #[inline(always)]
    fn letter(&self, index: usize) -> &<Linux as Platform>::Word64 {
        &self.room()[index * self.sizes.unit() + 1]
    }
    #[inline(always)]
    fn owner(&self, block: usize) -> &<Linux as Platform>::Word64 {
        &self.room()[(self.sizes.cells() + block) * self.sizes.unit()]
    }
    #[inline(always)]
    fn link(&self, block: usize) -> &<Linux as Platform>::Word {
        let word = &self.room()[(self.sizes.cells() + block) * self.sizes.unit() + 1];
        // SAFETY: within the word, and aligned. This half is used as a word of 4 bytes alone.
        unsafe { &*core::ptr::from_ref(word).cast::<<Linux as Platform>::Word>() }
    }
}

impl fmt::Debug for MessageQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessageQueue")
            .field("len", &self.len())
            .field("capacity", &self.sizes.cells())
            .field("max_message", &self.max_message())
            .field("closed", &self.is_closed())
            .finish()
    }
}

#[cfg(all(test, not(miri)))] // Miri has no memfd
mod tests;
