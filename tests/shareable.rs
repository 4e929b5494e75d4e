//! What the derive accepts, and what its fingerprints tell apart. What it refuses is in `compile_fail/`.
#![forbid(unsafe_code)] // the derive asks no `unsafe` of its users
#![allow(clippy::disallowed_types, reason = "atomics as what is stored")]

use core::marker::PhantomData;
use core::num::Wrapping;
use outlive::{Fingerprint, Mutex, Segment, Shareable};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::SeqCst};

/// Each definition in a module of its own, so that all can have one name.
macro_rules! definition {
    ($module:ident: $($definition:tt)*) => {
        #[allow(dead_code, reason = "only the fingerprint is looked at")]
        mod $module {
            #[derive(outlive::Shareable)]
            $($definition)*
        }
    };
}

definition!(original: #[repr(C)] pub(crate) struct Point { x: u32, y: u32 });
definition!(same: #[repr(C)] pub(crate) struct Point { x: u32, y: u32 });
definition!(other_name: #[repr(C)] pub(crate) struct Spot { x: u32, y: u32 });
definition!(other_field_name: #[repr(C)] pub(crate) struct Point { x: u32, z: u32 });
definition!(other_order: #[repr(C)] pub(crate) struct Point { y: u32, x: u32 });
definition!(other_type: #[repr(C)] pub(crate) struct Point { x: u32, y: i32 });
definition!(other_size: #[repr(C)] pub(crate) struct Point { x: u32, y: u64 });
definition!(other_alignment: #[repr(C, align(16))] pub(crate) struct Point { x: u32, y: u32 });
definition!(one_field_more: #[repr(C)] pub(crate) struct Point { x: u32, y: u32, nothing: () });
definition!(without_names: #[repr(C)] pub(crate) struct Point(u32, u32););
definition!(as_array: #[repr(C)] pub(crate) struct Point { x: [u32; 2] });
definition!(as_longer_array: #[repr(C)] pub(crate) struct Point { x: [u32; 3] });
definition!(without_fields: #[repr(C)] pub(crate) struct Point;);
definition!(raw_name: #[repr(C)] pub(crate) struct Point { r#x: u32, r#y: u32 });

#[test]
fn equal_definitions_have_equal_fingerprints() {
    assert_eq!(original::Point::FINGERPRINT, same::Point::FINGERPRINT);
    assert_eq!(original::Point::FINGERPRINT, raw_name::Point::FINGERPRINT);
}

#[test]
fn each_difference_between_definitions_shows() {
    let all = [
        ("original", original::Point::FINGERPRINT),
        ("other name", other_name::Spot::FINGERPRINT),
        ("other field name", other_field_name::Point::FINGERPRINT),
        ("other order", other_order::Point::FINGERPRINT),
        ("other type", other_type::Point::FINGERPRINT),
        ("other size", other_size::Point::FINGERPRINT),
        ("other alignment", other_alignment::Point::FINGERPRINT),
        ("one field more", one_field_more::Point::FINGERPRINT),
        ("without names", without_names::Point::FINGERPRINT),
        ("as array", as_array::Point::FINGERPRINT),
        ("as longer array", as_longer_array::Point::FINGERPRINT),
        ("without fields", without_fields::Point::FINGERPRINT),
    ];
    for (at, (one, fingerprint)) in all.iter().enumerate() {
        for (other, of_other) in &all[at + 1..] {
            assert_ne!(fingerprint, of_other, "{one}, {other}");
        }
    }
}

#[test]
fn a_difference_deep_inside_shows() {
    fn around<T: Shareable>() -> u64 {
        <[Wrapping<[T; 2]>; 3]>::FINGERPRINT
    }
    assert_eq!(around::<original::Point>(), around::<same::Point>());
    assert_ne!(around::<original::Point>(), around::<other_field_name::Point>());
    assert_ne!(Mutex::<original::Point>::FINGERPRINT, Mutex::<other_field_name::Point>::FINGERPRINT);
}

#[derive(Shareable)]
#[repr(C)]
struct Ring<T, const N: usize>
where
    T: Copy,
{
    head: u64,
    items: [T; N],
}

#[derive(Shareable)]
#[repr(transparent)]
struct Id<Of> {
    number: u32,
    of: PhantomData<Of>,
}

#[derive(Shareable)]
#[repr(transparent)]
struct Scaled<const BY: i64, const LOG: bool = false, const UNIT: char = 'm'>(f64);

#[test]
fn parameters_are_part_of_the_fingerprint() {
    assert_eq!(Ring::<u32, 8>::FINGERPRINT, Ring::<u32, 8>::FINGERPRINT);
    assert_ne!(Ring::<u32, 8>::FINGERPRINT, Ring::<i32, 8>::FINGERPRINT);
    assert_ne!(Ring::<u32, 8>::FINGERPRINT, Ring::<u32, 9>::FINGERPRINT);
    assert_ne!(Id::<u8>::FINGERPRINT, Id::<i8>::FINGERPRINT);
    assert_ne!(Scaled::<1>::FINGERPRINT, Scaled::<-1>::FINGERPRINT);
    assert_ne!(Scaled::<1>::FINGERPRINT, Scaled::<1, true>::FINGERPRINT);
    assert_ne!(Scaled::<1>::FINGERPRINT, Scaled::<1, false, 's'>::FINGERPRINT);

    let ring = Ring { head: 1, items: [2_u32; 8] };
    let id = Id::<u8> { number: 3, of: PhantomData };
    let length = Scaled::<1_000>(4.0);
    assert_eq!((ring.head, ring.items[7], id.number, length.0), (1, 2, 3, 4.0));
}

#[test]
fn types_of_one_size_and_alignment_differ() {
    let of_eight_bytes = [
        u64::FINGERPRINT,
        i64::FINGERPRINT,
        usize::FINGERPRINT,
        isize::FINGERPRINT,
        f64::FINGERPRINT,
        AtomicU64::FINGERPRINT,
        AtomicI64::FINGERPRINT,
        <[u64; 1]>::FINGERPRINT,
        Wrapping::<u64>::FINGERPRINT,
    ];
    let different: BTreeSet<_> = of_eight_bytes.into_iter().collect();
    assert_eq!(different.len(), of_eight_bytes.len());
}

#[derive(Shareable)]
#[repr(C)]
struct Table<T, const N: usize> {
    rows: [Mutex<T>; N],
    reads: AtomicU64,
}

#[test]
fn a_generic_struct_is_shared() {
    let segment = Segment::<Table<u32, 3>>::anonymous(|new| *new.rows[2].get_mut() = 9).expect("a segment");
    *segment.rows[2].lock().expect("free") += 1;
    segment.reads.fetch_add(1, SeqCst);
    assert_eq!(*segment.rows[2].lock().expect("free"), 10);
}

/// Programs built years apart meet in one file: these values are part of the format.
#[test]
#[cfg(all(target_pointer_width = "64", target_endian = "little"))]
fn fingerprints_never_change() {
    assert_eq!(u64::FINGERPRINT, 0x48e5_28eb_2d11_d5c9);
    assert_eq!(original::Point::FINGERPRINT, 0xe585_490d_3fab_08df);
    assert_eq!(Ring::<u32, 8>::FINGERPRINT, 0xdf6d_03fb_c9be_a850);
}

#[test]
fn names_cannot_run_into_each_other() {
    let one = Fingerprint::of::<()>("T").field("ab", 0, 1).field("c", 0, 1);
    let other = Fingerprint::of::<()>("T").field("a", 0, 1).field("bc", 0, 1);
    assert_ne!(one.finish(), other.finish());
}

#[test]
fn a_field_is_not_a_parameter() {
    let field = Fingerprint::of::<()>("T").field("a", 0, 1).finish();
    let parameter = Fingerprint::of::<()>("T").parameter("a", 1).finish();
    assert_ne!(field, parameter);
}

#[cfg(feature = "bytemuck")]
#[test]
fn types_of_bytemuck_come_in_wrapped() {
    use outlive::Pod;

    #[derive(Shareable)]
    #[repr(C)]
    struct Body {
        place: Pod<[f32; 3]>,
    }
    assert_eq!(Body { place: Pod([1.0, 2.0, 3.0]) }.place.0[2], 3.0);
    assert_ne!(Body::FINGERPRINT, 0);
    assert_eq!(Pod::<u32>::FINGERPRINT, Pod::<f32>::FINGERPRINT);
    assert_ne!(Pod::<u32>::FINGERPRINT, Pod::<u64>::FINGERPRINT);
    assert_ne!(Pod::<u32>::FINGERPRINT, Pod::<[u8; 4]>::FINGERPRINT);
}

#[cfg(feature = "zerocopy")]
#[test]
fn types_of_zerocopy_come_in_wrapped() {
    use outlive::Plain;
    use zerocopy::big_endian::U32;

    #[derive(Shareable)]
    #[repr(C)]
    struct Peer {
        address: Plain<U32>,
    }
    assert_eq!(Peer { address: Plain(U32::new(7)) }.address.0.get(), 7);
    assert_ne!(Peer::FINGERPRINT, 0);
    assert_eq!(Plain::<u32>::FINGERPRINT, Plain::<f32>::FINGERPRINT);
    assert_ne!(Plain::<U32>::FINGERPRINT, Plain::<u32>::FINGERPRINT);
}
