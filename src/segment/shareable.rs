//! What may lie in a segment: [`Shareable`], decided at compile time, and the [`Fingerprint`] by which two programs
//! notice that they do not mean the same type.

#[allow(clippy::disallowed_types, reason = "named for what may be stored, and not operated on")]
use crate::platform::atomic::{
    AtomicI8, AtomicI16, AtomicI32, AtomicI64, AtomicIsize, AtomicU8, AtomicU16, AtomicU32, AtomicU64, AtomicUsize,
};
use core::marker::PhantomData;
use core::num::Wrapping;

/// A type whose values may lie in memory shared between processes.
///
/// The bytes of such a value may have been written by another program, by a process that was killed halfway, or by
/// nobody at all: new memory is zero. So every bit pattern must be a valid value, and none may refer to anything that
/// exists in one process only. `Copy + 'static` would not be enough: it lets `&'static str` in.
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
/// # assert_ne!(Progress::FINGERPRINT, 0);
/// ```
///
/// # What is `Shareable`, and what to use instead
///
/// Integers, floats, `()`, the standard atomics except `AtomicBool` and `AtomicPtr`, and arrays, [`Wrapping`] and
/// structs with the derive whose parts are `Shareable`. [`PhantomData`] too, which has no bytes.
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
/// Plain data of other crates comes in through the wrappers `Pod` (feature `bytemuck`) and `Plain` (feature
/// `zerocopy`).
///
/// # Safety
///
/// Who implements this by hand states that:
///
/// - every bit pattern of the type's size is a valid value, all zero included, and no operation that is safe to call
///   is undefined behaviour for any of them. Padding is allowed: nobody reads it;
/// - it contains no pointer, reference, file descriptor, thread id or anything else that means something in one
///   process only;
/// - its layout is the same in every process that was built with the same definition, whatever the compiler:
///   `repr(C)` or `repr(transparent)`, all the way down;
/// - it has no drop glue;
/// - if it is `Sync`, sharing `&Self` between processes is as sound as between threads: it relies on no thread-local
///   and on no state outside of itself;
/// - [`FINGERPRINT`](Self::FINGERPRINT) differs when the layout or the meaning of the fields does.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be shared between processes",
    label = "not `Shareable`",
    note = "in a shared type every bit pattern is a valid value, and nothing points into the memory of one process",
    note = "instead of `bool` use `u8`, of `char` `u32`, of an enum or `Option` an integer and a conversion",
    note = "instead of a pointer, reference, `Box`, `Vec` or `String` use an index or offset, or a fixed array such as `[u8; N]`",
    note = "instead of a tuple use a struct; a struct of your own needs `#[derive(Shareable)]` and `#[repr(C)]`"
)]
pub unsafe trait Shareable: Send + 'static {
    /// Names the definition of the type: equal in two programs if they agree on names, order, offsets, sizes and
    /// alignments all the way down. It is checked when a segment is opened.
    ///
    /// ```
    /// use outlive::Shareable;
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
    /// assert_ne!(one::Size::FINGERPRINT, other::Size::FINGERPRINT);
    /// ```
    const FINGERPRINT: u64;
}

/// Builds a [`Shareable::FINGERPRINT`], for implementations by hand.
///
/// It is FNV-1a with 64 bits over the width of `usize`, the byte order, the type's name, size and alignment, and then
/// each field's name, offset and own fingerprint. All numbers go in as eight bytes, little end first, and names behind
/// their length, so the result depends on no compiler, and no two lists of fields give the same bytes. It finds
/// mistakes and does not withstand malice; it need not, since a `Shareable` type is sound whatever its bytes are.
///
/// ```
/// use core::cell::UnsafeCell;
/// use core::mem::offset_of;
/// use outlive::{Fingerprint, Shareable};
///
/// #[repr(C)]
/// struct Guarded {
///     value: UnsafeCell<u64>,
/// }
///
/// // SAFETY: repr(C) around a u64, which accepts every bit pattern and has no drop glue; UnsafeCell is transparent.
/// unsafe impl Shareable for Guarded {
///     const FINGERPRINT: u64 = Fingerprint::of::<Self>("Guarded")
///         .field("value", offset_of!(Guarded, value), u64::FINGERPRINT)
///         .finish();
/// }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[must_use = "a fingerprint is built up step by step: use what is returned"]
pub struct Fingerprint {
    hash: u64,
}

impl Fingerprint {
    const OFFSET_BASIS: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0000_0100_0000_01b3;

    const FIELD: u8 = 1;
    const PARAMETER: u8 = 2;

    /// Starts with the type itself. The name is the type's own without a path, so that it can move between modules.
    ///
    /// ```
    /// use outlive::Fingerprint;
    ///
    /// assert_ne!(Fingerprint::of::<u32>("Metres"), Fingerprint::of::<u32>("Feet"));
    /// assert_ne!(Fingerprint::of::<u32>("Metres"), Fingerprint::of::<u64>("Metres"));
    /// ```
    pub const fn of<T>(name: &str) -> Self {
        Self { hash: Self::OFFSET_BASIS }
            .number(usize::BITS as u64)
            .byte(cfg!(target_endian = "big") as u8)
            .text(name)
            .number(size_of::<T>() as u64)
            .number(align_of::<T>() as u64)
    }

    /// Adds a field: its name, its offset, and the fingerprint of its type.
    ///
    /// ```
    /// use core::mem::offset_of;
    /// use outlive::{Fingerprint, Shareable};
    ///
    /// #[repr(C)]
    /// struct Point { x: f64, y: f64 }
    ///
    /// let point = Fingerprint::of::<Point>("Point")
    ///     .field("x", offset_of!(Point, x), f64::FINGERPRINT)
    ///     .field("y", offset_of!(Point, y), f64::FINGERPRINT);
    /// # assert_ne!(point, Fingerprint::of::<Point>("Point"));
    /// ```
    pub const fn field(self, name: &str, offset: usize, fingerprint: u64) -> Self {
        self.byte(Self::FIELD).text(name).number(offset as u64).number(fingerprint)
    }

    /// Adds what the layout does not show but the meaning depends on: the fingerprint of a type parameter that is only
    /// in a [`PhantomData`], or the value of a const parameter. The derive adds all parameters.
    ///
    /// ```
    /// use outlive::Fingerprint;
    ///
    /// struct Scaled<const BY: u32>(u64);
    ///
    /// fn print<const BY: u32>() -> u64 {
    ///     Fingerprint::of::<Scaled<BY>>("Scaled").parameter("BY", BY as u64).finish()
    /// }
    /// assert_ne!(print::<10>(), print::<100>());
    /// ```
    pub const fn parameter(self, name: &str, value: u64) -> Self {
        self.byte(Self::PARAMETER).text(name).number(value)
    }

    /// The fingerprint of all that was added.
    ///
    /// ```
    /// use outlive::Fingerprint;
    ///
    /// const UNIT: u64 = Fingerprint::of::<()>("Unit").finish();
    /// # assert_ne!(UNIT, 0);
    /// ```
    #[must_use]
    pub const fn finish(self) -> u64 {
        self.hash
    }

    const fn byte(self, byte: u8) -> Self {
        Self { hash: (self.hash ^ byte as u64).wrapping_mul(Self::PRIME) }
    }

    const fn number(mut self, number: u64) -> Self {
        let bytes = number.to_le_bytes();
        let mut at = 0;
        while at < bytes.len() {
            self = self.byte(bytes[at]);
            at += 1;
        }
        self
    }

    const fn text(mut self, text: &str) -> Self {
        let bytes = text.as_bytes();
        self = self.number(bytes.len() as u64);
        let mut at = 0;
        while at < bytes.len() {
            self = self.byte(bytes[at]);
            at += 1;
        }
        self
    }
}

// `do_not_recommend` keeps these out of the compiler's list of "other types that implement", which would bury the advice
// above. Implementations that ask something of a parameter do without: there it would hide which parameter is refused.

macro_rules! plain_numbers {
    ($($number:ident)*) => {$(
        // SAFETY: a primitive number: all bit patterns are values (of floats too), one layout for a target, no drop glue.
        #[diagnostic::do_not_recommend]
        unsafe impl Shareable for $number {
            const FINGERPRINT: u64 = Fingerprint::of::<Self>(stringify!($number)).finish();
        }
    )*};
}

plain_numbers! { u8 u16 u32 u64 u128 usize i8 i16 i32 i64 i128 isize f32 f64 }

macro_rules! atomic_numbers {
    ($($atomic:ident)*) => {$(
        // SAFETY: std states the size and bit validity of the integer of that name. Its operations are those of the
        // processor on the memory itself, so they are atomic between processes as they are between threads.
        #[diagnostic::do_not_recommend]
        #[allow(clippy::disallowed_types, reason = "named for what may be stored, and not operated on")]
        unsafe impl Shareable for $atomic {
            const FINGERPRINT: u64 = Fingerprint::of::<Self>(stringify!($atomic)).finish();
        }
    )*};
}

atomic_numbers! {
    AtomicU8 AtomicU16 AtomicU32 AtomicU64 AtomicUsize AtomicI8 AtomicI16 AtomicI32 AtomicI64 AtomicIsize
}

// SAFETY: no bytes, so nothing to be invalid.
#[diagnostic::do_not_recommend]
unsafe impl Shareable for () {
    const FINGERPRINT: u64 = Fingerprint::of::<Self>("()").finish();
}

// SAFETY: elements lie one behind the other without a gap, and an array has what drop glue and validity they have.
unsafe impl<T: Shareable, const N: usize> Shareable for [T; N] {
    const FINGERPRINT: u64 =
        Fingerprint::of::<Self>("array").field("element", 0, T::FINGERPRINT).parameter("length", N as u64).finish();
}

// SAFETY: repr(transparent) around one public field, with arithmetic alone as operations.
#[diagnostic::do_not_recommend]
unsafe impl<T: Shareable> Shareable for Wrapping<T> {
    const FINGERPRINT: u64 = Fingerprint::of::<Self>("Wrapping").field("0", 0, T::FINGERPRINT).finish();
}

/// The fingerprint says nothing of `T`, which need not be `Shareable`: nothing of it is there.
// SAFETY: no bytes, so nothing to be invalid, and nothing is dropped.
#[diagnostic::do_not_recommend]
unsafe impl<T: ?Sized + Send + 'static> Shareable for PhantomData<T> {
    const FINGERPRINT: u64 = Fingerprint::of::<Self>("PhantomData").finish();
}

/// Lets the plain data of crates that know [`bytemuck`] into a segment.
///
/// A wrapper, because a blanket implementation for all of bytemuck's types and one for all of zerocopy's would collide.
/// The fingerprint covers size and alignment only, no names: bytemuck does not tell more. A `T` without `repr(C)` may
/// be laid out differently by another compiler; that gives wrong values, as any bytes do, and is not unsound.
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

// SAFETY: `AnyBitPattern` states that every bit pattern is valid, and excludes pointers and interior mutability; it wants
// `Copy`, which excludes drop glue.
#[cfg(feature = "bytemuck")]
#[diagnostic::do_not_recommend]
unsafe impl<T: bytemuck::AnyBitPattern + Send + 'static> Shareable for Pod<T> {
    const FINGERPRINT: u64 = Fingerprint::of::<T>("Pod").finish();
}

/// Lets the plain data of crates that know [`zerocopy`] into a segment.
///
/// A wrapper, because a blanket implementation for all of bytemuck's types and one for all of zerocopy's would collide.
/// The fingerprint covers size and alignment only, no names: zerocopy does not tell more. A `T` without `repr(C)` may
/// be laid out differently by another compiler; that gives wrong values, as any bytes do, and is not unsound. A `T`
/// with drop glue is refused when the fingerprint is first used, at compile time.
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
pub struct Plain<T: zerocopy::FromBytes + Send + 'static>(
    /// The value.
    pub T,
);

// SAFETY: `FromBytes` states that every sequence of bytes is a valid value, which no pointer to anything is; drop glue is
// refused by the assertion, without which there is no fingerprint and so no segment.
#[cfg(feature = "zerocopy")]
#[diagnostic::do_not_recommend]
unsafe impl<T: zerocopy::FromBytes + Send + 'static> Shareable for Plain<T> {
    const FINGERPRINT: u64 = {
        assert!(
            !core::mem::needs_drop::<T>(),
            "a type with drop glue cannot be shared: a process that dies drops nothing"
        );
        Fingerprint::of::<T>("Plain").finish()
    };
}
