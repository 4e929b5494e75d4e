//! Why a peer is ahead, where one is. Each reason was found by an experiment, and has its figure.
//! The program `floors` repeats those that need no other code of outlive.

use super::figures::Case;

/// A reason, and the rows that it explains.
#[derive(Debug)]
pub struct Reason {
    /// The workload.
    workload: &'static str,
    /// Parts of names of cases. One must be there.
    cases: &'static [&'static str],
    /// Ends of the names of ours. One must fit. None: all of ours.
    ours: &'static [&'static str],
    /// In few words.
    pub title: &'static str,
    /// With the figures, and what repeats them.
    pub text: &'static str,
}

impl Reason {
    /// Whether it explains this row.
    #[must_use]
    pub fn covers(&self, case: &Case, ours: &str) -> bool {
        self.workload == case.workload
            && self.cases.iter().any(|part| case.name.contains(part))
            && (self.ours.is_empty() || self.ours.iter().any(|end| ours.ends_with(end)))
    }
}

/// Beginnings of the names of peers that go on when somebody dies, as PEERS.md shows.
const ANSWER_DEATHS: [&str; 15] = [
    "pthread mutex, robust",
    "pthread, robust",
    "pthread barrier",
    "posix-sync Mutex, robust",
    "posix-sync Barrier",
    "flock",
    "fcntl",
    "System V semaphore, SEM_UNDO",
    "named-lock",
    "pidfd",
    "a ring under a robust mutex",
    "shm_open and a pthread mutex, robust",
    "Unix",
    "POSIX message queue",
    "ipc-channel",
];

/// Whether the others go on when a user of this peer dies.
#[must_use]
pub fn answers_deaths(peer: &str) -> bool {
    ANSWER_DEATHS.iter().any(|name| peer.starts_with(name))
}

/// Whether this peer spins or yields as long as it waits.
#[must_use]
pub fn polls(peer: &str) -> bool {
    peer.ends_with("polled") || (peer.starts_with("Boost interprocess_") && peer.ends_with("mutex"))
}

/// All reasons. The first one that covers a row is its reason.
pub const REASONS: &[Reason] = &[
    Reason {
        workload: "pairs",
        cases: &["lock: take"],
        ours: &["ReentrantMutex"],
        title: "ReentrantMutex has more to do",
        text: "It notes its owner and how often that one has it: 103 instructions instead of the \
               62 of Mutex (`benches/instructions.txt`). Mutex itself is not behind.",
    },
    Reason {
        workload: "pairs",
        cases: &["lock: take"],
        ours: &["Lock"],
        title: "Lock counts the locks of its thread",
        text: "The count lies between its two exchanges. Where else it stood, a pair took 1.16 to \
               1.32 times as long as the floor instead of 1.06 (\"Cheaper fast paths\" in \
               [DESIGN.md](DESIGN.md)).",
    },
    Reason {
        workload: "pairs",
        cases: &["readers-writer lock: read"],
        ours: &[],
        title: "Each reader has a place of its own",
        text: "So a reader's death is answered. That makes 74 instructions instead of the 62 of \
               Mutex (`benches/instructions.txt`). The peer only counts its readers.",
    },
    Reason {
        workload: "pairs",
        cases: &["semaphore:"],
        ours: &[],
        title: "It depends on the processor",
        text: "On an Intel Xeon, Semaphore took 0.85 times as long as `sem_t` \
               ([EVIDENCE.md](EVIDENCE.md), `benches/uncontended.rs`).",
    },
    Reason {
        workload: "pairs",
        cases: &["channel: send and receive 4 KiB"],
        ours: &["outlive Queue"],
        title: "Queue moves items by value",
        text: "TaskQueue fills and reads an item where it lies: in the same rounds it took 0.65 \
               times as long.",
    },
    Reason {
        workload: "pairs",
        cases: &["channel:"],
        ours: &["MessageQueue", "TaskQueue"],
        title: "They do more than one thread needs",
        text: "A send and a receive take 675 instructions in MessageQueue and 438 in TaskQueue; \
               Queue has 366 (`benches/instructions.txt`). They let several senders and receivers \
               work at once. Between two processes all of them are ahead with items of this size: \
               see channels.",
    },
    Reason {
        workload: "contended",
        cases: &["the smallest share", "lock held 10µs: 99.9 %"],
        ours: &[],
        title: "System V semaphores hand over in the order of arrival",
        text: "So their shares are equal, and nobody waits longer than a round of all. But each \
               turn is a system call, and mostly a switch: in the same rounds they had 1/203 of \
               the turns of Mutex at 0 ns with 2 processes, 1/66 at 100 ns and 1/7.9 at 1 µs with \
               8, and 1/1.7 at 10 µs with 8. Where a lock changes its holder seldom, some may have \
               no turn in a round of 24 ms. In seconds, all have ([EVIDENCE.md](EVIDENCE.md)).",
    },
    Reason {
        workload: "contended",
        cases: &["lock held 1µs: 99.9 %"],
        ours: &[],
        title: "A waiter looks only before its first sleep",
        text: "The peers look again after each sleep. Made to do so, Mutex took 0.7 to 1.0 \
               times as long as rustix-futex-sync with 2 processes, instead of 2.2 to 4.4 \
               (`floors turns-of-1us`), and had 1.3 to 1.4 times the turns instead of 1.1. \
               But with 8 processes its smallest share fell from 0.87 to 0.6.",
    },
    Reason {
        workload: "contended",
        cases: &["lock held 100ns: 99.9 %"],
        ours: &[],
        title: "The holder keeps the lock for more turns",
        text: "With 8 processes Mutex changes its holder after 124 turns, and rustix-futex-sync \
               after 26 (`floors turns-of-100ns-by-8`). So the few that wait do so longer. On an \
               AMD EPYC it was after 8,000 turns with 2 processes, beside 2 to 25, and Mutex had \
               1.3 to 1.8 times the turns. Where it looked there after each sleep, and took a free \
               word before it asked anything else, it waited 2.0 times as long as the peer instead \
               of 9.7 with such looks alone, and had 1.1 times the turns instead of 1.65. With 8 \
               processes that changed nothing: 4.4 times, and 1.7.",
    },
    Reason {
        workload: "contended",
        cases: &["lock held 0ns: 99.9 %"],
        ours: &[],
        title: "It varies, and a waiter asks before it takes a free word",
        text: "In two runs with 2 processes, Mutex took 1.2 and 1.3 times as long as \
               rustix-futex-sync, ReentrantMutex 1.4 and 6.4, and Lock 1.7 and 6.2 (`floors \
               turns`). Where waiters looked after each sleep, and took a free word before \
               they asked anything else, Lock took 1.3 times as long instead of 2.0, and \
               with 8 processes 1.2 instead of 3.2; Mutex 1.4 instead of 1.0, and 1.8 \
               instead of 2.8.",
    },
    Reason {
        workload: "contended",
        cases: &[
            "lock held 0ns: turns a second, 2 ",
            "lock held 0ns: turns a second, 4 ",
            "lock held 0ns: turns a second, 8 ",
            "lock held 0ns: turns a second, 32 ",
        ],
        ours: &[],
        title: "Who looks for the lock takes its cache line away",
        text: "With 2 processes, Mutex changed its holder after 3.0 to 4.5 turns, and the \
               peer after 4.1 to 7.0 (`floors turns`). Each change moves the line. Made to \
               look 10 times before a sleep instead of 100, Mutex had 1.2 times the peer's \
               turns; without looks 2.9 to 3.4 times, and 51 to 56 turns in a row. But \
               looks pay where a lock is held at all: without them, 99.9 % of the waits at \
               100 ns took 29 times as long as the peer's, instead of 6. So they do with looks \
               that come after 1, 2, 4, 8 and then each 16 pauses: on an Intel Xeon Mutex had 1.2 \
               times the peer's turns instead of 0.75 to 0.9, and Lock 1.6 instead of 1.0. But at \
               100 ns it had no more turns, and 99 % of the waits took 11 times as long as the \
               peer's instead of 1.1.",
    },
    Reason {
        workload: "contended",
        cases: &["lock held 100ns: turns a second"],
        ours: &[],
        title: "Its waiters sleep less",
        text: "A waiter that looks takes the lock's cache line from the holder. With 2 processes \
               Mutex had 0.8 times the turns of rustix-futex-sync, and a bare compare-and-swap by \
               which nobody sleeps 0.7 to 1.1 times (`floors turns-of-100ns`). In return 99.9 % of \
               the waits took 0.2 to 0.3 times as long. On an AMD EPYC it had 1.3 to 1.8 times the \
               turns.",
    },
    Reason {
        workload: "contended",
        cases: &[
            "lock held 1µs: turns a second, 4 ",
            "lock held 1µs: turns a second, 32 ",
            "lock held 10µs: turns a second, 4 ",
            "lock held 10µs: turns a second, 32 ",
        ],
        ours: &[],
        title: "It hands over more often",
        text: "Each change of the holder is a switch. At 1 µs with 32 processes Mutex changed its \
               holder after 6 turns, process-sync after 37 and raw_sync after 219; its smallest \
               share was 0.62 beside 0.04 and 0.01 (`floors turns-of-1us-by-32`). At 10 µs with 4 \
               processes it was after 22 turns beside 81 (`floors turns-of-10us-by-4`), and with \
               32 after 22 to 65 beside 130 to 190 (`floors turns-of-10us`). So 99.9 % of the \
               waits took 0.4 to 0.5 times as long with 32 processes.",
    },
    Reason {
        workload: "contended",
        cases: &["turns a second, 1 process"],
        ours: &[],
        title: "As without contention",
        text: "See pairs: one process wants the lock, and nobody else.",
    },
    Reason {
        workload: "pingpong",
        cases: &["one processor"],
        ours: &[],
        title: "Its sleep has an end, and watches others",
        text: "Bare futexes took 1.07 times as long with an end, and 1.22 to 1.29 times with an end \
               on 2 or 3 words (`floors sleeps`). Without an end, deaths might not be noticed. \
               Waiters spin only if that has helped in their last waits.",
    },
    Reason {
        workload: "channels",
        cases: &["1 to 4 processes"],
        ours: &["outlive Queue", "MessageQueue"],
        title: "The peer polls",
        text: "Who finds nothing yields its processor, and never sleeps. Queue and \
               MessageQueue that poll as it does had 1.8 to 1.95 and 1.40 to 1.45 times its \
               items of 64 bytes, instead of 0.65 and 0.5 (`floors items`).",
    },
    Reason {
        workload: "channels",
        cases: &["items of 1 MiB"],
        ours: &["MessageQueue", "Pipe"],
        title: "They copy each item once more",
        text: "The peer hands over places, and so does TaskQueue: in the same rounds it got 1.3 \
               times as much done as the peer.",
    },
    Reason {
        workload: "channels",
        cases: &["4 to 1 processes, items of 4 KiB"],
        ours: &[],
        title: "iceoryx2 hands over places, and copies nothing",
        text: "With 4 KiB instead of 64 bytes it had 0.98 times as many items, on an AMD EPYC; a \
               bare ring that copies had 0.19 times as many. It polls.",
    },
    Reason {
        workload: "latency",
        cases: &["1 MiB to or fro, one processor"],
        ours: &[],
        title: "A socket's buffer is smaller, and stays in the cache",
        text: "On one processor TaskQueue, iceoryx2 and a bare ring took equally long, with one \
               buffer of 1 MiB or four, and a Unix stream 0.73 times as long (`floors buffers`). \
               On two processors the stream took 3.0 times as long as iceoryx2, and TaskQueue 1.6 \
               times. MessageQueue and Pipe copy each item once more.",
    },
    Reason {
        workload: "latency",
        cases: &["1 MiB"],
        ours: &["MessageQueue", "Pipe"],
        title: "They copy each item once more",
        text: "TaskQueue hands it over in place: on two processors it took 0.66 times as long in \
               the same rounds.",
    },
    Reason {
        workload: "latency",
        cases: &["1 MiB to or fro, two processors"],
        ours: &["TaskQueue"],
        title: "The peer polls",
        text: "A copy of 1 MiB takes longer than TaskQueue spins, so it sleeps. If it \
               polls, too, it takes 1.02 to 1.20 times as long as the peer instead of 1.44 \
               to 1.62, and with one buffer instead of four 0.90 to 1.00 times (`floors buffers`).",
    },
    Reason {
        workload: "latency",
        cases: &["64 bytes to or fro, one processor", "4 KiB to or fro, one processor"],
        ours: &["TaskQueue"],
        title: "A worker checks all slots before it sleeps",
        text: "It may have to find what a dead or stopped process has left. With 4 slots TaskQueue \
               took 1.25 times as long as a Unix pipe, with 64 1.39, with 256 (as here) 1.74, and \
               with 1,024 2.90 times; Queue 1.15 times (`floors slots`).",
    },
    Reason {
        workload: "latency",
        cases: &["64 bytes to or fro, one processor", "4 KiB to or fro, one processor"],
        ours: &["outlive Queue", "MessageQueue"],
        title: "A wait has an end, and a queue has work of its own",
        text: "Bare futex waits took 0.92 to 0.96 times as long as a pipe's turn, and 0.98 to 1.05 \
               times with an end (`floors sleeps`). Of the time of a Queue's turn, perf found 7 % in \
               outlive's own code, and the rest in the kernel. A first sleep that watches no \
               lifeline gained nothing: 1.22 instead of 1.23 times.",
    },
    Reason {
        workload: "latency",
        cases: &["64 bytes to or fro, one processor", "4 KiB to or fro, one processor"],
        ours: &["Pipe"],
        title: "A wait has an end, and watches others",
        text: "Bare futex waits took 0.92 to 0.96 times as long as a pipe's turn, 0.98 to 1.05 \
               times with an end, and 1.12 times with an end on two words (`floors sleeps`). \
               Without that, no death would be noticed.",
    },
    Reason {
        workload: "segments",
        cases: &["to open one"],
        ours: &[],
        title: "It checks what it opens",
        text: "To open one, join and leave makes 49 system calls, counted by strace; the peer makes \
               4 and checks nothing. Some read files of /proc: when the thread began, and who owns \
               unmapped files. Others are file locks, by which an opener knows whether all others \
               are dead, and checks of the file's owner and header, which alone take 1.5 times as \
               long as to open and map (`floors opening`).",
    },
    Reason {
        workload: "segments",
        cases: &["to make one"],
        ours: &[],
        title: "A segment is complete before it has its name",
        text: "It is made as a file without a name, allocated, checked and linked. The system \
               calls that check are those of opening one.",
    },
    Reason {
        workload: "growth",
        cases: &["to make a segment of them, 1 "],
        ours: &[],
        title: "A segment is complete before it has its name",
        text: "See segments. With 1,000 mutexes or more the peer is not ahead.",
    },
    Reason {
        workload: "deaths",
        cases: &["64 waiters", "250 waiters"],
        ours: &[],
        title: "The first one that wakes wakes all others before it takes the lock",
        text: "So no death is lost if that one dies, too: the kernel wakes only one. Without this \
               cascade, 64 waiters of a Mutex took 1.25 times as long as with the robust mutex, \
               instead of 2.3, and of a PermitPool 1.1 instead of 2.5. But a RwLock hung.",
    },
    Reason {
        workload: "deaths",
        cases: &["1 waiter"],
        ours: &[],
        title: "It asks whether the dead process may still write, and wakes others first",
        text: "In 100 rounds RwLock took 1.19 times as long as the robust mutex, Mutex 1.13, and \
               PermitPool 1.02. The latter guards no data, so it does not ask whether other \
               threads of the dead process have ended. Without the cascade (see 64 waiters), \
               RwLock took 1.10 times as long.",
    },
    Reason {
        workload: "wakeups",
        cases: &["until all run"],
        ours: &[],
        title: "Each sleeper is on up to 128 lists of the kernel",
        text: "For it watches everybody's death. Made to sleep on its first word alone, 64 \
               sleepers took 1.02 to 1.26 times as long as on bare futexes, instead of 1.25 to \
               1.64. Bare sleepers on 128 words took 1.60 times as long as on one \
               (`floors crowds`).",
    },
    Reason {
        workload: "wakeups",
        cases: &["the waker's own call"],
        ours: &[],
        title: "A pipe wakes one reader, which wakes the next",
        text: "So its caller pays for one. A bare futex call, too, takes 10 times as long for 64 \
               waiters, and 220 times for 1,000. Beside that, the 64 sleepers of Event, Barrier \
               and Semaphore took 1.24 to 1.45 times as long; made to sleep on one word each \
               instead of up to 128, 0.92 to 1.07 times.",
    },
    Reason {
        workload: "idle",
        cases: &["processor time"],
        ours: &[],
        title: "Each sleeper looks now and then whether a death was missed",
        text: "Once a second, and less often if there are many. Within 2.1 seconds strace counted \
               3 waits of a Mutex that ended by themselves, and 27 without `futex_waitv`; those of \
               the peers have no end.",
    },
    Reason {
        workload: "growth",
        cases: &["to join", "for each that joins"],
        ours: &[],
        title: "To join is to take a place in the table, and to tell all sleepers",
        text: "The peer has no table, so its first lock makes no system call. To take the place \
               makes 17, counted by strace: 9 of them read when the thread began, from /proc. One \
               wakes all sleepers, which then watch the newcomer, too. So the sleepers' time \
               grows with their number, and a joiner competes with them for the processors.",
    },
    Reason {
        workload: "growth",
        cases: &["sleepers' time for that death", "from a holder's death to the next, 100 "],
        ours: &[],
        title: "A death wakes all sleepers",
        text: "See deaths: the first one that wakes wakes all others before it takes the lock. \
               Among 1,000 processes each sleeper watches 126 others at most, and all sleepers \
               together took 0.11 times as long as among 100.",
    },
    Reason {
        workload: "growth",
        cases: &["sleepers' time for that notification"],
        ours: &[],
        title: "Each sleeper looks now and then whether a death was missed",
        text: "See idle: the sleepers' time is that of 50 ms, in which 100 and 1,000 sleepers use as much \
               even if nobody notifies.",
    },
    Reason {
        workload: "growth",
        cases: &["from a notification to the waiter, 100 ", "from a notification to the waiter, 1,000 "],
        ours: &[],
        title: "Each sleeper is on up to 128 lists of the kernel",
        text: "See wakeups, where the same sleepers were made to sleep on one word alone.",
    },
    Reason {
        workload: "growth",
        cases: &["to lock each in turn"],
        ours: &[],
        title: "A thread looks up its place in the segment",
        text: "The last four segments are in its cache; others are found in a table. One segment \
               takes 0.60 times as long as the robust mutex, and ten 0.91 times.",
    },
];

#[cfg(test)]
mod tests {
    use super::super::figures::Unit;
    use super::*;

    #[test]
    fn a_reason_covers_rows_by_workload_case_and_name() {
        let reason =
            Reason { workload: "pairs", cases: &["lock: ", "once"], ours: &["Mutex"], title: "it", text: "is so" };
        let covers = |workload, name, ours| reason.covers(&Case::new(workload, name, Unit::Nanoseconds), ours);
        assert!(covers("pairs", "lock: take", "outlive Mutex") && covers("pairs", "once", "outlive ReentrantMutex"));
        assert!(!covers("channels", "lock: take", "outlive Mutex"));
        assert!(!covers("pairs", "event", "outlive Mutex") && !covers("pairs", "once", "outlive Lock"));
    }

    #[test]
    fn peers_are_marked_by_their_names() {
        assert!(answers_deaths("pthread mutex, robust") && !answers_deaths("pthread mutex"));
        assert!(polls("iceoryx2, polled") && polls("Boost interprocess_mutex") && !polls("Boost message_queue"));
    }
}
