//! [`MessageWriter`]: the bytes of a message, on their way into the queue.

use super::{FromRaw, GuardTag, MessageQueue, NotClaimed, Place, SendFailure};
use crate::raw::message_queue::Draft;
use crate::segment::local;
use crate::sync::Deadline;
use core::fmt;
use std::io::{self, Write};

/// How many bytes are collected before they are written: a multiple of a word.
const COLLECTED: usize = 64;

/// Writes a message straight into the memory of a [`MessageQueue`]: see
/// [`MessageQueue::send_with`].
///
/// A write fails only if memory of the queue was overwritten, and in a process that was forked
/// meanwhile. A message that becomes too long is an error of the send, which says how long it is.
pub struct MessageWriter<'q> {
    queue: &'q MessageQueue,
    state: State,
    length: usize,
    tag: GuardTag,
}

enum State {
    /// Into the queue.
    Here { draft: Draft, at: At },
    /// Into the memory of this process: the queue has no room for more at the moment.
    Aside(Vec<u8>),
    /// Nowhere: the message is too long, and is only counted. Or it was given up.
    Nowhere,
}

/// Where the next bytes come.
struct At {
    place: Place,
    /// Within the block: a multiple of 8.
    offset: usize,
    collected: [u8; COLLECTED],
    count: usize,
}

#[cold]
pub(super) fn overwritten() -> io::Error {
    io::Error::other(
        "memory of the queue was overwritten while the message was written into it; look for who writes into this memory",
    )
}

#[cold]
pub(super) fn forked() -> io::Error {
    io::Error::other(
        "this process was forked while the message was in use, which is the parent's; send or receive another one here",
    )
}

impl<'q> MessageWriter<'q> {
    pub(super) fn new(queue: &'q MessageQueue, draft: Draft) -> Self {
        let place = queue.messages().first_place(&draft);
        let at = At { place, offset: 0, collected: [0; COLLECTED], count: 0 };
        Self { queue, state: State::Here { draft, at }, length: 0, tag: GuardTag::now(0) }
    }

    /// How many bytes were written so far.
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether nothing was written so far.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Publishes the message.
    pub(super) fn end<E: SendFailure + FromRaw<NotClaimed>>(mut self, deadline: Deadline) -> Result<(), E> {
        if !self.tag.is_of_this_process() {
            return Err(E::encode(forked()));
        }
        match core::mem::replace(&mut self.state, State::Nowhere) {
            // The last block may end beyond what a message can have.
            State::Here { draft, .. } if self.length > self.queue.max_message() => {
                self.queue.messages().give_up(draft);
                Err(E::too_long(self.length, self.queue.max_message()))
            }
            State::Here { draft, at } => {
                self.queue.copy_in(at.place, at.offset, &at.collected[..at.count]);
                self.queue.messages().publish(draft, self.length);
                Ok(())
            }
            State::Aside(bytes) => self.queue.send_slice(&bytes, deadline),
            State::Nowhere => Err(E::too_long(self.length, self.queue.max_message())),
        }
    }

    /// Takes more room for the message, or goes on in the memory of this process.
    #[cold]
    fn grow(&mut self) -> io::Result<()> {
        let State::Here { draft, at } = &mut self.state else { return Ok(()) };
        let messages = self.queue.messages();
        if let Ok(me) = local::participant(self.queue.root()) {
            if messages.grow(me, draft) {
                at.place = messages.next_place(draft, at.place).ok_or_else(overwritten)?;
                at.offset = 0;
                return Ok(());
            }
        }
        let mut bytes = vec![0; self.length];
        let mut place = messages.first_place(draft);
        let mut chunks = bytes.chunks_mut(self.queue.block_size()).peekable();
        while let Some(chunk) = chunks.next() {
            self.queue.copy_out(place, 0, chunk);
            if chunks.peek().is_some() {
                place = messages.next_place(draft, place).ok_or_else(overwritten)?;
            }
        }
        if let State::Here { draft, .. } = core::mem::replace(&mut self.state, State::Aside(bytes)) {
            messages.give_up(draft);
        }
        Ok(())
    }
}

impl Write for MessageWriter<'_> {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let State::Here { at, .. } = &mut self.state {
            // What is collected always fits into the block.
            let room = COLLECTED.min(self.queue.block_size() - at.offset);
            if bytes.len() < room - at.count {
                at.collected[at.count..at.count + bytes.len()].copy_from_slice(bytes);
                at.count += bytes.len();
                self.length += bytes.len();
                return Ok(bytes.len());
            }
        }
        self.write_out(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MessageWriter<'_> {
    /// As [`write`](Self::write), if the bytes fill what is collected.
    fn write_out(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !self.tag.is_of_this_process() {
            return Err(forked());
        }
        let block = self.queue.block_size();
        if let State::Here { draft, at } = &mut self.state {
            if at.offset == block {
                if bytes.is_empty() {
                    return Ok(0);
                }
                match self.queue.messages().next_place(draft, at.place) {
                    Some(next) => (at.place, at.offset) = (next, 0),
                    None => self.grow()?,
                }
            }
        }
        let written = match &mut self.state {
            State::Here { at, .. } => {
                if at.count == 0 && bytes.len() >= 8 {
                    let here = bytes.len().min(block - at.offset) & !7;
                    self.queue.copy_in(at.place, at.offset, &bytes[..here]);
                    at.offset += here;
                    here
                } else {
                    let room = COLLECTED.min(block - at.offset);
                    let here = bytes.len().min(room - at.count);
                    at.collected[at.count..at.count + here].copy_from_slice(&bytes[..here]);
                    at.count += here;
                    if at.count == room {
                        self.queue.copy_in(at.place, at.offset, &at.collected[..at.count]);
                        at.offset += at.count;
                        at.count = 0;
                    }
                    here
                }
            }
            State::Aside(kept) => {
                if kept.len() + bytes.len() > self.queue.max_message() {
                    self.state = State::Nowhere;
                } else {
                    kept.extend_from_slice(bytes);
                }
                bytes.len()
            }
            State::Nowhere => bytes.len(),
        };
        self.length = self.length.saturating_add(written);
        Ok(written)
    }
}

impl Drop for MessageWriter<'_> {
    fn drop(&mut self) {
        if let State::Here { draft, .. } = core::mem::replace(&mut self.state, State::Nowhere) {
            // In a forked child it is the parent's.
            if self.tag.is_of_this_process() {
                self.queue.messages().give_up(draft);
            }
        }
    }
}

impl fmt::Debug for MessageWriter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessageWriter").field("len", &self.length).finish_non_exhaustive()
    }
}

#[cfg(all(test, not(miri)))] // Miri has no memfd
mod tests;
