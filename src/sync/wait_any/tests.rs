//! How often a caller looks at a source before it sleeps.

#![allow(clippy::disallowed_types)] // a count of the test itself

use super::*;
use crate::platform::{Expect, Platform};
use crate::raw::Participant;
use crate::raw::wait_any::Readiness;
use crate::segment::Segment;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::Relaxed;

/// It is never ready, and counts the looks.
#[derive(Debug)]
struct Never<'a> {
    is_dear: bool,
    looks: &'a AtomicU32,
}

impl Source<Linux> for Never<'_> {
    fn is_ready(&self, _me: Participant<'_, Linux>) -> bool {
        self.looks.fetch_add(1, Relaxed);
        false
    }
    fn announce<'s>(
        &'s self,
        me: Participant<'s, Linux>,
        awaited: &mut Vec<Expect<'s, <Linux as Platform>::Word>>,
    ) -> Readiness {
        self.observe(me, awaited);
        Readiness::Unready
    }
    fn observe<'s>(&'s self, me: Participant<'s, Linux>, awaited: &mut Vec<Expect<'s, <Linux as Platform>::Word>>) {
        let word = me.table.membership;
        awaited.push(Expect { word, value: word.load(Relaxed) });
    }
    fn wake_next(&self, _me: Participant<'_, Linux>) {}
    fn is_dear(&self) -> bool {
        self.is_dear
    }
}

/// A fault that was there once: a caller spun for more than a second before it looked at the clock.
#[test]
fn a_caller_does_not_spin_at_a_dear_source() {
    let segment = Segment::<Event>::anonymous(|_| {}).expect("a segment");
    for is_dear in [[true, false], [false, true], [false, false]] {
        let looks = [0, 0].map(AtomicU32::new);
        let sources = [0, 1].map(|at| WaitSource::new(&*segment, Never { is_dear: is_dear[at], looks: &looks[at] }));
        let answer = wait_any_timeout(&sources, Duration::ZERO);
        assert!(matches!(answer, Err(WaitAnyTimeoutError::TimedOut)), "{answer:?}");
        let looks = [0, 1].map(|at| looks[at].load(Relaxed));
        assert_eq!(looks == [1, 1], is_dear.contains(&true), "{looks:?}");
    }
}
