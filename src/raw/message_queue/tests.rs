//! Messages of each length, over words that are right, and over words that nobody wrote.

use super::word::Owner;
use super::*;
use crate::platform::Word;
use crate::platform::puppet::{Puppet, id_of, play};
use crate::raw::ends::Ends;
use crate::raw::hold::{HELD, Id};
use crate::raw::queue::Position;
use core::cell::Cell as Counter;
use proptest::prelude::*;

/// A store without the bytes. So many of its words may be used.
#[derive(Debug)]
pub(super) struct Words {
    pub(super) cells: Vec<<Puppet as Platform>::Word64>,
    pub(super) letters: Vec<<Puppet as Platform>::Word64>,
    pub(super) owners: Vec<<Puppet as Platform>::Word64>,
    pub(super) links: Vec<<Puppet as Platform>::Word>,
    size: usize,
    uses: Counter<usize>,
}

impl Words {
    pub(super) fn new(cells: usize, blocks: usize, size: usize) -> Self {
        let zeros = |count| (0..count).map(|_| Word64::new(0)).collect();
        let links = (0..blocks).map(|_| Word::new(0)).collect();
        let (letters, owners) = (zeros(cells), zeros(blocks));
        Self { cells: zeros(cells), letters, owners, links, size, uses: Counter::new(100_000) }
    }
    fn count(&self) {
        self.uses.set(self.uses.get().checked_sub(1).expect("each operation ends"));
    }
    /// The blocks that belong to this position.
    pub(super) fn blocks_of(&self, lap: u32, index: u32) -> usize {
        let owner = Owner::<32>::of(Position { lap, index }).0;
        self.owners.iter().filter(|word| word.load(Relaxed) == owner).count()
    }
}

impl Cells<Puppet> for Words {
    fn capacity(&self) -> usize {
        self.cells.len()
    }
    fn word(&self, index: usize) -> &<Puppet as Platform>::Word64 {
        self.count();
        &self.cells[index]
    }
}

impl Store<Puppet> for Words {
    fn block_size(&self) -> usize {
        self.size
    }
    fn blocks(&self) -> usize {
        self.owners.len()
    }
    fn letter(&self, index: usize) -> &<Puppet as Platform>::Word64 {
        &self.letters[index]
    }
    fn owner(&self, block: usize) -> &<Puppet as Platform>::Word64 {
        self.count();
        &self.owners[block]
    }
    fn link(&self, block: usize) -> &<Puppet as Platform>::Word {
        self.count();
        &self.links[block]
    }
}

pub(super) type Me<'t> = Participant<'t, Puppet>;
pub(super) type All<'q> = Messages<'q, Puppet, Words>;

const NOW: Deadline = Deadline::Immediate;
const FULL_NOW: NotStarted = NotStarted::NotClaimed(NotClaimed::WouldBlock);

pub(super) fn queue_of([tail, head]: [u64; 2], [items, room]: [u32; 2], gate: u32, next: u32) -> MessageQueue<Puppet> {
    let (tail, head) = (Word64::new(tail), Word64::new(head));
    let queue = Queue::from_words(tail, head, Word::new(items), Word::new(room), Ends::default());
    MessageQueue::from_words(queue, Mutex::from_word(Word::new(gate)), Word::new(next))
}

/// Runs `act` with an empty queue of so many cells, and of so many blocks of 10 bytes.
fn with_empty<R>(cells: usize, blocks: usize, act: impl FnOnce(All<'_>, Me<'_>, &Words) -> R) -> R {
    let (queue, words) = (queue_of([0; 2], [0; 2], 0, 0), Words::new(cells, blocks, 10));
    play(3, vec![], |me| act(queue.with(&words), me, &words)).0
}

fn send(all: All<'_>, me: Me<'_>, length: usize) -> Result<(), NotStarted> {
    all.start(me, NOW, length).map(|draft| all.publish(draft, length))
}

/// The places of a draft.
fn places(all: All<'_>, draft: &Draft) -> Vec<Place> {
    std::iter::successors(Some(all.first_place(draft)), |place| all.next_place(draft, *place)).collect()
}

/// Reads the next message, and finishes it. Its length, from its pieces.
fn receive(all: All<'_>, me: Me<'_>) -> Result<Result<usize, Malformed>, NotClaimed> {
    let message = all.take(me, NOW)?;
    let lengths: Result<Vec<_>, _> = all.pieces(&message).map(|piece| piece.map(|piece| piece.length)).collect();
    all.finish(message);
    Ok(lengths.map(|lengths| lengths.iter().sum()))
}

fn no_half_is_a_hold(word: u64) {
    for half in [word as u32, (word >> 32) as u32] {
        assert_eq!(Id::holder_in(half), None, "a search for a participant's name finds it in no half of {word:#x}");
    }
}

proptest! {
    #![proptest_config(crate::raw::random_cases())]

    #[test]
    fn a_letter_reads_as_it_was_written(length in any::<u32>(), first in 0..=MOST_BLOCKS as u32) {
        for length in [length, length | HELD, u32::MAX, 0] {
            let letter = Letter::new(length, first);
            prop_assert_eq!((letter.length(), letter.first()), (length as usize, first));
            no_half_is_a_hold(letter.0);
        }
    }

    #[test]
    fn an_owner_reads_as_it_was_written(lap in any::<u32>(), index in 0..MOST_MESSAGES as u32) {
        for lap in [lap, lap | HELD, u32::MAX, 0] {
            let owner = Owner::<32>::of(Position { lap, index });
            prop_assert_eq!(owner.position(), Some(Position { lap, index }));
            prop_assert_ne!(owner, Owner::NOBODY);
            no_half_is_a_hold(owner.0);
        }
        prop_assert_eq!(Owner::<3>::of(Position { lap: lap % 8, index }).position(), Some(Position { lap: lap % 8, index }));
    }

    /// What the module promises: all messages fit that have no more bytes than the pool.
    #[test]
    fn as_many_bytes_fit_as_the_pool_has(lengths in prop::collection::vec(0..60usize, 1..8), size in 1..12usize) {
        let total: usize = lengths.iter().sum();
        let words = Words::new(lengths.len(), total.div_ceil(size), size);
        let queue = queue_of([0; 2], [0; 2], 0, 0);
        play(1, vec![], |me| {
            let all = queue.with(&words);
            for lap in 0..3 {
                for length in &lengths {
                    assert_eq!(send(all, me, *length), Ok(()), "lap {lap}");
                }
                for length in &lengths {
                    assert_eq!(receive(all, me), Ok(Ok(*length)));
                }
            }
        });
    }

    /// A message grows to any length that a message can have.
    #[test]
    fn a_draft_grows(blocks in 0..9usize, length in 0..100usize) {
        with_empty(2, blocks, |all, me, words| {
            let mut draft = all.start(me, NOW, 0).expect("there is room");
            while all.room(&draft) < length && all.grow(me, &mut draft) {}
            let room = all.room(&draft);
            assert_eq!(room >= length, length <= all.most_bytes());
            assert_eq!(places(all, &draft).len() * 10, room);
            let length = length.min(room);
            all.publish(draft, length);
            assert_eq!(words.blocks_of(0, 0), all.blocks_for(length), "what is spare is given back");
            assert_eq!(receive(all, me), Ok(Ok(length)));
        });
    }

    #[test]
    fn whatever_the_words_each_message_can_be_passed(
        cells in prop::collection::vec(cell_words(), 3),
        letters in prop::collection::vec(letters(), 3),
        owners in prop::collection::vec(owners(), 4),
        links in prop::collection::vec(prop_oneof![0..6u32, any::<u32>()], 4),
        hints in any::<[u64; 2]>(),
        others in any::<[u32; 4]>(),
    ) {
        let words = Words {
            cells: cells.into_iter().map(Word64::new).collect(),
            letters: letters.into_iter().map(Word64::new).collect(),
            owners: owners.into_iter().map(Word64::new).collect(),
            links: links.into_iter().map(Word::new).collect(),
            ..Words::new(0, 0, 10)
        };
        let [items, room, gate, next] = others;
        let queue = queue_of(hints, [items, room], gate, next);
        play(3, vec![], |me| {
            let all = queue.with(&words);
            for length in [0, 10, 11, 30, 50] {
                words.uses.set(100_000);
                while let Ok(message) = all.take(me, NOW) {
                    let pieces: Vec<_> = all.pieces(&message).collect();
                    assert!(pieces.len() <= 6, "{pieces:?}");
                    let sum: usize = pieces.iter().flatten().map(|piece| piece.length).sum();
                    match all.length(&message) {
                        Ok(length) => assert!(pieces.contains(&Err(Malformed)) || sum == length),
                        Err(Malformed) => assert_eq!(pieces, [Err(Malformed)]),
                    }
                    all.finish(message);
                }
                if let Ok(mut draft) = all.start(me, NOW, length) {
                    let _whether = all.grow(me, &mut draft);
                    assert!(places(all, &draft).into_iter().take(10).count() < 10);
                    all.publish(draft, length);
                }
            }
        });
    }
}

/// Words that are likely to have something to do with each other.
fn cell_words() -> impl Strategy<Value = u64> {
    const FULL: u64 = 1 << 62;
    let of = |index: usize| u64::from(id_of(index).word()) << 32;
    prop_oneof![
        0..3u64,
        (0..3u64).prop_map(|lap| FULL | lap),
        (0..3u64, 1..5usize).prop_map(move |(lap, user)| of(user) | lap), // 1 and 2 live
        (0..3u64, 1..5usize).prop_map(move |(lap, user)| FULL | of(user) | lap),
        any::<u64>(),
    ]
}

fn letters() -> impl Strategy<Value = u64> {
    prop_oneof![(0..60u32, 0..6u32).prop_map(|(length, first)| Letter::new(length, first).0), any::<u64>()]
}

fn owners() -> impl Strategy<Value = u64> {
    prop_oneof![(0..3u32, 0..4u32).prop_map(|(lap, index)| Owner::<32>::of(Position { lap, index }).0), any::<u64>()]
}

#[test]
fn a_message_has_the_block_of_its_cell_and_as_many_others_as_it_needs() {
    for (length, blocks) in [(0, 0), (1, 0), (10, 0), (11, 1), (20, 1), (21, 2), (40, 3)] {
        with_empty(2, 3, |all, me, words| {
            let draft = all.start(me, NOW, length).expect("there is room");
            assert_eq!(places(all, &draft).len(), 1 + blocks);
            assert_eq!(all.first_place(&draft), Place::Cell(0));
            all.publish(draft, length);
            assert_eq!(words.blocks_of(0, 0), blocks);
            let message = all.take(me, NOW).expect("it was sent");
            assert_eq!(all.length(&message), Ok(length));
            let pieces: Vec<_> = all.pieces(&message).map(|piece| piece.expect("nobody has overwritten it")).collect();
            assert_eq!(pieces.iter().map(|piece| piece.length).sum::<usize>(), length);
            let (whole, last) = pieces.split_at(pieces.len().saturating_sub(1));
            assert!(whole.iter().all(|piece| piece.length == 10), "{pieces:?}");
            assert!(last.iter().all(|piece| piece.length <= 10), "{pieces:?}");
            all.finish(message);
        });
    }
}

#[test]
fn a_message_that_is_longer_than_all_blocks_is_refused() {
    with_empty(2, 3, |all, me, _| {
        assert_eq!(all.most_bytes(), 40);
        assert_eq!(send(all, me, 41), Err(NotStarted::TooLong));
        assert_eq!(send(all, me, usize::MAX), Err(NotStarted::TooLong));
        assert_eq!(send(all, me, 40), Ok(()));
        assert_eq!(all.ring().len(), 1, "what was refused has claimed nothing");
    });
    with_empty(2, 0, |all, me, _| {
        assert_eq!(send(all, me, 11), Err(NotStarted::TooLong));
        assert_eq!(send(all, me, 10), Ok(()));
    });
}

/// A block has more bytes than a letter can count.
#[test]
fn no_message_is_longer_than_a_letter_can_say() {
    let (queue, words) = (queue_of([0; 2], [0; 2], 0, 0), Words::new(1, 1, usize::MAX));
    play(1, vec![], |me| {
        let all = queue.with(&words);
        assert_eq!(all.most_bytes(), MOST_BYTES);
        let mut draft = all.start(me, NOW, MOST_BYTES).expect("there is room");
        assert_eq!((all.room(&draft), all.grow(me, &mut draft)), (MOST_BYTES, false));
        all.publish(draft, MOST_BYTES);
        let message = all.take(me, NOW).expect("it was sent");
        assert_eq!(all.length(&message), Ok(MOST_BYTES));
        all.finish(message);
    });
}

#[test]
fn short_messages_pass_where_the_pool_is_used_up() {
    with_empty(3, 2, |all, me, _| {
        assert_eq!(send(all, me, 30), Ok(()));
        assert_eq!(send(all, me, 11), Err(FULL_NOW));
        assert_eq!(send(all, me, 10), Ok(()));
        assert_eq!(all.ring().len(), 2, "what found no block has claimed nothing");
        assert_eq!(receive(all, me), Ok(Ok(30)));
        assert_eq!(send(all, me, 11), Ok(()));
        assert_eq!([receive(all, me), receive(all, me)], [Ok(Ok(10)), Ok(Ok(11))]);
    });
}

#[test]
fn what_is_given_up_leaves_nothing() {
    with_empty(2, 2, |all, me, words| {
        for _ in 0..5 {
            all.give_up(all.start(me, NOW, 30).expect("all is free"));
        }
        assert_eq!(receive(all, me), Err(NotClaimed::WouldBlock));
        assert_eq!(send(all, me, 30), Ok(()));
        assert_eq!(words.owners.len(), 2);
        assert_eq!(receive(all, me), Ok(Ok(30)));
    });
}

#[test]
fn what_is_put_back_is_received_next() {
    with_empty(3, 2, |all, me, _| {
        assert_eq!([send(all, me, 30), send(all, me, 5)], [Ok(()); 2]);
        let message = all.take(me, NOW).expect("it was sent");
        assert_eq!(send(all, me, 11), Err(FULL_NOW), "its blocks are its own");
        all.put_back(message);
        assert_eq!(send(all, me, 11), Err(FULL_NOW), "its blocks are its own");
        assert_eq!([receive(all, me), receive(all, me)], [Ok(Ok(30)), Ok(Ok(5))]);
        assert_eq!(send(all, me, 30), Ok(()));
    });
}

#[test]
fn a_draft_grows_by_as_much_as_it_has() {
    with_empty(2, 6, |all, me, _| {
        let mut draft = all.start(me, NOW, 0).expect("there is room");
        let mut rooms = vec![all.room(&draft)];
        while all.grow(me, &mut draft) {
            rooms.push(all.room(&draft));
        }
        assert_eq!(rooms, [10, 20, 30, 50, 70], "then the pool is used up");
        let places = places(all, &draft);
        assert_eq!(places.len(), 7);
        assert!(places.iter().all(|place| places.iter().filter(|other| *other == place).count() == 1), "{places:?}");
    });
}

#[test]
fn a_draft_that_cannot_grow_stays_as_it_is() {
    with_empty(3, 2, |all, me, _| {
        let mut draft = all.start(me, NOW, 20).expect("there is room");
        let before = places(all, &draft);
        assert_eq!(send(all, me, 20), Ok(()));
        assert!(!all.grow(me, &mut draft));
        assert_eq!(places(all, &draft), before);
        all.publish(draft, 20);
        assert_eq!([receive(all, me), receive(all, me)], [Ok(Ok(20)); 2]);
    });
}

/// Whoever holds the gate may wait for what this draft has.
#[test]
fn a_draft_does_not_grow_while_another_holds_the_gate() {
    let (queue, words) = (queue_of([0; 2], [0; 2], id_of(1).word(), 0), Words::new(2, 2, 10));
    play(3, vec![], |me| {
        let all = queue.with(&words);
        let mut draft = all.start(me, NOW, 0).expect("that needs no gate");
        assert!(!all.grow(me, &mut draft));
        all.give_up(draft);
        assert_eq!(send(all, me, 11), Err(FULL_NOW));
        assert_eq!(send(all, me, 10), Ok(()));
    });
}

#[test]
fn blocks_are_used_in_turn() {
    with_empty(4, 4, |all, me, words| {
        for index in 0..4 {
            assert_eq!(send(all, me, 20), Ok(()));
            assert_eq!(receive(all, me), Ok(Ok(20)));
            let owner = Owner::<32>::of(Position { lap: 0, index }).0;
            assert_eq!(words.owners[index as usize].load(Relaxed), owner);
        }
    });
}

/// The sender of (0, 0) died before it published, or after that; so did the receiver.
#[test]
fn the_blocks_of_the_dead_are_free_unless_there_is_a_message() {
    let dead = u64::from(id_of(7).word()) << 32;
    let living = u64::from(id_of(1).word()) << 32;
    const FULL: u64 = 1 << 62;
    for (word, is_free) in
        [(dead, true), (living, false), (FULL, false), (FULL | dead, false), (FULL | living, false), (1, true)]
    {
        let (queue, words) = (queue_of([1, 0], [0; 2], 0, 0), Words::new(3, 1, 10));
        words.cells[0].store(word, Relaxed);
        words.owners[0].store(Owner::<32>::of(Position { lap: 0, index: 0 }).0, Relaxed);
        let (answer, _) = play(3, vec![], |me| send(queue.with(&words), me, 20));
        assert_eq!(answer.is_ok(), is_free, "{word:#x}");
    }
}

/// A queue with two messages of 30 bytes: the words of the first one are overwritten.
fn the_second_is_read_after(overwrite: impl FnOnce(&Words)) {
    with_empty(2, 4, |all, me, words| {
        assert_eq!([send(all, me, 30), send(all, me, 30)], [Ok(()); 2]);
        overwrite(words);
        assert_eq!(receive(all, me), Ok(Err(Malformed)));
        assert_eq!(receive(all, me), Ok(Ok(30)));
        assert_eq!([send(all, me, 30), send(all, me, 30)], [Ok(()); 2], "no block is lost");
    });
}

#[test]
fn a_malformed_message_is_passed() {
    for length in [51, 1_000, u32::MAX] {
        the_second_is_read_after(|words| words.letters[0].store(Letter::new(length, 1).0, Relaxed));
    }
    for first in [0, 3, 4, 5, 1_000] {
        the_second_is_read_after(|words| words.letters[0].store(Letter::new(30, first).0, Relaxed));
    }
    for link in [0, 3, 4, 5, 1_000, u32::MAX] {
        the_second_is_read_after(|words| words.links[0].store(link, Relaxed));
    }
    for owner in [0, 1, Owner::<32>::of(Position { lap: 0, index: 1 }).0, u64::MAX] {
        the_second_is_read_after(|words| words.owners[0].store(owner, Relaxed));
        the_second_is_read_after(|words| words.owners[1].store(owner, Relaxed));
    }
}

/// Each block is in it, but the second one twice.
#[test]
fn a_chain_that_is_a_circle_ends() {
    with_empty(2, 4, |all, me, words| {
        assert_eq!(send(all, me, 50), Ok(()));
        words.links[1].store(1, Relaxed);
        assert_eq!(receive(all, me), Ok(Ok(50)));
    });
}

#[test]
fn an_owner_that_is_no_cell_owns_nothing() {
    for owner in [Owner::<32>::of(Position { lap: 0, index: 2 }).0, u64::MAX, 5] {
        with_empty(2, 1, |all, me, words| {
            words.owners[0].store(owner, Relaxed);
            assert_eq!(send(all, me, 20), Ok(()));
        });
    }
}

/// Nobody has claimed these positions, or has for 2^31 laps.
#[test]
fn a_position_that_nobody_has_claimed_owns_nothing() {
    for lap in [0, 1, 2, 1 << 31, u32::MAX] {
        with_empty(2, 1, |all, me, words| {
            words.owners[0].store(Owner::<32>::of(Position { lap, index: 1 }).0, Relaxed);
            assert_eq!(send(all, me, 20), Ok(()), "lap {lap}");
        });
    }
}

#[test]
fn a_hint_beyond_the_last_block_is_read_as_the_first_one() {
    for next in [3, 4, u32::MAX] {
        let (queue, words) = (queue_of([0; 2], [0; 2], 0, next), Words::new(2, 3, 10));
        play(1, vec![], |me| {
            assert_eq!(send(queue.with(&words), me, 20), Ok(()));
        });
        assert_eq!(words.owners[0].load(Relaxed), Owner::<32>::of(Position { lap: 0, index: 0 }).0);
    }
}

#[test]
fn a_message_that_none_can_be_is_malformed_before_it_is_read() {
    for (length, is_whole) in [(0, true), (10, true), (20, true), (40, true), (41, false), (1_000, false)] {
        with_empty(1, 3, |all, me, words| {
            words.cells[0].store(1 << 62, Relaxed);
            words.letters[0].store(Letter::new(length, 1).0, Relaxed);
            let message = all.take(me, NOW).expect("it is there");
            assert_eq!(all.length(&message), if is_whole { Ok(length as usize) } else { Err(Malformed) });
        });
    }
}

#[test]
fn the_places_of_a_message_follow_each_other_from_its_cell_on() {
    with_empty(2, 3, |all, me, _| {
        send(all, me, 30).expect("there is room");
        let message = all.take(me, NOW).expect("it was sent");
        let first = all.following(&message, None);
        let second = all.following(&message, first);
        assert_eq!((first, second), (Some(Place::Cell(0)), Some(Place::Block(0))));
    });
}
