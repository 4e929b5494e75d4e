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
//! The tickets: how many more waiters are to be told that they were notified.
//!
//! The sequence wraps after 2^30 notifications. That is harmless unless all of them fall into one
//! waiter's way from its arrival to its sleep, and the last of them leaves WAITERS and FRESH as
//! they were; the net would end that sleep.
//!
//! # Invariants
//!
//! 1. From a waiter's arrival to the next notification the state is the arrival's value: later
//!    arrivals change nothing in it, and WAITERS cannot be cleared without a notification. So
//!    nothing but a notification, or a death, ends a sleep that is about to begin.
//! 2. Who arrived before a notification's CAS either sleeps, and is woken in its turn, or finds the
//!    state changed and does not sleep.
//! 3. WAITERS is cleared only on the very value that a notification wrote, after its wake had found
//!    nobody left. An arrival since that notification has set FRESH, and only another notification
//!    could have cleared that: the clearing CAS fails. (The same rule without FRESH loses a wake
//!    with nobody dying: `condvar::clearing_waiters_without_fresh_loses_a_wake`.)
//! 4. What a waiter watches was collected while it held the lock under which its user had looked at
//!    the predicate. Whoever makes the predicate true does so under that lock, later: it is
//!    watched, and if it dies before it notifies, its waiters return. A waiter that watches nobody
//!    returns after a first phase, whatever happens.
//! 5. A wait lasts from [`wait`](Condvar::wait) to [`leave`](Condvar::leave), both with the lock
//!    held, and the waiter's slot says so. So an arrival finds the exact number of living waiters.
//! 6. When a waiter arrives there are no more tickets than others wait. A notification adds as many
//!    as it was asked to notify: if that is more than wait without one, all who wait have theirs,
//!    and the rest is forgotten with the next arrival. A waiter takes at most one, and only if
//!    there was a notification since it arrived.
//! 7. If WAITERS is clear, each waiter that has not left has its ticket.
//!
//! The words publish nothing of the user's, the lock does: what is not Relaxed is for the counting
//! of waiters and tickets. A notifier that made the predicate true under the lock sees the arrival
//! of each waiter that had the lock before it; a waiter that has the lock after it sees the
//! predicate.
//!
//! # Who takes a ticket
//!
//! Any waiter that was there, the first that has the lock again: not always one that the kernel has
//! woken for it. The woken one that finds none is told [`Woken::Neither`], though it slept until it
//! was notified. Nobody is left asleep by that: there are as many wakes as tickets, and a waiter
//! that takes a ticket without a wake is awake.
//!
//! A waiter that is killed with its wake, and before it has its ticket, leaves the ticket to
//! another that was there.
//!
//! # What is not exact
//!
//! A thread of higher (real-time) priority that begins to sleep between a notification's CAS and
//! its wake can be given that wake instead of one who was there before. It returns, passes the wake
//! on, and is told [`Woken::Neither`].
//!
//! Two condition variables of one segment whose places differ by a multiple of 4 GiB count each
//! other's waiters as theirs: each may keep tickets for which it has no waiters.
//!
//! A notification without the lock meets waiters that come and go. One that gives up between its
//! ticket and its CAS is told that its time is over. Its ticket may go to one that would have got
//! none.

use super::hold::{Id, WAITERS, has_waiters};
use super::table::{Participant, Slot, Table};
use super::vigil::{Ended, Vigil};
use crate::platform::{Platform, ThreadInfo, Word};
use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use core::time::Duration;

const FRESH: u32 = 1 << 30;
const SEQUENCE: u32 = FRESH - 1;

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
    /// The waiter is one of those that a notification was for.
    Notified,
    /// The time is over, and the waiter was not notified.
    TimedOut,
    /// The waiter was [interrupted](crate::interruptible), and was not notified.
    Interrupted,
    /// Neither: somebody has died or come, another waiter took the notification, or there was no
    /// reason. The caller looks at what it waits for.
    Neither,
}

/// A wait that has ended, and of which the lock is not had again yet: see [`Condvar::leave`].
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

    /// Waits to be notified, until `deadline` ([`Platform::now`]'s clock; `None`: for ever). The
    /// caller holds a lock, gives it back in `release`, takes it again when this has returned, and
    /// then [leaves](Self::leave).
    ///
    /// # If a process dies
    /// Any participant, at any time from the call on: this returns, at once if it is to `watch`,
    /// else when a first phase is over ([`Platform::first_phase`]). The caller, in `release`: it
    /// died holding, as the lock says.
    ///
    /// Without `watch` a wait costs no more than elsewhere, and ends as [`Woken::Neither`] when
    /// that phase is over. The next wait for the same predicate must `watch` then, or it would be a
    /// loop of looks.
    pub fn wait(
        &self,
        me: Participant<'_, P>,
        watch: bool,
        deadline: Option<Duration>,
        release: impl FnOnce(),
    ) -> Waited {
        let mut vigil = Vigil::new(me, deadline);
        if watch || P::first_phase().is_none() {
            vigil.watch_from_now();
        }
        if self.tickets.load(Relaxed) > 0 {
            // Those for which nobody waits: they were too many, or are those of the dead.
            let others = self.count_waiters(me.table);
            self.change_tickets(|tickets| tickets.min(others));
        }
        if let Some(slot) = me.table.slot(me.id) {
            slot.thread().set_waits_at(self.number(me.table));
        }
        // ORDERING: Release. A notification that comes after it finds what the slot says.
        let arrived = self.word.fetch_or(WAITERS | FRESH, Release) | WAITERS | FRESH;
        release();
        let slept = vigil.sleep_once(&self.word, arrived);
        Waited { arrived, slept }
    }

    /// Ends a wait, with the lock held again, and tells why it ended.
    ///
    /// # If a process dies
    /// The caller, before it has its ticket: that is another's. After it: nobody else is told of
    /// that notification, and all waiters return.
    pub fn leave(&self, me: Participant<'_, P>, waited: Waited) -> Woken {
        // After the sleep: whoever was given a wake before its deadline finds the notification
        // here.
        // ORDERING: Acquire. Pairs with the Release of the notification's CAS: its tickets are
        // seen. Model: `condvar::who_is_woken_without_the_lock_held_finds_the_ticket`.
        let was_there = (self.word.load(Acquire) ^ waited.arrived) & SEQUENCE != 0;
        let is_notified = was_there && self.take_ticket();
        // It may have been given the wake of one that was there, which sleeps on. ORDERING:
        // Relaxed; as new as the wake.
        if !was_there && self.tickets.load(Relaxed) > 0 {
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
        while seen > 0 {
            match self.tickets.compare_exchange(seen, seen - 1, Relaxed, Relaxed) {
                Ok(_) => return true,
                Err(now) => seen = now,
            }
        }
        false
    }

    /// What a waiter's slot says of this one: its place in the segment, the same in all mappings.
    /// Not 0.
    fn number(&self, table: &Table<'_, P>) -> u32 {
        let (here, start) = (core::ptr::from_ref(self) as usize, table.slots.as_ptr() as usize);
        here.wrapping_sub(start) as u32 | 1
    }

    /// How many wait, and live.
    fn count_waiters(&self, table: &Table<'_, P>) -> u32 {
        let number = self.number(table);
        // In this order: if the slot has got another owner meanwhile, what it says is that one's.
        let waits_here = |slot: &&Slot<P>| slot.armed().is_some() && slot.thread().waits_at() == number;
        table.slots_in_use().filter(waits_here).count() as u32
    }

    /// Changes the number of tickets, to at most as many as there can be waiters.
    fn change_tickets(&self, change: impl Fn(u32) -> u32) {
        let mut seen = self.tickets.load(Relaxed);
        loop {
            let new = change(seen).min(Id::MOST_PARTICIPANTS as u32);
            match self.tickets.compare_exchange(seen, new, Relaxed, Relaxed) {
                Ok(_) => return,
                Err(now) => seen = now,
            }
        }
    }

    /// Whether a notification would have anything to do. A caller that has made a predicate true,
    /// under the lock, may skip it otherwise.
    #[inline]
    pub fn has_waiters(&self) -> bool {
        has_waiters(self.word.load(Relaxed))
    }

    /// Wakes `count` of those that wait, or as many as there are. `table`: the segment's, if the
    /// caller takes part. (Without it, the next notification costs a system call, though nobody
    /// waits.)
    ///
    /// # If a process dies
    /// The notifier: all waiters return. One that was woken: all others return.
    #[inline]
    pub fn notify(&self, table: Option<&Table<'_, P>>, count: u32) {
        if count > 0 && self.has_waiters() {
            self.notify_slow(table, count);
        }
    }

    #[cold]
    fn notify_slow(&self, table: Option<&Table<'_, P>>, count: u32) {
        self.change_tickets(|tickets| tickets.saturating_add(count));
        let Some(now) = self.advance(WAITERS) else { return };
        if P::wake(&self.word, count) < count && self.has_tickets_for_all(table) {
            // EQUIVALENT(patch WAITERS stays): WAITERS with nobody waiting costs the next
            // notification a system call, and nothing else. Invariant 3. If it fails somebody has
            // arrived, or another notification sees to it.
            let _ = self.word.compare_exchange(now, now & SEQUENCE, Relaxed, Relaxed);
        }
    }

    /// Whether nobody that waits needs a notification more.
    fn has_tickets_for_all(&self, table: Option<&Table<'_, P>>) -> bool {
        table.is_some_and(|table| {
            let waiters = self.count_waiters(table);
            // ORDERING: Acquire. Who is not counted any more has taken its ticket: the tickets are
            // no older than that.
            P::fence(Acquire);
            waiters <= self.tickets.load(Relaxed)
        })
    }

    /// Wakes all that wait.
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

    /// Counts a notification, and keeps these flags. `None` if there are no waiters any more.
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
