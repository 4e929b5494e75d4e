//! A platform for unit tests, in which the test plays the kernel. The test says what happens during
//! each wait, and what time it is afterwards; each wake is recorded for it. A situation that on a
//! real machine needs a certain order of four processes takes three lines here, and always occurs.
//!
//! Only one thread is real. The test writes to the words in place of the other threads.

#![allow(clippy::disallowed_types)] // a backend of the seam

use super::linux::{RobustNode, ThreadRecord};
use super::{Expect, MARK, Platform, WAKE_AT_DEATH};
use crate::raw::{Id, Participant, Slot, Table};
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use core::time::Duration;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;

/// See the [module](self).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Puppet;

/// A deadline for waits that give up. The clock begins at 0.
pub(crate) const DEADLINE: Duration = Duration::from_secs(1);

thread_local! {
    static ENDING: Cell<u32> = const { Cell::new(0) };
}

/// The next `asks` calls of [`Platform::is_ending`] return true.
pub(crate) fn still_ending(asks: u32) {
    ENDING.set(asks);
}

/// What happens during one wait.
pub(crate) type Scene = Box<dyn FnOnce(&Sleep<'_>)>;

/// A wait, as the scene that is played during it sees it.
#[derive(Debug)]
pub(crate) struct Sleep<'a> {
    words: &'a [Expect<'a, AtomicU32>],
    until: Option<Duration>,
}

impl Sleep<'_> {
    /// The word of the primitive.
    pub(crate) fn awaited(&self) -> &AtomicU32 {
        self.words[0].word
    }
    /// The words after the primitive's and the membership word.
    pub(crate) fn others(&self) -> impl Iterator<Item = &AtomicU32> {
        self.words[2..].iter().map(|expect| expect.word)
    }
    /// All words of the wait, in their order.
    pub(crate) fn words(&self) -> Vec<&AtomicU32> {
        self.words.iter().map(|expect| expect.word).collect()
    }
    /// The end that the sleeper asked for.
    pub(crate) fn until(&self) -> Option<Duration> {
        self.until
    }
    /// The wait lasts to the end that the sleeper asked for.
    pub(crate) fn lasts(&self) {
        self.ends_at(self.until.expect("the wait has an end"));
    }
    /// The wait is over at this moment.
    pub(crate) fn ends_at(&self, moment: Duration) {
        STAGE.with_borrow_mut(|stage| stage.now = moment);
    }
    /// The wait is interrupted, if it is one that can be.
    pub(crate) fn is_interrupted(&self) {
        STAGE.with_borrow_mut(|stage| stage.is_interrupted = true);
    }
    /// The owner of this lifeline dies: marks the lifeline, as the kernel does.
    pub(crate) fn dies(&self, lifeline: &AtomicU32) {
        lifeline.store(MARK | WAKE_AT_DEATH, Ordering::Relaxed);
    }
}

/// Makes a [`Scene`].
pub(crate) fn scene(what: impl FnOnce(&Sleep<'_>) + 'static) -> Scene {
    Box::new(what)
}

#[derive(Default)]
struct Stage {
    now: Duration,
    reap_period: Option<Duration>,
    scenes: VecDeque<Scene>,
    wakes: Vec<(usize, u32)>,
    moves: Vec<Move>,
    asleep: u32,
    reaping_takes_a_period: bool,
    asked: usize,
    recheck: Option<Duration>,
    first_phase: Option<Duration>,
    watches_one: bool,
    gone: Option<u32>,
    is_interrupted: bool,
    spinning: Spinning,
    at_next_spin: Option<Box<dyn FnOnce()>>,
}

/// How the caller spins in waits that may be long, and what it has told the platform about that.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Spinning {
    /// How often it spins before it sleeps.
    pub(crate) spins: u32,
    /// How often it spins without a look.
    pub(crate) to_gather: u32,
    /// How often it has spun.
    pub(crate) spun: u32,
    /// Each time when it was to gather: how many had passed, and the capacity.
    pub(crate) gathered: Vec<(u64, u64)>,
    /// Whether the spins of each wait have helped.
    pub(crate) have_helped: Vec<bool>,
}

thread_local! {
    static STAGE: RefCell<Stage> = RefCell::default();
}

/// From now on each reaping takes so long that the next is due when it is done.
pub(crate) fn reaping_takes_a_period() {
    STAGE.with_borrow_mut(|stage| stage.reaping_takes_a_period = true);
}

/// From now on the first phase of a vigil lasts so long.
pub(crate) fn first_phase_lasts(length: Duration) {
    STAGE.with_borrow_mut(|stage| stage.first_phase = Some(length));
}

/// This happens when the caller spins next.
pub(crate) fn at_next_spin(what: impl FnOnce() + 'static) {
    STAGE.with_borrow_mut(|stage| stage.at_next_spin = Some(Box::new(what)));
}

/// From now on the caller spins so often in a wait that may be long, and so often to let messages
/// gather.
pub(crate) fn spins(spins: u32, to_gather: u32) {
    STAGE.with_borrow_mut(|stage| stage.spinning = Spinning { spins, to_gather, ..Spinning::default() });
}

/// How the caller has spun since [`spins`].
pub(crate) fn spinning() -> Spinning {
    STAGE.with_borrow(|stage| stage.spinning.clone())
}

/// From now on so many threads sleep on each word off which sleepers are moved.
pub(crate) fn asleep(count: u32) {
    STAGE.with_borrow_mut(|stage| stage.asleep = count);
}

/// The addresses of the two words, and how many sleepers were to be moved.
type Move = (usize, usize, u32);

/// All wakes in a play: the address of the word, and for how many sleepers the wake was. And all
/// moves of sleepers.
#[derive(Debug)]
pub(crate) struct Wakes(Vec<(usize, u32)>, Vec<Move>);

impl Wakes {
    /// For how many sleepers each wake on this word was.
    pub(crate) fn on(&self, word: &AtomicU32) -> Vec<u32> {
        let place = &raw const *word as usize;
        self.0.iter().filter(|(on, _)| *on == place).map(|(_, count)| *count).collect()
    }
    /// For how many sleepers each move between these words was.
    pub(crate) fn moved(&self, from: &AtomicU32, to: &AtomicU32) -> Vec<u32> {
        let places = [from, to].map(|word| &raw const *word as usize);
        self.1.iter().filter(|(from, to, _)| [*from, *to] == places).map(|(.., count)| *count).collect()
    }
    /// For how many sleepers each wake was.
    pub(crate) fn counts(&self) -> impl Iterator<Item = u32> {
        self.0.iter().map(|(_, count)| *count)
    }
    /// The address of each wake's word.
    pub(crate) fn places(&self) -> impl Iterator<Item = usize> {
        self.0.iter().map(|(on, _)| *on)
    }
}

/// Runs `act` as the first of so many `participants`. During the n-th wait the n-th scene is
/// played: there must be as many scenes as waits.
pub(crate) fn play<R>(
    participants: usize,
    scenes: Vec<Scene>,
    act: impl FnOnce(Participant<'_, Puppet>) -> R,
) -> (R, Wakes) {
    STAGE.set(Stage { scenes: scenes.into(), ..Stage::default() });
    let slot = |place: usize| {
        let thread = place as u32 + 1;
        let lifelines = [thread | WAKE_AT_DEATH, 0].map(RobustNode::unlinked);
        let claim = AtomicU64::new(Slot::<Puppet>::claim_of_first(thread));
        Slot::from_parts(claim, lifelines, ThreadRecord::from_process(thread))
    };
    let slots: Vec<_> = (0..participants).map(slot).collect();
    let (membership, cursor) = (AtomicU32::new(participants as u32), AtomicU32::new(0));
    let stamp = AtomicU32::new(0);
    let table = Table { membership: &membership, cursor: &cursor, stamp: &stamp, slots: &slots };
    let result = act(Participant { id: id_of(0), table: &table });
    let stage = STAGE.take();
    assert!(stage.scenes.is_empty(), "{} scenes were not played", stage.scenes.len());
    (result, Wakes(stage.wakes, stage.moves))
}

/// From now on reaping is due once in each `period`.
pub(crate) fn reap_each(period: Duration) {
    STAGE.with_borrow_mut(|stage| stage.reap_period = Some(period));
}

/// From now on no sleep lasts longer than `period`.
pub(crate) fn recheck_each(period: Duration) {
    STAGE.with_borrow_mut(|stage| stage.recheck = Some(period));
}

/// From now on a wait watches one word only.
pub(crate) fn watch_one() {
    STAGE.with_borrow_mut(|stage| stage.watches_one = true);
}

/// From now on [`Platform::is_gone`] is true for this thread id.
pub(crate) fn is_gone_from_now_on(thread: u32) {
    STAGE.with_borrow_mut(|stage| stage.gone = Some(thread));
}

/// The id of a participant in a play.
pub(crate) fn id_of(place: usize) -> Id {
    Id::new(place, 1)
}

impl Platform for Puppet {
    type Word = AtomicU32;
    type Word64 = AtomicU64;
    type Lifeline = RobustNode;
    type ThreadInfo = ThreadRecord;

    const SPINS: u32 = 0;
    const MOST_WORDS: usize = 128;

    fn spin() {
        let happens = STAGE.with_borrow_mut(|stage| {
            stage.spinning.spun += 1;
            stage.at_next_spin.take()
        });
        if let Some(happens) = happens {
            happens();
        }
    }
    fn learned_spins() -> u32 {
        STAGE.with_borrow(|stage| stage.spinning.spins)
    }
    fn note_spins(have_helped: bool) {
        STAGE.with_borrow_mut(|stage| stage.spinning.have_helped.push(have_helped));
    }
    fn spins_to_gather(_word: &AtomicU32, passed: u64, capacity: u64) -> u32 {
        STAGE.with_borrow_mut(|stage| {
            stage.spinning.gathered.push((passed, capacity));
            stage.spinning.to_gather
        })
    }
    fn now() -> Duration {
        STAGE.with_borrow(|stage| stage.now)
    }
    fn wait<'w>(words: impl Iterator<Item = Expect<'w, AtomicU32>>, until: Option<Duration>) {
        let words = &words.collect::<Vec<_>>()[..];
        if words.iter().all(|expect| expect.word.load(Ordering::Relaxed) == expect.value) {
            let scene = STAGE.with_borrow_mut(|stage| stage.scenes.pop_front());
            scene.expect("there is a scene for each wait")(&Sleep { words, until });
        }
    }
    fn wait_interruptibly<'w>(words: impl Iterator<Item = Expect<'w, AtomicU32>>, until: Option<Duration>) -> bool {
        Self::wait(words, until);
        STAGE.with_borrow_mut(|stage| core::mem::take(&mut stage.is_interrupted))
    }
    fn wake(word: &AtomicU32, count: u32) -> u32 {
        STAGE.with_borrow_mut(|stage| stage.wakes.push((&raw const *word as usize, count)));
        0
    }
    fn requeue(from: &AtomicU32, expected: u32, to: &AtomicU32, count: u32) -> Option<u32> {
        if from.load(Ordering::Relaxed) != expected {
            return None;
        }
        STAGE.with_borrow_mut(|stage| {
            stage.moves.push((&raw const *from as usize, &raw const *to as usize, count));
            Some(stage.asleep.min(count))
        })
    }
    fn first_phase() -> Option<Duration> {
        STAGE.with_borrow(|stage| stage.first_phase)
    }
    fn recheck() -> Option<Duration> {
        STAGE.with_borrow(|stage| stage.recheck)
    }
    fn reap_period() -> Option<Duration> {
        STAGE.with_borrow(|stage| stage.reap_period.or(stage.reaping_takes_a_period.then_some(Duration::ZERO)))
    }
    fn watches_many() -> bool {
        STAGE.with_borrow(|stage| !stage.watches_one)
    }
    fn is_gone(_record: &ThreadRecord, thread: u32) -> bool {
        STAGE.with_borrow_mut(|stage| stage.asked += 1);
        assert!(STAGE.with_borrow(|stage| stage.asked) < 100, "reaping does not end");
        STAGE.with_borrow(|stage| stage.gone == Some(thread))
    }
    fn is_ending(_record: &ThreadRecord, _thread: u32) -> bool {
        ENDING.with(|ending| {
            let left = ending.get();
            ending.set(left.saturating_sub(1));
            left > 0
        })
    }
    fn is_process_gone(_record: &ThreadRecord) -> bool {
        false
    }
}
