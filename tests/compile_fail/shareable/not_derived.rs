use outlive::Shareable;

#[repr(C)]
struct Point {
    x: u32,
}

fn share<T: Shareable>() {}

fn main() {
    share::<Point>();
}
