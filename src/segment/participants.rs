//! Who takes part in a segment, or did, for people to look at.

use crate::platform::Platform;
use crate::platform::linux::Linux;
use crate::raw::Id;
use crate::raw::table::Slot;
use core::fmt;
use core::time::Duration;

/// A participant of a segment, for people to look at:
/// [`Segment::participants`](crate::Segment::participants),
/// [`Segment::participant`](crate::Segment::participant).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ParticipantInfo {
    /// Slot and generation: what [`Inconsistent::by`](crate::Inconsistent::by) names.
    pub id: Id,
    /// Its process id, in its own PID namespace.
    pub process_id: u32,
    /// Its thread id, likewise. `None` once its slot is freed: after
    /// [`Segment::detach`](crate::Segment::detach), and some time after a death, which is about a
    /// second if somebody waits in the segment.
    pub thread_id: Option<u32>,
    /// Whether it takes part at the moment. It does not if its thread has ended, or has left.
    pub is_alive: bool,
    /// How long ago its thread began, by the clock of the system (CLOCK_BOOTTIME). `None` where
    /// that cannot be told: in another time namespace, and wherever [`thread_id`](Self::thread_id)
    /// is not known.
    pub age: Option<Duration>,
    /// For how long it has been asleep in this segment, if it is: since it last woke up, which some
    /// do to look, though what they wait for has not come.
    pub asleep_for: Option<Duration>,
}

/// For people: `thread 4712 of process 4711, alive, begun 3.2 s ago, asleep for 0.5 s`, as far as
/// it is known.
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

/// Those who are alive.
pub(super) fn living(slots: &[Slot<Linux>]) -> Vec<ParticipantInfo> {
    let living = slots.iter().enumerate().filter_map(|(index, slot)| info(slot, slot.living(index)?.0));
    living.filter(|info| info.is_alive).collect()
}

/// What a slot says of that participant, if it speaks of it.
pub(super) fn info(slot: &Slot<Linux>, id: Id) -> Option<ParticipantInfo> {
    slot.read_record(id, |about, thread_id| {
        let is_alive = slot.living(id.index()).is_some_and(|(living, _)| living == id);
        let asleep_for = about.waits_since().filter(|_| is_alive);
        ParticipantInfo {
            id,
            process_id: about.process_id(),
            thread_id,
            is_alive,
            // A slot may have been freed because the segment is of another boot.
            age: thread_id.and_then(|_| about.age()),
            asleep_for: asleep_for.map(|since| Linux::now().saturating_sub(Duration::from_millis(since))),
        }
    })
}
