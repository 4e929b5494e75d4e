//! The driver: runs a scenario under every placing of deaths that it is told to try.

use crate::backend::{Backend, Bounds};
use crate::kernel::{Actor, Broken, Died, Facts, Fate, Life, Model, Nature, Note, Script, Word, Word64, step};
use crate::time::Time;
use core::ops::ControlFlow::{self, Break, Continue};
use outlive::platform::{MARK, WAKE_AT_DEATH, Word as _};
use outlive::raw::table::{Participant, Slot, Table};
use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};

/// The segment of a scenario: participant table and membership, and who has died.
#[derive(Debug)]
pub struct World<B: Backend> {
    membership: Word<B>,
    cursor: Word<B>,
    stamp: Word<B>,
    slots: Vec<Slot<Model<B>>>,
    /// Whoever dies, and whoever asks whether a claimer is gone, goes through the kernel here.
    pub(crate) ends: Word<B>,
    died: Vec<AtomicBool>,
    pub(crate) gone: Arc<[AtomicBool]>,
    /// Threads of living processes that have ended, and the kernel's marks were lost.
    ended: Arc<[AtomicBool]>,
    /// From this one on all have the same thread id.
    first_of_equal_id: usize,
    second_threads: &'static [usize],
}

impl<B: Backend> World<B> {
    /// The participant table.
    pub fn table(&self) -> Table<'_, Model<B>> {
        Table { membership: &self.membership, cursor: &self.cursor, stamp: &self.stamp, slots: &self.slots }
    }
    /// Whether this modelled thread has died: the truth, which algorithms cannot see.
    pub fn has_died(&self, who: usize) -> bool {
        self.died[who].load(SeqCst)
    }
    /// Whether the kernel has done with it: then, and not before, the slow check may say so.
    pub fn is_gone(&self, who: usize) -> bool {
        self.gone[who].load(SeqCst)
    }
    /// The thread id of this modelled thread.
    pub(crate) fn thread_id(&self, who: usize) -> u32 {
        let is_equal = who >= self.first_of_equal_id && !self.second_threads.contains(&who);
        if is_equal { FROM_BEFORE } else { who as u32 + 1 }
    }
    /// The process id of this modelled thread, if it is not its process's main one, and so has
    /// another thread id.
    pub(crate) fn process_id(&self, who: usize) -> Option<u32> {
        self.second_threads.contains(&who).then(|| process_id(who, self.first_of_equal_id))
    }
    /// The calling thread, `who`, ends by itself: the kernel cuts its lifelines. Its process goes
    /// on, and what the caller does from now on is another thread of that process.
    pub fn end(&self, who: usize) {
        let actor = B::actor().expect("only actors end");
        step::<B>();
        B::set_actor(None);
        for (slot, line) in actor.linked.lock().expect("no panic inside").drain(..).rev() {
            self.slots[slot].lifelines()[line].word.kernel_cut(self.thread_id(who), false);
        }
    }
    /// The same, but the marks are lost.
    pub fn end_unmarked(&self, who: usize) {
        let actor = B::actor().expect("only actors end");
        step::<B>();
        B::set_actor(None);
        actor.linked.lock().expect("no panic inside").clear();
        self.slots[who].thread().facts.thread.through_the_kernel();
        self.ended[who].store(true, SeqCst);
    }
    /// The process of a thread that has [ended](Self::end) ends, too.
    pub fn end_process(&self, who: usize) {
        self.slots[who].thread().facts.thread.through_the_kernel();
        self.gone[who].store(true, SeqCst);
    }
    /// Lets a thread that has been registered from the start act.
    pub fn act<R>(&self, who: usize, act: impl FnOnce(Participant<'_, Model<B>>) -> R) -> R {
        let table = self.table();
        let id = self.slots[who].living_or_dead(who);
        act(Participant { id, table: &table })
    }
}

/// What a scenario is about: made anew for each execution.
pub trait State: Send + Sync + 'static {}
impl<T: Send + Sync + 'static> State for T {}

/// How somebody from before the scenario, who is gone, left the slots that newcomers can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Left {
    /// Dead, and marked by the kernel.
    Marked,
    /// Dead, and the mark was lost.
    Unmarked,
    /// Dead before it armed its lifeline.
    Unarmed,
    /// Ended by exec, not as its process's main thread: its own lifeline is as if it lived.
    Exec,
}

/// The number of the thread from before.
pub const FROM_BEFORE: u32 = 0x7f;

/// The process id of a thread that is not its process's main one: where ids may be equal, that of
/// the others.
fn process_id(who: usize, first_of_equal_id: usize) -> u32 {
    if first_of_equal_id < usize::MAX { FROM_BEFORE } else { who as u32 + 0x81 }
}

/// Who dies at which operation, and who returns from which wait for no reason.
#[derive(Debug, Clone, Default)]
struct Plan {
    deaths: Vec<(usize, u32)>,
    spurious: Option<(usize, u32)>,
    interrupted: Option<(usize, u32)>,
    /// How many waits of each do not end by their deadline before somebody wakes the sleeper.
    patience: u32,
}

/// What `each` of [`Explore::plans`] has seen.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    happened: bool,
    /// Somebody slept towards a deadline.
    is_timed: bool,
}

/// The same of one thread, as they are set in the course of an exploration.
#[derive(Debug, Default)]
struct Flags {
    died: AtomicBool,
    is_hit: AtomicBool,
    is_timed: AtomicBool,
}

/// In which way the victims end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Killed,
    /// The kernel does not mark their lifelines.
    Unmarked,
    /// By exec, and they are not the main threads: the process's lifeline alone is marked.
    Exec,
}

/// What was explored.
#[derive(Debug, Clone, Copy, Default)]
pub struct Report {
    /// Placings of deaths and spurious returns.
    pub plans: usize,
    /// Executions, all told.
    pub executions: usize,
    /// Placings whose exploration was cut short. What is left of the others is nothing, within the
    /// bounds.
    pub cut_short: usize,
    /// Somebody slept towards a deadline.
    pub is_timed: bool,
}

/// What became of one placing.
struct Outcome {
    executions: usize,
    /// All that was planned happened, in some execution.
    happened: bool,
    is_timed: bool,
    cut_short: bool,
    failure: Option<String>,
}

/// A scenario and how to explore it.
pub struct Explore<B: Backend, S: State> {
    participants: usize,
    newcomers: usize,
    slots: Option<usize>,
    unsupervised: bool,
    left: Option<Left>,
    processes: &'static [u32],
    second_threads: &'static [usize],
    reaps: &'static [usize],
    end: End,
    make: fn() -> S,
    body: fn(&World<B>, usize, &S),
    after: fn(&World<B>, usize, usize, &S),
    check: fn(&S, &World<B>),
    victims: Vec<usize>,
    leakers: &'static [usize],
    pairs: bool,
    spurious: bool,
    interrupted: &'static [usize],
    first_phase: bool,
    broken: Broken,
    script: &'static [(usize, u32)],
    bounds: Bounds,
}

impl<B: Backend, S: State> core::fmt::Debug for Explore<B, S> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Explore").field("participants", &self.participants).finish_non_exhaustive()
    }
}

impl<B: Backend, S: State> Explore<B, S> {
    /// `participants` threads run `body`, each with its number.
    pub fn new(participants: usize, make: fn() -> S, body: fn(&World<B>, usize, &S)) -> Self {
        Self {
            participants,
            newcomers: 0,
            slots: None,
            unsupervised: false,
            left: None,
            processes: &[],
            second_threads: &[],
            reaps: &[],
            end: End::Killed,
            make,
            body,
            after: |_, _, _, _| {},
            check: |_, _| {},
            victims: vec![],
            leakers: &[],
            pairs: false,
            spurious: false,
            interrupted: &[],
            first_phase: false,
            broken: Broken::default(),
            script: &[],
            bounds: Bounds { preemptions: 2, schedules: times(300), executions: times(4_000) },
        }
    }
    /// Looks at the state when all have ended.
    pub fn check(mut self, check: fn(&S, &World<B>)) -> Self {
        self.check = check;
        self
    }
    /// What a supervisor does after the death of one, so that nobody waits for what will
    /// legitimately never come: it acts as participant number `participants`. Arguments: world, the
    /// dead one, the supervisor, state.
    pub fn after(mut self, after: fn(&World<B>, usize, usize, &S)) -> Self {
        self.after = after;
        self
    }
    /// Each of these dies at each of its operations, one in an exploration.
    pub fn victims(mut self, victims: &[usize]) -> Self {
        self.victims = victims.to_vec();
        self
    }
    /// These [end by themselves](World::end), and may leak what they hold.
    pub fn leakers(mut self, leakers: &'static [usize]) -> Self {
        self.leakers = leakers;
        self
    }
    /// Every two of the victims die, each at each of its operations, instead of one.
    pub fn pairs(mut self) -> Self {
        self.pairs = true;
        self.bounds.preemptions = 1;
        self.bounds.executions = times(400);
        self
    }
    /// Also: each wait of each participant returns once for no reason.
    pub fn spurious(mut self) -> Self {
        self.spurious = true;
        self
    }
    /// Also: each wait of each of these that can be interrupted is, and the first of them while
    /// each of the victims dies.
    pub fn interrupted(mut self, who: &'static [usize]) -> Self {
        self.interrupted = who;
        self
    }
    /// Sleepers begin with the short first phase.
    pub fn first_phase(mut self) -> Self {
        self.first_phase = true;
        self
    }
    /// The last `count` of the participants are not registered at first.
    pub fn newcomers(mut self, count: usize) -> Self {
        self.newcomers = count;
        self
    }
    /// A real participant table of that many slots, all free, instead of one slot each.
    pub fn free_slots(mut self, count: usize) -> Self {
        self.slots = Some(count);
        self.newcomers = self.participants;
        self
    }
    /// The supervisor is no participant: for scenarios about who is alone with whom.
    pub fn unsupervised(mut self) -> Self {
        self.unsupervised = true;
        self
    }
    /// The slots for newcomers were left by somebody who is gone.
    pub fn left(mut self, left: Left) -> Self {
        self.left = Some(left);
        self
    }
    /// The processes of the participants, as far as told; the others have one each, of higher
    /// numbers.
    pub fn processes(mut self, processes: &'static [u32]) -> Self {
        self.processes = processes;
        self
    }
    /// These have the net under their sleep.
    pub fn reap_lost(mut self, who: &'static [usize]) -> Self {
        self.reaps = who;
        self
    }
    /// The marks of the victims are lost: to be noticed by those who look slowly.
    pub fn lost_marks(mut self) -> Self {
        self.end = End::Unmarked;
        self
    }
    /// These are not their processes' main threads, and so have two lifelines.
    pub fn second_threads(mut self, who: &'static [usize]) -> Self {
        self.second_threads = who;
        self
    }
    /// The victims, who are to be [second threads](Self::second_threads), end by exec. One that is
    /// only being registered is ended by another's exec, and so like any thread.
    pub fn execs(mut self) -> Self {
        self.end = End::Exec;
        self
    }
    /// Breaks the platform.
    pub fn broken(mut self, broken: Broken) -> Self {
        self.broken = broken;
        self
    }
    /// How many executions of each placing are enough, where that is not the usual number.
    pub fn executions(mut self, most: usize) -> Self {
        self.bounds.executions = times(most);
        self
    }
    /// loom's bound of preemptions, 2 unless said otherwise.
    pub fn preemptions(mut self, bound: usize) -> Self {
        self.bounds.preemptions = bound;
        self
    }
    /// At first each of these in its turn acts until it has done so many operations, and the others
    /// wait.
    pub fn script(mut self, turns: &'static [(usize, u32)]) -> Self {
        self.script = turns;
        self
    }

    fn world(&self, plan: &Plan) -> World<B> {
        let nobody = || (0..=self.participants).map(|_| AtomicBool::new(false)).collect();
        let (gone, ended): (Arc<[AtomicBool]>, Arc<[AtomicBool]>) = (nobody(), nobody());
        let leaks = |who: usize| self.leakers.contains(&who);
        let constant = |who: usize| !leaks(who) && !plan.deaths.iter().any(|(victim, _)| *victim == who);
        let count = self.slots.unwrap_or(self.participants + 1);
        let is_supervisor = |who: usize| who == self.participants && !self.unsupervised;
        let registered =
            |who: usize| self.slots.is_none() && (who < self.participants - self.newcomers || is_supervisor(who));
        // A newcomer may take a dead one's slot, or a slow look end its claim.
        let is_freed = self.newcomers > 0 || self.end == End::Unmarked || !self.leakers.is_empty();
        // The second lifelines of slots that may go from one to another are memory if anybody who
        // comes has one.
        let has_two = !self.second_threads.is_empty() || self.left == Some(Left::Exec);
        let first_of_equal_id =
            if self.broken.equal_thread_ids { self.participants - self.newcomers } else { usize::MAX };
        let slot = |who: usize| {
            let alive = (who as u32 + 1) | WAKE_AT_DEATH;
            let (gone, ended) = (Arc::clone(&gone), Arc::clone(&ended));
            let (claim, own) = match (registered(who), constant(who)) {
                (true, false) if is_freed => {
                    let claim = Slot::<Model<B>>::claim_of_first(alive & 0xff);
                    (outlive::platform::Word64::new(claim), Word::new(alive))
                }
                (true, true) => {
                    (Word64::constant(Slot::<Model<B>>::claim_of_first(alive & 0xff)), Word::constant(alive))
                }
                (true, false) => (Word64::constant(Slot::<Model<B>>::claim_of_first(alive & 0xff)), Word::new(alive)),
                (false, _) => {
                    let claim = self.left.map_or(0, |_| Slot::<Model<B>>::claim_of_first(FROM_BEFORE));
                    let lifeline = match self.left {
                        Some(Left::Marked) => MARK | WAKE_AT_DEATH,
                        Some(Left::Unmarked | Left::Exec) => FROM_BEFORE | WAKE_AT_DEATH,
                        Some(Left::Unarmed) | None => 0,
                    };
                    (outlive::platform::Word64::new(claim), Word::new(lifeline))
                }
            };
            let facts = |number| Facts::of(number, self.processes);
            let facts = match (registered(who), constant(who) || !is_freed) {
                (true, true) => facts(who as u32 + 1).map(Word::constant),
                (true, false) => facts(who as u32 + 1).map(Word::new),
                (false, _) => facts(FROM_BEFORE).map(Word::new),
            };
            let is_second = self.second_threads.contains(&who);
            let process_line = match (registered(who), self.left) {
                (true, _) if is_second => process_id(who, first_of_equal_id) | WAKE_AT_DEATH,
                (true, _) | (false, None | Some(Left::Unarmed)) => 0,
                (false, Some(Left::Exec)) => MARK | WAKE_AT_DEATH,
                (false, _) if has_two => (FROM_BEFORE + 1) | WAKE_AT_DEATH,
                (false, _) => 0,
            };
            let is_written =
                if registered(who) { !constant(who) && (is_second || is_freed && has_two) } else { has_two };
            let process_line = if is_written { Word::new(process_line) } else { Word::constant(process_line) };
            let lifelines = [Life { word: own, place: (who, 0) }, Life { word: process_line, place: (who, 1) }];
            Slot::from_parts(
                claim,
                lifelines,
                Note { facts, waits_at: outlive::platform::Word::new(0), processes: self.processes, gone, ended },
            )
        };
        let used = if self.slots.is_some() { 0 } else { count as u32 };
        let membership = match (is_freed, self.broken.no_membership) {
            (true, false) => Word::new(used),
            (true, true) => Word::constant(count as u32),
            (false, _) => Word::constant(used),
        };
        let cursor = if self.newcomers > 0 { Word::new(0) } else { Word::constant(0) };
        let died = (0..=self.participants).map(|_| AtomicBool::new(false)).collect();
        let slots = (0..count).map(slot).collect();
        let stamp = if self.reaps.is_empty() { Word::constant(0) } else { Word::new(0) };
        let ends = if self.newcomers > 0 { Word::new(0) } else { Word::constant(0) };
        let second_threads = self.second_threads;
        World { ends, membership, cursor, stamp, slots, died, gone, ended, first_of_equal_id, second_threads }
    }

    /// One placing under all schedules.
    fn one(&self, plan: &Plan) -> Outcome {
        let executions = Arc::new(AtomicUsize::new(0));
        let seen = Arc::new(Flags::default());
        let dies = !plan.deaths.is_empty();
        let this = Arc::new(Self { victims: vec![], ..*self });
        let (counter, flag, plan) = (Arc::clone(&executions), Arc::clone(&seen), plan.clone());
        let body = move || {
            counter.fetch_add(1, SeqCst);
            let world = Arc::new(this.world(&plan));
            let state = Arc::new((this.make)());
            let script = Arc::new(Script { turns: this.script.to_vec(), at: AtomicUsize::new(0) });
            let time = Time::new(this.participants);
            let thread = |who: usize| {
                let (this, world, state, flag) =
                    (Arc::clone(&this), Arc::clone(&world), Arc::clone(&state), Arc::clone(&flag));
                let actor = Arc::new(this.actor(who, &plan, &script, &time));
                let time = Arc::clone(&time);
                move || {
                    this.thread(actor, &world, &state, &flag, &time);
                    time.one_less();
                }
            };
            let handles: Vec<_> = (1..this.participants).map(|who| B::spawn(thread(who))).collect();
            thread(0)();
            handles.into_iter().for_each(B::join);
            (this.check)(&state, &world);
        };
        let bounds = self.bounds;
        let result = quietly(|| catch_unwind(AssertUnwindSafe(|| B::explore(bounds, body))));
        let executions = executions.load(SeqCst);
        Outcome {
            executions,
            happened: if dies { &seen.died } else { &seen.is_hit }.load(SeqCst),
            is_timed: seen.is_timed.load(SeqCst),
            cut_short: B::IS_EXHAUSTIVE && executions + 1 >= bounds.executions,
            failure: result.err().map(|panic| message(&*panic)),
        }
    }

    /// The participant that a thread is, and what is to befall it.
    fn actor(&self, who: usize, plan: &Plan, script: &Arc<Script>, time: &Arc<Time>) -> Actor {
        let of = |list: &[(usize, u32)]| list.iter().find(|(victim, _)| *victim == who).map(|(_, at)| *at);
        let fate = Fate {
            die_at: of(&plan.deaths),
            spurious_wait: of(plan.spurious.as_slice()),
            interrupted_wait: of(plan.interrupted.as_slice()),
            patience: plan.patience,
        };
        let mut actor = Actor::new(fate, self.broken, self.nature(who), Arc::clone(time));
        actor.who = who;
        actor.script = Some(Arc::clone(script)).filter(|_| !self.script.is_empty());
        if self.slots.is_none() && who < self.participants - self.newcomers {
            let lines = if self.second_threads.contains(&who) { 0..2 } else { 0..1 };
            *actor.linked.get_mut().expect("no panic inside") = lines.map(|line| (who, line)).collect();
        }
        actor
    }

    fn nature(&self, who: usize) -> Nature {
        Nature { first_phase: self.first_phase, reaps: self.reaps.contains(&who) }
    }

    fn thread(&self, actor: Arc<Actor>, world: &World<B>, state: &S, seen: &Flags, time: &Arc<Time>) {
        let who = actor.who;
        B::set_actor(Some(Arc::clone(&actor)));
        let result = catch_unwind(AssertUnwindSafe(|| (self.body)(world, who, state)));
        B::set_actor(None);
        actor.end_turn();
        seen.is_hit.fetch_or(actor.is_hit.load(SeqCst), SeqCst);
        seen.is_timed.fetch_or(actor.is_timed.load(SeqCst), SeqCst);
        match result {
            Ok(()) => {}
            Err(panic) if panic.is::<Died>() => {
                seen.died.store(true, SeqCst);
                world.died[who].store(true, SeqCst);
                let linked = actor.linked.lock().expect("no panic inside").clone();
                // By exec it takes over the id of its process's main thread, before its list is
                // walked.
                let taken_over = world.process_id(who).filter(|_| self.end == End::Exec);
                let is_armed = linked.iter().any(|(_, line)| *line == 1);
                let thread = taken_over.filter(|_| is_armed).unwrap_or(world.thread_id(who));
                let cut = |(slot, line): (usize, usize), pending| {
                    let lifelines: &[Life<B>; 2] = world.slots[slot].lifelines();
                    if !matches!(self.end, End::Unmarked) {
                        lifelines[line].word.kernel_cut(thread, pending);
                    }
                };
                let pending = *actor.pending.lock().expect("no panic inside");
                for place in linked.iter().rev() {
                    if Some(*place) != pending {
                        cut(*place, false);
                    }
                }
                if let Some(place) = pending {
                    cut(place, true);
                }
                // Whoever finds it gone comes after all that it, and the kernel for it, has done.
                let described = actor.described.lock().expect("no panic inside").clone();
                for slot in linked.iter().map(|(slot, _)| *slot).chain(described) {
                    world.slots[slot].thread().facts.thread.through_the_kernel();
                }
                world.ends.through_the_kernel();
                world.gone[who].store(true, SeqCst);
                let supervisor = Actor::new(Fate::default(), self.broken, self.nature(who), Arc::clone(time));
                B::set_actor(Some(Arc::new(supervisor)));
                (self.after)(world, who, self.participants, state);
                B::set_actor(None);
            }
            Err(other) => resume_unwind(other),
        }
    }

    /// Every plan, until `each` breaks off.
    fn plans(&self, each: impl FnMut(&Plan) -> ControlFlow<(), Seen>) -> ControlFlow<()> {
        let (each, is_timed) = (RefCell::new(each), Cell::new(false));
        let tried = |plan: Plan| {
            let seen = each.borrow_mut()(&plan)?;
            is_timed.set(is_timed.get() || seen.is_timed);
            Continue(seen.happened)
        };
        // One after the other, as long as what is planned happens.
        let row = |plan: &dyn Fn(u32) -> Plan| {
            let mut at = 0;
            while tried(plan(at))? {
                at += 1;
            }
            Continue(())
        };
        let one = |victim, at, patience| Plan { deaths: vec![(victim, at)], patience, ..Plan::default() };
        tried(Plan::default())?;
        for victim in self.victims.iter().filter(|_| !self.pairs) {
            row(&|at| one(*victim, at, 0))?;
        }
        if self.pairs {
            let length = |victim| (0..).take_while(|at| self.one(&one(victim, *at, 0)).happened).count() as u32;
            let lengths: Vec<_> = self.victims.iter().map(|victim| (*victim, length(*victim))).collect();
            for (first, (a, a_length)) in lengths.iter().enumerate() {
                for (b, b_length) in &lengths[first + 1..] {
                    for (at_a, at_b) in (0..*a_length).flat_map(|i| (0..*b_length).map(move |j| (i, j))) {
                        tried(Plan { deaths: vec![(*a, at_a), (*b, at_b)], ..Plan::default() })?;
                    }
                }
            }
        }
        for who in (0..self.participants).filter(|_| self.spurious) {
            row(&|wait| Plan { spurious: Some((who, wait)), ..Plan::default() })?;
        }
        for who in self.interrupted {
            row(&|wait| Plan { interrupted: Some((*who, wait)), ..Plan::default() })?;
            for victim in self.victims.iter().filter(|_| !self.pairs) {
                row(&|at| Plan { interrupted: Some((*who, 0)), ..one(*victim, at, 0) })?;
            }
        }
        if is_timed.get() {
            row(&|before| Plan { patience: before + 1, ..Plan::default() })?;
            for victim in self.victims.iter().filter(|_| !self.pairs) {
                row(&|at| one(*victim, at, 1))?;
            }
        }
        Continue(())
    }

    /// Explores all, and panics with the first plan that fails. Prints how much was explored, and
    /// within which bounds: a line that tools read.
    pub fn holds(self, name: &str) -> Report {
        let has_two = |victim| self.second_threads.contains(victim);
        assert!(
            self.end != End::Exec || self.victims.iter().all(has_two),
            "{name}: who ends by exec is a second thread"
        );
        let mut report = Report::default();
        let mut placed = vec![];
        let _to_the_end = self.plans(|plan| {
            let Outcome { executions, happened, is_timed, cut_short, failure } = self.one(plan);
            report.plans += 1;
            report.executions += executions;
            report.cut_short += usize::from(cut_short);
            report.is_timed |= is_timed;
            if let Some(failure) = failure {
                panic!("{name}: {plan:?} after {} executions: {failure}", report.executions);
            }
            // One execution is no exploration: then the participants share nothing that the checker
            // sees.
            assert!(report.executions > 1, "{name} explored one execution: it models nothing");
            if happened {
                placed.extend(plan.deaths.iter().map(|(victim, _)| *victim));
            }
            Continue(Seen { happened, is_timed })
        });
        if let Some(immortal) = self.victims.iter().find(|victim| !placed.contains(victim)) {
            panic!("{name}: participant {immortal} was to die, and never did");
        }
        let Report { plans, executions, .. } = report;
        println!("model {name}: {plans} plans, {executions} executions; {}", self.bound(&report));
        report
    }

    /// What bounds the exploration.
    fn bound(&self, report: &Report) -> String {
        let deaths = match (self.victims.len(), self.pairs) {
            (0, _) => "nobody dies".into(),
            (_, false) => format!("each of {:?} dies at each operation", self.victims),
            (_, true) => format!("each two of {:?} die at each two operations", self.victims),
        };
        let spurious = if self.spurious { ", each wait ends once for nothing" } else { "" };
        let interrupted = match self.interrupted {
            [] => String::new(),
            who => format!(", each wait of {who:?} is interrupted once"),
        };
        let timed = if report.is_timed { ", sleepers with a deadline are woken before it or not" } else { "" };
        let bound = B::bound(self.bounds, report.cut_short);
        format!("{} threads, {deaths}{spurious}{interrupted}{timed}; {bound}", self.participants)
    }

    /// Explores until something fails, as it must.
    pub fn fails(mut self, name: &str) {
        self.bounds.executions *= 5; // it ends where it fails
        let mut found = None;
        let mut executions = 0;
        let _broken_off = self.plans(|plan| {
            let outcome = self.one(plan);
            executions += outcome.executions;
            found = outcome.failure.map(|failure| (plan.clone(), failure));
            let Outcome { happened, is_timed, .. } = outcome;
            if found.is_some() { Break(()) } else { Continue(Seen { happened, is_timed }) }
        });
        let Some((plan, failure)) = found else {
            panic!("{name} was to fail, and did not in {executions} executions: the model is blind");
        };
        let first_line = failure.lines().next().unwrap_or_default();
        println!("model {name}: fails as it must at {plan:?} after {executions} executions: {first_line}");
    }
}

/// So many executions, or for long runs that times as many, or for a brief look that part of them.
fn times(executions: usize) -> usize {
    let told = std::env::var("OUTLIVE_MODELS_THOROUGHNESS");
    let thoroughness: f64 = told.map_or(1.0, |times| times.parse().expect("OUTLIVE_MODELS_THOROUGHNESS is a number"));
    ((executions as f64 * thoroughness) as usize).max(20)
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|s| (*s).to_owned())).unwrap_or_else(|| "a panic".into())
}

thread_local! {
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

/// Keeps the panics of this thread's models off the terminal: a failure is told with its plan
/// instead.
fn quietly<R>(run: impl FnOnce() -> R) -> R {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        crate::backend::install_hooks();
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !QUIET.with(Cell::get) {
                usual(info);
            }
        }));
    });
    QUIET.with(|quiet| quiet.set(true));
    let result = run();
    QUIET.with(|quiet| quiet.set(false));
    result
}
