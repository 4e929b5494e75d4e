use outlive::{RwLock, Segment};

fn main() {
    let guard = {
        let segment = Segment::<RwLock<u64>>::anonymous(|_| {}).unwrap();
        segment.read().unwrap()
    };
    drop(guard);
}
