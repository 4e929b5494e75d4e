use outlive::Shareable;

#[derive(Shareable)]
#[repr(C)]
struct Node {
    next: &'static u32,
}

fn main() {}
