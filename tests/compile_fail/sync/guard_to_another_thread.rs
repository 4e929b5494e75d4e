use outlive::{Mutex, MutexGuard};

fn needs_send<T: Send>(_: T) {}

fn give_away(guard: MutexGuard<'_, u64>) {
    needs_send(guard);
}

fn main() {
    let _ = give_away;
    let _ = Mutex::new(0u64);
}
