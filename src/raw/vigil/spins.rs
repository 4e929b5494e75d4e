//! How a waiter spins before it sleeps.

use crate::platform::Platform;
use core::marker::PhantomData;
use core::time::Duration;

/// After so many spins the waiter looks at the clock. What it checks after each spin may take long.
const SPINS_FOR_EACH_CLOCK: u32 = 16;

/// The spins of one wait.
#[derive(Debug)]
pub(in crate::raw) struct Spins<P> {
    /// How many are left. `None`: the platform says it when the caller first wants to spin.
    left: Option<u32>,
    deadline: Option<Duration>,
    /// The platform learns from this wait.
    is_noted: bool,
    /// The caller has spun, and the platform was not told yet whether that has helped.
    is_open: bool,
    platform: PhantomData<P>,
}

impl<P: Platform> Spins<P> {
    /// Spins at most so often, and not much beyond `deadline` ([`Platform::now`]'s clock).
    pub(super) fn limited(most: u32, deadline: Option<Duration>) -> Self {
        Self { left: Some(most), deadline, is_noted: false, is_open: false, platform: PhantomData }
    }

    /// Of a caller that waits for what another participant does when it likes. It spins if that has
    /// helped in the thread's last such waits ([`Platform::learned_spins`]). `deadline` is as in
    /// [`limited`](Self::limited).
    pub(in crate::raw) fn learned(deadline: Option<Duration>) -> Self {
        Self { left: None, deadline, is_noted: true, is_open: false, platform: PhantomData }
    }

    /// Whether the caller may still spin.
    pub(in crate::raw) fn are_left(&mut self) -> bool {
        *self.left.get_or_insert_with(P::learned_spins) > 0
    }

    /// Spins once, and returns true. Returns false if the caller has spun often enough, or to its
    /// deadline.
    pub(in crate::raw) fn spin(&mut self) -> bool {
        let left = *self.left.get_or_insert_with(P::learned_spins);
        if left == 0 {
            self.stop();
            return false;
        }
        if left % SPINS_FOR_EACH_CLOCK == 0 && self.deadline.is_some_and(|end| P::now() >= end) {
            // Whether all spins would have helped is unknown.
            (self.left, self.is_open) = (Some(0), false);
            return false;
        }
        self.left = Some(left - 1);
        self.is_open = true;
        P::spin();
        true
    }

    /// To be called when the caller has what it waited for.
    pub(in crate::raw) fn succeed(&mut self) {
        self.note(true);
    }

    /// To be called before the caller sleeps: it does not spin any more.
    pub(in crate::raw) fn stop(&mut self) {
        self.left = Some(0);
        self.note(false);
    }

    fn note(&mut self, have_helped: bool) {
        if self.is_open && self.is_noted {
            P::note_spins(have_helped);
        }
        self.is_open = false;
    }
}

#[cfg(test)]
mod tests;
