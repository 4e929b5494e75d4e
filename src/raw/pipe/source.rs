//! The two sides of a [pipe](super) as sources of a wait for several.

use super::{Lane, Peer, Pipe, WAITERS, WORD, Words, words_of};
use crate::platform::{Expect, Platform, Word, Word64};
use crate::raw::table::Participant;
use crate::raw::wait_any::{Readiness, Source};
use core::fmt::Debug;
use core::sync::atomic::Ordering::{Relaxed, SeqCst};

/// There is a frame to receive, or none will come: what the receiver waits for.
#[derive(Debug)]
pub struct Readable<'p, P: Platform, R> {
    /// The pipe.
    pub words: &'p Pipe<P>,
    /// Its ring.
    pub ring: R,
}

/// There is room for a frame, however long, or nobody will receive it: what the sender waits for.
#[derive(Debug)]
pub struct Writable<'p, P: Platform, R> {
    /// The pipe.
    pub words: &'p Pipe<P>,
    /// Its ring.
    pub ring: R,
}

/// A side of a pipe, as its owner waits for it.
trait Side<P: Platform> {
    /// Whether there is a frame, or room.
    fn has_any(&self) -> bool;
    /// The word of the other end.
    fn hold(&self) -> &P::Word;
    /// The word on which the owner sleeps.
    fn awaited(&self) -> &P::Word;
    fn peer(&self, me: Participant<'_, P>) -> Peer;

    fn readiness(&self, me: Participant<'_, P>) -> Readiness {
        if self.has_any() {
            return Readiness::Ready;
        }
        match self.peer(me) {
            Peer::There(_) => Readiness::Unready,
            Peer::Ending => Readiness::Ending,
            Peer::Died(_) | Peer::Closed => Readiness::Ready,
        }
    }
}

impl<P: Platform, R: Words<P>> Readable<'_, P, R> {
    fn lane(&self) -> Lane<'_, P, R> {
        self.words.with(&self.ring)
    }
}

impl<P: Platform, R: Words<P>> Writable<'_, P, R> {
    fn lane(&self) -> Lane<'_, P, R> {
        self.words.with(&self.ring)
    }
}

impl<P: Platform, R: Words<P>> Side<P> for Readable<'_, P, R> {
    fn has_any(&self) -> bool {
        // ORDERING: Relaxed for both; the owner's own position, and what is found is not read here.
        let at = self.lane().head().load(Relaxed);
        self.ring.word(at).load(Relaxed) != 0
    }
    fn hold(&self) -> &P::Word {
        &self.lane().rare().sender
    }
    fn awaited(&self) -> &P::Word {
        &self.lane().rare().frames
    }
    fn peer(&self, me: Participant<'_, P>) -> Peer {
        self.lane().peer(me, self.hold())
    }
}

impl<P: Platform, R: Words<P>> Side<P> for Writable<'_, P, R> {
    fn has_any(&self) -> bool {
        let lane = self.lane();
        let words = words_of(self.ring.count() / 4 * WORD);
        // ORDERING: Relaxed for both; the owner's own position, and nothing is written here.
        let used = lane.tail().load(Relaxed).wrapping_sub(lane.head().load(Relaxed));
        used <= self.ring.count() - (words + 1)
    }
    fn hold(&self) -> &P::Word {
        &self.lane().rare().receiver
    }
    fn awaited(&self) -> &P::Word {
        &self.lane().rare().room
    }
    fn peer(&self, me: Participant<'_, P>) -> Peer {
        self.lane().peer(me, self.hold())
    }
}

fn announce<'s, P: Platform>(
    side: &'s impl Side<P>,
    me: Participant<'s, P>,
    awaited: &mut Vec<Expect<'s, P::Word>>,
) -> Readiness {
    let word = side.awaited();
    // ORDERING: Relaxed, then the fence, before the check (invariant 5). Model:
    // `wait_any::without_fences_a_frame_and_a_waiter_miss_each_other`.
    let value = word.fetch_or(WAITERS, Relaxed) | WAITERS;
    P::fence(SeqCst);
    let readiness = side.readiness(me);
    if readiness != Readiness::Ready {
        awaited.push(Expect { word, value });
    }
    readiness
}

fn observe<'s, P: Platform>(side: &'s impl Side<P>, awaited: &mut Vec<Expect<'s, P::Word>>) {
    // ORDERING: Relaxed; the kernel compares it with the newest value.
    awaited.push(Expect { word: side.awaited(), value: side.awaited().load(Relaxed) });
}

impl<P: Platform, R: Words<P> + Debug> Source<P> for Readable<'_, P, R> {
    fn is_ready(&self, me: Participant<'_, P>) -> bool {
        self.readiness(me) == Readiness::Ready
    }

    fn announce<'s>(&'s self, me: Participant<'s, P>, awaited: &mut Vec<Expect<'s, P::Word>>) -> Readiness {
        announce(self, me, awaited)
    }

    fn observe<'s>(&'s self, _me: Participant<'s, P>, awaited: &mut Vec<Expect<'s, P::Word>>) {
        observe(self, awaited);
    }

    fn wake_next(&self, _me: Participant<'_, P>) {
        P::wake(self.awaited(), 1);
    }
}

impl<P: Platform, R: Words<P> + Debug> Source<P> for Writable<'_, P, R> {
    fn is_ready(&self, me: Participant<'_, P>) -> bool {
        self.readiness(me) == Readiness::Ready
    }

    fn announce<'s>(&'s self, me: Participant<'s, P>, awaited: &mut Vec<Expect<'s, P::Word>>) -> Readiness {
        announce(self, me, awaited)
    }

    fn observe<'s>(&'s self, _me: Participant<'s, P>, awaited: &mut Vec<Expect<'s, P::Word>>) {
        observe(self, awaited);
    }

    fn wake_next(&self, _me: Participant<'_, P>) {
        P::wake(self.awaited(), 1);
    }
}
