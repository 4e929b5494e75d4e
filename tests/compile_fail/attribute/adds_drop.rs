use outlive::Shareable;
use outlive_test_attributes::becomes;

#[derive(Shareable)]
#[repr(C)]
#[becomes(#[repr(C)] struct Job { number: u64 } impl Drop for Job { fn drop(&mut self) {} })]
struct Job {
    number: u64,
}

fn main() {}
