//! [`TaskLoan`] and [`Task`]: what a producer fills, and what a worker has.

use super::{TaskQueue, TaskSlot};
use crate::ParticipantId;
use crate::error::NotHeldError;
use crate::raw::mutex::NotHeld;
use crate::raw::task_queue::{Loan, Taken};
use crate::segment::{Shareable, local};
use crate::sync::guard_tag::GuardTag;
use core::fmt;
use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::ops::{Deref, DerefMut};

/// Room for an item that its producer fills in place: [`TaskQueue::reserve`].
/// [`publish`](Self::publish) makes a task of it. Dropping it gives the room back.
///
/// The bytes are those of the item that was there before, or zeros if there was none. Any bytes are
/// a valid item.
///
/// In a child that was forked meanwhile, the copy publishes nothing and gives nothing back: the
/// room is the parent's. See [fork](crate::guide#fork).
///
/// # If a process dies
/// The room is free again, and nothing of the item is seen.
#[must_use = "if unused the room is given back at once"]
pub struct TaskLoan<'q, T: Shareable> {
    queue: &'q TaskQueue<T>,
    /// Its own part: the word of the holder's id.
    tag: GuardTag,
    index: u32,
    not_send: PhantomData<*const ()>, // the holder is a thread
}

/// A task that a worker has: [`TaskQueue::take`]. It gives the item in place.
///
/// [`done`](Self::done) ends the task. If the guard is dropped instead, also in a panic, or if its
/// process dies, the task is given out again, soon. After
/// [so many attempts](TaskQueue::set_max_attempts) it is set aside instead.
///
/// In a child that was forked meanwhile, the copy ends nothing: the task is the parent's. See
/// [fork](crate::guide#fork).
///
/// # If a process dies
/// The task is given out again. What was changed in the item stays changed.
#[must_use = "if unused the task is given out again at once"]
pub struct Task<'q, T: Shareable> {
    queue: &'q TaskQueue<T>,
    /// Its own part: the word of the holder's id.
    tag: GuardTag,
    index: u32,
    not_send: PhantomData<*const ()>, // the holder is a thread
}

// SAFETY: a `&TaskLoan` gives only `&T`.
unsafe impl<T: Shareable + Sync> Sync for TaskLoan<'_, T> {}
// SAFETY: a `&Task` gives only `&T`.
unsafe impl<T: Shareable + Sync> Sync for Task<'_, T> {}

/// What both guards have. Each ends by `$end`, a method of the raw queue, when it is dropped.
macro_rules! guard {
    ($guard:ident, $held:ident, $holder:ident, $drop:ident) => {
        impl<'q, T: Shareable> $guard<'q, T> {
            #[inline(always)]
            pub(super) fn new(queue: &'q TaskQueue<T>, held: $held) -> Self {
                local::hold_begins();
                let (index, tag) = (held.index() as u32, GuardTag::now(held.$holder().word()));
                Self { queue, tag, index, not_send: PhantomData }
            }

            #[inline(always)]
            fn slot(&self) -> &'q TaskSlot<T> {
                &self.queue.slots[self.index as usize]
            }

            /// Ends the hold by `end`, unless this is a fork's copy.
            #[inline(always)]
            fn end(&self, end: impl FnOnce($held) -> Result<(), NotHeld>) -> Result<(), NotHeldError> {
                match ParticipantId::holder_in(self.tag.own()) {
                    Some(holder) if self.tag.is_of_this_process() => {
                        let answer = end($held::of(self.index as usize, holder));
                        local::hold_ends(); // the guard is gone, whatever the answer
                        Ok(answer?)
                    }
                    _ => Ok(()), // a fork's copy: the hold is the parent's
                }
            }
        }

        impl<T: Shareable> Deref for $guard<'_, T> {
            type Target = T;
            #[inline]
            fn deref(&self) -> &T {
                // SAFETY: the slot's hold names this guard's thread, so nobody else uses the item
                // (raw::task_queue, invariant 1). Who takes a hold back by hand has promised that
                // the guard is not used any more.
                unsafe { &*self.slot().item() }
            }
        }

        impl<T: Shareable> DerefMut for $guard<'_, T> {
            #[inline]
            fn deref_mut(&mut self) -> &mut T {
                // SAFETY: as in `deref`; and this borrow of the guard is unique.
                unsafe { &mut *self.slot().item() }
            }
        }

        impl<T: Shareable> Drop for $guard<'_, T> {
            #[inline]
            fn drop(&mut self) {
                // If somebody has taken the hold back meanwhile, there is nothing to end.
                let _was_taken_back = self.end(|held| self.queue.tasks().$drop(held));
            }
        }
    };
}

guard! { TaskLoan, Loan, producer, give_up }
guard! { Task, Taken, worker, fail }

impl<T: Shareable> TaskLoan<'_, T> {
    /// Makes a task of the item. Workers can take it from now on.
    ///
    /// # Errors
    /// Somebody has [taken the room back](TaskQueue::take_back) meanwhile. Nothing is published
    /// then.
    ///
    /// # If a process dies
    /// The task is there, or it is not.
    #[inline]
    pub fn publish(self) -> Result<(), NotHeldError> {
        let this = ManuallyDrop::new(self);
        let me = local::participant(this.queue).ok();
        this.end(|loan| this.queue.tasks().publish(loan, me))
    }

    /// Publishes this item, in the call that has reserved the room.
    #[inline(always)]
    pub(in crate::sync) fn fill(self, item: T) {
        // SAFETY: as in `deref_mut`. Nothing is dropped: no Shareable type has a destructor.
        unsafe { self.slot().item().write(item) };
        // Who takes the room back in that moment has what the caller wanted to send: nothing is
        // known to be lost, and nothing can be given back.
        let _was_taken_back = self.publish();
    }
}

impl<T: Shareable> Task<'_, T> {
    /// Which attempt this is: 1 for the first worker. Of a task that was
    /// [set aside](TaskQueue::set_aside), how many attempts there were.
    pub fn attempts(&self) -> u32 {
        self.queue.tasks().attempts(Taken::of(self.index as usize, self.holder()))
    }

    fn holder(&self) -> ParticipantId {
        ParticipantId::holder_in(self.tag.own()).expect("a task has a holder")
    }

    /// Says that the task is done. Its room is free. As Python's `JoinableQueue.task_done`.
    ///
    /// # Errors
    /// Somebody has [taken the task back](TaskQueue::take_back) meanwhile. It is given out again,
    /// or another worker has it.
    ///
    /// # If a process dies
    /// The task is done, or it is given out again.
    #[inline]
    pub fn done(self) -> Result<(), NotHeldError> {
        let this = ManuallyDrop::new(self);
        this.end(|task| this.queue.tasks().done(task))
    }

    /// Gives the task back as if this worker had not taken it: the attempt does not count. It is
    /// given out soon. A worker that is to end may do so.
    ///
    /// # Errors
    /// As [`done`](Self::done).
    ///
    /// # If a process dies
    /// The task is given out again, and the attempt counts, or not.
    pub fn give_back(self) -> Result<(), NotHeldError> {
        let this = ManuallyDrop::new(self);
        this.end(|task| this.queue.tasks().give_back(task))
    }
}

impl<T: Shareable + fmt::Debug> fmt::Debug for Task<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task").field("item", &**self).field("attempts", &self.attempts()).finish()
    }
}

impl<T: Shareable + fmt::Debug> fmt::Debug for TaskLoan<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskLoan").field("item", &**self).finish()
    }
}
