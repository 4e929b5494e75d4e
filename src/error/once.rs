//! [`OnceError`] and [`SetError`]: what is to be done once was not done.

use super::RegisterError;
use super::register::needs_registration;
use std::fmt;

/// What is to be done once was not done, and the caller could not wait for it:
/// [`Once::call_once`](crate::Once::call_once),
/// [`OnceLock::get_or_init`](crate::OnceLock::get_or_init),
/// [`LazyLock::force`](crate::LazyLock::force).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnceError {
    /// The calling thread is itself the initialiser, and would wait for itself.
    Deadlock,
    /// The initialiser had not finished when the caller was [interrupted](crate::interruptible).
    Interrupted,
    /// This thread cannot be registered as a participant of the segment.
    Register(RegisterError),
}

impl fmt::Display for OnceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Deadlock => f.write_str(
                "this thread is itself the initialiser, and would wait for itself; do not ask for the value while it is made",
            ),
            Self::Interrupted => f.write_str(
                "the initialiser had not finished when this thread was interrupted; see to the signal, then wait again or give up",
            ),
            Self::Register(error) => write!(f, "it cannot be waited for here: {error}"),
        }
    }
}

/// [`OnceLock::set`](crate::OnceLock::set) did not write the value, which is given back.
pub struct SetError<T> {
    value: T,
    error: Option<OnceError>,
}

impl<T> SetError<T> {
    pub(crate) fn new(value: T, error: Option<OnceError>) -> Self {
        Self { value, error }
    }

    /// The value that was not written.
    pub fn into_inner(self) -> T {
        self.value
    }

    /// Why the value was not written; `None` if there is a value already.
    pub fn error(&self) -> Option<&OnceError> {
        self.error.as_ref()
    }
}

impl<T> fmt::Debug for SetError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SetError").field("error", &self.error).finish_non_exhaustive()
    }
}

impl<T> fmt::Display for SetError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.error {
            None => f.write_str("there is a value already; use that one"),
            Some(error) => error.fmt(f),
        }
    }
}

impl<T> std::error::Error for SetError<T> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.error.as_ref().and_then(std::error::Error::source)
    }
}

needs_registration! { OnceError }
