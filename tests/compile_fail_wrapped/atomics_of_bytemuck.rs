use outlive::{Pod, Segment};
use std::sync::atomic::AtomicU8;

fn main() {
    let _atomics = Segment::<Pod<[AtomicU8; 64]>>::create("never-made", |_| {});
}
