use outlive::{Mutex, Segment};

fn main() {
    let mut one = Segment::<Mutex<u64>>::anonymous(|_zero| {}).unwrap();
    let mut other = Segment::<Mutex<u64>>::anonymous(|_zero| {}).unwrap();
    std::mem::swap(&mut *one, &mut *other);
}
