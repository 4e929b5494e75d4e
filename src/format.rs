//! Which version of the format lies in the segments of this crate?

/// The version of the format. It changes with every change of the header, the slots or the words of
/// the primitives.
pub const FORMAT: u32 = 4;
