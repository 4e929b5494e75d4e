//! Which threads are known to be gone.

#![allow(clippy::disallowed_methods)] // threads are asked for by their ids

use super::*;
use proptest::prelude::*;

proptest! {
    #![proptest_config(crate::raw::random_cases())]

    #[test]
    fn two_namespaces_never_have_the_same_tag(
        one in any::<u32>(),
        other in prop_oneof![any::<u32>(), 0xefff_fff0..=u32::MAX],
    ) {
        let of = |namespace| Tag::of(namespace, 0, 0).namespace();
        prop_assert!(of(one) == 0 || one == other || of(one) != of(other));
    }

    #[test]
    fn a_tag_fits_into_a_claim(namespace in any::<u32>(), time in any::<u32>(), start in any::<u64>()) {
        let tag = Tag::of(namespace, time, start);
        prop_assert!(tag.0 < 1 << 24);
        prop_assert_eq!(tag.namespace(), Tag::of(namespace, 0, 0).namespace());
    }
}

/// An earlier fault: the namespace was known by a hash of 12 bits, so that two of about 4,096
/// namespaces looked the same.
#[test]
fn the_namespaces_of_the_kernel_have_numbers_of_their_own() {
    let first = Tag::of(0xefff_fffc, 0, 7);
    assert!(first.namespace() != 0, "the first PID namespace (PROC_PID_INIT_INO) is known");
    let numbers = if cfg!(miri) { 5_000 } else { 500_000 }; // Miri is slow
    for number in (0xf000_0000..).take(numbers) {
        assert!(!matches!(Tag::of(number, 0, 7).namespace(), 0 | 12), "{number:x}");
    }
}

#[test]
fn a_start_in_another_time_namespace_proves_nothing() {
    assert_eq!(Tag::of(1, 0xf000_0007, 5).start(), 0);
    assert_eq!(Tag::of(1, 0xefff_fffa, 0).start(), 0);
    for start in 1..100 {
        assert!(Tag::of(1, 0xefff_fffa, start).start() != 0);
    }
}

#[test]
#[cfg_attr(miri, ignore = "Miri has no /proc")]
fn a_claimer_is_gone_only_after_it_has_ended_even_if_another_thread_has_its_id() {
    let me = Myself::current();
    let tag = me.tag();
    assert!(!me.knows_gone(me.thread_id, tag), "the claimer lives");
    let ended = std::thread::spawn(Myself::current).join().expect("no panic");
    while !thread_has_ended(ended.thread_id) {
        std::thread::yield_now(); // a thread can be joined a moment before the kernel forgets it
    }
    assert!(me.knows_gone(ended.thread_id, ended.tag()));
    // The same thread id with another start: the claimer is gone, if its start is known.
    let known = Tag(tag);
    let another_start = Tag(known.0 & !(0xf << 20) | (known.start() % 15 + 1) << 20);
    assert_eq!(me.knows_gone(me.thread_id, another_start.0), known.start() != 0);
    let unknown_start = Tag(known.namespace());
    assert!(!me.knows_gone(me.thread_id, unknown_start.0));
    // A claimer in another namespace, known or not, may be alive.
    for namespace in [0, known.namespace() ^ 1] {
        assert!(!me.knows_gone(ended.thread_id, namespace));
        assert!(!me.knows_gone(me.thread_id, another_start.0 & !Tag::NAMESPACE | namespace));
    }
}

#[test]
#[cfg_attr(miri, ignore = "Miri has no /proc")]
fn the_directory_of_a_process_has_a_link_for_each_thread() {
    use std::process::{Command, Stdio};
    let links = |process| fs::metadata(format!("/proc/{process}/task")).expect("it lives").nlink();
    let mut other = Command::new("cat").stdin(Stdio::piped()).spawn().expect("a program without threads");
    assert_eq!(links(other.id()), 3);
    drop(other.stdin.take());
    assert!(other.wait().expect("it ends").success());
    let ours = std::thread::spawn(move || links(std::process::id())).join().expect("no panic");
    assert!(ours >= 2 + 2, "this thread, and the one that counted: {ours} links");
}
