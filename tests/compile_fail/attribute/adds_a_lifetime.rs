use outlive::Shareable;
use outlive_test_attributes::becomes;

#[derive(Shareable)]
#[repr(C)]
#[becomes(#[repr(C)] struct Job<'a> { number: u64, of: core::marker::PhantomData<&'a u8> })]
struct Job {
    number: u64,
}

fn main() {}
