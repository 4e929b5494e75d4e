use outlive::{Segment, Shareable};
use std::cell::Cell;
use std::marker::PhantomData;

#[derive(Shareable)]
#[repr(C)]
struct Unsync {
    number: u64,
    not_sync: PhantomData<Cell<u64>>,
}

fn main() {
    let _root = Segment::<Unsync>::anonymous(|_zero| {});
    let _room = Segment::<()>::options().room::<Unsync>(2);
}
