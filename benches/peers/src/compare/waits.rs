//! How long each of very many waits took.

use outlive::Shareable;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Eight for each power of two: a wait is known to an eighth.
const BUCKETS: usize = 8 * 48;

/// How many waits took how long, of all processes together. All zero at first.
#[derive(Debug, Shareable)]
#[repr(C)]
pub struct Waits {
    counts: [AtomicU64; BUCKETS],
    longest: AtomicU64,
}

/// The waits of one process.
#[derive(Debug)]
pub struct OwnWaits {
    counts: [u64; BUCKETS],
    longest: u64,
}

impl OwnWaits {
    /// None yet.
    #[must_use]
    pub fn none() -> Self {
        Self { counts: [0; BUCKETS], longest: 0 }
    }

    /// Adds one.
    #[inline]
    pub fn add(&mut self, wait: Duration) {
        let nanoseconds = wait.as_nanos() as u64;
        self.counts[bucket_of(nanoseconds)] += 1;
        self.longest = self.longest.max(nanoseconds);
    }
}

fn bucket_of(nanoseconds: u64) -> usize {
    let power = nanoseconds.max(8).ilog2();
    let eighth = (nanoseconds.max(8) >> (power - 3)) as usize & 7;
    ((power as usize - 3) * 8 + eighth).min(BUCKETS - 1)
}

/// The middle of a bucket, in nanoseconds.
fn middle_of(bucket: usize) -> f64 {
    let width = 2_f64.powi((bucket / 8) as i32);
    (8 + bucket % 8) as f64 * width + width / 2.0
}

impl Waits {
    /// Adds those of one process.
    pub fn add(&self, own: &OwnWaits) {
        for (count, of_own) in self.counts.iter().zip(own.counts) {
            count.fetch_add(of_own, Ordering::Relaxed);
        }
        self.longest.fetch_max(own.longest, Ordering::Relaxed);
    }

    /// The wait, in nanoseconds, that this part of all waits does not exceed. NaN if there were
    /// none.
    #[must_use]
    pub fn quantile(&self, part: f64) -> f64 {
        let counts = self.counts.each_ref().map(|count| count.load(Ordering::Relaxed));
        let wanted = (counts.iter().sum::<u64>() as f64 * part).ceil().max(1.0) as u64;
        let mut seen = 0;
        let bucket = counts.iter().position(|count| {
            seen += count;
            seen >= wanted
        });
        bucket.map_or(f64::NAN, |bucket| middle_of(bucket).min(self.longest()))
    }

    /// The longest, in nanoseconds.
    #[must_use]
    pub fn longest(&self) -> f64 {
        self.longest.load(Ordering::Relaxed) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_known_to_an_eighth() {
        for nanoseconds in (8..5_000).chain([1 << 20, 987_654_321, 1 << 40]) {
            let known = middle_of(bucket_of(nanoseconds));
            assert!((known / nanoseconds as f64 - 1.0).abs() <= 0.125, "{nanoseconds}: {known}");
        }
        assert_eq!([0, 7, 8].map(bucket_of), [0; 3]);
        assert_eq!(bucket_of(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn quantiles_are_of_all_processes() {
        let waits = outlive::Segment::<Waits>::anonymous(|_zero| {}).expect("a segment");
        for nanoseconds in [100, 10_000] {
            let mut own = OwnWaits::none();
            (0..50).for_each(|_| own.add(Duration::from_nanos(nanoseconds)));
            waits.add(&own);
        }
        assert!((waits.quantile(0.5) / 100.0 - 1.0).abs() < 0.125);
        assert!((waits.quantile(0.51) / 10_000.0 - 1.0).abs() < 0.125);
        assert_eq!(waits.longest(), 10_000.0);
    }
}
