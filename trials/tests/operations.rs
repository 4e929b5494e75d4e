//! Each raw primitive, compared with its reference: random operations, deaths at any step, and
//! sleeps during which the others act.

mod beside;

use arbitrary::{Arbitrary, Unstructured};
use outlive_trials::barrier::BarrierTrial;
use outlive_trials::condvar::HeapTrial;
use outlive_trials::event::EventTrial;
use outlive_trials::message_queue::MessagesTrial;
use outlive_trials::mutex::MutexTrial;
use outlive_trials::once::OnceTrial;
use outlive_trials::operations::{Deed, Scenario, Step, Trial, run};
use outlive_trials::permit_pool::PermitsTrial;
use outlive_trials::pipe::PipeTrial;
use outlive_trials::queue::QueueTrial;
use outlive_trials::reentrant::ReentrantTrial;
use outlive_trials::reference::Reference;
use outlive_trials::rwlock::RwLockTrial;
use outlive_trials::semaphore::SemaphoreTrial;
use outlive_trials::task_queue::TaskQueueTrial;
use proptest::prelude::*;

/// The longest scenario, in bytes. Miri is a thousand times slower.
const LONGEST: usize = if cfg!(miri) { 100 } else { 400 };

type Operation<T> = <<T as Trial>::Reference as Reference>::Operation;

/// Scenarios made from bytes, as the fuzzer makes them. So each operation is described once, and
/// scenarios shrink as their bytes do.
fn scenarios<T: Trial>() -> impl Strategy<Value = Scenario<Operation<T>>> {
    let decode = |bytes: Vec<u8>| Scenario::arbitrary(&mut Unstructured::new(&bytes)).ok();
    proptest::collection::vec(any::<u8>(), 16..LONGEST).prop_filter_map("no scenario", decode)
}

/// **A primitive is registered here**, under its name.
macro_rules! beside_its_reference {
    ($($name:ident: $trial:ty;)*) => {
        $(
            #[test]
            fn $name() {
                let cases = if cfg!(miri) { 5 } else { 5_000 };
                beside::its_reference(stringify!($name), cases, scenarios::<$trial>(), run::<$trial>);
            }
        )*
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
    queue: QueueTrial<3>;
    queue_of_one_cell: QueueTrial<1>;
    message_queue: MessagesTrial<3, 3>;
    message_queue_of_one_cell: MessagesTrial<1, 2>;
    pipe: PipeTrial<8>;
    pipe_of_one_message: PipeTrial<4>;
    task_queue: TaskQueueTrial<3, 0>;
    task_queue_with_attempts: TaskQueueTrial<3, 2>;
    task_queue_of_one_slot: TaskQueueTrial<1, 0>;
}

/// A fault that was there once: an initialiser gave up, and woke one of two waiters. Before that
/// waiter ran, another participant completed the once, and found nobody to wake.
#[test]
fn a_waiter_woken_by_an_initialiser_that_gave_up_finds_it_complete_and_wakes_the_others() {
    use outlive_trials::once::Operation;
    for last_first in [false, true] {
        let step = |seat, operation| Step { seat, deed: Deed::Do(operation) };
        let steps = vec![
            // Both register first, because a newcomer would wake sleepers.
            step(1, Operation::IsComplete),
            step(2, Operation::IsComplete),
            step(0, Operation::Begin),
            step(1, Operation::Begin), // sleeps
            step(2, Operation::Begin), // sleeps
            step(0, Operation::GiveUp),
            step(0, Operation::Call),
        ];
        run::<OnceTrial>(Scenario { first_phase: false, last_first, lingers: true, steps });
    }
}

/// Found by the random scenarios; the reference did not know it. A party waits for a place. A reset
/// makes room, and its caller dies before it wakes the party. At its deadline the party checks once
/// more, arrives, and gives up. So it breaks the new generation.
#[test]
fn a_party_that_gets_a_place_at_its_deadline_breaks_the_barrier() {
    use outlive_trials::barrier::Operation::{IsBroken, Reset, Wait, WaitToRun};
    let step = |seat, deed| Step { seat, deed };
    for life in 0..32 {
        let steps = vec![
            // All register first, because a newcomer would wake sleepers.
            step(0, Deed::Do(IsBroken)),
            step(1, Deed::Do(IsBroken)),
            step(2, Deed::Do(IsBroken)),
            step(1, Deed::Do(Wait)),
            step(0, Deed::Do(WaitToRun)),
            step(2, Deed::DoFor(Wait, 1)),
            step(0, Deed::DieAt(Reset, life)),
            step(2, Deed::Do(IsBroken)),
        ];
        run::<BarrierTrial>(Scenario { first_phase: false, last_first: false, lingers: true, steps });
    }
}
