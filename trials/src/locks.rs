//! The errors of locks, however they were asked: a reason, and the guard if there is one.

use outlive::{CondvarError, LockError, LockErrorKind, LockTimeoutError, TryLockError};

/// An error that may contain a guard.
pub trait LockFailure<G>: core::fmt::Display {
    /// Why the lock did not simply come, and the guard if the lock was taken.
    fn into_parts(self) -> (LockErrorKind, Option<G>);
}

macro_rules! of_lock {
    ($($error:ident)*) => {$(
        impl<G> LockFailure<G> for $error<G> {
            fn into_parts(self) -> (LockErrorKind, Option<G>) {
                (self.kind(), self.into_guard().ok())
            }
        }
    )*};
}
of_lock! { LockError TryLockError LockTimeoutError CondvarError }
