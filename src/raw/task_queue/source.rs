//! What a participant wants of a [task queue](super), as a source of a wait for several: a task,
//! room, or the end of all tasks.
//!
//! # Invariants
//!
//! Those of the [queue](super#invariants) go on.
//!
//! 12. A source checks the holds of all slots, after it has set WAITERS and passed a fence
//!     (invariant 7). It checks no cell: a slot is full before its cell, and no fence follows the
//!     cell. It trusts no hint.
//! 13. A task or room is *ready* if an attempt that does not wait would change something, or would
//!     find the queue closed. It may take nothing then: it sets aside what a dead worker had, or
//!     was too late.
//! 14. An attempt that does not wait checks all holds before it gives up, too. So what has made a
//!     source ready is not ready any more after that, and no caller tries again and again.
//! 15. In a closed queue the slot of a dead producer makes the source ready. Who ends the last task
//!     sees that slot in use, and wakes nobody (invariant 9). The attempt frees it, and does.
//! 16. The end of all tasks is ready if all is done (invariant 11). The check itself sets aside
//!     what the dead have left, as a waiter does: no attempt follows that would.

use super::{NoTask, Obstacle, Slots, State, Tasks, User, is_closed};
use crate::platform::{Expect, Platform, Word};
use crate::raw::table::Participant;
use crate::raw::wait_any::{Readiness, Source, announce_on};
use core::fmt::Debug;
use core::sync::atomic::Ordering::Relaxed;

/// What is wanted of a task queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Want {
    /// To take a task, or to learn that none will come.
    Task,
    /// To reserve a slot, or to learn that the queue is closed.
    Room,
    /// That there is no task but what is set aside.
    End,
}

/// A task queue, and what is wanted of it.
#[derive(Debug)]
pub struct Awaited<'q, P: Platform, S: ?Sized, const BITS: u32 = 32> {
    /// The task queue.
    pub tasks: Tasks<'q, P, S, BITS>,
    /// What is wanted.
    pub want: Want,
}

impl NoTask {
    fn readiness(self) -> Readiness {
        if self.is_any_ending { Readiness::Ending } else { Readiness::Unready }
    }
}

impl<'q, P: Platform, S: Slots<P> + ?Sized, const BITS: u32> Tasks<'q, P, S, BITS> {
    /// Invariants 12 to 15. Begins with the slot of the next cell, which as a rule has a task.
    fn check_for_task(&self, me: Participant<'_, P>) -> Readiness {
        // ORDERING: Relaxed, all; a waiter has passed a fence. So a living user may be judged dead
        // here. Then the caller tries once for nothing.
        let is_closed = is_closed(self.room_word());
        let mut found = NoTask::default();
        for index in self.indices_from(self.next_number()) {
            let is_ready = match State::of(self.slot(index).hold.load(Relaxed)) {
                State::Free | State::Aside => false,
                State::Full | State::Again => true,
                State::Taken(user) => found.note(User::judge(me, user)),
                State::Filling(user) => found.note(User::judge(me, user)) && is_closed,
            };
            if is_ready {
                return Readiness::Ready;
            }
        }
        let is_over = is_closed && !found.is_any_in_use && !found.is_any_ending;
        if is_over { Readiness::Ready } else { found.readiness() }
    }

    /// Invariants 12 to 14. Begins where producers do.
    fn check_for_room(&self, me: Participant<'_, P>) -> Readiness {
        // ORDERING: Relaxed, all; as for a task.
        if is_closed(self.room_word()) {
            return Readiness::Ready;
        }
        let mut found = NoTask::default();
        for index in self.indices_from(self.first()) {
            let is_ready = match State::of(self.slot(index).hold.load(Relaxed)) {
                State::Free => true,
                State::Filling(user) => found.note(User::judge(me, user)),
                State::Full | State::Again | State::Taken(_) | State::Aside => false,
            };
            if is_ready {
                return Readiness::Ready;
            }
        }
        found.readiness()
    }

    /// Invariant 16.
    fn check_for_end(&self, me: Participant<'_, P>) -> Readiness {
        match self.is_all_done(me) {
            Ok(()) => Readiness::Ready,
            Err(Obstacle::Ending) => Readiness::Ending,
            Err(_) => Readiness::Unready,
        }
    }
}

impl<P: Platform, S: Slots<P> + ?Sized, const BITS: u32> Awaited<'_, P, S, BITS> {
    fn check(&self, me: Participant<'_, P>) -> Readiness {
        match self.want {
            Want::Task => self.tasks.check_for_task(me),
            Want::Room => self.tasks.check_for_room(me),
            Want::End => self.tasks.check_for_end(me),
        }
    }

    /// On which a waiter sleeps.
    fn word(&self) -> &P::Word {
        match self.want {
            Want::Task => self.tasks.ring().items(),
            Want::Room => self.tasks.ring().room(),
            Want::End => self.tasks.finished(),
        }
    }
}

impl<P: Platform, S: Slots<P> + ?Sized + Debug, const BITS: u32> Source<P> for Awaited<'_, P, S, BITS> {
    fn is_ready(&self, me: Participant<'_, P>) -> bool {
        self.check(me) == Readiness::Ready
    }

    fn announce<'s>(&'s self, me: Participant<'s, P>, awaited: &mut Vec<Expect<'s, P::Word>>) -> Readiness {
        announce_on::<P>(self.word(), awaited, || self.check(me)) // invariants 7 and 12
    }

    fn observe<'s>(&'s self, _me: Participant<'s, P>, awaited: &mut Vec<Expect<'s, P::Word>>) {
        let word = self.word();
        // ORDERING: Relaxed; the kernel compares it with the newest value.
        awaited.push(Expect { word, value: word.load(Relaxed) });
    }

    fn wake_next(&self, _me: Participant<'_, P>) {
        P::wake(self.word(), 1);
    }

    fn is_dear(&self) -> bool {
        self.tasks.is_dear()
    }

    fn is_for_all(&self) -> bool {
        self.want == Want::End
    }
}
