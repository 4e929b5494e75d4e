//! Mutex: besides what it has in common with the [other locks](super::locks).

use super::locks::{self, EITHER};
use super::operation::{Operation, operation};
use outlive::{LockError, Mutex, Segment};
use std::hint::black_box;

type Pair = Segment<Mutex<[u64; 2]>>;

pub(super) fn operations() -> Vec<Box<dyn Operation>> {
    let mut operations = locks::operations::<Mutex<()>>();
    operations.extend([
        // SAFETY: nothing of the leaked guard is used.
        locks::lock_leaked(|mutex: &Mutex<()>| core::mem::forget(unsafe { mutex.lock_leaked() })),
        locks::newcomer(
            locks::script::<Mutex<()>>("lock, held by the caller itself")
                .victim(|s| {
                    let _guard = s.lock.lock().expect("free");
                    s.dies_in(|| s.lock.lock());
                })
                .sees(&["newcomer owner died"]),
        ),
        Box::new(
            operation("Mutex", "lock, update of its data, unlock", |_| Pair::anonymous(|_| {}).expect("a segment"))
                .joined_victim(|s| {
                    s.dies_in(|| {
                        let mut pair = s.lock().expect("free");
                        pair[0] += 1;
                        black_box(&mut *pair)[1] += 1;
                    });
                })
                .after("newcomer", |s| match s.lock() {
                    Ok(pair) if pair[0] == pair[1] => Ok("ok"),
                    Err(LockError::OwnerDied(_)) => Ok("owner died"),
                    other => Err(format!("half an update that was not reported: {other:?}")),
                })
                .sees(EITHER),
        ),
    ]);
    operations
}
