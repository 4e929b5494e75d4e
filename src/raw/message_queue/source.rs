//! Room for a message of a [queue of messages](super) as one of several sources of a wait.

use super::{Messages, Store};
use crate::platform::{Expect, Platform};
use crate::raw::ends::MOST_ENDS;
use crate::raw::table::Participant;
use crate::raw::wait_any::{Readiness, Source};
use core::fmt::Debug;

/// A message of this length can be begun, or the answer is an error.
#[derive(Debug)]
pub struct Writable<'q, P: Platform, S: ?Sized, const BITS: u32 = 32, const ENDS: usize = MOST_ENDS> {
    /// The queue.
    pub messages: Messages<'q, P, S, BITS, ENDS>,
    /// How many bytes the message has.
    pub length: usize,
}

impl<'q, P: Platform, S: Store<P> + ?Sized, const BITS: u32, const ENDS: usize> Messages<'q, P, S, BITS, ENDS> {
    /// [`Source::is_ready`] of [`Writable`].
    pub(crate) fn is_writable(&self, me: Participant<'_, P>, length: usize) -> bool {
        let blocks = self.blocks_for(length);
        let has_rest = || blocks == 0 || self.might_find_free(me, blocks);
        length > self.most_bytes() || self.ring().is_writable(me, has_rest)
    }

    /// [`Source::announce`] of [`Writable`].
    pub(crate) fn announce_writer<'s>(
        &self,
        me: Participant<'_, P>,
        length: usize,
        awaited: &mut Vec<Expect<'s, P::Word>>,
    ) -> Readiness
    where
        'q: 's,
    {
        self.ring().announce_foreign(awaited, || self.is_writable(me, length))
    }

    /// [`Source::is_dear`] of [`Writable`]: a message of this length needs blocks of the pool, and
    /// all of them may be looked at.
    pub(crate) fn has_dear_room(&self, length: usize) -> bool {
        self.blocks_for(length) > 0
    }

    /// [`Source::observe`] of [`Writable`].
    pub(crate) fn observe_room<'s>(&self, awaited: &mut Vec<Expect<'s, P::Word>>)
    where
        'q: 's,
    {
        self.ring().observe_foreign(awaited);
    }
}

impl<P: Platform, S: Store<P> + ?Sized + Debug, const BITS: u32, const ENDS: usize> Source<P>
    for Writable<'_, P, S, BITS, ENDS>
{
    fn is_ready(&self, me: Participant<'_, P>) -> bool {
        self.messages.is_writable(me, self.length)
    }

    fn announce<'s>(&'s self, me: Participant<'s, P>, awaited: &mut Vec<Expect<'s, P::Word>>) -> Readiness {
        self.messages.announce_writer(me, self.length, awaited)
    }

    fn observe<'s>(&'s self, _me: Participant<'s, P>, awaited: &mut Vec<Expect<'s, P::Word>>) {
        self.messages.observe_room(awaited);
    }

    fn is_dear(&self) -> bool {
        self.messages.has_dear_room(self.length)
    }

    /// Nothing: each change wakes all that sleep there.
    fn wake_next(&self, _me: Participant<'_, P>) {}
}
