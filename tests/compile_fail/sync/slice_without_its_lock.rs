use outlive::Mutex;

fn main() {
    let samples = Mutex::<[u64]>::anonymous(8, |_zeros| {}).unwrap();
    samples.get_mut()[0] = 1;
    *samples.segment().room()[0].get_mut() = 1;
}
