//! The modelled kernel: words with queues of sleepers, waits that compare and enqueue word by word,
//! and deaths that cut lifelines.

use crate::backend::Backend;
use crate::explore::World;
use crate::time::{Sleeper, Time};
use core::marker::PhantomData;
use core::time::Duration;
use outlive::platform::{self, Expect, Lifeline, MARK, OWNER, Platform, WAKE_AT_DEATH, Word as _};
use outlive::raw::Id;
use outlive::raw::table::Newcomer;
use outlive::raw::table::recycle::Named;
use std::collections::VecDeque;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering, Ordering::*};
use std::sync::{Arc, Mutex};

/// What is broken in the platform, for models that must fail.
#[derive(Debug, Clone, Copy)]
pub struct Broken {
    /// Wakes of all sleepers on a lifeline do nothing. This breaks the rule of the cascade.
    pub no_cascade: bool,
    /// Lifelines are collected after the check, not before it.
    pub late_collection: bool,
    /// A wait watches its first words only. With 3, these are the awaited word, the membership and
    /// the holder's lifeline.
    pub most_words: Option<usize>,
    /// Newcomers do not change the membership word that sleepers see.
    pub no_membership: bool,
    /// Every Acquire is Relaxed.
    pub no_acquire: bool,
    /// Every Release is Relaxed.
    pub no_release: bool,
    /// SeqCst fences do nothing.
    pub no_fence: bool,
    /// A wake wakes the newest sleeper first. An algorithm must stand this: the kernel wakes the
    /// sleeper of the highest priority first.
    pub newest_first: bool,
    /// All newcomers, and the former participant, have the same thread id, as threads in different
    /// PID namespaces may have.
    pub equal_thread_ids: bool,
    /// Claimers that have not yet armed their lifelines are judged gone, whether they are gone or
    /// not. No platform may do that.
    pub claimers_seem_gone: bool,
    /// All wakes do nothing, except those of the cascade.
    pub no_wake: bool,
    /// A 64-bit exchange that would set one of these bits does nothing, and reports success.
    pub lost_bits: u64,
    /// A 64-bit exchange does not compare these bits.
    pub unseen_bits: u64,
}

impl Broken {
    /// Nothing is broken.
    pub const NOTHING: Self = Self {
        no_cascade: false,
        late_collection: false,
        most_words: None,
        no_membership: false,
        no_acquire: false,
        no_release: false,
        no_fence: false,
        newest_first: false,
        equal_thread_ids: false,
        claimers_seem_gone: false,
        no_wake: false,
        lost_bits: 0,
        unseen_bits: 0,
    };
    /// [`no_cascade`](Self::no_cascade) alone.
    pub const NO_CASCADE: Self = Self { no_cascade: true, ..Self::NOTHING };
    /// [`late_collection`](Self::late_collection) alone.
    pub const LATE_COLLECTION: Self = Self { late_collection: true, ..Self::NOTHING };
    /// [`no_membership`](Self::no_membership) alone.
    pub const NO_MEMBERSHIP: Self = Self { no_membership: true, ..Self::NOTHING };
    /// [`no_acquire`](Self::no_acquire) alone.
    pub const NO_ACQUIRE: Self = Self { no_acquire: true, ..Self::NOTHING };
    /// [`no_release`](Self::no_release) alone.
    pub const NO_RELEASE: Self = Self { no_release: true, ..Self::NOTHING };
    /// [`no_fence`](Self::no_fence) alone.
    pub const NO_FENCE: Self = Self { no_fence: true, ..Self::NOTHING };
    /// [`newest_first`](Self::newest_first) alone.
    pub const NEWEST_FIRST: Self = Self { newest_first: true, ..Self::NOTHING };
    /// [`equal_thread_ids`](Self::equal_thread_ids) alone.
    pub const EQUAL_THREAD_IDS: Self = Self { equal_thread_ids: true, ..Self::NOTHING };
    /// [`no_wake`](Self::no_wake) alone.
    pub const NO_WAKE: Self = Self { no_wake: true, ..Self::NOTHING };

    /// [`most_words`](Self::most_words) alone.
    pub const fn watching(words: usize) -> Self {
        Self { most_words: Some(words), ..Self::NOTHING }
    }

    fn weaken(self, order: Ordering) -> Ordering {
        match order {
            Acquire if self.no_acquire => Relaxed,
            Release if self.no_release => Relaxed,
            AcqRel if self.no_acquire && self.no_release => Relaxed,
            AcqRel if self.no_acquire => Release,
            AcqRel if self.no_release => Acquire,
            SeqCst if self.no_fence => Relaxed,
            other => other,
        }
    }
}

/// The panic payload with which a victim's thread unwinds.
pub(crate) struct Died;

/// How a participant sleeps.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Nature {
    /// In two phases.
    pub(crate) first_phase: bool,
    /// With a recheck once a second.
    pub(crate) rechecks: bool,
}

/// What will happen to a participant.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Fate {
    /// It dies at this operation.
    pub(crate) die_at: Option<u32>,
    /// This wait returns without a reason.
    pub(crate) spurious_wait: Option<u32>,
    /// This one of the interruptible waits is interrupted.
    pub(crate) interrupted_wait: Option<u32>,
    /// In so many timed waits, the first ones, the deadline does not pass as long as another thread
    /// can run.
    pub(crate) early_wakes: u32,
}

/// The participant that a modelled thread plays, with its fate.
#[derive(Debug)]
pub struct Actor {
    pub(crate) fate: Fate,
    pub(crate) broken: Broken,
    pub(crate) nature: Nature,
    pub(crate) operations: AtomicU32,
    waits: AtomicU32,
    timed_waits: AtomicU32,
    interruptible_waits: AtomicU32,
    /// A wait returned without a reason, was interrupted, or was woken early, as the fate says.
    pub(crate) is_hit: AtomicBool,
    /// A wait had a deadline.
    pub(crate) is_timed: AtomicBool,
    time: Arc<Time>,
    clock: Mutex<Duration>,
    /// The robust list, newest last. Each entry is a slot and a lifeline.
    pub(crate) linked: Mutex<Vec<(usize, usize)>>,
    /// `list_op_pending` of the robust list.
    pub(crate) pending: Mutex<Option<(usize, usize)>>,
    /// The slots that this participant has described as its own.
    pub(crate) described: Mutex<Vec<usize>>,
    pub(crate) who: usize,
    pub(crate) script: Option<Arc<Script>>,
}

/// A schedule of the beginning. In each turn one participant acts until it has done a number of
/// operations. After the last turn all are free.
#[derive(Debug)]
pub(crate) struct Script {
    pub(crate) turns: Vec<(usize, u32)>,
    pub(crate) at: std::sync::atomic::AtomicUsize,
}

impl Script {
    /// Whether it is the turn of `who`, which has done `done` operations.
    fn lets(&self, who: usize, done: u32) -> bool {
        loop {
            let at = self.at.load(SeqCst);
            match self.turns.get(at) {
                Some((turn, until)) if *turn == who && done >= *until => _ = self.at.fetch_add(1, SeqCst),
                Some((turn, _)) => return *turn == who,
                None => return true,
            }
        }
    }
}

impl Actor {
    pub(crate) fn new(fate: Fate, broken: Broken, nature: Nature, time: Arc<Time>) -> Self {
        Self {
            fate,
            broken,
            nature,
            operations: AtomicU32::new(0),
            waits: AtomicU32::new(0),
            timed_waits: AtomicU32::new(0),
            interruptible_waits: AtomicU32::new(0),
            is_hit: AtomicBool::new(false),
            is_timed: AtomicBool::new(false),
            time,
            clock: Mutex::new(Duration::ZERO),
            linked: Mutex::default(),
            described: Mutex::default(),
            pending: Mutex::default(),
            who: 0,
            script: None,
        }
    }

    /// Waits for this participant's turn.
    fn turn<B: Backend>(&self) {
        while self.script.as_ref().is_some_and(|script| !script.lets(self.who, self.operations.load(SeqCst))) {
            B::yield_now();
        }
    }

    /// Ends this participant's turn, if it has done all operations of it.
    pub(crate) fn end_turn(&self) {
        if let Some(script) = &self.script {
            script.lets(self.who, self.operations.load(SeqCst));
        }
    }

    fn dies_now(&self) -> bool {
        self.fate.die_at == Some(self.operations.load(SeqCst))
    }

    fn operation(&self) {
        let dies = self.dies_now();
        self.operations.fetch_add(1, SeqCst);
        if dies {
            resume_unwind(Box::new(Died));
        }
    }
}

/// Counts an operation, at which the actor may die. Returns what is broken for the actor.
fn operation<B: Backend>() -> Broken {
    let Some(actor) = B::actor() else { return Broken::NOTHING };
    actor.turn::<B>();
    actor.operation();
    actor.broken
}

/// A point of a scenario at which the caller may die, without an access to memory.
pub fn step<B: Backend>() {
    operation::<B>();
}

/// The deadline of callers that do not wait forever.
pub const DEADLINE: Duration = Duration::from_secs(1);

/// Whether the deadline has passed for the caller. An early wake does not make this true.
pub fn is_over<B: Backend>() -> bool {
    Model::<B>::now() >= DEADLINE
}

/// One sleeper on one word.
struct Entry {
    sleeper: Arc<Sleeper>,
    woken: AtomicBool,
    /// The queue that it is in: its word's, or that of the word to which it was moved.
    queue: Mutex<Arc<Queue>>,
}

type Queue = Mutex<VecDeque<Arc<Entry>>>;

/// A futex word. The model checker sees no memory in a constant word: that is for words which do
/// not change in a scenario.
pub struct Word<B: Backend> {
    atomic: Option<B::U32>,
    constant: u32,
    queue: Arc<Queue>,
}

impl<B: Backend> core::fmt::Debug for Word<B> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Word").field("constant", &self.constant).finish_non_exhaustive()
    }
}

/// A value that no thread writes. A compare-exchange of it for itself reads the newest value and
/// changes nothing.
const NEVER: u32 = 0x1bad_beef;

impl<B: Backend> Word<B> {
    /// A word that is never written.
    pub fn constant(value: u32) -> Self {
        Self { atomic: None, constant: value, queue: Arc::default() }
    }

    /// The newest value, as the kernel reads it. The read orders nothing.
    pub fn newest(&self) -> u32 {
        match &self.atomic {
            None => self.constant,
            Some(a) => match B::cas(a, NEVER, NEVER, Relaxed, Relaxed) {
                Ok(value) | Err(value) => value,
            },
        }
    }

    fn on<R>(&self, constant: impl FnOnce(u32) -> R, access: impl FnOnce(&B::U32, Broken) -> R) -> R {
        match &self.atomic {
            None => constant(self.constant),
            Some(atomic) => {
                let broken = operation::<B>();
                access(atomic, broken)
            }
        }
    }

    fn kernel_wake(&self, count: u32) -> u32 {
        // A read-modify-write on the word itself, so that the checker sees the dependency.
        self.newest();
        let entries = self.dequeue(count);
        for entry in &entries {
            entry.woken.store(true, SeqCst);
            entry.sleeper.wake();
        }
        entries.len() as u32
    }

    /// The entries that a wake of so many takes out of the queue.
    fn dequeue(&self, count: u32) -> Vec<Arc<Entry>> {
        let mut queue = self.queue.lock().expect("no panic inside");
        let count = queue.len().min(count as usize);
        let newest_first = B::actor().is_some_and(|actor| actor.broken.newest_first);
        let first = if newest_first { queue.len() - count } else { 0 };
        queue.drain(first..first + count).collect()
    }

    /// `FUTEX_CMP_REQUEUE`, which wakes nobody.
    fn kernel_requeue(&self, expected: u32, to: &Self, count: u32) -> Option<u32> {
        to.newest(); // so that the checker sees the dependency, here too
        if self.newest() != expected {
            return None;
        }
        let entries = self.dequeue(count);
        for entry in &entries {
            *entry.queue.lock().expect("no panic inside") = Arc::clone(&to.queue);
        }
        let moved = entries.len() as u32;
        to.queue.lock().expect("no panic inside").extend(entries);
        Some(moved)
    }

    /// The caller passes through the kernel: it publishes all that it did, and sees all that
    /// earlier callers published. So a thread that learns of a death sees all that the dead thread
    /// did. The word must not be written otherwise at that time.
    pub(crate) fn through_the_kernel(&self) {
        if let Some(atomic) = &self.atomic {
            let _unchanged = B::or(atomic, 0, AcqRel);
        }
    }

    /// What the kernel does with a word of a dying thread's list (`handle_futex_death`).
    pub(crate) fn kernel_cut(&self, thread: u32, pending: bool) {
        let Some(atomic) = &self.atomic else { return };
        loop {
            let value = self.newest();
            if pending && value & OWNER == 0 {
                self.kernel_wake(1);
                return;
            }
            if value & OWNER != thread {
                return;
            }
            if B::cas(atomic, value, value & WAKE_AT_DEATH | MARK, AcqRel, Relaxed).is_ok() {
                if value & WAKE_AT_DEATH != 0 {
                    self.kernel_wake(1);
                }
                return;
            }
        }
    }
}

impl<B: Backend> platform::Word for Word<B> {
    fn new(value: u32) -> Self {
        Self { atomic: Some(B::u32(value)), constant: value, queue: Arc::default() }
    }
    fn load(&self, order: Ordering) -> u32 {
        if self.atomic.is_some() && B::actor().is_some_and(|actor| actor.script.is_some()) {
            operation::<B>();
            // A schedule counts operations. Stale values would cause more operations.
            return self.newest();
        }
        self.on(|value| value, |a, broken| B::load(a, broken.weaken(order)))
    }
    fn store(&self, value: u32, order: Ordering) {
        self.on(
            |constant| assert_eq!(constant, value, "a constant is stored to"),
            |a, broken| B::store(a, value, broken.weaken(order)),
        )
    }
    fn swap(&self, value: u32, order: Ordering) -> u32 {
        self.on(|_| unreachable!("a constant is swapped"), |a, broken| B::swap(a, value, broken.weaken(order)))
    }
    fn compare_exchange(&self, current: u32, new: u32, success: Ordering, failure: Ordering) -> Result<u32, u32> {
        self.on(
            // A newcomer does this to the membership word, where `no_membership` makes it constant.
            |value| if value == current { Ok(value) } else { Err(value) },
            |a, broken| B::cas(a, current, new, broken.weaken(success), broken.weaken(failure)),
        )
    }
    fn fetch_add(&self, value: u32, order: Ordering) -> u32 {
        self.on(|value| value, |a, broken| B::add(a, value, broken.weaken(order)))
    }
    fn fetch_or(&self, value: u32, order: Ordering) -> u32 {
        self.on(|_| unreachable!("a constant is changed"), |a, broken| B::or(a, value, broken.weaken(order)))
    }
    fn fetch_and(&self, value: u32, order: Ordering) -> u32 {
        self.on(|_| unreachable!("a constant is changed"), |a, broken| B::and(a, value, broken.weaken(order)))
    }
    fn fence(order: Ordering) {
        let broken = operation::<B>();
        match broken.weaken(order) {
            Relaxed => {}
            order => B::fence(order),
        }
    }
}

/// A 64-bit atomic, or a constant.
#[derive(Debug)]
pub struct Word64<B: Backend> {
    atomic: Option<B::U64>,
    constant: u64,
}

impl<B: Backend> Word64<B> {
    /// A 64-bit word that is never written.
    pub fn constant(value: u64) -> Self {
        Self { atomic: None, constant: value }
    }
}

impl<B: Backend> platform::Word64 for Word64<B> {
    fn new(value: u64) -> Self {
        Self { atomic: Some(B::u64(value)), constant: value }
    }
    fn load(&self, order: Ordering) -> u64 {
        let Some(a) = &self.atomic else { return self.constant };
        let broken = operation::<B>();
        B::load64(a, broken.weaken(order))
    }
    fn store(&self, value: u64, order: Ordering) {
        let a = self.atomic.as_ref().expect("a constant is stored to");
        let broken = operation::<B>();
        B::store64(a, value, broken.weaken(order));
    }
    fn swap(&self, value: u64, order: Ordering) -> u64 {
        let a = self.atomic.as_ref().expect("a constant is exchanged");
        let broken = operation::<B>();
        B::swap64(a, value, broken.weaken(order))
    }
    fn fence(order: Ordering) {
        <Word<B> as platform::Word>::fence(order);
    }
    fn compare_exchange(&self, current: u64, new: u64, success: Ordering, failure: Ordering) -> Result<u64, u64> {
        let a = self.atomic.as_ref().expect("a constant is exchanged");
        let broken = operation::<B>();
        if new & !current & broken.lost_bits != 0 {
            return Ok(current);
        }
        let exchange = |current| B::cas64(a, current, new, broken.weaken(success), broken.weaken(failure));
        match exchange(current) {
            Err(now) if (now ^ current) & !broken.unseen_bits == 0 => exchange(now),
            result => result,
        }
    }
}

/// A lifeline: its word, and its place (slot and index).
#[derive(Debug)]
pub struct Life<B: Backend> {
    pub(crate) word: Word<B>,
    pub(crate) spare: Word<B>,
    pub(crate) place: (usize, usize),
}

impl<B: Backend> Lifeline for Life<B> {
    type Word = Word<B>;
    fn word(&self) -> &Word<B> {
        &self.word
    }
    fn spare(&self) -> &Word<B> {
        &self.spare
    }
}

/// The thread record of a slot. It also knows which threads are gone; only reaping asks for that.
#[derive(Debug)]
pub struct Note<B: Backend> {
    /// How the owners have described themselves, one after the other.
    pub(crate) facts: Facts<Word<B>>,
    /// See [`platform::ThreadInfo::waits_at`].
    pub(crate) waits_at: Word<B>,
    pub(crate) processes: &'static [u32],
    pub(crate) gone: Arc<[AtomicBool]>,
    pub(crate) ended: Arc<[AtomicBool]>,
}

/// A description of a thread. It has two words, so that a reader may see halves of two different
/// descriptions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Facts<W> {
    pub(crate) thread: W,
    pub(crate) process: W,
}

/// The process number of a modelled thread, where a scenario does not choose another.
pub fn process_of(who: usize) -> u32 {
    who as u32 + 100
}

impl Facts<u32> {
    /// The description of thread number `thread`. `processes` has the process numbers of the first
    /// threads.
    pub(crate) fn of(thread: u32, processes: &[u32]) -> Self {
        let who = thread as usize - 1;
        Self { thread, process: processes.get(who).copied().unwrap_or_else(|| process_of(who)) }
    }

    pub(crate) fn map<W>(self, each: impl Fn(u32) -> W) -> Facts<W> {
        Facts { thread: each(self.thread), process: each(self.process) }
    }
}

impl<B: Backend> platform::ThreadInfo for Note<B> {
    fn process(&self) -> u32 {
        self.facts.process.load(Relaxed)
    }
    fn note_waiting<W>(&self, _word: Option<&W>) {}
    fn waits_at(&self) -> u32 {
        self.waits_at.load(Relaxed)
    }
    fn set_waits_at(&self, number: u32) {
        self.waits_at.store(number, Relaxed);
    }
}

/// The modelled platform. See the [crate](crate).
#[derive(Debug)]
pub struct Model<B>(PhantomData<B>);

impl<B: Backend> Platform for Model<B> {
    type Word = Word<B>;
    type Word64 = Word64<B>;
    type Lifeline = Life<B>;
    type ThreadInfo = Note<B>;

    const SPINS: u32 = 0;
    const MOST_WORDS: usize = B::MOST_WORDS;
    const LAST_GENERATION: u16 = B::LAST_GENERATION;

    fn spin() {
        B::yield_now();
    }
    fn now() -> Duration {
        B::actor().map_or(Duration::ZERO, |actor| *actor.clock.lock().expect("no panic inside"))
    }
    fn wait<'w>(words: impl Iterator<Item = Expect<'w, Word<B>>>, deadline: Option<Duration>) {
        wait(&words.collect::<Vec<_>>(), deadline, false);
    }
    fn wait_interruptibly<'w>(words: impl Iterator<Item = Expect<'w, Word<B>>>, deadline: Option<Duration>) -> bool {
        let actor = B::actor().expect("only actors sleep");
        let wait_number = actor.interruptible_waits.fetch_add(1, SeqCst);
        let is_interrupted = actor.fate.interrupted_wait == Some(wait_number);
        wait(&words.collect::<Vec<_>>(), deadline, is_interrupted);
        is_interrupted
    }
    fn wake(word: &Word<B>, count: u32) -> u32 {
        let broken = operation::<B>();
        let is_cascade = count == u32::MAX && word.newest() & MARK != 0;
        let is_lost = if is_cascade { broken.no_cascade } else { broken.no_wake };
        if is_lost { 0 } else { word.kernel_wake(count) }
    }
    fn requeue(from: &Word<B>, expected: u32, to: &Word<B>, count: u32) -> Option<u32> {
        operation::<B>();
        from.kernel_requeue(expected, to, count)
    }
    fn first_phase() -> Option<Duration> {
        B::actor().filter(|actor| actor.nature.first_phase).map(|_| Duration::from_millis(1))
    }
    fn recheck() -> Option<Duration> {
        B::actor().filter(|actor| actor.nature.rechecks).map(|_| Duration::from_secs(1))
    }
    fn watches_many() -> bool {
        true
    }
    fn is_gone(note: &Note<B>, _thread: u32) -> bool {
        // The thread id is ignored: another thread may have the same. If the two words are halves
        // of different descriptions, the slot has a new owner, and the answer must not matter. The
        // model then gives the wrong answer, which is the worst case.
        let Facts { thread, process } = &note.facts;
        let described = Facts { thread: thread.load(Relaxed), process: process.load(Relaxed) };
        let is_whole = described == Facts::of(described.thread, note.processes);
        let gone = has_gone(&note.gone, described.thread) || has_gone(&note.ended, described.thread);
        if gone && is_whole {
            thread.through_the_kernel();
        }
        gone || !is_whole
    }
    fn is_process_gone(note: &Note<B>) -> bool {
        let thread = &note.facts.thread;
        let gone = has_gone(&note.gone, thread.load(Relaxed));
        if gone {
            thread.through_the_kernel();
        }
        gone
    }
}

/// `futex_waitv`: enqueues word by word, and leaves the queues word by word.
///
/// A wait without a deadline sleeps until a wake. The deadline of a wait passes at any moment that
/// the schedule chooses; if the sleeper is patient, only when no other thread can run. An
/// interrupted wait ends for no other reason, but it may have absorbed a wake.
fn wait<B: Backend>(words: &[Expect<'_, Word<B>>], deadline: Option<Duration>, is_interrupted: bool) {
    let actor = B::actor().expect("only actors sleep");
    actor.turn::<B>();
    actor.operation();
    let mut queued: Vec<(&Word<B>, Arc<Entry>)> = vec![];
    let mut changed = false;
    let is_patient = deadline.is_some() && actor.timed_waits.load(SeqCst) < actor.fate.early_wakes;
    let sleeper = Sleeper::new::<B>(&actor.time, deadline.filter(|_| is_patient));
    let most = actor.broken.most_words.unwrap_or(words.len());
    for (index, expect) in words.iter().enumerate().take(most) {
        let now = expect.word.newest();
        if actor.broken.late_collection && index > 0 {
            if now & MARK != 0 {
                continue; // as if collected just now: a cut lifeline is not watched
            }
        } else if now != expect.value {
            changed = true;
            break;
        }
        let queue = Mutex::new(Arc::clone(&expect.word.queue));
        let entry = Arc::new(Entry { sleeper: Arc::clone(&sleeper), woken: AtomicBool::new(false), queue });
        expect.word.queue.lock().expect("no panic inside").push_back(Arc::clone(&entry));
        queued.push((expect.word, entry));
    }
    let wait_number = actor.waits.fetch_add(1, SeqCst);
    let dies_asleep = !changed && actor.dies_now();
    let spurious = is_interrupted || !changed && actor.fate.spurious_wait == Some(wait_number);
    if spurious {
        actor.is_hit.store(true, SeqCst);
    }
    if dies_asleep || spurious {
        B::yield_now();
    } else if !changed {
        actor.operations.fetch_add(1, SeqCst);
        actor.end_turn();
        let is_woken_early = match deadline {
            Some(_) if !is_patient => {
                B::yield_now();
                actor.turn::<B>();
                false
            }
            _ => sleeper.sleep::<B>(|| queued.iter().any(|(_, entry)| entry.woken.load(SeqCst))),
        };
        if let Some(end) = deadline {
            actor.is_timed.store(true, SeqCst);
            let is_the_last = actor.timed_waits.fetch_add(1, SeqCst) + 1 == actor.fate.early_wakes;
            match is_woken_early {
                true => actor.is_hit.fetch_or(is_the_last, SeqCst),
                false => {
                    *actor.clock.lock().expect("no panic inside") = end;
                    false
                }
            };
        }
    }
    for (word, entry) in &queued {
        if !entry.woken.load(SeqCst) && queued.len() > 1 {
            word.newest(); // here the schedule may let this sleeper absorb a wake
        }
        let queue = Arc::clone(&entry.queue.lock().expect("no panic inside"));
        queue.lock().expect("no panic inside").retain(|other| !Arc::ptr_eq(other, entry));
    }
    if dies_asleep {
        actor.operation(); // killed in its sleep, and may have absorbed a wake before
    }
}

/// The number of a thread in `gone` and in descriptions. It is the tag, since thread ids may be
/// equal. A participant that is registered from the start has no tag.
fn number(thread: u32, tag: u32) -> u32 {
    if tag == 0 { thread } else { tag }
}

/// Whether the kernel is done with a thread of the scenario, or with the former participant.
fn has_gone(gone: &[AtomicBool], thread: u32) -> bool {
    gone.get(thread as usize - 1).is_none_or(|gone| gone.load(SeqCst))
}

/// A newcomer: it registers in the course of a scenario.
#[derive(Debug)]
pub struct Newborn<'w, B: Backend> {
    /// The world in which it registers.
    pub world: &'w World<B>,
    /// The number of its modelled thread.
    pub who: usize,
}

impl<B: Backend> Newborn<'_, B> {
    /// Leaves the table, in which the newcomer is `id`. First it takes its lifelines out of its
    /// robust list, the last one first.
    pub fn leave(&self, id: Id) {
        let actor = B::actor().expect("only actors leave");
        for line in [1, 0] {
            let place = (id.index(), line);
            if actor.linked.lock().expect("no panic inside").contains(&place) {
                step::<B>();
                actor.linked.lock().expect("no panic inside").retain(|other| *other != place);
            }
        }
        step::<B>();
        self.world.table().leave(id);
    }

    /// Arms a lifeline. If it is `covered`, `list_op_pending` names it until it is in the robust
    /// list. The kernel handles that entry last.
    fn link(&self, line: &Life<B>, owner: u32, covered: bool) {
        let actor = B::actor().expect("only actors register");
        let cover = |place| *actor.pending.lock().expect("no panic inside") = place;
        step::<B>();
        if covered {
            cover(Some(line.place));
        }
        line.word.store(owner | WAKE_AT_DEATH, Release);
        step::<B>();
        actor.linked.lock().expect("no panic inside").push(line.place);
        if covered {
            step::<B>();
            cover(None);
        }
    }
}

impl<B: Backend> Newcomer<Model<B>> for Newborn<'_, B> {
    fn thread(&self) -> u32 {
        self.world.thread_id(self.who)
    }
    fn tag(&self) -> u32 {
        self.who as u32 + 1
    }
    fn describe(&self, record: &Note<B>, id: Id) {
        let actor = B::actor().expect("only actors register");
        actor.described.lock().expect("no panic inside").push(id.index());
        let facts = Facts::of(number(self.thread(), self.tag()), record.processes);
        record.facts.thread.store(facts.thread, Relaxed);
        record.facts.process.store(facts.process, Relaxed);
    }
    fn arm(&self, [own, process]: &[Life<B>; 2]) {
        self.link(own, self.thread(), true);
        if let Some(id) = self.world.process_id(self.who) {
            self.link(process, id, false);
        }
    }
    fn is_claimer_gone(&self, thread: u32, tag: u32) -> bool {
        let seems_gone = B::actor().is_some_and(|actor| actor.broken.claimers_seem_gone);
        let is_gone = has_gone(&self.world.gone, number(thread, tag));
        if is_gone {
            self.world.ends.through_the_kernel();
        }
        is_gone || seems_gone
    }
    fn read_names(&self, _named: &mut Named) -> bool {
        false // a scenario that has words to read uses a `NameReader`
    }
}

/// A newcomer that reads all words that name holders.
#[derive(Debug)]
pub struct NameReader<'w, B: Backend, F> {
    /// The newcomer.
    pub newborn: Newborn<'w, B>,
    /// Notes the words.
    pub read: F,
}

impl<B: Backend, F: Fn(&mut Named)> Newcomer<Model<B>> for NameReader<'_, B, F> {
    fn thread(&self) -> u32 {
        self.newborn.thread()
    }
    fn tag(&self) -> u32 {
        self.newborn.tag()
    }
    fn describe(&self, record: &Note<B>, id: Id) {
        self.newborn.describe(record, id);
    }
    fn arm(&self, lifelines: &[Life<B>; 2]) {
        self.newborn.arm(lifelines);
    }
    fn is_claimer_gone(&self, thread: u32, tag: u32) -> bool {
        self.newborn.is_claimer_gone(thread, tag)
    }
    fn read_names(&self, named: &mut Named) -> bool {
        (self.read)(named);
        true
    }
}
