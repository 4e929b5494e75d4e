//! What a writer does whose last block ends beyond the longest message.

use super::super::NotStarted;
use super::*;
use crate::error::{TryRecvMessageError, TrySendMessageError};

/// Only a queue for messages of 4 GiB has such a block. Here the number of bytes is made up.
#[test]
fn a_message_that_is_too_long_within_its_last_block_is_refused() {
    let queue = MessageQueue::anonymous(1, 100).expect("a queue");
    let most = queue.max_message();
    let me = local::participant(queue.root()).expect("a slot");
    let end = |length: usize| {
        let draft = queue.messages().start(me, Deadline::Immediate, 0)?;
        let mut writer = MessageWriter::new(&queue, draft);
        writer.length = length;
        Ok::<_, NotStarted>(writer.end::<TrySendMessageError>(Deadline::Immediate))
    };
    for length in [most + 1, usize::MAX] {
        let answer = end(length).expect("the cell is free");
        let expected = (length, most);
        assert!(
            matches!(answer, Err(TrySendMessageError::TooLong { length, most }) if (length, most) == expected),
            "{answer:?}"
        );
        assert!(matches!(queue.try_recv_bytes(), Err(TryRecvMessageError::Empty)));
    }
    end(most).expect("the cell is free").expect("as long as a message can be");
}
