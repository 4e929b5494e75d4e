use outlive::{Mutex, MutexGuard, Segment};

fn main() {
    let mut kept: Option<MutexGuard<'_, u64>> = None;
    let segment = Segment::<Mutex<u64>>::anonymous(|new| kept = new.lock().ok()).unwrap();
    *kept.unwrap() = *segment.lock().unwrap();
}
