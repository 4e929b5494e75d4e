//! A pipe: messages of any length, from one sender to one receiver, through a ring of words.
//!
//! This is the algorithm without the bytes. The sender reserves room for a *frame*, writes its
//! bytes into the words behind the frame's header, and publishes the frame. The receiver finds a
//! frame, reads its bytes, and finishes the frame.
//!
//! A message is one frame, or several if it is longer than a quarter of the ring. Each frame but
//! the first *continues* the message.
//!
//! # The words
//!
//! The ring has a power of two of 64-bit words. A *position* counts words from the beginning of the
//! pipe; its lower bits are the index in the ring. A frame has a header, and as many words as its
//! bytes need. The header of the next frame follows at once.
//!
//! | bits of a header | meaning                                                          |
//! |------------------|------------------------------------------------------------------|
//! | 0                | there is a frame. All other bits are 0 without it                |
//! | 1                | CONTINUES: the frame continues a message                         |
//! | 2–47             | the bytes of the message from this frame on                      |
//! | 48–63            | the lower bits of the header's position                          |
//!
//! From the length, both sides know how many bytes the frame has: all, or what fits into a quarter
//! of the ring.
//!
//! `head` is the position at which the receiver goes on. `tail` is the position at which the next
//! sender goes on, or at which the last frame begins. A sender and a receiver keep their positions
//! in memory of their own. So in a transfer the two sides share only the ring's words.
//!
//! `frames` and `room` are the words on which receiver and sender sleep:
//!
//! | bits  | name     | set by                                   | cleared by                              |
//! |-------|----------|------------------------------------------|-----------------------------------------|
//! | 0–30  | sequence | a change that finds WAITERS adds 1       |                                         |
//! | 31    | WAITERS  | the waiter that is about to sleep        | a change that finds it, before its wake |
//!
//! `sender` and `receiver` are the [holds](super::hold) of the two ends:
//!
//! | value | meaning                                                                   |
//! |-------|---------------------------------------------------------------------------|
//! | 0     | nobody has taken the end yet                                              |
//! | 1     | CLOSED: it was given back, and nobody can take it any more                |
//! | an id | that participant's process has it. If it is dead, another may take it     |
//!
//! # Invariants
//!
//! 1. One participant at a time has an end, and only with it changes a side's words.
//! 2. The words from `head` to the sender's position are those of frames. The word at the sender's
//!    position is 0. The sender writes 0 behind a frame before it publishes the frame. So the
//!    receiver, which goes from header to header, reads no word as a header that is not one.
//! 3. A frame is published by the exchange of its header. Before that it is not there, however much
//!    of it is written.
//! 4. The sender reserves at most the words from its position to `head`, less one for the 0 behind
//!    the frame. So it does not write what the receiver may still read.
//! 5. A change (a frame, finished words, a closed end) passes a fence, and *then* checks the word
//!    on which the other side sleeps. A waiter sets WAITERS there, passes a fence, and *then*
//!    checks for the change. So at least one of them notices the other.
//! 6. A waiter that finds the other end closed, or its owner dead, checks once more. So it has all
//!    that was sent, and only then learns that nothing more comes.
//! 7. A message ends with the frame whose bytes are all that is left of it. If a frame does not
//!    continue a message, the message before it was cut off, and the receiver drops its part.
//!
//! # If a process dies
//!
//! | participant                          | effect                                                    |
//! |--------------------------------------|-----------------------------------------------------------|
//! | the sender, before it publishes      | the frame is not there                                    |
//! | the sender, after that               | the frame is there; its death makes the receiver check    |
//! | the sender, within a message         | the part is dropped (invariant 7)                         |
//! | the receiver, before it finishes     | the frame is still there for the next receiver            |
//! | the receiver, within a message       | the message is lost: the next receiver skips the rest     |
//! | while it gives its end back          | the end is closed, or it is the end of the dead           |
//! | while it takes an end                | it has the end, and is dead; or it has not                |
//!
//! A waiter's first sleep watches nobody, because this makes a turn of ping-pong much shorter. So a
//! waiter may learn of a death as late as that sleep ends: with the
//! [first phase](Platform::first_phase).
//!
//! The next sender begins at `tail`. If its predecessor died between the publication of a frame and
//! the change of `tail`, the frame begins there, and the next sender passes it.
//!
//! # Words that no participant wrote
//!
//! Each word may have any value. A header that does not fit its position is *malformed*: the
//! receiver goes on at `tail`, where a frame begins or will begin. The length of a frame is bounded
//! by the ring, and each access is to a word of the ring.
//!
//! A header has 16 bits of its position. In a ring of 2^16 words or more, a header that stays where
//! it is fits again in the next round. So a receiver that goes from frame to frame in a loop
//! [compares](Lane::finish_and_go_on) the frame's position with `tail`, too. Otherwise overwritten
//! words could keep it in the loop forever.
//!
//! # What wraps
//!
//! Positions, after 2^64 words: not in a thousand years. The sequence, after 2^31 changes that each
//! found the waiter; only if all of them fall between its check and its sleep.

use super::hold::{Id, WAITERS, has_waiters};
use super::table::{Kept, Participant};
use super::vigil::{Spins, Vigil, from_ended};
use crate::platform::{Platform, Word, Word64};
use core::mem;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};
use core::time::Duration;

mod source;
#[cfg(test)]
mod tests;

pub use self::source::{Readable, Usable, Writable};

const SEQUENCE: u32 = WAITERS - 1;

/// Of an end: it was given back.
const CLOSED: u32 = 1;

const IS_FRAME: u64 = 1;
const CONTINUES: u64 = 1 << 1;
const LENGTH_SHIFT: u32 = 2;
const STAMP_SHIFT: u32 = 48;

/// The most bytes of a message.
pub const MOST_BYTES: u64 = (1 << (STAMP_SHIFT - LENGTH_SHIFT)) - 1;
/// The fewest words of a ring.
pub const FEWEST_WORDS: u64 = 4;
/// The bytes of a word.
pub const WORD: u64 = 8;

/// The words of a cache line.
const LINE: u64 = 8;
/// How many words the sender fetches ahead. With messages of 64 bytes, half as many and twice as
/// many were slower.
const AHEAD: u64 = 6 * LINE;

/// The words of a ring.
pub trait Words<P: Platform> {
    /// How many there are: a power of two, at least [`FEWEST_WORDS`].
    fn count(&self) -> u64;
    /// The word of a position: that of its lower bits.
    fn word(&self, position: u64) -> &P::Word64;
}

impl<P: Platform, R: Words<P> + ?Sized> Words<P> for &R {
    fn count(&self) -> u64 {
        (**self).count()
    }
    fn word(&self, position: u64) -> &P::Word64 {
        (**self).word(position)
    }
}

/// Keeps what one side writes away from what the other side reads: two cache lines, because
/// processors fetch lines in pairs.
#[derive(Debug)]
#[repr(C, align(128))]
struct OwnLines<T>(T);

/// The words of a pipe, without its ring. See the [module](self). All are 0 at first.
#[derive(Debug)]
#[repr(C)]
pub struct Pipe<P: Platform> {
    tail: OwnLines<P::Word64>,
    head: OwnLines<P::Word64>,
    /// Read by each operation, and rarely written.
    rare: OwnLines<Rare<P>>,
}

#[derive(Debug)]
#[repr(C)]
struct Rare<P: Platform> {
    frames: P::Word,
    room: P::Word,
    sender: P::Word,
    receiver: P::Word,
}

impl<P: Platform> Default for Pipe<P> {
    /// An empty pipe, no end of which was taken.
    fn default() -> Self {
        Self::from_words(P::Word64::new(0), P::Word64::new(0), core::array::from_fn(|_| P::Word::new(0)))
    }
}

impl<P: Platform> Pipe<P> {
    /// A pipe of these words: tail, head, and then frames, room, sender, receiver.
    pub fn from_words(tail: P::Word64, head: P::Word64, [frames, room, sender, receiver]: [P::Word; 4]) -> Self {
        let rare = Rare { frames, room, sender, receiver };
        Self { tail: OwnLines(tail), head: OwnLines(head), rare: OwnLines(rare) }
    }

    /// The participant that has the sending end at the moment, dead or alive.
    pub fn sender(&self) -> Option<Id> {
        Id::holder_in(self.rare.0.sender.load(Relaxed))
    }

    /// The pipe with its ring, which must always be the same. Its words are all 0 at first.
    #[inline(always)]
    pub fn with<'p, R: Words<P> + ?Sized>(&'p self, ring: &'p R) -> Lane<'p, P, R> {
        Lane { words: self, ring }
    }
}

/// The sending end, as its owner keeps it. To be used by one thread at a time.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub struct Sender {
    holder: Id,
    /// Where its next frame begins.
    at: u64,
    /// At most the receiver's position.
    head: u64,
    /// Where the lines begin that the sender has not fetched ahead.
    fetched: u64,
}

/// The receiving end, as its owner keeps it. To be used by one thread at a time.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub struct Receiver {
    holder: Id,
    /// Where the next frame begins.
    at: u64,
}

impl Sender {
    /// The participant that took the end.
    pub fn holder(&self) -> Id {
        self.holder
    }
}

impl Receiver {
    /// The participant that took the end.
    pub fn holder(&self) -> Id {
        self.holder
    }
    /// Where the next frame begins.
    pub fn at(&self) -> u64 {
        self.at
    }
}

/// Why no end was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotTaken {
    /// A living process has it: that of this participant.
    Taken(Id),
    /// It was given back.
    Closed,
}

/// Why there is no room, or no frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotReady {
    /// Not now.
    WouldBlock,
    /// Nor by the deadline.
    TimedOut,
    /// Nor when the caller was [interrupted](crate::interruptible).
    Interrupted,
    /// The other end was given back. All that was sent before is received.
    Closed,
    /// The process that had the other end is dead: that of this participant. All that it sent is
    /// received.
    PeerDied(Id),
    /// The next frame's header is none. The receiver goes on behind what was sent until now.
    Malformed,
}

from_ended! { NotReady }

/// A frame: some bytes of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame {
    at: u64,
    bytes: u64,
    left: u64,
    continues: bool,
}

impl Frame {
    /// The position of its first byte's word.
    #[inline(always)]
    pub fn data(&self) -> u64 {
        self.at.wrapping_add(1)
    }
    /// How many bytes it has.
    #[inline(always)]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
    /// The bytes of the message from this frame on, with its own.
    #[inline(always)]
    pub fn left(&self) -> u64 {
        self.left
    }
    /// Whether it continues a message.
    #[inline(always)]
    pub fn continues(&self) -> bool {
        self.continues
    }
    /// Whether the message ends with it.
    #[inline(always)]
    pub fn is_last(&self) -> bool {
        self.left == self.bytes
    }
    /// Its words, with the header.
    #[inline(always)]
    pub fn words(&self) -> u64 {
        words_of(self.bytes)
    }
    #[inline(always)]
    fn end(&self) -> u64 {
        self.at.wrapping_add(self.words())
    }
    #[inline(always)]
    fn header(&self) -> u64 {
        let continues = if self.continues { CONTINUES } else { 0 };
        self.at << STAMP_SHIFT | self.left << LENGTH_SHIFT | continues | IS_FRAME
    }
}

/// The words of a frame of so many bytes, with the header.
#[inline(always)]
fn words_of(bytes: u64) -> u64 {
    1 + bytes.div_ceil(WORD)
}

/// What is known of the participant at the other end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Peer {
    /// It may come, or is there. The living participant by whose death that would change.
    There(Option<Id>),
    /// It is dead, and its process is still ending.
    Ending,
    Died(Id),
    Closed,
}

/// A pipe with its ring. What a sender or a receiver does.
#[derive(Debug)]
pub struct Lane<'p, P: Platform, R: ?Sized> {
    words: &'p Pipe<P>,
    ring: &'p R,
}

impl<'p, P: Platform, R: Words<P> + ?Sized> Lane<'p, P, R> {
    #[inline(always)]
    fn rare(&self) -> &'p Rare<P> {
        &self.words.rare.0
    }
    #[inline(always)]
    fn head(&self) -> &'p P::Word64 {
        &self.words.head.0
    }
    #[inline(always)]
    fn tail(&self) -> &'p P::Word64 {
        &self.words.tail.0
    }

    /// The most bytes of a frame.
    #[inline(always)]
    pub fn most_bytes_of_frame(&self) -> u64 {
        self.ring.count() / 4 * WORD
    }

    /// The words of a message of so many bytes, with the headers of all its frames.
    #[inline]
    pub fn words_of_message(&self, bytes: u64) -> u64 {
        let most = self.most_bytes_of_frame();
        let (whole, rest) = (bytes / most, bytes % most);
        let last = if rest > 0 || whole == 0 { words_of(rest) } else { 0 };
        whole.saturating_mul(words_of(most)).saturating_add(last)
    }

    /// Whether a message of so many words can be in the ring as a whole.
    #[inline]
    pub fn can_have(&self, words: u64) -> bool {
        words < self.ring.count()
    }

    /// The most bytes of a message that can be in the ring as a whole.
    pub fn most_bytes_at_once(&self) -> u64 {
        let (words, of_frame) = (self.ring.count() - 1, words_of(self.most_bytes_of_frame()));
        words / of_frame * self.most_bytes_of_frame() + (words % of_frame).saturating_sub(1) * WORD
    }

    /// The next frame of a message of which `left` bytes are left: at most [`MOST_BYTES`].
    #[inline(always)]
    pub fn frame(&self, sender: &Sender, left: u64, continues: bool) -> Frame {
        Frame { at: sender.at, bytes: left.min(self.most_bytes_of_frame()), left, continues }
    }

    // --- Ends

    /// Takes the sending end for the caller's process.
    ///
    /// # Errors
    /// [`NotTaken`].
    ///
    /// # If a process dies
    /// See the [module](self#if-a-process-dies).
    pub fn take_sender(&self, me: Participant<'_, P>) -> Result<Sender, NotTaken> {
        take(me, &self.rare().sender)?;
        // ORDERING: Acquire for the head, as in `has_room`. Model:
        // `pipe::a_word_is_written_right_after_the_look`.
        let head = self.head().load(Acquire);
        // ORDERING: Relaxed, since the end was taken with Acquire.
        let mut at = self.tail().load(Relaxed);
        // ORDERING: Relaxed, since the end was taken with Acquire.
        if let Some(frame) = self.decode(at, self.ring.word(at).load(Relaxed)) {
            at = frame.end();
            // ORDERING: as in `publish`.
            // EQUIVALENT(Release to Relaxed): `inherit` passes a fence after it has seen that the
            // predecessor, who wrote the frame, is dead.
            self.tail().store(at, Release);
        }
        Ok(Sender { holder: me.id, at, head, fetched: at })
    }

    /// Takes the receiving end for the caller's process.
    ///
    /// # Errors
    /// [`NotTaken`].
    ///
    /// # If a process dies
    /// See the [module](self#if-a-process-dies).
    pub fn take_receiver(&self, me: Participant<'_, P>) -> Result<Receiver, NotTaken> {
        take(me, &self.rare().receiver)?;
        // ORDERING: Relaxed, since the end was taken with Acquire.
        Ok(Receiver { holder: me.id, at: self.head().load(Relaxed) })
    }

    /// Gives the sending end back, once. The receiver receives what was sent, and then
    /// [`NotReady::Closed`].
    ///
    /// To be called by a participant. If another thread dies within it, only a recheck finds that.
    ///
    /// # If a process dies
    /// See the [module](self#if-a-process-dies).
    pub fn give_back_sender(&self, sender: &Sender) {
        self.close(&self.rare().sender, sender.holder, &self.rare().frames);
    }

    /// As [`give_back_sender`](Self::give_back_sender), for the receiving end.
    ///
    /// # If a process dies
    /// See the [module](self#if-a-process-dies).
    pub fn give_back_receiver(&self, receiver: &Receiver) {
        self.close(&self.rare().receiver, receiver.holder, &self.rare().room);
    }

    fn close(&self, hold: &P::Word, holder: Id, sleepers: &P::Word) {
        // ORDERING: Release. Pairs with the Acquire of `peer`: who finds it closed finds all that
        // was sent, by whatever thread. Model: `pipe::another_thread_gives_the_end_back`. The
        // exchange fails only if the word was scribbled on.
        let _scribbled = hold.compare_exchange(holder.word(), CLOSED, Release, Relaxed);
        P::fence(SeqCst); // ORDERING: invariant 5. Model: `pipe::without_fences_a_waiter_sleeps_on`.
        self.wake_if_asleep(sleepers);
    }

    fn peer(&self, me: Participant<'_, P>, hold: &P::Word) -> Peer {
        // ORDERING: Acquire. Pairs with the Release of `close`, and `Table::is_alive` requires it.
        // Model: `pipe::all_is_received_before_the_end`.
        let seen = hold.load(Acquire);
        let Some(holder) = Id::holder_in(seen) else {
            return if seen == CLOSED { Peer::Closed } else { Peer::There(None) };
        };
        if me.table.is_alive(holder) {
            return Peer::There(Some(holder));
        }
        match me.table.why_kept(holder) {
            Some(Kept::Leaked) => Peer::There(None),
            Some(Kept::Ending) => Peer::Ending,
            None => Peer::Died(holder),
        }
    }

    // --- Sending

    /// Whether the receiving end was given back: nobody will receive.
    #[inline(always)]
    pub fn is_receiver_closed(&self) -> bool {
        self.rare().receiver.load(Relaxed) == CLOSED // ORDERING: Relaxed; nothing follows from it but an error.
    }

    /// Whether there is room now for frames of so many words in all: less than the ring has.
    #[inline(always)]
    pub fn has_room(&self, sender: &mut Sender, words: u64) -> bool {
        // Invariant 4. If the words are nonsense, there is no room.
        let most = self.ring.count().wrapping_sub(words + 1);
        if sender.at.wrapping_sub(sender.head) <= most {
            return true;
        }
        // ORDERING: Acquire. Pairs with the Release of `finish`: what is written now was read.
        // Model: `pipe::a_word_is_written_right_after_the_look`.
        sender.head = self.head().load(Acquire);
        sender.at.wrapping_sub(sender.head) <= most
    }

    /// Checks, without waiting, for room for frames of so many words.
    ///
    /// # Errors
    /// [`NotReady::WouldBlock`], [`NotReady::Closed`], [`NotReady::PeerDied`].
    ///
    /// # If a process dies
    /// See the [module](self#if-a-process-dies).
    pub fn try_reserve(&self, me: Participant<'_, P>, sender: &mut Sender, words: u64) -> Result<(), NotReady> {
        self.check(me, &self.rare().receiver, || self.has_room(sender, words).then_some(()))?;
        self.unless_closed()
    }

    /// There is room. Whoever has made it may have closed the pipe since.
    fn unless_closed(&self) -> Result<(), NotReady> {
        if self.is_receiver_closed() { Err(NotReady::Closed) } else { Ok(()) }
    }

    /// Waits for room for a frame, at most to `deadline` ([`Platform::now`]'s clock; `None`:
    /// forever).
    ///
    /// # Errors
    /// [`NotReady::TimedOut`], [`NotReady::Interrupted`], [`NotReady::Closed`],
    /// [`NotReady::PeerDied`].
    ///
    /// # If a process dies
    /// See the [module](self#if-a-process-dies).
    #[cold]
    pub fn reserve(
        &self,
        me: Participant<'_, P>,
        sender: &mut Sender,
        frame: &Frame,
        deadline: Option<Duration>,
    ) -> Result<(), NotReady> {
        let Rare { room, receiver, .. } = self.rare();
        self.wait(me, deadline, room, receiver, || self.has_room(sender, frame.words()).then_some(()))?;
        self.unless_closed()
    }

    /// Whether there is room now for a frame.
    #[inline(always)]
    pub fn has_room_for(&self, sender: &mut Sender, frame: &Frame) -> bool {
        self.has_room(sender, frame.words())
    }

    /// Publishes a frame. There is room for it, and its bytes are written.
    ///
    /// # If a process dies
    /// Before the header is written: the frame is not there. After that, before the wake: the
    /// receiver checks, and finds the frame.
    #[inline(always)]
    pub fn publish(&self, sender: &mut Sender, frame: Frame) {
        let end = frame.end();
        // ORDERING: Relaxed; the header publishes it (invariant 2).
        self.ring.word(end).store(0, Relaxed);
        // ORDERING: Release. Pairs with the Acquire of `find`. Model:
        // `pipe::a_frame_is_published_with_its_bytes`. Then the fence of invariant 5.
        self.ring.word(frame.at).swap_then_fence(frame.header(), Release);
        // ORDERING: Release. Pairs with the Acquire of `found`: what it finds there is a header, or
        // 0. Model: `pipe::behind_garbage_a_frame_begins`.
        // EQUIVALENT(Release to Relaxed): the fence after the header stands before it.
        self.tail().store(end, Release);
        sender.at = end;
        self.wake_if_asleep(&self.rare().frames);
        self.fetch_ahead(sender);
    }

    /// Writes into the next lines of the ring, if there is room, so that the processor fetches all
    /// of them at once, and not one for each frame. Otherwise the fence of each frame would wait
    /// for a line that the receiver's processor has.
    #[inline(always)]
    fn fetch_ahead(&self, sender: &mut Sender) {
        if (1..=AHEAD).contains(&sender.fetched.wrapping_sub(sender.at)) {
            return;
        }
        let first = sender.at.wrapping_add(LINE) & !(LINE - 1);
        // Invariant 4.
        if first.wrapping_add(AHEAD).wrapping_sub(sender.head) > self.ring.count() {
            return;
        }
        for line in 0..AHEAD / LINE {
            // ORDERING: Relaxed; nobody reads it: the receiver goes from header to header.
            self.ring.word(first.wrapping_add(line * LINE)).store(0, Relaxed);
        }
        sender.fetched = first.wrapping_add(AHEAD - LINE);
    }

    // --- Receiving

    /// The frame of this header at this position. `None`: it is none.
    #[inline(always)]
    fn decode(&self, at: u64, header: u64) -> Option<Frame> {
        let left = header >> LENGTH_SHIFT & MOST_BYTES;
        let frame = Frame { at, bytes: left.min(self.most_bytes_of_frame()), left, continues: header & CONTINUES != 0 };
        (frame.header() == header).then_some(frame)
    }

    /// The next frame, if it is there.
    ///
    /// # Errors
    /// [`NotReady::WouldBlock`], [`NotReady::Malformed`].
    #[inline(always)]
    pub fn find(&self, receiver: &Receiver) -> Result<Frame, NotReady> {
        // ORDERING: Acquire. Pairs with the Release of `publish`. Model:
        // `pipe::a_frame_is_published_with_its_bytes`.
        match self.ring.word(receiver.at).load(Acquire) {
            0 => Err(NotReady::WouldBlock),
            header => self.decode(receiver.at, header).ok_or(NotReady::Malformed),
        }
    }

    /// The next frame, without waiting.
    ///
    /// # Errors
    /// [`NotReady::WouldBlock`], [`NotReady::Closed`], [`NotReady::PeerDied`],
    /// [`NotReady::Malformed`].
    ///
    /// # If a process dies
    /// See the [module](self#if-a-process-dies).
    pub fn try_next_frame(&self, me: Participant<'_, P>, receiver: &mut Receiver) -> Result<Frame, NotReady> {
        let found = self.check(me, &self.rare().sender, || self.find_something(receiver))?;
        self.found(receiver, found)
    }

    /// The next frame. Waits at most to `deadline` ([`Platform::now`]'s clock; `None`: forever).
    ///
    /// # Errors
    /// [`NotReady::TimedOut`], [`NotReady::Interrupted`], [`NotReady::Closed`],
    /// [`NotReady::PeerDied`], [`NotReady::Malformed`].
    ///
    /// # If a process dies
    /// See the [module](self#if-a-process-dies).
    #[cold]
    pub fn next_frame(
        &self,
        me: Participant<'_, P>,
        receiver: &mut Receiver,
        deadline: Option<Duration>,
    ) -> Result<Frame, NotReady> {
        let Rare { frames, sender, .. } = self.rare();
        let found = self.wait(me, deadline, frames, sender, || self.find_something(receiver))?;
        self.found(receiver, found)
    }

    /// What is found at the receiver's position, if there is something. It is read once: another
    /// participant may have cleared the header since.
    fn find_something(&self, receiver: &Receiver) -> Option<Result<Frame, NotReady>> {
        Some(self.find(receiver)).filter(|found| *found != Err(NotReady::WouldBlock))
    }

    /// Passes on what was found. If that is malformed, the receiver goes on behind it.
    fn found(&self, receiver: &mut Receiver, found: Result<Frame, NotReady>) -> Result<Frame, NotReady> {
        if found == Err(NotReady::Malformed) {
            // ORDERING: Acquire. Pairs with the Release of `publish`. Model:
            // `pipe::behind_garbage_a_frame_begins`.
            // EQUIVALENT(Acquire to Relaxed): `go_on_at` passes a fence before anything is read
            // there.
            self.go_on_at(receiver, self.tail().load(Acquire));
        }
        found
    }

    /// Finishes a frame whose bytes were read. The sender may write there.
    ///
    /// # If a process dies
    /// Before the word is written: the next receiver gets the frame. After that, before the wake:
    /// the sender checks, and finds the room.
    #[inline(always)]
    pub fn finish(&self, receiver: &mut Receiver, frame: Frame) {
        self.go_on_at(receiver, frame.end());
    }

    /// [Finishes](Self::finish) a frame for a receiver that wants the next one in any case: it
    /// calls this in a loop, which so comes to an end whatever the words are.
    ///
    /// # Errors
    /// [`NotReady::Malformed`]: nobody sent this frame. The receiver goes on at `tail`.
    ///
    /// # If a process dies
    /// As [`finish`](Self::finish).
    pub fn finish_and_go_on(&self, receiver: &mut Receiver, frame: Frame) -> Result<(), NotReady> {
        // ORDERING: Relaxed. The sender stores in `tail` where a frame will begin, and then
        // publishes the frame. So whoever has found the frame finds that `tail`, or a later one. If
        // the receiver goes on there, `go_on_at` passes a fence before anything is read.
        let tail = self.tail().load(Relaxed);
        if tail.wrapping_sub(frame.at) > self.ring.count() {
            self.go_on_at(receiver, tail);
            return Err(NotReady::Malformed);
        }
        self.finish(receiver, frame);
        Ok(())
    }

    #[inline(always)]
    fn go_on_at(&self, receiver: &mut Receiver, position: u64) {
        receiver.at = position;
        // ORDERING: Release. Pairs with the Acquire of `has_room`. Model:
        // `pipe::a_word_is_written_right_after_the_look`. Then the fence of invariant 5.
        self.head().swap_then_fence(position, Release);
        self.wake_if_asleep(&self.rare().room);
    }

    // --- Waiting

    /// Looks once, without waiting.
    fn check<T>(
        &self,
        me: Participant<'_, P>,
        peer: &P::Word,
        mut look: impl FnMut() -> Option<T>,
    ) -> Result<T, NotReady> {
        if let Some(seen) = look() {
            return Ok(seen);
        }
        let mut found = self.peer(me, peer);
        // As `Mutex::try_lock` does: a caller that tries in a loop, and never sleeps, learns here
        // of a death that the kernel has not marked.
        let is_another = matches!(found, Peer::There(Some(holder)) if holder != me.id);
        if is_another && me.table.reap_lost_if_due(P::now()) {
            found = self.peer(me, peer);
        }
        let not_ready = match found {
            Peer::There(_) | Peer::Ending => return Err(NotReady::WouldBlock),
            Peer::Died(id) => NotReady::PeerDied(id),
            Peer::Closed => NotReady::Closed,
        };
        look().ok_or(not_ready) // invariant 6
    }

    /// Looks until it sees something, and sleeps meanwhile.
    fn wait<T>(
        &self,
        me: Participant<'_, P>,
        deadline: Option<Duration>,
        word: &P::Word,
        peer: &P::Word,
        mut look: impl FnMut() -> Option<T>,
    ) -> Result<T, NotReady> {
        let mut spins = Spins::<P>::learned(deadline);
        while spins.spin() {
            if let Some(seen) = look() {
                spins.succeed();
                return Ok(seen);
            }
        }
        let mut vigil = Vigil::new(me, deadline).alone_at_first();
        loop {
            // ORDERING: Relaxed, then the fence, before the check (invariant 5). It pairs with
            // those of `publish`, `finish` and `close`. Model:
            // `pipe::without_fences_a_waiter_sleeps_on`.
            let sequence = word.fetch_or(WAITERS, Relaxed) | WAITERS;
            P::fence(SeqCst);
            if let Some(seen) = look() {
                return Ok(seen);
            }
            let not_ready = match self.peer(me, peer) {
                Peer::There(by) => {
                    vigil.sleep_alone_at_first(word, sequence, by.filter(|id| *id != me.id))?;
                    if let Some(seen) = look() {
                        return Ok(seen); // and WAITERS is clear: the next change wakes nobody in vain
                    }
                    continue;
                }
                Peer::Ending => {
                    vigil.sleep_briefly(word, sequence)?;
                    continue;
                }
                Peer::Died(id) => NotReady::PeerDied(id),
                Peer::Closed => NotReady::Closed,
            };
            return look().ok_or(not_ready); // invariant 6
        }
    }

    /// Wakes the other side, if it sleeps on this word. The caller has passed a fence.
    #[inline(always)]
    fn wake_if_asleep(&self, word: &P::Word) {
        // ORDERING: Relaxed; the caller has passed a fence.
        if has_waiters(word.load(Relaxed)) {
            self.wake(word);
        }
    }

    #[cold]
    fn wake(&self, word: &P::Word) {
        let mut seen = word.load(Relaxed);
        while has_waiters(seen) {
            let answered = seen.wrapping_add(1) & SEQUENCE;
            // ORDERING: Relaxed; the fences before it, and after a sleeper sets WAITERS, order it.
            match word.compare_exchange(seen, answered, Relaxed, Relaxed) {
                Ok(_) => {
                    // All: besides the thread that uses the end, the thread that sleeps for its
                    // process's tasks may sleep here, even if no task waits any more. That one
                    // passes a wake on only if there is enough for a task.
                    P::wake(word, u32::MAX);
                    return;
                }
                Err(now) => seen = now,
            }
        }
    }
}

/// Takes an end for the caller's process.
fn take<P: Platform>(me: Participant<'_, P>, hold: &P::Word) -> Result<(), NotTaken> {
    let mut may_reap = true; // once: `table::reap` says why
    loop {
        // ORDERING: Acquire, as `Table::is_alive` requires.
        // EQUIVALENT(Acquire to Relaxed): a living owner that is taken for a dead one is not passed
        // over: `inherit` reads its name anew, with Acquire.
        let seen = hold.load(Acquire);
        match Id::holder_in(seen) {
            None if seen == CLOSED => return Err(NotTaken::Closed),
            Some(holder) if me.table.is_alive(holder) || me.table.why_kept(holder).is_some() => {
                // As `Mutex::try_lock` does: a caller that tries in a loop learns here of a death
                // that the kernel has not marked.
                if holder != me.id && mem::take(&mut may_reap) && me.table.reap_lost_if_due(P::now()) {
                    continue;
                }
                return Err(NotTaken::Taken(holder));
            }
            _ => {}
        }
        // Whether the end was leaked is checked once more. Model:
        // `pipe::a_late_heir_is_given_no_leaked_end`.
        // ORDERING: Acquire. Pairs with nothing: an end that nobody had has nothing to tell, and
        // `inherit` shows what a dead owner wrote.
        // EQUIVALENT(Acquire to Relaxed): an end that nobody had before has nothing to tell. If a
        // dead owner had it, `inherit` has read its mark with Acquire, and so sees all it wrote.
        let take = || hold.compare_exchange(seen, me.id.word(), Acquire, Relaxed).is_ok();
        if me.inherit_unless_leaked(hold, seen, take) {
            return Ok(());
        }
    }
}
