//! The two sides of a [pipe](super) as sources of a wait for several.

use super::{Lane, Peer, Pipe, Rare, Words};
use crate::platform::{Expect, Platform, Word, Word64};
use crate::raw::table::Participant;
use crate::raw::wait_any::{Readiness, Source, announce_on};
use core::fmt::Debug;
use core::sync::atomic::Ordering::Relaxed;

/// What the owner of an end waits for. `SENDS`: it is the sender, and not the receiver.
#[derive(Debug)]
pub struct Usable<'p, P: Platform, R, const SENDS: bool> {
    words: &'p Pipe<P>,
    ring: R,
    /// For how many words of room the sender waits.
    room: u64,
}

/// There is a frame to receive, or none will come: what the receiver waits for.
pub type Readable<'p, P, R> = Usable<'p, P, R, false>;

/// There is room for a frame, or nobody will receive it: what the sender waits for.
pub type Writable<'p, P, R> = Usable<'p, P, R, true>;

impl<'p, P: Platform, R: Words<P>> Readable<'p, P, R> {
    /// A frame in this pipe, with its ring.
    pub fn new(words: &'p Pipe<P>, ring: R) -> Self {
        Self { words, ring, room: 0 }
    }
}

impl<'p, P: Platform, R: Words<P>> Writable<'p, P, R> {
    /// Room in this pipe, with its ring, for a frame of so many words with its header.
    pub fn new(words: &'p Pipe<P>, ring: R, room: u64) -> Self {
        Self { words, ring, room }
    }
}

impl<P: Platform, R: Words<P>, const SENDS: bool> Usable<'_, P, R, SENDS> {
    fn lane(&self) -> Lane<'_, P, R> {
        self.words.with(&self.ring)
    }

    /// The word on which the owner sleeps.
    fn awaited(&self) -> &P::Word {
        let Rare { frames, room, .. } = self.lane().rare();
        if SENDS { room } else { frames }
    }

    fn peer(&self, me: Participant<'_, P>) -> Peer {
        let Rare { sender, receiver, .. } = self.lane().rare();
        self.lane().peer(me, if SENDS { receiver } else { sender })
    }

    /// Whether there is a frame, or room.
    fn has_any(&self) -> bool {
        // ORDERING: Relaxed for both positions and the header; one position is the owner's own, and
        // what is found is not read, or written, here.
        let head = self.lane().head().load(Relaxed);
        if !SENDS {
            return self.ring.word(head).load(Relaxed) != 0;
        }
        let most = self.ring.count().wrapping_sub(self.room + 1);
        self.lane().tail().load(Relaxed).wrapping_sub(head) <= most
    }

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

impl<P: Platform, R: Words<P> + Debug, const SENDS: bool> Source<P> for Usable<'_, P, R, SENDS> {
    fn is_ready(&self, me: Participant<'_, P>) -> bool {
        self.readiness(me) == Readiness::Ready
    }

    fn announce<'s>(&'s self, me: Participant<'s, P>, awaited: &mut Vec<Expect<'s, P::Word>>) -> Readiness {
        announce_on::<P>(self.awaited(), awaited, || self.readiness(me)) // invariant 5
    }

    fn observe<'s>(&'s self, _me: Participant<'s, P>, awaited: &mut Vec<Expect<'s, P::Word>>) {
        // ORDERING: Relaxed; the kernel compares it with the newest value.
        awaited.push(Expect { word: self.awaited(), value: self.awaited().load(Relaxed) });
    }

    fn wake_next(&self, _me: Participant<'_, P>) {
        P::wake(self.awaited(), 1);
    }
}
