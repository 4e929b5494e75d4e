//! A platform that uses the standard library alone. The algorithms in `outlive::raw` run on it
//! under Miri and ThreadSanitizer, with real threads. They also run in one thread, where a
//! [`Script`] chooses deaths and the passing of time.
//!
//! The futex is a list of sleepers behind a lock. This lock orders more than the kernel's does, so
//! loom must check the orderings on the path of a wake. The orderings of the words themselves are
//! the algorithm's own here, too.

use core::time::Duration;
use outlive::platform::{self, Expect, Lifeline, MARK, OWNER, Platform, WAKE_AT_DEATH, Word64 as _};
use outlive::raw::Id;
use outlive::raw::table::recycle::Named;
use outlive::raw::table::{Newcomer, Slot, Table};
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::panic::resume_unwind;
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering, Ordering::SeqCst};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// The standard library as a platform. See the [module](self).
#[derive(Debug, Clone, Copy)]
pub struct Standard;

/// The payload of the unwinding when an actor dies in the middle of an operation.
#[derive(Debug)]
pub struct Died;

/// Decides what happens while the thread's current actor sleeps.
pub trait Script {
    /// Returns when the sleeper is to recheck. A sleeper dies asleep by unwinding with [`Died`].
    fn asleep(&self, sleeper: &Arc<Sleeper>, until: Option<Duration>);
}

thread_local! {
    static SCRIPT: RefCell<Option<Rc<dyn Script>>> = const { RefCell::new(None) };
    static CLOCK: Cell<Duration> = const { Cell::new(Duration::ZERO) };
    static FIRST_PHASE: Cell<bool> = const { Cell::new(false) };
    static LAST_FIRST: Cell<bool> = const { Cell::new(false) };
    /// How many operations the current actor still lives.
    static LIFE: Cell<Option<u32>> = const { Cell::new(None) };
}

/// Runs `body`. The script decides about the sleeps of this thread. Its clock moves only during
/// sleeps.
///
/// `first_phase`: whether sleepers begin with the short first phase. `last_first`: whether the
/// kernel wakes the last sleeper first, as it does if that one's priority is higher.
pub fn with_script<R>(script: Rc<dyn Script>, first_phase: bool, last_first: bool, body: impl FnOnce() -> R) -> R {
    struct End;
    impl Drop for End {
        fn drop(&mut self) {
            SCRIPT.with(|place| place.replace(None));
            LAST_FIRST.set(false);
        }
    }
    SCRIPT.with(|place| place.replace(Some(script)));
    CLOCK.set(Duration::from_secs(1_000));
    FIRST_PHASE.set(first_phase);
    LAST_FIRST.set(last_first);
    let _end = End;
    body()
}

fn script() -> Option<Rc<dyn Script>> {
    SCRIPT.with(|place| place.borrow().clone())
}

/// Moves the script's clock.
pub fn advance_to(moment: Duration) {
    CLOCK.set(CLOCK.get().max(moment));
}

/// Runs `body` as an actor that dies at its operation number `life`, if it gets that far.
pub fn living_for<R>(life: Option<u32>, body: impl FnOnce() -> R) -> R {
    struct Restore(Option<u32>);
    impl Drop for Restore {
        fn drop(&mut self) {
            LIFE.set(self.0);
        }
    }
    let _outer = Restore(LIFE.replace(life));
    body()
}

/// A step at which the current actor may die.
fn operation() {
    match LIFE.get() {
        None => {}
        Some(0) => resume_unwind(Box::new(Died)),
        Some(left) => LIFE.set(Some(left - 1)),
    }
}

/// A futex word.
#[derive(Debug)]
#[repr(transparent)]
pub struct Word(AtomicU32);

impl Word {
    fn address(&self) -> usize {
        &raw const *self as usize
    }

    /// What the kernel does with a word of a dying thread's list.
    pub fn kernel_cut(&self, thread: u32) {
        let mut value = self.0.load(SeqCst);
        while value & OWNER == thread {
            match self.0.compare_exchange(value, MARK | WAKE_AT_DEATH, SeqCst, SeqCst) {
                Ok(_) => {
                    kernel_wake(self.address(), 1);
                    return;
                }
                Err(now) => value = now,
            }
        }
    }
}

macro_rules! forward {
    ($($name:ident($($arg:ident: $ty:ty),*) $(-> $ret:ty)?;)*) => {
        $(fn $name(&self, $($arg: $ty),*) $(-> $ret)? {
            operation();
            self.0.$name($($arg),*)
        })*
    };
}

impl platform::Word for Word {
    fn new(value: u32) -> Self {
        Self(AtomicU32::new(value))
    }
    forward! {
        load(order: Ordering) -> u32;
        store(value: u32, order: Ordering);
        swap(value: u32, order: Ordering) -> u32;
        compare_exchange(current: u32, new: u32, success: Ordering, failure: Ordering) -> Result<u32, u32>;
        fetch_add(value: u32, order: Ordering) -> u32;
        fetch_or(value: u32, order: Ordering) -> u32;
        fetch_and(value: u32, order: Ordering) -> u32;
    }
    fn fence(order: Ordering) {
        operation();
        std::sync::atomic::fence(order);
    }
}

/// A 64-bit atomic.
#[derive(Debug)]
pub struct Word64(AtomicU64);

impl platform::Word64 for Word64 {
    fn new(value: u64) -> Self {
        Self(AtomicU64::new(value))
    }
    forward! {
        load(order: Ordering) -> u64;
        store(value: u64, order: Ordering);
        swap(value: u64, order: Ordering) -> u64;
        compare_exchange(current: u64, new: u64, success: Ordering, failure: Ordering) -> Result<u64, u64>;
    }
    fn fence(order: Ordering) {
        <Word as platform::Word>::fence(order);
    }
}

/// A lifeline, which [`World::die`] cuts.
#[derive(Debug)]
pub struct Life {
    word: Word,
    spare: Word,
}

impl Life {
    fn new() -> Self {
        let [word, spare] = [0, 0].map(<Word as platform::Word>::new);
        Self { word, spare }
    }
}

impl Lifeline for Life {
    type Word = Word;
    fn word(&self) -> &Word {
        &self.word
    }
    fn spare(&self) -> &Word {
        &self.spare
    }
}

/// What a slot records of its owner.
#[derive(Debug)]
pub struct Note {
    process: AtomicU32,
    waits_at: AtomicU32,
    gone: Arc<Mutex<BTreeSet<u32>>>,
}

impl platform::ThreadInfo for Note {
    fn process(&self) -> u32 {
        self.process.load(SeqCst)
    }
    fn note_waiting<W>(&self, _word: Option<&W>) {}
    fn waits_at(&self) -> u32 {
        operation();
        self.waits_at.load(SeqCst)
    }
    fn set_waits_at(&self, number: u32) {
        operation();
        self.waits_at.store(number, SeqCst);
    }
}

/// A thread that sleeps in [`Platform::wait`].
#[derive(Debug)]
pub struct Sleeper {
    words: Mutex<Vec<usize>>,
    woken: Mutex<bool>,
    woke: Condvar,
}

impl Sleeper {
    /// Whether a wake has reached the sleeper.
    pub fn is_woken(&self) -> bool {
        *unpoisoned(&self.woken)
    }

    /// Removes the sleeper from all queues, as the kernel does with a thread that is killed asleep.
    pub fn dequeue(&self) {
        unpoisoned(&SLEEPERS).retain(|other| !std::ptr::eq(&**other, self));
    }

    fn wake(&self) {
        *unpoisoned(&self.woken) = true;
        self.woke.notify_all();
    }

    fn sleep(&self, until: Option<Duration>) {
        let mut woken = unpoisoned(&self.woken);
        while !*woken {
            woken = match until.map(|until| until.checked_sub(Standard::now())) {
                None => self.woke.wait(woken).unwrap_or_else(PoisonError::into_inner),
                Some(None) => return,
                Some(Some(left)) => self.woke.wait_timeout(woken, left).unwrap_or_else(PoisonError::into_inner).0,
            };
        }
    }
}

/// All sleepers, in the order in which they fell asleep.
static SLEEPERS: Mutex<Vec<Arc<Sleeper>>> = Mutex::new(vec![]);

fn unpoisoned<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn kernel_wake(address: usize, count: u32) -> u32 {
    let mut sleepers = unpoisoned(&SLEEPERS);
    let mut woken = 0;
    while woken < count {
        let mut there = (0..sleepers.len()).filter(|at| unpoisoned(&sleepers[*at].words).contains(&address));
        let next = if LAST_FIRST.get() { there.next_back() } else { there.next() };
        let Some(at) = next else { break };
        // A woken sleeper leaves all its queues, so a second wake finds another sleeper.
        sleepers.remove(at).wake();
        woken += 1;
    }
    woken
}

fn kernel_requeue(from: &Word, expected: u32, to: usize, count: u32) -> Option<u32> {
    let mut sleepers = unpoisoned(&SLEEPERS);
    if from.0.load(SeqCst) != expected {
        return None;
    }
    let sleeps_there = |sleeper: &Arc<Sleeper>| unpoisoned(&sleeper.words).contains(&from.address());
    let (mut moved, mut others) = (vec![], vec![]);
    for sleeper in sleepers.drain(..) {
        let goes = moved.len() < count as usize && sleeps_there(&sleeper);
        if goes { &mut moved } else { &mut others }.push(sleeper);
    }
    for sleeper in &moved {
        let mut words = unpoisoned(&sleeper.words);
        words.iter_mut().filter(|word| **word == from.address()).for_each(|word| *word = to);
    }
    *sleepers = others;
    sleepers.extend(moved.iter().cloned());
    Some(moved.len() as u32)
}

impl Platform for Standard {
    type Word = Word;
    type Word64 = Word64;
    type Lifeline = Life;
    type ThreadInfo = Note;

    // No other actor runs meanwhile. The number is so small that it does not lengthen a scenario.
    // It is not 0, so that an algorithm that does not count its spins is found.
    const SPINS: u32 = 8;
    const MOST_WORDS: usize = 128;

    fn spin() {
        std::thread::yield_now();
    }
    fn now() -> Duration {
        static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
        match script() {
            Some(_) => CLOCK.get(),
            None => START.get_or_init(Instant::now).elapsed(),
        }
    }
    fn wait<'w>(words: impl Iterator<Item = Expect<'w, Word>>, until: Option<Duration>) {
        let words: Vec<_> = words.collect();
        struct Leave(Arc<Sleeper>);
        impl Drop for Leave {
            fn drop(&mut self) {
                self.0.dequeue();
            }
        }
        operation();
        let sleeper = Arc::new(Sleeper {
            words: Mutex::new(words.iter().map(|expect| expect.word.address()).collect()),
            woken: Mutex::new(false),
            woke: Condvar::new(),
        });
        let mut sleepers = unpoisoned(&SLEEPERS);
        if words.iter().any(|expect| expect.word.0.load(SeqCst) != expect.value) {
            return;
        }
        sleepers.push(Arc::clone(&sleeper));
        drop(sleepers);
        let asleep = Leave(sleeper);
        match script() {
            Some(script) => script.asleep(&asleep.0, until),
            None => asleep.0.sleep(until),
        }
    }
    fn wake(word: &Word, count: u32) -> u32 {
        operation();
        kernel_wake(word.address(), count)
    }
    fn requeue(from: &Word, expected: u32, to: &Word, count: u32) -> Option<u32> {
        operation();
        kernel_requeue(from, expected, to.address(), count)
    }
    fn first_phase() -> Option<Duration> {
        FIRST_PHASE.get().then_some(Duration::from_millis(1))
    }
    fn recheck() -> Option<Duration> {
        None // rechecks are off
    }
    fn watches_many() -> bool {
        true
    }
    fn is_gone(note: &Note, thread: u32) -> bool {
        unpoisoned(&note.gone).contains(&thread)
    }
    fn is_process_gone(_note: &Note) -> bool {
        false // no thread leaks here
    }
}

/// A participant table in ordinary memory.
#[derive(Debug)]
pub struct World {
    membership: Word,
    cursor: Word,
    stamp: Word,
    slots: Vec<Slot<Standard>>,
    gone: Arc<Mutex<BTreeSet<u32>>>,
    next_thread: AtomicU32,
}

impl World {
    /// A table of so many free slots.
    pub fn new(slots: usize) -> Self {
        let word = <Word as platform::Word>::new;
        let gone = Arc::new(Mutex::default());
        let slot = |_| {
            let about = Note { process: AtomicU32::new(0), waits_at: AtomicU32::new(0), gone: Arc::clone(&gone) };
            Slot::from_parts(Word64::new(0), [Life::new(), Life::new()], about)
        };
        Self {
            membership: word(0),
            cursor: word(0),
            stamp: word(0),
            slots: (0..slots).map(slot).collect(),
            gone: Arc::clone(&gone),
            next_thread: AtomicU32::new(1),
        }
    }

    /// The participant table.
    pub fn table(&self) -> Table<'_, Standard> {
        Table { membership: &self.membership, cursor: &self.cursor, stamp: &self.stamp, slots: &self.slots }
    }

    /// A thread that is about to register.
    pub fn newcomer(&self) -> Person {
        Person { thread: self.next_thread.fetch_add(1, SeqCst), gone: Arc::clone(&self.gone) }
    }

    /// What the kernel does when this thread ends, wherever it was.
    pub fn die(&self, thread: u32) {
        for lifeline in self.slots.iter().flat_map(|slot| slot.lifelines()) {
            lifeline.word.kernel_cut(thread);
        }
        unpoisoned(&self.gone).insert(thread);
    }
}

/// A thread of a [`World`].
#[derive(Debug)]
pub struct Person {
    thread: u32,
    gone: Arc<Mutex<BTreeSet<u32>>>,
}

impl Newcomer<Standard> for Person {
    fn thread(&self) -> u32 {
        self.thread
    }
    fn tag(&self) -> u32 {
        0
    }
    fn describe(&self, about: &Note, _id: Id) {
        operation();
        about.process.store(self.thread, SeqCst);
        about.waits_at.store(0, SeqCst);
    }
    fn arm(&self, [own, _process]: &[Life; 2]) {
        platform::Word::store(&own.word, self.thread | WAKE_AT_DEATH, Ordering::Release);
    }
    fn is_claimer_gone(&self, thread: u32, _tag: u32) -> bool {
        unpoisoned(&self.gone).contains(&thread)
    }
    fn read_names(&self, _named: &mut Named) -> bool {
        false // no slot reaches its last generation
    }
}
