//! What a primitive should do, in the simplest form: one step after the other, without memory
//! orderings, sleeps or words.

use core::fmt::Debug;
use outlive::raw::Id;

/// One primitive's contract as a machine: states, and the answer of each operation in each state.
///
/// An operation takes effect in one step. A participant that dies in the middle may have taken this
/// step or not. The [runner](crate::operations) handles that: it goes on with both states until an
/// answer distinguishes them.
pub trait Reference: Clone + PartialEq + Debug + Default {
    /// An operation of the primitive.
    type Operation: Clone + Debug;
    /// The answer of an operation.
    type Answer: Debug + PartialEq;

    /// Whether the contract allows this operation to this participant now. It may forbid, for
    /// example, releasing without a hold.
    fn allows(&self, who: Id, operation: &Self::Operation) -> bool;

    /// Whether the operation would have to wait now.
    fn would_wait(&self, who: Id, operation: &Self::Operation) -> bool;

    /// The operation's answer, if it does not wait (any more), and the state after it.
    fn apply(&self, who: Id, operation: &Self::Operation) -> (Self::Answer, Self);

    /// The state after the operation got this answer; `None` if the answer is wrong. Where the
    /// contract leaves a choice (which of several permits), implement this method.
    fn after(&self, who: Id, operation: &Self::Operation, answer: &Self::Answer) -> Option<Self> {
        let (expected, after) = self.apply(who, operation);
        (expected == *answer).then_some(after)
    }

    /// The state after the operation begins to wait, or waits on after a recheck. For example, a
    /// waiter arrives at a barrier.
    #[must_use]
    fn begins_to_wait(&self, _who: Id, _operation: &Self::Operation) -> Self {
        self.clone()
    }

    /// The states that a participant may leave if it dies in the middle of the operation, before
    /// its death is accounted for.
    fn halfway(&self, who: Id, operation: &Self::Operation) -> Vec<Self> {
        vec![self.clone(), self.begins_to_wait(who, operation), self.apply(who, operation).1]
    }

    /// The state after this participant's death.
    #[must_use]
    fn after_death_of(&self, who: Id) -> Self;
}
