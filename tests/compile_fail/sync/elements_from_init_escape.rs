use outlive::Mutex;

fn main() {
    let mut kept: &mut [u64] = &mut [];
    let _samples = Mutex::<[u64]>::anonymous(8, |elements| kept = elements).unwrap();
    kept[0] = 1;
}
