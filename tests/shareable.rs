//! Derived structs can be shared, and their fingerprints tell definitions apart.
#![allow(clippy::disallowed_types)] // atomics as what is stored

use outlive::{Mutex, Segment, Shareable};
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

mod one {
    #[derive(outlive::Shareable)]
    #[repr(C)]
    pub(crate) struct Size {
        pub(crate) width: u32,
        pub(crate) height: u32,
    }
}
mod same {
    #[derive(outlive::Shareable)]
    #[repr(C)]
    pub(crate) struct Size {
        pub(crate) width: u32,
        pub(crate) height: u32,
    }
}
mod renamed {
    #[derive(outlive::Shareable)]
    #[repr(C)]
    pub(crate) struct Size {
        pub(crate) width: u32,
        pub(crate) depth: u32,
    }
}
mod retyped {
    #[derive(outlive::Shareable)]
    #[repr(C)]
    pub(crate) struct Size {
        pub(crate) width: u32,
        pub(crate) height: i32,
    }
}

#[test]
fn fingerprints_tell_definitions_apart() {
    assert_eq!(one::Size::FINGERPRINT, same::Size::FINGERPRINT);
    assert_ne!(one::Size::FINGERPRINT, renamed::Size::FINGERPRINT);
    assert_ne!(one::Size::FINGERPRINT, retyped::Size::FINGERPRINT);
    assert_ne!(Mutex::<one::Size>::FINGERPRINT, Mutex::<renamed::Size>::FINGERPRINT);
    assert_ne!(<[one::Size; 2]>::FINGERPRINT, <[one::Size; 3]>::FINGERPRINT);
    let (a, b) = (one::Size { width: 1, height: 2 }, same::Size { width: 1, height: 2 });
    assert_eq!((a.width, a.height), (b.width, b.height));
    let (c, d) = (renamed::Size { width: 1, depth: 2 }, retyped::Size { width: 1, height: 2 });
    assert_eq!((c.width, c.depth), (d.width, d.height as u32));
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
