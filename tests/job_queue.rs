//! The example of the queue, run as a user runs it.

use std::process::Command;

#[test]
fn each_job_of_the_example_is_done_and_the_one_of_the_killed_worker_once_more() {
    let mut program = std::env::current_exe().expect("own path");
    program.pop(); // deps
    program.pop();
    program.push("examples/job_queue");
    let output = Command::new(&program).output();
    let output = output.unwrap_or_else(|error| {
        panic!("{}: {error}; build it first: cargo build --example job_queue", program.display())
    });
    assert!(output.status.success(), "{output:?}");
    let said = String::from_utf8(output.stdout).expect("text");
    let mut lines: Vec<_> = said.lines().collect();
    assert!(lines.remove(0).starts_with("killed a worker that had a job"), "{said}");
    assert_eq!(lines.pop(), Some("168 primes below 1000: its worker was killed, so it is done again"), "{said}");
    lines.sort_by_key(|line| line.rsplit(' ').next().and_then(|below| below.parse::<u64>().ok()));
    let counts: Vec<_> = lines.iter().map(|line| line.split(' ').next().expect("a number")).collect();
    assert_eq!(counts, ["303", "430", "550", "669", "783", "900", "1007", "1117", "1229", "1335", "1438"], "{said}");
}
