use outlive::Segment;
use std::cell::Cell;
use std::cell::UnsafeCell;

fn main() {
    let _cell = Segment::<Cell<u64>>::anonymous(|_zero| {});
    let _unsafe_cell = Segment::<UnsafeCell<u64>>::anonymous(|_zero| {});
}
