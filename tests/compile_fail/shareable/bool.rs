use outlive::Shareable;

#[derive(Shareable)]
#[repr(C)]
struct Job {
    finished: bool,
}

fn main() {}
