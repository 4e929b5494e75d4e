use outlive::{Mutex, Segment};

fn main() {
    let segment = Segment::<Mutex<u64>>::anonymous(|_zero| {}).unwrap();
    let moved: Mutex<u64> = *segment;
    moved.into_inner();
}
