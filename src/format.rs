//! The version of what lies in segments.

/// The format's version. It changes with every change of the header, the slots or the words of the
/// primitives.
pub const FORMAT: u32 = 3;
