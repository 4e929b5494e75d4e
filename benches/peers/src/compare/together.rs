//! Several processes, or threads of one process, that do something together.

use super::Failure;
use outlive::{Segment, Shareable};
use outlive_benches::process::{self, monotonic_nanoseconds, panic_text};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

/// The longest time that a round may take. After that, a peer hangs.
const PATIENCE: Duration = Duration::from_secs(10);

/// Lets so many processes do `work`, and waits for all of them.
///
/// # Errors
/// That of the first process that fails. Also if they do not end in time.
pub fn as_processes(count: usize, work: impl Fn(usize) -> Result<(), Failure>) -> Result<(), Failure> {
    let children: std::io::Result<Vec<_>> = (0..count).map(|me| process::try_fork(|| work(me))).collect();
    Ok(process::join_all(&mut children?, PATIENCE)?)
}

/// As [`as_processes`], with threads of one process, which is forked.
///
/// # Errors
/// Those of [`as_processes`].
pub fn as_threads(count: usize, work: impl Fn(usize) -> Result<(), Failure> + Sync) -> Result<(), Failure> {
    let work = &work;
    as_processes(1, |_| {
        std::thread::scope(|scope| {
            for me in 0..count {
                // The other threads may wait for this one, so a failure ends the process.
                scope.spawn(move || match catch_unwind(AssertUnwindSafe(|| work(me))) {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => process::fail(&error.to_string()),
                    Err(panic) => process::fail(&panic_text(&*panic)),
                });
            }
        });
        Ok(())
    })
}

/// When the participants of a round began and ended. They begin together.
#[derive(Debug, Shareable)]
#[repr(C)]
pub struct Times {
    ready: AtomicU32,
    participants: u32,
    done: AtomicU64,
    begun: AtomicU64,
    ended: AtomicU64,
}

// ORDERING of all accesses: the counter of the ready ones is a barrier, AcqRel and Acquire. The
// times are read when all participants have ended.
impl Times {
    /// For so many participants.
    ///
    /// # Errors
    /// A segment cannot be made.
    pub fn of(participants: usize) -> Result<Segment<Self>, Failure> {
        Ok(Segment::<Self>::anonymous(|new| {
            new.participants = participants as u32;
            new.begun = AtomicU64::new(u64::MAX);
        })?)
    }

    /// Called by each participant when it is ready. Returns when all are.
    pub fn begin(&self) {
        self.ready.fetch_add(1, Ordering::AcqRel);
        while self.ready.load(Ordering::Acquire) < self.participants {
            std::thread::yield_now();
        }
        self.begun.fetch_min(monotonic_nanoseconds(), Ordering::Relaxed);
    }

    /// Called by a participant that is done. Those that need not be waited for do not call it.
    pub fn end(&self) {
        self.ended.fetch_max(monotonic_nanoseconds(), Ordering::Relaxed);
        self.done.fetch_add(1, Ordering::Relaxed);
    }

    /// Waits until so many are done. Who sends stays so long: some take along what they have sent.
    pub fn wait_for_ends(&self, count: usize) {
        while self.done.load(Ordering::Relaxed) < count as u64 {
            std::thread::sleep(Duration::from_micros(50));
        }
    }

    /// From the first begin to the last end, in nanoseconds.
    #[must_use]
    pub fn elapsed(&self) -> f64 {
        self.ended.load(Ordering::Relaxed).saturating_sub(self.begun.load(Ordering::Relaxed)) as f64
    }
}
