//! Interruptible scopes. A victim killed during an interruption died either while it waited or
//! after it had left.

use super::barrier::{MOST_PARTIES, PARTIES, Shared, abort_unless_it_came, last, script, victim, wait};
use super::operation::{Operation, Script};
use outlive::{Interrupter, Segment, interruptible, interruptible_by};

fn two_wait(name: &str) -> Script<Segment<Shared>> {
    script(name, MOST_PARTIES).before("observer", abort_unless_it_came).before("first", wait).before("second", wait)
}

pub(super) fn operations() -> Vec<Box<dyn Operation>> {
    const { assert!(PARTIES < MOST_PARTIES) };
    vec![
        last(
            two_wait("interruptible_by, a barrier's wait, interrupted at once, while two wait")
                .victim(victim(|s| {
                    let stop = Interrupter::new();
                    stop.interrupt();
                    s.dies_in(|| interruptible_by(&stop, || s.barrier.wait()));
                }))
                .sees(&["first saw a death", "observer aborted"]),
        ),
        last(
            two_wait("interruptible, a barrier's wait_timeout, times out, while two wait")
                .victim(victim(|s| s.dies_in(|| interruptible(|| s.barrier.wait_timeout(s.timeout())))))
                .sleeps_briefly()
                .sleeps(1)
                .sees(&[
                    "observer found it decided, first saw it broken, second saw it broken",
                    "first saw a death",
                    "observer aborted",
                ]),
        ),
    ]
}
