use outlive::Mutex;
use std::rc::Rc;

fn needs_sync<T: Sync>(_: &T) {}

fn share(mutex: &Mutex<Rc<u64>>) {
    needs_sync(mutex);
}

fn main() {
    let _ = share;
}
