//! What do two programs compare before they share a type? Its [`Definition`], and the
//! [`Fingerprint`] of that.

mod fingerprint;

pub use fingerprint::Fingerprint;

use super::shareable::Shareable;
use core::fmt;

/// What a [`Shareable`] type is made of: names, sizes, alignments, offsets, and where its bytes may
/// change behind a shared reference.
///
/// A segment opens only if the opener's definition is that of the creator, all the way down.
/// Otherwise the same bytes could be an `AtomicU64` for one program and a `u64` for the other. A
/// `&u64` would then change while it is read.
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
    /// Plain data of which only size and alignment are known.
    Bytes = 3,
    Array = 4,
    Struct = 5,
}

impl Definition {
    const fn for_type<T>(
        name: &'static str,
        kind: Kind,
        has_interior_mutability: bool,
        parts: &'static [Part],
    ) -> Self {
        assert!(
            !core::mem::needs_drop::<T>(),
            "a type with drop glue cannot be shared: a process that dies drops nothing"
        );
        Self { name, size: size_of::<T>(), alignment: align_of::<T>(), kind, has_interior_mutability, parts }
    }

    pub(super) const fn number<T>(name: &'static str) -> Self {
        Self::for_type::<T>(name, Kind::Number, false, &[])
    }

    /// Bytes that may all change behind a shared reference, as those of an atomic and the words of
    /// a lock do. Only size and alignment are compared.
    ///
    /// The name is the type's own without a path, so that it can move between modules.
    pub const fn atomic<T>(name: &'static str) -> Self {
        Self::for_type::<T>(name, Kind::Atomic, true, &[])
    }

    /// Plain data **without interior mutability**. Only size and alignment are compared.
    ///
    /// The name is the type's own without a path, so that it can move between modules.
    pub const fn bytes<T>(name: &'static str) -> Self {
        Self::for_type::<T>(name, Kind::Bytes, false, &[])
    }

    /// `parts` is a single [`Part::elements`].
    pub(super) const fn array<T>(parts: &'static [Part]) -> Self {
        Self::for_type::<T>("array", Kind::Array, has_interior_mutability(parts), parts)
    }

    /// A struct, with each of its fields and parameters.
    ///
    /// The name is the struct's own without a path, so that it can move between modules. The struct
    /// has interior mutability if a field has it, or is a [cell](Part::cell) or
    /// [words](Part::words).
    ///
    /// # Panics
    /// At compile time, if a field does not lie within `T`, or not at its alignment, or if `T` has
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
        Self::for_type::<T>(name, Kind::Struct, has_interior_mutability(parts), parts)
    }

    /// The type's own name, without a path.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Whether any byte of a value may change while there is a shared reference to it: behind an
    /// atomic, or a lock.
    ///
    /// This is computed from the parts, down to the types that state it.
    #[must_use]
    pub const fn has_interior_mutability(&self) -> bool {
        self.has_interior_mutability
    }
}

impl Definition {
    /// Whether a value of this type has a value of the `sought` type at that offset, at whatever
    /// depth. The inside of a cell, and the words of a lock, do not count.
    pub(super) fn shows(&self, offset: usize, sought: &Self) -> bool {
        if offset == 0 && self.is_like(sought) {
            return true;
        }
        // Plain data without known parts never changes, so any number may be seen in it.
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

    /// Whether it is the same type, as far as is known without its parts.
    fn is_like(&self, other: &Self) -> bool {
        let outside = |definition: &Self| {
            let Self { name, size, alignment, kind, has_interior_mutability, .. } = *definition;
            (name, size, alignment, kind, has_interior_mutability)
        };
        outside(self) == outside(other)
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

/// The parts are shown without their own parts, which may be more than can be printed.
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
    /// The definition of its type. It is a function because the compiler follows references once
    /// for each way to reach them. In a struct with two equal fields, nested forty deep, there are
    /// 2^40 ways to the innermost.
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
    const fn for_type<T: Shareable>(name: &'static str, role: Role) -> Self {
        let changes = match role {
            Role::Field { .. } | Role::Elements { .. } => T::DEFINITION.has_interior_mutability,
            Role::Cell { .. } | Role::Words { .. } => true,
            // This part has no bytes. Where a field has this type, the field counts.
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
        Self::for_type::<T>(name, Role::Field { offset })
    }

    /// A field that is an [`UnsafeCell`](core::cell::UnsafeCell) of a `T`. It may change behind a
    /// shared reference.
    pub const fn cell<T: Shareable>(name: &'static str, offset: usize) -> Self {
        Self::for_type::<T>(name, Role::Cell { offset })
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

    /// A field whose type is that of the reference that `field` gives. The derive uses it. So the
    /// compiler says what type the field has, whatever an attribute has made of the struct
    /// meanwhile.
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
        Self::for_type::<T>("element", Role::Elements { length })
    }

    /// A type parameter. The meaning of the struct may depend on it even if no field shows it. The
    /// derive adds all parameters.
    pub const fn type_parameter<T: Shareable>(name: &'static str) -> Self {
        Self::for_type::<T>(name, Role::Type)
    }

    /// The value of a const parameter, cast to `u128`. Integers, `bool` and `char` can be cast. The
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

/// Shows only the name of a type.
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
