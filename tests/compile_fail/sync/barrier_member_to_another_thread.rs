use outlive::{Barrier, BarrierMember};

fn needs_send<T: Send>(_: T) {}

fn give_away(member: BarrierMember<'_, 2>) {
    needs_send(member);
}

fn main() {
    let _ = give_away;
    let _ = Barrier::<2>::new(2);
}
