//! A contestant that fails is named, with the text of its error, whatever the others wait for.
//!
//! This test has no harness: only a process of one thread can fork contestants.

use outlive_peers::compare::Failure;
use outlive_peers::compare::figures::{Case, Kind, Unit};
use outlive_peers::compare::player::Player;
use outlive_peers::compare::rounds::{Contestant, play};
use outlive_peers::compare::together::{Times, as_processes, as_threads};

fn text<T: std::fmt::Debug>(result: Result<T, Failure>) -> String {
    result.expect_err("a failure").to_string()
}

/// Waits for somebody who never comes.
fn wait_in_vain() -> Result<(), Failure> {
    Times::of(2)?.begin();
    Ok(())
}

fn a_process_that_fails_is_named_while_others_wait() {
    let fail = |me: usize| if me == 1 { Err("of itself".into()) } else { wait_in_vain() };
    assert_eq!(text(as_processes(3, fail)), "of itself");
    assert_eq!(text(as_threads(3, fail)), "of itself");
    let panic = |me: usize| if me == 1 { panic!("number {me} panics") } else { wait_in_vain() };
    assert_eq!(text(as_processes(2, panic)), "number 1 panics");
    assert_eq!(text(as_threads(2, panic)), "number 1 panics");
    let abort = |_me: usize| std::process::abort();
    assert_eq!(text(as_processes(1, abort)), "a child was ended by signal 6");
}

fn a_player_that_fails_says_why() {
    let mut player = Player::forked(|rounds| {
        rounds.play(|number| if number < 3 { Ok(number as f64 / 2.0) } else { Err("three is too many".into()) })
    })
    .expect("a player");
    assert_eq!(player.round(1).expect("a figure"), [0.5]);
    assert_eq!(player.round(2).expect("a figure"), [1.0]);
    assert_eq!(text(player.round(3)), "three is too many");
    let mut player = Player::forked(|_rounds| panic!("it cannot be made")).expect("a player");
    assert_eq!(text(player.round(1)), "it cannot be made");
    let mut player = Player::forked(|_rounds| Err("it is not there".into())).expect("a player");
    assert_eq!(text(player.round(1)), "it is not there");
}

fn a_contestant_that_fails_in_the_middle_is_missing() {
    let mut case = Case::new("workload", "case", Unit::Nanoseconds);
    let (mut before_error, mut before_panic) = (0, 0);
    let contestants = vec![
        Contestant::new("good", Kind::Peer, || Ok(7.0)),
        Contestant::new("errs", Kind::Peer, || {
            before_error += 1;
            if before_error < 3 { Ok(1.0) } else { Err("no more".into()) }
        }),
        Contestant::new("panics", Kind::Peer, || {
            before_panic += 1;
            if before_panic < 3 { Ok(1.0) } else { panic!("it panics after {before_panic}") }
        }),
    ];
    let mut told = 0.0;
    play(&mut case, contestants, 4, &mut |part| told += part);
    assert!((told - 1.0_f64).abs() < 1e-9);
    let rows: Vec<_> = case.rows.iter().map(|row| (row.name.as_str(), row.rounds.len())).collect();
    assert_eq!(rows, [("good", 4)]);
    let missing: Vec<_> = case.missing.iter().map(|(name, why)| (name.as_str(), why.as_str())).collect();
    assert_eq!(missing, [("errs", "no more"), ("panics", "it panics after 3")]);
    assert!(case.table().to_string().contains("it panics after 3"));
}

fn main() {
    std::panic::set_hook(Box::new(|_| ())); // children panic on purpose
    let tests: [(&str, fn()); 3] = [
        ("a_process_that_fails_is_named_while_others_wait", a_process_that_fails_is_named_while_others_wait),
        ("a_player_that_fails_says_why", a_player_that_fails_says_why),
        ("a_contestant_that_fails_in_the_middle_is_missing", a_contestant_that_fails_in_the_middle_is_missing),
    ];
    for (name, test) in tests {
        if let Err(panic) = std::panic::catch_unwind(test) {
            eprintln!("{name} failed: {}", outlive_benches::process::panic_text(&*panic));
            std::process::exit(101);
        }
        println!("{name} ... ok");
    }
}
