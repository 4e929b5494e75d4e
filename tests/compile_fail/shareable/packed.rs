use outlive::Shareable;

#[derive(Shareable)]
#[repr(C, packed)]
struct Frame {
    kind: u8,
    length: u32,
}

fn main() {}
