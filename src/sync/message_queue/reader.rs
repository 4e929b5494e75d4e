//! [`MessageReader`]: the bytes of a message, on their way out of the queue.

use super::writer::forked;
use super::{GuardTag, MessageQueue, RecvFailure};
use crate::raw::message_queue::{Message, Piece};
use core::fmt;
use std::io::{self, BufRead, Read};

/// How many bytes are read in advance.
const COLLECTED: usize = 256;

/// Reads a message straight from the memory of a [`MessageQueue`]: see
/// [`MessageQueue::recv_with`].
///
/// A read fails if memory of the message was overwritten, and in a process that was forked
/// meanwhile.
pub struct MessageReader<'q> {
    queue: &'q MessageQueue,
    message: Option<Message>,
    /// The piece that is being read, and how much of it was copied.
    piece: Option<Piece>,
    copied: usize,
    /// How many bytes of the message were copied.
    passed: usize,
    length: usize,
    collected: [u8; COLLECTED],
    /// The part of `collected` that was not read yet.
    unread: core::ops::Range<usize>,
    is_malformed: bool,
    tag: GuardTag,
}

impl<'q> MessageReader<'q> {
    pub(super) fn new(queue: &'q MessageQueue, message: Message, length: usize) -> Self {
        Self {
            queue,
            message: Some(message),
            piece: None,
            copied: 0,
            passed: 0,
            length,
            collected: [0; COLLECTED],
            unread: 0..0,
            is_malformed: false,
            tag: GuardTag::now(0),
        }
    }

    /// How many bytes were not read yet.
    pub fn len(&self) -> usize {
        self.length - self.passed + self.unread.len()
    }

    /// Whether all bytes were read.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Ends the message, however much of it was read.
    pub(super) fn end<E: RecvFailure>(self) -> Result<(), E> {
        if !self.tag.is_of_this_process() {
            return Err(E::decode(forked()));
        }
        if self.is_malformed { Err(E::malformed()) } else { Ok(()) }
    }

    /// Copies as many bytes as the piece has, or `bytes` has room for. 0: the message has ended, or
    /// there is no room.
    fn copy(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        if bytes.is_empty() || self.passed == self.length {
            return Ok(0);
        }
        if !self.tag.is_of_this_process() {
            return Err(forked());
        }
        let piece = match self.piece {
            Some(piece) if self.copied < piece.length => piece,
            before => {
                let place = before.map(|piece| piece.place);
                let next = self.message.as_ref().and_then(|message| self.queue.messages().following(message, place));
                let Some(next) = next else {
                    self.is_malformed = true;
                    return Err(io::Error::new(
                        io::ErrorKind::InvalidData,
                        "the words of the message were overwritten; receive the next message",
                    ));
                };
                let length = self.queue.block_size().min(self.length - self.passed);
                self.copied = 0;
                *self.piece.insert(Piece { place: next, length })
            }
        };
        let here = bytes.len().min(piece.length - self.copied);
        self.queue.copy_out(piece.place, self.copied, &mut bytes[..here]);
        self.copied += here;
        self.passed += here;
        Ok(here)
    }

    fn take_unread(&mut self, most: usize) -> &[u8] {
        let begin = self.unread.start;
        self.unread.start += most.min(self.unread.len());
        &self.collected[begin..self.unread.start]
    }
}

impl Read for MessageReader<'_> {
    #[inline]
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        if self.unread.is_empty() {
            if bytes.len() >= COLLECTED {
                return self.copy(bytes);
            }
            self.fill_buf()?;
        }
        let here = self.take_unread(bytes.len());
        bytes[..here.len()].copy_from_slice(here);
        Ok(here.len())
    }
}

impl BufRead for MessageReader<'_> {
    #[inline]
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.unread.is_empty() {
            let mut collected = self.collected;
            let count = self.copy(&mut collected)?;
            (self.collected, self.unread) = (collected, 0..count);
        }
        Ok(&self.collected[self.unread.clone()])
    }

    #[inline]
    fn consume(&mut self, count: usize) {
        self.take_unread(count);
    }
}

impl Drop for MessageReader<'_> {
    fn drop(&mut self) {
        if let Some(message) = self.message.take() {
            // In a forked child it is the parent's.
            if self.tag.is_of_this_process() {
                self.queue.messages().finish(message);
            }
        }
    }
}

impl fmt::Debug for MessageReader<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessageReader").field("len", &self.len()).finish_non_exhaustive()
    }
}
