use outlive::Shareable;

#[derive(Shareable)]
#[repr(C)]
struct Node {
    next: *mut u32,
}

fn main() {}
