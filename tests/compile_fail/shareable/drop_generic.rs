use outlive::Shareable;

#[derive(Shareable)]
#[repr(C)]
struct Count<T> {
    count: T,
}

impl<T> Drop for Count<T> {
    fn drop(&mut self) {}
}

const _: &outlive::Definition = Count::<u32>::DEFINITION;

fn main() {}
