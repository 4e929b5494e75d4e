use outlive::Segment;

fn main() {
    let segment = Segment::<u64>::anonymous(|_zero| {}).unwrap();
    let root: &u64 = &segment;
    drop(segment);
    println!("{root}");
}
