use outlive::MutexGuard;
use std::cell::Cell;

fn needs_sync<T: Sync>(_: &T) {}

fn share(guard: &MutexGuard<'_, Cell<u64>>) {
    needs_sync(guard);
}

fn main() {
    let _ = share;
}
