//! Facts about the system that a process reads once.

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A number that stays the same while the system runs. Reading it from /proc takes longer than to
/// open and map a file, and an opening would need it several times.
///
/// Threads that come first at once read it each. A child that is forked in between does so again.
/// So no lock is needed, which such a child could find locked.
#[derive(Debug)]
pub(crate) struct Known(AtomicU64);

impl Known {
    pub(crate) const fn not_yet() -> Self {
        Self(AtomicU64::new(0))
    }

    /// The number that `read` returned first. 0 is no number: then it is read again the next time.
    pub(crate) fn get(&self, read: impl FnOnce() -> u64) -> u64 {
        // ORDERING: Relaxed; whatever is seen is the number, or 0.
        match self.0.load(Relaxed) {
            0 => {
                let number = read();
                self.0.store(number, Relaxed);
                number
            }
            number => number,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Known;

    #[test]
    fn a_number_is_read_once_and_no_number_again() {
        let known = Known::not_yet();
        assert_eq!(known.get(|| 0), 0);
        assert_eq!(known.get(|| 7), 7);
        assert_eq!(known.get(|| unreachable!("it is known")), 7);
    }
}
