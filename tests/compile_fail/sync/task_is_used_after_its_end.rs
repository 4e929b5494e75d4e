use outlive::TaskQueue;

fn main() {
    let tasks = TaskQueue::<u64>::anonymous(8).unwrap();

    let mut loan = tasks.reserve().unwrap();
    let item: &mut u64 = &mut loan;
    loan.publish().unwrap();
    *item = 1;

    let mut task = tasks.take().unwrap();
    let item: &mut u64 = &mut task;
    task.done().unwrap();
    *item = 2;

    let task = tasks.take().unwrap();
    let item: &u64 = &task;
    task.give_back().unwrap();
    println!("{item}");
}
