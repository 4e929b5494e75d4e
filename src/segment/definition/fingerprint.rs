//! How do two programs notice that they do not mean the same type?

use super::{Definition, Role};
use crate::segment::shareable::Shareable;
use core::fmt;
use sha2::{Digest, Sha256};
use std::collections::HashMap;

/// A short name for a whole [`Definition`], by which programs notice that they do not mean the same
/// type.
///
/// It is SHA-256 over the width of `usize`, the byte order, and everything that the definition
/// says, all the way down. Nobody can find two definitions with one fingerprint, not even on
/// purpose. Equal fingerprints are printed alike, so two people can compare those of their
/// programs:
///
/// ```
/// use outlive::Fingerprint;
///
/// mod one {
///     #[derive(outlive::Shareable)]
///     #[repr(C)]
///     pub struct Size { pub width: u32, pub height: u32 }
/// }
/// mod other {
///     #[derive(outlive::Shareable)]
///     #[repr(C)]
///     pub struct Size { pub height: u32, pub width: u32 }
/// }
/// assert_ne!(Fingerprint::of::<one::Size>(), Fingerprint::of::<other::Size>());
/// assert_eq!(Fingerprint::of::<one::Size>().to_string().len(), 64);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; Self::LENGTH]);

impl Fingerprint {
    pub(in crate::segment) const LENGTH: usize = 32;

    /// The fingerprint of a type. Each call computes it anew, once for each different type in it.
    #[must_use]
    pub fn of<T: Shareable>() -> Self {
        let all = Digests::default().digest_of(T::DEFINITION);
        let mut message = Message::default();
        message.text("outlive");
        message.number(usize::BITS as usize);
        message.0.push(u8::from(cfg!(target_endian = "big")));
        message.0.extend(all);
        Self(message.digest())
    }

    pub(in crate::segment) const fn from_bytes(bytes: [u8; Self::LENGTH]) -> Self {
        Self(bytes)
    }

    /// Its bytes, as they lie in a segment's header.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; 32] {
        self.0
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

/// The digests of definitions, by their addresses.
///
/// A struct of two equal fields, nested forty deep, has 2^40 leaves and forty definitions. The
/// digest of each definition is computed once.
#[derive(Default)]
struct Digests(HashMap<*const Definition, [u8; Fingerprint::LENGTH]>);

impl Digests {
    fn digest_of(&mut self, definition: &'static Definition) -> [u8; Fingerprint::LENGTH] {
        if let Some(known) = self.0.get(&core::ptr::from_ref(definition)) {
            return *known;
        }
        let mut message = Message::default();
        message.0.push(definition.kind as u8);
        message.0.push(u8::from(definition.has_interior_mutability));
        message.text(definition.name);
        message.number(definition.size);
        message.number(definition.alignment);
        message.number(definition.parts.len());
        for part in definition.parts {
            message.text(part.name);
            let (tag, number) = match part.role {
                Role::Field { offset } => (1, offset as u128),
                Role::Cell { offset } => (2, offset as u128),
                Role::Words { offset } => (3, offset as u128),
                Role::Elements { length } => (4, length as u128),
                Role::Type => (5, 0),
                Role::Constant { value } => (6, value),
            };
            message.0.push(tag);
            message.0.extend(number.to_le_bytes());
            message.number(part.size);
            message.number(part.alignment);
            message
                .0
                .extend(part.definition.map_or([0; Fingerprint::LENGTH], |definition| self.digest_of(definition())));
        }
        let digest = message.digest();
        self.0.insert(definition, digest);
        digest
    }
}

/// Bytes that can be read in one way only: numbers have a fixed width, little end first, and texts
/// follow their length.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    fn number(&mut self, number: usize) {
        self.0.extend((number as u64).to_le_bytes());
    }

    fn text(&mut self, text: &str) {
        self.number(text.len());
        self.0.extend(text.as_bytes());
    }

    fn digest(&self) -> [u8; Fingerprint::LENGTH] {
        Sha256::digest(&self.0).into()
    }
}
