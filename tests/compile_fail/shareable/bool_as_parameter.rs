use outlive::Shareable;

#[derive(Shareable)]
#[repr(C)]
struct Ring<T> {
    items: [T; 8],
}

fn share<T: Shareable>() {}

fn main() {
    share::<Ring<bool>>();
}
