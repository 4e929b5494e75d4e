use outlive::{Task, TaskLoan};

fn needs_send<T: Send>(_: T) {}

fn give_away(task: Task<'_, u64>, loan: TaskLoan<'_, u64>) {
    needs_send(task);
    needs_send(loan);
}

fn main() {
    let _ = give_away;
}
