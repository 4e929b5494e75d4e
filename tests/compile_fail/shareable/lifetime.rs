use outlive::Shareable;
use std::marker::PhantomData;

#[derive(Shareable)]
#[repr(C)]
struct Slice<'a> {
    start: u64,
    of: PhantomData<&'a u8>,
}

fn main() {}
