//! The two sides of a [queue](super) as sources of a wait for several.

use super::{Cells, FOREIGN, MOST_ENDS, Obstacle, Ring, is_closed};
use crate::platform::{Expect, Platform, Word};
use crate::raw::table::Participant;
use crate::raw::wait_any::{Readiness, Source, announce_on};
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

impl<'q, P: Platform, C: Cells<P> + ?Sized, const BITS: u32, const ENDS: usize> Ring<'q, P, C, BITS, ENDS> {
    /// [`Source::is_ready`] of [`Readable`].
    pub(crate) fn is_readable(&self, me: Participant<'_, P>) -> bool {
        let found = || self.next_full(me).or_else(|by| self.last_full(me, by));
        let is_ready = || !matches!(found(), Err(Obstacle::Blocked(_)));
        is_ready() || self.close_if_abandoned(me) && is_ready()
    }

    /// [`Source::announce`] of [`Readable`].
    pub(crate) fn announce_reader<'s>(
        &self,
        me: Participant<'_, P>,
        awaited: &mut Vec<Expect<'s, P::Word>>,
    ) -> Readiness
    where
        'q: 's,
    {
        // Invariant 7.
        announce_on::<P>(self.items(), awaited, || Readiness::of(self.is_readable(me)))
    }

    /// [`Source::observe`] of [`Readable`].
    pub(crate) fn observe_items<'s>(&self, awaited: &mut Vec<Expect<'s, P::Word>>)
    where
        'q: 's,
    {
        // ORDERING: Relaxed; the kernel compares it with the newest value.
        awaited.push(Expect { word: self.items(), value: self.items().load(Relaxed) });
    }

    /// [`Source::wake_next`] of [`Readable`].
    pub(crate) fn wake_reader(&self) {
        P::wake(self.items(), 1);
    }

    /// Whether a producer would find a cell, and `has_rest`; or the queue is closed.
    pub(in crate::raw) fn is_writable(&self, me: Participant<'_, P>, has_rest: impl FnOnce() -> bool) -> bool {
        // ORDERING: Relaxed; a waiter has passed a fence.
        let is_ready = is_closed(self.room().load(Relaxed)) || self.next_free(me).is_ok() && has_rest();
        is_ready || self.close_if_abandoned(me)
    }

    /// [`Source::announce`] of a foreign waiter (invariant 13).
    pub(in crate::raw) fn announce_foreign<'s>(
        &self,
        awaited: &mut Vec<Expect<'s, P::Word>>,
        is_ready: impl FnOnce() -> bool,
    ) -> Readiness
    where
        'q: 's,
    {
        // ORDERING: Relaxed, both, then the fence, before all is checked. A waiter that finds the
        // word changed by another change finds that change, too: a fence comes before it.
        let value = self.foreign().load(Relaxed);
        self.room().fetch_or(FOREIGN, Relaxed);
        P::fence(SeqCst);
        if is_ready() {
            return Readiness::Ready;
        }
        awaited.push(Expect { word: self.foreign(), value });
        Readiness::Unready
    }

    /// [`Source::observe`] of a foreign waiter.
    pub(in crate::raw) fn observe_foreign<'s>(&self, awaited: &mut Vec<Expect<'s, P::Word>>)
    where
        'q: 's,
    {
        // ORDERING: Relaxed; the kernel compares it with the newest value.
        awaited.push(Expect { word: self.foreign(), value: self.foreign().load(Relaxed) });
    }
}

impl<P: Platform, C: Cells<P> + ?Sized + Debug, const BITS: u32, const ENDS: usize> Source<P>
    for Readable<'_, P, C, BITS, ENDS>
{
    fn is_ready(&self, me: Participant<'_, P>) -> bool {
        self.0.is_readable(me)
    }

    fn announce<'s>(&'s self, me: Participant<'s, P>, awaited: &mut Vec<Expect<'s, P::Word>>) -> Readiness {
        self.0.announce_reader(me, awaited)
    }

    fn observe<'s>(&'s self, _me: Participant<'s, P>, awaited: &mut Vec<Expect<'s, P::Word>>) {
        self.0.observe_items(awaited);
    }

    fn wake_next(&self, _me: Participant<'_, P>) {
        self.0.wake_reader();
    }
}

impl<P: Platform, C: Cells<P> + ?Sized + Debug, const BITS: u32, const ENDS: usize> Source<P>
    for Writable<'_, P, C, BITS, ENDS>
{
    fn is_ready(&self, me: Participant<'_, P>) -> bool {
        self.0.is_writable(me, || true)
    }

    fn announce<'s>(&'s self, me: Participant<'s, P>, awaited: &mut Vec<Expect<'s, P::Word>>) -> Readiness {
        announce_on::<P>(self.0.room(), awaited, || Readiness::of(self.is_ready(me))) // invariant 7
    }

    fn observe<'s>(&'s self, _me: Participant<'s, P>, awaited: &mut Vec<Expect<'s, P::Word>>) {
        // ORDERING: Relaxed; the kernel compares it with the newest value.
        awaited.push(Expect { word: self.0.room(), value: self.0.room().load(Relaxed) });
    }

    fn wake_next(&self, _me: Participant<'_, P>) {
        P::wake(self.0.room(), 1);
    }
}
