//! An [event](super) as one of several sources of a wait.

use super::{Event, SEQUENCE, WAITERS, is_auto, is_set};
use crate::platform::{Expect, Platform, Word};
use crate::raw::table::Participant;
use crate::raw::wait_any::{Readiness, Source};
use core::sync::atomic::Ordering::{Acquire, Relaxed};

/// The event is set, or without AUTO it was set since a moment: as [`Event::wait_since`].
#[derive(Debug)]
pub struct Set<'e, P: Platform> {
    event: &'e Event<P>,
    /// A sequence, in the memory of the process.
    since: P::Word,
}

impl<'e, P: Platform> Set<'e, P> {
    /// The event is set from now on.
    pub fn new(event: &'e Event<P>) -> Self {
        Self { event, since: P::Word::new(event.moment().0) }
    }

    fn is_met(&self, seen: u32) -> bool {
        // ORDERING: Relaxed for the moment, which publishes nothing.
        is_set(seen) || !is_auto(seen) && seen & SEQUENCE != self.since.load(Relaxed)
    }
}

impl<P: Platform> Source<P> for Set<'_, P> {
    fn is_ready(&self, _me: Participant<'_, P>) -> bool {
        // ORDERING: Acquire. As in `Event::wait`: a caller that learns that the event is set may
        // wait for nothing else. Model: `wait_any::a_set_event_publishes`.
        self.is_met(self.event.word.load(Acquire))
    }

    fn announce<'s>(&'s self, _me: Participant<'s, P>, awaited: &mut Vec<Expect<'s, P::Word>>) -> Readiness {
        // ORDERING: Acquire, as above. The newest value is read, so that no set is missed.
        let seen = self.event.word.fetch_or(WAITERS, Acquire);
        if self.is_met(seen) {
            return Readiness::Ready;
        }
        awaited.push(Expect { word: &self.event.word, value: seen | WAITERS });
        Readiness::Unready
    }

    fn observe<'s>(&'s self, _me: Participant<'s, P>, awaited: &mut Vec<Expect<'s, P::Word>>) {
        // ORDERING: Relaxed; the kernel compares it with the newest value.
        awaited.push(Expect { word: &self.event.word, value: self.event.word.load(Relaxed) });
    }

    fn wake_next(&self, _me: Participant<'_, P>) {
        P::wake(&self.event.word, 1);
    }

    fn begin(&self) {
        self.since.store(self.event.moment().0, Relaxed); // ORDERING: Relaxed; the caller has a lock of its own.
    }

    fn is_for_all(&self) -> bool {
        !self.event.is_auto_reset()
    }
}
