//! Copies bytes into words that others use at the same time, and out of them.
//!
//! Each access is to one whole word. So no two accesses of different sizes meet in one place, which
//! the memory model of Rust does not define if one of them writes. Fewer bytes than a word are
//! exchanged within it, and the bytes beside them are written back only if nobody has changed them.

use crate::atomic::{AtomicU64, Ordering::Relaxed};
use core::ops::Range;

const WORD: usize = size_of::<u64>();

/// The parts of a range of bytes: within the first word, the whole words, and within the last word.
/// Each part may be empty.
struct Parts {
    first: (usize, Range<usize>),
    whole: Range<usize>,
    last: (usize, Range<usize>),
}

impl Parts {
    fn new(offset: usize, length: usize) -> Self {
        let end = offset + length;
        let whole = offset.div_ceil(WORD)..end / WORD;
        if whole.start > whole.end {
            // All of it is in the inside of one word.
            let word = offset / WORD;
            return Self { first: (word, offset % WORD..end % WORD), whole: 0..0, last: (word, 0..0) };
        }
        let inside = if offset % WORD == 0 { 0..0 } else { offset % WORD..WORD };
        Self { first: (offset / WORD, inside), last: (whole.end, 0..end % WORD), whole }
    }
}

/// ORDERING: Relaxed for all of these. They order nothing, as the documentation of `SharedMemory`
/// says.
pub(crate) fn read(words: &[AtomicU64], offset: usize, bytes: &mut [u8]) {
    let Parts { first, whole, last } = Parts::new(offset, bytes.len());
    let (begin, rest) = bytes.split_at_mut(first.1.len());
    let (middle, end) = rest.split_at_mut(whole.len() * WORD);
    let part = |(word, inside): (usize, Range<usize>), bytes: &mut [u8]| {
        if !inside.is_empty() {
            bytes.copy_from_slice(&words[word].load(Relaxed).to_ne_bytes()[inside]);
        }
    };
    part(first, begin);
    for (bytes, word) in middle.chunks_exact_mut(WORD).zip(&words[whole]) {
        bytes.copy_from_slice(&word.load(Relaxed).to_ne_bytes());
    }
    part(last, end);
}

pub(super) fn write(words: &[AtomicU64], offset: usize, bytes: &[u8]) {
    let Parts { first, whole, last } = Parts::new(offset, bytes.len());
    let (begin, rest) = bytes.split_at(first.1.len());
    let (middle, end) = rest.split_at(whole.len() * WORD);
    write_part(words, first, begin);
    for (bytes, word) in middle.chunks_exact(WORD).zip(&words[whole]) {
        word.store(u64::from_ne_bytes(bytes.try_into().expect("eight bytes")), Relaxed);
    }
    write_part(words, last, end);
}

/// Writes bytes within a word, and leaves those beside them as they are.
fn write_part(words: &[AtomicU64], (word, inside): (usize, Range<usize>), bytes: &[u8]) {
    if inside.is_empty() {
        return;
    }
    let _changed = words[word].fetch_update(Relaxed, Relaxed, |found| {
        let mut new = found.to_ne_bytes();
        new[inside.clone()].copy_from_slice(bytes);
        Some(u64::from_ne_bytes(new))
    });
}

/// Makes the first `length` bytes this one.
pub(super) fn fill(words: &[AtomicU64], length: usize, byte: u8) {
    let Parts { whole, last, .. } = Parts::new(0, length);
    words[whole].iter().for_each(|word| word.store(u64::from_ne_bytes([byte; WORD]), Relaxed));
    let end = [byte; WORD];
    write_part(words, last.clone(), &end[last.1]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn words(bytes: &[u8]) -> Vec<AtomicU64> {
        let words: Vec<_> = (0..bytes.len().div_ceil(WORD)).map(|_| AtomicU64::new(0)).collect();
        write(&words, 0, bytes);
        words
    }

    fn bytes(words: &[AtomicU64]) -> Vec<u8> {
        words.iter().flat_map(|word| word.load(Relaxed).to_ne_bytes()).collect()
    }

    #[test]
    fn each_range_of_a_few_words_is_copied_and_nothing_beside_it() {
        const LENGTH: usize = 4 * WORD;
        let old: Vec<u8> = (100..100 + LENGTH as u8).collect();
        let new: Vec<u8> = (0..LENGTH as u8).collect();
        for begin in 0..=LENGTH {
            for end in begin..=LENGTH {
                let words = words(&old);
                let mut found = vec![0; end - begin];
                read(&words, begin, &mut found);
                assert_eq!(found, old[begin..end], "{begin} to {end}");
                write(&words, begin, &new[begin..end]);
                let expected = [&old[..begin], &new[begin..end], &old[end..]].concat();
                assert_eq!(bytes(&words), expected, "{begin} to {end}");
            }
            let words = words(&old);
            fill(&words, begin, 7);
            assert_eq!(bytes(&words), [&vec![7; begin], &old[begin..]].concat(), "up to {begin}");
        }
    }

    /// Under Miri and ThreadSanitizer a race would be told, and so would accesses of two sizes.
    #[test]
    fn writers_of_neighbouring_bytes_disturb_each_other_as_little_as_a_reader() {
        let words = words(&[0; 3 * WORD]);
        let rounds = if cfg!(miri) { 20 } else { 5_000 };
        std::thread::scope(|scope| {
            for part in 0..4 {
                let words = &words;
                scope.spawn(move || {
                    for round in 0..rounds {
                        let mine = [round as u8; 5];
                        write(words, 5 * part, &mine);
                        let mut found = [0; 5];
                        read(words, 5 * part, &mut found);
                        assert_eq!(found, mine);
                    }
                });
            }
            let mut all = [0; 3 * WORD];
            (0..rounds).for_each(|_| read(&words, 0, &mut all));
            assert_eq!(all[20..], [0; 4]);
        });
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            cases: if cfg!(miri) { 8 } else { 500 },
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        #[test]
        fn any_range_is_read_as_it_was_written(
            before in proptest::collection::vec(any::<u8>(), 1..300), offset: usize, new in proptest::collection::vec(any::<u8>(), 0..300),
        ) {
            let offset = offset % before.len();
            let new = &new[..new.len().min(before.len() - offset)];
            let words = words(&before);
            write(&words, offset, new);
            let mut expected = before;
            expected[offset..offset + new.len()].copy_from_slice(new);
            let mut found = vec![0; expected.len()];
            read(&words, 0, &mut found);
            prop_assert_eq!(found, expected);
        }
    }
}
