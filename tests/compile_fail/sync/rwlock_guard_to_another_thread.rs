use outlive::{RwLock, RwLockReadGuard, RwLockWriteGuard};

fn needs_send<T: Send>(_: T) {}

fn give_away(reads: RwLockReadGuard<'_, u64>, writes: RwLockWriteGuard<'_, u64>) {
    needs_send(reads);
    needs_send(writes);
}

fn main() {
    let _ = give_away;
    let _ = RwLock::<u64>::new(0);
}
