//! A thread that waits on behalf of others: it sleeps for tasks that must not block their threads.
//!
//! A *task* tries, and takes nothing. It [arms](Attended::arm) the source, and goes away. The
//! *attendant* is another thread of the same process. It sleeps for all sources that tasks have
//! armed, and [notifies](Attendant::attend) a task when its source is ready. The task then tries
//! again.
//!
//! # The state of a source
//!
//! The state is a word in the memory of the process. No other process sees it.
//!
//! | state   | meaning                              | the attendant               | next state                                      |
//! |---------|--------------------------------------|-----------------------------|-------------------------------------------------|
//! | IGNORED | no task waits                        | does not sleep on the word  | ARMED, by a task, which then calls the attendant |
//! | ARMED   | a task waits, and has announced      | sleeps, and checks          | WATCHED, by the attendant, which notifies a task; or by the task, if it finds the source ready |
//! | WATCHED | no task waits; one did a moment ago  | sleeps on the word as it is | ARMED, by a task; or IGNORED, by the attendant that is woken and finds it ready |
//!
//! WATCHED spares a task that comes back the call: two processes that send to and fro would make it
//! for each message. IGNORED spares the senders their wakes: a task that always finds an item never
//! comes back, and its senders find no WAITERS.
//!
//! # Invariants
//!
//! 1. A task writes ARMED, passes a fence, announces and checks. The attendant reads the awaited
//!    word, passes a fence, and reads the state. So the attendant finds ARMED, and announces and
//!    checks for the task; or it sleeps with a value from before the task's announcement. A word
//!    with a sequence never has that value again. Where a word [repeats](Source::repeats), the
//!    attendant sleeps on the state, too: as long as it is WATCHED. The kernel compares the state
//!    after it has begun to listen to the word. So it finds ARMED, or the wake finds the attendant.
//! 2. A source that is not IGNORED is among those that the attendant sleeps on. A task that finds
//!    IGNORED [calls](call) the attendant, which then comes back for it.
//! 3. The attendant follows the rules of the [parent module](super) for each source that it has
//!    slept on, whatever the state is by then: its sleep may have swallowed a wake there.

use super::{Of, Readiness, Source, callers};
use crate::platform::{Expect, Platform, Word};
use crate::raw::vigil::{Ended, Vigils};
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};

const IGNORED: u32 = 0;
const ARMED: u32 = 1;
const WATCHED: u32 = 2;

/// The state of a source. At first nobody waits for it.
#[derive(Debug)]
pub struct Attended<P: Platform> {
    state: P::Word,
}

/// Calls the attendant, which sleeps on this word, too.
pub fn call<P: Platform>(word: &P::Word) {
    // ORDERING: Release. Pairs with the Acquire of the attendant, which then finds what the caller
    // has changed. Model: `wait_any::a_call_publishes`.
    word.fetch_add(1, Release);
    P::wake(word, 1);
}

/// On how many words an attendant sleeps for this source, at most.
pub fn attended_words<P: Platform>(source: &dyn Source<P>) -> usize {
    source.words() + usize::from(source.repeats()) // invariant 1
}

/// What became of an attempt to arm a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Arming {
    /// The source is ready. The task tries again.
    Ready,
    /// The attendant sleeps for it.
    Armed,
    /// The same, but the caller must first call the attendant, which does not know the source yet.
    Call,
}

impl<P: Platform> Attended<P> {
    /// A source for which nobody waits. The word must be 0.
    pub const fn from_word(state: P::Word) -> Self {
        Self { state }
    }

    /// Whether a task waits.
    pub fn is_armed(&self) -> bool {
        self.state.load(Relaxed) == ARMED // ORDERING: Relaxed; for callers with a lock of their own.
    }

    /// No task waits any more.
    pub fn disarm(&self) {
        // ORDERING: Relaxed; the attendant then notifies nobody, or in vain.
        let _was_armed = self.state.compare_exchange(ARMED, WATCHED, Relaxed, Relaxed);
    }

    /// Arms the source for a task that has tried in vain.
    pub fn arm(&self, of: &Of<'_, P>) -> Arming {
        // ORDERING: Relaxed, then the fence of invariant 1. Model:
        // `wait_any::without_fences_a_task_and_its_attendant_miss_each_other`.
        let before = self.state.swap(ARMED, Relaxed);
        P::fence(SeqCst);
        match of.source.announce(of.me, &mut Vec::new()) {
            Readiness::Ready => {
                // An attendant that never slept for it need not begin.
                let after = if before == IGNORED { IGNORED } else { WATCHED };
                // ORDERING: Relaxed; if the attendant was quicker, a task is notified in vain.
                let _was_quicker = self.state.compare_exchange(ARMED, after, Relaxed, Relaxed);
                Arming::Ready
            }
            Readiness::Unready | Readiness::Ending if before == IGNORED => Arming::Call,
            Readiness::Unready => Arming::Armed,
            // The attendant may sleep for longer than that takes.
            Readiness::Ending => Arming::Call,
        }
    }
}

/// The thread that sleeps for the tasks, with the sources that it knows.
#[derive(Debug)]
pub struct Attendant<'s, P: Platform> {
    sources: Vec<Known<'s, P>>,
    vigils: Vigils<'s, P>,
    awaited: Vec<Expect<'s, P::Word>>,
    is_ending: bool,
    has_slept: bool,
}

#[derive(Debug)]
struct Known<'s, P: Platform> {
    of: Of<'s, P>,
    attended: &'s Attended<P>,
    /// Its words are among the awaited ones.
    is_awaited: bool,
}

impl<'s, P: Platform> Attendant<'s, P> {
    /// An attendant of these sources: one or more.
    pub fn new(sources: impl Iterator<Item = (Of<'s, P>, &'s Attended<P>)>) -> Self {
        let sources: Vec<_> = sources.map(|(of, attended)| Known { of, attended, is_awaited: false }).collect();
        let vigils = Vigils::new(callers(sources.iter().map(|known| &known.of)), None);
        Self { sources, vigils, awaited: vec![], is_ending: false, has_slept: false }
    }

    /// Checks all sources. Calls `notify` with the index of each that is ready and for which a task
    /// waits.
    ///
    /// `call` is the word by which the attendant is [called](call). It is read first: a call after
    /// that ends the next [sleep](Self::sleep).
    pub fn attend(&mut self, call: &'s P::Word, mut notify: impl FnMut(usize)) {
        let Self { sources, awaited, is_ending, has_slept, .. } = self;
        awaited.clear();
        awaited.push(Expect { word: call, value: call.load(Acquire) }); // ORDERING: see `call`.
        *is_ending = false;
        for (index, known) in sources.iter_mut().enumerate() {
            let before = awaited.len();
            let readiness = known.check(*has_slept, awaited, || notify(index));
            *is_ending |= readiness == Readiness::Ending;
            known.is_awaited = awaited.len() > before;
        }
        self.has_slept = false;
    }

    /// Sleeps until something has changed for a source that is not IGNORED, or the attendant is
    /// called, or a participant has died.
    pub fn sleep(&mut self) {
        // Without a deadline, and outside of a scope that allows it, nothing ends the wait.
        let slept: Result<bool, Ended> = self.vigils.sleep(&self.awaited, self.is_ending);
        self.has_slept = slept != Ok(false);
    }
}

impl<'s, P: Platform> Known<'s, P> {
    fn check(&self, has_slept: bool, awaited: &mut Vec<Expect<'s, P::Word>>, notify: impl FnOnce()) -> Readiness {
        let Self { of: Of { me, source }, attended, is_awaited } = self;
        let owes_a_wake = has_slept && *is_awaited; // invariant 3
        let before = awaited.len();
        source.observe(*me, awaited);
        P::fence(SeqCst); // ORDERING: invariant 1.
        loop {
            let state = attended.state.load(Relaxed); // ORDERING: the fence.
            let mut readiness = Readiness::Unready;
            if state == ARMED || owes_a_wake {
                awaited.truncate(before);
                readiness = source.announce(*me, awaited);
                if readiness == Readiness::Ready && owes_a_wake {
                    source.wake_next(*me);
                }
            }
            let next = match (state, readiness) {
                (ARMED, Readiness::Ready) => WATCHED,
                (WATCHED, Readiness::Ready) => IGNORED,
                _ => state,
            };
            if next == WATCHED && state == ARMED {
                // Before the state changes: a task that arms it again after that announces after
                // this.
                awaited.truncate(before);
                source.observe(*me, awaited);
                P::fence(SeqCst); // ORDERING: invariant 1.
            }
            // ORDERING: Relaxed; if a task has armed it meanwhile, it is checked once more.
            if next != state && attended.state.compare_exchange(state, next, Relaxed, Relaxed).is_err() {
                continue;
            }
            if next == IGNORED {
                awaited.truncate(before);
                return Readiness::Unready;
            }
            if next == WATCHED && source.repeats() {
                awaited.push(Expect { word: &attended.state, value: WATCHED }); // invariant 1
            }
            if next != state {
                notify();
            }
            return readiness;
        }
    }
}
