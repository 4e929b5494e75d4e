use outlive::Shareable;

#[derive(Shareable)]
#[repr(C)]
struct Line {
    start: (u32, u32),
}

fn main() {}
