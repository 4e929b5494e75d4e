use outlive::Shareable;

#[derive(Shareable)]
#[repr(C)]
struct Jobs {
    finished: [bool; 4],
}

fn main() {}
