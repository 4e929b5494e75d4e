use outlive::Shareable;

#[derive(Shareable)]
#[repr(C)]
struct Table {
    handlers: [fn(u32); 4],
}

fn main() {}
