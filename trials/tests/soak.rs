//! A few seconds of the soak.

use std::process::Command;

fn soak(arguments: &[&str]) {
    let output = Command::new(env!("CARGO_BIN_EXE_soak")).args(arguments).output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stdout);
    println!("{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success());
}

#[test]
fn two_seconds_of_kills() {
    soak(&["--seconds", "2", "--processes", "6"]);
}

#[test]
fn two_seconds_with_more_processes_than_slots() {
    soak(&["--seconds", "2", "--processes", "6", "--slots", "4"]);
}
