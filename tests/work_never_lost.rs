//! The example of the task queue, run as a user runs it.

use std::process::Command;

#[test]
fn each_job_of_the_example_is_done_although_workers_are_killed() {
    let mut program = std::env::current_exe().expect("own path");
    program.pop(); // deps
    program.pop();
    program.push("examples/work_never_lost");
    let output = Command::new(&program).output();
    let output = output.unwrap_or_else(|error| {
        panic!("{}: {error}; build it first: cargo build --example work_never_lost", program.display())
    });
    assert!(output.status.success(), "{output:?}");
    let said = String::from_utf8(output.stdout).expect("text");
    let lines: Vec<_> = said.lines().collect();
    let [killed, done] = lines[..] else { panic!("{said}") };
    assert!(killed.starts_with("30 workers were killed"), "{said}");
    assert_eq!(done, "all 100000 jobs are done: the sum of the results is 10753840");
}
