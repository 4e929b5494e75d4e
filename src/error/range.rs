//! [`RangeError`]: a primitive cannot be made with that number.

use std::fmt;

/// A number that a primitive was to be made with is too small or too large. Nothing was made.
///
/// ```
/// use outlive::{Barrier, RangeError};
///
/// let refused = Barrier::<8>::try_new(9).unwrap_err();
/// assert!(matches!(refused, RangeError { found: 9, minimum: 1, maximum: 8, .. }));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct RangeError {
    /// What the number counts.
    pub what: &'static str,
    /// The number.
    pub found: u64,
    /// The smallest number that is possible.
    pub minimum: u64,
    /// The largest number that is possible.
    pub maximum: u64,
}

impl RangeError {
    pub(crate) const fn new(what: &'static str, found: u64, minimum: u64, maximum: u64) -> Self {
        Self { what, found, minimum, maximum }
    }
}

impl fmt::Display for RangeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, found, minimum, maximum } = self;
        write!(
            f,
            "{what} was expected to be {minimum} to {maximum}, but is {found}; give a number in this range, or use a type with more room"
        )
    }
}

impl std::error::Error for RangeError {}
