use outlive::{LockError, Mutex, Segment};

fn main() {
    let segment = Segment::<Mutex<u64>>::anonymous(|_zero| {}).unwrap();
    if let Err(LockError::OwnerDied(mut left)) = segment.lock() {
        let one: &mut u64 = left.get_mut();
        let mut guard = left.into_inner();
        let other: &mut u64 = &mut guard;
        std::mem::swap(one, other);
    }
}
