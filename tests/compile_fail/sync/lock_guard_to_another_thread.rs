use outlive::LockGuard;

fn needs_send<T: Send>(_: T) {}

fn give_away(guard: LockGuard<'_>) {
    needs_send(guard);
}

fn main() {
    let _ = give_away;
}
