use outlive::Shareable;

#[derive(Shareable)]
#[repr(C)]
struct Person {
    name: String,
}

fn main() {}
