use outlive::{Shareable, Task, TaskLoan};
use std::cell::Cell;

fn needs_sync<T: Sync>(_: &T) {}

fn share(task: &Task<'_, Cell<u64>>, loan: &TaskLoan<'_, Cell<u64>>) {
    needs_sync(task);
    needs_sync(loan);
}

fn main() {
    let _ = share;
}
