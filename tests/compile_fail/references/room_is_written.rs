use outlive::Segment;

fn main() {
    let mut segment = Segment::<()>::options().room::<u64>(2).anonymous(|(), _zero| {}).unwrap();
    segment.room()[0] = 1;
    segment.attach().unwrap();
}
