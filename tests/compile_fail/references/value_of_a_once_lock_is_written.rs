use outlive::{OnceLock, Segment};

fn main() {
    let segment = Segment::<OnceLock<u64>>::anonymous(|_empty| {}).unwrap();
    *segment.get_or_init(|| 1).unwrap() = 2;
}
