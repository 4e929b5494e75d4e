//! A free [mutex](super) as one of several sources of a wait.

use super::{Id, Kept, Leaked, Mutex, WAITERS};
use crate::platform::{Expect, Platform, Word};
use crate::raw::table::Participant;
use crate::raw::wait_any::{Readiness, Source};
use core::sync::atomic::Ordering::Relaxed;

/// `try_lock` would not say that it would block.
#[derive(Debug)]
pub struct Free<'m, P: Platform> {
    /// The mutex.
    pub mutex: &'m Mutex<P>,
    /// What the caller does about a leaked hold.
    pub leaked: Leaked,
    /// Whether the holder itself may lock again.
    pub is_reentrant: bool,
}

impl<P: Platform> Free<'_, P> {
    /// What a word is. It need not be loaded with Acquire. So a living holder may be judged dead,
    /// and the caller tries once for nothing.
    fn judge(&self, me: Participant<'_, P>, seen: u32) -> Readiness {
        let Some(holder) = Id::holder_in(seen) else {
            return Readiness::Ready;
        };
        let is_ready = if holder == me.id {
            self.is_reentrant
        } else if me.table.is_alive(holder) {
            false
        } else if self.leaked == Leaked::Wait {
            !me.table.has_leaked(holder)
        } else {
            match me.table.why_kept(holder) {
                Some(Kept::Ending) => return Readiness::Ending,
                Some(Kept::Leaked) | None => true, // the lock, or an error, without waiting
            }
        };
        Readiness::of(is_ready)
    }
}

impl<P: Platform> Source<P> for Free<'_, P> {
    fn is_ready(&self, me: Participant<'_, P>) -> bool {
        self.judge(me, self.mutex.word.load(Relaxed)) == Readiness::Ready
    }

    fn announce<'s>(&'s self, me: Participant<'s, P>, awaited: &mut Vec<Expect<'s, P::Word>>) -> Readiness {
        let word = &self.mutex.word;
        loop {
            let seen = word.load(Relaxed); // ORDERING: Relaxed; the exchange finds out whether it is the newest.
            let readiness = self.judge(me, seen);
            if readiness == Readiness::Ready {
                return Readiness::Ready;
            }
            // ORDERING: Relaxed; only the releaser acts on WAITERS. Even if it is set, this is a
            // read-modify-write: a caller that goes away after this must not have missed a release.
            if word.compare_exchange(seen, seen | WAITERS, Relaxed, Relaxed).is_ok() {
                awaited.push(Expect { word, value: seen | WAITERS });
                return readiness;
            }
        }
    }

    fn observe<'s>(&'s self, _me: Participant<'s, P>, awaited: &mut Vec<Expect<'s, P::Word>>) {
        // ORDERING: Relaxed; the kernel compares it with the newest value.
        awaited.push(Expect { word: &self.mutex.word, value: self.mutex.word.load(Relaxed) });
    }

    fn wake_next(&self, _me: Participant<'_, P>) {
        P::wake(&self.mutex.word, 1);
    }

    fn repeats(&self) -> bool {
        true
    }
}
