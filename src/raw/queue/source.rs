//! The two sides of a [queue](super) as sources of a wait for several.

use super::{Cells, MOST_ENDS, Obstacle, Ring, WAITERS, is_closed};
use crate::platform::{Expect, Platform, Word};
use crate::raw::table::Participant;
use crate::raw::wait_any::{Readiness, Source};
use core::fmt::Debug;
use core::sync::atomic::Ordering::{Relaxed, SeqCst};

/// There is an item to receive, or the queue is closed and none will come.
#[derive(Debug)]
pub struct Readable<'q, P: Platform, C: ?Sized, const BITS: u32 = 32, const ENDS: usize = MOST_ENDS>(
    pub Ring<'q, P, C, BITS, ENDS>,
);

/// There is room for an item, or the queue is closed.
#[derive(Debug)]
pub struct Writable<'q, P: Platform, C: ?Sized, const BITS: u32 = 32, const ENDS: usize = MOST_ENDS>(
    pub Ring<'q, P, C, BITS, ENDS>,
);

/// A waiter's announcement, and its check (invariant 7).
fn announce<'s, P: Platform>(
    word: &'s P::Word,
    awaited: &mut Vec<Expect<'s, P::Word>>,
    is_ready: impl FnOnce() -> bool,
) -> Readiness {
    // ORDERING: Relaxed, then the fence, before the cells are checked, as in `Ring::wait`. Model:
    // `wait_any::without_fences_an_item_and_a_waiter_miss_each_other`.
    let value = word.fetch_or(WAITERS, Relaxed) | WAITERS;
    P::fence(SeqCst);
    if is_ready() {
        return Readiness::Ready;
    }
    awaited.push(Expect { word, value });
    Readiness::Unready
}

impl<P: Platform, C: Cells<P> + ?Sized + Debug, const BITS: u32, const ENDS: usize> Source<P>
    for Readable<'_, P, C, BITS, ENDS>
{
    fn is_ready(&self, me: Participant<'_, P>) -> bool {
        let found = || self.0.next_full(me).or_else(|by| self.0.last_full(me, by));
        let is_ready = || !matches!(found(), Err(Obstacle::Blocked(_)));
        is_ready() || self.0.close_if_abandoned(me) && is_ready()
    }

    fn announce<'s>(&'s self, me: Participant<'s, P>, awaited: &mut Vec<Expect<'s, P::Word>>) -> Readiness {
        announce::<P>(self.0.items(), awaited, || self.is_ready(me))
    }

    fn observe<'s>(&'s self, _me: Participant<'s, P>, awaited: &mut Vec<Expect<'s, P::Word>>) {
        // ORDERING: Relaxed; the kernel compares it with the newest value.
        awaited.push(Expect { word: self.0.items(), value: self.0.items().load(Relaxed) });
    }

    fn wake_next(&self, _me: Participant<'_, P>) {
        P::wake(self.0.items(), 1);
    }
}

impl<P: Platform, C: Cells<P> + ?Sized + Debug, const BITS: u32, const ENDS: usize> Source<P>
    for Writable<'_, P, C, BITS, ENDS>
{
    fn is_ready(&self, me: Participant<'_, P>) -> bool {
        // ORDERING: Relaxed; a waiter has passed a fence.
        let is_ready = self.0.next_free(me).is_ok() || is_closed(self.0.room().load(Relaxed));
        is_ready || self.0.close_if_abandoned(me)
    }

    fn announce<'s>(&'s self, me: Participant<'s, P>, awaited: &mut Vec<Expect<'s, P::Word>>) -> Readiness {
        announce::<P>(self.0.room(), awaited, || self.is_ready(me))
    }

    fn observe<'s>(&'s self, _me: Participant<'s, P>, awaited: &mut Vec<Expect<'s, P::Word>>) {
        // ORDERING: Relaxed; the kernel compares it with the newest value.
        awaited.push(Expect { word: self.0.room(), value: self.0.room().load(Relaxed) });
    }

    fn wake_next(&self, _me: Participant<'_, P>) {
        P::wake(self.0.room(), 1);
    }
}
