use outlive::Shareable;

type Link = *mut u32;

#[derive(Shareable)]
#[repr(C)]
struct Node {
    next: Link,
}

fn main() {}
