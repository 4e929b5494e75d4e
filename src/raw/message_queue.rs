//! A queue of messages of any length: a [queue](super::queue), and blocks that belong to its
//! positions.
//!
//! This is the algorithm without the bytes. Each cell of the queue has a *block* of its own, which
//! has room for a short message. A longer message takes more blocks, from a *pool* that all cells
//! share. A sender claims a cell and the blocks, writes the message into them, and publishes the
//! cell. A receiver claims the cell, reads the message, and finishes the cell.
//!
//! If each block has `s` bytes, and the pool has `b` blocks, then messages of `s * b` bytes in all
//! fit into the queue, whatever their lengths, as long as there are cells: the first block of each
//! message is its cell's own. One message can have `s * (b + 1)` bytes.
//!
//! # The words
//!
//! Besides the cells, which are those of the queue. All of them are 0 at first.
//!
//! | word              | of              | meaning                                                   |
//! |-------------------|-----------------|-----------------------------------------------------------|
//! | letter            | each cell       | the length of its message, and the first block of its chain |
//! | owner             | each block of the pool | the position to which the block belongs             |
//! | link              | each block of the pool | the next block of the chain                         |
//! | gate              | the queue       | a [mutex](super::mutex): who may change owners            |
//! | next              | the queue       | a hint: the block with which the next search begins       |
//!
//! `message_queue/word.rs` has the bits of letter and owner. A link is the number of a block,
//! counted from 1; 0 ends the chain.
//!
//! # Invariants
//!
//! Those of the queue, and:
//!
//! 1. A block of the pool belongs to the position that its owner word names, as long as that
//!    position is not over. A position is over when it is finished, and when its sender died before
//!    it published. So the step that ends a position frees all its blocks. Nobody has to free
//!    blocks one by one, and no death can interrupt that.
//! 2. Only the holder of the gate makes a free block belong to a position. So a block that the
//!    holder has found free is free until the holder has used it. The holder's own position is not
//!    over: it has claimed the cell.
//! 3. A sender that waits for blocks has claimed no cell. Otherwise it could wait for a message
//!    behind its own, which no receiver can reach before the sender has published. A sender that
//!    has claimed a cell takes blocks only if that takes no waiting, the gate included.
//! 4. A sender that waits for blocks holds the gate. So two senders never each hold half of the
//!    blocks that they need. Others that need no blocks of the pool go on meanwhile.
//! 5. A sender that waits for blocks may be woken for a cell. If it cannot use the cell yet, it
//!    wakes one more sender (invariant 8 of the queue).
//! 6. A receiver follows a link only to a block that belongs to the receiver's position, and
//!    follows as many links as the length of the message needs. So no message can have a block of
//!    another, and no chain is endless, whatever the words.
//! 7. A caller that waits for several is a foreign waiter of the queue: for a cell, for blocks and
//!    for the gate. It takes none of them, and has no turn. So whoever leaves the gate does what
//!    everybody does who makes room (invariant 13 of the queue).
//!
//! # If a process dies
//!
//! | participant                         | effect                                                        |
//! |-------------------------------------|---------------------------------------------------------------|
//! | a sender, before it publishes       | its message is lost, and nothing else: its blocks are free    |
//! | a sender, after that                | nothing: its death makes the sleepers check                   |
//! | a sender that holds the gate        | the next sender that waits for the gate takes it over         |
//! | a receiver, before it finishes      | the message is still there, and another receiver gets it      |
//! | a receiver, after that              | the message was received, and is lost with it                 |
//! | the last one with an end            | the queue is closed: its death makes the sleepers check       |
//!
//! # What a stopped process delays
//!
//! As in the queue. Besides, a sender that is stopped while it holds the gate delays the senders of
//! other long messages. It holds the gate while it looks for blocks, and while it waits for them.
//!
//! # Words that no participant wrote
//!
//! Each word may have any value. A letter with an impossible length, and a chain that is too short
//! or has another position's block, are found when the message is read: [`Malformed`]. The receiver
//! then finishes the cell, and goes on with the next message. An owner that names no cell, or a
//! position that nobody has claimed, means a free block.
//!
//! # In a signal handler
//!
//! A handler may interrupt its own thread in this code. As with the queue, it must not wait: the
//! interrupted call may be what it waits for, and may hold the gate.
//!
//! # What wraps
//!
//! Laps, after 2^32, as in the queue. A block that has belonged to no message meanwhile may seem to
//! belong to one. That is over with that message.

mod blocks;
mod pieces;
mod source;
mod word;

use self::blocks::Run;
pub use self::pieces::{Malformed, Piece, Pieces, Place};
pub use self::source::Writable;
use self::word::Letter;
use super::ends::MOST_ENDS;
use super::mutex::Mutex;
use super::queue::{Cells, Claim, NotClaimed, Queue, Ring};
use super::table::Participant;
use super::vigil::Deadline;
use crate::platform::{Platform, Word64};
use core::sync::atomic::Ordering::Relaxed;

/// The memory of a queue of messages, without the bytes.
pub trait Store<P: Platform>: Cells<P> {
    /// How many bytes a block has: at least 1.
    fn block_size(&self) -> usize;
    /// How many blocks the pool has: at most [`MOST_BLOCKS`].
    fn blocks(&self) -> usize;
    /// The letter of a cell. `index` is less than [`capacity`](Cells::capacity).
    fn letter(&self, index: usize) -> &P::Word64;
    /// The owner of a block of the pool. `block` is less than [`blocks`](Self::blocks).
    fn owner(&self, block: usize) -> &P::Word64;
    /// The link of a block of the pool. `block` is less than [`blocks`](Self::blocks).
    fn link(&self, block: usize) -> &P::Word;
}

/// The most cells that a queue of messages can have.
pub const MOST_MESSAGES: usize = (1 << 28) - 1;

/// The most blocks that the pool can have.
pub const MOST_BLOCKS: usize = (1 << 28) - 1;

/// The most bytes that a message can have, however many blocks there are.
pub const MOST_BYTES: usize = u32::MAX as usize;

/// Keeps the words of long messages away from those of the queue.
#[derive(Debug)]
#[repr(C, align(128))]
struct OwnLines<T>(T);

/// The words of a queue of messages, without its [`Store`]. See the [module](self).
#[derive(Debug)]
#[repr(C)]
pub struct MessageQueue<P: Platform, const BITS: u32 = 32, const ENDS: usize = MOST_ENDS> {
    queue: Queue<P, BITS, ENDS>,
    pool: OwnLines<Pool<P>>,
}

#[derive(Debug)]
#[repr(C)]
struct Pool<P: Platform> {
    gate: Mutex<P>,
    next: P::Word,
}

/// A queue of messages with its store. What a sender or a receiver does.
#[derive(Debug)]
pub struct Messages<'q, P: Platform, S: ?Sized, const BITS: u32 = 32, const ENDS: usize = MOST_ENDS> {
    words: &'q MessageQueue<P, BITS, ENDS>,
    store: &'q S,
}

impl<P: Platform, S: ?Sized, const BITS: u32, const ENDS: usize> Clone for Messages<'_, P, S, BITS, ENDS> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<P: Platform, S: ?Sized, const BITS: u32, const ENDS: usize> Copy for Messages<'_, P, S, BITS, ENDS> {}

/// A message that is being written: a claimed cell, and blocks. The caller writes into its
/// [places](Messages::first_place), and then [publishes](Messages::publish) it or [gives it
/// up](Messages::give_up).
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub struct Draft {
    claim: Claim,
    run: Run,
}

/// A message that is being received: a claimed cell, and blocks. The caller reads its
/// [pieces](Messages::pieces), and then [finishes](Messages::finish) it or [puts it
/// back](Messages::put_back).
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub struct Message {
    claim: Claim,
    letter: Letter,
}

/// Why no message can be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotStarted {
    /// No cell was claimed. [`NotClaimed::WouldBlock`] also says that blocks are missing.
    NotClaimed(NotClaimed),
    /// The message is longer than [`Messages::most_bytes`].
    TooLong,
}

impl From<NotClaimed> for NotStarted {
    fn from(error: NotClaimed) -> Self {
        Self::NotClaimed(error)
    }
}

impl<'q, P: Platform, S: Store<P> + ?Sized, const BITS: u32, const ENDS: usize> Messages<'q, P, S, BITS, ENDS> {
    /// The queue: its length, its ends, its end. A cell that is claimed here is a message only if
    /// it has a letter.
    #[inline(always)]
    pub fn ring(&self) -> Ring<'q, P, S, BITS, ENDS> {
        self.words.queue.with(self.store)
    }

    /// How many bytes a message can have.
    pub fn most_bytes(&self) -> usize {
        self.store.block_size().saturating_mul(self.store.blocks() + 1).min(MOST_BYTES)
    }

    /// Begins a message of this many bytes: claims a cell, and the blocks. `Deadline::By` waits for
    /// them.
    ///
    /// Whoever does not know the length begins one of 0 bytes, and lets it [grow](Self::grow).
    ///
    /// # Errors
    /// [`NotStarted`].
    ///
    /// # If a process dies
    /// See the [module](self#if-a-process-dies).
    #[inline]
    pub fn start(&self, me: Participant<'_, P>, deadline: Deadline, length: usize) -> Result<Draft, NotStarted> {
        if length > self.store.block_size() {
            return self.start_long(me, deadline, length);
        }
        let claimed = match deadline {
            Deadline::Immediate => self.ring().try_claim_free(me),
            Deadline::By(deadline) => self.ring().claim_free(me, deadline),
        };
        Ok(Draft { claim: claimed?, run: Run::EMPTY })
    }

    /// Publishes a message of this many bytes. The draft has room for them.
    ///
    /// # If a process dies
    /// Before the cell's word is written: the message is lost. After that, before the wake: the
    /// sleepers check, and find the message.
    #[inline]
    pub fn publish(&self, mut draft: Draft, length: usize) {
        let has_spare = !draft.run.is_empty() && self.cut(&mut draft, length);
        let letter = Letter::new(u32::try_from(length).unwrap_or(u32::MAX), draft.run.first());
        // ORDERING: Relaxed; the cell's word publishes it. Model:
        // `message_queue::a_message_is_published`.
        self.store.letter(draft.claim.index()).store(letter.0, Relaxed);
        self.ring().publish(draft.claim);
        if has_spare {
            self.ring().notice_room(1);
        }
    }

    /// Gives a message up that was not published. Its position is passed, and its blocks are free.
    ///
    /// # If a process dies
    /// As before it publishes.
    #[cold]
    pub fn give_up(&self, draft: Draft) {
        self.ring().give_up(draft.claim);
    }

    /// Claims the next message. `Deadline::By` waits for one.
    ///
    /// # Errors
    /// [`NotClaimed`].
    ///
    /// # If a process dies
    /// See the [module](self#if-a-process-dies).
    #[inline]
    pub fn take(&self, me: Participant<'_, P>, deadline: Deadline) -> Result<Message, NotClaimed> {
        let claim = match deadline {
            Deadline::Immediate => self.ring().try_claim_full(me),
            Deadline::By(deadline) => self.ring().claim_full(me, deadline),
        }?;
        // ORDERING: Relaxed; the claim has acquired it. Model:
        // `message_queue::a_message_is_acquired`.
        Ok(Message { claim, letter: Letter(self.store.letter(claim.index()).load(Relaxed)) })
    }

    /// Ends a message that was read. Its blocks are free.
    ///
    /// # If a process dies
    /// Before the cell's word is written: another receiver gets the message. After that, before the
    /// wake: the sleepers check, and find the room.
    #[inline]
    pub fn finish(&self, message: Message) {
        self.ring().finish(message.claim);
    }

    /// Puts a message back: the next receiver gets it.
    ///
    /// Meanwhile other receivers may have got later messages.
    ///
    /// # If a process dies
    /// The message stays.
    #[cold]
    pub fn put_back(&self, message: Message) {
        self.ring().put_back(message.claim);
    }
}

impl<P: Platform, const BITS: u32, const ENDS: usize> MessageQueue<P, BITS, ENDS> {
    /// A queue of messages of these words. The queue is empty, and the words are 0 at first.
    pub fn from_words(queue: Queue<P, BITS, ENDS>, gate: Mutex<P>, next: P::Word) -> Self {
        Self { queue, pool: OwnLines(Pool { gate, next }) }
    }

    /// The queue with its store, which must always be the same.
    #[inline(always)]
    pub fn with<'q, S: Store<P> + ?Sized>(&'q self, store: &'q S) -> Messages<'q, P, S, BITS, ENDS> {
        Messages { words: self, store }
    }

    /// The words of the queue of cells.
    pub fn queue(&self) -> &Queue<P, BITS, ENDS> {
        &self.queue
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod waits;
