use outlive::{LazyLock, OnceLock, Segment};

fn main() {
    let segment = Segment::<OnceLock<u64>>::anonymous(|_empty| {}).unwrap();
    let value = segment.get_or_init(|| 1).unwrap();
    let lazy = LazyLock::new(&segment, || 2);
    let forced = lazy.force().unwrap();
    drop(segment);
    println!("{value} {forced}");
}
