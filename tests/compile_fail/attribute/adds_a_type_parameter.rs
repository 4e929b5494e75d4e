use outlive::Shareable;
use outlive_test_attributes::becomes;

#[derive(Shareable)]
#[repr(C)]
#[becomes(#[repr(C)] struct Job<T> { number: T })]
struct Job {
    number: u64,
}

fn main() {}
