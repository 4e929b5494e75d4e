//! What the ends of a pipe have in common.

use super::ring::Ring;
use crate::error::{PipeEndError, RegisterError};
use crate::platform::Linux;
use crate::raw;
use crate::raw::Participant;
use crate::raw::pipe::{Lane, NotTaken};
use crate::segment::local;
use crate::sync::WaitSource;
use crate::sync::guard_tag::GuardTag;
use core::fmt;
use core::ptr::NonNull;
use std::sync::Arc;

/// What keeps the memory of a pipe mapped.
pub(super) type Keep = Arc<dyn fmt::Debug + Send + Sync>;

/// A pipe that an end uses: a lane, and what keeps it.
#[derive(Clone)]
pub(super) struct Place {
    words: NonNull<raw::Pipe<Linux>>,
    ring: Ring,
    _keep: Keep,
}

// SAFETY: it is a shared reference to words that may be used by all threads, and to a ring that
// only the owners of the two ends use. Both are mapped as long as `_keep` lasts.
unsafe impl Send for Place {}
// SAFETY: as above.
unsafe impl Sync for Place {}

impl Place {
    /// The segment that is kept contains the words and the ring.
    pub(super) fn new(words: NonNull<raw::Pipe<Linux>>, ring: Ring, keep: Keep) -> Self {
        Self { words, ring, _keep: keep }
    }

    #[inline(always)]
    pub(super) fn lane(&self) -> Lane<'_, Linux, Ring> {
        // SAFETY: mapped as long as `self` lives. Any bytes are valid words.
        unsafe { self.words.as_ref() }.with(&self.ring)
    }

    fn words(&self) -> &raw::Pipe<Linux> {
        // SAFETY: as in `lane`.
        unsafe { self.words.as_ref() }
    }

    /// The receiver's source of a wait for several. All it refers to is in the segment.
    pub(super) fn readable(&self) -> WaitSource<'_> {
        let words = self.words();
        WaitSource::new(words, raw::pipe::Readable::new(words, self.ring))
    }

    /// As [`readable`](Self::readable), for a sender that wants so many words of room.
    pub(super) fn writable(&self, room: u64) -> WaitSource<'_> {
        let words = self.words();
        let source = WaitSource::new(words, raw::pipe::Writable::new(words, self.ring, room));
        source.numbered(u32::try_from(room).unwrap_or(u32::MAX))
    }

    #[inline(always)]
    pub(super) fn ring(&self) -> &Ring {
        &self.ring
    }

    pub(super) fn participant(&self) -> Result<Participant<'_, Linux>, RegisterError> {
        local::participant(self.words())
    }
}

/// An end that this process has taken.
pub(super) struct End {
    pub(super) place: Place,
    tag: GuardTag,
}

impl End {
    /// Takes an end by `take`.
    pub(super) fn take<R>(
        place: Place,
        take: impl FnOnce(&Lane<'_, Linux, Ring>, Participant<'_, Linux>) -> Result<R, NotTaken>,
    ) -> Result<(Self, R), PipeEndError> {
        let me = place.participant()?;
        local::end_begins();
        match take(&place.lane(), me) {
            Ok(taken) => Ok((Self { place, tag: GuardTag::now(0) }, taken)),
            Err(error) => {
                local::end_ends();
                Err(match error {
                    NotTaken::Taken(by) => PipeEndError::Taken { by },
                    NotTaken::Closed => PipeEndError::Disconnected,
                })
            }
        }
    }

    /// Whether this process took the end. In a child that was forked since, the end is a copy, and
    /// the parent's.
    #[inline(always)]
    pub(super) fn is_of_this_process(&self) -> bool {
        self.tag.is_of_this_process()
    }

    /// Gives an end back that this `holder` took, by `give_back`.
    pub(super) fn give_back(&self, holder: raw::Id, give_back: impl FnOnce(&Lane<'_, Linux, Ring>)) {
        if !self.is_of_this_process() {
            return;
        }
        // A thread without a slot may wake the other side, too; then only a recheck notices its
        // death.
        let me = self.place.participant().ok();
        give_back(&self.place.lane());
        if me.is_some_and(|me| me.id == holder) {
            local::end_ends();
        }
    }
}
