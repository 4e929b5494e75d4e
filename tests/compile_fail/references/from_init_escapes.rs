use outlive::{Mutex, Segment};

fn main() {
    let mut kept: Option<&mut Mutex<u64>> = None;
    let segment = Segment::<Mutex<u64>>::anonymous(|new| kept = Some(new)).unwrap();
    *kept.unwrap().get_mut() = *segment.lock().unwrap();
}
