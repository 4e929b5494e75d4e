use outlive::RwLock;
use std::cell::Cell;

fn needs_sync<T: Sync>(_: &T) {}

fn share(lock: &RwLock<Cell<u64>>) {
    needs_sync(lock);
}

fn main() {
    let _ = share;
}
