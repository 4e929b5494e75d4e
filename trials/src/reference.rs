//! What a primitive should do, said as plainly as can be: one step after the other, without memory
//! orderings, sleeps or words.

use core::fmt::Debug;
use outlive::raw::Id;

/// One primitive's contract as a machine: states, and what each operation answers in each of them.
///
/// An operation takes effect in one step. That one who dies in the middle of it may have taken this
/// step or not is the [runner's](crate::operations) affair: it goes on with both states, until an
/// answer tells them apart.
pub trait Reference: Clone + PartialEq + Debug + Default {
    /// What a participant can do with it.
    type Operation: Clone + Debug;
    /// What it is answered.
    type Answer: Debug + PartialEq;

    /// Whether the contract lets this participant do that now: releasing what one does not hold may
    /// be forbidden.
    fn allows(&self, who: Id, operation: &Self::Operation) -> bool;

    /// Whether the operation would have to wait now.
    fn would_wait(&self, who: Id, operation: &Self::Operation) -> bool;

    /// The operation's answer, if it does not wait (any more), and the state after it.
    fn apply(&self, who: Id, operation: &Self::Operation) -> (Self::Answer, Self);

    /// The state after the operation was answered so; `None` if that is no answer to it. Where the
    /// contract leaves a choice (which of several permits), this is the one to say so.
    fn after(&self, who: Id, operation: &Self::Operation, answer: &Self::Answer) -> Option<Self> {
        let (expected, after) = self.apply(who, operation);
        (expected == *answer).then_some(after)
    }

    /// What has changed when the operation begins to wait, or waits on after a look: an arrival at
    /// a barrier, say.
    #[must_use]
    fn begins_to_wait(&self, _who: Id, _operation: &Self::Operation) -> Self {
        self.clone()
    }

    /// The states in which one that dies in the middle of the operation may leave it, before its
    /// death is accounted for.
    fn halfway(&self, who: Id, operation: &Self::Operation) -> Vec<Self> {
        vec![self.clone(), self.begins_to_wait(who, operation), self.apply(who, operation).1]
    }

    /// The state after this participant's death.
    #[must_use]
    fn after_death_of(&self, who: Id) -> Self;
}
