use outlive::Mutex;

fn main() {
    let samples = Mutex::<[f64]>::anonymous(8, |_zeros| {}).unwrap();
    let mut guard = samples.lock().unwrap();
    drop(samples);
    guard[0] = 1.0;
}
