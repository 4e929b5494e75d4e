//! The part of a thread's robust list that holds its lifelines: it lies between two anchors.
//!
//! From the list's head on, the kernel finds:
//!
//! ```text
//! head → newer robust mutexes → anchor → lifelines, newest first → anchor → older ones → head
//! ```
//!
//! The C library links a mutex in at the head. It changes the links of that mutex's neighbours when
//! it locks and unlocks the mutex, and no others. So no neighbour of a lifeline is ever the C
//! library's, and an anchor's links are all that it and this module share. The anchors lie in
//! memory that is private to the process, and that is never freed. What else there is to know of
//! glibc and of musl, [`neighbour`](super::neighbour) tells.
//!
//! # Invariants
//!
//! 1. The [`Place`]s, in private memory, say in which order the lifelines are linked. This process
//!    never reads a link in a segment: other processes may have written anything there.
//! 2. This process writes to the anchors and to the nodes of linked places, and nowhere else. Their
//!    memory is mapped and writable, by the contract of [`Anchors::link`].
//! 3. At every instruction, the kernel finds either the old list or the new one. A single store, to
//!    the `next` link of the newer neighbour, makes the change.
//!
//! That store also repairs the link, if another process has written there. A thread that ends by
//! itself first repairs all its links, see [`Anchors::repair`].
//!
//! # How many entries
//!
//! The kernel follows 2,048 entries, newest first, and ignores the rest. A registration fails
//! before the list becomes that long, see [`Anchors::check_room`]. All entries count: the two
//! anchors, the lifelines, the robust mutexes that the thread holds, and the lifelines of a second
//! copy of this crate.

#[cfg(target_env = "musl")]
use super::neighbour::Parting;
use super::neighbour::{RobustNode, write_link};
use super::own_memory::OwnMemory;
use super::robust::{Head, with_signals_blocked};
use crate::platform::WAKE_AT_DEATH;
use core::ptr;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicPtr, AtomicUsize, Ordering, compiler_fence};

#[cfg(test)]
mod tests;

/// How many entries of a list the kernel follows. This is the kernel's name for it.
pub(crate) const ROBUST_LIST_LIMIT: usize = 2048;
/// How many of these entries are kept free, for robust mutexes that the thread locks after its last
/// registration.
const RESERVED: usize = 46;

// ORDERING of all accesses: Relaxed, with compiler fences between. Only this thread changes its
// stretch of the list, and the kernel walks it in this thread's own exit: program order is all
// there is. Atomics because the kernel reads the links, because the C library writes to the
// anchors, and because records are used anew by later threads.
pub(super) const PRIVATE: Ordering = Ordering::Relaxed;

/// A thread's private record of one node in its list. It is never freed.
#[derive(Debug)]
pub(crate) struct Place {
    /// Null while the place is not linked.
    node: AtomicPtr<RobustNode>,
    newer: AtomicPtr<Place>,
    older: AtomicPtr<Place>,
    anchors: AtomicPtr<Anchors>,
}

impl Place {
    /// A place that is not linked.
    pub(crate) const fn empty() -> Self {
        Self {
            node: AtomicPtr::new(ptr::null_mut()),
            newer: AtomicPtr::new(ptr::null_mut()),
            older: AtomicPtr::new(ptr::null_mut()),
            anchors: AtomicPtr::new(ptr::null_mut()),
        }
    }

    /// Forgets the node that an earlier thread left here.
    pub(crate) fn clear(&self) {
        self.node.store(ptr::null_mut(), PRIVATE);
    }

    /// # Safety
    /// The place is linked, in the calling thread's list.
    unsafe fn node(&self) -> &RobustNode {
        // SAFETY: the node of a linked place is mapped, by the contract of `Anchors::link`; an
        // anchor's is never freed.
        unsafe { &*self.node.load(PRIVATE) }
    }

    /// # Safety
    /// The place is linked, or an anchor's, in the calling thread's list. It is not the place of
    /// the older anchor.
    unsafe fn older(&self) -> &'static Self {
        // SAFETY: a linked place has linked neighbours, and places are never freed.
        unsafe { &*self.older.load(PRIVATE) }
    }
}

/// The two entries around one thread's lifelines in its list, with their places. Never freed.
#[derive(Debug)]
pub(crate) struct Anchors {
    /// The newest entry first, as in the list.
    nodes: [RobustNode; 2],
    places: [Place; 2],
    /// The head of the list that the anchors are in, or were in last. Null at first.
    list: AtomicPtr<Head>,
    lifelines: AtomicUsize,
    #[cfg(target_env = "musl")]
    pub(super) parting: Parting,
}

/// Why no more lifelines are linked: the kernel might not follow the list to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Crowded {
    /// How many lifelines the thread has.
    pub(crate) lifelines: usize,
    /// How many entries are neither lifelines nor anchors.
    pub(crate) others: usize,
}

impl Anchors {
    /// Anchors that are in no list.
    pub(crate) const fn new() -> Self {
        Self {
            nodes: [RobustNode::unlinked(0), RobustNode::unlinked(0)],
            places: [Place::empty(), Place::empty()],
            list: AtomicPtr::new(ptr::null_mut()),
            lifelines: AtomicUsize::new(0),
            #[cfg(target_env = "musl")]
            parting: Parting::new(),
        }
    }

    /// Whether this list is where they are, or were last.
    pub(super) fn are_in(&self, list: NonNull<Head>) -> bool {
        self.list.load(PRIVATE) == list.as_ptr()
    }

    /// The first and the last entry of the stretch.
    #[cfg(target_env = "musl")]
    pub(super) fn nodes(&self) -> &[RobustNode; 2] {
        &self.nodes
    }

    /// The list that they are in, or were last.
    #[cfg(target_env = "musl")]
    pub(super) fn list(&self) -> *const Head {
        self.list.load(PRIVATE)
    }

    /// The caller has made that the list that they are in.
    #[cfg(target_env = "musl")]
    pub(super) fn move_to(&'static self, list: &'static Head) {
        self.list.store(ptr::from_ref(list).cast_mut(), PRIVATE);
    }

    /// The stretch has no lifelines any more. Nothing is written to those that it had.
    #[cfg(target_env = "musl")]
    pub(super) fn forget_lifelines(&'static self) {
        let ([newest, oldest], [first, last]) = (&self.nodes, &self.places);
        newest.set_next(oldest.address());
        first.older.store(ptr::from_ref(last).cast_mut(), PRIVATE);
        last.newer.store(ptr::from_ref(first).cast_mut(), PRIVATE);
        self.lifelines.store(0, PRIVATE);
    }

    /// Puts them into the calling thread's list, with nothing between.
    ///
    /// # Safety
    /// `list` is the calling thread's. The anchors are in no list of a living thread, and only this
    /// thread uses them.
    pub(crate) unsafe fn moor(&'static self, list: NonNull<Head>) {
        // SAFETY: passed on.
        with_signals_blocked(|| unsafe { self.insert_at(list) });
    }

    /// The body of [`Anchors::moor`], for a caller that has blocked all signals.
    ///
    /// # Safety
    /// As for `moor`.
    unsafe fn insert_at(&'static self, list: NonNull<Head>) {
        // SAFETY: the list is the calling thread's and outlives this call.
        let head = unsafe { list.as_ref() };
        let ([newest, oldest], [first, last]) = (&self.nodes, &self.places);
        for (place, node) in [(first, newest), (last, oldest)] {
            place.node.store(ptr::from_ref(node).cast_mut(), PRIVATE);
            place.anchors.store(ptr::from_ref(self).cast_mut(), PRIVATE);
        }
        first.older.store(ptr::from_ref(last).cast_mut(), PRIVATE);
        last.newer.store(ptr::from_ref(first).cast_mut(), PRIVATE);
        self.list.store(list.as_ptr(), PRIVATE);
        self.lifelines.store(0, PRIVATE);

        let below = head.first.load(PRIVATE);
        newest.set_previous(list.as_ptr() as u64);
        newest.set_next(oldest.address());
        oldest.set_previous(newest.address());
        oldest.set_next(below);
        compiler_fence(Ordering::SeqCst);
        if below & !1 != list.as_ptr() as u64 {
            // SAFETY: the C library's head, which is private memory, names a robust mutex that this
            // thread holds, by its next link. Its previous link lies right before that.
            unsafe { write_link((below & !1) - 8, oldest.address()) };
        }
        head.first.store(newest.address(), PRIVATE);
        compiler_fence(Ordering::SeqCst);
    }

    /// Checks that the kernel would find all entries of the list, were `more` lifelines linked.
    ///
    /// # Errors
    /// [`Crowded`] if it might not.
    ///
    /// # Safety
    /// The anchors are in the calling thread's list.
    pub(crate) unsafe fn check_room(&self, more: usize) -> Result<(), Crowded> {
        let lifelines = self.lifelines.load(PRIVATE);
        // SAFETY: passed on.
        let others = unsafe { self.entries_of_others() };
        let all = others + self.nodes.len() + lifelines + more;
        if all > ROBUST_LIST_LIMIT - RESERVED { Err(Crowded { lifelines, others }) } else { Ok(()) }
    }

    /// Writes the links of all lifelines again, as the kernel is to find them. Another process may
    /// have written there.
    ///
    /// # Safety
    /// The anchors are the calling thread's.
    pub(crate) unsafe fn repair(&self) {
        with_signals_blocked(|| {
            let [first, last] = &self.places;
            let mut place = first;
            while !ptr::eq(place, last) {
                // SAFETY: the place is linked, or an anchor's, in the calling thread's list.
                let (node, older) = unsafe { (place.node(), place.older()) };
                // SAFETY: as above.
                node.set_next(unsafe { older.node() }.address());
                place = older;
            }
        });
    }

    /// How many entries are newer or older than the anchors.
    ///
    /// # Safety
    /// The anchors are in the calling thread's list.
    unsafe fn entries_of_others(&self) -> usize {
        if self.are_apart() {
            return 1; // the others come behind it
        }
        let [newest, oldest] = &self.nodes;
        let list = self.list.load(PRIVATE);
        // SAFETY: the list is the calling thread's, which is running.
        let first = unsafe { &*list }.first.load(PRIVATE);
        entries_between(first, newest.address()) + entries_between(oldest.next(), list as u64)
    }

    /// Puts `owner` (a thread or process id) into the node's word, and the node into the calling
    /// thread's list.
    ///
    /// `covered`: if the thread is killed at any instruction of this call, the word either has no
    /// owner yet, or gets marked. `list_op_pending` covers the time when the word has its owner but
    /// is not yet in the list. The kernel processes that entry last of all. So the second node of a
    /// slot must not be covered: the kernel would come to it after the mark on the first node has
    /// allowed others to take the slot.
    ///
    /// # Safety
    /// The anchors are in the calling thread's list. `place` is not linked, and stays this thread's
    /// while it is linked. The node is in no list, and its memory stays mapped and writable until
    /// the thread has ended or unlinked it. The word has no owner: if it held another thread's id,
    /// `pending` could get that thread's word marked.
    pub(crate) unsafe fn link(&'static self, place: &'static Place, node: &RobustNode, owner: u32, covered: bool) {
        // SAFETY: passed on.
        with_signals_blocked(|| unsafe { self.insert(place, node, owner, covered) });
    }

    /// The body of [`Anchors::link`], for a caller that has blocked all signals.
    ///
    /// # Safety
    /// As for `link`.
    unsafe fn insert(&'static self, place: &'static Place, node: &RobustNode, owner: u32, covered: bool) {
        let [first, _] = &self.places;
        // SAFETY: the anchors are in the calling thread's list.
        let (head, older) = unsafe { (&*self.list.load(PRIVATE), first.older()) };
        // SAFETY: a neighbour in the list.
        let next = unsafe { older.node() }.address();
        if covered {
            head.pending.store(node.address(), PRIVATE);
        }
        compiler_fence(Ordering::SeqCst);
        // ORDERING: Release. Pairs with the Acquire of a sleeper that collects lifelines: it sees
        // the facts in the slot.
        node.word.store(owner | WAKE_AT_DEATH, Ordering::Release);
        node.set_next(next);
        compiler_fence(Ordering::SeqCst);
        self.nodes[0].set_next(node.address());
        compiler_fence(Ordering::SeqCst);
        if covered {
            head.pending.store(0, PRIVATE);
        }
        place.node.store(ptr::from_ref(node).cast_mut(), PRIVATE);
        place.anchors.store(ptr::from_ref(self).cast_mut(), PRIVATE);
        place.newer.store(ptr::from_ref(first).cast_mut(), PRIVATE);
        place.older.store(ptr::from_ref(older).cast_mut(), PRIVATE);
        older.newer.store(ptr::from_ref(place).cast_mut(), PRIVATE);
        first.older.store(ptr::from_ref(place).cast_mut(), PRIVATE);
        self.lifelines.store(self.lifelines.load(PRIVATE) + 1, PRIVATE);
    }
}

/// Takes the place's node out of the calling thread's list, if the place is linked. The node's word
/// stays as it is.
///
/// # Safety
/// If the place is linked, it is in the calling thread's list.
pub(crate) unsafe fn unlink(place: &Place) {
    // SAFETY: passed on.
    with_signals_blocked(|| unsafe { take_out(place) });
}

/// The body of [`unlink`], for a caller that has blocked all signals.
///
/// # Safety
/// As for `unlink`.
unsafe fn take_out(place: &Place) {
    if place.node.load(PRIVATE).is_null() {
        return;
    }
    // SAFETY: a linked place has linked neighbours and anchors, which are never freed.
    let (newer, older, anchors) =
        unsafe { (&*place.newer.load(PRIVATE), place.older(), &*place.anchors.load(PRIVATE)) };
    // SAFETY: both are linked in the calling thread's list.
    let (newer_node, older_node) = unsafe { (newer.node(), older.node()) };
    newer_node.set_next(older_node.address());
    compiler_fence(Ordering::SeqCst);
    newer.older.store(ptr::from_ref(older).cast_mut(), PRIVATE);
    older.newer.store(ptr::from_ref(newer).cast_mut(), PRIVATE);
    place.node.store(ptr::null_mut(), PRIVATE);
    anchors.lifelines.store(anchors.lifelines.load(PRIVATE) - 1, PRIVATE);
}

/// How many entries there are from the one at `next` on, before the one at `end`.
///
/// The entries are not this crate's, and their links may lie in memory to which other processes
/// write. So the kernel reads the links. The count ends where the kernel cannot read, and at the
/// limit up to which it would follow the list itself.
fn entries_between(mut next: u64, end: u64) -> usize {
    let mut memory = OwnMemory::default();
    let mut found = 0;
    while next & !1 != end && found < ROBUST_LIST_LIMIT {
        found += 1;
        let mut link = [0; 8];
        if memory.read((next & !1) as usize, &mut link).is_err() {
            break;
        }
        next = u64::from_ne_bytes(link);
    }
    found
}
