use outlive::ReentrantMutex;
use std::cell::Cell;

fn release(lock: &ReentrantMutex<Cell<u64>>) {
    let guard = lock.lock().unwrap();
    lock.release().unwrap(); // another thread may have it now
    guard.set(1);
}

fn main() {
    let _ = release;
}
