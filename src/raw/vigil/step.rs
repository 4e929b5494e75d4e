//! The wait step that all words with a WAITERS bit share.

use super::super::hold::{Id, WAITERS, has_waiters};
use super::{Ended, Vigil};
use crate::platform::{Platform, Word};
use core::sync::atomic::Ordering::Relaxed;

impl<P: Platform> Vigil<'_, P> {
    /// Waits for `word` to change. It was `seen`, which does not let the caller go on. If nobody
    /// sleeps on it, the caller spins at first. Later it sets WAITERS and sleeps. `holder` is the
    /// living participant that the caller waits for, if there is one.
    ///
    /// Returns whether the caller slept, or collected in order to sleep. If it slept, the wake that
    /// ended the sleep may have been meant for others, too. So a caller that slept sets WAITERS
    /// when it takes the word, or passes the wake on.
    pub(in crate::raw) fn wait_while(&mut self, word: &P::Word, seen: u32, holder: Option<Id>) -> Result<bool, Ended> {
        if !has_waiters(seen) {
            if self.spin() {
                return Ok(false);
            }
            // ORDERING: Relaxed; only the releaser acts on WAITERS, and it reads the word itself.
            if word.compare_exchange(seen, seen | WAITERS, Relaxed, Relaxed).is_err() {
                return Ok(false);
            }
        }
        self.spins.stop();
        self.sleep_alone_at_first(word, seen | WAITERS, holder)?;
        Ok(true)
    }

    /// Spins once, and returns true. Returns false if the caller has spun often enough.
    pub(in crate::raw) fn spin(&mut self) -> bool {
        self.spins.spin()
    }

    /// To be called when the caller has what it waited for.
    pub(in crate::raw) fn succeed(&mut self) {
        self.spins.succeed();
    }
}
