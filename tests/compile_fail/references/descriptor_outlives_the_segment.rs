use outlive::Segment;

fn main() {
    let segment = Segment::<u64>::anonymous(|_zero| {}).unwrap();
    // SAFETY: nothing is done with it.
    let descriptor = unsafe { segment.borrow_fd() }.unwrap();
    drop(segment);
    println!("{descriptor:?}");
}
