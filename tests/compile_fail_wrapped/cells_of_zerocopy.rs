use outlive::Plain;
use std::cell::Cell;

type Hidden = Plain<Cell<u64>>;

fn main() {
    let _cell: Option<Hidden> = None;
}
