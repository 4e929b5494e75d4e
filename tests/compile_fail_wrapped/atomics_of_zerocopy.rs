use outlive::{Plain, Segment};
use std::sync::atomic::AtomicU8;

fn main() {
    // A `Plain<[u8; 64]>` has the same size and alignment, and was given the same fingerprint.
    let _atomics = Segment::<Plain<[AtomicU8; 64]>>::create("never-made", |_| {});
}
