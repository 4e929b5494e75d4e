//! The vigil: a participant that sleeps for long sleeps on the lifelines of all others.
//!
//! A sleeper waits, in one wait, on three kinds of words: the *awaited* word of its primitive, the
//! membership word of the segment, and the lifelines of the other participants. So any death in the
//! segment makes every sleeper check its primitive again and decide anew. With a dead participant a
//! wake may be lost: one that it should have given, or one that it was given. Nobody need know,
//! record or pass on such a wake, because the living check again.
//!
//! Why this holds, for any number of deaths: each other participant was either dead before the
//! sleeper's last check, or the sleeper watches it. The kernel wakes **one** sleeper on a cut
//! lifeline. Before that sleeper does anything else, it wakes all other sleepers on the lifeline.
//! If it dies before that, its own lifeline is cut. The others watch that lifeline, too, and the
//! kernel wakes one of them.
//!
//! # The rules (for each, a model in `models/tests/vigil.rs` fails without it)
//!
//! 1. **Collect, check again, wait**, in this order. The collected values are the expected ones. A
//!    check before the collection misses a death in between.
//! 2. **Cascade**: after every return from a wait, whatever its cause, wake all sleepers on each
//!    watched lifeline that has changed. With two participants alone there is no other sleeper, and
//!    nothing to wake.
//! 3. Watch **everybody**, not the holder alone. Otherwise nobody watches the new holder after a
//!    hand-over.
//! 4. Watch the **membership**, and read it before the slots, so that newcomers are watched, too.
//! 5. A sleeper that gives up makes the same last check as a sleeper that was woken. For the
//!    sleeper that gives up may have been given the only wake ([`Ended`]).
//!
//! # Two phases
//!
//! Most sleeps are short. In the [first phase](Platform::first_phase) a sleeper watches only its
//! awaited word and the holder's lifelines. This costs a tenth of watching everybody. If processes
//! come and go while the sleeper waits, the phase grows, up to 32 ms. Otherwise sleepers would
//! spend their time on collecting anew.
//!
//! # Limits
//!
//! One wait takes 128 words. That is enough for everybody's lifelines if about 60 threads take
//! part, or 126 threads that are their processes' main threads. With more, a sleeper watches the
//! holder and one thread of each other *process*: the threads of a process die together when it is
//! killed. Two kinds of deaths are then noticed only by a recheck:
//!
//! - A thread gets the hold after the sleeper has fallen asleep, and ends by itself with the hold.
//! - A process dies for which the 128 words had no room.
//!
//! # The recheck
//!
//! Once in a [`Platform::recheck`] (one second) one participant, as a rule a waiter,
//! [reaps](super::table::reap) for all: it frees the slots of the dead and wakes everybody. It does
//! so even for a death that the kernel has marked, because the kernel may have woken a sleeper that
//! is stopped, or none.
//!
//! A sleeper wakes once a second to see whether reaping is due. Many sleepers share this duty. With
//! 64 or more, each wakes once in four seconds, at a moment of its own, so that at least sixteen of
//! them wake in each second. If nearly all others have left meanwhile, reaping may come up to four
//! seconds late.
//!
//! A platform may be unable to wait for many words at once. A sleeper then learns of most deaths
//! only at its own recheck, after 20 ms at first. The time to the next one grows to an eighth of
//! the time that the sleeper has waited, and to 80 ms at most.
//!
//! # Why more than 128 words are not watched exactly
//!
//! A sleeper can watch about 126 processes. Assume that it sleeps alone among 1,000. No other
//! sleeper can watch the rest for it, and the kernel wakes nobody for a lifeline on which nobody
//! waits. So no division of labour among sleepers is exact. Three were considered: groups that
//! watch themselves and one word of each other group; a ring in which each watches its successors;
//! one named sleeper that watches for others. All fail when the last sleeper of a group goes on
//! with its work: it would have to find a substitute among threads that do not sleep.
//!
//! Only more words for one sleeper would help. Each way to have them was considered:
//!
//! - io_uring (`IORING_OP_FUTEX_WAITV`, Linux 6.7) takes several waits at once. It needs a ring and
//!   its descriptor in each thread that sleeps. The default filters of containers refuse it, so
//!   nothing could rely on it.
//! - `poll` on a pidfd for each process does not notice the end of a thread. It costs a descriptor
//!   for each pair of processes, and cannot see processes of other PID namespaces.
//! - A thread in each process that only watches would always sleep, and could stand for its group.
//!   But the crate would start threads without the user's knowledge. A fork does not copy them, and
//!   their deaths would have to be watched in turn.
//!
//! So the recheck notices such a death within a second. The holder is always watched.
//!
//! # Ways that do not work
//!
//! A model or an experiment showed each of them to fail. Do not try one again without a new idea.
//!
//! - Watching only the participant that was the holder when the sleeper fell asleep (see rule 3).
//!   One death and three threads hang.
//! - Passing wakes on by the robust list's `list_op_pending`. Such a wake is lost on a waiter that
//!   is not queued yet, is in a signal handler, or is stopped. There is one such pointer for a
//!   thread. A producer that dies before it notifies passes nothing on.
//! - `list_op_pending` at a lock word. The kernel compares the low 30 bits with the dying thread's
//!   id, and would mark a hold that happens to have an equal number.
//! - "The wake found nobody, so clear WAITERS". It loses a wake without any death.
//! - Reading a meaning into the index that `futex_waitv` returns. It names one word only, and wakes
//!   on the other words would be lost.

use super::hold::Id;
use super::table::{Membership, Participant, is_owned};
use crate::platform::{Expect, Lifeline, Platform, ThreadInfo, Word};
use core::cell::Cell;
use core::sync::atomic::Ordering::{Acquire, Relaxed};
use core::time::Duration;
pub(super) use several::Vigils;
pub(super) use spins::Spins;

/// How long a sleep is while a process is ending.
const WHILE_ENDING: Duration = Duration::from_micros(100);

/// The longest that the first phase grows to.
const LONGEST_FIRST_PHASE: Duration = Duration::from_millis(32);

/// If one wait can watch many words: among this many watched sleepers, one rechecks in each period.
const SLEEPERS_FOR_EACH_RECHECK: u32 = 16;

/// If one wait cannot watch many words: a sleep lasts as long as the sleeper has waited so far,
/// divided by this.
const WAITED_FOR_EACH_RECHECK: u32 = 8;

/// The longest time after which a sleep ends though nothing has happened, in
/// [rechecks](Platform::recheck).
const MOST_SHARED: u32 = 4;

/// How long an operation may wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deadline {
    /// Not at all.
    Immediate,
    /// At most to this moment of [`Platform::now`]'s clock; `None`: forever, or to a moment further
    /// away than clocks count.
    By(Option<Duration>),
}

/// Why a caller is to give up. After the cause came true, the caller has checked the primitive once
/// more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The deadline has passed.
    TimedOut,
    /// The caller was [interrupted](Platform::wait_interruptibly). An
    /// [uninterruptible](Vigil::uninterruptible) vigil never gives this.
    Interrupted,
}

/// `From<Ended>` for the failure of an operation that sleeps, which has variants of the same names.
macro_rules! from_ended {
    ($failure:ident) => {
        impl From<$crate::raw::vigil::Ended> for $failure {
            fn from(ended: $crate::raw::vigil::Ended) -> Self {
                match ended {
                    $crate::raw::vigil::Ended::TimedOut => Self::TimedOut,
                    $crate::raw::vigil::Ended::Interrupted => Self::Interrupted,
                }
            }
        }
    };
}
pub(super) use from_ended;

/// The state of one operation's sleeps, from the first one to the operation's end.
#[derive(Debug)]
pub struct Vigil<'t, P: Platform> {
    me: Participant<'t, P>,
    deadline: Option<Duration>,
    first_phase: Option<Duration>,
    first_phase_ends: Option<Duration>,
    /// When the first sleep began.
    begun: Option<Duration>,
    watch: Option<Watch>,
    /// How the caller spins before it sleeps.
    spins: Spins<P>,
    /// The first sleep watches nobody.
    is_first_alone: bool,
    /// This operation has not reaped since its deadline.
    may_reap: bool,
    /// An interruption ends the operation.
    is_interruptible: bool,
    /// A sleep of an operation that could be interrupted was interrupted.
    is_interrupted: Cell<bool>,
}

/// The words of one wait, at most as many as the platform takes.
#[derive(Debug)]
struct Watch {
    membership: u32,
    lifelines: List<Watched>,
    /// If the lifelines of everybody are watched: how many participants that is.
    everybody: Option<usize>,
    /// How many of the watched participants were asleep.
    asleep: u32,
}

/// A lifeline of a slot, and its value. It has a quarter of the length of an [`Expect`], because a
/// list of them lies on the sleeper's stack.
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
    /// Begins an operation. `deadline` is on [`Platform::now`]'s clock; `None` waits forever.
    pub fn new(me: Participant<'t, P>, deadline: Option<Duration>) -> Self {
        Self {
            me,
            deadline,
            first_phase: P::first_phase(),
            first_phase_ends: None,
            begun: None,
            watch: None,
            spins: Spins::limited(P::SPINS, deadline),
            is_first_alone: false,
            may_reap: true,
            is_interruptible: true,
            is_interrupted: Cell::new(false),
        }
    }

    /// The vigil of a caller that was woken while another participant held the lock. The two are
    /// likely to wait for the same processor. So the caller does not spin. Its first sleep is short
    /// as a rule. That sleep watches nobody, which costs half as much. No interruption and no
    /// deadline ends this vigil.
    pub(super) fn to_lock_again(me: Participant<'t, P>) -> Self {
        Self::new(me, None).uninterruptible().alone_at_first().spinning(Spins::limited(0, None))
    }

    /// A vigil whose [first sleep](Self::sleep_alone_at_first) watches nobody.
    #[must_use]
    pub(super) fn alone_at_first(self) -> Self {
        Self { is_first_alone: true, ..self }
    }

    /// A vigil that spins so before it sleeps.
    #[must_use]
    pub(super) fn spinning(self, spins: Spins<P>) -> Self {
        Self { spins, ..self }
    }

    /// A vigil that no interruption ends, for operations that cannot be given up.
    #[must_use]
    pub fn uninterruptible(mut self) -> Self {
        self.set_interruptible(false);
        self
    }

    /// Whether an interruption ends the operation from now on. An earlier interruption counts, too.
    pub(super) fn set_interruptible(&mut self, is_interruptible: bool) {
        self.is_interruptible = is_interruptible;
    }

    /// Sleeps on `awaited` as long as it is `value`, and no watched participant dies. `holder` is
    /// the participant that the caller waits for, if there is one.
    ///
    /// To be called in a loop. In each turn the caller must first check that it cannot have the
    /// primitive, and then set WAITERS if the primitive has that flag. Some calls return at once:
    /// the caller then checks the primitive and calls again.
    ///
    /// # Errors
    /// [`Ended`].
    pub fn sleep(&mut self, awaited: &P::Word, value: u32, holder: Option<Id>) -> Result<(), Ended> {
        self.sleep_on_any(Expect { word: awaited, value }, &[], holder)
    }

    /// [`sleep`](Self::sleep) on `awaited` and on `others`, as long as all these words are as
    /// expected. Everybody's lifelines come first; `others` for which there is no room beside them
    /// are not watched.
    pub(crate) fn sleep_on_any(
        &mut self,
        awaited: Expect<'_, P::Word>,
        others: &[Expect<'_, P::Word>],
        holder: Option<Id>,
    ) -> Result<(), Ended> {
        let now = P::now();
        if let Some(end) = self.end(now) {
            // A caller that waits in short slices, or is interrupted often, may never reach the
            // reaping below. So it reaps here, too, but only once in an operation: `table::reap`
            // says why.
            let has_looked = core::mem::take(&mut self.may_reap) && self.me.table.reap_lost_if_due(now);
            return if has_looked { Ok(()) } else { Err(end) };
        }
        self.begun.get_or_insert(now);
        if self.is_in_first_phase(now) {
            self.sleep_in_first_phase(awaited, others, holder, now);
            return Ok(());
        }
        // Before the wait, and not after it: a woken waiter has no time to lose.
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
        // EQUIVALENT(taken as equal): the length of the first phase decides only how soon everybody
        // is watched, and what that costs. The phase ends by itself, whatever its length.
        if self.first_phase.is_some() && self.me.table.membership.load(Relaxed) != watch.membership {
            self.lengthen_first_phase();
        }
        Ok(())
    }

    /// Collects the lifelines now, for one [`sleep_once`](Self::sleep_once).
    ///
    /// A condition variable's predicate is checked by the caller, so it cannot be checked again
    /// between collecting the lifelines and sleeping. That is safe: the caller checked it under a
    /// lock that it releases only after the collection. The participant that makes the predicate
    /// true must take that lock first, and is therefore among those already watched.
    pub fn watch_from_now(&mut self) {
        self.watch = Some(self.collect(None));
    }

    /// Sleeps on `awaited` as long as it is `value`. The caller checks what ended the sleep.
    ///
    /// The sleep lasts for a [first phase](Platform::first_phase), in which no death is noticed.
    /// After [`watch_from_now`](Self::watch_from_now) it lasts longer: as long as no participant
    /// has died or come since. On a platform without a first phase, and without `watch_from_now`,
    /// it returns at once.
    ///
    /// # Errors
    /// [`Ended`].
    pub fn sleep_once(&mut self, awaited: &P::Word, value: u32) -> Result<(), Ended> {
        let awaited = Expect { word: awaited, value };
        let mut now = P::now();
        if let Some(length) = self.first_phase {
            let ends = earlier(self.deadline, Some(now + length));
            if !self.is_over(now) {
                self.wait_on_words([awaited].into_iter(), ends); // not noted: too short for an inspector to see
                now = P::now();
            }
            // ORDERING: Relaxed; a value too old only leads to a second wait, which the kernel
            // refuses.
            // EQUIVALENT(taken as equal): the kernel refuses the second wait, for the reason just
            // given.
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

    /// [`sleep`](Self::sleep). But if the vigil is [alone at first](Self::alone_at_first), its
    /// first sleep ends with the [first phase](Platform::first_phase), and watches nobody until
    /// then. So it costs little, and a death may be noticed that much later.
    ///
    /// # Errors
    /// [`Ended`].
    pub(super) fn sleep_alone_at_first(
        &mut self,
        awaited: &P::Word,
        value: u32,
        holder: Option<Id>,
    ) -> Result<(), Ended> {
        if core::mem::take(&mut self.is_first_alone) {
            // Whatever has ended the sleep: the caller checks (rule 5), and the next call gives up.
            let _checked_later = self.sleep_once(awaited, value);
            return Ok(());
        }
        self.sleep(awaited, value, holder)
    }

    /// Sleeps for a moment on a word that names a dead holder, the process of which is still
    /// [ending](Platform::is_ending). The kernel wakes nobody when that process has ended.
    ///
    /// # Errors
    /// [`Ended`].
    pub(super) fn sleep_briefly(&mut self, word: &P::Word, value: u32) -> Result<(), Ended> {
        let now = P::now();
        if let Some(end) = self.end(now) {
            return Err(end);
        }
        self.wait_on_words([Expect { word, value }].into_iter(), earlier(self.deadline, Some(now + WHILE_ENDING)));
        Ok(())
    }

    /// Whether the caller is to give up, and why.
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

    /// The first phase's sleep: on the awaited word, and on the holder's lifelines.
    fn sleep_in_first_phase(
        &self,
        awaited: Expect<'_, P::Word>,
        others: &[Expect<'_, P::Word>],
        holder: Option<Id>,
        now: Duration,
    ) {
        // Where lifelines cannot be watched, no sleep may be longer than a recheck, this one
        // included.
        let recheck = if P::watches_many() { None } else { P::recheck().map(|bound| now + bound) };
        let until = earlier(recheck, earlier(self.deadline, self.first_phase_ends));
        let mut lifelines = List::<_, 2>::new(2);
        // A marked lifeline is not watched. The caller's next check finds the mark, and the awaited
        // word still guards this sleep.
        // EQUIVALENT(patch the holder is not watched): this sleep ends with the first phase anyway.
        // The holder is watched so that its death is noticed at once, and not at the phase's end.
        let alive = holder.is_none_or(|holder| self.push_lifelines(&mut lifelines, holder.index()));
        if alive {
            self.wait_on(awaited, self.expected(&lifelines).chain(others.iter().copied()), until);
            self.cascade(&lifelines);
        }
    }

    /// Rule 1: reads the membership, then the lifelines that are alive.
    fn collect(&self, holder: Option<Id>) -> Watch {
        self.collect_within(holder, P::most_words() - 2)
    }

    /// [`collect`](Self::collect), at most so many lifelines.
    #[inline(never)] // its lists are off the stack when the sleep begins
    fn collect_within(&self, holder: Option<Id>, most: usize) -> Watch {
        let table = self.me.table;
        // ORDERING: Acquire. Pairs with the newcomer's change of this word: a sleeper that reads
        // the new value finds the newcomer's lifeline armed.
        let membership = table.membership.load(Acquire);
        let used = Membership(membership).used();
        let mut watch = Watch { membership, lifelines: List::new(most), everybody: None, asleep: 0 };
        if !self.everybody(holder, used, &mut watch) {
            watch.lifelines = self.one_of_each_process(holder, used, most);
        }
        watch.asleep = self.asleep(&watch.lifelines);
        watch
    }

    /// How many of the watched participants sleep.
    fn asleep(&self, lifelines: &List<Watched>) -> u32 {
        let owners = lifelines.iter().filter(|watched| watched.line == 0);
        let slots = owners.filter_map(|watched| self.me.table.slots.get(usize::from(watched.slot)));
        slots.map(|slot| u32::from(slot.thread().is_waiting())).sum()
    }

    /// Lists the lifelines of all living participants. False if they are too many for one wait.
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
    fn one_of_each_process(&self, holder: Option<Id>, used: usize, most: usize) -> List<Watched> {
        let mut lifelines = List::new(most);
        let mut processes = List::<u32, 128>::new(P::MOST_WORDS);
        processes.push(self.me.process());
        for index in self.others(holder, used) {
            let process = self.me.table.slots[index].thread().process();
            let is_the_holder = holder.is_some_and(|holder| holder.index() == index);
            if !is_the_holder && processes.iter().any(|seen| seen == process) {
                continue;
            }
            if !lifelines.has_room_for(2) {
                break; // the recheck covers the rest: see the module's Limits
            }
            if self.push_lifelines(&mut lifelines, index) && !is_the_holder {
                processes.push(process);
            }
        }
        lifelines
    }

    /// Which of the first `used` slots to watch: those with a living owner, other than the caller.
    /// The holder's slot comes first, if there is a holder and it has a slot.
    fn others(&self, holder: Option<Id>, used: usize) -> impl Iterator<Item = usize> + '_ {
        let slots = self.me.table.slots;
        let slots = &slots[..used.min(slots.len())];
        let first = holder.map(Id::index).filter(|index| *index < slots.len());
        let rest = (0..slots.len()).filter(move |index| {
            // ORDERING: Acquire. A marked participant is not watched, so the sleeper's next check
            // must find all that it wrote. Model:
            // `vigil::a_change_that_the_awaited_word_does_not_show_is_seen`.
            *index != self.me.id.index()
                && Some(*index) != first
                && is_owned(slots[*index].lifelines()[0].word().load(Acquire))
        });
        first.into_iter().chain(rest)
    }

    /// Adds the lifelines of a slot with a living owner. False if the owner is dead.
    fn push_lifelines<const N: usize>(&self, list: &mut List<Watched, N>, index: usize) -> bool {
        let Some(slot) = self.me.table.slots.get(index) else {
            return false;
        };
        // With the mark, all that the dead participant wrote before is seen (Acquire).
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

    /// The words of a list, with the values that they are expected to have.
    fn expected<'l, const N: usize>(&'l self, list: &'l List<Watched, N>) -> impl Iterator<Item = Expect<'l, P::Word>> {
        let slots = self.me.table.slots;
        list.iter().filter_map(move |Watched { slot, line, value }| {
            let lifeline = slots.get(usize::from(slot))?.lifelines().get(usize::from(line))?;
            Some(Expect { word: lifeline.word(), value })
        })
    }

    /// The second phase's sleep, which the recheck bounds.
    fn wait_until_recheck(
        &self,
        awaited: Expect<'_, P::Word>,
        others: &[Expect<'_, P::Word>],
        watch: &Watch,
        now: Duration,
    ) {
        self.wait(awaited, others, watch, earlier(self.deadline, self.recheck_at(watch.asleep, now)));
    }

    /// When a sleep that begins now is to end though nothing has happened. `asleep` is how many
    /// other participants sleep.
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
        // With one other participant and no newcomer, nobody but the caller can sleep on the other
        // one's lifeline. This saves a system call on the way from a death to the next holder.
        // ORDERING: Relaxed. Assume that a third participant slept on the lifeline before the
        // death. It had changed the membership before it slept. If the death ended our wait, this
        // load finds that change.
        let is_of_two = watch.everybody == Some(1) && self.me.table.membership.load(Relaxed) == watch.membership;
        if !is_of_two {
            self.cascade(&watch.lifelines);
        }
    }

    /// Sleeps on as many words as one wait takes, the awaited one first.
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

    /// Sleeps, and notes that in the slot, for inspection.
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

    /// Sleeps, and remembers whether the sleep was interrupted.
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

    /// Rule 2: the kernel has woken one sleeper on each lifeline that it cut; this wakes the
    /// others.
    fn cascade<const N: usize>(&self, lifelines: &List<Watched, N>) {
        for lifeline in self.expected(lifelines) {
            // ORDERING: Relaxed. Nothing is read on the strength of this value. If the wait ended
            // by a wake on this word, this load finds the change that came before the wake.
            if lifeline.word.load(Relaxed) != lifeline.value {
                // EQUIVALENT(all to one): each sleeper that returns finds the word changed and
                // wakes the next, or dies watched by the rest. If a sleeper sleeps on the word of a
                // successor, the successor's announcement, which wakes all, has woken the sleeper.
                // So with `one` the sleepers are woken one after the other, instead of all at once.
                P::wake(lifeline.word, u32::MAX);
            }
        }
    }
}

/// When a slot's next turn to recheck comes. A slot has a turn once in `shared` periods. The turns
/// of different slots are spread evenly, whenever the owners of the slots fell asleep.
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

mod several;
mod spins;
mod step;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod waits;
