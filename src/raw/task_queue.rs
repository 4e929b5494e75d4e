//! A bounded queue of tasks that are not lost with their workers: slots that are holds, and a ring
//! of their numbers.
//!
//! This is the algorithm without the items. A producer reserves a slot, writes the item that
//! belongs to it, for as long as that takes, and publishes the slot. A worker takes a slot, uses
//! its item in place, and says that it is done: only then the slot is free.
//!
//! # The words
//!
//! The words of a slot have a file of their own: `task_queue/slot.rs`. The [ring](super::queue) has
//! as many cells as there are slots. The item of a cell is the number of a slot: a *hint* that this
//! slot may have a task. What a worker gets is decided by the hold of the slot alone.
//!
//! | word     | meaning                                                                              |
//! |----------|--------------------------------------------------------------------------------------|
//! | next     | a hint: the slot at which a producer begins to search                                |
//! | again    | a hint: not 0 if a slot may have a task that is in no cell. With 2 alone a worker looks into the ring first, and adds 1; with 1 it searches |
//! | resume   | a hint: the slot at which the next search begins, behind the one that a search has found last |
//! | deaths   | a hint: which deaths have set `again`; the membership word above the number of dead  |
//! | finished | the word on which participants sleep until all tasks are done, as `items` of the ring |
//! | limit    | the number of attempts after which a task is set aside; 0: never                     |
//!
//! Workers sleep on the `items` of the ring, producers on its `room`. CLOSED is the ring's.
//!
//! # Invariants
//!
//! 1. A slot that is filling or taken names one participant. If it lives, or may have leaked what
//!    it had, it alone uses the item. If it is dead, the participant whose CAS replaces that very
//!    word may use the item.
//! 2. A producer claims a cell, writes the number into it, makes the slot full, then publishes the
//!    cell. Nobody passes the cell of a dead producer: a worker takes it over. So the number of a
//!    full slot is in a cell that no worker has finished. A slot whose number is in no cell is
//!    *again*, or taken.
//! 3. A worker claims a cell, then takes the slot, then finishes the cell. So if it dies, the slot
//!    is full and in the cell, or taken by the dead.
//! 4. A number in a cell may be out of date. A worker that does not find the slot full finishes the
//!    cell, and goes on. If the slot is full once more, the worker takes it earlier than its turn.
//! 5. Who makes a slot again adds to the hint `again`. Who takes one of sixteen cells, or finds no
//!    task, counts the dead. If there are others than before, it adds to the hint, too, and *then*
//!    notes their number. A worker that finds the hint clears it, and *then* checks all slots for
//!    those that are again, or of the dead. After each task that such a search has found, the ring
//!    has its turn, and after that the next search: the two alternate, so that neither waits
//!    forever. A task that fails or is given back changes no turn. A search begins behind the slot
//!    that the last one found. So no task waits forever for one that fails each time.
//! 6. A worker that waits, or that tries and finds nothing, checks all slots, whatever the hints
//!    say. It takes a full one there only if the ring does not give it.
//! 7. A change publishes, frees or fails a slot, passes a fence, and *then* checks the words on
//!    which others sleep. A waiter sets WAITERS there, passes a fence, and *then* checks the slots.
//!    So at least one of them notices the other.
//! 8. A waiter that returns from a sleep sets WAITERS again before it checks. If it then gets a
//!    slot, and there is another one to get, it wakes one more: two changes may have woken it
//!    alone. It checks the holds for that, and trusts no hint: a worker that is about to search has
//!    cleared `again`, and a slot is full before its cell.
//! 9. A producer claims a slot, passes a fence, and then checks CLOSED. A worker finds CLOSED,
//!    passes a fence, and then finds all slots free or set aside. So no task comes after a worker
//!    has learned that there will be none. Who frees a slot, or sets it aside, in a closed queue,
//!    wakes all workers if no other slot is in use.
//! 10. Who frees a slot or sets it aside, while somebody waits until all is done, wakes all of them
//!     if no task is left. Of two that do so at the same time, at least one finds none left.
//! 11. A task may send others before it is done. So who checks whether all is done checks all holds
//!     twice, and finds no task, and as many set aside. Before and after that it adds up the `uses`
//!     of all slots, and finds them equal. A task that was there between the two checks would have
//!     been seen, or would have added a use when it was done. One that is taken from those set
//!     aside adds a use at once: it may send another, and be set aside again.
//!
//! Those of a wait for several are in `task_queue/source.rs`.
//!
//! # If a process dies
//!
//! | participant                        | effect                                                        |
//! |------------------------------------|---------------------------------------------------------------|
//! | a producer, before it publishes    | its slot is free for the next one that finds it               |
//! | a producer, after that             | the task is found by its cell, or by those that find no cell  |
//! | a worker that has a task           | the task goes to another one, or is set aside                 |
//! | a worker, after it freed its slot  | nothing: its death makes the sleepers check                   |
//!
//! # What a stopped process delays
//!
//! A participant that is stopped in the moment in which it uses a cell delays those that search the
//! ring, as in a [queue](super::queue). Workers that are about to sleep check all slots, so they
//! find the tasks behind it. Producers then publish in no cell. A participant that fills a slot or
//! has a task delays nobody.
//!
//! A worker that is stopped in a search has cleared the hint `again`. What is in no cell then waits
//! until a worker finds the ring empty, or until something else sets the hint: another slot
//! that becomes again, or another death.
//!
//! # Words that no participant wrote
//!
//! Each word may have any value. A number that is too large is passed. A slot that names a living
//! participant by mistake stays in use until that participant is dead.
//!
//! # What wraps
//!
//! The laps of the ring: see there. The `uses`, after 2^32: a participant that stalls in the middle
//! of a check whether all is done must not stall while exactly so many tasks are done, or a
//! multiple. Attempts do not wrap.

mod slot;
mod source;

pub use self::slot::SlotWords;
use self::slot::{AGAIN, ASIDE, FREE, FULL, State, filling, taken};
pub use self::source::{Awaited, Want};
use super::hold::{Id, has_waiters};
use super::mutex::NotHeld;
pub use super::queue::{Cells, MOST_CELLS as MOST_SLOTS, NotClaimed};
use super::queue::{Obstacle, OwnLines, Queue, Ring, is_closed};
use super::table::{Kept, Participant};
use crate::platform::{Platform, Word, Word64};
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};
use core::time::Duration;

/// So many slots a producer tries that does not search all of them.
const FEW: usize = 8;

/// A worker that takes one of so many cells looks for deaths.
const CELLS_FOR_EACH_LOOK: usize = 16;

/// So many slots are checked within a few microseconds.
const MOST_CHEAP: u32 = 1024;

/// So often a caller checks whether all is done while `uses` change. Then it waits: a participant
/// that writes nonsense there could keep it beyond its deadline.
const MOST_CHECKS: usize = 4;

/// Of the hint `again`: a worker searches all slots before it looks into the ring.
const SEARCH: u32 = 1;
/// Of the hint `again`, without SEARCH: a worker looks into the ring. The next one searches.
const SEARCH_NEXT: u32 = 2;

/// The slots of a task queue, which are the cells of its ring, too. Its
/// [items are hints](Cells::ITEMS_ARE_HINTS).
pub trait Slots<P: Platform>: Cells<P> {
    /// The words of one of them. `index` is less than [`capacity`](Cells::capacity).
    fn slot(&self, index: usize) -> &SlotWords<P>;
}

/// The words of a task queue, without its slots. See the [module](self). `BITS` is the width of a
/// lap's number; models have less.
#[derive(Debug)]
#[repr(C)]
pub struct TaskQueue<P: Platform, const BITS: u32 = 32> {
    ring: Queue<P, BITS, 0>,
    next: OwnLines<P::Word>,
    /// Read by each operation, and seldom written.
    rare: OwnLines<Rare<P>>,
}

#[derive(Debug)]
#[repr(C)]
struct Rare<P: Platform> {
    deaths: P::Word64,
    again: P::Word,
    finished: P::Word,
    limit: P::Word,
    resume: P::Word,
}

/// A task queue with its slots. What a producer or a worker does.
#[derive(Debug)]
pub struct Tasks<'q, P: Platform, S: ?Sized, const BITS: u32 = 32> {
    words: &'q TaskQueue<P, BITS>,
    slots: &'q S,
}

/// A slot that a producer fills. The producer publishes it, or gives it up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub struct Loan {
    index: u32,
    producer: Id,
}

/// A slot whose task a worker has. The worker says that it is done, gives it back, or fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub struct Taken {
    index: u32,
    worker: Id,
}

impl Loan {
    /// The loan of this slot that this producer has.
    #[inline(always)]
    pub fn of(index: usize, producer: Id) -> Self {
        Self { index: index as u32, producer }
    }
    /// The index of the slot.
    #[inline(always)]
    pub fn index(self) -> usize {
        self.index as usize
    }
    /// Who fills it.
    #[inline(always)]
    pub fn producer(self) -> Id {
        self.producer
    }
}

impl Taken {
    /// The task of this slot that this worker has.
    #[inline(always)]
    pub fn of(index: usize, worker: Id) -> Self {
        Self { index: index as u32, worker }
    }
    /// The index of the slot.
    #[inline(always)]
    pub fn index(self) -> usize {
        self.index as usize
    }
    /// Who has it.
    #[inline(always)]
    pub fn worker(self) -> Id {
        self.worker
    }
}

/// What a worker takes that checks all slots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    /// Any task.
    Any,
    /// What is in no cell.
    InNoCell,
}

/// What a worker found that checked all slots and took none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct NoTask {
    /// A slot is full, but such a slot was not wanted.
    is_any_full: bool,
    /// A slot is in use.
    is_any_in_use: bool,
    /// The process of a dead user is still ending.
    is_any_ending: bool,
    /// A living participant that uses a slot.
    by: Option<Id>,
}

impl NoTask {
    fn obstacle(self) -> Obstacle {
        if self.is_any_ending { Obstacle::Ending } else { Obstacle::Blocked(self.by) }
    }
}

/// What the user of a slot is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum User {
    /// It may use the item. If it is another participant that is alive: which.
    There(Option<Id>),
    /// It is dead, and another thread of its process may use the item for a moment.
    Ending,
    Gone,
}

impl NoTask {
    /// Notes the user of a slot. Returns whether it is gone.
    fn note(&mut self, user: User) -> bool {
        match user {
            User::There(by) => {
                self.is_any_in_use = true;
                self.by = self.by.or(by);
            }
            User::Ending => self.is_any_ending = true,
            User::Gone => {}
        }
        user == User::Gone
    }
}

impl User {
    fn judge<P: Platform>(me: Participant<'_, P>, user: Id) -> Self {
        if user == me.id {
            return Self::There(None);
        }
        if me.table.is_alive(user) {
            return Self::There(Some(user));
        }
        match me.table.why_kept(user) {
            Some(Kept::Leaked) => Self::There(None),
            Some(Kept::Ending) => Self::Ending,
            None => Self::Gone,
        }
    }
}

impl<'q, P: Platform, S: Slots<P> + ?Sized, const BITS: u32> Tasks<'q, P, S, BITS> {
    #[inline(always)]
    fn ring(&self) -> Ring<'q, P, S, BITS, 0> {
        self.words.ring.with(self.slots)
    }
    #[inline(always)]
    fn again(&self) -> &'q P::Word {
        &self.words.rare.0.again
    }
    #[inline(always)]
    fn resume(&self) -> &'q P::Word {
        &self.words.rare.0.resume
    }
    #[inline(always)]
    fn deaths(&self) -> &'q P::Word64 {
        &self.words.rare.0.deaths
    }
    #[inline(always)]
    fn finished(&self) -> &'q P::Word {
        &self.words.rare.0.finished
    }
    #[inline(always)]
    fn slot(&self, index: u32) -> &'q SlotWords<P> {
        self.slots.slot(index as usize)
    }
    #[inline(always)]
    fn capacity(&self) -> u32 {
        self.slots.capacity() as u32
    }
    fn indices(&self) -> core::ops::Range<u32> {
        0..self.capacity()
    }
    /// All slots, from this one on. A hint that is too large is passed.
    fn indices_from(&self, first: u32) -> impl Iterator<Item = u32> + use<P, S, BITS> {
        let capacity = self.capacity();
        let first = first.min(capacity);
        (first..capacity).chain(0..first)
    }
    /// The number in the next cell. As a rule that slot has a task.
    ///
    /// ORDERING: Relaxed: a hint.
    fn next_number(&self) -> u32 {
        self.slot(self.ring().index_of_head() as u32).number.load(Relaxed)
    }
    /// ORDERING: Relaxed. The caller has passed a fence, if others must notice its change.
    #[inline(always)]
    fn room_word(&self) -> u32 {
        self.ring().room().load(Relaxed)
    }

    // --- Producers

    /// Reserves a slot, if one is free.
    ///
    /// # Errors
    /// [`NotClaimed::WouldBlock`], [`NotClaimed::Closed`].
    ///
    /// # If a process dies
    /// See the [module](self#if-a-process-dies).
    #[inline]
    pub fn try_reserve(&self, me: Participant<'_, P>) -> Result<Loan, NotClaimed> {
        match self.reserve_one_of_few(me) {
            Err(Obstacle::Blocked(_)) => self.ring().claim_now(me, || self.reserve_any(me)),
            reserved => Ok(reserved?),
        }
    }

    /// Reserves a slot. Waits at most to `deadline` ([`Platform::now`]'s clock; `None`: forever).
    ///
    /// # Errors
    /// [`NotClaimed::TimedOut`], [`NotClaimed::Interrupted`], [`NotClaimed::Closed`].
    ///
    /// # If a process dies
    /// See the [module](self#if-a-process-dies).
    #[inline]
    pub fn reserve(&self, me: Participant<'_, P>, deadline: Option<Duration>) -> Result<Loan, NotClaimed> {
        match self.reserve_one_of_few(me) {
            Err(Obstacle::Blocked(_)) => {
                let [few, any] = [Self::reserve_one_of_few, Self::reserve_any];
                let (few, any) = (|| few(self, me), || any(self, me));
                self.ring().wait_for(me, deadline, self.ring().room(), few, any, || self.has_room())
            }
            reserved => Ok(reserved?),
        }
    }

    /// Where producers begin to search.
    #[inline(always)]
    fn first(&self) -> u32 {
        let next = self.words.next.0.load(Relaxed); // ORDERING: a hint.
        if next < self.capacity() { next } else { 0 }
    }

    #[inline(always)]
    fn after(&self, index: u32) -> u32 {
        if index + 1 < self.capacity() { index + 1 } else { 0 }
    }

    #[inline]
    fn reserve_one_of_few(&self, me: Participant<'_, P>) -> Result<Loan, Obstacle> {
        let mut index = self.first();
        for _ in 0..FEW.min(self.slots.capacity()) {
            // ORDERING: Relaxed; the CAS acquires.
            // EQUIVALENT(taken as equal): the CAS compares once more.
            if self.slot(index).hold.load(Relaxed) == FREE && self.fill(me, index, FREE) {
                return self.reserved(me, index);
            }
            index = self.after(index);
        }
        Err(Obstacle::Blocked(None))
    }

    /// Also takes over the slots of dead producers.
    #[cold]
    fn reserve_any(&self, me: Participant<'_, P>) -> Result<Loan, Obstacle> {
        // ORDERING: Relaxed. It spares callers that come late a slot.
        if is_closed(self.room_word()) {
            return Err(Obstacle::Closed);
        }
        let (mut index, mut found) = (self.first(), NoTask::default());
        for _ in self.indices() {
            if self.fill_or_note(me, index, &mut found) {
                return self.reserved(me, index);
            }
            index = self.after(index);
        }
        Err(found.obstacle())
    }

    /// Whether the caller fills this slot now.
    fn fill_or_note(&self, me: Participant<'_, P>, index: u32, found: &mut NoTask) -> bool {
        let hold = &self.slot(index).hold;
        loop {
            // ORDERING: Relaxed; the CAS acquires, and `inherit` judges a dead user once more.
            let seen = hold.load(Relaxed);
            let is_mine = match State::of(seen) {
                State::Free => self.fill(me, index, seen),
                State::Filling(user) if !found.note(User::judge(me, user)) => return false,
                State::Filling(_) => me.inherit_unless_leaked(hold, seen, || self.fill(me, index, seen)),
                State::Taken(user) => {
                    found.by = found.by.or(Some(user).filter(|user| me.table.is_alive(*user)));
                    return false;
                }
                State::Full | State::Again | State::Aside => return false,
            };
            if is_mine {
                return true;
            }
            // Another participant was quicker. Perhaps a worker has freed the slot of a dead
            // producer, which wakes nobody. Model:
            // `task_queue::a_slot_that_a_worker_frees_goes_to_a_producer`.
        }
    }

    #[inline(always)]
    fn fill(&self, me: Participant<'_, P>, index: u32, seen: u32) -> bool {
        // ORDERING: Acquire. Pairs with the Release of `done` and `give_up`: this producer writes
        // after the last user has read. Model: `task_queue::a_slot_is_free_when_it_was_used`. Then
        // the fence of invariant 9. Model: `task_queue::no_task_comes_behind_the_end`.
        // EQUIVALENT(Acquire to Relaxed): the fence that follows acquires as well.
        self.slot(index).hold.compare_exchange_then_fence(seen, filling(me.id), Acquire, Relaxed).is_ok()
    }

    /// A slot was claimed, and the fence of invariant 9 was passed.
    #[inline(always)]
    fn reserved(&self, me: Participant<'_, P>, index: u32) -> Result<Loan, Obstacle> {
        let loan = Loan { index, producer: me.id };
        // ORDERING: Relaxed; after the fence of invariant 9.
        if is_closed(self.room_word()) {
            self.abandon(loan);
            return Err(Obstacle::Closed);
        }
        self.words.next.0.store(self.after(index), Relaxed); // ORDERING: a hint.
        Ok(loan)
    }

    #[cold]
    fn abandon(&self, loan: Loan) {
        let _taken_back = self.give_up(loan);
    }

    /// Publishes a slot that the caller has filled. Without `me` the caller is no participant, and
    /// the slot comes into no cell.
    ///
    /// # Errors
    /// [`NotHeld`] if the caller does not fill the slot any more. Nothing is published then.
    ///
    /// # If a process dies
    /// Before the hold is written: the slot is free again. After that: the task is there.
    #[inline]
    pub fn publish(&self, loan: Loan, me: Option<Participant<'_, P>>) -> Result<(), NotHeld> {
        let ring = self.ring();
        let slot = self.slot(loan.index);
        if self.is_still(loan.index, filling(loan.producer)) {
            slot.attempts.store(0, Relaxed); // ORDERING: the CAS below publishes it.
        }
        // A ring that is closed, or whose next cell is in use, has no cell.
        let Some(claim) = me.and_then(|me| ring.claim_next_free(me).ok()) else {
            return self.publish_in_no_cell(loan);
        };
        // Before the slot is full: invariant 2.
        // ORDERING: Relaxed; the word of the cell publishes it, or the mark of the dead.
        self.slot(claim.index() as u32).number.store(loan.index, Relaxed);
        // ORDERING: Release. Pairs with the Acquire of a worker. Model:
        // `task_queue::an_item_is_acquired`. Then the fence of invariant 7. The cell needs none:
        // who waits finds the slot without it.
        // EQUIVALENT(Release to Relaxed): the fence of `claim_next_free` comes after the item was
        // written, and publishes it.
        let answer = slot.hold.compare_exchange_then_fence(filling(loan.producer), FULL, Release, Relaxed);
        ring.publish_quietly(claim); // after an error the number is out of date
        answer.map_err(not_held)?;
        ring.notice_items(1);
        Ok(())
    }

    #[cold]
    fn publish_in_no_cell(&self, loan: Loan) -> Result<(), NotHeld> {
        self.end(loan.index, filling(loan.producer), AGAIN)
    }

    /// Frees a slot that the caller was to fill.
    ///
    /// # Errors
    /// [`NotHeld`] if the caller does not fill the slot any more. Nothing is changed then.
    ///
    /// # If a process dies
    /// The slot is free again.
    pub fn give_up(&self, loan: Loan) -> Result<(), NotHeld> {
        self.free_slot(loan.index, filling(loan.producer))
    }

    // --- Workers

    /// Takes a task, if there is one.
    ///
    /// # Errors
    /// [`NotClaimed::WouldBlock`], [`NotClaimed::Closed`].
    ///
    /// # If a process dies
    /// See the [module](self#if-a-process-dies).
    #[inline]
    pub fn try_take(&self, me: Participant<'_, P>) -> Result<Taken, NotClaimed> {
        self.take_next(me).or_else(|_| self.try_take_slow(me))
    }

    #[cold]
    fn try_take_slow(&self, me: Participant<'_, P>) -> Result<Taken, NotClaimed> {
        me.table.reap_lost_if_due(P::now());
        Ok(self.take_any(me)?) // invariant 6
    }

    /// Takes a task. Waits at most to `deadline` ([`Platform::now`]'s clock; `None`: forever).
    ///
    /// # Errors
    /// [`NotClaimed::TimedOut`], [`NotClaimed::Interrupted`], [`NotClaimed::Closed`].
    ///
    /// # If a process dies
    /// See the [module](self#if-a-process-dies).
    #[inline]
    pub fn take(&self, me: Participant<'_, P>, deadline: Option<Duration>) -> Result<Taken, NotClaimed> {
        self.take_next(me).or_else(|_| self.take_slow(me, deadline))
    }

    #[cold]
    fn take_slow(&self, me: Participant<'_, P>, deadline: Option<Duration>) -> Result<Taken, NotClaimed> {
        match self.take_before_spinning(me) {
            Err(NotClaimed::WouldBlock) => {
                let next = || self.take_next(me).map_err(|_| Obstacle::Blocked(None));
                let any = || self.take_any(me);
                self.ring().wait_for(me, deadline, self.ring().items(), next, any, || self.has_task())
            }
            taken => taken,
        }
    }

    /// What the dead have left, and the end. It checks no slot without a hint: a caller that spins
    /// has no time for that.
    fn take_before_spinning(&self, me: Participant<'_, P>) -> Result<Taken, NotClaimed> {
        me.table.reap_lost_if_due(P::now());
        self.look_for_deaths(me);
        // ORDERING: Relaxed; a caller that comes early finds no task.
        if is_closed(self.room_word()) {
            return Ok(self.take_any(me)?);
        }
        self.take_next(me).map_err(|_| NotClaimed::WouldBlock)
    }

    /// Takes what is in no cell, or else the next one of the ring.
    #[inline]
    fn take_next(&self, me: Participant<'_, P>) -> Result<Taken, Obstacle> {
        // ORDERING: Relaxed: a hint.
        let hint = self.again().load(Relaxed);
        if hint != 0 {
            if let Some(taken) = self.take_again(me, hint) {
                return Ok(taken);
            }
        }
        let ring = self.ring();
        loop {
            let claim = match (ring.claim_next_full(me), hint) {
                (Ok(claim), _) => claim,
                (Err(obstacle), 0) => return Err(obstacle),
                // The ring has no task for its turn.
                (Err(obstacle), _) => return self.take_again(me, SEARCH).ok_or(obstacle),
            };
            // ORDERING: Relaxed; the claim of the cell acquires, or the mark of a dead producer.
            let index = self.slot(claim.index() as u32).number.load(Relaxed);
            let is_mine = index < self.capacity() && self.take_if(me, index, FULL);
            ring.finish_quietly(claim); // nobody waits for a cell
            if claim.index() % CELLS_FOR_EACH_LOOK == 0 {
                self.look_for_deaths(me);
            }
            if is_mine {
                return Ok(self.begin(me, index));
            }
        }
    }

    #[inline(always)]
    fn take_if(&self, me: Participant<'_, P>, index: u32, seen: u32) -> bool {
        // ORDERING: Acquire. Pairs with the Release of `publish` and `end`. Model:
        // `task_queue::an_item_is_acquired`.
        self.slot(index).hold.compare_exchange(seen, taken(me.id), Acquire, Relaxed).is_ok()
    }

    /// Counts the attempt of a task that was just taken.
    #[inline(always)]
    fn begin(&self, me: Participant<'_, P>, index: u32) -> Taken {
        let attempts = &self.slot(index).attempts;
        // ORDERING: Relaxed; it belongs to the worker that the hold names.
        attempts.store(attempts.load(Relaxed).saturating_add(1), Relaxed);
        Taken { index, worker: me.id }
    }

    #[cold]
    fn take_again(&self, me: Participant<'_, P>, hint: u32) -> Option<Taken> {
        if hint == SEARCH_NEXT {
            self.set_again(SEARCH);
            return None;
        }
        // ORDERING: Acquire. Pairs with the Release of `set_again`: the search finds that slot.
        // Model: `task_queue::a_hint_is_not_cleared_before_the_task_is_found`.
        let is_set = self.again().swap(0, Acquire) != 0;
        if is_set { self.search(me, Wanted::InNoCell).ok() } else { None }
    }

    /// Adds to the hint. So a search that is due stays due, and who adds hides no earlier one from
    /// the search. A swap that reads the last one sees what all of them have published.
    #[inline]
    fn set_again(&self, hint: u32) {
        self.again().fetch_or(hint, Release); // ORDERING: see `take_again`.
    }

    /// Sets the hint if there are other deaths than before. This asks for no time, so a worker that
    /// always finds tasks makes no system call. Those that sleep or find nothing reap.
    #[cold]
    fn look_for_deaths(&self, me: Participant<'_, P>) {
        let dead = me.table.slots_in_use().filter(|slot| slot.armed().is_none()).count();
        // ORDERING: Relaxed, all: a hint. The hint `again` comes first: if the caller is stopped or
        // dies in between, the next one finds the same deaths.
        let found = u64::from(me.table.membership.load(Relaxed)) << 32 | dead as u64;
        if self.deaths().load(Relaxed) != found {
            self.set_again(SEARCH);
            self.deaths().store(found, Relaxed);
        }
    }

    /// Takes what there is, in a cell or not.
    #[cold]
    fn take_any(&self, me: Participant<'_, P>) -> Result<Taken, Obstacle> {
        // ORDERING: Relaxed. If the queue is closed, the ring is, too: `take_next` passes the fence
        // of invariant 9 before it finds nothing. It pairs with those of `fill` and of `close`.
        // Models: `task_queue::no_task_comes_behind_the_end_that_another_made`,
        // `task_queue::without_fences_a_task_comes_behind_the_end`.
        let is_closed = is_closed(self.room_word());
        if let Ok(taken) = self.take_next(me) {
            return Ok(taken);
        }
        let mut searched = self.search(me, Wanted::InNoCell);
        if searched.is_err_and(|found| found.is_any_full) {
            // As a rule the ring has it by now.
            searched = self.take_next(me).or_else(|_| self.search(me, Wanted::Any));
        }
        searched.map_err(|found| {
            let is_over = is_closed && !found.is_any_in_use && !found.is_any_ending && !found.is_any_full;
            if is_over { Obstacle::Closed } else { found.obstacle() }
        })
    }

    /// Checks all slots, and takes the first that is wanted, behind the one that was found last.
    /// Frees those of dead producers, and sets aside tasks of dead workers that have no attempt
    /// left.
    fn search(&self, me: Participant<'_, P>, wanted: Wanted) -> Result<Taken, NoTask> {
        let mut found = NoTask::default();
        // ORDERING: Relaxed, both: a hint.
        for index in self.indices_from(self.resume().load(Relaxed)) {
            if self.take_or_note(me, index, wanted, &mut found) {
                self.resume().store(self.after(index), Relaxed);
                self.set_again(SEARCH_NEXT); // there may be more
                return Ok(self.begin(me, index));
            }
        }
        if found.is_any_ending {
            self.set_again(SEARCH_NEXT); // that is over in a moment
        }
        Err(found)
    }

    /// Whether the caller has taken this slot's task.
    fn take_or_note(&self, me: Participant<'_, P>, index: u32, wanted: Wanted, found: &mut NoTask) -> bool {
        let slot = self.slot(index);
        loop {
            // ORDERING: Relaxed. The CAS acquires. `inherit` judges a dead user once more, with
            // Acquire.
            let seen = slot.hold.load(Relaxed);
            match State::of(seen) {
                State::Free | State::Aside => return false,
                State::Full if wanted == Wanted::InNoCell => {
                    found.is_any_full = true;
                    return false;
                }
                State::Full | State::Again => {
                    if self.take_if(me, index, seen) {
                        return true;
                    }
                }
                State::Filling(user) | State::Taken(user) if !found.note(User::judge(me, user)) => return false,
                State::Filling(_) => {
                    // The death has woken those that wait for room. Who ends the last task while
                    // the slot is not free yet wakes nobody. So this caller does: perhaps itself,
                    // if it has seen that task before. Model:
                    // `task_queue::the_last_loan_ends_all_waits`.
                    // ORDERING: Release, so that the next producer writes after the dead one. Then
                    // the fence of invariant 7.
                    // EQUIVALENT(Release to Relaxed): the fence of `inherit` publishes it, too.
                    let free = || slot.hold.compare_exchange_then_fence(seen, FREE, Release, Relaxed).is_ok();
                    if me.inherit_unless_leaked(&slot.hold, seen, free) {
                        self.notice_end();
                        return false;
                    }
                }
                State::Taken(_) if self.is_used_up(slot) => {
                    if self.put_aside(me, slot, seen) {
                        return false;
                    }
                }
                State::Taken(_) => {
                    if me.inherit_unless_leaked(&slot.hold, seen, || self.take_if(me, index, seen)) {
                        return true;
                    }
                }
            }
            // Another participant was quicker: what is there now?
        }
    }

    /// Sets a task aside that a dead worker had, and that has no attempt left.
    fn put_aside(&self, me: Participant<'_, P>, slot: &SlotWords<P>, seen: u32) -> bool {
        // ORDERING: Release, for who takes it from there. Then the fence of invariants 7 and 10.
        // Model: `task_queue::who_sets_a_task_aside_wakes_who_waits_for_the_end`.
        // EQUIVALENT(Release to Relaxed): the fence of `inherit` publishes it, too.
        let aside = || slot.hold.compare_exchange_then_fence(seen, ASIDE, Release, Relaxed).is_ok();
        let is_aside = me.inherit_unless_leaked(&slot.hold, seen, aside);
        if is_aside {
            self.notice_end();
        }
        is_aside
    }

    /// Whether the task has no attempt left.
    fn is_used_up(&self, slot: &SlotWords<P>) -> bool {
        // ORDERING: Relaxed. Attempts belong to the worker that the hold names. If it is dead, the
        // caller has seen the mark, or its CAS fails.
        let limit = self.words.limit();
        limit != 0 && slot.attempts.load(Relaxed) >= limit
    }

    /// How many workers have begun a task, with this one.
    pub fn attempts(&self, taken: Taken) -> u32 {
        self.slot(taken.index).attempts.load(Relaxed)
    }

    /// Frees a slot whose task is done.
    ///
    /// # Errors
    /// [`NotHeld`] if the caller does not have the task any more. Nothing is changed then.
    ///
    /// # If a process dies
    /// Before the hold is written: the task is given out again. After that: it is done.
    #[inline]
    pub fn done(&self, task: Taken) -> Result<(), NotHeld> {
        let uses = &self.slot(task.index).uses;
        if self.is_still(task.index, taken(task.worker)) {
            // ORDERING: Relaxed, both; it belongs to the worker, and the CAS publishes it
            // (invariant 11). Who sees it earlier sees that the task was taken, if the task has
            // sent another: `publish` has passed a fence.
            uses.store(uses.load(Relaxed).wrapping_add(1), Relaxed);
        }
        self.free_slot(task.index, taken(task.worker))
    }

    /// Gives a task back as if the caller had not taken it. It is given out soon.
    ///
    /// # Errors
    /// [`NotHeld`] if the caller does not have the task any more. Nothing is changed then.
    ///
    /// # If a process dies
    /// The task is given out again, with this attempt counted, or not.
    pub fn give_back(&self, task: Taken) -> Result<(), NotHeld> {
        let attempts = &self.slot(task.index).attempts;
        if self.is_still(task.index, taken(task.worker)) {
            // ORDERING: Relaxed, both: the CAS publishes it.
            attempts.store(attempts.load(Relaxed).saturating_sub(1), Relaxed);
        }
        self.end(task.index, taken(task.worker), AGAIN)
    }

    /// Gives a task back that the caller has not done. It is given out soon, or set
    /// aside if it has no attempt left.
    ///
    /// # Errors
    /// [`NotHeld`] if the caller does not have the task any more. Nothing is changed then.
    ///
    /// # If a process dies
    /// The same happens then.
    pub fn fail(&self, task: Taken) -> Result<(), NotHeld> {
        let next = if self.is_used_up(self.slot(task.index)) { ASIDE } else { AGAIN };
        self.end(task.index, taken(task.worker), next)
    }

    /// Whether the slot is still the caller's. Otherwise it does not touch the other words; the CAS
    /// that follows fails. Only [`take_back`](Self::take_back) can take it from the caller between
    /// this look and the CAS.
    #[inline(always)]
    fn is_still(&self, index: u32, hold: u32) -> bool {
        self.slot(index).hold.load(Relaxed) == hold // ORDERING: Relaxed; it is the caller's own.
    }

    #[inline]
    fn free_slot(&self, index: u32, seen: u32) -> Result<(), NotHeld> {
        // ORDERING: Release. Pairs with the Acquire of `fill`. Model:
        // `task_queue::a_slot_is_free_when_it_was_used`. Then the fence of invariant 7.
        self.slot(index).hold.compare_exchange_then_fence(seen, FREE, Release, Relaxed).map_err(not_held)?;
        let room = self.room_word();
        if has_waiters(room) || is_closed(room) || has_waiters(self.finished().load(Relaxed)) {
            self.notice_room();
        }
        Ok(())
    }

    #[cold]
    fn notice_room(&self) {
        self.ring().wake(self.ring().room(), 1);
        self.notice_end();
    }

    /// Ends the use of a slot that has a task now: `next` is AGAIN or ASIDE.
    fn end(&self, index: u32, seen: u32, next: u32) -> Result<(), NotHeld> {
        // ORDERING: Release. Pairs with the Acquire of the next worker. Model:
        // `task_queue::a_hint_is_not_cleared_before_the_task_is_found`.
        self.slot(index).hold.compare_exchange(seen, next, Release, Relaxed).map_err(not_held)?;
        if next == AGAIN {
            // Not SEARCH: the ring keeps its turn, however often this task fails (invariant 5).
            self.set_again(SEARCH_NEXT);
        }
        P::fence(SeqCst); // ORDERING: invariant 7.
        if next == AGAIN {
            self.ring().notice_items(1)
        } else {
            self.notice_end()
        }
        Ok(())
    }

    /// Wakes those that wait until nothing is left, if nothing is: invariants 9 and 10. After a
    /// fence.
    fn notice_end(&self) {
        // ORDERING: Relaxed, all; the caller has passed a fence.
        let (has_joiners, is_closed) = (has_waiters(self.finished().load(Relaxed)), is_closed(self.room_word()));
        if !has_joiners && !is_closed {
            return;
        }
        // As long as the ring has tasks, its next one spares the search.
        let next = self.next_number();
        if next < self.capacity() && State::of(self.slot(next).hold.load(Relaxed)) == State::Full {
            return;
        }
        let (mut has_tasks, mut has_loans) = (false, false);
        for index in self.indices() {
            match State::of(self.slot(index).hold.load(Relaxed)) {
                State::Free | State::Aside => {}
                State::Filling(_) => has_loans = true,
                State::Full | State::Again | State::Taken(_) => {
                    has_tasks = true;
                    break;
                }
            }
        }
        if has_joiners && !has_tasks {
            self.ring().wake(self.finished(), u32::MAX);
        }
        if is_closed && !has_tasks && !has_loans {
            self.ring().wake(self.ring().items(), u32::MAX);
        }
    }

    /// Takes a task that is set aside, from this slot on. Its attempts stay as they are.
    pub fn take_aside(&self, me: Participant<'_, P>, from: usize) -> Option<Taken> {
        let is_mine = |index: &u32| {
            // ORDERING: Relaxed; the CAS acquires.
            let seen = self.slot(*index).hold.load(Relaxed);
            State::of(seen) == State::Aside && self.take_if(me, *index, seen)
        };
        let index = self.indices().skip(from).find(is_mine)?;
        // Invariant 11. Not when it is set aside once more: if the caller dies, another one does
        // that.
        // ORDERING: Release. Pairs with the Acquire of `uses`: who adds this use up sees that the
        // task is taken. Model:
        // `task_queue::a_task_taken_from_aside_that_sends_another_is_not_the_last`.
        let uses = &self.slot(index).uses;
        uses.store(uses.load(Relaxed).wrapping_add(1), Release);
        Some(Taken { index, worker: me.id })
    }

    /// Takes back what a participant has, dead or alive: its tasks fail, and its loans are free.
    /// Returns how many that were. Nobody checks whether references are still in use.
    ///
    /// If that participant ends a use at the same moment, it may have seen that the slot is its
    /// own, and write `attempts` or `uses` after this. Then the next user of the slot has wrong
    /// attempts, or a use is lost: a check whether all is done may overlook a task.
    ///
    /// # If a process dies
    /// Some were taken back, and others not.
    pub fn take_back(&self, from: Id) -> usize {
        let is_back = |index: &u32| {
            // ORDERING: Relaxed; the changes order.
            match State::of(self.slot(*index).hold.load(Relaxed)) {
                State::Taken(user) if user == from => self.fail(Taken { index: *index, worker: from }).is_ok(),
                State::Filling(user) if user == from => self.give_up(Loan { index: *index, producer: from }).is_ok(),
                _ => false,
            }
        };
        self.indices().filter(is_back).count()
    }

    // --- Waiting

    /// Waits until there is no task but what is set aside, at most to `deadline`
    /// ([`Platform::now`]'s clock; `None`: forever). Tasks that are sent meanwhile count.
    ///
    /// # Errors
    /// [`NotClaimed::TimedOut`], [`NotClaimed::Interrupted`].
    ///
    /// # If a process dies
    /// The tasks that it had are still to be done.
    pub fn wait_until_done(&self, me: Participant<'_, P>, deadline: Option<Duration>) -> Result<(), NotClaimed> {
        match self.is_all_done(me) {
            Err(Obstacle::Blocked(_) | Obstacle::Ending) => {
                let is_all_done = || self.is_all_done(me);
                let soon = || if self.is_dear() { Err(Obstacle::Blocked(None)) } else { is_all_done() };
                self.ring().wait_for(me, deadline, self.finished(), soon, is_all_done, || true)
            }
            done => Ok(done?),
        }
    }

    /// Whether a check of all slots takes long. The caller then does not check again and again
    /// while it spins: that could last far beyond its deadline.
    fn is_dear(&self) -> bool {
        self.capacity() > MOST_CHEAP
    }

    /// Invariant 11.
    fn is_all_done(&self, me: Participant<'_, P>) -> Result<(), Obstacle> {
        for _ in 0..MOST_CHECKS {
            let before = self.uses();
            let aside = self.without_tasks(me)?;
            if self.without_tasks(me)? == aside && self.uses() == before {
                return Ok(());
            }
        }
        // Who goes on changing them wakes the caller, if it sleeps (invariant 10). Victims of
        // `take_back` may change them, and wake nobody; a recheck finds that.
        Err(Obstacle::Blocked(None))
    }

    /// How often tasks were done, or taken from those set aside, in all slots together.
    fn uses(&self) -> u32 {
        // ORDERING: Acquire. The holds are checked after that.
        self.indices().fold(0, |sum, index| sum.wrapping_add(self.slot(index).uses.load(Acquire)))
    }

    /// The number of tasks that are set aside, if there are no others. Sets aside what the dead
    /// have left in any slot: who ends the last task that the living have sees it as a task, and
    /// wakes nobody. A task of the living hides no process that is ending: when that has ended,
    /// nobody wakes the caller.
    fn without_tasks(&self, me: Participant<'_, P>) -> Result<u32, Obstacle> {
        let (mut aside, mut is_any_left, mut found) = (0, false, NoTask::default());
        for index in self.indices() {
            let slot = self.slot(index);
            // ORDERING: Acquire. Pairs with the Release of `done`: who learns that all is done sees
            // what the workers have written, and what they have sent.
            let seen = slot.hold.load(Acquire);
            match State::of(seen) {
                State::Free | State::Filling(_) => {}
                State::Aside => aside += 1,
                State::Full | State::Again => is_any_left = true,
                State::Taken(user) => {
                    let is_gone = found.note(User::judge(me, user));
                    if is_gone && self.is_used_up(slot) && self.put_aside(me, slot, seen) {
                        aside += 1;
                    } else {
                        is_any_left = true;
                    }
                }
            }
        }
        if is_any_left { Err(found.obstacle()) } else { Ok(aside) }
    }

    fn has_room(&self) -> bool {
        // ORDERING: Relaxed; after the fence of invariant 7.
        self.indices().any(|index| self.slot(index).hold.load(Relaxed) == FREE)
    }

    /// Invariant 8. Begins with the slot of the next cell, which as a rule has a task.
    fn has_task(&self) -> bool {
        // ORDERING: Relaxed; after the fence of invariant 7.
        let is_there = |index| matches!(State::of(self.slot(index).hold.load(Relaxed)), State::Full | State::Again);
        self.indices_from(self.next_number()).any(is_there)
    }

    /// Closes the queue: nothing more can be reserved. What was reserved can still be published.
    /// Returns whether it was open.
    ///
    /// To be called by a participant. If another thread dies between close and wake, only a recheck
    /// finds that.
    ///
    /// # If a process dies
    /// Before the word is written: nothing has happened. After that, before the wakes: the sleepers
    /// check, and find the queue closed.
    pub fn close(&self) -> bool {
        self.ring().close()
    }

    // --- Numbers

    /// ORDERING: Relaxed for all; the answer may be outdated as soon as it is given.
    fn count(&self, is_counted: impl Fn(State) -> bool) -> usize {
        self.indices().filter(|index| is_counted(State::of(self.slot(*index).hold.load(Relaxed)))).count()
    }

    /// The number of tasks that nobody has.
    pub fn len(&self) -> usize {
        self.count(|state| matches!(state, State::Full | State::Again))
    }

    /// Whether [`len`](Self::len) is 0.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number of tasks that workers have, dead or alive.
    pub fn in_flight(&self) -> usize {
        self.count(|state| matches!(state, State::Taken(_)))
    }

    /// The number of tasks that are set aside.
    pub fn set_aside(&self) -> usize {
        self.count(|state| state == State::Aside)
    }

    /// The worker of each task that somebody has, dead or alive.
    pub fn workers(&self) -> impl Iterator<Item = Id> + use<'q, P, S, BITS> {
        let slots = self.slots;
        (0..slots.capacity()).filter_map(|index| match State::of(slots.slot(index).hold.load(Relaxed)) {
            State::Taken(worker) => Some(worker),
            _ => None,
        })
    }
}

#[cold]
fn not_held(hold: u32) -> NotHeld {
    NotHeld { holder: Id::holder_in(hold) }
}

impl<P: Platform, const BITS: u32> TaskQueue<P, BITS> {
    /// The words of a task queue. All are 0 at first.
    pub fn from_words(ring: Queue<P, BITS, 0>, [next, again, finished, limit]: [u32; 4]) -> Self {
        let [next, again, finished, limit, resume] = [next, again, finished, limit, 0].map(P::Word::new);
        let rare = Rare { deaths: P::Word64::new(0), again, finished, limit, resume };
        Self { ring, next: OwnLines(next), rare: OwnLines(rare) }
    }

    /// The task queue with its slots, which must always be the same. They are all 0 at first.
    #[inline(always)]
    pub fn with<'q, S: Slots<P> + ?Sized>(&'q self, slots: &'q S) -> Tasks<'q, P, S, BITS> {
        Tasks { words: self, slots }
    }

    /// Whether the queue is closed.
    pub fn is_closed(&self) -> bool {
        self.ring.is_closed()
    }

    /// The number of attempts after which a task is set aside; 0: never.
    #[inline(always)]
    pub fn limit(&self) -> u32 {
        // ORDERING: Relaxed; the number stands for itself.
        self.rare.0.limit.load(Relaxed)
    }

    /// Changes the number of attempts. It counts when the next attempt ends.
    pub fn set_limit(&self, attempts: u32) {
        // ORDERING: as above.
        self.rare.0.limit.store(attempts, Relaxed);
    }
}

#[cfg(test)]
mod awaited;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod waits;
