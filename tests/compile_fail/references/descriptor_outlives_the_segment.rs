use outlive::Segment;
use std::os::fd::AsFd;

fn main() {
    let segment = Segment::<u64>::anonymous(|_zero| {}).unwrap();
    let descriptor = segment.as_fd();
    drop(segment);
    println!("{descriptor:?}");
}
