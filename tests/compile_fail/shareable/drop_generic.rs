use outlive::Shareable;

#[derive(Shareable)]
#[repr(C)]
struct Count<T> {
    count: T,
}

impl<T> Drop for Count<T> {
    fn drop(&mut self) {}
}

const _: u64 = Count::<u32>::FINGERPRINT;

fn main() {}
