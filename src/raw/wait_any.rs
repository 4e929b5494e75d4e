//! A wait for the first of several sources that is ready. It consumes nothing.
//!
//! A *source* is a primitive and what the caller wants of it: an item, room, a permit, a free lock,
//! a set event, or the death of a participant. A source is *ready* if an attempt that does not wait
//! would do something there. The caller then makes this attempt.
//!
//! The sources may lie in several segments. The caller takes part in all of them, and watches the
//! lifelines in each.
//!
//! # What a foreign waiter owes to the waiters of a primitive
//!
//! The caller sleeps on the awaited words of all sources. A wake that was meant for a waiter of one
//! of them may end this sleep. Several wakes on several words may be swallowed by one sleep. And
//! the caller may take nothing at all. So it follows these rules, for each source:
//!
//! 1. **Announce, then check**: set WAITERS as the primitive's own waiters do, and then check. At
//!    least one of the caller and a participant that makes the source ready notices the other.
//! 2. After each sleep, do so **for every source**, also for those after one that is ready. If a
//!    source is not ready, WAITERS is set in its word now: the next change wakes a waiter, as the
//!    waiters that still sleep there need it.
//! 3. **Wake one more** on each source that is ready, if the caller has slept; also on that which
//!    it returns. The woken waiter takes what is there, or announces and checks in turn. The caller
//!    may take nothing, or die first: then it is already done.
//! 4. A caller that gives up has announced and checked all sources since its last sleep, and found
//!    none ready.
//!
//! If the caller dies between a sleep and that, its death makes all sleepers check: they are in its
//! segments, and watch it (see [`vigil`](super::vigil)).
//!
//! A wake of the third rule may reach another caller of this kind. It checks, and finds the source
//! ready, and wakes one more; or another participant has taken what was there. So such a row of
//! wakes ends.
//!
//! # Each source
//!
//! | source                  | awaited word   | announced by                        | ready                                  |
//! |-------------------------|----------------|-------------------------------------|----------------------------------------|
//! | [`Set`](super::event::Set) | the event   | `fetch_or`, which is the check, too | SET; without AUTO also a later sequence |
//! | [`Semaphore`](super::Semaphore) | the count | `fetch_or`, which is the check, too | the count is not 0                    |
//! | [`PermitPool`](super::PermitPool) | the sequence | `fetch_or`, a fence, the check | a hold is free, or its holder is dead  |
//! | [`Readable`](super::queue::Readable) | `items` | `fetch_or`, a fence, the check | a full cell, or the end of a closed queue |
//! | [`Writable`](super::queue::Writable) | `room` | `fetch_or`, a fence, the check  | a free cell, or a closed queue         |
//! | [`Awaited`](super::task_queue::Awaited): a task | `items` | `fetch_or`, a fence, the check | a full slot, or a task of the dead, or a closed queue without tasks; or a slot that delays its end |
//! | [`Awaited`](super::task_queue::Awaited): room | `room` | `fetch_or`, a fence, the check | a free slot, or that of a dead producer, or a closed queue |
//! | [`Awaited`](super::task_queue::Awaited): the end | `finished` | `fetch_or`, a fence, the check | no task but what is set aside |
//! | [`Writable`](super::message_queue::Writable) of messages | `foreign` | `fetch_or` in `room`, a fence, the check | a free cell, the free gate and enough free blocks; or a closed queue |
//! | [`Readable`](super::pipe::Readable) of a pipe | `frames` | `fetch_or`, a fence, the check | a frame, or the other end is closed or of the dead |
//! | [`Writable`](super::pipe::Writable) of a pipe | `room` | `fetch_or`, a fence, the check | room for the longest frame, or as above |
//! | [`Free`](super::mutex::Free) | the word  | a CAS on a held word                | not held, or by a dead holder          |
//! | [`Death`]               | the lifelines  | the kernel needs no announcement    | a lifeline is cut, or another's        |
//!
//! A change of a queue of messages wakes all that sleep on `foreign`. So nobody's wake is taken by
//! another there, and the third rule asks for nothing.
//!
//! A semaphore's waiters for many sleep on another word, and are not concerned. A lock for readers
//! and writers is no source: its writers wait on several words.
//!
//! # Limits
//!
//! One wait takes 128 words. Half of them are for the sources at most ([`most_words`]). Each
//! segment takes one word for its membership. What is left is for lifelines, shared by the
//! segments. Where it is not enough, the recheck finds what is missed, as in every
//! [vigil](super::vigil#limits). A [`Death`] has its own words, and is always exact.
//!
//! Where one wait cannot watch many words, the caller sleeps on one of the sources, and checks the
//! others at each recheck: after 20 ms at first, and 80 ms at most.
//!
//! In the first phase, 10 ms, the caller watches the sources' words alone. So it may notice the
//! death of a lock's holder so much later.

use super::hold::{Id, WAITERS};
use super::table::{Participant, Slot};
use super::vigil::{Vigils, from_ended};
use crate::platform::{Expect, Lifeline, Platform, Word};
pub use attended::{Arming, Attendant, Attended, attended_words, call};
use core::fmt::Debug;
use core::sync::atomic::Ordering::{Relaxed, SeqCst};
use core::time::Duration;

/// What a source is found to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readiness {
    /// An attempt that does not wait would do something.
    Ready,
    /// The caller may sleep on the words that were given.
    Unready,
    /// The same, but what ends the state wakes nobody. It ends soon.
    Ending,
}

impl Readiness {
    /// Of a source that nothing ends without a wake.
    pub(super) fn of(is_ready: bool) -> Self {
        if is_ready { Self::Ready } else { Self::Unready }
    }
}

/// [`Source::announce`] on a word with a sequence: sets WAITERS there, passes a fence, and then
/// checks. Whoever changes the primitive passes a fence, and then looks for WAITERS. So at least
/// one of them notices the other.
pub(super) fn announce_on<'s, P: Platform>(
    word: &'s P::Word,
    awaited: &mut Vec<Expect<'s, P::Word>>,
    check: impl FnOnce() -> Readiness,
) -> Readiness {
    // ORDERING: Relaxed, then the fence. Models:
    // `wait_any::without_fences_an_item_and_a_waiter_miss_each_other` and its kin.
    let value = word.fetch_or(WAITERS, Relaxed) | WAITERS;
    P::fence(SeqCst);
    let readiness = check();
    if readiness != Readiness::Ready {
        awaited.push(Expect { word, value });
    }
    readiness
}

/// A primitive, and what is wanted of it. See the [module](self).
pub trait Source<P: Platform>: Debug {
    /// Whether it is ready.
    fn is_ready(&self, me: Participant<'_, P>) -> bool;

    /// Does what a waiter does before it sleeps, and checks. If it is not ready, the words to sleep
    /// on are added to `awaited`.
    fn announce<'s>(&'s self, me: Participant<'s, P>, awaited: &mut Vec<Expect<'s, P::Word>>) -> Readiness;

    /// Adds the words to sleep on to `awaited`, as they are. Announces nothing, and checks nothing.
    fn observe<'s>(&'s self, me: Participant<'s, P>, awaited: &mut Vec<Expect<'s, P::Word>>);

    /// Wakes one more waiter, on behalf of a caller that slept and finds the source ready.
    fn wake_next(&self, me: Participant<'_, P>);

    /// On how many words a waiter sleeps, at most.
    fn words(&self) -> usize {
        1
    }

    /// Whether its word may come back to a value without WAITERS, after a waiter has announced
    /// itself. A word with a sequence does not.
    fn repeats(&self) -> bool {
        false
    }

    /// Whether a check may take long. The caller then does not check again and again while it
    /// spins: that could last far beyond its deadline.
    fn is_dear(&self) -> bool {
        false
    }

    /// A wait begins. It counts from now on if the source counts from a moment.
    fn begin(&self) {}

    /// Whether all waiters may go on if one may.
    fn is_for_all(&self) -> bool {
        false
    }
}

/// A source, and the caller as a participant of its segment.
#[derive(Debug)]
pub struct Of<'s, P: Platform> {
    /// The caller.
    pub me: Participant<'s, P>,
    /// The source.
    pub source: &'s dyn Source<P>,
}

/// Why no source is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotReady {
    /// None was ready by the deadline.
    TimedOut,
    /// None was ready when the caller was [interrupted](crate::interruptible).
    Interrupted,
    /// There is no source.
    NoSource,
    /// The sources have too many words for one wait.
    TooMany {
        /// How many words they have.
        words: usize,
        /// How many they can have.
        most: usize,
    },
}

from_ended! { NotReady }

/// The most words that the sources of one wait can have.
pub fn most_words<P: Platform>() -> usize {
    P::MOST_WORDS / 2
}

/// The first source that is ready, from `start` on. Never waits.
///
/// # If a process dies
/// As [`wait_any`]. A caller that tries again and again reaps, as a sleeper does.
pub fn try_any<P: Platform>(sources: &[Of<'_, P>], start: usize) -> Option<usize> {
    first_ready(sources, start).or_else(|| try_any_slow(sources, start))
}

#[cold]
fn try_any_slow<P: Platform>(sources: &[Of<'_, P>], start: usize) -> Option<usize> {
    let now = P::now();
    // In each segment the first of its sources reaps. Then it is not due any more.
    let reaped = sources.iter().filter(|of| of.me.table.reap_lost_if_due(now)).count();
    if reaped > 0 { first_ready(sources, start) } else { None }
}

fn first_ready<P: Platform>(sources: &[Of<'_, P>], start: usize) -> Option<usize> {
    order(sources, start).find(|index| sources[*index].source.is_ready(sources[*index].me))
}

/// Waits until a source is ready, and returns its index. Waits at most to `deadline`
/// ([`Platform::now`]'s clock; `None`: forever). If several are ready, the first one from `start`
/// on is returned.
///
/// # Errors
/// [`NotReady`].
///
/// # If a process dies
/// See the [module](self#what-a-foreign-waiter-owes-to-the-waiters-of-a-primitive).
pub fn wait_any<P: Platform>(
    sources: &[Of<'_, P>],
    start: usize,
    deadline: Option<Duration>,
) -> Result<usize, NotReady> {
    if sources.is_empty() {
        return Err(NotReady::NoSource);
    }
    let (words, most) = (sources.iter().map(|of| of.source.words()).sum(), most_words::<P>());
    if words > most {
        return Err(NotReady::TooMany { words, most });
    }
    let mut vigils = Vigils::new(callers(sources.iter()), deadline);
    let is_dear = sources.iter().any(|of| of.source.is_dear());
    loop {
        if let Some(index) = first_ready(sources, start) {
            return Ok(index);
        }
        if is_dear || !vigils.spin() {
            break;
        }
    }
    let mut awaited = Vec::with_capacity(words);
    let mut has_slept = false;
    loop {
        awaited.clear();
        let (mut first, mut is_ending) = (None, false);
        for index in order(sources, start) {
            let Of { me, source } = &sources[index];
            match source.announce(*me, &mut awaited) {
                Readiness::Ready => {
                    first = first.or(Some(index));
                    if !has_slept {
                        break;
                    }
                    source.wake_next(*me); // rule 3
                }
                Readiness::Unready => {}
                Readiness::Ending => is_ending = true,
            }
        }
        if let Some(index) = first {
            return Ok(index);
        }
        has_slept |= vigils.sleep(&awaited, is_ending)?;
    }
}

fn order<P: Platform>(sources: &[Of<'_, P>], start: usize) -> impl Iterator<Item = usize> + use<P> {
    let count = sources.len();
    (0..count).map(move |index| (start % count + index) % count)
}

/// The caller in each of the segments, once.
fn callers<'a, 's: 'a, P: Platform>(sources: impl Iterator<Item = &'a Of<'s, P>>) -> Vec<Participant<'s, P>> {
    let mut callers: Vec<Participant<'s, P>> = vec![];
    for of in sources {
        if !callers.iter().any(|known| core::ptr::eq(known.table.membership, of.me.table.membership)) {
            callers.push(of.me);
        }
    }
    callers
}

/// The death of a participant. Ready if it is dead, or if there never was such a participant.
#[derive(Debug, Clone, Copy)]
pub struct Death(pub Id);

impl<P: Platform> Source<P> for Death {
    fn is_ready(&self, me: Participant<'_, P>) -> bool {
        !me.table.is_alive(self.0)
    }

    fn announce<'s>(&'s self, me: Participant<'s, P>, awaited: &mut Vec<Expect<'s, P::Word>>) -> Readiness {
        // The values come first. If the participant is alive after that, they are its own, or those
        // of its predecessor, which are refused.
        let Some((slot, values)) = me.table.slot(self.0).and_then(|slot| Some((slot, slot.armed()?))) else {
            return Readiness::Ready;
        };
        if !me.table.is_alive(self.0) {
            return Readiness::Ready;
        }
        push_lifelines(slot, values, awaited);
        Readiness::Unready
    }

    fn observe<'s>(&'s self, me: Participant<'s, P>, awaited: &mut Vec<Expect<'s, P::Word>>) {
        if let Some((slot, values)) = me.table.slot(self.0).and_then(|slot| Some((slot, slot.armed()?))) {
            push_lifelines(slot, values, awaited);
        }
    }

    /// All, as rule 2 of the [vigil](super::vigil) demands.
    fn wake_next(&self, me: Participant<'_, P>) {
        for lifeline in me.table.slot(self.0).into_iter().flat_map(|slot| slot.lifelines()) {
            // EQUIVALENT(all to one): each that is woken wakes the next, as in `Vigil::cascade`.
            P::wake(lifeline.word(), u32::MAX);
        }
    }

    fn words(&self) -> usize {
        2
    }

    fn is_for_all(&self) -> bool {
        true
    }
}

fn push_lifelines<'s, P: Platform>(slot: &'s Slot<P>, values: [u32; 2], awaited: &mut Vec<Expect<'s, P::Word>>) {
    for (lifeline, value) in slot.lifelines().iter().zip(values) {
        if value != 0 {
            awaited.push(Expect { word: lifeline.word(), value });
        }
    }
}

mod attended;

#[cfg(test)]
mod tests;
