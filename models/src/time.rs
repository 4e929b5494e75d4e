//! Time. A sleep with a deadline ends in one of two ways; the plan says which.
//!
//! 1. The deadline passes at once: at every moment at which the schedule lets the sleeper go on. A
//!    wake may come earlier, but the clock shows the deadline in any case.
//! 2. The sleeper is *patient*: it sleeps until a wake. It may find that another thread was faster,
//!    and sleep again towards the same deadline.
//!
//! For a patient sleeper, time stands still as long as any thread can run. When the last runnable
//! thread falls asleep or ends, the earliest deadline passes. So a wait with a deadline is never
//! reported as a hang.

use crate::backend::Backend;
use core::fmt;
use core::time::Duration;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard};

/// Which threads can run, and which sleep towards a deadline. Each execution has its own.
#[derive(Debug)]
pub(crate) struct Time(Mutex<Day>);

#[derive(Debug)]
struct Day {
    awake: usize,
    patient: Vec<Arc<Sleeper>>,
}

impl Time {
    /// All `threads` threads can run.
    pub(crate) fn new(threads: usize) -> Arc<Self> {
        Arc::new(Self(Mutex::new(Day { awake: threads, patient: vec![] })))
    }

    /// The guard must not be kept over an operation that the model checker sees.
    fn day(&self) -> MutexGuard<'_, Day> {
        self.0.lock().expect("no panic inside")
    }

    /// The calling thread runs no more: it sleeps, or has ended.
    pub(crate) fn one_less(&self) {
        let mut day = self.day();
        day.awake -= 1;
        if day.awake > 0 {
            return;
        }
        let earliest = day.patient.iter().min_by_key(|sleeper| sleeper.end).map(Arc::clone);
        drop(day);
        if let Some(sleeper) = earliest {
            sleeper.is_over.store(true, SeqCst);
            sleeper.get_up();
            (sleeper.unpark)();
        }
    }
}

/// A sleeping thread.
pub(crate) struct Sleeper {
    time: Arc<Time>,
    unpark: Box<dyn Fn() + Send + Sync>,
    end: Option<Duration>,
    is_asleep: AtomicBool,
    is_over: AtomicBool,
}

impl fmt::Debug for Sleeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sleeper").field("end", &self.end).finish_non_exhaustive()
    }
}

impl Sleeper {
    /// The calling thread. A patient sleeper has its deadline in `end`, another one has `None`.
    pub(crate) fn new<B: Backend>(time: &Arc<Time>, end: Option<Duration>) -> Arc<Self> {
        let thread = B::current();
        Arc::new(Self {
            time: Arc::clone(time),
            unpark: Box::new(move || B::unpark(&thread)),
            end,
            is_asleep: AtomicBool::new(false),
            is_over: AtomicBool::new(false),
        })
    }

    /// Sleeps until `is_woken`, or until no thread can run and this deadline is the next. True if
    /// the sleeper was woken.
    pub(crate) fn sleep<B: Backend>(self: &Arc<Self>, is_woken: impl Fn() -> bool) -> bool {
        while !is_woken() {
            if self.is_over.load(SeqCst) {
                return false;
            }
            self.lie_down();
            B::park();
            self.get_up(); // parking may end for no reason
        }
        true
    }

    /// Wakes the sleeper, or makes its next attempt to sleep end at once.
    pub(crate) fn wake(&self) {
        self.get_up();
        (self.unpark)();
    }

    fn lie_down(self: &Arc<Self>) {
        self.is_asleep.store(true, SeqCst);
        if self.end.is_some() {
            self.time.day().patient.push(Arc::clone(self));
        }
        self.time.one_less();
    }

    fn get_up(&self) {
        if self.is_asleep.swap(false, SeqCst) {
            let mut day = self.time.day();
            day.awake += 1;
            day.patient.retain(|other| !core::ptr::eq(&**other, self));
        }
    }
}
