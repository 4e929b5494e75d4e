//! Each experiment in short, so that the program cannot rot. The figures mean nothing here.

use std::process::Command;

const PROGRAM: &str = env!("CARGO_BIN_EXE_floors");

fn output_of(arguments: &[&str]) -> String {
    let output = Command::new(PROGRAM).args(arguments).output().expect("it runs");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn each_experiment_has_figures() {
    let names = output_of(&["--list"]);
    assert!(names.lines().count() > 5, "{names}");
    for name in names.lines() {
        let text = output_of(&["--rounds", "1", name]);
        let rows = text.lines().filter(|line| line.contains("1.00 [1.00, 1.00]")).count();
        assert!(rows >= 1 && !text.contains("NaN"), "{name}: {text}");
    }
}
