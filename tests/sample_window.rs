//! The example of data whose length is chosen at run time, run as a user runs it.

use std::process::Command;

#[test]
fn the_window_of_the_example_is_filled_by_those_that_outlive_a_sensor() {
    let mut program = std::env::current_exe().expect("own path");
    program.pop(); // deps
    program.pop();
    program.push("examples/sample_window");
    for length in [7, 100] {
        let output = Command::new(&program).arg(length.to_string()).output().unwrap_or_else(|error| {
            panic!("{}: {error}; build it first: cargo build --example sample_window", program.display())
        });
        assert!(output.status.success(), "{output:?}");
        let said = String::from_utf8(output.stdout).expect("text");
        let lines: Vec<_> = said.lines().collect();
        let [killed, samples, statistics] = *lines else { panic!("{said}") };
        assert_eq!(killed, "killed a sensor that had written half of a sample");
        assert!(samples.starts_with(&format!("{length} samples, all right: true, their mean is ")), "{said}");
        assert_eq!(statistics, "as many were taken: true, all between -1 and 1: true");
    }
}
