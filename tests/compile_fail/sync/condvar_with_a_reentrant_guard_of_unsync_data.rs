use outlive::{Condvar, ReentrantMutex};
use std::cell::Cell;

fn wait(changed: &Condvar, lock: &ReentrantMutex<Cell<u64>>) {
    let kept = lock.lock().unwrap();
    let guard = lock.lock().unwrap();
    drop(changed.wait(guard)); // all holds are given back: another thread may have it in the meantime
    kept.set(1);
}

fn main() {
    let _ = wait;
}
