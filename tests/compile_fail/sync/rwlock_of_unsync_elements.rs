use core::cell::Cell;
use outlive::{Definition, Mutex, Part, RwLock, Shareable};

#[repr(transparent)]
struct Count(Cell<u64>);

// SAFETY: transparent around a u64; stated as a cell. It is not Sync.
unsafe impl Shareable for Count {
    const DEFINITION: &'static Definition = &Definition::structure::<Self>("Count", &[Part::cell::<u64>("0", 0)]);
}

fn main() {
    let _one_at_a_time = Mutex::<[Count]>::anonymous(8, |_| {});
    let _many = RwLock::<[Count]>::anonymous(8, |_| {});
}
