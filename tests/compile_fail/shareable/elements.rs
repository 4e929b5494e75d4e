use outlive::{Mutex, RwLock};

fn main() {
    let _names = Mutex::<[String]>::anonymous(8, |_| {});
    let _flags = RwLock::<[bool]>::create("flags", 8, |_| {});
}
