use outlive::ReentrantMutex;

fn change(lock: &ReentrantMutex<u64>) {
    let guard = lock.lock().unwrap();
    *guard += 1;
}

fn main() {
    let _ = change;
}
