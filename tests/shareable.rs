//! What the derive accepts, and what its fingerprints distinguish. What the derive refuses is in
//! `compile_fail/`.
#![deny(unsafe_code)] // the derive needs no `unsafe` from its users
#![allow(clippy::disallowed_types, reason = "atomics as what is stored")]

use core::marker::PhantomData;
use core::num::Wrapping;
use outlive::{Definition, Event, Fingerprint, Mutex, Part, ReentrantMutex, RwLock, Segment, Shareable};
use std::collections::HashSet;
use std::sync::atomic::{AtomicI64, AtomicU8, AtomicU64, Ordering::SeqCst};

/// Each definition in a module of its own, so that all can have one name.
macro_rules! definition {
    ($module:ident: $($definition:tt)*) => {
        #[allow(dead_code, reason = "only the fingerprint is used")]
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
    assert_eq!(Fingerprint::of::<original::Point>(), Fingerprint::of::<same::Point>());
    assert_eq!(Fingerprint::of::<original::Point>(), Fingerprint::of::<raw_name::Point>());
}

#[test]
fn each_difference_between_definitions_shows() {
    let all = [
        ("original", Fingerprint::of::<original::Point>()),
        ("other name", Fingerprint::of::<other_name::Spot>()),
        ("other field name", Fingerprint::of::<other_field_name::Point>()),
        ("other order", Fingerprint::of::<other_order::Point>()),
        ("other type", Fingerprint::of::<other_type::Point>()),
        ("other size", Fingerprint::of::<other_size::Point>()),
        ("other alignment", Fingerprint::of::<other_alignment::Point>()),
        ("one field more", Fingerprint::of::<one_field_more::Point>()),
        ("without names", Fingerprint::of::<without_names::Point>()),
        ("as array", Fingerprint::of::<as_array::Point>()),
        ("as longer array", Fingerprint::of::<as_longer_array::Point>()),
        ("without fields", Fingerprint::of::<without_fields::Point>()),
    ];
    for (at, (one, fingerprint)) in all.iter().enumerate() {
        for (other, of_other) in &all[at + 1..] {
            assert_ne!(fingerprint, of_other, "{one}, {other}");
        }
    }
}

#[test]
fn a_difference_deep_inside_shows() {
    fn around<T: Shareable>() -> Fingerprint {
        Fingerprint::of::<[Wrapping<[T; 2]>; 3]>()
    }
    assert_eq!(around::<original::Point>(), around::<same::Point>());
    assert_ne!(around::<original::Point>(), around::<other_field_name::Point>());
    assert_ne!(Fingerprint::of::<Mutex<original::Point>>(), Fingerprint::of::<Mutex<other_field_name::Point>>());
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
    assert_eq!(Fingerprint::of::<Ring<u32, 8>>(), Fingerprint::of::<Ring<u32, 8>>());
    assert_ne!(Fingerprint::of::<Ring<u32, 8>>(), Fingerprint::of::<Ring<i32, 8>>());
    assert_ne!(Fingerprint::of::<Ring<u32, 8>>(), Fingerprint::of::<Ring<u32, 9>>());
    assert_ne!(Fingerprint::of::<Id<u8>>(), Fingerprint::of::<Id<i8>>());
    assert_ne!(Fingerprint::of::<Scaled<1>>(), Fingerprint::of::<Scaled<-1>>());
    assert_ne!(Fingerprint::of::<Scaled<1>>(), Fingerprint::of::<Scaled<1, true>>());
    assert_ne!(Fingerprint::of::<Scaled<1>>(), Fingerprint::of::<Scaled<1, false, 's'>>());

    let ring = Ring { head: 1, items: [2_u32; 8] };
    let id = Id::<u8> { number: 3, of: PhantomData };
    let length = Scaled::<1_000>(4.0);
    assert_eq!((ring.head, ring.items[7], id.number, length.0), (1, 2, 3, 4.0));
}

#[test]
fn types_of_one_size_and_alignment_differ() {
    let of_eight_bytes = [
        Fingerprint::of::<u64>(),
        Fingerprint::of::<i64>(),
        Fingerprint::of::<usize>(),
        Fingerprint::of::<isize>(),
        Fingerprint::of::<f64>(),
        Fingerprint::of::<AtomicU64>(),
        Fingerprint::of::<AtomicI64>(),
        Fingerprint::of::<[u64; 1]>(),
        Fingerprint::of::<Wrapping<u64>>(),
    ];
    let different: HashSet<_> = of_eight_bytes.into_iter().collect();
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

/// A fault that was there once: the value was cast to 64 bits.
#[test]
fn const_parameters_of_128_bits_are_distinguished() {
    #[derive(Shareable)]
    #[repr(transparent)]
    struct Of<const N: u128>(u8);

    assert_ne!(Fingerprint::of::<Of<1>>(), Fingerprint::of::<Of<{ (1 << 64) + 1 }>>());
    assert_eq!(Of::<1>(2).0, 2);
}

/// A fault that was there once. The fingerprint was a 64-bit FNV hash. A search of 14 minutes found
/// these two types.
mod collision {
    use std::sync::atomic::AtomicU64;

    pub(crate) mod atomic {
        #[derive(outlive::Shareable)]
        #[repr(C)]
        #[allow(non_snake_case, reason = "as it was found")]
        pub(crate) struct S {
            pub(crate) ppxlBsztFfuzc: super::AtomicU64,
        }
    }
    pub(crate) mod plain {
        #[derive(outlive::Shareable)]
        #[repr(C)]
        #[allow(non_snake_case, reason = "as it was found")]
        pub(crate) struct S {
            pub(crate) wEgjmrlbCczlm: u64,
        }
    }
}

#[test]
fn a_search_finds_no_two_types_of_one_fingerprint() {
    assert_ne!(Fingerprint::of::<collision::atomic::S>(), Fingerprint::of::<collision::plain::S>());
}

#[cfg_attr(miri, ignore = "no memfd there")]
#[test]
fn no_segment_opens_as_a_type_that_disagrees_on_what_may_change() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("segment");
    let atomic = Segment::<collision::atomic::S>::create(&path, |_| {}).expect("a segment");
    assert!(matches!(Segment::<collision::plain::S>::open(&path), Err(outlive::OpenError::Type { .. })));
    atomic.ppxlBsztFfuzc.store(7, SeqCst);
    let found = Segment::<collision::atomic::S>::open(&path).expect("the same type");
    assert_eq!(found.ppxlBsztFfuzc.load(SeqCst), 7);
    drop((atomic, found));
    let other = directory.path().join("other");
    let plain = Segment::<collision::plain::S>::create(&other, |new| new.wEgjmrlbCczlm = 9).expect("a segment");
    assert!(matches!(Segment::<collision::atomic::S>::open(&other), Err(outlive::OpenError::Type { .. })));
    assert_eq!(plain.wEgjmrlbCczlm, 9);
}

#[test]
fn each_type_knows_what_may_change_behind_a_reference() {
    #[derive(Shareable)]
    #[repr(C)]
    #[allow(dead_code, reason = "only the definition is used")]
    struct Deep<T> {
        plain: u64,
        deep: [Wrapping<[T; 2]>; 3],
    }
    fn changes<T: Shareable>() -> bool {
        T::DEFINITION.has_interior_mutability()
    }
    assert!(changes::<AtomicU8>() && changes::<[AtomicU64; 4]>() && changes::<Deep<AtomicI64>>());
    assert!(
        changes::<Mutex<u64>>() && changes::<RwLock<u64>>() && changes::<ReentrantMutex<()>>() && changes::<Event>()
    );
    assert!(!changes::<u64>() && !changes::<()>() && !changes::<[f64; 4]>() && !changes::<Deep<u64>>());
    // Only the name says so: the type has no byte of it.
    assert!(!changes::<PhantomData<AtomicU64>>() && !changes::<Id<AtomicU64>>());
}

#[derive(Shareable)]
#[repr(C)]
struct Pair<T> {
    one: T,
    other: T,
}

/// Leaf by leaf, this would take years.
#[test]
#[cfg_attr(miri, ignore = "forty definitions take minutes there")]
fn a_type_with_as_many_leaves_as_bytes_in_a_terabyte_has_a_fingerprint() {
    type Four<T> = Pair<Pair<T>>;
    type Many<T> = Four<Four<Four<Four<Four<T>>>>>;
    type Most<T> = Many<Many<Many<Many<T>>>>;
    assert_eq!(size_of::<Most<u8>>(), 1 << 40);
    assert_ne!(Fingerprint::of::<Most<u8>>(), Fingerprint::of::<Most<i8>>());
    let pair = Pair { one: 1, other: 2 };
    assert_eq!(pair.one + pair.other, 3);
}

/// Programs built years apart meet in one file, so these values are part of the format. Another
/// program has computed them from the documentation.
#[test]
#[cfg(all(target_pointer_width = "64", target_endian = "little"))]
fn fingerprints_never_change() {
    let of_number = "1f663d02d330f6963e4cb28c39286e337011587251adf447a68487d3a5ea7bae";
    assert_eq!(Fingerprint::of::<u64>().to_string(), of_number);
    let of_ring = "2f9108ac9fffac5584582937d151b19747748319e3654c4cd45a0a87fbdb74be";
    assert_eq!(Fingerprint::of::<Ring<u32, 8>>().to_string(), of_ring);
}

/// Definitions written by hand, for types that exist in the tests alone.
macro_rules! by_hand {
    ($($name:ident: $definition:expr;)*) => {$(
        #[allow(dead_code, reason = "only the definition is used")]
        #[repr(transparent)]
        struct $name(u64);
        // SAFETY: transparent around a u64.
        #[allow(unsafe_code, reason = "by hand")]
        unsafe impl Shareable for $name {
            const DEFINITION: &'static Definition = &$definition;
        }
    )*};
}

by_hand! {
    OfTwoFields: Definition::structure::<u64>("T", &[Part::field::<()>("ab", 0), Part::field::<()>("c", 0)]);
    WithOtherNames: Definition::structure::<u64>("T", &[Part::field::<()>("a", 0), Part::field::<()>("bc", 0)]);
    WithAField: Definition::structure::<u64>("T", &[Part::field::<u64>("a", 0)]);
    WithACell: Definition::structure::<u64>("T", &[Part::cell::<u64>("a", 0)]);
    WithAParameter: Definition::structure::<u64>("T", &[Part::type_parameter::<u64>("a")]);
    WithAConstant: Definition::structure::<u64>("T", &[Part::const_parameter("a", 0)]);
    OfWords: Definition::atomic::<u64>("T");
    OfBytes: Definition::bytes::<u64>("T");
}

#[test]
fn names_cannot_run_into_each_other() {
    assert_ne!(Fingerprint::of::<OfTwoFields>(), Fingerprint::of::<WithOtherNames>());
}

#[test]
fn a_field_a_cell_and_a_parameter_are_three_things() {
    let all = [
        Fingerprint::of::<WithAField>(),
        Fingerprint::of::<WithACell>(),
        Fingerprint::of::<WithAParameter>(),
        Fingerprint::of::<WithAConstant>(),
        Fingerprint::of::<OfWords>(),
        Fingerprint::of::<OfBytes>(),
    ];
    assert_eq!(all.iter().collect::<HashSet<_>>().len(), all.len());
    assert!(WithACell::DEFINITION.has_interior_mutability() && !WithAField::DEFINITION.has_interior_mutability());
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
    assert!(!Body::DEFINITION.has_interior_mutability());
    assert_eq!(Fingerprint::of::<Pod<u32>>(), Fingerprint::of::<Pod<f32>>());
    assert_ne!(Fingerprint::of::<Pod<u32>>(), Fingerprint::of::<Pod<u64>>());
    assert_ne!(Fingerprint::of::<Pod<u32>>(), Fingerprint::of::<Pod<[u8; 4]>>());
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
    assert!(!Peer::DEFINITION.has_interior_mutability());
    assert_eq!(Fingerprint::of::<Plain<u32>>(), Fingerprint::of::<Plain<f32>>());
    assert_ne!(Fingerprint::of::<Plain<U32>>(), Fingerprint::of::<Plain<u32>>());
}
