//! The parts of a hold's word that only this crate sees.

use super::*;
use proptest::prelude::*;

proptest! {
    #![proptest_config(crate::raw::random_cases())]

    #[test]
    fn a_word_that_is_consistent_has_no_cause(word in any::<u32>()) {
        let cause = Cause::nameless_in(word);
        prop_assert_eq!(cause, if word & INCONSISTENT == 0 { 0 } else { word & (INCONSISTENT | PANICKED) });
        let free = word & !HELD;
        let nameless = Cause::from_free_word(free).map(|cause| match cause {
            Cause::Died(_) => Cause::Died(None).word(),
            Cause::Panicked(_) => Cause::Panicked(None).word(),
        });
        prop_assert_eq!(nameless.unwrap_or(0), Cause::nameless_in(free));
    }
}
