use outlive::{Permit, PermitPool};

fn needs_send<T: Send>(_: T) {}

fn give_away(permit: Permit<'_, 4>) {
    needs_send(permit);
}

fn main() {
    let _ = give_away;
    let _ = PermitPool::<4>::new();
}
