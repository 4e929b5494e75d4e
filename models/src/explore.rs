//! The driver: runs a scenario under every plan. A plan places deaths, spurious returns and
//! interruptions.

use crate::backend::{Backend, Bounds};
use crate::kernel::{Actor, Broken, Died, Facts, Fate, Life, Model, Nature, Newborn, Note, Script, Word, Word64, step};
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

/// The segment of a scenario: the participant table and the membership, and which threads have
/// died.
#[derive(Debug)]
pub struct World<B: Backend> {
    membership: Word<B>,
    cursor: Word<B>,
    stamp: Word<B>,
    slots: Vec<Slot<Model<B>>>,
    /// A dying thread passes through the kernel on this word, and so does a thread that asks
    /// whether a claimer is gone.
    pub(crate) ends: Word<B>,
    died: Vec<AtomicBool>,
    pub(crate) gone: Arc<[AtomicBool]>,
    /// Threads of living processes that have ended and whose marks were lost.
    ended: Arc<[AtomicBool]>,
    /// This thread and all later ones have the same thread id.
    first_of_equal_id: usize,
    second_threads: &'static [usize],
}

impl<B: Backend> World<B> {
    /// The participant table.
    pub fn table(&self) -> Table<'_, Model<B>> {
        Table { membership: &self.membership, cursor: &self.cursor, stamp: &self.stamp, slots: &self.slots }
    }
    /// Whether this modelled thread has died. This is the truth, which algorithms cannot see.
    pub fn has_died(&self, who: usize) -> bool {
        self.died[who].load(SeqCst)
    }
    /// Whether the kernel is done with this dead thread. Only then may reaping see that it is gone.
    pub fn is_gone(&self, who: usize) -> bool {
        self.gone[who].load(SeqCst)
    }
    /// The thread id of this modelled thread.
    pub(crate) fn thread_id(&self, who: usize) -> u32 {
        let is_equal = who >= self.first_of_equal_id && !self.second_threads.contains(&who);
        if is_equal { FROM_BEFORE } else { who as u32 + 1 }
    }
    /// The process id of this modelled thread, if it is not the main thread of its process, and so
    /// has a different thread id.
    pub(crate) fn process_id(&self, who: usize) -> Option<u32> {
        self.second_threads.contains(&who).then(|| process_id(who, self.first_of_equal_id))
    }
    /// The calling thread, `who`, ends by itself: the kernel cuts its lifelines. Its process lives
    /// on. From now on the caller plays another thread of that process.
    pub fn end(&self, who: usize) {
        let actor = B::actor().expect("only actors end");
        step::<B>();
        B::set_actor(None);
        for (slot, line) in actor.linked.lock().expect("no panic inside").drain(..).rev() {
            self.slots[slot].lifelines()[line].word.kernel_cut(self.thread_id(who), false);
        }
    }
    /// As [`end`](Self::end), but the kernel's marks are lost.
    pub fn end_unmarked(&self, who: usize) {
        let actor = B::actor().expect("only actors end");
        step::<B>();
        B::set_actor(None);
        actor.linked.lock().expect("no panic inside").clear();
        self.slots[who].thread().facts.thread.through_the_kernel();
        self.ended[who].store(true, SeqCst);
    }
    /// The process of a thread that has [ended](Self::end) ends as well.
    pub fn end_process(&self, who: usize) {
        self.slots[who].thread().facts.thread.through_the_kernel();
        self.gone[who].store(true, SeqCst);
    }
    /// Runs `act` as thread `who`, which has been registered from the start.
    pub fn act<R>(&self, who: usize, act: impl FnOnce(Participant<'_, Model<B>>) -> R) -> R {
        let table = self.table();
        let id = self.slots[who].living_or_dead(who);
        act(Participant { id, table: &table })
    }
    /// Registers thread `who`, a newcomer, and runs `act` as that participant.
    pub fn come<R>(&self, who: usize, act: impl FnOnce(Participant<'_, Model<B>>) -> R) -> R {
        let table = self.table();
        let id = table.register(&Newborn { world: self, who }).expect("there is a slot");
        act(Participant { id, table: &table })
    }
}

/// How a former participant, which is gone, left the slots that newcomers can take. It registered
/// and ended before the scenario begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Left {
    /// It died, and the kernel marked the slot.
    Marked,
    /// It died, and the mark was lost.
    Unmarked,
    /// It died before it armed its lifeline.
    Unarmed,
    /// It ended by exec, and was not the main thread of its process. Its own lifeline looks alive.
    Exec,
}

/// The thread number of the former participant.
pub const FROM_BEFORE: u32 = 0x7f;

/// The process id of a thread that is not the main thread of its process. Where ids may be equal,
/// it is the same for all.
fn process_id(who: usize, first_of_equal_id: usize) -> u32 {
    if first_of_equal_id < usize::MAX { FROM_BEFORE } else { who as u32 + 0x81 }
}

/// Each entry is a participant and a number: of the operation at which it dies, or of the wait that
/// returns without a reason or is interrupted.
#[derive(Debug, Clone, Default)]
struct Plan {
    deaths: Vec<(usize, u32)>,
    spurious: Option<(usize, u32)>,
    interrupted: Option<(usize, u32)>,
    /// How many timed waits of each participant a wake ends before the deadline: its first ones.
    early_wakes: u32,
}

/// What happened while a plan was explored.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    happened: bool,
    /// A thread slept towards a deadline.
    is_timed: bool,
}

/// What happened in any execution so far. The threads set these flags.
#[derive(Debug, Default)]
struct Flags {
    died: AtomicBool,
    is_hit: AtomicBool,
    is_timed: AtomicBool,
}

/// How the victims end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Killed,
    /// Killed, but the kernel does not mark their lifelines.
    Unmarked,
    /// By exec, and they are not main threads: the kernel marks only the process's lifeline.
    Exec,
}

/// What was explored.
#[derive(Debug, Clone, Copy, Default)]
pub struct Report {
    /// Plans: placings of deaths, spurious returns and interruptions.
    pub plans: usize,
    /// Executions, of all plans together.
    pub executions: usize,
    /// Plans that hit the limit of executions. All others were explored completely, within the
    /// bounds.
    pub cut_short: usize,
    /// A thread slept towards a deadline.
    pub is_timed: bool,
}

/// What became of one plan.
struct Outcome {
    executions: usize,
    /// In some execution, what was planned happened.
    happened: bool,
    is_timed: bool,
    cut_short: bool,
    failure: Option<String>,
}

/// A scenario and how to explore it.
pub struct Explore<B: Backend, S> {
    participants: usize,
    newcomers: usize,
    slots: Option<usize>,
    unsupervised: bool,
    left: Option<Left>,
    processes: &'static [u32],
    second_threads: &'static [usize],
    rechecks: &'static [usize],
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

impl<B: Backend, S> core::fmt::Debug for Explore<B, S> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Explore").field("participants", &self.participants).finish_non_exhaustive()
    }
}

impl<B: Backend, S: Send + Sync + 'static> Explore<B, S> {
    /// `participants` threads run `body`, each with its number, on a state that `make` makes anew
    /// for each execution.
    pub fn new(participants: usize, make: fn() -> S, body: fn(&World<B>, usize, &S)) -> Self {
        Self {
            participants,
            newcomers: 0,
            slots: None,
            unsupervised: false,
            left: None,
            processes: &[],
            second_threads: &[],
            rechecks: &[],
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
            broken: Broken::NOTHING,
            script: &[],
            bounds: Bounds { preemptions: 2, schedules: times(300), executions: times(4_000) },
        }
    }
    /// Checks the state when all threads have ended.
    pub fn check(mut self, check: fn(&S, &World<B>)) -> Self {
        self.check = check;
        self
    }
    /// What a supervisor does after a death, so that no thread waits for an event that rightly
    /// never comes. The supervisor is participant number `participants`. Arguments: the world, the
    /// number of the dead thread, the number of the supervisor, the state.
    pub fn after(mut self, after: fn(&World<B>, usize, usize, &S)) -> Self {
        self.after = after;
        self
    }
    /// Each victim dies at each of its operations. A plan has one death.
    pub fn victims(mut self, victims: &[usize]) -> Self {
        self.victims = victims.to_vec();
        self
    }
    /// These threads [end by themselves](World::end), and may leak what they hold.
    pub fn leakers(mut self, leakers: &'static [usize]) -> Self {
        self.leakers = leakers;
        self
    }
    /// A plan has two deaths instead of one: every two victims die, each at each of its operations.
    pub fn pairs(mut self) -> Self {
        self.pairs = true;
        self.bounds.preemptions = 1;
        self.bounds.executions = times(400);
        self
    }
    /// Adds plans in which one wait of one participant returns without a reason, for each wait.
    pub fn spurious(mut self) -> Self {
        self.spurious = true;
        self
    }
    /// Adds plans in which one wait of one of these participants is interrupted, for each
    /// interruptible wait. The first such wait is also combined with each death.
    pub fn interrupted(mut self, who: &'static [usize]) -> Self {
        self.interrupted = who;
        self
    }
    /// Sleepers begin with the short first phase of a sleep.
    pub fn first_phase(mut self) -> Self {
        self.first_phase = true;
        self
    }
    /// The last `count` of the participants are not registered at first.
    pub fn newcomers(mut self, count: usize) -> Self {
        self.newcomers = count;
        self
    }
    /// All participants are newcomers, and register in a table of `count` free slots. Without this,
    /// each has a slot from the start.
    pub fn free_slots(mut self, count: usize) -> Self {
        self.slots = Some(count);
        self.newcomers = self.participants;
        self
    }
    /// The supervisor is no participant: for scenarios in which a participant must be alone.
    pub fn unsupervised(mut self) -> Self {
        self.unsupervised = true;
        self
    }
    /// The slots for newcomers were left by a former participant, which is gone.
    pub fn left(mut self, left: Left) -> Self {
        self.left = Some(left);
        self
    }
    /// The process numbers of the first participants. Each of the others has a process of its own,
    /// with a higher number.
    pub fn processes(mut self, processes: &'static [u32]) -> Self {
        self.processes = processes;
        self
    }
    /// These participants recheck once a second while they sleep.
    pub fn recheck(mut self, who: &'static [usize]) -> Self {
        self.rechecks = who;
        self
    }
    /// The marks of the victims are lost. Only reaping can find these deaths.
    pub fn lost_marks(mut self) -> Self {
        self.end = End::Unmarked;
        self
    }
    /// These participants are not the main threads of their processes, and so have two lifelines.
    pub fn second_threads(mut self, who: &'static [usize]) -> Self {
        self.second_threads = who;
        self
    }
    /// The victims end by exec. They must be [second threads](Self::second_threads). A victim that
    /// is still registering is ended by the exec of another thread, as any thread is.
    pub fn execs(mut self) -> Self {
        self.end = End::Exec;
        self
    }
    /// Breaks the platform in some way.
    pub fn broken(mut self, broken: Broken) -> Self {
        self.broken = broken;
        self
    }
    /// The most executions of one plan, instead of the usual number.
    pub fn executions(mut self, most: usize) -> Self {
        self.bounds.executions = times(most);
        self
    }
    /// loom's bound of preemptions, which is 2 without this.
    pub fn preemptions(mut self, bound: usize) -> Self {
        self.bounds.preemptions = bound;
        self
    }
    /// Schedules the beginning. Each turn is a participant and a number of operations: until it has
    /// done so many in all, the others wait.
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
        // A newcomer may take the slot of a dead participant, or reaping may end its claim.
        let is_freed = self.newcomers > 0 || self.end == End::Unmarked || !self.leakers.is_empty();
        // Some slots may go from one participant to another. If any newcomer uses a second
        // lifeline, then the second lifelines of these slots are memory to the checker.
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
            let lifelines = [
                Life { word: own, spare: Word::new(0), place: (who, 0) },
                Life { word: process_line, spare: Word::constant(0), place: (who, 1) },
            ];
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
        let stamp = if self.rechecks.is_empty() { Word::constant(0) } else { Word::new(0) };
        let ends = if self.newcomers > 0 { Word::new(0) } else { Word::constant(0) };
        let second_threads = self.second_threads;
        World { ends, membership, cursor, stamp, slots, died, gone, ended, first_of_equal_id, second_threads }
    }

    /// Explores one plan under all schedules.
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

    /// The participant that thread `who` plays, with its part of the plan.
    fn actor(&self, who: usize, plan: &Plan, script: &Arc<Script>, time: &Arc<Time>) -> Actor {
        let of = |list: &[(usize, u32)]| list.iter().find(|(victim, _)| *victim == who).map(|(_, at)| *at);
        let fate = Fate {
            die_at: of(&plan.deaths),
            spurious_wait: of(plan.spurious.as_slice()),
            interrupted_wait: of(plan.interrupted.as_slice()),
            early_wakes: plan.early_wakes,
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
        Nature { first_phase: self.first_phase, rechecks: self.rechecks.contains(&who) }
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
                // A thread that execs takes over the id of its process's main thread. The kernel
                // does that before it walks the thread's robust list.
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
                // A thread that finds this one gone must see all that it did, and all that the
                // kernel did for it.
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

    /// Calls `each` with every plan, until `each` breaks off.
    fn plans(&self, each: impl FnMut(&Plan) -> ControlFlow<(), Seen>) -> ControlFlow<()> {
        let (each, is_timed) = (RefCell::new(each), Cell::new(false));
        let tried = |plan: Plan| {
            let seen = each.borrow_mut()(&plan)?;
            is_timed.set(is_timed.get() || seen.is_timed);
            Continue(seen.happened)
        };
        // Plans with growing numbers, as long as what is planned happens.
        let row = |plan: &dyn Fn(u32) -> Plan| {
            let mut at = 0;
            while tried(plan(at))? {
                at += 1;
            }
            Continue(())
        };
        let one = |victim, at, early_wakes| Plan { deaths: vec![(victim, at)], early_wakes, ..Plan::default() };
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
            row(&|before| Plan { early_wakes: before + 1, ..Plan::default() })?;
            for victim in self.victims.iter().filter(|_| !self.pairs) {
                row(&|at| one(*victim, at, 1))?;
            }
        }
        Continue(())
    }

    /// Explores all plans, and panics at the first that fails. Prints how much was explored, and
    /// within which bounds; `outlive-mutants` reads that line.
    pub fn holds(self, name: &str) -> Report {
        let has_two = |victim| self.second_threads.contains(victim);
        assert!(
            self.end != End::Exec || self.victims.iter().all(has_two),
            "{name}: a victim that ends by exec must be a second thread"
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
            // With one execution only, the participants share nothing that the checker sees.
            assert!(report.executions > 1, "{name} explored one execution: it models nothing");
            if happened {
                placed.extend(plan.deaths.iter().map(|(victim, _)| *victim));
            }
            Continue(Seen { happened, is_timed })
        });
        if let Some(immortal) = self.victims.iter().find(|victim| !placed.contains(victim)) {
            panic!("{name}: participant {immortal} should die in some plan, and never did");
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
        let spurious = if self.spurious { ", each wait returns once without a reason" } else { "" };
        let interrupted = match self.interrupted {
            [] => String::new(),
            who => format!(", each wait of {who:?} is interrupted once"),
        };
        let timed = if report.is_timed { ", waits with a deadline end by it or by a wake before it" } else { "" };
        let bound = B::bound(self.bounds, report.cut_short);
        format!("{} threads, {deaths}{spurious}{interrupted}{timed}; {bound}", self.participants)
    }

    /// Explores until a plan fails. Panics if none does: this model must be able to fail.
    pub fn fails(mut self, name: &str) {
        self.bounds.executions *= 5; // the exploration ends at the first failure
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
            panic!("{name} must fail, and did not in {executions} executions: the model cannot see the fault");
        };
        let first_line = failure.lines().next().unwrap_or_default();
        println!("model {name}: fails as it must at {plan:?} after {executions} executions: {first_line}");
    }
}

/// `executions`, multiplied by OUTLIVE_MODELS_THOROUGHNESS: more for long runs, fewer for short
/// ones.
fn times(executions: usize) -> usize {
    let variable = std::env::var("OUTLIVE_MODELS_THOROUGHNESS");
    let thoroughness: f64 =
        variable.map_or(1.0, |times| times.parse().expect("OUTLIVE_MODELS_THOROUGHNESS is a number"));
    ((executions as f64 * thoroughness) as usize).max(20)
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|s| (*s).to_owned())).unwrap_or_else(|| "a panic".into())
}

thread_local! {
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

/// Keeps the panics of this thread's models off the terminal. A failure is reported with its plan
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
