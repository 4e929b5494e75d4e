use core::cell::Cell;
use outlive::OnceLock;

fn needs_sync<T: Sync>(_: &T) {}

fn share(value: &OnceLock<Cell<u64>>) {
    needs_sync(value);
}

fn main() {
    let _ = share;
}
