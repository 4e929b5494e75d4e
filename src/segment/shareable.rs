//! What may lie in a segment: [`Shareable`], decided at compile time.

use super::{Definition, Part};
#[allow(clippy::disallowed_types, reason = "named for what may be stored, and not operated on")]
use crate::platform::atomic::{
    AtomicI8, AtomicI16, AtomicI32, AtomicI64, AtomicIsize, AtomicU8, AtomicU16, AtomicU32, AtomicU64, AtomicUsize,
};
use core::marker::PhantomData;
use core::num::Wrapping;

/// A type whose values may lie in memory shared between processes.
///
/// The bytes of such a value may have been written by another program, by a process that was killed
/// halfway, or by nobody at all: new memory is zero. So every bit pattern must be a valid value,
/// and none may refer to anything that exists in one process only. `Copy + 'static` would not be
/// enough: it lets `&'static str` in.
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
/// Integers, floats, `()`, the standard atomics except `AtomicBool` and `AtomicPtr`, and arrays,
/// [`Wrapping`] and structs with the derive whose parts are `Shareable`. [`PhantomData`] too, which
/// has no bytes.
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
/// | anything with `Drop`              | a process that dies drops nothing          | a function that is called to clean up        |
///
/// Plain data of other crates comes in through the wrappers `Pod` (feature `bytemuck`) and `Plain`
/// (feature `zerocopy`).
///
/// # Safety
///
/// Who implements this by hand states that:
///
/// - every bit pattern of the type's size is a valid value, all zero included, and no operation
///   that is safe to call is undefined behaviour for any of them. Padding is allowed: nobody reads
///   it;
/// - it contains no pointer, reference, file descriptor, thread id or anything else that means
///   something in one process only;
/// - its layout is the same in every process that was built with the same definition, whatever the
///   compiler: `repr(C)` or `repr(transparent)`, all the way down;
/// - it has no drop glue;
/// - if it is `Sync`, sharing `&Self` between processes is as sound as between threads: it relies
///   on no thread-local and on no state outside of itself;
/// - [`DEFINITION`](Self::DEFINITION) is that of this type. It differs when the layout or the
///   meaning of the fields does. It states every place that may change behind a shared reference,
///   as [`Definition::atomic`], [`Part::cell`] or [`Part::words`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be shared between processes",
    label = "not `Shareable`",
    note = "in a shared type every bit pattern is a valid value, and nothing points into the memory of one process",
    note = "instead of `bool` use `u8`, of `char` `u32`, of an enum or `Option` an integer and a conversion",
    note = "instead of a pointer, reference, `Box`, `Vec` or `String` use an index or offset, or a fixed array such as `[u8; N]`",
    note = "instead of a tuple use a struct; a struct of your own needs `#[derive(Shareable)]` and `#[repr(C)]`"
)]
pub unsafe trait Shareable: Send + 'static {
    /// What the type is made of. When a segment is opened, its [`Fingerprint`](crate::Fingerprint)
    /// is compared with that of the creator's type, and so is whether the type
    /// [has interior mutability](Definition::has_interior_mutability).
    const DEFINITION: &'static Definition;
}

// `do_not_recommend` keeps these out of the compiler's list of "other types that implement", which
// would bury the advice above. Implementations that ask something of a parameter do without: there
// it would hide which parameter is refused.

macro_rules! plain_numbers {
    ($($number:ident)*) => {$(
        // SAFETY: a primitive number: all bit patterns are values (of floats too), one layout for a
        // target, no drop glue.
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

// SAFETY: elements lie one behind the other without a gap, and an array has what drop glue and
// validity they have.
unsafe impl<T: Shareable, const N: usize> Shareable for [T; N] {
    const DEFINITION: &'static Definition = &Definition::array::<Self>(&[Part::elements::<T>(N)]);
}

// SAFETY: repr(transparent) around one public field, with arithmetic alone as operations.
#[diagnostic::do_not_recommend]
unsafe impl<T: Shareable> Shareable for Wrapping<T> {
    const DEFINITION: &'static Definition = &Definition::structure::<Self>("Wrapping", &[Part::field::<T>("0", 0)]);
}

/// The definition says nothing of `T`, which need not be `Shareable`: nothing of it is there.
// SAFETY: no bytes, so nothing to be invalid, and nothing is dropped.
#[diagnostic::do_not_recommend]
unsafe impl<T: ?Sized + Send + 'static> Shareable for PhantomData<T> {
    const DEFINITION: &'static Definition = &Definition::structure::<Self>("PhantomData", &[]);
}

/// Lets the plain data of crates that know [`bytemuck`] into a segment.
///
/// A wrapper, because a blanket implementation for all of bytemuck's types and one for all of
/// zerocopy's would collide. The definition has size and alignment only, no names: bytemuck does
/// not tell more. A `T` without `repr(C)` may be laid out differently by another compiler; that
/// gives wrong values, as any bytes do, and is not unsound.
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
// interior mutability. It wants `Copy`, which the compiler gives to nothing that has drop glue or
// contains an `UnsafeCell`: so the plain data of two types may be read as each other, and does not
// change behind a shared reference.
#[cfg(feature = "bytemuck")]
#[diagnostic::do_not_recommend]
unsafe impl<T: bytemuck::AnyBitPattern + Send + 'static> Shareable for Pod<T> {
    const DEFINITION: &'static Definition = &Definition::bytes::<Self>("Pod");
}

/// Lets the plain data of crates that know [`zerocopy`] into a segment.
///
/// A wrapper, because a blanket implementation for all of bytemuck's types and one for all of
/// zerocopy's would collide. The definition has size and alignment only, no names: zerocopy does
/// not tell more. A `T` without `repr(C)` may be laid out differently by another compiler; that
/// gives wrong values, as any bytes do, and is not unsound. A `T` with drop glue is refused where a
/// segment of it is made, at compile time. So that two types of one size cannot disagree on what
/// may change, `T` is `Immutable`, which means without interior mutability: an atomic stands beside
/// the plain data, not in it.
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

// SAFETY: `FromBytes` states that every sequence of bytes is a valid value, which no pointer to
// anything is; `Immutable` states that there is no interior mutability, so the plain data of two
// types may be read as each other. Drop glue is refused by the definition, without which there is
// no segment.
#[cfg(feature = "zerocopy")]
#[diagnostic::do_not_recommend]
unsafe impl<T: zerocopy::FromBytes + zerocopy::Immutable + Send + 'static> Shareable for Plain<T> {
    const DEFINITION: &'static Definition = &Definition::bytes::<Self>("Plain");
}
