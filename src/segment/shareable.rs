//! What may lie in a segment? [`Shareable`] types, which is decided at compile time.

use super::definition::{Definition, Part};
#[allow(clippy::disallowed_types, reason = "named for what may be stored, and not operated on")]
use crate::atomic::{
    AtomicI8, AtomicI16, AtomicI32, AtomicI64, AtomicIsize, AtomicU8, AtomicU16, AtomicU32, AtomicU64, AtomicUsize,
};
use core::marker::PhantomData;
use core::num::Wrapping;

/// A type whose values may lie in memory shared between processes.
///
/// The bytes of such a value may have been written by another program, by a process that was killed
/// halfway, or never: new memory is zero. So every bit pattern must be a valid value, and no value
/// may refer to anything that exists in one process only. `Copy + 'static` would not be enough,
/// because it allows `&'static str`.
///
/// ```
/// use outlive::Shareable;
///
/// #[derive(Shareable)]
/// #[repr(C)]
/// struct Progress {
///     done: u64,
///     total: u64,
///     name: [u8; 32],
/// }
/// # let _both = (Progress::DEFINITION, |p: Progress| (p.done, p.total, p.name));
/// ```
///
/// # What is `Shareable`, and what to use instead
///
/// Shareable are integers, floats, `()`, the standard atomics except `AtomicBool` and `AtomicPtr`,
/// arrays and [`Wrapping`]. So are structs with the derive whose fields are `Shareable`, and
/// [`PhantomData`], which has no bytes.
///
/// | not                               | because                                    | use instead                                  |
/// |-----------------------------------|--------------------------------------------|----------------------------------------------|
/// | `bool`, `AtomicBool`              | only 0 and 1 are valid                     | `u8`, `AtomicU8`                             |
/// | `char`                            | surrogates and large numbers are invalid   | `u32` and [`char::from_u32`]                 |
/// | enums, `Option`, `NonZero`        | most numbers name no variant               | an integer and a conversion                  |
/// | pointers, references, `AtomicPtr` | an address means something in one process  | an index, or an offset from the start        |
/// | `Box`, `Vec`, `String`            | what they own is in one process's heap     | `[T; N]`, `[u8; N]` with a length beside it  |
/// | tuples                            | the compiler may order them differently    | a `#[repr(C)]` struct                        |
/// | unions, `MaybeUninit`             | what the bytes mean is not in them         | the largest member, or bytes                 |
/// | anything with `Drop`              | a process that dies drops nothing          | a function for cleaning up                   |
///
/// For plain data of other crates there are the wrappers `Pod` (feature `bytemuck`) and `Plain`
/// (feature `zerocopy`).
///
/// # Safety
///
/// An implementation by hand states that:
///
/// - every bit pattern of the type's size is a valid value, all zero included, and no operation
///   that is safe to call is undefined behaviour for any of them. Padding is allowed, since nobody
///   reads it;
/// - it contains no pointer, reference, file descriptor, thread id or anything else that means
///   something in one process only;
/// - its layout is the same in every process that was built with the same definition, whatever the
///   compiler: `repr(C)` or `repr(transparent)`, all the way down;
/// - it has no drop glue;
/// - if it is `Sync`, sharing `&Self` between processes is as sound as between threads: the type
///   relies on no thread-local and on no state outside of itself;
/// - [`DEFINITION`](Self::DEFINITION) is that of this type. Types that differ in layout, or in the
///   meaning of their fields, have different definitions. A definition states every place that may
///   change behind a shared reference, as [`Definition::atomic`], [`Part::cell`] or
///   [`Part::words`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be shared between processes",
    label = "not `Shareable`",
    note = "in a shared type every bit pattern is a valid value, and nothing points into the memory of one process",
    note = "instead of `bool` use `u8`, of `char` `u32`, of an enum or `Option` an integer and a conversion",
    note = "instead of a pointer, reference, `Box`, `Vec` or `String` use an index or offset, or a fixed array such as `[u8; N]`",
    note = "instead of a tuple use a struct; a struct of your own needs `#[derive(Shareable)]` and `#[repr(C)]`"
)]
pub unsafe trait Shareable: Send + 'static {
    /// What the type is made of. When a segment is opened, the [`Fingerprint`](crate::Fingerprint)
    /// of the opener's type is compared with that of the creator's. It is also compared whether the
    /// types [have interior mutability](Definition::has_interior_mutability).
    const DEFINITION: &'static Definition;
}

// `do_not_recommend` keeps these out of the compiler's list of "other types that implement", which
// would hide the advice above. Implementations with a bound on a parameter do not have it, because
// it would hide which parameter is at fault.

macro_rules! plain_numbers {
    ($($number:ident)*) => {$(
        // SAFETY: a primitive number. All bit patterns are values (of floats too), the layout is
        // the same for a target, and there is no drop glue.
        #[diagnostic::do_not_recommend]
        unsafe impl Shareable for $number {
            const DEFINITION: &'static Definition = &Definition::number::<Self>(stringify!($number));
        }
    )*};
}

plain_numbers! { u8 u16 u32 u64 u128 usize i8 i16 i32 i64 i128 isize f32 f64 }

macro_rules! atomic_numbers {
    ($($atomic:ident)*) => {$(
        // SAFETY: std states the size and bit validity of the integer of that name. Its operations
        // are those of the processor on the memory itself, so they are atomic between processes as
        // they are between threads.
        #[diagnostic::do_not_recommend]
        #[allow(clippy::disallowed_types, reason = "named for what may be stored, and not operated on")]
        unsafe impl Shareable for $atomic {
            const DEFINITION: &'static Definition = &Definition::atomic::<Self>(stringify!($atomic));
        }
    )*};
}

atomic_numbers! {
    AtomicU8 AtomicU16 AtomicU32 AtomicU64 AtomicUsize AtomicI8 AtomicI16 AtomicI32 AtomicI64 AtomicIsize
}

// SAFETY: no bytes, so nothing to be invalid.
#[diagnostic::do_not_recommend]
unsafe impl Shareable for () {
    const DEFINITION: &'static Definition = &Definition::structure::<Self>("()", &[]);
}

// SAFETY: elements lie one after the other without a gap. The validity and the drop glue of an
// array are those of its elements.
unsafe impl<T: Shareable, const N: usize> Shareable for [T; N] {
    const DEFINITION: &'static Definition = &Definition::array::<Self>(&[Part::elements::<T>(N)]);
}

// SAFETY: repr(transparent) around one public field, and its only operations are arithmetic.
#[diagnostic::do_not_recommend]
unsafe impl<T: Shareable> Shareable for Wrapping<T> {
    const DEFINITION: &'static Definition = &Definition::structure::<Self>("Wrapping", &[Part::field::<T>("0", 0)]);
}

/// The definition says nothing of `T`, which need not be `Shareable`, because no bytes of it are
/// there.
// SAFETY: no bytes, so nothing to be invalid, and nothing is dropped.
#[diagnostic::do_not_recommend]
unsafe impl<T: ?Sized + Send + 'static> Shareable for PhantomData<T> {
    const DEFINITION: &'static Definition = &Definition::structure::<Self>("PhantomData", &[]);
}

/// Lets the plain data of crates that know [`bytemuck`] into a segment.
///
/// It is a wrapper, because a blanket implementation for all of bytemuck's types and one for all of
/// zerocopy's would collide. The definition has only size and alignment, and no names, since
/// bytemuck gives no more. A `T` without `repr(C)` may be laid out differently by another compiler.
/// That gives wrong values, as any bytes do, and is not unsound.
///
/// ```
/// use outlive::{Pod, Shareable};
///
/// // In a crate of vectors, say:
/// #[derive(Clone, Copy)]
/// #[repr(C)]
/// struct Vec3 { x: f32, y: f32, z: f32 }
/// # // SAFETY: three floats.
/// # unsafe impl bytemuck::Zeroable for Vec3 {}
/// # // SAFETY: three floats.
/// unsafe impl bytemuck::AnyBitPattern for Vec3 {}
///
/// #[derive(Shareable)]
/// #[repr(C)]
/// struct Body {
///     place: Pod<Vec3>,
///     mass: f64,
/// }
///
/// let body = Body { place: Pod(Vec3 { x: 1.0, y: 2.0, z: 3.0 }), mass: 0.5 };
/// assert_eq!(body.place.0.y, 2.0);
/// ```
#[cfg(feature = "bytemuck")]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct Pod<T: bytemuck::AnyBitPattern + Send + 'static>(
    /// The value.
    pub T,
);

// SAFETY: `AnyBitPattern` states that every bit pattern is valid, and excludes pointers and
// interior mutability. It requires `Copy`, which the compiler gives to no type that has drop glue
// or contains an `UnsafeCell`. So the plain data of two types may be read as each other, and does
// not change behind a shared reference.
#[cfg(feature = "bytemuck")]
#[diagnostic::do_not_recommend]
unsafe impl<T: bytemuck::AnyBitPattern + Send + 'static> Shareable for Pod<T> {
    const DEFINITION: &'static Definition = &Definition::bytes::<Self>("Pod");
}

/// Lets the plain data of crates that know [`zerocopy`] into a segment.
///
/// It is a wrapper, because a blanket implementation for all of bytemuck's types and one for all of
/// zerocopy's would collide. The definition has only size and alignment, and no names, since
/// zerocopy gives no more. A `T` without `repr(C)` may be laid out differently by another compiler.
/// That gives wrong values, as any bytes do, and is not unsound.
///
/// A `T` with drop glue is a compile error where a segment of it is made. `T` is `Immutable`, which
/// means without interior mutability, so that two types of one size cannot disagree on what may
/// change. Put an atomic beside the plain data, not in it.
///
/// ```
/// use outlive::{Plain, Shareable};
/// use zerocopy::big_endian::U32;
///
/// #[derive(Shareable)]
/// #[repr(C)]
/// struct Peer {
///     address: Plain<U32>,
///     port: u32,
/// }
///
/// let peer = Peer { address: Plain(U32::new(0x7f00_0001)), port: 80 };
/// assert_eq!(peer.address.0.get(), 0x7f00_0001);
/// ```
#[cfg(feature = "zerocopy")]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct Plain<T: zerocopy::FromBytes + zerocopy::Immutable + Send + 'static>(
    /// The value.
    pub T,
);

// SAFETY: `FromBytes` states that every sequence of bytes is a valid value, which no pointer is.
// `Immutable` states that there is no interior mutability, so the plain data of two types may be
// read as each other. The definition rejects drop glue, and without a definition there is no
// segment.
#[cfg(feature = "zerocopy")]
#[diagnostic::do_not_recommend]
unsafe impl<T: zerocopy::FromBytes + zerocopy::Immutable + Send + 'static> Shareable for Plain<T> {
    const DEFINITION: &'static Definition = &Definition::bytes::<Self>("Plain");
}
