//! The sleep of a caller that waits for several primitives, which may lie in several segments.

use super::{Ended, Vigil, WHILE_ENDING, earlier};
use crate::platform::{Expect, Platform, ThreadInfo, Word};
use crate::raw::table::Participant;
use core::sync::atomic::Ordering::Relaxed;
use core::time::Duration;

/// One [vigil](super) for each segment, of one caller.
///
/// All rules of the vigil hold in each segment: the caller watches the lifelines of everybody there
/// and the membership, and wakes all others on a lifeline that has changed. The words of one wait
/// are shared out. The awaited words come first. The segments share the rest equally; what one of
/// them does not need is left to those after it.
#[derive(Debug)]
pub(in crate::raw) struct Vigils<'t, P: Platform> {
    /// The first one has the deadline, the first phase and the interruptions.
    vigils: Vec<Vigil<'t, P>>,
}

impl<'t, P: Platform> Vigils<'t, P> {
    /// Begins the wait of a caller, which is each of these participants: one or more, each in
    /// another segment. `deadline` is on [`Platform::now`]'s clock; `None` waits forever.
    pub(in crate::raw) fn new(callers: Vec<Participant<'t, P>>, deadline: Option<Duration>) -> Self {
        Self { vigils: callers.into_iter().map(|me| Vigil::new(me, deadline)).collect() }
    }

    /// Spins once, and returns true. Returns false if the caller has spun often enough.
    pub(in crate::raw) fn spin(&mut self) -> bool {
        self.vigils[0].spin()
    }

    /// Sleeps as long as all the `awaited` words are as expected, and no watched participant dies.
    /// There is one of them at least. If `is_brief`, the sleep is that of
    /// [`Vigil::sleep_briefly`].
    ///
    /// To be called in a loop, as [`Vigil::sleep`]. Returns whether the caller may have slept.
    ///
    /// # Errors
    /// [`Ended`].
    pub(in crate::raw) fn sleep(&mut self, awaited: &[Expect<'_, P::Word>], is_brief: bool) -> Result<bool, Ended> {
        let now = P::now();
        if let Some(end) = self.vigils[0].end(now) {
            // As `Vigil::sleep` does, in each segment.
            let mut has_looked = false;
            for vigil in &mut self.vigils {
                has_looked |= core::mem::take(&mut vigil.may_reap) && vigil.me.table.reap_lost_if_due(now);
            }
            return if has_looked { Ok(false) } else { Err(end) };
        }
        for vigil in &mut self.vigils {
            vigil.begun.get_or_insert(now);
        }
        if is_brief {
            self.vigils.iter_mut().for_each(|vigil| vigil.watch = None); // no lifeline is slept on
            self.wait(awaited, Some(now + WHILE_ENDING));
        } else if self.vigils[0].is_in_first_phase(now) {
            let recheck = if P::watches_many() { None } else { P::recheck().map(|bound| now + bound) };
            self.wait(awaited, earlier(recheck, self.vigils[0].first_phase_ends));
        } else {
            return Ok(self.keep(awaited, now));
        }
        Ok(true)
    }

    /// The second phase: rules 1 and 2 of the [vigil](super), in each segment. Returns whether the
    /// caller slept.
    fn keep(&mut self, awaited: &[Expect<'_, P::Word>], now: Duration) -> bool {
        for vigil in &self.vigils {
            vigil.me.table.reap_lost_if_due(now);
        }
        if self.vigils.iter().any(|vigil| vigil.watch.is_none()) {
            self.collect(awaited.len());
            return false;
        }
        let rechecks = self.vigils.iter().filter_map(|vigil| vigil.recheck_at(vigil.watch.as_ref()?.asleep, now));
        let recheck = rechecks.min();
        self.wait(awaited, recheck);
        let mut has_come = false;
        for vigil in &mut self.vigils {
            if let Some(watch) = vigil.watch.take() {
                vigil.cascade(&watch.lifelines);
                // ORDERING: Relaxed; as in `Vigil::sleep_on_any`, a wrong answer costs time alone.
                // EQUIVALENT(taken as equal): the length of the first phase decides only how soon
                // everybody is watched, and what that costs.
                has_come |= vigil.me.table.membership.load(Relaxed) != watch.membership;
            }
        }
        if has_come {
            self.vigils[0].lengthen_first_phase();
        }
        true
    }

    /// Collects in each segment, beside so many awaited words.
    fn collect(&mut self, awaited: usize) {
        let segments = self.vigils.len();
        let mut room = P::most_words().saturating_sub(awaited + segments);
        for (before, vigil) in self.vigils.iter_mut().enumerate() {
            let watch = vigil.collect_within(None, room / (segments - before));
            room -= watch.lifelines.length;
            vigil.watch = Some(watch);
        }
    }

    /// Sleeps on the awaited words, and on what is watched; and notes that in each segment.
    fn wait(&self, awaited: &[Expect<'_, P::Word>], until: Option<Duration>) {
        let lead = &self.vigils[0];
        let watched = self.vigils.iter().filter_map(|vigil| Some((vigil, vigil.watch.as_ref()?)));
        let watched = watched.flat_map(|(vigil, watch)| {
            let membership = Expect { word: vigil.me.table.membership, value: watch.membership };
            [membership].into_iter().chain(vigil.expected(&watch.lifelines))
        });
        let most = if P::watches_many() { P::most_words() } else { 1 };
        let words = awaited.iter().copied().chain(watched).take(most);
        self.note(awaited.first().map(|expect| expect.word));
        lead.wait_on_words(words, earlier(lead.deadline, until));
        self.note(None);
    }

    fn note(&self, word: Option<&P::Word>) {
        for slot in self.vigils.iter().filter_map(|vigil| vigil.me.table.slot(vigil.me.id)) {
            slot.thread().note_waiting(word);
        }
    }
}
