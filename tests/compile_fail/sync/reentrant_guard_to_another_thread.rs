use outlive::ReentrantMutexGuard;

fn needs_send<T: Send>(_: T) {}

fn give_away(guard: ReentrantMutexGuard<'_, u64>) {
    needs_send(guard);
}

fn main() {
    let _ = give_away;
}
