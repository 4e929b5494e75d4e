//! A condition variable of 8 bytes, whose waiters outlive those that were to notify them.
//!
//! # Words
//!
//! The state, on which waiters sleep:
//!
//! | bits  | name     | set by                                   | cleared by                                              |
//! |-------|----------|------------------------------------------|---------------------------------------------------------|
//! | 0–29  | sequence | counts notifications that found WAITERS  |                                                         |
//! | 30    | FRESH    | a waiter that arrives                    | every notification, with the CAS that counts it         |
//! | 31    | WAITERS  | a waiter that arrives                    | `notify_all`; a wake that found too few, if not FRESH   |
//!
//! The second word:
//!
//! | bits  | name     | meaning                                                          |
//! |-------|----------|------------------------------------------------------------------|
//! | 0–12  | tickets  | how many more waiters are to learn that they were notified       |
//! | 30    | MOVED    | a notifier has [moved](#moving-waiters-to-the-lock) waiters once |
//!
//! Each waiter's slot notes two places in the segment: that of the condition variable
//! ([`waits_at`](ThreadInfo::waits_at)), and that of the lock with which it waits.
//!
//! The sequence wraps after 2^30 notifications. That matters only if all of them happen between one
//! waiter's arrival and its sleep, and the last of them leaves WAITERS and FRESH as they were. A
//! recheck would then end that sleep.
//!
//! # Invariants
//!
//! 1. From a waiter's arrival to the next notification, the state has the value of the arrival.
//!    Later arrivals do not change it, and only a notification leads to WAITERS being cleared. So
//!    only a notification or a death ends a sleep that is about to begin.
//! 2. A waiter that arrived before a notification's CAS either sleeps and is woken in its turn, or
//!    finds the state changed and does not sleep.
//! 3. `notify_all` clears WAITERS by the CAS that counts it, before its wake. `notify` clears it
//!    only from the very value that it wrote, after its wake found too few sleepers. An arrival
//!    since then has set FRESH, which only another notification could have cleared. So the clearing
//!    CAS fails. (The same rule without FRESH loses a wake with nobody dying:
//!    `condvar::clearing_waiters_without_fresh_loses_a_wake`.)
//! 4. A waiter collects the lifelines that it watches before it releases the lock. Under this lock
//!    the caller has checked its predicate. The participant that makes the predicate true does so
//!    under that lock, later, so the waiter watches it. If it dies before it notifies, its waiters
//!    return. A waiter that watches nobody returns after a first phase in any case.
//! 5. A wait lasts from [`wait`](Condvar::wait) to [`leave`](Condvar::leave). The lock is held at
//!    both, and the waiter's slot notes the wait. So an arrival finds the exact number of living
//!    waiters.
//! 6. When a waiter arrives, there are at most as many tickets as other waiters. A notification
//!    adds a ticket for each waiter that it is asked to notify. If it adds more tickets than there
//!    are waiters without one, each waiter has a ticket, and the next arrival drops the rest. A
//!    waiter takes at most one ticket, and only if there was a notification since it arrived.
//! 7. If WAITERS is clear, each waiter that has not left has its ticket.
//! 8. A waiter that may have been moved to its lock's word sets the lock's WAITERS when it has the
//!    lock again. Those that were moved with it, and all others that sleep on that word, may have
//!    had no other wake than its own. A waiter may have been moved if it was notified, and MOVED is
//!    set.
//!
//! The lock publishes what the user writes; these words do not. Their stronger orderings are for
//! the counts of waiters and tickets. A notifier that made the predicate true under the lock sees
//! the arrival of each waiter that had the lock before it. A waiter that has the lock after it sees
//! the predicate.
//!
//! # Which waiter takes a ticket
//!
//! The ticket goes to one of the waiters that had arrived: the first of them that has the lock
//! again. That need not be the waiter that the kernel woke for the ticket. The woken waiter then
//! finds none, and gets [`Woken::Neither`], though it slept until it was notified. No waiter is
//! left asleep by that: there are as many wakes as tickets, and a waiter that takes a ticket
//! without a wake is awake.
//!
//! A woken waiter that is killed before it has its ticket leaves the ticket to another that had
//! arrived.
//!
//! # Moving waiters to the lock
//!
//! A notifier that holds the waiters' lock wakes nobody. A woken waiter could only wait for that
//! lock. On one processor its wake costs two more switches, to the waiter and back. So the kernel
//! moves the waiters to the lock's word (`FUTEX_CMP_REQUEUE`), and the release of the lock wakes
//! the first of them. A moved waiter keeps its deadline, and all else that it watches.
//!
//! The notifier finds the lock in the slots. It moves waiters only if
//!
//! - after its CAS, all living waiters have noted the same place of a lock; and
//! - the word at that place names the notifier.
//!
//! No waiter arrives between the notifier's CAS and the move: an arrival sets FRESH, and the kernel
//! compares the word. So each waiter that is moved had arrived before the CAS. The CAS has made its
//! note known to the notifier, and the note stays until the waiter leaves. Hence **waiters are
//! moved only to the lock with which they wait**, whatever else the slots contain.
//!
//! - *A dead waiter's slot.* It is skipped. If it gets a new owner meanwhile, its old note may
//!   count as that of a living waiter. Then it agrees with the others, or nobody is moved.
//! - *A waiter that leaves meanwhile* may note another lock, for its next wait. The same is true.
//! - *A condition variable that was moved*, as safe code may do when its waiters have died. No slot
//!   notes its new place, so nobody is moved. Safe code cannot move a slot. (The place of the lock
//!   must therefore not be noted in the condition variable.)
//! - *Waiters with different locks.* Nobody is moved. (If they were moved to one of the locks, a
//!   wake on that lock's word could end at a waiter that sets WAITERS in another lock. Model:
//!   `condvar::waiters_with_different_locks_all_return`.)
//!
//! If the notifier is killed before it has set the lock's WAITERS, it died as the holder. The next
//! holder sets WAITERS. [Some locks](super::mutex::Mutex::release) can be released by another
//! participant meanwhile. Then the notifier wakes the waiters that it has moved.
//!
//! A thread that sleeps in [`Mutex::lock_again`] always watches the lock's holder. A moved waiter
//! does so only if it watches everybody. So a notifier moves nobody if more participants live than
//! one wait can watch. Nor does it if more than `MOST_SLOTS` slots were ever used: to read them
//! takes time under the lock.
//!
//! # What is not exact
//!
//! A thread of higher (real-time) priority may begin to sleep between a notification's CAS and its
//! wake. The kernel can give it the wake of a waiter that had arrived before. The thread returns,
//! passes the wake on, and gets [`Woken::Neither`].
//!
//! Two condition variables of one segment, at places that differ by a multiple of 4 GiB, count each
//! other's waiters as their own. Each may then keep tickets for which it has no waiters, and moves
//! waiters only if those of both wait with one lock.
//!
//! A notification without the lock may meet waiters that come and go. A notification first adds its
//! ticket, and then counts itself by a CAS. A waiter that gives up between the two gets
//! [`Woken::TimedOut`]. Its ticket may go to a waiter that would have got none.

use super::hold::{Id, WAITERS, has_waiters};
use super::mutex::Mutex;
use super::table::{Participant, Slot, Table};
use super::vigil::{Ended, Vigil};
use crate::platform::{Platform, ThreadInfo, Word};
use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use core::time::Duration;

const FRESH: u32 = 1 << 30;
const SEQUENCE: u32 = FRESH - 1;

/// Of the second word. All numbers of participants fit into it.
const TICKETS: u32 = (1 << 13) - 1;
const MOVED: u32 = 1 << 30;

/// A notifier reads at most so many slots to find the lock of the waiters. That takes 0.3 µs. On
/// one processor a move saves 0.7 µs.
const MOST_SLOTS: usize = 256;

/// See the [module](self).
#[derive(Debug)]
#[repr(C)]
pub struct Condvar<P: Platform> {
    word: P::Word,
    tickets: P::Word,
}

/// Why a wait ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Woken {
    /// The waiter was notified.
    Notified,
    /// The deadline has passed, and the waiter was not notified.
    TimedOut,
    /// The waiter was [interrupted](crate::interruptible), and was not notified.
    Interrupted,
    /// None of these: a participant has died or come, another waiter took the notification, or
    /// there was no reason. The caller checks its predicate.
    Neither,
}

/// A wait that has ended, before the caller has the lock again: see [`Condvar::leave`].
#[derive(Debug, Clone, Copy)]
#[must_use]
pub struct Waited {
    arrived: u32,
    slept: Result<(), Ended>,
}

impl Waited {
    /// Whether the waiter was [interrupted](crate::interruptible), even if it is found to be
    /// notified.
    #[must_use]
    pub fn was_interrupted(&self) -> bool {
        self.slept == Err(Ended::Interrupted)
    }
}

impl<P: Platform> Condvar<P> {
    /// A condition variable around these words. All values are some state: without waiters, or with
    /// waiters that have died.
    pub const fn from_words(word: P::Word, tickets: P::Word) -> Self {
        Self { word, tickets }
    }

    /// Waits to be notified, at most to `deadline` ([`Platform::now`]'s clock; `None`: forever).
    /// The caller holds a lock, releases it in `release`, takes it again when this has returned,
    /// and then [leaves](Self::leave).
    ///
    /// `lock` is the place of the lock in the segment. A notifier that holds the lock
    /// [finds it](Self::notify_holding) by that number. 0: nobody finds it.
    ///
    /// # If a process dies
    /// Any participant, at any time from the call on: this returns. With `watch` it returns at
    /// once, otherwise at the end of a first phase ([`Platform::first_phase`]). The caller, in
    /// `release`: it died as the lock's holder.
    ///
    /// Without `watch` a wait is cheaper, and ends with the first phase at the latest, as
    /// [`Woken::Neither`]. The next wait for the same predicate must then `watch`, or the caller
    /// would loop from check to check.
    pub fn wait(
        &self,
        me: Participant<'_, P>,
        watch: bool,
        deadline: Option<Duration>,
        lock: u32,
        release: impl FnOnce(),
    ) -> Waited {
        let mut vigil = Vigil::new(me, deadline);
        if watch || P::first_phase().is_none() {
            vigil.watch_from_now();
        }
        if self.tickets() > 0 {
            // Drop the tickets for which nobody waits: there were too many, or their waiters died.
            let others = self.count_waiters(me.table);
            self.change_tickets(|tickets| tickets.min(others));
        }
        if let Some(slot) = me.table.slot(me.id) {
            slot.waits_with().store(lock, Relaxed); // ORDERING: as the other note.
            slot.thread().set_waits_at(self.number(me.table));
        }
        // ORDERING: Release. A notification that comes after this finds the notes in the slot.
        let arrived = self.word.fetch_or(WAITERS | FRESH, Release) | WAITERS | FRESH;
        release();
        let slept = vigil.sleep_once(&self.word, arrived);
        Waited { arrived, slept }
    }

    /// Ends a wait, with the lock held again, and returns why it ended. If the caller does not have
    /// the lock again, because the lock is [leaked](super::table::Table::has_leaked), it leaves all
    /// the same.
    ///
    /// # If a process dies
    /// The caller, before it has its ticket: another waiter gets the ticket. After that: no other
    /// waiter gets this notification, and all waiters return. Before it has set the lock's WAITERS:
    /// it died as the holder, and the next holder sets WAITERS.
    pub fn leave(&self, me: Participant<'_, P>, waited: Waited, lock: &Mutex<P>) -> Woken {
        // After the sleep: a waiter that was given a wake before its deadline finds the
        // notification here.
        // ORDERING: Acquire. Pairs with the Release of the notification's CAS, so that the caller
        // sees its tickets. Model:
        // `condvar::a_waiter_notified_without_the_lock_held_finds_its_ticket`.
        let was_there = (self.word.load(Acquire) ^ waited.arrived) & SEQUENCE != 0;
        // ORDERING: Relaxed; a notifier sets MOVED before it releases the lock, or before its wake.
        if was_there && self.tickets.load(Relaxed) & MOVED != 0 {
            lock.set_waiters(me.id); // invariant 8
        }
        let is_notified = was_there && self.take_ticket();
        // The caller may have been given the wake of a waiter that had arrived and sleeps on.
        // ORDERING: Relaxed; as new as the wake.
        if !was_there && self.tickets() > 0 {
            P::wake(&self.word, 1);
        }
        // ORDERING: Release. Pairs with the fence in `has_tickets_for_all`.
        P::fence(Release);
        if let Some(slot) = me.table.slot(me.id) {
            slot.thread().set_waits_at(0);
        }
        match waited.slept {
            _ if is_notified => Woken::Notified,
            Err(Ended::TimedOut) => Woken::TimedOut,
            Err(Ended::Interrupted) => Woken::Interrupted,
            Ok(()) => Woken::Neither,
        }
    }

    fn take_ticket(&self) -> bool {
        let mut seen = self.tickets.load(Relaxed);
        while seen & TICKETS > 0 {
            match self.tickets.compare_exchange(seen, seen - 1, Relaxed, Relaxed) {
                Ok(_) => return true,
                Err(now) => seen = now,
            }
        }
        false
    }

    fn tickets(&self) -> u32 {
        self.tickets.load(Relaxed) & TICKETS
    }

    /// The number by which a waiter's slot notes this condition variable. It is the place in the
    /// segment, the same in all mappings, and not 0.
    fn number(&self, table: &Table<'_, P>) -> u32 {
        let (here, start) = (core::ptr::from_ref(self) as usize, table.slots.as_ptr() as usize);
        here.wrapping_sub(start) as u32 | 1
    }

    /// How many living participants wait.
    fn count_waiters(&self, table: &Table<'_, P>) -> u32 {
        let number = self.number(table);
        // The slot is judged first, and its note is read after that. If the slot has got another
        // owner meanwhile, the note is that owner's.
        let waits_here = |slot: &&Slot<P>| slot.armed().is_some() && slot.thread().waits_at() == number;
        table.slots_in_use().filter(waits_here).count() as u32
    }

    /// The place of the lock with which the living waiters wait. `None`: there are none, or they
    /// wait with different locks, or the participants are too many.
    ///
    /// The answer is right for each waiter that arrived before the caller's CAS, and sleeps until
    /// the caller has used it.
    fn lock_of_all(&self, table: &Table<'_, P>) -> Option<u32> {
        let number = self.number(table);
        let (mut living, mut lock) = (0, None);
        for (read, slot) in table.slots_in_use().enumerate() {
            if read == MOST_SLOTS {
                return None;
            }
            if slot.armed().is_none() {
                continue;
            }
            living += 1;
            // Two words for each other participant, and three more: the awaited word, the
            // membership, and that of an interruptible scope.
            if living > (P::MOST_WORDS - 3) / 2 + 1 {
                return None;
            }
            if slot.thread().waits_at() == number {
                let noted = slot.waits_with().load(Relaxed); // ORDERING: as the number.
                if lock.is_some_and(|lock| lock != noted) {
                    return None;
                }
                lock = Some(noted);
            }
        }
        lock
    }

    /// Changes the number of tickets, to at most as many as there can be waiters.
    fn change_tickets(&self, change: impl Fn(u32) -> u32) {
        let mut seen = self.tickets.load(Relaxed);
        loop {
            let tickets = change(seen & TICKETS).min(Id::MAX_PARTICIPANTS as u32);
            let new = seen & MOVED | tickets;
            match self.tickets.compare_exchange(seen, new, Relaxed, Relaxed) {
                Ok(_) => return,
                Err(now) => seen = now,
            }
        }
    }

    /// Whether a notification would have anything to do. A caller that has made a predicate true
    /// under the lock may skip the notification if not.
    #[inline]
    pub fn has_waiters(&self) -> bool {
        has_waiters(self.word.load(Relaxed))
    }

    /// Wakes `count` of the waiters, or as many as there are. `table` is the segment's table, if
    /// the caller takes part. (Without it, the next notification costs a system call, though nobody
    /// waits.)
    ///
    /// # If a process dies
    /// The notifier: all waiters return. A woken waiter: all others return.
    #[inline]
    pub fn notify(&self, table: Option<&Table<'_, P>>, count: u32) {
        if count > 0 && self.has_waiters() {
            self.notify_slow(table, count, || None);
        }
    }

    /// [`notify`](Self::notify) by a caller that may hold the lock of the waiters. If it does, they
    /// are [moved](self#moving-waiters-to-the-lock) to the lock, and its release wakes them.
    ///
    /// `lock_at` returns the lock at a place that a waiter has noted. `None`: there can be none.
    ///
    /// # If a process dies
    /// As [`notify`](Self::notify). The notifier, as the lock's holder: the next holder learns of
    /// it.
    pub fn notify_holding<'l>(
        &self,
        me: Participant<'_, P>,
        count: u32,
        lock_at: impl FnOnce(u32) -> Option<&'l Mutex<P>>,
    ) where
        P: 'l,
    {
        if count > 0 && self.has_waiters() {
            self.notify_slow(Some(me.table), count, || {
                let lock = lock_at(self.lock_of_all(me.table)?)?;
                (lock.holder() == Some(me.id)).then_some((lock, me.id))
            });
        }
    }

    /// `held_lock` is called after the CAS. It returns the lock of the waiters, and the caller, if
    /// the caller holds that lock.
    #[cold]
    fn notify_slow<'l>(
        &self,
        table: Option<&Table<'_, P>>,
        count: u32,
        held_lock: impl FnOnce() -> Option<(&'l Mutex<P>, Id)>,
    ) where
        P: 'l,
    {
        self.change_tickets(|tickets| tickets.saturating_add(count));
        let Some(now) = self.advance(WAITERS) else { return };
        let held = held_lock();
        let moved = held.and_then(|(lock, holder)| {
            // ORDERING: Relaxed; the lock, or the wake, makes it known to the waiters.
            self.tickets.fetch_or(MOVED, Relaxed);
            lock.take_sleepers(holder, &self.word, now, count)
        });
        let found = moved.unwrap_or_else(|| P::wake(&self.word, count));
        if found < count && self.has_tickets_for_all(table) {
            // EQUIVALENT(patch WAITERS stays): WAITERS with nobody waiting costs the next
            // notification a system call, and nothing else. Invariant 3. If the CAS fails, a waiter
            // has arrived, or another notification clears WAITERS.
            let _ = self.word.compare_exchange(now, now & SEQUENCE, Relaxed, Relaxed);
        }
    }

    /// Whether there is a ticket for each waiter.
    fn has_tickets_for_all(&self, table: Option<&Table<'_, P>>) -> bool {
        table.is_some_and(|table| {
            let waiters = self.count_waiters(table);
            // ORDERING: Acquire. A waiter that is not counted any more has taken its ticket: the
            // load of the tickets is not older than that.
            P::fence(Acquire);
            waiters <= self.tickets()
        })
    }

    /// Wakes all waiters.
    ///
    /// # If a process dies
    /// As [`notify`](Self::notify).
    #[inline]
    pub fn notify_all(&self) {
        if self.has_waiters() {
            self.notify_all_slow();
        }
    }

    #[cold]
    fn notify_all_slow(&self) {
        self.change_tickets(|_| u32::MAX);
        if self.advance(0).is_some() {
            P::wake(&self.word, u32::MAX);
        }
    }

    /// Counts a notification, and keeps the flags `keep`. `None` if there are no waiters any more.
    fn advance(&self, keep: u32) -> Option<u32> {
        let mut seen = self.word.load(Relaxed);
        while has_waiters(seen) {
            let new = seen.wrapping_add(1) & SEQUENCE | seen & keep;
            // ORDERING: Release. Pairs with the Acquire in `leave`. Acquire: pairs with the Release
            // of an arrival.
            match self.word.compare_exchange(seen, new, AcqRel, Relaxed) {
                Ok(_) => return Some(new),
                Err(now) => seen = now,
            }
        }
        None
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod waits;
