use outlive::Shareable;

#[derive(Shareable)]
#[repr(C)]
struct Count {
    count: u32,
}

impl Drop for Count {
    fn drop(&mut self) {}
}

fn main() {}
