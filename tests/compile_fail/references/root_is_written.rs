use outlive::{Mutex, Segment, Shareable};

#[derive(Shareable)]
#[repr(C)]
struct Shared {
    plain: u64,
    locked: Mutex<u64>,
}

fn main() {
    let mut segment = Segment::<Shared>::anonymous(|_zero| {}).unwrap();
    segment.plain = 1;
    *segment.locked.get_mut() = 2;
    segment.room();
}
