use outlive::{Mutex, Segment};

fn main() {
    let mut kept: &mut [Mutex<u64>] = &mut [];
    let segment = Segment::<()>::options().room::<Mutex<u64>>(2).anonymous(|(), room| kept = room).unwrap();
    *kept[0].get_mut() = *segment.room()[0].lock().unwrap();
}
