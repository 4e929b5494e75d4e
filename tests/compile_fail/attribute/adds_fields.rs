use outlive::Shareable;
use outlive_test_attributes::becomes;

#[derive(Shareable)]
#[repr(C)]
#[becomes(#[repr(C)] struct Job { number: u64, name: &'static str, finished: bool })]
struct Job {
    number: u64,
}

fn main() {}
