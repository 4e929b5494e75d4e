use outlive::Shareable;

#[repr(u8)]
enum State {
    Idle,
    Busy,
}

#[derive(Shareable)]
#[repr(C)]
struct Job {
    state: State,
}

fn main() {}
