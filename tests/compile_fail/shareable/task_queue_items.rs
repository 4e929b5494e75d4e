use outlive::{ArrayTaskQueue, TaskQueue};

struct Job {
    number: u64,
}

fn work(jobs: &ArrayTaskQueue<Job, 4>) {
    let _ = jobs.take();
}

fn main() {
    let _ = work;
    let _ = TaskQueue::<String>::anonymous(4);
    let _ = TaskQueue::<&u64>::open("jobs");
}
