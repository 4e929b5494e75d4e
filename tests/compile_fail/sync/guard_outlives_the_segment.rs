use outlive::{Mutex, Segment};

fn main() {
    let guard = {
        let segment = Segment::<Mutex<u64>>::anonymous(|_| {}).unwrap();
        segment.lock().unwrap()
    };
    drop(guard);
}
