//! A permit of a [pool](super) as one of several sources of a wait.

use super::{Id, PermitPool};
use crate::platform::{Expect, Platform, Word};
use crate::raw::table::Participant;
use crate::raw::wait_any::{Readiness, Source, announce_on};
use core::sync::atomic::Ordering::Relaxed;

impl<P: Platform, const N: usize> Source<P> for PermitPool<P, N> {
    fn is_ready(&self, me: Participant<'_, P>) -> bool {
        self.holds[..self.capacity()].iter().any(|hold| {
            // ORDERING: Relaxed. So a living holder may be judged dead here, as in `try_take`. Then
            // the caller tries once for nothing.
            Id::holder_in(hold.load(Relaxed)).is_none_or(|holder| holder != me.id && !me.table.is_alive(holder))
        })
    }

    fn announce<'s>(&'s self, me: Participant<'s, P>, awaited: &mut Vec<Expect<'s, P::Word>>) -> Readiness {
        announce_on::<P>(&self.sequence, awaited, || Readiness::of(self.is_ready(me))) // invariant 2
    }

    fn observe<'s>(&'s self, _me: Participant<'s, P>, awaited: &mut Vec<Expect<'s, P::Word>>) {
        // ORDERING: Relaxed; the kernel compares it with the newest value.
        awaited.push(Expect { word: &self.sequence, value: self.sequence.load(Relaxed) });
    }

    fn wake_next(&self, _me: Participant<'_, P>) {
        P::wake(&self.sequence, 1);
    }
}
