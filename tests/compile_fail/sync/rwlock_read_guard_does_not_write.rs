use outlive::{RwLock, Segment};

fn main() {
    let segment = Segment::<RwLock<u64>>::anonymous(|_| {}).unwrap();
    let guard = segment.read().unwrap();
    *guard += 1;
}
