use outlive::{Lock, Segment};
use std::os::fd::AsFd;

/// A clone of the descriptor could write to memory to which others have references.
fn scribble(segment: &Segment<Lock>) {
    let file = std::fs::File::from(segment.as_fd().try_clone_to_owned().unwrap());
    std::os::unix::fs::FileExt::write_at(&file, &[1; 4096], 0).unwrap();
}

fn borrow(segment: &Segment<Lock>) {
    let _descriptor = segment.borrow_fd();
}

fn main() {}
