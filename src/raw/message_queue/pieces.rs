//! The places of a [message](super), one after the other.

use super::word::Owner;
use super::{Draft, Message, Messages, Store};
use crate::platform::{Platform, Word, Word64};
use crate::raw::queue::Claim;
use core::sync::atomic::Ordering::Relaxed;

/// Where a part of a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In the block of the cell with this index.
    Cell(usize),
    /// In this block of the pool.
    Block(usize),
}

/// A part of a message: so many bytes, from the beginning of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece {
    /// Where it is.
    pub place: Place,
    /// How many bytes it has.
    pub length: usize,
}

/// The message cannot be read: words that belong to it were overwritten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed;

/// The pieces of a message. See [`Messages::pieces`].
#[derive(Debug)]
pub struct Pieces<'m, P: Platform, S: ?Sized, const BITS: u32, const ENDS: usize> {
    messages: Messages<'m, P, S, BITS, ENDS>,
    message: &'m Message,
    /// `None`: the chain has ended too early.
    next: Option<Place>,
    left: usize,
}

impl<P: Platform, S: Store<P> + ?Sized, const BITS: u32, const ENDS: usize> Iterator for Pieces<'_, P, S, BITS, ENDS> {
    type Item = Result<Piece, Malformed>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.left == 0 {
            return None;
        }
        let Some(place) = self.next else {
            self.left = 0;
            return Some(Err(Malformed));
        };
        let length = self.left.min(self.messages.store.block_size());
        self.left -= length;
        if self.left > 0 {
            self.next = self.messages.place_after(self.message.claim, self.message.letter.first(), place);
        }
        Some(Ok(Piece { place, length }))
    }
}

impl<'q, P: Platform, S: Store<P> + ?Sized, const BITS: u32, const ENDS: usize> Messages<'q, P, S, BITS, ENDS> {
    /// How many bytes a message has.
    ///
    /// # Errors
    /// [`Malformed`] if no message can have so many. The caller finishes it.
    #[inline]
    pub fn length(&self, message: &Message) -> Result<usize, Malformed> {
        let length = message.letter.length();
        if length <= self.store.block_size() || length <= self.most_bytes() { Ok(length) } else { Err(Malformed) }
    }

    /// The pieces of a message, in order. All but the last one are whole blocks.
    ///
    /// [`Malformed`] is the last one that comes. The caller then finishes the message.
    #[inline]
    pub fn pieces<'m>(&self, message: &'m Message) -> Pieces<'m, P, S, BITS, ENDS>
    where
        'q: 'm,
    {
        let length = self.length(message);
        let next = length.is_ok().then_some(Place::Cell(message.claim.index()));
        Pieces { messages: *self, message, next, left: length.unwrap_or(1) }
    }

    /// The first place of a message that is being written. Each place has room for
    /// [`block_size`](Store::block_size) bytes.
    #[inline]
    pub fn first_place(&self, draft: &Draft) -> Place {
        Place::Cell(draft.claim.index())
    }

    /// The place after this one. `None`: the draft has no more room, as long as it does not
    /// [grow](Self::grow).
    #[inline]
    pub fn next_place(&self, draft: &Draft, place: Place) -> Option<Place> {
        self.place_after(draft.claim, draft.run.first(), place)
    }

    /// The place of a message after this one; after none comes its first one. For a reader that
    /// keeps no iterator: it stops at the length.
    #[inline]
    pub fn following(&self, message: &Message, place: Option<Place>) -> Option<Place> {
        match place {
            None => Some(Place::Cell(message.claim.index())),
            Some(place) => self.place_after(message.claim, message.letter.first(), place),
        }
    }

    /// The place that follows in the chain that begins with the link `first`.
    #[inline]
    pub(super) fn place_after(&self, claim: Claim, first: u32, place: Place) -> Option<Place> {
        let link = match place {
            Place::Cell(_) => first,
            // ORDERING: Relaxed for both; the claim has acquired them.
            Place::Block(block) => self.store.link(block).load(Relaxed),
        };
        let block = self.block(link)?;
        let is_its_own = self.store.owner(block).load(Relaxed) == Owner::<BITS>::of(claim.position()).0;
        is_its_own.then_some(Place::Block(block)) // invariant 6
    }
}
