use outlive::TaskQueue;

fn main() {
    let tasks = TaskQueue::<u64>::anonymous(8).unwrap();
    let mut loan = tasks.reserve().unwrap();
    let task = tasks.take().unwrap();
    drop(tasks);
    *loan = 1;
    println!("{}", *task);
}
