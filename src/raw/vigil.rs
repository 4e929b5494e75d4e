//! The vigil: whoever sleeps for long, sleeps on everybody's lifeline.
//!
//! A sleeper waits, in one wait, on the one awaited word of its primitive, on the membership word
//! of the segment, and on the lifelines of the others. So any death in the segment makes every
//! sleeper look at its primitive again, and decide anew. What a dead process took along (a wake
//! that it should have given, or was given, a turn) need not be known, recorded or passed on: the
//! living look again.
//!
//! Why it holds, for any number of deaths: for a sleeper, each other participant was either dead
//! before its last look, or is watched by it. The kernel wakes **one** on a cut lifeline. That one
//! wakes all the others there before it does anything else, or dies; its own death is watched by
//! them, and the kernel wakes the next.
//!
//! # The rules (for each, a model in `models/tests/vigil.rs` fails without it)
//!
//! 1. **Collect, look again, wait**, in this order, with the collected values as the expected ones.
//!    A look before the collection misses a death between.
//! 2. **Cascade**: after every return, whatever caused it, wake all on each watched lifeline that
//!    has changed.
//! 3. **Everybody** is watched, not the holder alone: after a hand-over the new holder would be
//!    watched by nobody.
//! 4. **Membership** is watched and read before the slots, so that newcomers are watched, too.
//! 5. Who gives up makes the same last look as if woken: it may have been given the only wake
//!    ([`Ended`]).
//!
//! # Two phases
//!
//! Most sleeps are short. For the [first phase](Platform::first_phase) a sleeper watches its word
//! and the holder's lifelines alone: a tenth of the price. If processes come and go while it waits,
//! that phase grows, up to 32 ms, so that sleepers do not spend their time on arming anew.
//!
//! # Limits
//!
//! One wait takes 128 words. As long as they suffice, everybody is watched: about 60 threads, or
//! 126 if all are their processes' main ones. If there are more, the holder is watched, and one
//! representative thread for each other *process*, since its threads die together when it is
//! killed. What is not watched then (a thread that ends by itself with a hold, after a hand-over;
//! processes beyond the 128 words) is left to the net.
//!
//! # The net
//!
//! Once in a [`Platform::recheck`] (one second) one of all who wait looks
//! [slowly](super::table::reap), for all: it frees the slots of the dead, and tells everybody. It
//! does so also where the kernel has marked a death, since those whom the kernel woke may be
//! stopped, or may be none.
//!
//! A sleeper wakes once in a second to see whether that look is due. Where many sleep, they share
//! this duty: of 64 or more each wakes once in four seconds, at a moment of its own, so that at
//! least sixteen of them wake in each second. If nearly all the others have left meanwhile, the
//! look may come up to four seconds late.
//!
//! Without one wait for many words the recheck is 20 ms, and is the sleeper's own: nothing else can
//! wake it. It grows to an eighth of the time waited, and at most to 80 ms.
//!
//! # Why more than 128 words are not watched exactly
//!
//! A sleeper can watch about 126 processes. If it sleeps alone among 1,000, nobody else sleeps who
//! could watch the rest for it, and the kernel wakes nobody for a lifeline on which nobody waits.
//! So no division of labour among sleepers is exact: groups that watch themselves and one word of
//! each other group, a ring in which each watches its successors, a watcher by name. All of them
//! fail when the last sleeper of a group goes on with its work: it must find another who takes its
//! place, among threads that do not sleep.
//!
//! Only more words for one sleeper would do. Each way to have them was looked at:
//!
//! - io_uring (`IORING_OP_FUTEX_WAITV`, Linux 6.7) takes several waits at once. It needs a ring and
//!   its descriptor in each thread that sleeps, and containers' default filters refuse it: it could
//!   not be relied on.
//! - `poll` on a pidfd for each process sees no thread's end, costs a descriptor for each pair of
//!   processes, and leaves out those of other PID namespaces.
//! - A thread in each process that only watches would sleep always, and so could stand for its
//!   group. Then the crate would start threads behind its user's back, which a fork does not copy,
//!   and whose death must be watched in turn.
//!
//! So what is beyond is told within a second, by the net; and the holder, whom one waits for, is
//! watched always.
//!
//! # Ways that do not work
//!
//! Each was found by a model or an experiment, and should not be gone again without a new idea.
//!
//! - Watching only the holder that was there when one fell asleep: rule 3; one death and three
//!   threads hang.
//! - Passing wakes on by the robust list's `list_op_pending`: such a wake is lost on a waiter that
//!   is not queued yet, is in a signal handler, or is stopped; there is one such pointer for a
//!   thread; and a producer that dies before it notifies passes nothing on.
//! - `list_op_pending` at a lock word: the kernel compares the low 30 bits with the dying thread's
//!   id, and would mark a hold whose number happened to be equal.
//! - "The wake found nobody, so clear WAITERS": loses a wake without any death.
//! - Reading a meaning into the index that `futex_waitv` returns: wakes on its other words are
//!   swallowed meanwhile.

use super::hold::Id;
use super::table::{Membership, Participant, is_owned};
use crate::platform::{Expect, Lifeline, Platform, ThreadInfo, Word};
use core::cell::Cell;
use core::sync::atomic::Ordering::{Acquire, Relaxed};
use core::time::Duration;

/// How long a sleep is while a process is ending.
const WHILE_ENDING: Duration = Duration::from_micros(100);

/// The longest that the first phase grows to.
const LONGEST_FIRST_PHASE: Duration = Duration::from_millis(32);

/// With one wait for many words: each so many sleepers, of all that are watched, look again once in
/// a period, together.
const SLEEPERS_FOR_EACH_RECHECK: u32 = 16;

/// Without it: a sleep lasts this part of the time that was waited already.
const WAITED_FOR_EACH_RECHECK: u32 = 8;

/// The longest sleep without a cause, in [rechecks](Platform::recheck).
const MOST_SHARED: u32 = 4;

/// Why a caller is to give up. It has checked the primitive after that had come true.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The deadline has passed.
    TimedOut,
    /// The caller was [interrupted](Platform::wait_interruptibly). A vigil
    /// [to the end](Vigil::to_the_end) never gives this.
    Interrupted,
}

/// What one waits for to change. One vigil serves one operation from its first sleep to its end.
#[derive(Debug)]
pub struct Vigil<'t, P: Platform> {
    me: Participant<'t, P>,
    deadline: Option<Duration>,
    first_phase: Option<Duration>,
    first_phase_ends: Option<Duration>,
    /// When the first sleep began.
    begun: Option<Duration>,
    watch: Option<Watch>,
    /// How many times [`wait_while`](Self::wait_while) spins before it sleeps.
    spins: u32,
    /// Its first sleep watches nobody.
    is_first_alone: bool,
    /// Nobody has looked slowly since the deadline, for this operation.
    may_reap: bool,
    /// An interruption ends it.
    is_interruptible: bool,
    /// There was one, while it could.
    is_interrupted: Cell<bool>,
}

/// The words of one wait, at most as many as the platform takes.
#[derive(Debug)]
struct Watch {
    membership: u32,
    lifelines: List<Watched>,
    /// How many participants these are the lifelines of, where they are those of everybody.
    everybody: Option<usize>,
    /// How many of the others were asleep.
    asleep: u32,
}

/// A lifeline of a slot, and its value. A quarter of the length of an [`Expect`]: a list of them
/// lies on the stack of whoever sleeps.
#[derive(Debug, Clone, Copy, Default)]
struct Watched {
    slot: u16,
    line: u8,
    value: u32,
}

#[derive(Debug)]
struct List<T, const N: usize = 128> {
    items: [T; N],
    length: usize,
    limit: usize,
}

impl<T: Copy + Default, const N: usize> List<T, N> {
    fn new(limit: usize) -> Self {
        Self { items: [T::default(); N], length: 0, limit: limit.min(N) }
    }
    fn has_room_for(&self, more: usize) -> bool {
        self.length + more <= self.limit
    }
    /// Adds an item, if there is room.
    fn push(&mut self, item: T) {
        if self.has_room_for(1) {
            self.items[self.length] = item;
            self.length += 1;
        }
    }
    fn iter(&self) -> impl Iterator<Item = T> + '_ {
        self.items[..self.length].iter().copied()
    }
}

impl<'t, P: Platform> Vigil<'t, P> {
    /// Begins. `deadline` is on [`Platform::now`]'s clock; `None` waits for ever.
    pub fn new(me: Participant<'t, P>, deadline: Option<Duration>) -> Self {
        Self {
            me,
            deadline,
            first_phase: P::first_phase(),
            first_phase_ends: None,
            begun: None,
            watch: None,
            spins: P::SPINS,
            is_first_alone: false,
            may_reap: true,
            is_interruptible: true,
            is_interrupted: Cell::new(false),
        }
    }

    /// The vigil of a caller that was woken while another participant held the lock. The two are
    /// likely to wait for the same processor. So it does not spin. Its first sleep is short as a
    /// rule, and watches nobody, which costs half. No interruption and no deadline ends it.
    pub(super) fn to_lock_again(me: Participant<'t, P>) -> Self {
        Self { spins: 0, is_first_alone: true, ..Self::new(me, None).to_the_end() }
    }

    /// One that no interruption ends: for what cannot be given up.
    #[must_use]
    pub fn to_the_end(mut self) -> Self {
        self.set_interruptible(false);
        self
    }

    /// Whether an interruption ends it from now on: one that there was before, too.
    pub(super) fn set_interruptible(&mut self, is_interruptible: bool) {
        self.is_interruptible = is_interruptible;
    }

    /// Sleeps on `awaited` as long as it is `value`, and nobody dies who matters. `holder` is whom
    /// the caller waits for, if it waits for somebody.
    ///
    /// To be called in a loop, after a look at the primitive that found it not to be had, and
    /// (where the primitive has such a flag) after WAITERS was set. Some calls return at once: the
    /// caller looks, and calls again.
    pub fn sleep(&mut self, awaited: &P::Word, value: u32, holder: Option<Id>) -> Result<(), Ended> {
        self.sleep_on_any(Expect { word: awaited, value }, &[], holder)
    }

    /// [`sleep`](Self::sleep) on `awaited`, and on as many `others` as there is room for beside
    /// everybody's lifelines, as long as all are as expected.
    pub(crate) fn sleep_on_any(
        &mut self,
        awaited: Expect<'_, P::Word>,
        others: &[Expect<'_, P::Word>],
        holder: Option<Id>,
    ) -> Result<(), Ended> {
        let now = P::now();
        if let Some(end) = self.end(now) {
            // Here, too: whoever waits in slices, or is interrupted often, may never come any
            // further. Once: `table::reap` says why.
            let has_looked = core::mem::take(&mut self.may_reap) && self.me.table.reap_lost_if_due(now);
            return if has_looked { Ok(()) } else { Err(end) };
        }
        self.begun.get_or_insert(now);
        if self.is_in_first_phase(now) {
            self.sleep_in_first_phase(awaited, others, holder, now);
            return Ok(());
        }
        // Before the wait, and not after it: who was woken has no time to lose.
        self.me.table.reap_lost_if_due(now);
        let Some(watch) = self.watch.take() else {
            if let Some(slot) = holder.and_then(|holder| self.me.table.slot(holder)) {
                P::prepare_for_end(slot.thread());
            }
            self.watch = Some(self.collect(holder));
            return Ok(());
        };
        self.wait_until_recheck(awaited, others, &watch, now);
        // ORDERING: Relaxed; a wrong answer costs time alone.
        // EQUIVALENT(taken as equal): the length of the first phase decides how soon everybody is
        // watched, and what that costs; whatever it is, it ends by itself.
        if self.first_phase.is_some() && self.me.table.membership.load(Relaxed) != watch.membership {
            self.lengthen_first_phase();
        }
        Ok(())
    }

    /// Collects now, for one [`sleep_once`](Self::sleep_once).
    ///
    /// Where the look is the user's, as with a condition variable's predicate, it cannot be
    /// repeated between collection and sleep. It was made under a lock that is released after this;
    /// so whatever changes what was seen is done later, by one who is watched.
    pub fn watch_from_now(&mut self) {
        self.watch = Some(self.collect(None));
    }

    /// Sleeps on `awaited` as long as it is `value`; whatever ends it is for the user to look at.
    ///
    /// For a [first phase](Platform::first_phase), which tells of no death, and after
    /// [`watch_from_now`](Self::watch_from_now) longer, as long as nobody has died or come since.
    /// With neither it returns at once.
    pub fn sleep_once(&mut self, awaited: &P::Word, value: u32) -> Result<(), Ended> {
        let awaited = Expect { word: awaited, value };
        let mut now = P::now();
        if let Some(length) = self.first_phase {
            let ends = earlier(self.deadline, Some(now + length));
            if !self.is_over(now) {
                self.wait_on_words([awaited].into_iter(), ends); // not noted: too short for people to see
                now = P::now();
            }
            // ORDERING: Relaxed; a value too old only leads to a second wait, which the kernel
            // refuses.
            // EQUIVALENT(taken as equal): for the same reason; the second wait does not begin.
            let is_woken = awaited.word.load(Relaxed) != value || ends.is_some_and(|ends| now < ends);
            if is_woken && !self.is_interrupted.get() {
                return Ok(());
            }
        }
        if let Some(watch) = self.watch.as_ref().filter(|_| self.end(now).is_none()) {
            self.me.table.reap_lost_if_due(now);
            self.wait_until_recheck(awaited, &[], watch, now);
            now = P::now();
        }
        let Some(end) = self.end(now) else { return Ok(()) };
        self.me.table.reap_lost_if_due(now); // for the same reason as in `sleep`
        Err(end)
    }

    /// Sleeps for a moment on a word that names a dead holder whose process is still
    /// [ending](Platform::is_ending). Nothing tells when that is over.
    pub(super) fn sleep_briefly(&mut self, word: &P::Word, value: u32) -> Result<(), Ended> {
        let now = P::now();
        if let Some(end) = self.end(now) {
            return Err(end);
        }
        self.wait_on_words([Expect { word, value }].into_iter(), earlier(self.deadline, Some(now + WHILE_ENDING)));
        Ok(())
    }

    /// Why the caller is to give up, if it is.
    fn end(&self, now: Duration) -> Option<Ended> {
        if self.is_over(now) {
            return Some(Ended::TimedOut);
        }
        (self.is_interruptible && self.is_interrupted.get()).then_some(Ended::Interrupted)
    }

    /// Whether the deadline has passed.
    pub(super) fn is_over(&self, now: Duration) -> bool {
        self.deadline.is_some_and(|deadline| deadline <= now)
    }

    fn is_in_first_phase(&mut self, now: Duration) -> bool {
        let Some(length) = self.first_phase else {
            return false;
        };
        let ends = *self.first_phase_ends.get_or_insert(now + length);
        now < ends
    }

    fn lengthen_first_phase(&mut self) {
        self.first_phase = self.first_phase.map(|length| (length * 2).min(LONGEST_FIRST_PHASE));
        self.first_phase_ends = None;
    }

    /// The first phase's sleep: on the awaited and the holder.
    fn sleep_in_first_phase(
        &self,
        awaited: Expect<'_, P::Word>,
        others: &[Expect<'_, P::Word>],
        holder: Option<Id>,
        now: Duration,
    ) {
        // Where the lifelines cannot be watched, no sleep is longer than a recheck, this one
        // included.
        let recheck = if P::watches_many() { None } else { P::recheck().map(|bound| now + bound) };
        let until = earlier(recheck, earlier(self.deadline, self.first_phase_ends));
        let mut lifelines = List::<_, 2>::new(2);
        // What is marked is not watched: the caller's next look finds it, and the awaited word
        // still guards this sleep.
        // EQUIVALENT(patch the holder is not watched): this sleep ends by itself, with the first
        // phase. Watched is the holder so that its death is noticed at once, and not when it is
        // over.
        let alive = holder.is_none_or(|holder| self.push_lifelines(&mut lifelines, holder.index()));
        if alive {
            self.wait_on(awaited, self.expected(&lifelines).chain(others.iter().copied()), until);
            self.cascade(&lifelines);
        }
    }

    /// Rule 1: reads the membership, then the lifelines that are alive.
    #[inline(never)] // its lists are off the stack when the sleep begins
    fn collect(&self, holder: Option<Id>) -> Watch {
        let table = self.me.table;
        // ORDERING: Acquire. Pairs with a newcomer's change of it: who reads the new value finds
        // its lifeline armed.
        let membership = table.membership.load(Acquire);
        let used = Membership(membership).used();
        let mut watch = Watch { membership, lifelines: List::new(P::most_words() - 2), everybody: None, asleep: 0 };
        if !self.everybody(holder, used, &mut watch) {
            watch.lifelines = self.one_of_each_process(holder, used);
        }
        watch.asleep = self.asleep(&watch.lifelines);
        watch
    }

    /// How many of those who are watched sleep, too.
    fn asleep(&self, lifelines: &List<Watched>) -> u32 {
        let owners = lifelines.iter().filter(|watched| watched.line == 0);
        let slots = owners.filter_map(|watched| self.me.table.slots.get(usize::from(watched.slot)));
        slots.map(|slot| u32::from(slot.thread().is_waiting())).sum()
    }

    /// Lists the lifelines of all who live. False if they are too many for one wait.
    fn everybody(&self, holder: Option<Id>, used: usize, watch: &mut Watch) -> bool {
        let mut count = 0;
        for index in self.others(holder, used) {
            if !watch.lifelines.has_room_for(2) {
                return false;
            }
            count += usize::from(self.push_lifelines(&mut watch.lifelines, index));
        }
        watch.everybody = Some(count);
        true
    }

    /// The holder's lifelines, and those of one thread of each other process, as many as fit.
    fn one_of_each_process(&self, holder: Option<Id>, used: usize) -> List<Watched> {
        let mut lifelines = List::new(P::most_words() - 2);
        let mut processes = List::<u32, 128>::new(P::MOST_WORDS);
        processes.push(self.me.process());
        for index in self.others(holder, used) {
            let process = self.me.table.slots[index].thread().process();
            let is_the_holder = holder.is_some_and(|holder| holder.index() == index);
            if !is_the_holder && processes.iter().any(|seen| seen == process) {
                continue;
            }
            if !lifelines.has_room_for(2) {
                break; // the net covers the rest, as the module says
            }
            if self.push_lifelines(&mut lifelines, index) && !is_the_holder {
                processes.push(process);
            }
        }
        lifelines
    }

    /// Those of the first `used` slots that somebody else has, the holder's first, if there is a
    /// holder and its slot.
    fn others(&self, holder: Option<Id>, used: usize) -> impl Iterator<Item = usize> + '_ {
        let slots = self.me.table.slots;
        let slots = &slots[..used.min(slots.len())];
        let first = holder.map(Id::index).filter(|index| *index < slots.len());
        let rest = (0..slots.len()).filter(move |index| {
            // ORDERING: Acquire. Who is marked is not watched, but then the next look must find all
            // that it wrote. Model: `vigil::a_deed_without_news_is_seen`.
            *index != self.me.id.index()
                && Some(*index) != first
                && is_owned(slots[*index].lifelines()[0].word().load(Acquire))
        });
        first.into_iter().chain(rest)
    }

    /// Adds the lifelines of a slot whose owner lives. False if it is dead.
    fn push_lifelines<const N: usize>(&self, list: &mut List<Watched, N>, index: usize) -> bool {
        let Some(slot) = self.me.table.slots.get(index) else {
            return false;
        };
        // A mark is seen with all that the dead wrote before it (Acquire).
        let Some(values) = slot.armed() else {
            return false;
        };
        for (line, value) in (0..).zip(values) {
            if value != 0 {
                list.push(Watched { slot: index as u16, line, value });
            }
        }
        true
    }

    /// The words of a list, and what they are to contain.
    fn expected<'l, const N: usize>(&'l self, list: &'l List<Watched, N>) -> impl Iterator<Item = Expect<'l, P::Word>> {
        let slots = self.me.table.slots;
        list.iter().filter_map(move |Watched { slot, line, value }| {
            let lifeline = slots.get(usize::from(slot))?.lifelines().get(usize::from(line))?;
            Some(Expect { word: lifeline.word(), value })
        })
    }

    /// The second phase's sleep, with the net under it.
    fn wait_until_recheck(
        &self,
        awaited: Expect<'_, P::Word>,
        others: &[Expect<'_, P::Word>],
        watch: &Watch,
        now: Duration,
    ) {
        self.wait(awaited, others, watch, earlier(self.deadline, self.recheck_at(watch.asleep, now)));
    }

    /// When a sleep that begins now ends without a cause, if `asleep` others sleep, too.
    fn recheck_at(&self, asleep: u32, now: Duration) -> Option<Duration> {
        let shortest = P::recheck()?;
        if !P::watches_many() {
            let waited = self.begun.map_or(Duration::ZERO, |begun| now.saturating_sub(begun));
            return Some(now + (waited / WAITED_FOR_EACH_RECHECK).clamp(shortest, shortest * MOST_SHARED));
        }
        let shared = (asleep / SLEEPERS_FOR_EACH_RECHECK).clamp(1, MOST_SHARED);
        Some(if shared == 1 { now + shortest } else { turn(self.me.id.index(), shortest, shared, now) })
    }

    fn wait(
        &self,
        awaited: Expect<'_, P::Word>,
        others: &[Expect<'_, P::Word>],
        watch: &Watch,
        until: Option<Duration>,
    ) {
        let membership = Expect { word: self.me.table.membership, value: watch.membership };
        let watched = [membership].into_iter().chain(self.expected(&watch.lifelines)).chain(others.iter().copied());
        self.wait_on(awaited, watched, until);
        // With one other participant, and no newcomer, nobody else can sleep on its lifeline: a
        // system call less on the way from a death to the next holder.
        // ORDERING: Relaxed; whoever slept on it before the death had changed the membership
        // before, and the wait has made that as new as its wake.
        let is_of_two = watch.everybody == Some(1) && self.me.table.membership.load(Relaxed) == watch.membership;
        if !is_of_two {
            self.cascade(&watch.lifelines);
        }
    }

    /// Sleeps on as many words as one wait takes, awaited first.
    fn wait_on<'w>(
        &self,
        awaited: Expect<'w, P::Word>,
        rest: impl Iterator<Item = Expect<'w, P::Word>>,
        until: Option<Duration>,
    ) where
        P::Word: 'w,
    {
        let most = if P::watches_many() { P::most_words() } else { 1 };
        self.noting(awaited.word, || self.wait_on_words([awaited].into_iter().chain(rest).take(most), until));
    }

    /// Sleeps, and says so in the slot, for people who look.
    fn noting(&self, word: &P::Word, sleep: impl FnOnce()) {
        let slot = self.me.table.slot(self.me.id);
        if let Some(slot) = slot {
            slot.thread().note_waiting(Some(word));
        }
        sleep();
        if let Some(slot) = slot {
            slot.thread().note_waiting::<P::Word>(None);
        }
    }

    /// Sleeps, and keeps in mind whether it was interrupted.
    fn wait_on_words<'w>(&self, words: impl Iterator<Item = Expect<'w, P::Word>>, until: Option<Duration>)
    where
        P::Word: 'w,
    {
        if !self.is_interruptible {
            P::wait(words, until);
        } else if P::wait_interruptibly(words, until) {
            self.is_interrupted.set(true);
        }
    }

    /// Rule 2: the kernel has woken one on each lifeline that it cut; we wake the others.
    fn cascade<const N: usize>(&self, lifelines: &List<Watched, N>) {
        for lifeline in self.expected(lifelines) {
            // ORDERING: Relaxed; nothing is read on the strength of it, and the wait has made it as
            // new as its wake.
            if lifeline.word.load(Relaxed) != lifeline.value {
                // EQUIVALENT(all to one): each of them that returns finds the word changed and
                // wakes the next, or dies watched by the rest; or, if it sleeps on the word of a
                // successor, it is awake because of that one's announcement, which wakes all. So
                // they would wake in turn, instead of at once.
                P::wake(lifeline.word, u32::MAX);
            }
        }
    }
}

/// The next of the moments that a slot has for itself, `shared` periods away from each other. Those
/// of different slots are spread evenly, whenever their owners fell asleep.
fn turn(slot: usize, period: Duration, shared: u32, now: Duration) -> Duration {
    const GOLDEN_RATIO: u64 = 0x9e37_79b9_7f4a_7c15; // its multiples, modulo one, leave no large gap (Knuth, TAOCP 3, 6.4)
    let cycle = u64::try_from((period * shared).as_nanos()).unwrap_or(u64::MAX).max(1);
    let place = ((u128::from((slot as u64).wrapping_mul(GOLDEN_RATIO)) * u128::from(cycle)) >> 64) as u64;
    let into = (now.as_nanos() % u128::from(cycle)) as u64;
    let to_go = if place > into { place - into } else { cycle - into + place };
    now + Duration::from_nanos(to_go)
}

fn earlier(a: Option<Duration>, b: Option<Duration>) -> Option<Duration> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

mod step;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod waits;
