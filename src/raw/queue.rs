//! A bounded queue for many producers and many consumers: a ring of cells that name their users.
//!
//! This is the algorithm without the items. A producer claims a cell, writes the item that belongs
//! to the cell, and publishes the cell. A consumer claims a cell, reads its item, and finishes the
//! cell.
//!
//! # The words
//!
//! The word of a cell has a file of its own: `queue/cell.rs`. A *position* is a lap and the index
//! of a cell. Positions are ordered: the last cell of a lap is followed by the first cell of the
//! next lap.
//!
//! `head` and `tail` are hints: the positions at which consumers and producers begin to search. The
//! upper half is the lap, the lower half the index.
//!
//! `items` and `room` are the words on which consumers and producers sleep:
//!
//! | bits  | name     | set by                                   | cleared by                              |
//! |-------|----------|------------------------------------------|-----------------------------------------|
//! | 0–26  | sequence | a change that finds WAITERS adds 1       |                                         |
//! | 27    | CLOSED   | `close`, in `room` alone                 | never                                   |
//! | 28    | FOREIGN  | a foreign waiter, in `room` alone        | a change that finds it, before its wake |
//! | 31    | WAITERS  | a waiter about to sleep                  | a change that finds it, before its wake |
//!
//! The sequence wraps after 2^27 changes that each found sleepers. That matters only if all of them
//! fall between one sleeper's check and its sleep.
//!
//! `foreign` counts the changes that found FOREIGN. On it sleep the *foreign waiters*: those that
//! wait [for several](super::wait_any), and need more than a cell. Only a [queue of
//! messages](super::message_queue) has them.
//!
//! The ends of the queue have words of their own, for senders and for receivers: see
//! [`ends`](super::ends).
//!
//! # Invariants
//!
//! 1. Each cell goes through the states of one lap in order (see `queue/cell.rs`), and then through
//!    those of the next lap.
//! 2. A cell that is filling or taking names one participant. If it lives, it alone uses the item.
//!    If it is dead, the participant whose CAS replaces that very word may use the item.
//! 3. All positions before `tail` have been claimed by a producer. All positions before `head` are
//!    finished. A hint that is too small costs time alone. Only `head` can be too large: a consumer
//!    that stalls before it stores the hint, while 2^31 laps pass, makes it seem so. The search
//!    then finds a cell of an earlier lap, and begins anew where all is certainly finished.
//! 4. A producer claims the first position that was never claimed. So the items of one producer
//!    have positions in the order in which it sent them.
//! 5. A consumer claims the first position that is full. It passes positions that are finished, and
//!    positions from which living consumers take. It stops at a position that a living producer
//!    fills. Otherwise one consumer could receive two items of one producer in the wrong order.
//! 6. A dead producer's position is finished without an item. Nobody fills it in this lap: a
//!    producer that passed it may have sent a later item already.
//! 7. A change fills or finishes a cell, passes a fence, and *then* checks the word on which others
//!    sleep. A waiter sets WAITERS there, passes a fence, and *then* checks the cells. So at least
//!    one of them notices the other.
//! 8. A waiter that returns from a sleep sets WAITERS again before it checks. It passes on what its
//!    wake was for, because of two changes before it ran, the second found no WAITERS. If it claims
//!    a cell, and there is another cell to claim, it wakes one more. So it does if it learns that
//!    the queue is closed, or if it needs more than a cell, and leaves one that it cannot use yet.
//! 9. A producer claims, passes a fence, and then checks CLOSED. A consumer finds CLOSED, passes a
//!    fence, and then finds no item, and nobody that fills or takes. So no item is published after
//!    a consumer has learned that there will be none. In a closed queue, each change wakes all
//!    consumers.
//! 10. If a cell is in lap `l`, all positions up to its own in lap `l - 1` have been claimed. So
//!     all positions up to its own in lap `l - 2` are finished; in lap `l - 1`, too, if the cell is
//!     claimed in lap `l`. A search that finds its hint far behind goes on there, and not further.
//! 11. A search ends after three laps if no other participant has moved the hint meanwhile. Words
//!     that no participant wrote may hide items, and do not keep a search from ending.
//! 12. A waiter that is about to sleep, a caller that tries without waiting and finds nothing to
//!     claim, and a participant that gives an end back check whether a side is abandoned. If it is,
//!     they close the queue.
//! 13. A foreign waiter reads `foreign`, sets FOREIGN, passes a fence, and *then* checks all that
//!     it needs. Each change that may give it one of these things passes a fence, and *then* checks
//!     FOREIGN. If that is set, the change clears it, adds 1 to `foreign`, and wakes all foreign
//!     waiters. So each has a wake of its own, and none takes the wake of a producer.
//!
//! # If a process dies
//!
//! | participant                       | effect                                                          |
//! |-----------------------------------|-----------------------------------------------------------------|
//! | a producer, before it publishes   | its item is lost, and nothing else: its position is passed      |
//! | a producer, after that            | nothing: its death makes the sleepers check                     |
//! | a consumer, before it finishes    | the item is still there, and another consumer receives it       |
//! | a consumer, after that            | the item was received, and is lost with it                      |
//! | the last one with an end          | the queue is closed: its death makes the sleepers check         |
//!
//! # What a stopped process delays
//!
//! A producer that is stopped between claim and publication delays the consumers of all later
//! items. A consumer that is stopped between claim and finish delays the producers, once they have
//! filled all other cells. Both are moments, in which an item is copied.
//!
//! A participant that is stopped between a change and its wake, or a waiter that is stopped when it
//! has been woken, keeps a wake from others. They sleep on until the next change that wakes, or
//! until their recheck.
//!
//! # Words that no participant wrote
//!
//! Each word may have any value. A hint that is too large is found out (invariant 3). If the laps
//! of the cells do not fit to each other, a search takes each cell in its own lap. A cell that
//! names a living participant by mistake is passed when that participant is dead.
//!
//! # In a signal handler
//!
//! A handler may interrupt its own thread in the middle of a claim. It then passes the cell as that
//! of any living participant. So it must not wait: what it waits for may be the interrupted call.
//!
//! # What wraps
//!
//! Laps, after 2^32. A participant that stalls just before a CAS must not stall while exactly so
//! many laps pass, or a multiple.

mod cell;
mod search;
mod source;

use self::cell::{Cell, Order, Use};
use self::search::Found;
pub(super) use self::search::Position;
pub use self::source::{Readable, Writable};
use super::ends::{End, Ends, MOST_ENDS, NoEnd, Side};
use super::generation::{distance, most, next};
use super::hold::{Id, WAITERS, has_waiters};
use super::table::Participant;
use super::vigil::{Deadline, Spins, Vigil, from_ended};
use crate::platform::{Platform, Word, Word64};
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};
use core::time::Duration;

const SEQUENCE: u32 = (1 << 27) - 1;
const CLOSED: u32 = 1 << 27;
const FOREIGN: u32 = 1 << 28;

/// Whether nothing more can be sent.
#[inline(always)]
pub(super) fn is_closed(room: u32) -> bool {
    room & CLOSED != 0
}

/// Whether a foreign waiter sleeps, or is about to.
#[inline(always)]
fn has_foreign(room: u32) -> bool {
    room & FOREIGN != 0
}

/// The cells of a queue.
pub trait Cells<P: Platform> {
    /// Whether an item is only a hint, which may be out of date. A consumer then takes over even
    /// the cell of a dead producer, and nobody passes it: the item may have been written.
    const ITEMS_ARE_HINTS: bool = false;
    /// How many there are: 1 to [`MOST_CELLS`].
    fn capacity(&self) -> usize;
    /// The word of one of them. `index` is less than [`capacity`](Self::capacity).
    fn word(&self, index: usize) -> &P::Word64;
}

/// The most cells that a queue can have.
pub const MOST_CELLS: usize = 1 << 31;

/// Keeps what one side writes away from what the other side reads: two cache lines, because
/// processors fetch lines in pairs.
#[derive(Debug)]
#[repr(C, align(128))]
pub(super) struct OwnLines<T>(pub(super) T);

/// The words of a queue, without its cells. See the [module](self). `BITS` is the width of a lap's
/// number, and `ENDS` the number of ends on each side; models have less of both.
#[derive(Debug)]
#[repr(C)]
pub struct Queue<P: Platform, const BITS: u32 = 32, const ENDS: usize = MOST_ENDS> {
    tail: OwnLines<P::Word64>,
    head: OwnLines<P::Word64>,
    /// Read by each operation, and written only if somebody sleeps, or closes the queue.
    sleepers: OwnLines<Sleepers<P>>,
    ends: OwnLines<Ends<P, ENDS>>,
}

/// A queue with its cells. What a producer or a consumer does.
#[derive(Debug)]
pub struct Ring<'q, P: Platform, C: ?Sized, const BITS: u32 = 32, const ENDS: usize = MOST_ENDS> {
    words: &'q Queue<P, BITS, ENDS>,
    cells: &'q C,
}

#[derive(Debug)]
#[repr(C)]
struct Sleepers<P: Platform> {
    items: P::Word,
    room: P::Word,
    foreign: P::Word,
}

/// A claimed cell. The caller writes or reads its item, and then ends the claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub struct Claim {
    position: Position,
}

impl Claim {
    /// The index of the cell.
    #[inline(always)]
    pub fn index(self) -> usize {
        self.position.index as usize
    }

    #[inline(always)]
    pub(super) fn position(self) -> Position {
        self.position
    }
}

/// Why no cell was claimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotClaimed {
    /// The queue is full, for a producer. For a consumer it is empty, or a producer is about to
    /// publish.
    WouldBlock,
    /// So it was by the deadline.
    TimedOut,
    /// So it was when the caller was [interrupted](crate::interruptible).
    Interrupted,
    /// The queue is closed, and for a consumer it is empty.
    Closed,
}

from_ended! { NotClaimed }

/// Why a search found no cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Obstacle {
    /// There is no such cell, and the living participant that may change that, if it is known.
    Blocked(Option<Id>),
    /// There is none until the process of a dead participant has [ended](Platform::is_ending).
    Ending,
    Closed,
}

impl From<Obstacle> for NotClaimed {
    fn from(obstacle: Obstacle) -> Self {
        match obstacle {
            Obstacle::Blocked(_) | Obstacle::Ending => Self::WouldBlock,
            Obstacle::Closed => Self::Closed,
        }
    }
}

impl<'q, P: Platform, C: Cells<P> + ?Sized, const BITS: u32, const ENDS: usize> Ring<'q, P, C, BITS, ENDS> {
    #[inline(always)]
    fn tail(&self) -> &'q P::Word64 {
        &self.words.tail.0
    }
    #[inline(always)]
    fn head(&self) -> &'q P::Word64 {
        &self.words.head.0
    }
    /// On which consumers sleep.
    #[inline(always)]
    pub(super) fn items(&self) -> &'q P::Word {
        &self.words.sleepers.0.items
    }
    /// On which producers sleep.
    #[inline(always)]
    pub(super) fn room(&self) -> &'q P::Word {
        &self.words.sleepers.0.room
    }
    /// On which foreign waiters sleep.
    #[inline(always)]
    fn foreign(&self) -> &'q P::Word {
        &self.words.sleepers.0.foreign
    }
    #[inline(always)]
    fn ends(&self) -> &'q Ends<P, ENDS> {
        &self.words.ends.0
    }

    /// Claims a cell to fill, if there is one.
    ///
    /// # Errors
    /// [`NotClaimed::WouldBlock`], [`NotClaimed::Closed`].
    ///
    /// # If a process dies
    /// See the [module](self#if-a-process-dies).
    #[inline]
    pub fn try_claim_free(&self, me: Participant<'_, P>) -> Result<Claim, NotClaimed> {
        self.claim_now(me, || self.claim_next_free(me))
    }

    /// Claims a cell to fill. Waits at most to `deadline` ([`Platform::now`]'s clock; `None`:
    /// forever).
    ///
    /// # Errors
    /// [`NotClaimed::TimedOut`], [`NotClaimed::Interrupted`], [`NotClaimed::Closed`].
    ///
    /// # If a process dies
    /// See the [module](self#if-a-process-dies).
    #[inline]
    pub fn claim_free(&self, me: Participant<'_, P>, deadline: Option<Duration>) -> Result<Claim, NotClaimed> {
        match self.claim_next_free(me) {
            Err(Obstacle::Blocked(_)) => {
                let claim = || self.claim_next_free(me);
                self.wait_for(me, deadline, self.room(), claim, claim, || self.next_free(me).is_ok())
            }
            claimed => Ok(claimed?),
        }
    }

    /// Claims a cell to fill, for a producer that needs more than a cell. `is_ready` says whether
    /// the rest is there now; if not, which living participant may change that. Only one
    /// participant at a time may be in this call. `is_ready` may take long: while the caller spins,
    /// it asks only if consumers have gone on since, and not after the deadline.
    ///
    /// # Errors
    /// [`NotClaimed::WouldBlock`] or [`NotClaimed::TimedOut`], by the deadline;
    /// [`NotClaimed::Interrupted`], [`NotClaimed::Closed`].
    ///
    /// # If a process dies
    /// See the [module](self#if-a-process-dies).
    pub(super) fn claim_free_when(
        &self,
        me: Participant<'_, P>,
        deadline: Deadline,
        is_ready: impl Fn() -> Result<(), Option<Id>>,
    ) -> Result<Claim, NotClaimed> {
        let claim = || match is_ready() {
            Ok(()) => self.claim_next_free(me),
            // ORDERING: Relaxed; a waiter has passed a fence.
            Err(_) if is_closed(self.room().load(Relaxed)) => Err(Obstacle::Closed),
            Err(by) => Err(Obstacle::Blocked(by)),
        };
        let deadline = match deadline {
            Deadline::Immediate => return self.claim_now(me, claim),
            Deadline::By(deadline) => deadline,
        };
        let head = || self.head().load(Relaxed); // ORDERING: a hint, and what it tells is a matter of time alone.
        let seen = core::cell::Cell::new(head());
        match claim() {
            Err(Obstacle::Blocked(_)) => {
                let claim_soon = || {
                    let now = head();
                    let is_over = || deadline.is_some_and(|deadline| deadline <= P::now());
                    if seen.replace(now) == now || is_over() { Err(Obstacle::Blocked(None)) } else { claim() }
                };
                let is_another_there = || self.next_free(me).is_ok();
                let pass_on = (is_another_there, is_another_there);
                self.wait(me, deadline, self.room(), claim_soon, claim, pass_on)
            }
            claimed => Ok(claimed?),
        }
    }

    /// Claims a cell with an item, if there is one.
    ///
    /// # Errors
    /// [`NotClaimed::WouldBlock`], [`NotClaimed::Closed`].
    ///
    /// # If a process dies
    /// See the [module](self#if-a-process-dies).
    #[inline]
    pub fn try_claim_full(&self, me: Participant<'_, P>) -> Result<Claim, NotClaimed> {
        self.claim_now(me, || self.claim_next_full(me))
    }

    /// Claims a cell with an item, if there is one, for a consumer that already has an item. It
    /// looks once, and neither reaps nor closes a queue that is abandoned.
    ///
    /// # If a process dies
    /// See the [module](self#if-a-process-dies).
    #[inline]
    pub fn claim_another_full(&self, me: Participant<'_, P>) -> Option<Claim> {
        self.claim_next_full(me).ok()
    }

    /// Claims a cell with an item. Waits at most to `deadline` ([`Platform::now`]'s clock; `None`:
    /// forever).
    ///
    /// # Errors
    /// [`NotClaimed::TimedOut`], [`NotClaimed::Interrupted`], [`NotClaimed::Closed`].
    ///
    /// # If a process dies
    /// See the [module](self#if-a-process-dies).
    #[inline]
    pub fn claim_full(&self, me: Participant<'_, P>, deadline: Option<Duration>) -> Result<Claim, NotClaimed> {
        match self.claim_next_full(me) {
            Err(Obstacle::Blocked(_)) => {
                let claim = || self.claim_next_full(me);
                self.wait_for(me, deadline, self.items(), claim, claim, || self.next_full(me).is_ok())
            }
            claimed => Ok(claimed?),
        }
    }

    /// Claims by `claim`, without waiting. As `Mutex::try_lock`, the caller reaps if that is due,
    /// and somebody is in the way, or ends were taken; then it tries again. So it does if it closes
    /// the queue because one side is abandoned.
    #[inline(always)]
    pub(super) fn claim_now<T>(
        &self,
        me: Participant<'_, P>,
        claim: impl Fn() -> Result<T, Obstacle>,
    ) -> Result<T, NotClaimed> {
        match claim() {
            Err(Obstacle::Blocked(by)) if (by.is_some() || self.ends().were_taken()) && self.reap_or_close(me) => {
                Ok(claim()?)
            }
            claimed => Ok(claimed?),
        }
    }

    /// Reaps if that is due, and then closes the queue if a side is abandoned: the reaped may have
    /// had the last ends. Returns whether the caller has done either.
    #[cold]
    fn reap_or_close(&self, me: Participant<'_, P>) -> bool {
        let has_reaped = me.table.reap_lost_if_due(P::now());
        self.close_if_abandoned(me) || has_reaped
    }

    /// Claims by `claim_soon` while the caller spins, and then by `claim`. Sleeps on `word`.
    #[cold]
    pub(super) fn wait_for<T>(
        &self,
        me: Participant<'_, P>,
        deadline: Option<Duration>,
        word: &P::Word,
        claim_soon: impl Fn() -> Result<T, Obstacle>,
        claim: impl Fn() -> Result<T, Obstacle>,
        is_another_there: impl Fn() -> bool,
    ) -> Result<T, NotClaimed> {
        self.wait(me, deadline, word, claim_soon, claim, (is_another_there, || false))
    }

    /// As [`wait_for`](Self::wait_for). After a sleep the caller wakes one more if it has claimed,
    /// and `is_another_there`; or if it has not, and `is_one_left`.
    #[cold]
    fn wait<T>(
        &self,
        me: Participant<'_, P>,
        deadline: Option<Duration>,
        word: &P::Word,
        claim_soon: impl Fn() -> Result<T, Obstacle>,
        claim: impl Fn() -> Result<T, Obstacle>,
        (is_another_there, is_one_left): (impl Fn() -> bool, impl Fn() -> bool),
    ) -> Result<T, NotClaimed> {
        let mut spins = Spins::<P>::learned(deadline);
        if spins.are_left() {
            self.gather(word);
        }
        while spins.spin() {
            match claim_soon() {
                Ok(claim) => {
                    spins.succeed();
                    return Ok(claim);
                }
                Err(Obstacle::Closed) => return Err(NotClaimed::Closed),
                Err(Obstacle::Blocked(_) | Obstacle::Ending) => {}
            }
        }
        let mut vigil = Vigil::new(me, deadline);
        let mut slept = false;
        loop {
            // ORDERING: Relaxed, then the fence, before the cells are checked (invariant 7). It
            // pairs with the fences of `publish`, `finish` and `close`. Model:
            // `queue::without_fences_a_change_and_a_sleeper_miss_each_other`.
            let sequence = word.fetch_or(WAITERS, Relaxed) | WAITERS;
            P::fence(SeqCst);
            match claim() {
                Ok(claim) => {
                    if slept && is_another_there() {
                        P::wake(word, 1); // invariant 8
                    }
                    return Ok(claim);
                }
                Err(Obstacle::Closed) => {
                    if slept {
                        P::wake(word, 1); // invariant 8
                    }
                    return Err(NotClaimed::Closed);
                }
                Err(Obstacle::Blocked(_)) if self.close_if_abandoned(me) => {}
                Err(Obstacle::Ending) => {
                    vigil.sleep_briefly(word, sequence)?;
                    slept = true;
                }
                Err(Obstacle::Blocked(by)) => {
                    if slept && is_one_left() {
                        P::wake(word, 1); // invariant 8
                    }
                    vigil.sleep(word, sequence, by.filter(|id| *id != me.id))?;
                    slept = true;
                }
            }
        }
    }

    /// Spins for a moment, if the platform says so, for a consumer that waits for an item and
    /// takes up to `limit` at once, which is at least 1, unless so many are there.
    #[inline]
    pub fn gather_items(&self, limit: usize) {
        let capacity = self.cells.capacity();
        let first = self.position(self.head().load(Relaxed)); // ORDERING: a hint.
        let last = first.index as usize + limit.min(capacity) - 1;
        let (lap, index) = if last < capacity { (first.lap, last) } else { (next::<BITS>(first.lap), last - capacity) };
        // ORDERING: Relaxed; what it tells is a matter of time alone.
        // EQUIVALENT(taken as equal): the caller then spins less, or more.
        if self.cells.word(index).load(Relaxed) != Cell::<BITS>::full(lap).0 {
            self.gather(self.items());
        }
    }

    /// Spins for a moment, if the platform says so, for messages or room to gather.
    fn gather(&self, word: &P::Word) {
        // ORDERING: Relaxed; hints, and what they tell is a matter of time alone.
        let hint = if core::ptr::eq(word, self.items()) {
            self.head().load(Relaxed)
        } else if core::ptr::eq(word, self.room()) {
            self.tail().load(Relaxed)
        } else {
            return;
        };
        let (position, capacity) = (self.position(hint), self.cells.capacity() as u64);
        let passed = u64::from(position.lap) * capacity + u64::from(position.index);
        (0..P::spins_to_gather(word, passed, capacity)).for_each(|_| P::spin());
    }

    #[inline]
    pub(super) fn claim_next_free(&self, me: Participant<'_, P>) -> Result<Claim, Obstacle> {
        loop {
            let found = match self.next_free(me) {
                Ok(found) => found,
                // ORDERING: Relaxed; a waiter has passed a fence.
                // EQUIVALENT(not repeated): it is loaded once, since both branches return.
                Err(_) if is_closed(self.room().load(Relaxed)) => return Err(Obstacle::Closed),
                Err(by) => return Err(Obstacle::Blocked(by)),
            };
            // ORDERING: Relaxed. It only spares callers that come late a position.
            // EQUIVALENT(not repeated): the check that counts comes after the claim.
            if is_closed(self.room().load(Relaxed)) {
                return Err(Obstacle::Closed);
            }
            let (position, word) = (found.position, self.cells.word(found.position.index as usize));
            let filling = Cell::<BITS>::filling(position.lap, me.id);
            // ORDERING: Acquire. Pairs with the Release of `finish` and of `pass`: this producer
            // writes after the last consumer has read. Then the fence of invariant 9. Model:
            // `queue::the_closer_receives_to_the_end`.
            // EQUIVALENT(Acquire to Relaxed): the fence that follows acquires as well.
            if word.compare_exchange_then_fence(found.seen.0, filling.0, Acquire, Relaxed).is_err() {
                continue; // another producer was quicker
            }
            self.tail().store(self.after(position).word(), Relaxed); // ORDERING: a hint.
            // ORDERING: Relaxed; after the fence of invariant 9.
            // EQUIVALENT(not repeated): it is loaded once, since both branches return.
            if is_closed(self.room().load(Relaxed)) {
                self.abandon(Claim { position });
                return Err(Obstacle::Closed);
            }
            return Ok(Claim { position });
        }
    }

    #[inline]
    pub(super) fn claim_next_full(&self, me: Participant<'_, P>) -> Result<Claim, Obstacle> {
        loop {
            let found = match self.next_full(me) {
                Ok(found) => found,
                Err(by) => self.last_full(me, by)?,
            };
            let (position, word) = (found.position, self.cells.word(found.position.index as usize));
            let taking = Cell::<BITS>::taking(position.lap, me.id);
            // ORDERING: Acquire. Pairs with the Release of `publish`. Model:
            // `queue::an_item_is_acquired`.
            let take = || word.compare_exchange(found.seen.0, taking.0, Acquire, Relaxed).is_ok();
            let is_taken = match found.from {
                None => take(),
                Some(dead) => me.inherit_from(dead, found.seen.0, |order| word.load(order), take),
            };
            if is_taken {
                return Ok(Claim { position });
            }
        }
    }

    /// Of a consumer that has found nothing, but somebody in the way: whether it is to wait.
    #[cold]
    fn last_full(&self, me: Participant<'_, P>, by: Option<Id>) -> Result<Found<BITS>, Obstacle> {
        // ORDERING: Relaxed, then the fence of invariant 9. It pairs with those of a producer's
        // claim and of `close`. Models: `queue::a_closed_queue_is_received_to_its_end`,
        // `queue::without_fences_an_item_is_sent_behind_the_end`.
        if !is_closed(self.room().load(Relaxed)) {
            return Err(Obstacle::Blocked(by));
        }
        P::fence(SeqCst);
        self.next_full(me).map_err(|by| if by.is_some() { Obstacle::Blocked(by) } else { Obstacle::Closed })
    }

    /// Publishes the item of a cell.
    ///
    /// # If a process dies
    /// Before the word is written: the item is lost. After that, before the wake: the sleepers
    /// check, and find the item.
    #[inline]
    pub fn publish(&self, claim: Claim) {
        let full = Cell::<BITS>::full(claim.position.lap);
        // ORDERING: Release. Pairs with the Acquire of a consumer. Model:
        // `queue::an_item_is_published`. Then the fence of invariant 7.
        self.cells.word(claim.index()).swap_then_fence(full.0, Release);
        self.notice_items(1);
    }

    /// As [`publish`](Self::publish), but wakes nobody. After its last item the caller
    /// [announces](Self::announce_items) all of them.
    #[inline]
    pub fn publish_quietly(&self, claim: Claim) {
        // ORDERING: as in `publish`, and the fence is in `announce_items`.
        self.cells.word(claim.index()).store(Cell::<BITS>::full(claim.position.lap).0, Release);
    }

    /// Wakes consumers for the items that the caller has [quietly](Self::publish_quietly)
    /// published: at least one.
    ///
    /// # If a process dies
    /// Before the wake: the sleepers check, and find the items.
    #[inline]
    pub fn announce_items(&self, items: u32) {
        P::fence(SeqCst); // ORDERING: invariant 7.
        self.notice_items(items);
    }

    /// Finishes a cell whose item was read. The cell is free in the next lap.
    ///
    /// # If a process dies
    /// Before the word is written: another consumer receives the item. After that, before the wake:
    /// the sleepers check, and find the free cell.
    #[inline]
    pub fn finish(&self, claim: Claim) {
        let finished = Cell::<BITS>::finished(claim.position.lap);
        // ORDERING: Release. Pairs with the Acquire of a producer. Model:
        // `queue::a_cell_is_free_when_it_was_read`. Then the fence of invariant 7.
        self.cells.word(claim.index()).swap_then_fence(finished.0, Release);
        self.move_head(claim);
        self.notice_room(1);
    }

    /// Puts an item back that was not received: the next consumer receives it.
    ///
    /// Meanwhile other consumers may have received later items.
    ///
    /// # If a process dies
    /// Before the word is written: another consumer receives the item. After that, before the wake:
    /// the sleepers check, and find the item.
    pub fn put_back(&self, claim: Claim) {
        let full = Cell::<BITS>::full(claim.position.lap);
        // ORDERING: Release. Pairs with the Acquire of the next consumer: this one has read before
        // what the next one finishes is written again. Model:
        // `message_queue::a_block_that_was_put_back_is_used_again`. Then the fence of invariant 7.
        self.cells.word(claim.index()).swap_then_fence(full.0, Release);
        self.notice_items(1);
    }

    /// As [`finish`](Self::finish), but wakes nobody. After its last cell the caller
    /// [announces](Self::announce_room) all of them.
    #[inline]
    pub fn finish_quietly(&self, claim: Claim) {
        // ORDERING: as in `finish`, and the fence is in `announce_room`.
        self.cells.word(claim.index()).store(Cell::<BITS>::finished(claim.position.lap).0, Release);
        self.move_head(claim);
    }

    /// Wakes producers for the cells that the caller has [quietly](Self::finish_quietly) finished:
    /// at least one.
    ///
    /// # If a process dies
    /// Before the wake: the sleepers check, and find the free cells.
    #[inline]
    pub fn announce_room(&self, cells: u32) {
        P::fence(SeqCst); // ORDERING: invariant 7.
        self.notice_room(cells);
    }

    /// Invariant 3: after the cell is finished.
    #[inline]
    fn move_head(&self, claim: Claim) {
        // ORDERING: Relaxed; a hint.
        if self.head().load(Relaxed) == claim.position.word() {
            self.head().store(self.after(claim.position).word(), Relaxed);
        }
    }

    /// Gives up a claim to fill: the position is passed. No item comes of it.
    ///
    /// # If a process dies
    /// As before it publishes: its position is passed.
    #[cold]
    pub fn give_up(&self, claim: Claim) {
        self.abandon(claim);
        self.notice_room(1);
    }

    /// Ends the claim of a producer that has found the queue closed: its position is passed.
    #[cold]
    fn abandon(&self, claim: Claim) {
        // ORDERING: Release. Pairs with the Acquire of the next producer, which writes the item
        // after all that this one wrote. Model:
        // `message_queue::what_was_given_up_is_free`. Then the fence of invariant 7.
        self.cells.word(claim.index()).swap_then_fence(Cell::<BITS>::finished(claim.position.lap).0, Release);
        // Consumers may have waited for this item. Now there is a later one, or the end.
        self.wake(self.items(), u32::MAX);
    }

    #[inline]
    pub(super) fn notice_items(&self, count: u32) {
        // ORDERING: Relaxed; the caller has passed a fence.
        if has_waiters(self.items().load(Relaxed)) {
            self.wake_consumers(count);
        }
    }

    #[cold]
    fn wake_consumers(&self, count: u32) {
        // In a closed queue the others learn that there is one item less to wait for.
        let count = if is_closed(self.room().load(Relaxed)) { u32::MAX } else { count };
        self.wake(self.items(), count);
    }

    /// Wakes producers, if any sleep, after a change that was followed by a fence.
    #[inline]
    pub(super) fn notice_room(&self, count: u32) {
        // ORDERING: Relaxed; the caller has passed a fence.
        let room = self.room().load(Relaxed);
        if has_waiters(room) || is_closed(room) || has_foreign(room) {
            self.wake_for_room(room, count);
        }
    }

    #[cold]
    fn wake_for_room(&self, room: u32, count: u32) {
        self.wake(self.room(), count);
        if is_closed(room) {
            self.wake(self.items(), u32::MAX); // invariant 9
        }
        if has_foreign(room) {
            self.wake_foreign();
        }
    }

    /// Wakes foreign waiters, if there are any, after a change that was followed by a fence.
    #[inline]
    pub(super) fn notice_foreign(&self) {
        // ORDERING: Relaxed; the caller has passed a fence.
        if has_foreign(self.room().load(Relaxed)) {
            self.wake_foreign();
        }
    }

    #[cold]
    fn wake_foreign(&self) {
        // If FOREIGN is clear, another change has cleared it, and wakes all. Each of them sets it
        // again before it checks, and so finds this change, too.
        // ORDERING: Relaxed, both; the fences before it, and after a waiter sets FOREIGN, order it.
        if has_foreign(self.room().fetch_and(!FOREIGN, Relaxed)) {
            self.foreign().fetch_add(1, Relaxed);
            P::wake(self.foreign(), u32::MAX);
        }
    }

    /// Wakes `count` of those that sleep on the word, if anybody does.
    pub(super) fn wake(&self, word: &P::Word, count: u32) {
        let mut seen = word.load(Relaxed);
        // If WAITERS is clear, another change has answered. The waiter that it wakes passes the
        // rest on.
        while has_waiters(seen) {
            let answered = seen & (CLOSED | FOREIGN) | seen.wrapping_add(1) & SEQUENCE;
            // ORDERING: Relaxed; the fences before it, and after a sleeper sets WAITERS, order it.
            match word.compare_exchange(seen, answered, Relaxed, Relaxed) {
                Ok(_) => {
                    P::wake(word, count);
                    return;
                }
                Err(now) => seen = now,
            }
        }
    }

    /// Closes the queue: nothing more can be sent. What was sent can still be received. Returns
    /// whether it was open.
    ///
    /// To be called by a participant. If another thread dies between close and wake, only a recheck
    /// finds that.
    ///
    /// # If a process dies
    /// Before the word is written: nothing has happened. After that, before the wakes: the sleepers
    /// check, and find the queue closed.
    #[cold]
    pub fn close(&self) -> bool {
        // ORDERING: Relaxed, then the fence of invariants 7 and 9.
        let was = self.room().fetch_or(CLOSED, Relaxed);
        P::fence(SeqCst);
        self.wake(self.room(), u32::MAX);
        self.wake(self.items(), u32::MAX);
        self.wake_foreign();
        !is_closed(was)
    }

    /// Takes an end for senders. When all ends of one side are gone that were ever taken, the queue
    /// is closed.
    ///
    /// # Errors
    /// [`NoEnd::Shut`], also of a queue that was closed in another way; [`NoEnd::Full`].
    ///
    /// # If a process dies
    /// See [`ends`](super::ends#if-a-process-dies).
    pub fn take_sender(&self, me: Participant<'_, P>) -> Result<End, NoEnd> {
        self.take_end(&self.ends().senders, me)
    }

    /// As [`take_sender`](Self::take_sender), for receivers.
    ///
    /// # Errors
    /// As there.
    ///
    /// # If a process dies
    /// See [`ends`](super::ends#if-a-process-dies).
    pub fn take_receiver(&self, me: Participant<'_, P>) -> Result<End, NoEnd> {
        self.take_end(&self.ends().receivers, me)
    }

    fn take_end(&self, side: &Side<P, ENDS>, me: Participant<'_, P>) -> Result<End, NoEnd> {
        // ORDERING: Relaxed. It spares callers that come late an end; the door is what counts.
        if is_closed(self.room().load(Relaxed)) { Err(NoEnd::Shut) } else { side.take(me) }
    }

    /// Gives a sender's end back. The last one closes the queue. Without `me` the caller is no
    /// participant. Then others find the side abandoned.
    ///
    /// # If a process dies
    /// See [`ends`](super::ends#if-a-process-dies).
    pub fn give_back_sender(&self, end: End, me: Option<Participant<'_, P>>) {
        self.give_back(&self.ends().senders, end, me);
    }

    /// As [`give_back_sender`](Self::give_back_sender), for receivers.
    ///
    /// # If a process dies
    /// See [`ends`](super::ends#if-a-process-dies).
    pub fn give_back_receiver(&self, end: End, me: Option<Participant<'_, P>>) {
        self.give_back(&self.ends().receivers, end, me);
    }

    fn give_back(&self, side: &Side<P, ENDS>, end: End, me: Option<Participant<'_, P>>) {
        side.give_back(end);
        if let Some(me) = me {
            self.close_if_abandoned(me);
        }
    }

    /// Closes the queue if all ends of a side are gone. Returns whether the caller did.
    fn close_if_abandoned(&self, me: Participant<'_, P>) -> bool {
        // ORDERING: Relaxed; a queue that was closed meanwhile is closed once more.
        !is_closed(self.room().load(Relaxed)) && self.ends().are_abandoned(me) && self.close()
    }

    /// The index of a cell that consumers come to next, or soon.
    #[inline(always)]
    pub(super) fn index_of_head(&self) -> usize {
        self.position(self.head().load(Relaxed)).index as usize // ORDERING: a hint.
    }

    /// How many cells there are.
    pub fn capacity(&self) -> usize {
        self.cells.capacity()
    }

    /// The number of positions that were claimed by producers, from the first one on that is not
    /// finished; at most the capacity. Exact if nobody sends or receives.
    pub fn len(&self) -> usize {
        let capacity = self.cells.capacity();
        // ORDERING: Relaxed for all; the answer may be outdated as soon as it is given.
        let first_not = |hint: u64, is_passed: fn(Order, Use) -> bool| {
            let mut position = self.position(hint);
            for _ in 0..capacity {
                let cell = Cell::<BITS>(self.cells.word(position.index as usize).load(Relaxed));
                if !is_passed(cell.order(position.lap), cell.use_of()) {
                    break;
                }
                position = self.after(position);
            }
            position
        };
        // The hints may be too small.
        let is_finished = |order, _| order == Order::Later;
        let head = first_not(self.head().load(Relaxed), is_finished);
        let is_claimed = |order, used| order == Order::Later || order == Order::Same && used != Use::Free;
        let tail = first_not(self.tail().load(Relaxed), is_claimed);
        let laps = distance::<BITS>(head.lap, tail.lap) as usize;
        match laps {
            0 => (tail.index as usize).saturating_sub(head.index as usize),
            1 => (capacity + tail.index as usize).saturating_sub(head.index as usize).min(capacity),
            // The head was read before a lap passed, or nobody wrote the hints.
            laps if laps <= (most::<BITS>() / 2) as usize => capacity,
            _ => 0,
        }
    }

    /// Whether [`len`](Self::len) is 0.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<P: Platform, const BITS: u32, const ENDS: usize> Queue<P, BITS, ENDS> {
    /// The words of a queue. All are 0 at first, with one more, which is made here.
    pub fn from_words(tail: P::Word64, head: P::Word64, items: P::Word, room: P::Word, ends: Ends<P, ENDS>) -> Self {
        let sleepers = Sleepers { items, room, foreign: P::Word::new(0) };
        Self { tail: OwnLines(tail), head: OwnLines(head), sleepers: OwnLines(sleepers), ends: OwnLines(ends) }
    }

    /// The queue with its cells, which must always be the same. They are all 0 at first.
    #[inline(always)]
    pub fn with<'q, C: Cells<P> + ?Sized>(&'q self, cells: &'q C) -> Ring<'q, P, C, BITS, ENDS> {
        Ring { words: self, cells }
    }

    /// Whether the queue is closed.
    pub fn is_closed(&self) -> bool {
        is_closed(self.sleepers.0.room.load(Relaxed))
    }

    /// The words on which consumers and producers sleep, for unit tests.
    #[cfg(test)]
    pub(super) fn sleepers(&self) -> [&P::Word; 2] {
        [&self.sleepers.0.items, &self.sleepers.0.room]
    }
}

#[cfg(test)]
mod awaited;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod waits;
