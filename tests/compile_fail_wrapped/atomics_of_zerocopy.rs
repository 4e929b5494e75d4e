use outlive::{Plain, Segment};
use std::sync::atomic::AtomicU8;

fn main() {
    // `Plain<[u8; 64]>` has the same size and alignment. It once had the same fingerprint, too.
    let _atomics = Segment::<Plain<[AtomicU8; 64]>>::create("never-made", |_| {});
}
