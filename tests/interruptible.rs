//! Signals end the waits of each primitive: with real handlers, with real signals, and without
//! losing anything.
//!
//! A signal is sent when the kernel says that the thread sleeps. A handler that only causes `EINTR`
//! may run just before a sleep begins, so its signal is sent again. A signal whose handler uses an
//! [`Interrupter`] is sent once.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)] // tests look from outside

mod common;

use common::*;
use outlive::{
    AcquireError, Barrier, BarrierError, Condvar, CondvarError, CondvarResult, Event, Interrupter, LazyLock, Lock,
    LockErrorKind, Mutex, Once, OnceLock, PermitPool, ReentrantMutex, RwLock, Segment, Semaphore, Shareable,
    WaitTimeoutError, Woken, interruptible, interruptible_by,
};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::SeqCst};
use std::sync::mpsc;
use std::time::Duration;

#[derive(Debug, Shareable)]
#[repr(C)]
struct All {
    mutex: Mutex<u64>,
    nested: ReentrantMutex<u64>,
    lock: Lock,
    written: RwLock<u64>,
    read: RwLock<u64>,
    semaphore: Semaphore,
    pool: PermitPool<1>,
    event: Event,
    bell: Event,
    barrier: Barrier<2>,
    free: Mutex<u64>,
    free_lock: Lock,
    changed: Condvar,
    once: Once,
    made: OnceLock<u64>,
}

fn all() -> Segment<All> {
    segment_of(|new: &mut All| new.bell = Event::auto_reset())
}

/// How a wait ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    WithIt,
    Interrupted,
    TimedOut,
}

/// An error of a wait that gives no guard.
trait Unmet: std::fmt::Debug {
    fn ended(&self) -> Option<Ended>;
}

macro_rules! unmet {
    ($($error:ident: $($pattern:pat => $ended:ident),*;)*) => {$(
        impl Unmet for outlive::$error {
            fn ended(&self) -> Option<Ended> {
                match self {
                    $($pattern => Some(Ended::$ended),)*
                    _ => None,
                }
            }
        }
    )*};
}
unmet! {
    AcquireError: Self::Interrupted => Interrupted;
    AcquireTimeoutError: Self::Interrupted => Interrupted, Self::TimedOut => TimedOut;
    WaitError: Self::Interrupted => Interrupted;
    WaitTimeoutError: Self::Interrupted => Interrupted, Self::TimedOut => TimedOut;
    BarrierError: Self::Interrupted => Interrupted;
    BarrierTimeoutError: Self::Interrupted => Interrupted, Self::TimedOut => TimedOut;
    OnceError: Self::Interrupted => Interrupted;
}

fn of<T>(answer: Result<T, impl Unmet>) -> Ended {
    match answer {
        Ok(_) => Ended::WithIt,
        Err(error) => error.ended().unwrap_or_else(|| panic!("{error:?}")),
    }
}

fn of_lock<T, E: Into<LockErrorKind>>(answer: Result<T, E>) -> Ended {
    match answer.map_err(E::into) {
        Ok(_) => Ended::WithIt,
        Err(LockErrorKind::Interrupted) => Ended::Interrupted,
        Err(LockErrorKind::TimedOut) => Ended::TimedOut,
        Err(other) => panic!("{other:?}"),
    }
}

/// The same for a condition variable, which gave the guard back.
fn of_condvar<T>(answer: CondvarResult<T>) -> Ended {
    match answer {
        Ok(_) => Ended::WithIt,
        Err(CondvarError::WaitInterrupted(_held_again)) => Ended::Interrupted,
        Err(other) => panic!("{other:?}"),
    }
}

type Wait = fn(&All) -> Ended;
const LONG: Duration = Duration::from_secs(3_600);

/// Every wait of every primitive. What the wait needs is held by others, or never comes.
const WAITS: [(&str, Wait); 34] = [
    ("Mutex::lock", |all| of_lock(all.mutex.lock())),
    ("Mutex::try_lock_for", |all| of_lock(all.mutex.try_lock_for(LONG))),
    ("ReentrantMutex::lock", |all| of_lock(all.nested.lock())),
    ("ReentrantMutex::acquire", |all| of_lock(all.nested.acquire())),
    ("Lock::lock", |all| of_lock(all.lock.lock())),
    ("Lock::acquire", |all| of_lock(all.lock.acquire())),
    ("Lock::try_acquire_for", |all| of_lock(all.lock.try_acquire_for(LONG))),
    ("RwLock::read", |all| of_lock(all.written.read())),
    ("RwLock::try_read_for", |all| of_lock(all.written.try_read_for(LONG))),
    ("RwLock::write beside a writer", |all| of_lock(all.written.write())),
    ("RwLock::write beside a reader", |all| of_lock(all.read.write())),
    ("RwLock::try_write_for", |all| of_lock(all.read.try_write_for(LONG))),
    ("Semaphore::acquire", |all| of(all.semaphore.acquire())),
    ("Semaphore::acquire_many", |all| of(all.semaphore.acquire_many(2))),
    ("Semaphore::permit", |all| of(all.semaphore.permit())),
    ("Semaphore::try_permits_for", |all| of(all.semaphore.try_permits_for(3, LONG))),
    ("PermitPool::permit", |all| of(all.pool.permit())),
    ("PermitPool::try_permit_for", |all| of(all.pool.try_permit_for(LONG))),
    ("Event::wait", |all| of(all.event.wait())),
    ("Event::wait_timeout", |all| of(all.event.wait_timeout(LONG))),
    ("Event::wait, auto-reset", |all| of(all.bell.wait())),
    ("Barrier::wait", |all| of(all.barrier.wait())),
    ("Barrier::wait_timeout", |all| of(all.barrier.wait_timeout(LONG))),
    ("Barrier::wait_with", |all| of(all.barrier.wait_with(|| panic!("nobody else comes")))),
    ("Condvar::wait", |all| of_condvar(all.changed.wait(all.free.lock().expect("free")))),
    ("Condvar::wait, Lock", |all| of_condvar(all.changed.wait(all.free_lock.lock().expect("free")))),
    ("Condvar::wait_timeout", |all| of_condvar(all.changed.wait_timeout(all.free.lock().expect("free"), LONG))),
    ("Condvar::wait_while", |all| of_condvar(all.changed.wait_while(all.free.lock().expect("free"), |_| true))),
    ("Condvar::wait_timeout_while", |all| {
        of_condvar(all.changed.wait_timeout_while(all.free.lock().expect("free"), LONG, |_| true))
    }),
    ("Condvar::wait_outcome", |all| {
        let (_held_again, woken) = all.changed.wait_outcome(all.free.lock().expect("free")).expect("nobody died");
        if woken == Woken::Interrupted { Ended::Interrupted } else { Ended::WithIt }
    }),
    ("Condvar::wait_timeout_outcome", |all| {
        let told = all.changed.wait_timeout_outcome(all.free.lock().expect("free"), LONG);
        if told.expect("nobody died").1 == Woken::Interrupted { Ended::Interrupted } else { Ended::WithIt }
    }),
    ("Once::call_once", |all| of(all.once.call_once(|| panic!("another is at it")))),
    ("OnceLock::get_or_init", |all| of(all.made.get_or_init(|| panic!("another is at it")))),
    ("LazyLock::force", |all| of(LazyLock::new(&all.made, || panic!("another is at it")).force())),
];

/// Runs `body` while everything that can be held is held.
fn while_all_is_held(all: &All, body: impl FnOnce()) {
    let _mutex = all.mutex.lock().expect("free");
    let _nested = all.nested.lock().expect("free");
    let _lock = all.lock.lock().expect("free");
    let _written = all.written.write().expect("free");
    let _read = all.read.read().expect("free");
    let _permit = all.pool.permit().expect("free");
    all.once
        .call_once(|| {
            all.made
                .get_or_init(|| {
                    body();
                    7
                })
                .expect("not made");
        })
        .expect("not begun");
}

/// The interrupted waits have left nothing behind.
fn is_as_if_nobody_had_waited(all: &All) {
    assert!(!all.barrier.is_broken());
    assert_eq!(all.barrier.n_waiting(), 0, "an arrival was not taken back");
    assert_eq!(all.semaphore.available(), 0);
    all_is_free(all);
    std::thread::scope(|scope| {
        scope.spawn(|| all.barrier.wait().expect("two come"));
        all.barrier.wait().expect("two come");
    });
}

fn all_is_free(all: &All) {
    assert!(all.mutex.try_lock().is_ok() && all.nested.try_lock().is_ok() && all.lock.try_lock().is_ok());
    assert!(all.written.try_write().is_ok() && all.read.try_write().is_ok());
    assert!(all.pool.try_permit().is_ok() && all.free.try_lock().is_ok() && all.free_lock.try_lock().is_ok());
}

// ---- handlers ----

static TOLD: Interrupter = Interrupter::new();
static HANDLED: AtomicU64 = AtomicU64::new(0);

extern "C" fn says_nothing(_signal: i32) {
    HANDLED.fetch_add(1, SeqCst);
}

extern "C" fn tells(_signal: i32) {
    TOLD.interrupt();
    HANDLED.fetch_add(1, SeqCst);
}

/// The signals of these tests.
const PLAIN: i32 = libc::SIGUSR1;
const TELLING: i32 = libc::SIGUSR2;
const PLAIN_RESTARTING: i32 = libc::SIGURG;
const TELLING_RESTARTING: i32 = libc::SIGWINCH;

fn install_handlers() {
    let install = |signal, handler: extern "C" fn(i32), flags| {
        // SAFETY: the action is initialised, and the handlers do what a handler may.
        unsafe {
            let mut action: libc::sigaction = core::mem::zeroed();
            action.sa_sigaction = handler as usize;
            action.sa_flags = flags;
            assert_eq!(libc::sigaction(signal, &action, core::ptr::null_mut()), 0);
        }
    };
    install(PLAIN, says_nothing, 0);
    install(TELLING, tells, 0);
    install(PLAIN_RESTARTING, says_nothing, libc::SA_RESTART);
    install(TELLING_RESTARTING, tells, libc::SA_RESTART);
}

// ---- a thread that waits ----

struct Waiter<'s, R> {
    handle: std::thread::ScopedJoinHandle<'s, R>,
    thread: i32,
}

/// Signals one of this process's threads, by its number: unlike a `pthread_t`, it may be the number
/// of a thread that has ended. Whether there is such a thread.
fn signal_thread(thread: i32, signal: i32) -> bool {
    // SAFETY: each thread of this process has handlers for the signals of these tests.
    unsafe { libc::syscall(libc::SYS_tgkill, libc::getpid(), thread, signal) == 0 }
}

impl<'s, R: Send + 's> Waiter<'s, R> {
    fn start<'e>(scope: &'s std::thread::Scope<'s, 'e>, wait: impl FnOnce() -> R + Send + 's) -> Self {
        let (tell, told) = mpsc::channel();
        let handle = scope.spawn(move || {
            // SAFETY: no preconditions.
            tell.send(unsafe { libc::gettid() }).expect("the starter listens");
            wait()
        });
        Self { handle, thread: told.recv().expect("it tells") }
    }

    /// Whether the thread sleeps in a futex call.
    fn is_asleep(&self) -> bool {
        is_in_a_futex_call(std::process::id(), u32::try_from(self.thread).expect("a thread"))
    }

    fn until_asleep(&self) {
        until("a thread to fall asleep", || self.is_asleep() || self.handle.is_finished());
        assert!(!self.handle.is_finished(), "the thread does not wait");
    }

    fn signal(&self, signal: i32) {
        // The thread may have returned meanwhile.
        assert!(signal_thread(self.thread, signal) || self.handle.is_finished(), "it was not signalled");
    }

    /// Sends the signal whenever the thread sleeps, until the thread has returned.
    fn signal_until_back(self, signal: i32) -> R {
        until("a thread to come back", || {
            if !self.handle.is_finished() && self.is_asleep() {
                self.signal(signal);
            }
            self.handle.is_finished()
        });
        self.join()
    }

    fn join(self) -> R {
        until("a thread to come back", || self.handle.is_finished());
        self.handle.join().expect("no panic")
    }
}

/// Runs `try_one` for each wait, while all resources are held.
fn each_wait(try_one: impl Fn(&All, &str, Wait)) {
    each_way_in_a_process_of_its_own(|| {
        install_handlers();
        let all = all();
        while_all_is_held(&all, || {
            for (name, wait) in WAITS {
                try_one(&all, name, wait);
            }
        });
        is_as_if_nobody_had_waited(&all);
    });
}

#[test]
fn a_handler_ends_every_wait_in_a_scope() {
    each_wait(|all, name, wait| {
        let ended =
            std::thread::scope(|scope| Waiter::start(scope, || interruptible(|| wait(all))).signal_until_back(PLAIN));
        assert_eq!(ended, Ended::Interrupted, "{name}");
    });
}

#[test]
fn one_interrupt_by_a_handler_of_any_kind_ends_the_wait() {
    each_wait(|all, name, wait| {
        for signal in [TELLING, TELLING_RESTARTING] {
            TOLD.clear();
            let ended = std::thread::scope(|scope| {
                let waiter = Waiter::start(scope, || interruptible_by(&TOLD, || wait(all)));
                waiter.until_asleep();
                waiter.signal(signal);
                waiter.join()
            });
            assert_eq!(ended, Ended::Interrupted, "{name}, signal {signal}");
        }
    });
}

#[test]
fn another_thread_interrupts_a_wait_before_or_after_the_sleep_began() {
    each_wait(|all, name, wait| {
        for before in [false, true] {
            let stop = Interrupter::new();
            let ended = std::thread::scope(|scope| {
                if before {
                    stop.interrupt();
                }
                let waiter = Waiter::start(scope, || interruptible_by(&stop, || wait(all)));
                if !before {
                    waiter.until_asleep();
                    stop.interrupt();
                }
                waiter.join()
            });
            assert_eq!(ended, Ended::Interrupted, "{name}, interrupted before: {before}");
            assert!(stop.is_interrupted() && stop.clear() && !stop.clear());
        }
    });
}

/// A handler may run between the last check and the system call. Signals at arbitrary times hit
/// that instant, too.
#[test]
fn no_signal_comes_too_early_for_an_interrupter() {
    each_way_in_a_process_of_its_own(|| {
        install_handlers();
        let all = all();
        for round in 0..1_000 {
            TOLD.clear();
            let ended = std::thread::scope(|scope| {
                let waiter = Waiter::start(scope, || interruptible_by(&TOLD, || of(all.event.wait())));
                for _ in 0..round * 7 % 4_000 {
                    std::hint::spin_loop();
                }
                waiter.signal(if round % 2 == 0 { TELLING } else { TELLING_RESTARTING });
                waiter.join()
            });
            assert_eq!(ended, Ended::Interrupted);
        }
    });
}

#[test]
fn outside_of_a_scope_and_for_other_handlers_a_wait_goes_on() {
    each_way_in_a_process_of_its_own(|| {
        install_handlers();
        let never = Interrupter::new();
        let inner = |wait: &dyn Fn() -> Ended| interruptible(|| interruptible_by(&never, wait));
        type Scope<'a> = &'a (dyn Fn(&dyn Fn() -> Ended) -> Ended + Sync);
        let scopes: [(&str, Scope<'_>); 4] = [
            ("no scope", &|wait| wait()),
            ("after a scope", &|wait| {
                interruptible(|| ());
                wait()
            }),
            ("the interrupter of another", &|wait| interruptible_by(&never, wait)),
            ("the innermost decides", &inner),
        ];
        for (name, within) in scopes {
            let all = all();
            let ended = std::thread::scope(|scope| {
                let waiter = Waiter::start(scope, || within(&|| of(all.event.wait())));
                for signal in [PLAIN, TELLING, PLAIN_RESTARTING, TELLING_RESTARTING] {
                    waiter.until_asleep();
                    let handled = HANDLED.load(SeqCst);
                    waiter.signal(signal);
                    until("a handler", || HANDLED.load(SeqCst) > handled);
                }
                waiter.until_asleep();
                all.event.set().expect("takes part");
                waiter.join()
            });
            assert_eq!(ended, Ended::WithIt, "{name}");
        }
    });
}

#[test]
fn the_outer_scope_is_back_after_an_inner_one_and_after_a_panic() {
    let stop = Interrupter::new();
    stop.interrupt();
    let all = all();
    let ended = interruptible_by(&stop, || {
        let never = Interrupter::new();
        interruptible_by(&never, || ());
        let panicked = catch_unwind(AssertUnwindSafe(|| interruptible(|| panic!("on purpose"))));
        assert!(panicked.is_err());
        of(all.event.wait())
    });
    assert_eq!(ended, Ended::Interrupted);
    assert_eq!(of(all.event.wait_timeout(Duration::from_millis(1))), Ended::TimedOut, "the scope has ended");
}

#[test]
fn a_thread_that_is_started_in_a_scope_is_not_in_it_and_a_forked_child_is() {
    let stop = Interrupter::new();
    stop.interrupt();
    let all = all();
    let short = Duration::from_millis(1);
    interruptible_by(&stop, || {
        std::thread::scope(|scope| {
            let ended = scope.spawn(|| of(all.event.wait_timeout(short))).join().expect("no panic");
            assert_eq!(ended, Ended::TimedOut);
        });
        let status = in_a_child(|| i32::from(of(all.event.wait()) != Ended::Interrupted));
        assert_eq!(status, 0, "the child waits in its copy of the scope");
        let status = in_a_child(|| {
            stop.clear(); // the child's own copy
            i32::from(of(all.event.wait_timeout(short)) != Ended::TimedOut)
        });
        assert_eq!(status, 0);
        assert_eq!(of(all.event.wait()), Ended::Interrupted, "the child has cleared its own alone");
    });
}

#[test]
fn an_interrupted_thread_still_takes_what_is_available_and_times_out_otherwise() {
    let stop = Interrupter::new();
    stop.interrupt();
    let all = all();
    interruptible_by(&stop, || {
        all.event.set().expect("takes part");
        assert_eq!(of(all.event.wait()), Ended::WithIt);
        assert_eq!(of_lock(all.mutex.lock()), Ended::WithIt);
        all.event.clear();
        assert_eq!(of(all.event.wait_timeout(Duration::ZERO)), Ended::TimedOut);
        let guard = all.free.lock().expect("free");
        assert!(all.changed.wait_while(guard, |_| false).is_ok());
    });
}

#[test]
fn an_access_to_a_lazy_value_waits_on_though_interrupted() {
    each_way_in_a_process_of_its_own(|| {
        let all = all();
        let stop = Interrupter::new();
        stop.interrupt();
        std::thread::scope(|scope| {
            let (started, waiter) = (mpsc::channel(), mpsc::channel::<()>());
            let all = &all;
            scope.spawn(move || {
                all.made.get_or_init(|| {
                    started.0.send(()).expect("the other listens");
                    waiter.1.recv().expect("the other tells");
                    7
                })
            });
            started.1.recv().expect("it starts");
            let looks = Waiter::start(scope, || interruptible_by(&stop, || *LazyLock::new(&all.made, || 8)));
            looks.until_asleep();
            waiter.0.send(()).expect("the maker listens");
            assert_eq!(looks.join(), 7);
        });
    });
}

/// A fault that was there once: a lazy value cannot report an interruption, so its waiter waited
/// on. By that it had left the scope for good, and made the value outside of it.
#[test]
fn the_initialiser_of_a_lazy_value_can_be_interrupted_though_the_access_cannot() {
    each_way_in_a_process_of_its_own(|| {
        let all = all();
        let stop = Interrupter::new();
        stop.interrupt();
        std::thread::scope(|scope| {
            let (started, waiter) = (mpsc::channel(), mpsc::channel::<()>());
            let all = &all;
            let maker = scope.spawn(move || {
                let make = || {
                    started.0.send(()).expect("the other listens");
                    waiter.1.recv().expect("the other tells");
                    std::panic::resume_unwind(Box::new("makes nothing"))
                };
                catch_unwind(AssertUnwindSafe(|| all.made.get_or_init(make).map(drop))).is_err()
            });
            started.1.recv().expect("it starts");
            let make = || match all.event.wait_timeout(PATIENCE) {
                Err(WaitTimeoutError::Interrupted) => 8,
                answer => panic!("it was not interrupted: {answer:?}"),
            };
            let stop = &stop;
            let looks = Waiter::start(scope, move || interruptible_by(stop, || *LazyLock::new(&all.made, make)));
            looks.until_asleep();
            waiter.0.send(()).expect("the maker listens");
            assert!(maker.join().expect("it caught the panic"));
            assert_eq!(looks.join(), 8);
        });
    });
}

/// Runs a handler that waits itself, after each single instruction.
#[cfg(target_arch = "x86_64")]
mod stepped {
    use super::*;
    use std::sync::OnceLock as Made;

    static EVENT: Made<Segment<Event>> = Made::new();
    static STEPS: AtomicU64 = AtomicU64::new(0);
    static WRONG: AtomicU64 = AtomicU64::new(0);

    extern "C" fn waits(_signal: i32) {
        STEPS.fetch_add(1, SeqCst);
        let answer = EVENT.get().expect("made before").wait_timeout(Duration::from_micros(10));
        if !matches!(answer, Err(WaitTimeoutError::TimedOut)) {
            WRONG.fetch_add(1, SeqCst);
        }
    }

    /// Makes the processor stop after each instruction of this thread, or not (Intel SDM vol. 1,
    /// 3.4.3.3).
    #[inline(never)]
    fn step(yes: bool) {
        const TRAP: u64 = 1 << 8;
        let [set, kept] = [if yes { TRAP } else { 0 }, !TRAP];
        // SAFETY: changes the intended flag, and no other.
        unsafe {
            std::arch::asm!(
                "pushfq", "and qword ptr [rsp], {kept}", "or qword ptr [rsp], {set}", "popfq",
                set = in(reg) set, kept = in(reg) kept,
            );
        }
    }

    /// A fault that was there once: a scope was two words. A handler between the two stores found a
    /// pointer to nowhere, or into memory of another owner.
    #[test]
    fn a_handler_at_any_instruction_finds_the_scope_whole() {
        each_way_in_a_process_of_its_own(|| {
            let event = EVENT.get_or_init(|| Segment::anonymous(|_cleared| {}).expect("a segment"));
            let a_while =
                || assert!(matches!(event.wait_timeout(Duration::from_micros(10)), Err(WaitTimeoutError::TimedOut)));
            a_while();
            // SAFETY: the handler waits where this thread has waited before, and touches atomics.
            unsafe { libc::signal(libc::SIGTRAP, waits as *const () as usize) };
            let interrupter = Interrupter::new();
            for _ in 0..3 {
                step(true);
                interruptible_by(&interrupter, || step(false));
                interruptible(|| {
                    a_while();
                    step(true);
                    interruptible_by(&interrupter, || step(false));
                    step(true);
                });
                step(false);
            }
            assert!(STEPS.load(SeqCst) > 50, "the processor does not stop");
            assert_eq!(WRONG.load(SeqCst), 0, "of {} waits in a handler", STEPS.load(SeqCst));
        });
    }
}

#[test]
fn nobody_is_interrupted_while_the_action_of_a_barrier_runs() {
    each_way_in_a_process_of_its_own(|| {
        let all = all();
        let stop = Interrupter::new();
        std::thread::scope(|scope| {
            let waiter = Waiter::start(scope, || interruptible_by(&stop, || of(all.barrier.wait())));
            until("an arrival", || all.barrier.n_waiting() == 1);
            let met = all.barrier.wait_with(|| {
                stop.interrupt();
                // The waiter is woken, finds that all have met, and sleeps on. It does not spin.
                waiter.until_asleep();
                assert!(!waiter.handle.is_finished(), "the waiter returned during the action");
            });
            assert!(met.expect("two met").is_leader());
            assert_eq!(waiter.join(), Ended::WithIt);
        });
    });
}

/// Signals at any time, to parties that wait again after an interruption. Each party meets all the
/// others in each round.
#[test]
fn a_barrier_under_signals_loses_no_party_and_counts_none_twice() {
    #[derive(Debug, Shareable)]
    #[repr(C)]
    struct Rounds {
        barrier: Barrier<3>,
        arrived: [AtomicU32; 3],
        actions: AtomicU32,
        interrupted: AtomicU32,
    }
    const ROUNDS: u32 = 1_500;
    each_way_in_a_process_of_its_own(|| {
        install_handlers();
        let shared = segment_of(|_new: &mut Rounds| {});
        let is_over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let party = |me: usize| {
                let shared = &shared;
                move || {
                    for round in 1..=ROUNDS {
                        shared.arrived[me].store(round, SeqCst);
                        loop {
                            let action = || {
                                assert!(shared.arrived.iter().all(|at| at.load(SeqCst) == round), "not all are there");
                                shared.actions.fetch_add(1, SeqCst);
                            };
                            match interruptible(|| shared.barrier.wait_with(action)) {
                                Ok(_) => break,
                                Err(BarrierError::Interrupted) => _ = shared.interrupted.fetch_add(1, SeqCst),
                                Err(other) => panic!("{other}"),
                            }
                        }
                        assert_eq!(shared.actions.load(SeqCst), round, "released before the action");
                        // No party is counted for the next round before all have seen this round.
                        loop {
                            match interruptible(|| shared.barrier.wait()) {
                                Ok(_) => break,
                                Err(BarrierError::Interrupted) => _ = shared.interrupted.fetch_add(1, SeqCst),
                                Err(other) => panic!("{other}"),
                            }
                        }
                    }
                }
            };
            let parties: Vec<_> = (0..3).map(|me| Waiter::start(scope, party(me))).collect();
            let targets: Vec<_> = parties.iter().map(|party| party.thread).collect();
            let is_over = &is_over;
            scope.spawn(move || {
                while !is_over.load(SeqCst) {
                    for target in &targets {
                        signal_thread(*target, PLAIN); // the thread may have ended
                    }
                    std::thread::yield_now();
                }
            });
            until("the rounds", || parties.iter().all(|party| party.handle.is_finished()));
            is_over.store(true, SeqCst);
        });
        assert_eq!(shared.actions.load(SeqCst), ROUNDS);
        assert!(shared.interrupted.load(SeqCst) > 0, "no signal has met a sleep");
        assert!(!shared.barrier.is_broken());
    });
}

/// Consumers that get signals: each permit that is released is acquired by a consumer.
#[test]
fn semaphores_and_conditions_under_signals_lose_no_wake() {
    #[derive(Debug, Shareable)]
    #[repr(C)]
    struct Store {
        tokens: Semaphore,
        items: Mutex<u64>,
        filled: Condvar,
        taken: AtomicU64,
    }
    const EACH: u64 = 2_000;
    each_way_in_a_process_of_its_own(|| {
        install_handlers();
        let shared = segment_of(|_new: &mut Store| {});
        let is_over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let shared = &shared;
            let consume = || {
                for _ in 0..EACH {
                    while let Err(error) = interruptible(|| shared.tokens.acquire()) {
                        assert!(matches!(error, AcquireError::Interrupted), "{error}");
                    }
                    let mut guard = shared.items.lock().expect("free");
                    guard = loop {
                        match interruptible(|| shared.filled.wait_while(guard, |items| *items == 0)) {
                            Ok(guard) => break guard,
                            Err(CondvarError::WaitInterrupted(again)) => guard = again,
                            Err(other) => panic!("{other:?}"),
                        }
                    };
                    *guard -= 1;
                    drop(guard);
                    shared.taken.fetch_add(1, SeqCst);
                }
            };
            let consumers: Vec<_> = (0..2).map(|_| Waiter::start(scope, consume)).collect();
            let targets: Vec<_> = consumers.iter().map(|one| one.thread).collect();
            let is_over = &is_over;
            scope.spawn(move || {
                while !is_over.load(SeqCst) {
                    for target in &targets {
                        signal_thread(*target, PLAIN); // the thread may have ended
                    }
                    std::thread::yield_now();
                }
            });
            // One permit at a time, so that the consumers sleep.
            for given in 1..=2 * EACH {
                shared.tokens.release().expect("far from the maximum");
                *shared.items.lock().expect("free") += 1;
                shared.filled.notify_one();
                until("an item to be taken", || shared.taken.load(SeqCst) == given);
            }
            until("the consumers", || consumers.iter().all(|one| one.handle.is_finished()));
            is_over.store(true, SeqCst);
        });
    });
}

/// As Ctrl-C does it: a signal to a process whose only thread waits at a barrier.
#[test]
fn a_process_that_is_signalled_at_a_barrier_leaves_it_whole() {
    let all = all();
    let child = fork(|| {
        install_handlers();
        i32::from(interruptible(|| of(all.barrier.wait())) != Ended::Interrupted)
    });
    until_asleep(&all, child as u32);
    let mut status = 0;
    until("the child to come back", || {
        // SAFETY: a child of ours, not yet reaped.
        unsafe {
            libc::kill(child, PLAIN);
            libc::waitpid(child, &mut status, libc::WNOHANG) == child
        }
    });
    assert_eq!(status, 0);
    is_as_if_nobody_had_waited(&all);
}
