use outlive::Shareable;

#[derive(Shareable)]
struct Point {
    x: u32,
    y: u32,
}

fn main() {}
