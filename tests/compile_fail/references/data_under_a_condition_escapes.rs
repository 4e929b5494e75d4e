use outlive::{Condvar, Mutex, Segment, Shareable};

#[derive(Shareable)]
#[repr(C)]
struct Shared {
    lock: Mutex<u64>,
    changed: Condvar,
}

fn main() {
    let shared = Segment::<Shared>::anonymous(|_zero| {}).unwrap();
    let mut kept: Option<&mut u64> = None;
    let guard = shared.lock.lock().unwrap();
    let guard = shared.changed.wait_while(guard, |data| {
        kept = Some(data);
        false
    });
    drop(guard);
    *kept.unwrap() = 1;
}
