//! Time: a sleep with an end reaches it at once, or, where the plan says so, not before somebody
//! wakes the sleeper.
//!
//! The first way has the deadline pass at every moment at which the schedule lets the sleeper go
//! on. A wake may come before that, but the clock is at the end in any case. The second way lets a
//! sleeper be woken early, find somebody else quicker, and sleep again towards the same deadline.
//! For such a *patient* sleeper time stands still as long as anybody else can run: then whoever
//! falls asleep or ends as the last one lets it pass, and the earliest deadline is over. So nobody
//! is said to hang whose wait has an end.

use crate::backend::Backend;
use core::fmt;
use core::time::Duration;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard};

/// How many can run, and who sleeps towards a deadline. One for each execution.
#[derive(Debug)]
pub(crate) struct Time(Mutex<Day>);

#[derive(Debug)]
struct Day {
    awake: usize,
    patient: Vec<Arc<Sleeper>>,
}

impl Time {
    /// All of so many threads can run.
    pub(crate) fn new(threads: usize) -> Arc<Self> {
        Arc::new(Self(Mutex::new(Day { awake: threads, patient: vec![] })))
    }

    /// The guard is not kept over anything that the model checker sees.
    fn day(&self) -> MutexGuard<'_, Day> {
        self.0.lock().expect("no panic inside")
    }

    /// The caller runs no more: it sleeps, or has ended.
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

/// One that sleeps, on whatever words.
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
    /// The calling thread. `end`: when it is to be patient, and until when.
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

    /// Sleeps until it `is_woken`, or nobody else can run and its time is over. True if it was
    /// woken.
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

    /// Wakes it, or lets its next attempt to sleep end at once.
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
