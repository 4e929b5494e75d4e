//! Data under a lock that shows whether the lock excludes.

use crate::backend::Backend;
use crate::kernel::step;
use outlive::raw::Cause;

/// Two numbers that are equal except in the middle of an update.
///
/// An update has two halves, so that a holder can die between them. The next holder finds the
/// numbers unequal, and must have been given a cause.
#[derive(Debug)]
pub struct Pair<B: Backend> {
    numbers: B::Cell<(u32, u32)>,
}

impl<B: Backend> Default for Pair<B> {
    fn default() -> Self {
        Self { numbers: B::cell((0, 0)) }
    }
}

impl<B: Backend> Pair<B> {
    /// Both halves of an update, between which the caller may die.
    pub fn update(&self, inconsistent: Option<Cause>) {
        self.begin_update(inconsistent);
        step::<B>();
        self.end_update();
    }

    /// The first half of an update. Repairs the pair first if it is `inconsistent`.
    pub fn begin_update(&self, inconsistent: Option<Cause>) {
        B::write(&self.numbers, |numbers| {
            match inconsistent {
                Some(_) => numbers.1 = numbers.0, // the repair
                None => assert_eq!(numbers.0, numbers.1, "half an update seen"),
            }
            numbers.0 += 1;
        });
    }

    /// The second half of an update.
    pub fn end_update(&self) {
        B::write(&self.numbers, |numbers| numbers.1 += 1);
    }

    /// Half an update that stays so: for scenarios about exclusion alone.
    pub fn add_to_first(&self) {
        B::write(&self.numbers, |numbers| numbers.0 += 1);
    }

    /// Reads twice. The pair is whole if it is not `inconsistent`, and does not change meanwhile.
    pub fn check(&self, inconsistent: Option<Cause>) {
        let before = self.read();
        assert!(inconsistent.is_some() || before.0 == before.1, "half an update seen");
        step::<B>();
        assert_eq!(before, self.read(), "changed while it was read");
    }

    /// Both numbers.
    pub fn read(&self) -> (u32, u32) {
        B::read(&self.numbers, |numbers| *numbers)
    }
}
