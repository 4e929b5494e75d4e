//! A list that only grows: where are the records of this process, which are reused and never freed?

#![allow(clippy::disallowed_types)] // process-local bookkeeping, never in shared memory, never in an algorithm

use crate::atomic::AtomicPtr;
use core::ptr;
use core::sync::atomic::Ordering::{AcqRel, Acquire};

/// A list whose nodes are leaked.
#[derive(Debug)]
pub(super) struct List<N: 'static>(AtomicPtr<Node<N>>);

#[derive(Debug)]
struct Node<N> {
    next: *const Node<N>,
    value: N,
}

impl<N: Sync> List<N> {
    pub(super) const fn new() -> Self {
        Self(AtomicPtr::new(ptr::null_mut()))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &'static N> + use<N> {
        let mut node = self.0.load(Acquire).cast_const(); // ORDERING: Acquire; pairs with the push.
        core::iter::from_fn(move || {
            // SAFETY: nodes are leaked, so the pointer is null or valid forever. A node is complete
            // before it is published.
            let found: &'static Node<N> = unsafe { node.as_ref() }?;
            node = found.next;
            Some(&found.value)
        })
    }

    /// Puts a value into the list, in a new node.
    pub(super) fn push(&self, value: N) -> &'static N {
        let mut first = self.0.load(Acquire);
        let node = Box::leak(Box::new(Node { next: first, value }));
        loop {
            node.next = first;
            // ORDERING: Release publishes the node. Acquire on failure allows this node to link to
            // what it sees.
            match self.0.compare_exchange_weak(first, node, AcqRel, Acquire) {
                Ok(_) => return &node.value,
                Err(now) => first = now,
            }
        }
    }
}
