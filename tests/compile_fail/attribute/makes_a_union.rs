use outlive::Shareable;
use outlive_test_attributes::becomes;

#[derive(Shareable)]
#[repr(C)]
#[becomes(#[repr(C)] union Job { number: u64 })]
struct Job {
    number: u64,
}

fn main() {}
