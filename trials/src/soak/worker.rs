//! A worker: random deeds until it is killed.

use super::shared::{DEEDS, Outcome, Shared};
use super::{Random, Shortage};
use super::{messages, piped};
use outlive::Segment;
use std::fs::File;
use std::process::ExitCode;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

pub(super) fn work(number: usize, seed: u64, shortage: Shortage) -> ExitCode {
    let mut random = Random::new(seed);
    let shared = match Segment::<Shared>::inherit("soak") {
        Ok(shared) => shared,
        Err(error) => return fault(number, "inheriting", &error.to_string()),
    };
    if let Err(error) = messages::open(&shared) {
        return fault(number, "opening the queue of messages", &error.to_string());
    }
    if let Err(error) = piped::open(&shared) {
        return fault(number, "opening the pipe", &error.to_string());
    }
    let _kept_open = run_short_of(shortage);
    loop {
        let deed = &DEEDS[random.below(DEEDS.len() as u64) as usize];
        match (deed.run)(&shared, &mut random, number as u32) {
            Outcome::Done => {
                shared.progress[number].fetch_add(1, SeqCst);
            }
            Outcome::Full => {
                shared.full.fetch_add(1, SeqCst);
                std::thread::sleep(Duration::from_millis(1));
            }
            Outcome::Fault(what) => return fault(number, deed.name, &what),
        }
        // Now and then the worker leaves the segment, and comes back with the next deed.
        if random.below(1_000) == 0 {
            match shared.detach() {
                Ok(()) => {}
                Err(error) => return fault(number, "detaching", &error.to_string()),
            }
        }
    }
}

fn fault(number: usize, doing: &str, what: &str) -> ExitCode {
    eprintln!("worker {number}, {doing}: {what}");
    ExitCode::FAILURE
}

/// Leaves the worker with no spare descriptor, or with hardly a page to map.
fn run_short_of(shortage: Shortage) -> Vec<File> {
    let (resource, limit) = match shortage {
        Shortage::None => return vec![],
        Shortage::Descriptors => (libc::RLIMIT_NOFILE, 16),
        Shortage::Memory => (libc::RLIMIT_AS, mapped() + (64 << 10)),
    };
    let limit = libc::rlimit { rlim_cur: limit, rlim_max: limit };
    // SAFETY: the structure is valid for the call.
    assert_eq!(unsafe { libc::setrlimit(resource, &limit) }, 0);
    match shortage {
        Shortage::Descriptors => std::iter::from_fn(|| File::open("/dev/null").ok()).collect(),
        _ => vec![],
    }
}

/// How many bytes are mapped: the first number of `statm` counts pages of 4,096 bytes (on x86-64
/// and most others).
fn mapped() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    statm.split(' ').next().and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(1 << 20) * 4096
}
