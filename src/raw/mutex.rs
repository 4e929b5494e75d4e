//! A mutual exclusion of 4 bytes that outlives its holder.
//!
//! # State word
//!
//! The word of a [hold](super::hold). Its combinations:
//!
//! | HELD | INCONSISTENT | WAITERS | meaning                                                                      |
//! |------|--------------|---------|------------------------------------------------------------------------------|
//! | 0    | 0            | 0       | free (the whole word is 0)                                                   |
//! | 0    | 1            | 0       | free; the bits below say who left it inconsistent, by death or panic         |
//! | 1    | 0            | 0       | held; nobody sleeps                                                          |
//! | 1    | 1            | any     | held by one who was told of the inconsistency; PANICKED as it was told         |
//! | 1    | 0            | 1       | held; somebody sleeps, or slept                                              |
//! | 0    | any          | 1       | never written by this code; taken as free, and WAITERS is kept               |
//!
//! # Invariants
//!
//! 1. HELD with the id of a living participant: that one alone may touch the data.
//! 2. HELD with the id of a dead one: whoever's CAS replaces that very word holds the lock, and is
//!    told.
//! 3. While anybody sleeps on a held word, WAITERS is set in it, or somebody who was woken, and who
//!    will set it again or take the lock with it, is on its way and is watched by the sleepers (see
//!    [`vigil`](super::vigil)).
//! 4. The release is the last access to the word: after it the memory may be gone.
//! 5. HELD with the id of one that has [leaked](super::table::Table::has_leaked) its hold: nobody
//!    takes the lock, but by [`Leaked::Take`].

use super::hold::{Cause, INCONSISTENT, Id, PANICKED, WAITERS, has_waiters, is_inconsistent};
use super::table::{Kept, Participant};
use super::vigil::{Ended, Vigil};
use crate::platform::{Platform, Word};
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use core::time::Duration;

/// See the [module](self).
#[derive(Debug)]
#[repr(transparent)]
pub struct Mutex<P: Platform> {
    word: P::Word,
}

/// The lock is ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub struct Acquired {
    /// Why what it protects may be inconsistent, if it may be.
    pub inconsistent: Option<Cause>,
}

/// The lock is not ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotLocked {
    /// A living participant holds it.
    WouldBlock,
    /// A living participant held it until the deadline.
    TimedOut,
    /// A living participant held it until the caller was [interrupted](crate::interruptible).
    Interrupted,
    /// The caller holds it.
    Deadlock,
    /// The caller holds a [reentrant](super::reentrant) one as often as can be counted.
    TooDeep,
    /// This participant, a thread that has ended, holds it by a guard that it leaked; and its
    /// process lives, or may live.
    Leaked(Id),
}

impl From<Ended> for NotLocked {
    fn from(ended: Ended) -> Self {
        match ended {
            Ended::TimedOut => Self::TimedOut,
            Ended::Interrupted => Self::Interrupted,
        }
    }
}

/// What is to be done about a holder that has [leaked](super::table::Table::has_leaked) its hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leaked {
    /// Refuse: [`NotLocked::Leaked`]. What its guard gave may be in use.
    Refuse,
    /// Wait, as for a living holder: the lock guards no data, and anybody may release it. So the
    /// caller waits for a hold of its own, too.
    Wait,
    /// Take the lock over, as from the dead: the caller knows that nothing of it is in use.
    Take,
}

/// It was not held, or not by the one who was to release it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotHeld {
    /// Who holds it, if anybody does.
    pub holder: Option<Id>,
}

/// What one look at the word came to.
enum Attempt {
    Taken(Acquired),
    Changed,
    HeldBy(Id),
    Leaked(Id),
    /// Another thread of the dead holder's process may use the data for a moment.
    Ending,
}

impl<P: Platform> Mutex<P> {
    /// A mutex around this word. The word 0 is a free mutex; every other value is some state of the
    /// table above.
    pub const fn from_word(word: P::Word) -> Self {
        Self { word }
    }

    /// Takes the lock if that takes no waiting.
    ///
    /// # Errors
    /// [`NotLocked::WouldBlock`]; [`NotLocked::Leaked`].
    ///
    /// # If a process dies
    /// As [`lock`](Self::lock).
    #[inline]
    pub fn try_lock(&self, me: Participant<'_, P>) -> Result<Acquired, NotLocked> {
        self.try_lock_with(me, Leaked::Refuse)
    }

    /// [`try_lock`](Self::try_lock), by that rule for a leaked hold.
    ///
    /// # Errors
    /// [`NotLocked::WouldBlock`]; [`NotLocked::Leaked`] with [`Leaked::Refuse`].
    ///
    /// # If a process dies
    /// As [`lock`](Self::lock).
    #[inline]
    pub fn try_lock_with(&self, me: Participant<'_, P>, leaked: Leaked) -> Result<Acquired, NotLocked> {
        if self.take_free(me) {
            return Ok(Acquired { inconsistent: None });
        }
        self.try_lock_slow(me, leaked)
    }

    /// Takes the lock, waiting until `deadline` ([`Platform::now`]'s clock; `None`: for ever).
    ///
    /// # Errors
    /// [`NotLocked::TimedOut`]; [`NotLocked::Interrupted`]; [`NotLocked::Deadlock`] if the caller
    /// holds it; [`NotLocked::Leaked`].
    ///
    /// # If a process dies
    /// The holder: the next to look, sleepers included, takes the lock over, and learns of it. A
    /// waiter, or a releaser between release and wake: nobody notices, nobody is left asleep.
    #[inline]
    pub fn lock(&self, me: Participant<'_, P>, deadline: Option<Duration>) -> Result<Acquired, NotLocked> {
        self.lock_with(me, deadline, Leaked::Refuse)
    }

    /// [`lock`](Self::lock), by that rule for a leaked hold.
    ///
    /// # Errors
    /// Those of [`lock`](Self::lock), [`NotLocked::Leaked`] with [`Leaked::Refuse`] alone, and
    /// [`NotLocked::Deadlock`] not with [`Leaked::Wait`].
    ///
    /// # If a process dies
    /// As [`lock`](Self::lock).
    #[inline]
    pub fn lock_with(
        &self,
        me: Participant<'_, P>,
        deadline: Option<Duration>,
        leaked: Leaked,
    ) -> Result<Acquired, NotLocked> {
        if self.take_free(me) {
            return Ok(Acquired { inconsistent: None });
        }
        self.lock_slow(me, deadline, false, leaked)
    }

    /// Takes the lock for one who was woken while another held it, who is as likely as not to wait
    /// for the same processor: without spinning, and with a first sleep that watches nobody, since
    /// it is short as a rule, and costs half then. No interruption ends it.
    ///
    /// # Errors
    /// [`NotLocked::Deadlock`] if the caller holds it; [`NotLocked::Leaked`].
    ///
    /// # If a process dies
    /// As [`lock`](Self::lock), but a holder's death may be told as late as when the
    /// [first phase](Platform::first_phase) is over.
    pub fn lock_again(&self, me: Participant<'_, P>) -> Result<Acquired, NotLocked> {
        self.lock_again_with(me, Leaked::Refuse)
    }

    /// [`lock_again`](Self::lock_again), by that rule for a leaked hold.
    ///
    /// # Errors
    /// Those of [`lock_again`](Self::lock_again), [`NotLocked::Leaked`] with [`Leaked::Refuse`]
    /// alone.
    ///
    /// # If a process dies
    /// As [`lock_again`](Self::lock_again).
    pub fn lock_again_with(&self, me: Participant<'_, P>, leaked: Leaked) -> Result<Acquired, NotLocked> {
        if self.take_free(me) {
            return Ok(Acquired { inconsistent: None });
        }
        self.lock_slow(me, None, true, leaked)
    }

    /// The fast path: one CAS on a word that is free and consistent.
    #[inline(always)]
    pub(crate) fn take_free(&self, me: Participant<'_, P>) -> bool {
        // ORDERING: Acquire. Pairs with the Release of `unlock`: this holder sees what the last one
        // wrote. Model: `mutex::a_handoff_publishes_the_data`.
        self.word.compare_exchange(0, me.id.word(), Acquire, Relaxed).is_ok()
    }

    #[cold]
    fn try_lock_slow(&self, me: Participant<'_, P>, leaked: Leaked) -> Result<Acquired, NotLocked> {
        let mut may_reap = true; // once: `table::reap` says why
        loop {
            match self.try_take(me, self.word.load(Acquire), 0, leaked) {
                Attempt::Taken(acquired) => return Ok(acquired),
                Attempt::Changed => {}
                // Whoever tries in a loop, and never sleeps, learns of a death that the kernel did
                // not tell here.
                Attempt::HeldBy(holder)
                    if holder != me.id && core::mem::take(&mut may_reap) && me.table.reap_lost_if_due(P::now()) => {}
                Attempt::Leaked(holder) if leaked == Leaked::Refuse => return Err(NotLocked::Leaked(holder)),
                Attempt::HeldBy(_) | Attempt::Leaked(_) | Attempt::Ending => return Err(NotLocked::WouldBlock),
            }
        }
    }

    #[cold]
    fn lock_slow(
        &self,
        me: Participant<'_, P>,
        deadline: Option<Duration>,
        again: bool,
        leaked: Leaked,
    ) -> Result<Acquired, NotLocked> {
        let mut vigil = if again { Vigil::to_lock_again(me) } else { Vigil::new(me, deadline) };
        // WAITERS once we have slept: others may sleep still, and the wake that we were given was
        // theirs, too.
        let mut slept = 0;
        loop {
            // ORDERING: Acquire, before the holder's lifeline is read: pairs with the Release fence
            // at the end of the holder's registration, or a holder that is alive could be judged by
            // the lifeline of its slot's former owner. Model:
            // `table::a_relaxed_look_at_the_hold_judges_the_living_dead`.
            let seen = self.word.load(Acquire);
            // Whose death is waited for; one that has leaked its hold is dead already.
            let living = match self.try_take(me, seen, slept, leaked) {
                Attempt::Taken(acquired) => return Ok(acquired),
                Attempt::Changed => continue,
                Attempt::HeldBy(holder) if holder == me.id && (again || leaked != Leaked::Wait) => {
                    return Err(NotLocked::Deadlock);
                }
                Attempt::HeldBy(holder) => Some(holder).filter(|holder| *holder != me.id),
                Attempt::Leaked(holder) if leaked == Leaked::Refuse => return Err(NotLocked::Leaked(holder)),
                Attempt::Leaked(_) => None,
                Attempt::Ending => {
                    vigil.sleep_briefly(&self.word, seen)?;
                    continue;
                }
            };
            if vigil.wait_while(&self.word, seen, living)? {
                slept = WAITERS;
            }
        }
    }

    /// Takes the lock if the word, as `seen` by a load with Acquire, is free or names one who is
    /// dead.
    fn try_take(&self, me: Participant<'_, P>, seen: u32, slept: u32, leaked: Leaked) -> Attempt {
        let (new, inconsistent) = match Id::holder_in(seen) {
            None => (Cause::nameless_in(seen) | seen & WAITERS | slept, Cause::from_free_word(seen)),
            Some(holder) if holder == me.id || me.table.is_alive(holder) => {
                return Attempt::HeldBy(holder);
            }
            Some(holder) if leaked == Leaked::Wait && me.table.has_leaked(holder) => return Attempt::Leaked(holder),
            Some(holder) => {
                if leaked == Leaked::Refuse {
                    match me.table.why_kept(holder) {
                        Some(Kept::Leaked) => return Attempt::Leaked(holder),
                        Some(Kept::Ending) => return Attempt::Ending,
                        None => {}
                    }
                }
                // WAITERS: the dead may have been about to wake somebody.
                // EQUIVALENT(patch who takes over does not set WAITERS): where all can be watched,
                // whoever sleeps here is woken by that death, too, and sets WAITERS itself. It is
                // for those who cannot watch, so that they need not wait for the net.
                (INCONSISTENT | WAITERS, Some(Cause::Died(Some(holder))))
            }
        };
        // Once more, now that the id means nobody else any more: it may have come round since, and
        // be that of one that has leaked the lock. Model:
        // `leaked::a_late_heir_is_given_no_leaked_hold`.
        let is_kept =
            || leaked != Leaked::Take && Id::holder_in(seen).is_some_and(|holder| me.table.has_leaked(holder));
        // ORDERING: Acquire, as in `take_free`. What the dead wrote was seen with its lifeline's
        // mark.
        let take = || !is_kept() && self.word.compare_exchange(seen, me.id.word() | new, Acquire, Relaxed).is_ok();
        if me.inherit(&self.word, seen, take) { Attempt::Taken(Acquired { inconsistent }) } else { Attempt::Changed }
    }

    /// Gives the lock back, which the caller holds, and leaves the word behind that is given: 0, or
    /// [`Cause::word`] if what it protects may be inconsistent.
    ///
    /// # If a process dies
    /// Before the word is written: the holder died. After it, before the wake: the sleepers look,
    /// and see it free.
    #[inline]
    pub fn unlock(&self, left: u32) {
        debug_assert!(Id::holder_in(left).is_none() && !has_waiters(left));
        // ORDERING: Release. Pairs with the Acquire in `take_free` and `try_take`.
        let was = self.word.swap(left, Release);
        if has_waiters(was) {
            self.wake_one();
        }
    }

    #[cold]
    fn wake_one(&self) {
        P::wake(&self.word, 1);
    }

    /// Gives the lock back if the word is nothing but [that of its holder](Id::word): then nobody
    /// sleeps, and nothing is inconsistent. Nobody looks at the word before: such a look waits for
    /// the exchange that took the lock, and costs as much as a third of it.
    #[inline(always)]
    #[must_use]
    pub fn release_plain(&self, holder: u32) -> bool {
        // ORDERING: Release, as in `unlock`.
        self.word.compare_exchange(holder, 0, Release, Relaxed).is_ok()
    }

    /// Gives the lock back on behalf of whoever holds it, and gives whose hold that was; `by`: only
    /// if it is that one. An inconsistency stays, and whether it was a death or a panic; who it was
    /// is forgotten, unless `left` tells a new cause.
    ///
    /// # Errors
    /// [`NotHeld`] if nobody, or somebody else than `by`, holds it. Nothing is changed then.
    ///
    /// # If a process dies
    /// As [`unlock`](Self::unlock).
    pub fn release(&self, by: Option<Id>, left: Option<Cause>) -> Result<Id, NotHeld> {
        loop {
            let seen = self.word.load(Relaxed);
            let holder = match Id::holder_in(seen) {
                Some(holder) if by.is_none_or(|by| by == holder) => holder,
                holder => return Err(NotHeld { holder }),
            };
            let free = left.map_or(Cause::nameless_in(seen), Cause::word);
            // ORDERING: Release, as in `unlock`.
            if self.word.compare_exchange(seen, free, Release, Relaxed).is_ok() {
                if has_waiters(seen) {
                    self.wake_one();
                }
                return Ok(holder);
            }
        }
    }

    /// The word, for its holder: the others change nothing in it but WAITERS.
    #[inline(always)]
    pub(super) fn load(&self) -> u32 {
        self.word.load(Relaxed)
    }

    /// Whether what it protects is marked inconsistent at the moment.
    pub fn is_inconsistent(&self) -> bool {
        is_inconsistent(self.word.load(Relaxed))
    }

    /// The holder, to whom this is left, vouches for the data.
    pub fn mark_consistent(&self) {
        // ORDERING: Relaxed; the flag goes to others with the release.
        self.word.fetch_and(!(INCONSISTENT | PANICKED), Relaxed);
    }

    /// The same where others may release the lock meanwhile: only if the holder is `by`.
    ///
    /// # Errors
    /// [`NotHeld`]. Nothing is changed then.
    ///
    /// # If a process dies
    /// Before the word is written it is as inconsistent as it was; after it, consistent, and left
    /// by the dead once more.
    pub fn mark_consistent_by(&self, by: Id) -> Result<(), NotHeld> {
        loop {
            let seen = self.word.load(Relaxed);
            let holder = Id::holder_in(seen);
            if holder != Some(by) {
                return Err(NotHeld { holder });
            }
            // ORDERING: Relaxed, as above.
            let consistent = seen & !(INCONSISTENT | PANICKED);
            if self.word.compare_exchange(seen, consistent, Relaxed, Relaxed).is_ok() {
                return Ok(());
            }
        }
    }

    /// Who holds it at the moment, dead or alive.
    pub fn holder(&self) -> Option<Id> {
        Id::holder_in(self.word.load(Relaxed))
    }
}

#[cfg(test)]
mod waits;
