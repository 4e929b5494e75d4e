//! Data of a length chosen at run time: locks of slices, and blocks of bytes.

use super::locks::EITHER;
use super::operation::{Operation, operation};
use outlive::{LockError, Mutex, RwLock, SharedMemory};
use std::hint::black_box;

/// Changes two elements, which are equal before and after.
fn change(elements: &mut [u64]) {
    elements[0] += 1;
    black_box(&mut *elements)[1] += 1;
}

fn is_whole(elements: &[u64]) -> bool {
    elements.len() == 2 && elements[0] == elements[1]
}

pub(super) fn operations() -> Vec<Box<dyn Operation>> {
    vec![
        Box::new(
            operation("Mutex", "lock of a slice, update of its elements, unlock", |_| {
                Mutex::<[u64]>::anonymous(2, |_zeros| {}).expect("a segment")
            })
            .victim(|s| {
                s.segment().attach().expect("room");
                s.dies_in(|| change(&mut s.lock().expect("free")));
            })
            .after("newcomer", |s| match s.lock() {
                Ok(elements) if is_whole(&elements) => Ok("ok"),
                Err(LockError::OwnerDied(left)) if left.get_ref().len() == 2 => Ok("owner died"),
                other => Err(format!("half an update that was not reported: {other:?}")),
            })
            .sees(EITHER),
        ),
        Box::new(
            operation("RwLock", "write to a slice, update of its elements, unlock", |_| {
                RwLock::<[u64]>::anonymous(2, |_zeros| {}).expect("a segment")
            })
            .victim(|s| {
                s.segment().attach().expect("room");
                s.dies_in(|| change(&mut s.write().expect("free")));
            })
            .after("newcomer", |s| match s.read() {
                Ok(elements) if is_whole(&elements) => Ok("ok"),
                Err(LockError::OwnerDied(left)) if left.get_ref().len() == 2 => Ok("owner died"),
                other => Err(format!("half an update that was not reported: {other:?}")),
            })
            .sees(EITHER),
        ),
        Box::new(
            operation("SharedMemory", "write_at, over three words", |_| {
                SharedMemory::anonymous(24).expect("a segment")
            })
            .victim(|s| s.dies_in(|| s.write_at(5, &[1; 14]).expect("within the block")))
            .after("newcomer", |s| {
                let bytes = s.to_vec();
                let parts = [&bytes[5..8], &bytes[8..16], &bytes[16..19]];
                let is_outside_untouched = bytes[..5] == [0; 5] && bytes[19..] == [0; 5];
                match parts.map(|part| part.iter().all(|byte| *byte == part[0]).then_some(part[0])) {
                    [Some(0), Some(0), Some(0)] if is_outside_untouched => Ok("nothing"),
                    [Some(1), Some(1), Some(1)] if is_outside_untouched => Ok("all"),
                    [Some(_), Some(_), Some(_)] if is_outside_untouched => Ok("some words"),
                    _ => Err(format!("a part of a word was written, or another word: {bytes:?}")),
                }
            })
            .sees(&["newcomer nothing", "newcomer some words", "newcomer all"]),
        ),
    ]
}
