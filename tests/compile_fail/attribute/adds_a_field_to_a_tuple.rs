use outlive::Shareable;
use outlive_test_attributes::becomes;

#[derive(Shareable)]
#[repr(C)]
#[becomes(#[repr(C)] struct Job(u64, bool);)]
struct Job(u64);

fn main() {}
