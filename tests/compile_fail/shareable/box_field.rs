use outlive::Shareable;

#[derive(Shareable)]
#[repr(C)]
struct Node {
    next: Box<u32>,
}

fn main() {}
