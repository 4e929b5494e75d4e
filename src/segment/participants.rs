//! Which participants does a segment have, and which did it have? For people to read.

use crate::ParticipantId;
use crate::platform::Platform;
use crate::platform::linux::Linux;
use crate::raw::table::Slot;
use core::fmt;
use core::time::Duration;

/// A participant of a segment, for people to read:
/// [`Segment::participants`](crate::Segment::participants),
/// [`Segment::participant`](crate::Segment::participant).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ParticipantInfo {
    /// Slot and generation: the id that [`Inconsistent::by`](crate::Inconsistent::by) gives.
    pub id: ParticipantId,
    /// Its process id, in its own PID namespace.
    pub process_id: u32,
    /// Its thread id, in its own PID namespace. `None` once its slot is freed: after
    /// [`Segment::detach`](crate::Segment::detach), and some time after a death. That time is about
    /// a second while anybody waits in the segment.
    pub thread_id: Option<u32>,
    /// Whether it takes part at the moment. It does not after its thread has ended or has left.
    pub is_alive: bool,
    /// How long ago its thread began, by the clock of the system (CLOCK_BOOTTIME). `None` where
    /// that is unknown: in another time namespace, and where [`thread_id`](Self::thread_id) is
    /// `None`.
    pub age: Option<Duration>,
    /// How long it has been asleep in this segment, if it is asleep. Some waiters wake up from time
    /// to time to check again, and sleep on. Then the time counts from the last of these.
    pub asleep_for: Option<Duration>,
}

/// For people: `thread 4712 of process 4711, alive, begun 3.2 s ago, asleep for 0.5 s`. What is
/// unknown is left out.
impl fmt::Display for ParticipantInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(thread_id) = self.thread_id {
            write!(f, "thread {thread_id} of ")?;
        }
        write!(f, "process {}, {}", self.process_id, if self.is_alive { "alive" } else { "gone" })?;
        if let Some(age) = self.age {
            write!(f, ", begun {:.1} s ago", age.as_secs_f64())?;
        }
        if let Some(asleep_for) = self.asleep_for {
            write!(f, ", asleep for {:.1} s", asleep_for.as_secs_f64())?;
        }
        Ok(())
    }
}

/// The participants that are alive.
pub(super) fn living(slots: &[Slot<Linux>]) -> Vec<ParticipantInfo> {
    let living = slots.iter().enumerate().filter_map(|(index, slot)| info(slot, slot.living(index)?.0));
    living.filter(|info| info.is_alive).collect()
}

/// What a slot says of this participant, or `None` if it speaks of another.
pub(super) fn info(slot: &Slot<Linux>, id: ParticipantId) -> Option<ParticipantInfo> {
    slot.read_record(id, |record, thread_id| {
        let is_alive = slot.living(id.index()).is_some_and(|(living, _)| living == id);
        let asleep_for = record.waits_since().filter(|_| is_alive);
        ParticipantInfo {
            id,
            process_id: record.process_id(),
            thread_id,
            is_alive,
            // A slot may have been freed because the segment is from another boot.
            age: thread_id.and_then(|_| record.age()),
            asleep_for: asleep_for.map(|since| Linux::now().saturating_sub(Duration::from_millis(since))),
        }
    })
}
