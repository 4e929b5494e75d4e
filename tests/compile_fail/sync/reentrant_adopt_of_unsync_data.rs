use outlive::ReentrantMutex;
use std::cell::Cell;

fn adopt(lock: &ReentrantMutex<Cell<u64>>) {
    let guard = lock.lock().unwrap();
    lock.adopt().unwrap(); // another thread may have it now
    guard.set(1);
}

fn main() {
    let _ = adopt;
}
