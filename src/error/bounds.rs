//! [`OutOfBoundsError`]: a block of bytes is shorter than that.

use std::fmt;

/// A range of bytes does not lie within a [`SharedMemory`](crate::SharedMemory). Nothing was read
/// or written.
///
/// ```
/// use outlive::{OutOfBoundsError, SharedMemory};
///
/// let block = SharedMemory::anonymous(16)?;
/// let refused = block.write_at(12, &[1; 8]).unwrap_err();
/// assert!(matches!(refused, OutOfBoundsError { offset: 12, length: 8, available: 16, .. }));
/// # Ok::<(), outlive::OpenError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct OutOfBoundsError {
    /// Where the range begins.
    pub offset: usize,
    /// How many bytes it has.
    pub length: usize,
    /// How many bytes there are.
    pub available: usize,
}

impl fmt::Display for OutOfBoundsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { offset, length, available } = self;
        write!(
            f,
            "{length} bytes from offset {offset} were expected to lie within the block, but it has {available} bytes; use a range within it, or make a longer block"
        )
    }
}

impl std::error::Error for OutOfBoundsError {}
