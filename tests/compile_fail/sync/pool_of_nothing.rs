use outlive::PermitPool;

fn main() {
    let _ = PermitPool::<0>::new();
}
