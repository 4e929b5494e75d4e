//! Runs random scenarios, and reports how many.

use core::fmt::Debug;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

/// Runs so many scenarios of the primitive registered under this name, or as many as
/// `PROPTEST_CASES` says. If one panics, a smaller one that also panics is reported. Prints a line
/// that tools read.
pub(crate) fn its_reference<S: Debug>(name: &str, cases: u32, scenarios: impl Strategy<Value = S>, run: impl Fn(S)) {
    let usual = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    let cases = if std::env::var_os("PROPTEST_CASES").is_some() { usual.cases } else { cases };
    let mut runner = TestRunner::new(ProptestConfig { cases, ..usual });
    let outcome = runner.run(&scenarios, |scenario| {
        run(scenario);
        Ok(())
    });
    if let Err(failure) = outcome {
        panic!("{failure}\n{runner}");
    }
    println!("beside its reference, {name}: {cases} scenarios");
}
