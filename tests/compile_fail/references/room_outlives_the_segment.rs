use outlive::Segment;

fn main() {
    let segment = Segment::<()>::options().room::<u64>(2).anonymous(|(), _zero| {}).unwrap();
    let room = segment.room();
    drop(segment);
    println!("{room:?}");
}
