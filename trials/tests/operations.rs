//! Each raw primitive beside its reference: random operations, deaths at any step, sleeps in which the others act.

use arbitrary::{Arbitrary, Unstructured};
use outlive_trials::barrier::BarrierTrial;
use outlive_trials::condvar::HeapTrial;
use outlive_trials::event::EventTrial;
use outlive_trials::mutex::MutexTrial;
use outlive_trials::once::OnceTrial;
use outlive_trials::operations::{Scenario, Trial, run};
use outlive_trials::permits::PermitsTrial;
use outlive_trials::reentrant::ReentrantTrial;
use outlive_trials::reference::Reference;
use outlive_trials::rwlock::RwLockTrial;
use outlive_trials::semaphore::SemaphoreTrial;
use proptest::prelude::*;

/// Bytes of a scenario: Miri is a thousand times slower.
const LONGEST: usize = if cfg!(miri) { 100 } else { 400 };

type Operation<T> = <<T as Trial>::Reference as Reference>::Operation;

/// Scenarios as the fuzzer makes them, from bytes: so that each operation is described once, and shrinks as its bytes do.
fn scenarios<T: Trial>() -> impl Strategy<Value = Scenario<Operation<T>>> {
    let decode = |bytes: Vec<u8>| Scenario::arbitrary(&mut Unstructured::new(&bytes)).ok();
    proptest::collection::vec(any::<u8>(), 16..LONGEST).prop_filter_map("no scenario", decode)
}

/// **A primitive is registered here**, under its name.
macro_rules! beside_its_reference {
    ($($name:ident: $trial:ty;)*) => {
        proptest! {
            #![proptest_config(ProptestConfig {
                cases: if cfg!(miri) { 5 } else { 2_000 },
                failure_persistence: None,
                ..ProptestConfig::default()
            })]
            $(
                #[test]
                fn $name(scenario in scenarios::<$trial>()) {
                    run::<$trial>(scenario);
                }
            )*
        }
    };
}

beside_its_reference! {
    mutex: MutexTrial;
    semaphore: SemaphoreTrial;
    permits: PermitsTrial;
    event: EventTrial<false>;
    event_that_resets_itself: EventTrial<true>;
    rwlock: RwLockTrial;
    reentrant: ReentrantTrial;
    condvar: HeapTrial;
    barrier: BarrierTrial;
    once: OnceTrial;
}
