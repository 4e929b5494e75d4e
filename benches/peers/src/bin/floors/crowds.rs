//! Many processes sleep, and all are woken at once: on one word each, and on 128.

use super::Failure;
use super::rounds::{Column, Variant, compare};
use super::sleeps::{MOST_WORDS, Sleep, Words, wake};
use outlive::Segment;
use outlive_benches::process::monotonic_nanoseconds;
use outlive_peers::compare::crowd::{Control, Crowd};
use std::time::Duration;

/// Sleepers, and on how many words each of them sleeps.
const CROWDS: [(&str, usize, usize); 6] = [
    ("64, on one word", 64, 1),
    ("64, on 3 words", 64, 3),
    ("64, on 128 words", 64, MOST_WORDS),
    ("250, on one word", 250, 1),
    ("250, on 128 words", 250, MOST_WORDS),
    ("1, on one word", 1, 1),
];

/// Measures.
///
/// # Errors
/// A process or a segment cannot be made.
pub(crate) fn measure(rounds: usize) -> Result<String, Failure> {
    let words = Segment::<Words>::anonymous(|_zero| {})?;
    let crowds = CROWDS.map(|(_, sleepers, count)| {
        let words = &words;
        let act = move |_: u32, control: &Control| {
            // All sleep on the same 128 words, as those do that watch each other.
            Sleep { looks: 0, words: count, ends: false }.wait_while(words, control.round() * 2);
            control.runs();
        };
        Crowd::of(sleepers, &act)
    });
    let crowds = crowds.into_iter().collect::<Result<Vec<_>, _>>()?;
    let words = &*words;
    let mut variants: Vec<Variant<'_>> = vec![];
    for ((name, ..), crowd) in CROWDS.iter().zip(&crowds) {
        variants.push((name, Box::new(move || woken(words, crowd))));
    }
    let columns = [Column::Times("until all run"), Column::Times("the waker's own call")];
    compare("crowds: many sleepers are woken at once", &columns, variants, rounds)
}

fn woken(words: &Words, crowd: &Crowd) -> Result<Vec<f64>, Failure> {
    wake(words, (crowd.round() + 1) * 2, 0);
    crowd.fall_asleep(0)?;
    let begun = monotonic_nanoseconds();
    wake(words, 1, i32::MAX);
    let called = monotonic_nanoseconds();
    let moments = crowd.end(Duration::from_secs(5))?;
    Ok(vec![moments.last.saturating_sub(begun) as f64, (called - begun) as f64])
}
