use outlive::{Mutex, ReentrantMutex, RwLock, RwLockWriteGuard, Segment, Shareable};

#[derive(Shareable)]
#[repr(C)]
struct Shared {
    mutex: Mutex<u64>,
    reentrant: ReentrantMutex<u64>,
    rwlock: RwLock<u64>,
}

fn main() {
    let shared = Segment::<Shared>::anonymous(|_zero| {}).unwrap();

    let mut guard = shared.mutex.lock().unwrap();
    let data: &mut u64 = &mut guard;
    drop(guard);
    *data = 1;

    let guard = shared.reentrant.lock().unwrap();
    let data: &u64 = &guard;
    drop(guard);
    println!("{data}");

    let mut guard = shared.rwlock.write().unwrap();
    let data: &mut u64 = &mut guard;
    let guard = RwLockWriteGuard::downgrade(guard);
    *data = 1;
    drop(guard);

    let guard = shared.rwlock.read().unwrap();
    let data: &u64 = &guard;
    drop(guard);
    println!("{data}");
}
