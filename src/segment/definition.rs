//! What two programs compare before they share a type: its [`Definition`], and the [`Fingerprint`]
//! of that.

use super::Shareable;
use core::fmt;
use sha2::{Digest, Sha256};
use std::collections::HashMap;

/// What a [`Shareable`] type is made of: names, sizes, alignments, offsets, and where its bytes may
/// change behind a shared reference.
///
/// A segment opens only if the opener's definition is that of the creator, all the way down.
/// Otherwise the same bytes could be an `AtomicU64` for one and a `u64` for the other, and a `&u64`
/// would change while it is read.
///
/// The derive makes it. An implementation by hand states it, with the same care as everything else
/// that is `unsafe`:
///
/// ```
/// use core::cell::UnsafeCell;
/// use core::mem::offset_of;
/// use outlive::{Definition, Fingerprint, Part, Shareable};
///
/// #[repr(C)]
/// struct Guarded {
///     turn: u32,
///     value: UnsafeCell<u64>,
/// }
///
/// // SAFETY: repr(C) around integers, which accept every bit pattern and have no drop glue.
/// // UnsafeCell is transparent; the field that is one is stated as a cell.
/// unsafe impl Shareable for Guarded {
///     const DEFINITION: &'static Definition = &Definition::structure::<Self>(
///         "Guarded",
///         &[
///             Part::field::<u32>("turn", offset_of!(Self, turn)),
///             Part::cell::<u64>("value", offset_of!(Self, value)),
///         ],
///     );
/// }
///
/// assert!(Guarded::DEFINITION.has_interior_mutability());
/// println!("{}", Fingerprint::of::<Guarded>());
/// ```
#[derive(Clone, Copy)]
pub struct Definition {
    name: &'static str,
    size: usize,
    alignment: usize,
    kind: Kind,
    has_interior_mutability: bool,
    parts: &'static [Part],
}

/// The numbers are part of the format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// An integer or a float.
    Number = 1,
    /// Bytes that may all change behind a shared reference.
    Atomic = 2,
    /// Plain data of which no more is known than its size and alignment.
    Bytes = 3,
    Array = 4,
    Struct = 5,
}

impl Definition {
    const fn of<T>(name: &'static str, kind: Kind, has_interior_mutability: bool, parts: &'static [Part]) -> Self {
        assert!(
            !core::mem::needs_drop::<T>(),
            "a type with drop glue cannot be shared: a process that dies drops nothing"
        );
        Self { name, size: size_of::<T>(), alignment: align_of::<T>(), kind, has_interior_mutability, parts }
    }

    pub(super) const fn number<T>(name: &'static str) -> Self {
        Self::of::<T>(name, Kind::Number, false, &[])
    }

    /// Bytes that may all change behind a shared reference, as an atomic and the words of a lock
    /// do, and of which only size and alignment are to be compared.
    ///
    /// The name is the type's own without a path, so that it can move between modules.
    pub const fn atomic<T>(name: &'static str) -> Self {
        Self::of::<T>(name, Kind::Atomic, true, &[])
    }

    /// Plain data **without interior mutability**, of which only size and alignment are to be
    /// compared.
    ///
    /// The name is the type's own without a path, so that it can move between modules.
    pub const fn bytes<T>(name: &'static str) -> Self {
        Self::of::<T>(name, Kind::Bytes, false, &[])
    }

    /// `parts` is the one [`Part::elements`].
    pub(super) const fn array<T>(parts: &'static [Part]) -> Self {
        Self::of::<T>("array", Kind::Array, has_interior_mutability(parts), parts)
    }

    /// A struct, with each of its fields and parameters.
    ///
    /// The name is the struct's own without a path, so that it can move between modules. It has
    /// interior mutability if a field has it, or is a [cell](Part::cell) or [words](Part::words).
    ///
    /// # Panics
    /// At compile time, if a field does not lie within `T`, or not at its alignment, or `T` has
    /// drop glue.
    pub const fn structure<T>(name: &'static str, parts: &'static [Part]) -> Self {
        let mut at = 0;
        while at < parts.len() {
            if let Role::Field { offset } | Role::Cell { offset } | Role::Words { offset } = parts[at].role {
                let Part { size, alignment, .. } = parts[at];
                assert!(offset % alignment == 0, "a field is not aligned as its type: is the struct packed?");
                assert!(
                    offset <= size_of::<T>() && size <= size_of::<T>() - offset,
                    "a field does not lie within its struct: check offset and type"
                );
            }
            at += 1;
        }
        Self::of::<T>(name, Kind::Struct, has_interior_mutability(parts), parts)
    }

    /// The type's own name, without a path.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Whether any byte of a value may change while there is a shared reference to it: behind an
    /// atomic, or a lock.
    ///
    /// Computed from the parts, down to the types that state it.
    #[must_use]
    pub const fn has_interior_mutability(&self) -> bool {
        self.has_interior_mutability
    }
}

impl Definition {
    /// Whether a value of this type has such a value at that offset, at whatever depth, that is no
    /// part of what a cell contains or of the words of a lock.
    pub(super) fn shows(&self, offset: usize, sought: &Self) -> bool {
        if offset == 0 && self.is_like(sought) {
            return true;
        }
        // Plain data of which no parts are known never changes, so any number may be seen in it.
        if self.kind == Kind::Bytes && sought.kind == Kind::Number {
            return !self.has_interior_mutability
                && offset % sought.alignment == 0
                && self.size.checked_sub(sought.size).is_some_and(|last| offset <= last);
        }
        self.parts.iter().any(|part| {
            let inside = match part.role {
                Role::Field { offset: begin } => offset.checked_sub(begin).filter(|inside| *inside < part.size),
                Role::Elements { .. } => offset.checked_rem(part.size),
                Role::Cell { .. } | Role::Words { .. } | Role::Type | Role::Constant { .. } => None,
            };
            inside.zip(part.definition).is_some_and(|(inside, definition)| definition().shows(inside, sought))
        })
    }

    /// Whether it is the same type, as far as can be told without its parts.
    fn is_like(&self, other: &Self) -> bool {
        let told = |definition: &Self| {
            let Self { name, size, alignment, kind, has_interior_mutability, .. } = *definition;
            (name, size, alignment, kind, has_interior_mutability)
        };
        told(self) == told(other)
    }
}

const fn has_interior_mutability(parts: &[Part]) -> bool {
    let mut at = 0;
    while at < parts.len() {
        if parts[at].has_interior_mutability {
            return true;
        }
        at += 1;
    }
    false
}

/// Without what the parts are made of in turn, which may be more than can be printed.
impl fmt::Debug for Definition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Definition")
            .field("name", &self.name)
            .field("size", &self.size)
            .field("alignment", &self.alignment)
            .field("kind", &self.kind)
            .field("has_interior_mutability", &self.has_interior_mutability)
            .field("parts", &self.parts)
            .finish()
    }
}

/// One field, or one parameter, of a [`Definition`].
#[derive(Clone, Copy)]
pub struct Part {
    name: &'static str,
    role: Role,
    size: usize,
    alignment: usize,
    has_interior_mutability: bool,
    /// Of its type. A function, because the compiler follows references once for each way to reach
    /// them: of a struct with two equal fields, nested forty deep, there are 2^40 ways to the
    /// innermost.
    definition: Option<fn() -> &'static Definition>,
}

#[derive(Clone, Copy)]
enum Role {
    Field { offset: usize },
    Cell { offset: usize },
    Words { offset: usize },
    Elements { length: usize },
    Type,
    Constant { value: u128 },
}

impl Part {
    const fn of<T: Shareable>(name: &'static str, role: Role) -> Self {
        let changes = match role {
            Role::Field { .. } | Role::Elements { .. } => T::DEFINITION.has_interior_mutability,
            Role::Cell { .. } | Role::Words { .. } => true,
            // It has no bytes. Where a field has this type, the field counts.
            Role::Type | Role::Constant { .. } => false,
        };
        let definition = Some(definition_of::<T> as fn() -> _);
        Self {
            name,
            role,
            size: size_of::<T>(),
            alignment: align_of::<T>(),
            has_interior_mutability: changes,
            definition,
        }
    }

    /// A field of type `T`: its name and its offset.
    pub const fn field<T: Shareable>(name: &'static str, offset: usize) -> Self {
        Self::of::<T>(name, Role::Field { offset })
    }

    /// A field that is an [`UnsafeCell`](core::cell::UnsafeCell) of a `T`: it may change behind a
    /// shared reference.
    pub const fn cell<T: Shareable>(name: &'static str, offset: usize) -> Self {
        Self::of::<T>(name, Role::Cell { offset })
    }

    /// A field whose bytes may all change behind a shared reference, as the words of a lock do. `T`
    /// is its type.
    pub const fn words<T>(name: &'static str, offset: usize) -> Self {
        let role = Role::Words { offset };
        Self {
            name,
            role,
            size: size_of::<T>(),
            alignment: align_of::<T>(),
            has_interior_mutability: true,
            definition: None,
        }
    }

    /// A field whose type is that of what `field` gives a reference to. The derive uses it:
    /// whatever an attribute has made of the struct in the meantime, the compiler tells.
    ///
    /// ```
    /// use core::mem::offset_of;
    /// use outlive::Part;
    ///
    /// #[repr(C)]
    /// struct Point { x: f64, y: f64 }
    ///
    /// const Y: Part = Part::inferred("y", offset_of!(Point, y), |point: &Point| &point.y);
    /// ```
    pub const fn inferred<S, T: Shareable>(name: &'static str, offset: usize, field: fn(&S) -> &T) -> Self {
        let _only_its_type = field;
        Self::field::<T>(name, offset)
    }

    pub(super) const fn elements<T: Shareable>(length: usize) -> Self {
        Self::of::<T>("element", Role::Elements { length })
    }

    /// A type parameter, which the meaning may depend on even if no field shows it. The derive adds
    /// all parameters.
    pub const fn type_parameter<T: Shareable>(name: &'static str) -> Self {
        Self::of::<T>(name, Role::Type)
    }

    /// The value of a const parameter, cast to `u128`: integers, `bool` and `char` can be. The
    /// derive adds all parameters.
    ///
    /// ```
    /// use outlive::{Definition, Fingerprint, Part, Shareable};
    ///
    /// #[repr(transparent)]
    /// struct Scaled<const BY: u32>(u64);
    ///
    /// // SAFETY: transparent around a u64.
    /// unsafe impl<const BY: u32> Shareable for Scaled<BY> {
    ///     const DEFINITION: &'static Definition = &Definition::structure::<Self>(
    ///         "Scaled",
    ///         &[Part::const_parameter("BY", BY as u128), Part::field::<u64>("0", 0)],
    ///     );
    /// }
    /// assert_ne!(Fingerprint::of::<Scaled<10>>(), Fingerprint::of::<Scaled<100>>());
    /// ```
    pub const fn const_parameter(name: &'static str, value: u128) -> Self {
        let role = Role::Constant { value };
        Self { name, role, size: 0, alignment: 1, has_interior_mutability: false, definition: None }
    }
}

fn definition_of<T: Shareable>() -> &'static Definition {
    T::DEFINITION
}

/// With no more of a type than its name.
impl fmt::Debug for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name;
        let ty = self.definition.map_or("", |definition| definition().name);
        match self.role {
            Role::Field { offset } => write!(f, "{name}: {ty} at {offset}"),
            Role::Cell { offset } => write!(f, "{name}: cell of {ty} at {offset}"),
            Role::Words { offset } => write!(f, "{name}: {} bytes of words at {offset}", self.size),
            Role::Elements { length } => write!(f, "{length} of {ty}"),
            Role::Type => write!(f, "type {name} = {ty}"),
            Role::Constant { value } => write!(f, "const {name} = {value}"),
        }
    }
}

/// A short name for a whole [`Definition`], by which programs notice that they do not mean the same
/// type.
///
/// It is SHA-256 over the width of `usize`, the byte order, and everything that the definition
/// says, all the way down. Nobody can find two definitions with one fingerprint, not even on
/// purpose. Equal ones are printed alike, so two people can compare what their programs think:
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
    pub(super) const LENGTH: usize = 32;

    /// The fingerprint of a type. It is computed anew each time, once for each different type in
    /// it.
    #[must_use]
    pub fn of<T: Shareable>() -> Self {
        let all = Digests::default().of(T::DEFINITION);
        let mut message = Message::default();
        message.text("outlive");
        message.number(usize::BITS as usize);
        message.0.push(u8::from(cfg!(target_endian = "big")));
        message.0.extend(all);
        Self(message.digest())
    }

    pub(super) const fn from_bytes(bytes: [u8; Self::LENGTH]) -> Self {
        Self(bytes)
    }

    /// Its bytes, as they stand in a segment's header.
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
/// A struct of two equal fields, nested forty deep, has 2^40 leaves and forty definitions: each is
/// looked at once.
#[derive(Default)]
struct Digests(HashMap<*const Definition, [u8; Fingerprint::LENGTH]>);

impl Digests {
    fn of(&mut self, definition: &'static Definition) -> [u8; Fingerprint::LENGTH] {
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
            message.0.extend(part.definition.map_or([0; Fingerprint::LENGTH], |definition| self.of(definition())));
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
