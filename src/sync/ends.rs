//! An end of a channel that this process has: how it is taken, kept and given back.
//!
//! Each kind of channel has types of its own for its ends. They hold a [`Held`]. How ends are
//! counted is told in [`raw::ends`](crate::raw::ends).

use super::guard_tag::GuardTag;
use crate::error::{EndError, RegisterError};
use crate::platform::Linux;
use crate::raw::Participant;
use crate::raw::ends::{End, MOST_ENDS, NoEnd};
use crate::raw::hold::Id;
use crate::raw::queue::{Cells, Ring};
use crate::segment::local;
use core::ops::Deref;
use std::sync::Arc;

/// A channel whose ring counts its ends.
pub(super) trait Channel {
    /// What keeps the channel's memory.
    type Segment: Deref<Target = Self>;
    type Cells: Cells<Linux> + ?Sized;

    fn me(&self) -> Result<Participant<'_, Linux>, RegisterError>;
    fn ring(&self) -> Ring<'_, Linux, Self::Cells>;
}

/// A channel that an end borrows, or keeps.
pub(super) enum Handle<'c, C: Channel + ?Sized> {
    Borrowed(&'c C),
    Owned(Arc<C::Segment>),
}

impl<C: Channel + ?Sized> Deref for Handle<'_, C> {
    type Target = C;

    #[inline(always)]
    fn deref(&self) -> &C {
        match self {
            Self::Borrowed(channel) => channel,
            Self::Owned(segment) => segment,
        }
    }
}

/// The side of a channel that an end belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Sender,
    Receiver,
}

/// An end that this process has. All clones of a sender or receiver share it.
pub(super) struct Held<'c, C: Channel + ?Sized> {
    pub(super) channel: Handle<'c, C>,
    kind: Kind,
    end: End,
    tag: GuardTag,
}

impl<'c, C: Channel + ?Sized> Held<'c, C> {
    pub(super) fn take(channel: Handle<'c, C>, kind: Kind) -> Result<Arc<Self>, EndError> {
        let me = channel.me()?;
        local::end_begins();
        let taken = match kind {
            Kind::Sender => channel.ring().take_sender(me),
            Kind::Receiver => channel.ring().take_receiver(me),
        };
        match taken {
            Ok(end) => Ok(Arc::new(Self { kind, end, tag: GuardTag::now(0), channel })),
            Err(error) => {
                local::end_ends();
                Err(match error {
                    NoEnd::Shut => EndError::Disconnected,
                    NoEnd::Full => EndError::Full { most: MOST_ENDS },
                })
            }
        }
    }

    pub(super) fn taken_by(&self) -> Id {
        self.end.holder()
    }
}

impl<C: Channel + ?Sized> Drop for Held<'_, C> {
    fn drop(&mut self) {
        if !self.tag.is_of_this_process() {
            return; // a fork's copy: the end is the parent's
        }
        // Without a slot for this thread, others find that the end is gone.
        let me = self.channel.me().ok();
        match self.kind {
            Kind::Sender => self.channel.ring().give_back_sender(self.end, me),
            Kind::Receiver => self.channel.ring().give_back_receiver(self.end, me),
        }
        if me.is_some_and(|me| me.id == self.end.holder()) {
            local::end_ends();
        }
    }
}

/// What all types of ends have. `$end` has a field `held`, an [`Arc`] of a [`Held`].
macro_rules! an_end {
    ([$($generics:tt)*] $end:ty, $name:literal, $channel:ty) => {
        impl<$($generics)*> $end {
            /// The queue, for all that is no matter of its ends.
            pub fn queue(&self) -> &$channel {
                &self.held.channel
            }
        }

        /// The clone is the same end.
        impl<$($generics)*> Clone for $end {
            fn clone(&self) -> Self {
                Self { held: std::sync::Arc::clone(&self.held) }
            }
        }

        impl<$($generics)*> core::fmt::Debug for $end {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.debug_struct($name).field("queue", &self.queue()).field("taken_by", &self.held.taken_by()).finish()
            }
        }
    };
}

pub(super) use an_end;
