use outlive::TaskQueue;

fn main() {
    let tasks = TaskQueue::<u64>::anonymous(8).unwrap();
    let mut task = tasks.take().unwrap();
    let (one, other): (&mut u64, &mut u64) = (&mut task, &mut task);
    std::mem::swap(one, other);

    let mut loan = tasks.reserve().unwrap();
    let (one, other): (&mut u64, &u64) = (&mut loan, &loan);
    *one = *other;
}
