//! A pipe's words, compared with plain numbers; words that nobody wrote; and what a waiter does,
//! step by step: its last check, and who is woken by whom.

use super::*;
use crate::platform::puppet::{DEADLINE, Puppet, Scene, Sleep, id_of, play, scene, still_ending};
use crate::platform::{Lifeline as _, WAKE_AT_DEATH};
use proptest::prelude::*;
use std::cell::Cell;
use std::rc::Rc;

type Word32 = <Puppet as Platform>::Word;
type Long = <Puppet as Platform>::Word64;

#[derive(Debug)]
struct Ring<const N: usize>([Long; N]);

impl<const N: usize> Words<Puppet> for Ring<N> {
    fn count(&self) -> u64 {
        N as u64
    }
    fn word(&self, position: u64) -> &Long {
        &self.0[position as usize % N]
    }
}

/// A pipe with its ring, and ends that the test has.
#[derive(Debug)]
struct Whole<const N: usize> {
    pipe: Pipe<Puppet>,
    ring: Ring<N>,
}

impl<const N: usize> Whole<N> {
    /// With these words: tail and head, then frames, room, sender, receiver, then the ring.
    fn of(tail: u64, head: u64, words: [u32; 4], ring: [u64; N]) -> Rc<Self> {
        let pipe = Pipe::from_words(Long::new(tail), Long::new(head), words.map(Word32::new));
        Rc::new(Self { pipe, ring: Ring(ring.map(Long::new)) })
    }
    fn empty() -> Rc<Self> {
        Self::of(0, 0, [0; 4], [0; N])
    }
    fn lane(&self) -> Lane<'_, Puppet, Ring<N>> {
        self.pipe.with(&self.ring)
    }
    fn rare(&self) -> &Rare<Puppet> {
        &self.pipe.rare.0
    }
    /// Publishes a frame of so many bytes at this position.
    fn publish_at(&self, at: u64, bytes: u64) {
        let mut sender = sender_at(at, 0);
        let frame = self.lane().frame(&sender, bytes, false);
        self.lane().publish(&mut sender, frame);
    }
    /// Finishes whatever lies before this position.
    fn finish_to(&self, position: u64) {
        self.lane().go_on_at(&mut receiver_at(0), position);
    }
    fn receive(&self, scenes: Vec<Scene>) -> (Result<Frame, NotReady>, Vec<u32>) {
        let (answer, wakes) = play(3, scenes, |me| self.lane().next_frame(me, &mut receiver_at(0), Some(DEADLINE)));
        (answer, wakes.on(&self.rare().frames))
    }
    /// Waits for room for a frame of one word besides its header, behind all that the ring has.
    fn reserve(&self, scenes: Vec<Scene>) -> Result<(), NotReady> {
        let mut sender = sender_at(N as u64 - 1, 0);
        let frame = self.lane().frame(&sender, WORD, false);
        play(3, scenes, |me| self.lane().reserve(me, &mut sender, &frame, Some(DEADLINE))).0
    }
}

fn sender_at(at: u64, head: u64) -> Sender {
    Sender { holder: id_of(1), at, head, fetched: at }
}

fn receiver_at(at: u64) -> Receiver {
    Receiver { holder: id_of(1), at }
}

/// A sleep during which this happens.
fn meanwhile<const N: usize>(whole: &Rc<Whole<N>>, what: impl FnOnce(&Whole<N>, &Sleep<'_>) + 'static) -> Vec<Scene> {
    let whole = Rc::clone(whole);
    vec![scene(move |sleep| what(&whole, sleep))]
}

/// A slot that no participant has in these plays: its id is that of a dead one.
fn dead() -> Id {
    id_of(7)
}

proptest! {
    #![proptest_config(crate::raw::random_cases())]

    #[test]
    fn a_header_reads_as_it_was_written(at: u64, left in 0..=MOST_BYTES, continues: bool) {
        let whole = Whole::<16>::empty();
        let frame = whole.lane().frame(&sender_at(at, 0), left, continues);
        prop_assert_eq!(whole.lane().decode(at, frame.header()), Some(frame));
        prop_assert_eq!((frame.left(), frame.continues(), frame.bytes()), (left, continues, left.min(32)));
        prop_assert_eq!(frame.is_last(), left <= 32);
        prop_assert_eq!((frame.data(), frame.end()), (at.wrapping_add(1), at.wrapping_add(frame.words())));
        prop_assert_eq!(whole.lane().decode(at ^ 1 << 15, frame.header()), None);
        prop_assert!(frame.header() != 0);
    }

    #[test]
    fn a_header_that_nobody_wrote_is_none_or_one_within_the_ring(at: u64, header: u64) {
        let whole = Whole::<16>::empty();
        if let Some(frame) = whole.lane().decode(at, header) {
            prop_assert_eq!(frame.header(), header);
            prop_assert!(frame.words() <= 5);
        }
    }

    #[test]
    fn a_message_takes_the_words_of_its_frames(bytes in 0..2_000u64) {
        let whole = Whole::<16>::empty();
        let lane = whole.lane();
        let (mut left, mut words) = (bytes, 0);
        loop {
            let frame = lane.frame(&sender_at(0, 0), left, words > 0);
            words += frame.words();
            left -= frame.bytes();
            if frame.is_last() {
                break;
            }
        }
        prop_assert_eq!(lane.words_of_message(bytes), words);
        prop_assert_eq!(lane.can_have(words), bytes <= lane.most_bytes_at_once());
    }

    #[test]
    fn a_sender_that_fetches_ahead_changes_no_frame(at: u64, used in 0..64u64, fetched: u64) {
        let whole = Whole::<64>::of(0, 0, [0; 4], [u64::MAX; 64]);
        let head = at.wrapping_sub(used);
        let mut sender = Sender { fetched, ..sender_at(at, head) };
        whole.lane().fetch_ahead(&mut sender);
        for position in 0..=used {
            let word = whole.ring.word(head.wrapping_add(position)).load(Relaxed);
            prop_assert_eq!(word, u64::MAX, "{} of {}", position, used);
        }
    }

    /// Whatever the words are: each operation ends, and stays within the ring.
    #[test]
    fn words_that_nobody_wrote_end_nothing(
        tail: u64,
        head in prop_oneof![any::<u64>(), 0..20u64],
        words: [u32; 4],
        ring: [u64; 4],
        bytes in 0..50u64,
    ) {
        let whole = Whole::of(tail, head, words, ring);
        let lane = whole.lane();
        let _answers = play(3, vec![], |me| {
            if let Ok(mut receiver) = lane.take_receiver(me) {
                for _ in 0..5 {
                    match lane.try_next_frame(me, &mut receiver) {
                        Ok(frame) => lane.finish(&mut receiver, frame),
                        Err(NotReady::Malformed) => assert_eq!(receiver.at, tail, "it goes on where one will begin"),
                        Err(_) => break,
                    }
                }
                lane.give_back_receiver(&receiver);
            }
            if let Ok(mut sender) = lane.take_sender(me) {
                let frame = lane.frame(&sender, bytes, false);
                if lane.has_room_for(&mut sender, &frame) {
                    lane.publish(&mut sender, frame);
                }
                lane.give_back_sender(&sender);
            }
        });
    }
}

#[test]
fn the_ring_is_filled_to_its_last_word_but_one() {
    let whole = Whole::<8>::empty();
    let lane = whole.lane();
    let mut sender = sender_at(0, 0);
    assert!(lane.has_room(&mut sender, 7));
    assert_eq!(lane.most_bytes_at_once(), 32); // frames of three and three words
    sender.at = 5;
    assert!(lane.has_room(&mut sender, 2) && !lane.has_room(&mut sender, 3));
    whole.finish_to(5);
    assert!(lane.has_room(&mut sender, 7), "it has looked again");
    assert_eq!(sender.head, 5);
    sender.at = 4;
    assert!(!lane.has_room(&mut sender, 1), "a head that is ahead is nonsense");
}

fn most_at_once_fits_and_not_one_more<const N: usize>() {
    let whole = Whole::<N>::empty();
    let lane = whole.lane();
    let fits = |bytes| lane.can_have(lane.words_of_message(bytes));
    let most = lane.most_bytes_at_once();
    assert!(fits(most) && !fits(most + 1), "{most} bytes in {N} words");
    assert!(lane.can_have(N as u64 - 1) && !lane.can_have(N as u64));
}

#[test]
fn the_most_bytes_at_once_are_those_that_fit() {
    most_at_once_fits_and_not_one_more::<8>();
    most_at_once_fits_and_not_one_more::<9>();
    most_at_once_fits_and_not_one_more::<10>();
    most_at_once_fits_and_not_one_more::<11>();
    most_at_once_fits_and_not_one_more::<16>();
    most_at_once_fits_and_not_one_more::<64>();
}

#[test]
fn who_has_finished_a_frame_goes_on_behind_it() {
    let whole = Whole::<16>::empty();
    whole.publish_at(0, 8);
    let mut receiver = receiver_at(0);
    let frame = play(3, vec![], |me| whole.lane().try_next_frame(me, &mut receiver)).0.expect("it is there");
    whole.lane().finish(&mut receiver, frame);
    assert_eq!((receiver.at(), whole.lane().head().load(Relaxed)), (2, 2));
}

/// A receiver closed the pipe after it had made room.
#[test]
fn room_in_a_closed_pipe_is_not_reserved() {
    let whole = Whole::<16>::of(0, 0, [0, 0, 0, CLOSED], [0; 16]);
    let mut sender = sender_at(0, 0);
    let frame = whole.lane().frame(&sender, 8, false);
    let answers = play(3, vec![], |me| {
        let lane = whole.lane();
        (lane.try_reserve(me, &mut sender, 2), lane.reserve(me, &mut sender, &frame, Some(DEADLINE)))
    });
    assert_eq!(answers.0, (Err(NotReady::Closed), Err(NotReady::Closed)));
}

#[test]
fn there_is_room_for_a_frame_or_there_is_not() {
    let whole = Whole::<16>::empty();
    for (at, is_room) in [(12, true), (14, false)] {
        let mut sender = sender_at(at, 0);
        let frame = whole.lane().frame(&sender, 8, false);
        assert_eq!(whole.lane().has_room_for(&mut sender, &frame), is_room, "at {at}");
    }
}

#[test]
fn a_sender_fetches_the_next_lines_as_far_as_there_is_room() {
    /// The first and the last word that were written, and how many.
    fn fetched(at: u64, head: u64, fetched: u64) -> (u64, Option<usize>, Option<usize>, usize) {
        let whole = Whole::<64>::of(0, 0, [0; 4], [u64::MAX; 64]);
        let mut sender = Sender { fetched, ..sender_at(at, head) };
        whole.lane().fetch_ahead(&mut sender);
        let written = || (0..64).filter(|index| whole.ring.0[*index].load(Relaxed) == 0);
        (sender.fetched, written().next(), written().next_back(), written().count())
    }
    // Six lines of eight words; the sender's own line comes with its next frame.
    assert_eq!(fetched(0, 0, 0), (48, Some(8), Some(48), 6));
    assert_eq!(fetched(7, 0, 7), (48, Some(8), Some(48), 6));
    assert_eq!(fetched(8, 0, 7), (56, Some(16), Some(56), 6));
    // Not again before the sender comes to the last of them.
    assert_eq!(fetched(47, 40, 48), (48, None, None, 0));
    assert_eq!(fetched(0, 0, 48), (48, None, None, 0));
    assert_eq!(fetched(48, 40, 48).0, 96);
    // What the receiver has not read yet stays.
    assert_eq!(fetched(16, 7, 16), (16, None, None, 0));
    assert_eq!(fetched(16, 8, 16), (64, Some(0), Some(56), 6));
}

#[test]
fn only_a_receiver_that_was_given_back_is_closed() {
    for (word, closed) in [(0, false), (CLOSED, true), (id_of(1).word(), false), (2, false)] {
        let whole = Whole::of(0, 0, [0, 0, 0, word], [0; 4]);
        assert_eq!(whole.lane().is_receiver_closed(), closed, "{word}");
    }
}

#[test]
fn an_end_goes_on_where_its_owner_was() {
    let whole = Whole::<16>::of(40, 38, [0; 4], [0; 16]);
    let ends = play(3, vec![], |me| (whole.lane().take_sender(me), whole.lane().take_receiver(me))).0;
    assert_eq!(ends.0, Ok(Sender { holder: id_of(0), at: 40, head: 38, fetched: 40 }));
    assert_eq!(ends.1, Ok(Receiver { holder: id_of(0), at: 38 }));
    // The owner lives.
    let again = play(3, vec![], |me| (whole.lane().take_sender(me), whole.lane().take_receiver(me))).0;
    assert_eq!(again, (Err(NotTaken::Taken(id_of(0))), Err(NotTaken::Taken(id_of(0)))));
}

#[test]
fn a_sender_passes_the_frame_that_its_predecessor_had_just_published() {
    let whole = Whole::<16>::of(40, 40, [0, 0, dead().word(), 0], [0; 16]);
    whole.publish_at(40, 9);
    whole.lane().tail().store(40, Relaxed); // as if it had died before that
    let sender = play(3, vec![], |me| whole.lane().take_sender(me)).0;
    assert_eq!(sender, Ok(Sender { holder: id_of(0), at: 43, head: 40, fetched: 43 }));
    assert_eq!(whole.lane().tail().load(Relaxed), 43);
}

#[test]
fn an_end_that_was_given_back_is_closed_for_all() {
    let whole = Whole::<16>::empty();
    let answers = play(3, vec![], |me| {
        let (sender, receiver) = (whole.lane().take_sender(me).unwrap(), whole.lane().take_receiver(me).unwrap());
        whole.publish_at(0, 8);
        whole.lane().give_back_sender(&sender);
        let first = whole.lane().try_next_frame(me, &mut receiver_at(0)).map(|frame| frame.bytes());
        let then = whole.lane().try_next_frame(me, &mut receiver_at(2));
        whole.lane().give_back_receiver(&receiver);
        let room = whole.lane().try_reserve(me, &mut sender_at(20, 0), 8);
        assert_eq!((first, then, room), (Ok(8), Err(NotReady::Closed), Err(NotReady::Closed)));
        (whole.lane().take_sender(me), whole.lane().take_receiver(me))
    });
    assert_eq!(answers.0, (Err(NotTaken::Closed), Err(NotTaken::Closed)));
}

#[test]
fn garbage_is_passed_and_the_sender_learns_of_the_room() {
    let whole = Whole::<16>::of(7, 0, [0, WAITERS, 0, 0], [u64::MAX; 16]);
    let ((answer, receiver), wakes) = play(3, vec![], |me| {
        let mut receiver = receiver_at(0);
        (whole.lane().try_next_frame(me, &mut receiver), receiver)
    });
    assert_eq!((answer, receiver.at), (Err(NotReady::Malformed), 7));
    assert_eq!(whole.lane().head().load(Relaxed), 7);
    assert_eq!(wakes.on(&whole.rare().room), [u32::MAX]);
}

/// The stamp of a header has 16 bits. A header that was there one round ago is no frame now.
#[test]
fn a_receiver_goes_on_behind_frames_up_to_the_tail_and_no_further() {
    for (tail, is_sent) in [(99, false), (100, true), (102, true), (116, true), (117, false), (0, false)] {
        let whole = Whole::<16>::of(tail, 0, [0, WAITERS, 0, 0], [0; 16]);
        let frame = whole.lane().frame(&sender_at(100, 100), 8, true);
        let mut receiver = receiver_at(100);
        let (answer, wakes) = play(3, vec![], |_| whole.lane().finish_and_go_on(&mut receiver, frame));
        let (expected, at) = if is_sent { (Ok(()), 102) } else { (Err(NotReady::Malformed), tail) };
        assert_eq!((answer, receiver.at(), whole.lane().head().load(Relaxed)), (expected, at, at), "{tail}");
        assert_eq!(wakes.on(&whole.rare().room), [u32::MAX], "the sender learns of the room");
    }
}

#[test]
fn a_source_waits_for_as_much_room_as_the_sender_wants() {
    use crate::raw::wait_any::Source;
    let whole = Whole::<16>::of(11, 0, [0, 0, id_of(1).word(), id_of(1).word()], [0; 16]);
    let is_ready = |room| play(3, vec![], |me| Writable::new(&whole.pipe, &whole.ring, room).is_ready(me)).0;
    assert_eq!([1, 4, 5, 15].map(is_ready), [true, true, false, false]);
}

#[test]
fn the_holder_of_the_sending_end_is_known() {
    for (word, holder) in [(0, None), (CLOSED, None), (dead().word(), Some(dead()))] {
        assert_eq!(Whole::of(0, 0, [0, 0, word, 0], [0; 4]).pipe.sender(), holder);
    }
}

#[test]
fn a_frame_published_as_the_deadline_passes_is_received() {
    let whole = Whole::<16>::empty();
    let scenes = meanwhile(&whole, |whole, sleep| {
        whole.publish_at(0, 8);
        sleep.lasts();
    });
    assert_eq!(whole.receive(scenes).0.map(|frame| frame.bytes()), Ok(8));
}

#[test]
fn a_wait_without_a_frame_times_out_and_leaves_waiters_set() {
    let whole = Whole::<16>::empty();
    let scenes = meanwhile(&whole, |_, sleep| sleep.lasts());
    assert_eq!(whole.receive(scenes), (Err(NotReady::TimedOut), vec![]));
    assert_eq!(whole.rare().frames.load(Relaxed), WAITERS);
}

#[test]
fn an_interruption_ends_a_wait_unless_a_frame_has_come() {
    for comes in [true, false] {
        let whole = Whole::<16>::empty();
        let scenes = meanwhile(&whole, move |whole, sleep| {
            if comes {
                whole.publish_at(0, 8);
            }
            sleep.is_interrupted();
        });
        let answer = whole.receive(scenes).0.map(|frame| frame.bytes());
        assert_eq!(answer, if comes { Ok(8) } else { Err(NotReady::Interrupted) });
    }
}

#[test]
fn room_that_comes_as_the_deadline_passes_is_reserved() {
    let whole = Whole::<8>::empty();
    let scenes = meanwhile(&whole, |whole, sleep| {
        assert_eq!(sleep.awaited().load(Relaxed), WAITERS);
        whole.finish_to(7);
        sleep.lasts();
    });
    assert_eq!(whole.reserve(scenes), Ok(()));
    let full = Whole::<8>::empty();
    assert_eq!(full.reserve(meanwhile(&full, |_, sleep| sleep.lasts())), Err(NotReady::TimedOut));
}

#[test]
fn an_end_closed_during_a_sleep_ends_the_wait() {
    let whole = Whole::<16>::of(0, 0, [0, 0, id_of(1).word(), 0], [0; 16]);
    let scenes = meanwhile(&whole, |whole, _| whole.lane().give_back_sender(&sender_at(0, 0)));
    assert_eq!(whole.receive(scenes).0, Err(NotReady::Closed));
    let whole = Whole::<8>::of(0, 0, [0, 0, 0, id_of(1).word()], [0; 8]);
    let scenes = meanwhile(&whole, |whole, _| whole.lane().give_back_receiver(&receiver_at(0)));
    assert_eq!(whole.reserve(scenes), Err(NotReady::Closed));
}

#[test]
fn the_other_ends_owner_is_watched_and_its_death_ends_the_wait() {
    let whole = Whole::<16>::of(0, 0, [0, 0, id_of(2).word(), 0], [0; 16]);
    let scenes = meanwhile(&whole, |_, sleep| {
        let lifeline = sleep.others().next().expect("that of the other end's owner is the first");
        assert_eq!(lifeline.load(Relaxed), 3 | WAKE_AT_DEATH);
        sleep.dies(lifeline);
    });
    assert_eq!(whole.receive(scenes).0, Err(NotReady::PeerDied(id_of(2))));
}

#[test]
fn what_a_dead_sender_published_is_received_first() {
    let whole = Whole::<16>::of(0, 0, [0, 0, dead().word(), 0], [0; 16]);
    whole.publish_at(0, 8);
    assert_eq!(whole.receive(vec![]).0.map(|frame| frame.bytes()), Ok(8));
    whole.ring.0[0].store(0, Relaxed);
    assert_eq!(whole.receive(vec![]).0, Err(NotReady::PeerDied(dead())));
}

#[test]
fn a_process_that_is_still_ending_is_waited_for_briefly() {
    let whole = Whole::<16>::of(0, 0, [0, 0, id_of(2).word(), 0], [0; 16]);
    let answer = play(3, vec![scene(|_| {})], |me| {
        let slot = me.table.slot(id_of(2)).expect("there is one");
        slot.lifelines()[0].word().store(0, Relaxed);
        still_ending(1);
        whole.lane().next_frame(me, &mut receiver_at(0), Some(DEADLINE))
    });
    assert_eq!(answer.0, Err(NotReady::PeerDied(id_of(2))));
}

/// The wakes on the words of the receiver and of the sender.
fn wakes_of(words: [u32; 4], change: impl FnOnce(&Whole<16>)) -> ([Vec<u32>; 2], [u32; 2]) {
    let whole = Whole::<16>::of(0, 0, words, [0; 16]);
    let ((), wakes) = play(3, vec![], |_| change(&whole));
    let Rare { frames, room, .. } = whole.rare();
    ([wakes.on(frames), wakes.on(room)], [frames.load(Relaxed), room.load(Relaxed)])
}

#[test]
fn a_change_wakes_the_other_side_if_it_sleeps() {
    let me = id_of(1).word();
    type Change = fn(&Whole<16>);
    let of_sender: [Change; 2] =
        [|whole| whole.publish_at(0, 8), |whole| whole.lane().give_back_sender(&sender_at(0, 0))];
    let of_receiver: [Change; 2] =
        [|whole| whole.finish_to(2), |whole| whole.lane().give_back_receiver(&receiver_at(0))];
    for change in of_sender {
        assert_eq!(wakes_of([5, 6, me, me], change), ([vec![], vec![]], [5, 6]));
        let all = [WAITERS | 5, WAITERS | 6, me, me];
        assert_eq!(wakes_of(all, change), ([vec![u32::MAX], vec![]], [6, WAITERS | 6]));
    }
    for change in of_receiver {
        assert_eq!(wakes_of([5, 6, me, me], change), ([vec![], vec![]], [5, 6]));
        let all = [WAITERS | 5, WAITERS | SEQUENCE, me, me];
        assert_eq!(wakes_of(all, change), ([vec![], vec![u32::MAX]], [WAITERS | 5, 0]), "the sequence begins again");
    }
}

#[test]
fn a_source_is_ready_if_an_attempt_would_do_something() {
    use crate::raw::wait_any::{Readiness, Source};
    /// The readiness of both sides, and whether each has a word to sleep on.
    fn of(whole: &Whole<16>) -> [(Readiness, usize); 2] {
        let (words, ring) = (&whole.pipe, &whole.ring);
        let (readable, writable) = (Readable::new(words, ring), Writable::new(words, ring, 5));
        let sources: [&dyn Source<Puppet>; 2] = [&readable, &writable];
        play(3, vec![], |me| {
            sources.map(|source| {
                let mut awaited = vec![];
                let readiness = source.announce(me, &mut awaited);
                assert_eq!(source.is_ready(me), readiness == Readiness::Ready);
                (readiness, awaited.len())
            })
        })
        .0
    }
    use Readiness::{Ready, Unready};
    let living = id_of(1).word();
    let of_words = |tail, head, words| of(&Whole::of(tail, head, words, [0; 16]));
    assert_eq!(of_words(0, 0, [0; 4]), [(Unready, 1), (Ready, 0)]);
    // The longest frame has five words, and one word stays free.
    assert_eq!(of_words(10, 0, [0, 0, living, living]), [(Unready, 1), (Ready, 0)]);
    assert_eq!(of_words(11, 0, [0, 0, living, living]), [(Unready, 1), (Unready, 1)]);
    assert_eq!(of_words(11, 0, [0, 0, CLOSED, CLOSED]), [(Ready, 0), (Ready, 0)]);
    assert_eq!(of_words(11, 0, [0, 0, dead().word(), dead().word()]), [(Ready, 0), (Ready, 0)]);
    let whole = Whole::of(0, 0, [0; 4], [0; 16]);
    whole.publish_at(0, 8);
    assert_eq!(of(&whole)[0], (Ready, 0));
    assert_eq!(whole.rare().frames.load(Relaxed), WAITERS, "announced");
}

#[test]
fn a_source_passes_a_wake_on_and_is_observed_as_it_is() {
    use crate::raw::wait_any::Source;
    let living = id_of(1).word();
    let whole = Whole::<16>::of(11, 0, [5, 6, living, living], [0; 16]);
    let (words, ring) = (&whole.pipe, &whole.ring);
    let ((), wakes) = play(3, vec![], |me| {
        let (readable, writable) = (Readable::new(words, ring), Writable::new(words, ring, 5));
        let mut awaited = vec![];
        readable.observe(me, &mut awaited);
        let _unready = readable.announce(me, &mut awaited);
        writable.observe(me, &mut awaited);
        let _unready = writable.announce(me, &mut awaited);
        let values: Vec<_> = awaited.iter().map(|expect| expect.value).collect();
        assert_eq!(values, [5, 5 | WAITERS, 6, 6 | WAITERS]);
        Readable::new(words, ring).wake_next(me);
        Writable::new(words, ring, 5).wake_next(me);
    });
    assert_eq!((wakes.on(&whole.rare().frames), wakes.on(&whole.rare().room)), (vec![1], vec![1]));
}

/// A ring with a frame, which is cleared at every second look.
#[derive(Debug)]
struct Flickering {
    header: Long,
    none: Long,
    looks: Cell<u32>,
}

impl Words<Puppet> for Flickering {
    fn count(&self) -> u64 {
        16
    }
    fn word(&self, _position: u64) -> &Long {
        self.looks.set(self.looks.get() + 1);
        if self.looks.get() % 2 == 0 { &self.none } else { &self.header }
    }
}

/// What was found when the wait ended is returned. It may be gone at the next look.
#[test]
fn a_receiver_looks_no_more_when_it_has_found_a_frame() {
    let receive = |looks: u32, waits: bool| {
        let whole = Whole::<16>::empty();
        let frame = whole.lane().frame(&sender_at(0, 0), WORD, false);
        let ring = Flickering { header: Long::new(frame.header()), none: Long::new(0), looks: looks.into() };
        let lane = whole.pipe.with(&ring);
        let (answer, _) = play(3, vec![], |me| match waits {
            true => lane.next_frame(me, &mut receiver_at(0), None),
            false => lane.try_next_frame(me, &mut receiver_at(0)),
        });
        assert_eq!(answer, Ok(frame), "after {looks} looks, waits: {waits}");
    };
    receive(0, false);
    receive(0, true); // at the first look
    receive(1, true); // at the second
}
