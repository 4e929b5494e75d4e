//! A mutual exclusion lock that its holder may take again, and that outlives its holder.
//!
//! # State words
//!
//! The word of a [mutex](super::mutex), and a count of the holds beyond the first.
//!
//! | holder's word         | count | meaning                                                                             |
//! |-----------------------|-------|-------------------------------------------------------------------------------------|
//! | free                  | 0     | free                                                                                |
//! | names the caller      | n     | the caller holds it n + 1 times                                                     |
//! | names the dead        | any   | the participant that takes it over sets the count to 0                              |
//! | free                  | not 0 | never written by this code; the participant that takes the word sets the count to 0 |
//!
//! # Invariants
//!
//! 1. Only the holder reads or writes the count, and the count is 0 when the word becomes free. So
//!    the count passes from holder to holder with the word, as the data does. All accesses to it
//!    are Relaxed.
//! 2. A participant that takes the word, free or from a dead holder, checks the count before
//!    anything else, and sets it to 0 if need be. If it dies before that, its successor does so.
//! 3. The first lock and the last unlock read the count and do not write it.

use super::hold::{Cause, Id, WAITERS};
use super::mutex::{Acquired, Leaked, Mutex, NotHeld, NotLocked};
use super::table::Participant;
use crate::platform::{Platform, Word};
use core::sync::atomic::Ordering::Relaxed;
use core::time::Duration;

/// See the [module](self).
#[derive(Debug)]
#[repr(C)]
pub struct ReentrantMutex<P: Platform> {
    mutex: Mutex<P>,
    count: P::Word,
}

impl<P: Platform> ReentrantMutex<P> {
    /// A lock around these words. 0 and 0 are a free lock; every other value is some state of the
    /// table above.
    pub const fn from_words(mutex: P::Word, count: P::Word) -> Self {
        Self { mutex: Mutex::from_word(mutex), count }
    }

    /// Takes the lock, or takes it once more, if that takes no waiting.
    ///
    /// # Errors
    /// [`NotLocked::WouldBlock`]; [`NotLocked::TooDeep`]; [`NotLocked::Leaked`].
    ///
    /// # If a process dies
    /// As [`lock`](Self::lock).
    #[inline]
    pub fn try_lock(&self, me: Participant<'_, P>) -> Result<Acquired, NotLocked> {
        self.try_lock_with(me, Leaked::Refuse)
    }

    /// [`try_lock`](Self::try_lock), with this rule for a leaked hold.
    ///
    /// # Errors
    /// Those of [`try_lock`](Self::try_lock). [`NotLocked::Leaked`] only with [`Leaked::Refuse`].
    ///
    /// # If a process dies
    /// As [`lock`](Self::lock).
    #[inline]
    pub fn try_lock_with(&self, me: Participant<'_, P>, leaked: Leaked) -> Result<Acquired, NotLocked> {
        if self.mutex.take_free(me) {
            self.begin();
            return Ok(Acquired { inconsistent: None });
        }
        self.lock_slow(me, |me| self.mutex.try_lock_with(me, leaked))
    }

    /// Takes the lock, or takes it once more. Waits at most to `deadline` ([`Platform::now`]'s
    /// clock; `None`: forever).
    ///
    /// A caller that takes it once more does not learn of an inconsistency again.
    ///
    /// # Errors
    /// [`NotLocked::TimedOut`]; [`NotLocked::TooDeep`] if it is held 2^32 times;
    /// [`NotLocked::Leaked`].
    ///
    /// # If a process dies
    /// As [`Mutex::lock`]. However often the dead holder had taken it, the next one takes it over
    /// at once.
    #[inline]
    pub fn lock(&self, me: Participant<'_, P>, deadline: Option<Duration>) -> Result<Acquired, NotLocked> {
        if self.mutex.take_free(me) {
            self.begin();
            return Ok(Acquired { inconsistent: None });
        }
        self.lock_slow(me, |me| self.mutex.lock(me, deadline))
    }

    /// Invariant 2.
    #[inline(always)]
    fn begin(&self) {
        if self.count.load(Relaxed) != 0 {
            self.count.store(0, Relaxed);
        }
    }

    #[cold]
    fn lock_slow(
        &self,
        me: Participant<'_, P>,
        wait: impl FnOnce(Participant<'_, P>) -> Result<Acquired, NotLocked>,
    ) -> Result<Acquired, NotLocked> {
        // If the caller is the holder, nobody else makes another the holder. If the caller is not
        // the holder, nobody else makes it the holder.
        if self.mutex.holder() != Some(me.id) {
            let acquired = wait(me)?;
            self.begin();
            return Ok(acquired);
        }
        let more = self.count.load(Relaxed).checked_add(1).ok_or(NotLocked::TooDeep)?;
        self.count.store(more, Relaxed);
        Ok(Acquired { inconsistent: None })
    }

    /// Releases one hold of the caller, which is `by`. With the last hold the lock is free. If the
    /// data is inconsistent then, it stays so, and `left` is the cause ([`Cause::word`]). If `left`
    /// is 0, the caller does not know the cause, and the word keeps only the kind of the cause.
    ///
    /// # Errors
    /// [`NotHeld`] if the caller does not hold it. Nothing is changed then.
    ///
    /// # If a process dies
    /// As [`Mutex::unlock`].
    #[inline]
    pub fn release(&self, by: Id, left: u32) -> Result<(), NotHeld> {
        // If the count is another holder's, so is the word, and the exchange fails.
        if self.count.load(Relaxed) == 0 && self.mutex.release_plain(by.word()) {
            return Ok(());
        }
        self.release_nested(by, left)
    }

    /// Releases one of several holds, or the last hold while a waiter sleeps or the data is
    /// inconsistent.
    fn release_nested(&self, by: Id, left: u32) -> Result<(), NotHeld> {
        if self.mutex.load() & !WAITERS == by.word() {
            self.give_back(0);
            return Ok(());
        }
        self.release_inconsistent(by, self.cause_or(left))
    }

    /// As [`release`](Self::release), in a panic. With the last hold, the panic becomes the cause
    /// of an inconsistency.
    ///
    /// # Errors
    /// As [`release`](Self::release).
    #[cold]
    pub fn release_in_panic(&self, by: Id) -> Result<(), NotHeld> {
        self.release_inconsistent(by, Cause::Panicked(Some(by)).word())
    }

    #[cold]
    fn release_inconsistent(&self, by: Id, left: u32) -> Result<(), NotHeld> {
        match self.mutex.holder() {
            Some(holder) if holder == by => {
                self.give_back(left);
                Ok(())
            }
            holder => Err(NotHeld { holder }),
        }
    }

    /// `left`, or else the cause in the word. For the holder.
    fn cause_or(&self, left: u32) -> u32 {
        if left == 0 { Cause::nameless_in(self.mutex.load()) } else { left }
    }

    #[inline(always)]
    fn give_back(&self, left: u32) {
        match self.count.load(Relaxed) {
            0 => self.mutex.unlock(left),
            more => self.count.store(more - 1, Relaxed),
        }
    }

    /// Releases all holds, as the last [`release`](Self::release) does. The caller will
    /// [take them again](Self::lock_again) with the count that this returns.
    pub fn release_all(&self, left: u32) -> u32 {
        let count = self.count.load(Relaxed);
        // EQUIVALENT(dropped): the participant that takes the word sets the count to 0 (invariant
        // 2). This keeps the count of a free word at 0.
        self.begin();
        self.mutex.unlock(if self.mutex.is_inconsistent() { self.cause_or(left) } else { 0 });
        count
    }

    /// Takes the lock for a caller that has released all holds, and restores their count.
    ///
    /// # Errors
    /// [`NotLocked::Deadlock`] if the word names the caller already, because somebody has
    /// overwritten it: the caller then holds the lock. [`NotLocked::Leaked`]: the caller does not
    /// hold it.
    pub fn lock_again(&self, me: Participant<'_, P>, count: u32) -> Result<Acquired, NotLocked> {
        let answer = self.mutex.lock_again(me);
        if !matches!(answer, Err(NotLocked::Leaked(_))) {
            self.count.store(count, Relaxed);
        }
        answer
    }

    /// Whether the data is marked inconsistent at the moment.
    #[inline(always)]
    pub fn is_inconsistent(&self) -> bool {
        self.mutex.is_inconsistent()
    }

    /// Marks the data consistent. For the holder alone.
    pub fn mark_consistent(&self) {
        self.mutex.mark_consistent();
    }

    /// The mutex inside, with which a condition variable's waiters wait.
    pub fn mutex(&self) -> &Mutex<P> {
        &self.mutex
    }

    /// The holder at the moment, dead or alive.
    pub fn holder(&self) -> Option<Id> {
        self.mutex.holder()
    }
}

#[cfg(test)]
mod waits;
