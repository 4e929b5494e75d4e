use outlive::{Mutex, RwLock};

fn main() {
    let samples = Mutex::<[f64]>::anonymous(8, |_zeros| {}).unwrap();
    let mut guard = samples.lock().unwrap();
    let element = &mut guard[3];
    drop(guard);
    *element = 1.0;

    let table = RwLock::<[u32]>::anonymous(8, |_zeros| {}).unwrap();
    let guard = table.read().unwrap();
    let rows = &guard[2..];
    drop(guard);
    println!("{rows:?}");
}
