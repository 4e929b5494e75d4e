//! One permit of a [semaphore](super) as one of several sources of a wait.

use super::{Semaphore, WAITERS, count_in};
use crate::platform::{Expect, Platform, Word};
use crate::raw::table::Participant;
use crate::raw::wait_any::{Readiness, Source};
use core::sync::atomic::Ordering::Relaxed;

impl<P: Platform> Source<P> for Semaphore<P> {
    fn is_ready(&self, _me: Participant<'_, P>) -> bool {
        self.available() != 0
    }

    fn announce<'s>(&'s self, _me: Participant<'s, P>, awaited: &mut Vec<Expect<'s, P::Word>>) -> Readiness {
        // ORDERING: Relaxed; whoever takes a permit acquires. A read-modify-write, as in
        // `acquire_one`: a stale value could hide the permit for which the caller was woken.
        let seen = self.word.fetch_or(WAITERS, Relaxed);
        if count_in(seen) != 0 {
            return Readiness::Ready;
        }
        awaited.push(Expect { word: &self.word, value: seen | WAITERS });
        Readiness::Unready
    }

    fn observe<'s>(&'s self, _me: Participant<'s, P>, awaited: &mut Vec<Expect<'s, P::Word>>) {
        // ORDERING: Relaxed; the kernel compares it with the newest value.
        awaited.push(Expect { word: &self.word, value: self.word.load(Relaxed) });
    }

    fn wake_next(&self, _me: Participant<'_, P>) {
        P::wake(&self.word, 1);
    }

    fn repeats(&self) -> bool {
        true
    }
}
