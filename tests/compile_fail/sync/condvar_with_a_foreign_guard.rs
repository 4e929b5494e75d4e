use outlive::Condvar;
use std::sync::Mutex;

fn wait(condvar: &Condvar, mutex: &Mutex<u64>) {
    let _ = condvar.wait(mutex.lock().unwrap());
}

fn main() {
    let _ = wait;
}
