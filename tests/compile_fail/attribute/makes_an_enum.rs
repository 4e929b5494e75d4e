use outlive::Shareable;
use outlive_test_attributes::becomes;

#[derive(Shareable)]
#[repr(C)]
#[becomes(#[repr(C)] enum Job { Idle { number: u64 }, Busy })]
struct Job {
    number: u64,
}

fn main() {}
