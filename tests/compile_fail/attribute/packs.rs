use outlive::Shareable;
use outlive_test_attributes::becomes;

#[derive(Shareable)]
#[repr(C)]
#[becomes(#[repr(C, packed)] struct Job { kind: u8, number: u64 })]
struct Job {
    kind: u8,
    number: u64,
}

fn main() {}
