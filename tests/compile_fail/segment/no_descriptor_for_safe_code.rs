use outlive::{Lock, Segment};
use std::os::fd::AsFd;

/// Whoever could clone the descriptor could write to what others have references to.
fn scribble(segment: &Segment<Lock>) {
    let file = std::fs::File::from(segment.as_fd().try_clone_to_owned().unwrap());
    std::os::unix::fs::FileExt::write_at(&file, &[1; 4096], 0).unwrap();
}

fn borrow(segment: &Segment<Lock>) {
    let _descriptor = segment.borrow_fd();
}

fn main() {}
