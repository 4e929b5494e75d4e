//! What loom and shuttle have in common: atomics, threads, a cell that detects races, and an
//! exploration.

use core::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// How long and how far an exploration goes.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// loom: involuntary switches in one execution.
    pub preemptions: usize,
    /// shuttle: the number of random schedules. As many are chosen by PCT (probabilistic
    /// concurrency testing).
    pub schedules: usize,
    /// loom: the most executions of one plan. This is a count and not a time, so that a busy
    /// machine explores as much as an idle one.
    pub executions: usize,
}

/// A model checker.
#[allow(missing_docs)] // the atomics are the standard library's, the threads too
pub trait Backend: Debug + Send + Sync + Sized + 'static {
    type U32: Debug + Send + Sync + 'static;
    type U64: Debug + Send + Sync + 'static;
    type Cell<T: Debug + Send + 'static>: Debug + Send + Sync + 'static;
    type Thread: Send + Sync + 'static;
    type Handle;

    fn u32(value: u32) -> Self::U32;
    fn load(a: &Self::U32, o: Ordering) -> u32;
    fn store(a: &Self::U32, v: u32, o: Ordering);
    fn swap(a: &Self::U32, v: u32, o: Ordering) -> u32;
    fn cas(a: &Self::U32, c: u32, n: u32, s: Ordering, f: Ordering) -> Result<u32, u32>;
    fn add(a: &Self::U32, v: u32, o: Ordering) -> u32;
    fn or(a: &Self::U32, v: u32, o: Ordering) -> u32;
    fn and(a: &Self::U32, v: u32, o: Ordering) -> u32;
    fn u64(value: u64) -> Self::U64;
    fn load64(a: &Self::U64, o: Ordering) -> u64;
    fn store64(a: &Self::U64, v: u64, o: Ordering);
    fn swap64(a: &Self::U64, v: u64, o: Ordering) -> u64;
    fn cas64(a: &Self::U64, c: u64, n: u64, s: Ordering, f: Ordering) -> Result<u64, u64>;
    fn fence(o: Ordering);

    fn cell<T: Debug + Send + 'static>(value: T) -> Self::Cell<T>;
    /// Reads; a concurrent write is an error.
    fn read<T: Debug + Send + 'static, R>(cell: &Self::Cell<T>, view: impl FnOnce(&T) -> R) -> R;
    /// Writes; any concurrent access is an error.
    fn write<T: Debug + Send + 'static, R>(cell: &Self::Cell<T>, change: impl FnOnce(&mut T) -> R) -> R;

    fn current() -> Self::Thread;
    fn park();
    fn unpark(thread: &Self::Thread);
    fn yield_now();
    fn spawn(body: impl FnOnce() + Send + 'static) -> Self::Handle;
    fn join(handle: Self::Handle);

    /// The actor of the calling modelled thread, if it has one.
    fn actor() -> Option<Arc<crate::kernel::Actor>>;
    fn set_actor(actor: Option<Arc<crate::kernel::Actor>>);

    /// The most words that one wait takes.
    const MOST_WORDS: usize;
    /// How many generations a slot has in a round.
    const LAST_GENERATION: u16;
    /// Whether an exploration tries everything within the bounds, unless it is cut short.
    const IS_EXHAUSTIVE: bool;
    /// The bounds, for people. `cut_short` is the number of plans that were cut short.
    fn bound(bounds: Bounds, cut_short: usize) -> String;
    /// Runs `body` under every schedule, or under many. Panics at the first failure.
    fn explore(bounds: Bounds, body: impl Fn() + Send + Sync + 'static);
}

#[cfg(any(feature = "loom", feature = "shuttle"))]
macro_rules! backend {
    ($name:ident, $krate:ident) => {
        type U32 = $krate::sync::atomic::AtomicU32;
        type U64 = $krate::sync::atomic::AtomicU64;
        type Thread = $krate::thread::Thread;
        type Handle = $krate::thread::JoinHandle<()>;

        fn u32(value: u32) -> Self::U32 {
            Self::U32::new(value)
        }
        fn load(a: &Self::U32, o: Ordering) -> u32 {
            a.load(o)
        }
        fn store(a: &Self::U32, v: u32, o: Ordering) {
            a.store(v, o);
        }
        fn swap(a: &Self::U32, v: u32, o: Ordering) -> u32 {
            a.swap(v, o)
        }
        fn cas(a: &Self::U32, c: u32, n: u32, s: Ordering, f: Ordering) -> Result<u32, u32> {
            a.compare_exchange(c, n, s, f)
        }
        fn add(a: &Self::U32, v: u32, o: Ordering) -> u32 {
            a.fetch_add(v, o)
        }
        fn or(a: &Self::U32, v: u32, o: Ordering) -> u32 {
            a.fetch_or(v, o)
        }
        fn and(a: &Self::U32, v: u32, o: Ordering) -> u32 {
            a.fetch_and(v, o)
        }
        fn u64(value: u64) -> Self::U64 {
            Self::U64::new(value)
        }
        fn load64(a: &Self::U64, o: Ordering) -> u64 {
            a.load(o)
        }
        fn store64(a: &Self::U64, v: u64, o: Ordering) {
            a.store(v, o);
        }
        fn swap64(a: &Self::U64, v: u64, o: Ordering) -> u64 {
            a.swap(v, o)
        }
        fn cas64(a: &Self::U64, c: u64, n: u64, s: Ordering, f: Ordering) -> Result<u64, u64> {
            a.compare_exchange(c, n, s, f)
        }
        fn fence(o: Ordering) {
            $krate::sync::atomic::fence(o);
        }
        fn current() -> Self::Thread {
            $krate::thread::current()
        }
        fn park() {
            $krate::thread::park();
        }
        fn unpark(thread: &Self::Thread) {
            thread.unpark();
        }
        fn yield_now() {
            $krate::thread::yield_now();
        }
        fn spawn(body: impl FnOnce() + Send + 'static) -> Self::Handle {
            $krate::thread::spawn(body)
        }
        fn join(handle: Self::Handle) {
            if let Err(panic) = handle.join() {
                std::panic::resume_unwind(panic);
            }
        }
    };
}

/// Makes the checkers install their panic hooks now. Our hook is installed after them, and so
/// decides whether anything is printed. Without this, shuttle's hook prints every panic, also those
/// of loom's models that must fail.
pub(crate) fn install_hooks() {
    #[cfg(feature = "shuttle")]
    shuttle::check_random(|| {}, 1);
}

#[cfg(feature = "loom")]
pub use with_loom::Loom;
#[cfg(feature = "loom")]
mod with_loom {
    use super::*;
    use crate::kernel::Actor;
    use std::cell::RefCell;

    loom::thread_local! {
        static ACTOR: RefCell<Option<Arc<Actor>>> = RefCell::new(None);
    }

    /// The loom model checker. A wait takes `WORDS` words, and a slot has `GENERATIONS` generations
    /// in a round.
    #[derive(Debug)]
    pub struct Loom<const WORDS: usize = 128, const GENERATIONS: u16 = { u16::MAX }>;

    impl<const WORDS: usize, const GENERATIONS: u16> Backend for Loom<WORDS, GENERATIONS> {
        backend!(Loom, loom);
        const MOST_WORDS: usize = WORDS;
        const LAST_GENERATION: u16 = GENERATIONS;
        type Cell<T: Debug + Send + 'static> = Shared<T>;

        fn cell<T: Debug + Send + 'static>(value: T) -> Shared<T> {
            Shared(loom::cell::UnsafeCell::new(value))
        }
        fn read<T: Debug + Send + 'static, R>(cell: &Shared<T>, view: impl FnOnce(&T) -> R) -> R {
            // SAFETY: loom panics before the closure runs if another modelled thread writes
            // concurrently.
            cell.0.with(|value| view(unsafe { &*value }))
        }
        fn write<T: Debug + Send + 'static, R>(cell: &Shared<T>, change: impl FnOnce(&mut T) -> R) -> R {
            // SAFETY: loom panics before the closure runs if another modelled thread has access
            // concurrently.
            cell.0.with_mut(|value| change(unsafe { &mut *value }))
        }
        fn actor() -> Option<Arc<Actor>> {
            ACTOR.with(|actor| actor.borrow().clone())
        }
        fn set_actor(actor: Option<Arc<Actor>>) {
            ACTOR.with(|place| *place.borrow_mut() = actor);
        }
        const IS_EXHAUSTIVE: bool = true;
        fn bound(bounds: Bounds, cut_short: usize) -> String {
            let cut = |count| format!(", {count} plans cut short after {} executions", bounds.executions);
            let cut = if cut_short > 0 { cut(cut_short) } else { ", all of it".into() };
            format!("up to {} preemptions{cut}", bounds.preemptions)
        }
        fn explore(bounds: Bounds, body: impl Fn() + Send + Sync + 'static) {
            let mut builder = loom::model::Builder::new();
            builder.preemption_bound = Some(bounds.preemptions);
            builder.max_branches = 5_000;
            builder.max_permutations = Some(bounds.executions);
            builder.checkpoint_interval = bounds.executions; // loom checks the bound at each checkpoint
            builder.check(body);
        }
    }

    /// loom's cell, made shareable: it exists to detect races between threads that share it.
    #[derive(Debug)]
    pub struct Shared<T>(loom::cell::UnsafeCell<T>);
    // SAFETY: modelled threads run one at a time, and loom panics at concurrent accesses.
    unsafe impl<T: Send> Sync for Shared<T> {}
}

#[cfg(feature = "shuttle")]
pub use with_shuttle::Shuttle;
#[cfg(feature = "shuttle")]
mod with_shuttle {
    use super::*;
    use crate::kernel::Actor;
    use std::cell::RefCell;
    use std::sync::Mutex;

    shuttle::thread_local! {
        static ACTOR: RefCell<Option<Arc<Actor>>> = RefCell::new(None);
    }

    /// The shuttle scheduler. It models no weak memory and detects no data races, but it handles
    /// many threads.
    #[derive(Debug)]
    pub struct Shuttle;

    impl Backend for Shuttle {
        backend!(Shuttle, shuttle);
        const MOST_WORDS: usize = 128;
        const LAST_GENERATION: u16 = u16::MAX;
        type Cell<T: Debug + Send + 'static> = Mutex<T>;

        fn cell<T: Debug + Send + 'static>(value: T) -> Mutex<T> {
            Mutex::new(value)
        }
        fn read<T: Debug + Send + 'static, R>(cell: &Mutex<T>, view: impl FnOnce(&T) -> R) -> R {
            view(&cell.lock().expect("no panic inside"))
        }
        fn write<T: Debug + Send + 'static, R>(cell: &Mutex<T>, change: impl FnOnce(&mut T) -> R) -> R {
            change(&mut cell.lock().expect("no panic inside"))
        }
        fn actor() -> Option<Arc<Actor>> {
            ACTOR.with(|actor| actor.borrow().clone())
        }
        fn set_actor(actor: Option<Arc<Actor>>) {
            ACTOR.with(|place| *place.borrow_mut() = actor);
        }
        const IS_EXHAUSTIVE: bool = false;
        fn bound(bounds: Bounds, _cut_short: usize) -> String {
            format!("{0} random schedules and {0} of PCT's a plan", bounds.schedules)
        }
        fn explore(bounds: Bounds, body: impl Fn() + Send + Sync + 'static) {
            use shuttle::scheduler::{PctScheduler, RandomScheduler};
            let mut config = shuttle::Config::new();
            config.silence_warnings = true; // "every ordering is SeqCst": loom explores the weaker ones
            config.failure_persistence = shuttle::FailurePersistence::None;
            config.max_steps = shuttle::MaxSteps::FailAfter(100_000);
            let body = Arc::new(body);
            let same = Arc::clone(&body);
            shuttle::Runner::new(RandomScheduler::new(bounds.schedules), config.clone()).run(move || body());
            shuttle::Runner::new(PctScheduler::new(3, bounds.schedules), config).run(move || same());
        }
    }
}
