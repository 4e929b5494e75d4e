use outlive::{ArrayQueue, Queue};

struct Job {
    number: u64,
}

fn receive(jobs: &ArrayQueue<Job, 4>) {
    let _ = jobs.recv();
}

fn main() {
    let _ = receive;
    let _ = Queue::<String>::anonymous(4);
    let _ = Queue::<&u64>::open("jobs");
}
