//! [`Barrier`]: all parties meet, or all learn that they do not.

use super::guard_tag::GuardTag;
use super::result::{FromRaw, refused};
use super::{Deadline, take_part_to_wake};
use crate::ParticipantId;
use crate::error::{
    ActionError, BarrierError, BarrierTimeoutError, JoinError, NotInSegmentError, RangeError, RegisterError,
};
use crate::platform::Linux;
use crate::raw::barrier::{NotJoined, NotPassed, Passed};
use crate::raw::{self, Participant};
use crate::segment::{Definition, Part, Shareable, local};
use core::convert::Infallible;
use core::fmt;
use core::marker::PhantomData;
use core::mem::offset_of;
use core::ops::Deref;
use std::time::{Duration, Instant};

/// A place where a number of parties meet, again and again, in memory that processes share.
///
/// The number of parties is chosen when the barrier is made, at run time: any from 1 to `N`, for
/// which [`try_new`](Self::try_new) has room. See [how many](#how-many-parties).
///
/// It works as [`std::sync::Barrier`] and Python's `multiprocessing.Barrier`, with one more answer.
/// If a party **dies** while it waits, the barrier is broken, and all waiters get
/// [`BarrierError::Broken`] with the id of the dead party. Python's barrier hangs. If the death of
/// a party is to be noticed even *before* it arrives, the party calls [`join`](Self::join).
///
/// The barrier is also broken by a timeout, by [`abort`](Self::abort), and by an action that
/// [fails](Self::wait_then) or panics. It stays broken, and every wait fails, until it is
/// [`reset`](Self::reset).
///
/// ```
/// use outlive::{Barrier, Segment};
///
/// let meeting = Segment::<Barrier>::anonymous(|meeting| *meeting = Barrier::new(2))?;
/// std::thread::scope(|scope| {
///     let other = scope.spawn(|| meeting.wait().unwrap().is_leader());
///     let leads = meeting.wait().unwrap().is_leader();
///     assert_ne!(leads, other.join().unwrap());
/// });
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # If a process dies
///
/// | participant                                             | what the others see                                                 |
/// |---------------------------------------------------------|---------------------------------------------------------------------|
/// | a waiter, or the thread that runs the action                       | [`BarrierError::Broken`] with its id                                    |
/// | a thread that has [joined](Self::join), before or while it waits | the same                                                          |
/// | another, before it arrives                               | nothing: the waiters wait on, up to their timeout                    |
/// | a released waiter, even if it has not run since  | nothing; its place is free                                           |
/// | a thread that aborts or resets                                | the abort or reset is done, or not; after a reset that is half done the barrier is broken |
///
/// # How many parties
///
/// `N` is room, and nothing else: [`new`](Self::new) sets the number of parties, and memory of
/// zeros is a barrier of `N`. Operations use the room of the parties only, so room that is not used
/// costs memory and no time.
///
/// | type            | parties    | bytes  | takes all participants of a segment                       |
/// |-----------------|------------|--------|-----------------------------------------------------------|
/// | `Barrier<8>`    | 1 to 8     | 112    |                                                           |
/// | `Barrier`       | 1 to 256   | 3,088  | as made by default                                        |
/// | `Barrier<4096>` | 1 to 4,096 | 49,168 | of the most [`participants`](crate::SegmentOptions::participants) |
///
/// That is 16 bytes, and 12 for each party. A party is a thread, and a thread that waits is a
/// participant: a barrier of more parties than its segment has participants never trips.
///
/// # What a waiter learns
///
/// The outcome of its own generation: the one in which it arrived. If one party learns that all
/// have met, all parties of that generation do, however late they check, and whatever has happened
/// to the barrier meanwhile.
///
/// # Interruptions
///
/// A wait that is [interrupted](crate::interruptible) takes the arrival back and breaks nothing: it
/// is as if that party had not come yet. If all have met meanwhile, its wait succeeds instead.
/// While an action runs all have met: then a wait is not interrupted before the action has ended. A
/// thread that dies while it takes its arrival back counts as a waiter that died. If it is
/// *stopped* there, nobody else gets its place until it goes on.
///
/// # More threads than parties
///
/// A thread that finds all places taken waits for the next generation. A generation is drained
/// before the next one: a released waiter keeps its place up to the return of its wait. So a
/// process that is *stopped* (SIGSTOP, a debugger) after it was released holds up the threads that
/// need its place. With no more threads than parties those threads would wait for that process
/// anyway.
#[repr(C)]
pub struct Barrier<const N: usize = 256> {
    raw: raw::Barrier<Linux, N>,
}

// SAFETY: repr(C) around words that are understood whatever their bits; no pointers, no Drop.
unsafe impl<const N: usize> Shareable for Barrier<N> {
    const DEFINITION: &'static Definition = {
        const { assert!(0 < N && N <= ParticipantId::MAX_PARTICIPANTS, "a barrier has 1 to 4096 parties") };
        &Definition::structure::<Self>(
            "outlive::Barrier",
            &[
                Part::const_parameter("N", N as u128),
                Part::words::<raw::Barrier<Linux, N>>("raw", offset_of!(Self, raw)),
            ],
        )
    };
}

impl<const N: usize> Barrier<N> {
    /// A barrier of so many parties.
    ///
    /// # Panics
    /// If `parties` is 0, or more than `N`. [`try_new`](Self::try_new) gives an error instead.
    pub const fn new(parties: usize) -> Self {
        assert!(
            0 < parties && parties <= N,
            "a barrier has at least one party, and at most as many as it has room for"
        );
        Self::from_parties(parties)
    }

    /// As [`new`](Self::new), for a number that comes from outside. A number out of range is an
    /// error.
    ///
    /// ```
    /// use outlive::{Barrier, RangeError, Segment};
    ///
    /// let parties: usize = "3".parse().expect("a number"); // an argument, say
    /// let of_three = Barrier::try_new(parties)?;
    /// let meeting = Segment::<Barrier>::anonymous(|meeting| *meeting = of_three)?;
    /// assert_eq!(meeting.parties(), 3);
    ///
    /// let error = Barrier::<8>::try_new(9).unwrap_err();
    /// assert!(matches!(error, RangeError { found: 9, minimum: 1, maximum: 8, .. }));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The number is one with which `new` panics.
    pub const fn try_new(parties: usize) -> Result<Self, RangeError> {
        if parties == 0 || parties > N {
            let what = "the number of a barrier's parties";
            return Err(RangeError::new(what, parties as u64, 1, N as u64));
        }
        Ok(Self::from_parties(parties))
    }

    const fn from_parties(parties: usize) -> Self {
        Self {
            raw: raw::Barrier::from_parts(
                Linux::zero_long(),
                Linux::zero(),
                Linux::word(parties as u32),
                [const { Linux::zero() }; N],
                [const { Linux::zero_long() }; N],
            ),
        }
    }

    /// Waits until all parties have come, as long as it takes. After the wait, each party sees what
    /// all parties wrote before theirs.
    ///
    /// # Errors
    /// [`BarrierError::Broken`]; [`BarrierError::Register`]. [`BarrierError::Interrupted`], in an
    /// [interruptible scope](crate::interruptible):
    /// [the arrival is taken back](Self#interruptions).
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    pub fn wait(&self) -> Result<BarrierWaitResult, BarrierError> {
        self.wait_plainly(Deadline::NEVER)
    }

    /// Waits at most that long (monotonic time), and then breaks the barrier. [`Duration::MAX`] is
    /// forever.
    ///
    /// A waiter that found no place, because others had taken all, breaks nothing.
    ///
    /// # Errors
    /// Those of [`wait`](Self::wait), and [`BarrierTimeoutError::TimedOut`]. The other waiters get
    /// `Broken` then.
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    pub fn wait_timeout(&self, timeout: Duration) -> Result<BarrierWaitResult, BarrierTimeoutError> {
        self.wait_plainly(Deadline::after(timeout))
    }

    /// As [`wait_timeout`](Self::wait_timeout), with a deadline instead of a timeout.
    ///
    /// # Errors
    /// Those of [`wait_timeout`](Self::wait_timeout).
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    pub fn wait_until(&self, deadline: Instant) -> Result<BarrierWaitResult, BarrierTimeoutError> {
        self.wait_plainly(Deadline::at(deadline))
    }

    /// Waits. The leader, a waiter that finds that all have arrived, runs its action before anybody
    /// is released.
    ///
    /// Functions cannot be shared between processes, so each party brings the action: usually all
    /// the same.
    ///
    /// ```
    /// use outlive::{Barrier, Segment};
    /// use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
    ///
    /// let meeting = Segment::<Barrier<2>>::anonymous(|_two| {})?;
    /// let rounds = AtomicU32::new(0);
    /// std::thread::scope(|scope| {
    ///     for _ in 0..2 {
    ///         scope.spawn(|| meeting.wait_with(|| { rounds.fetch_add(1, Relaxed); }).unwrap());
    ///     }
    /// });
    /// assert_eq!(rounds.into_inner(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`wait`](Self::wait).
    ///
    /// # Panics
    /// If the action panics. The barrier is broken then.
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    pub fn wait_with(&self, action: impl FnOnce()) -> Result<BarrierWaitResult, BarrierError> {
        self.wait_simply(Deadline::NEVER, action)
    }

    /// Combines [`wait_with`](Self::wait_with) and [`wait_timeout`](Self::wait_timeout). The time
    /// that the action takes counts towards the timeout of the parties that wait for it.
    ///
    /// # Errors
    /// Those of [`wait_timeout`](Self::wait_timeout).
    ///
    /// # Panics
    /// If the action panics. The barrier is broken then.
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    pub fn wait_timeout_with(
        &self,
        timeout: Duration,
        action: impl FnOnce(),
    ) -> Result<BarrierWaitResult, BarrierTimeoutError> {
        self.wait_simply(Deadline::after(timeout), action)
    }

    /// Combines [`wait_with`](Self::wait_with) and [`wait_until`](Self::wait_until).
    ///
    /// # Errors
    /// Those of [`wait_timeout`](Self::wait_timeout).
    ///
    /// # Panics
    /// If the action panics. The barrier is broken then.
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    pub fn wait_until_with(
        &self,
        deadline: Instant,
        action: impl FnOnce(),
    ) -> Result<BarrierWaitResult, BarrierTimeoutError> {
        self.wait_simply(Deadline::at(deadline), action)
    }

    /// As [`wait_with`](Self::wait_with), with an action that can fail. If the action fails, the
    /// parties have not met. The caller that ran the action gets its error, and all others get
    /// [`BarrierError::Broken`].
    ///
    /// ```
    /// use outlive::{ActionError, Barrier, BarrierError, Segment};
    ///
    /// let meeting = Segment::<Barrier<2>>::anonymous(|_two| {})?;
    /// std::thread::scope(|scope| {
    ///     let other = scope.spawn(|| meeting.wait_then(|| Err("no disk")));
    ///     let answers = [meeting.wait_then(|| Err("no disk")), other.join().unwrap()];
    ///     let failed = |answer: &Result<_, _>| matches!(answer, Err(ActionError::Failed("no disk")));
    ///     let broken = |answer: &Result<_, _>| matches!(answer, Err(ActionError::Wait(BarrierError::Broken { .. })));
    ///     assert!(answers.iter().any(failed) && answers.iter().any(broken));
    /// });
    /// meeting.reset()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`ActionError::Failed`] if the action of the calling thread was run, and failed. The barrier
    /// is broken then, unless somebody has [reset](Self::reset) it during the action.
    /// [`ActionError::Wait`] with the errors of [`wait`](Self::wait).
    ///
    /// # Panics
    /// If the action panics. The barrier is broken then.
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    pub fn wait_then<E>(&self, action: impl FnOnce() -> Result<(), E>) -> Result<BarrierWaitResult, ActionError<E>> {
        self.wait_here(Deadline::NEVER, action)
    }

    /// Combines [`wait_then`](Self::wait_then) and [`wait_timeout`](Self::wait_timeout). The time
    /// that the action takes counts towards the timeout of the parties that wait for it.
    ///
    /// # Errors
    /// Those of [`wait_then`](Self::wait_then), and [`BarrierTimeoutError::TimedOut`] in
    /// [`ActionError::Wait`].
    ///
    /// # Panics
    /// If the action panics. The barrier is broken then.
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    pub fn wait_timeout_then<E>(
        &self,
        timeout: Duration,
        action: impl FnOnce() -> Result<(), E>,
    ) -> Result<BarrierWaitResult, ActionError<E, BarrierTimeoutError>> {
        self.wait_here(Deadline::after(timeout), action)
    }

    /// Combines [`wait_then`](Self::wait_then) and [`wait_until`](Self::wait_until).
    ///
    /// # Errors
    /// Those of [`wait_timeout_then`](Self::wait_timeout_then).
    ///
    /// # Panics
    /// If the action panics. The barrier is broken then.
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    pub fn wait_until_then<E>(
        &self,
        deadline: Instant,
        action: impl FnOnce() -> Result<(), E>,
    ) -> Result<BarrierWaitResult, ActionError<E, BarrierTimeoutError>> {
        self.wait_here(Deadline::at(deadline), action)
    }

    fn wait_plainly<W: FromRaw<NotPassed>>(&self, deadline: Deadline) -> Result<BarrierWaitResult, W> {
        let me = local::participant(self)?;
        Ok(self.raw.wait(me, deadline.deadline(), false).map_err(refused::<_, W>)?.into())
    }

    /// With an action that cannot fail.
    fn wait_simply<W>(&self, deadline: Deadline, action: impl FnOnce()) -> Result<BarrierWaitResult, W>
    where
        W: FromRaw<NotPassed>,
    {
        let action = || {
            action();
            Ok::<(), Infallible>(())
        };
        self.wait_here(deadline, action).map_err(|error| match error {
            ActionError::Wait(error) => error,
            ActionError::Failed(never) => match never {},
        })
    }

    fn wait_here<E, W: FromRaw<NotPassed>>(
        &self,
        deadline: Deadline,
        action: impl FnOnce() -> Result<(), E>,
    ) -> Result<BarrierWaitResult, ActionError<E, W>> {
        let me = local::participant(self).map_err(W::from)?;
        let passed = self.raw.wait(me, deadline.deadline(), true).map_err(refused::<_, W>)?;
        if let Passed::Runner { generation, .. } = passed {
            self.run(me, generation, action)?;
        }
        Ok(passed.into())
    }

    fn run<E, W: FromRaw<NotPassed>>(
        &self,
        me: Participant<'_, Linux>,
        generation: u32,
        action: impl FnOnce() -> Result<(), E>,
    ) -> Result<(), ActionError<E, W>> {
        let running = Running { barrier: self, id: me.id, generation, tag: GuardTag::now(0) };
        action().map_err(ActionError::Failed)?; // an error drops `running`, as a panic does
        let is_of_this_process = running.tag.is_of_this_process();
        core::mem::forget(running);
        if !is_of_this_process {
            return Err(W::from_raw(NotPassed::Broken { died: None }).into()); // forked by the action: the copy is no party
        }
        Ok(self.raw.finish(me, generation).map_err(refused::<_, W>)?)
    }

    /// Declares that the calling thread will come. If it dies before that, the waits of the others
    /// fail. Dropping the member takes the declaration back (and breaks nothing, unless the thread
    /// is panicking).
    ///
    /// A member has not arrived by joining: it calls `wait` as all parties do. Parties that have
    /// not joined may come as well.
    ///
    /// ```
    /// use outlive::{Barrier, Segment};
    ///
    /// let meeting = Segment::<Barrier<1>>::anonymous(|_alone| {})?;
    /// let member = meeting.join().unwrap();
    /// for _round in 0..3 {
    ///     member.wait().unwrap();
    /// }
    /// # drop(member);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`JoinError::Full`] if there are as many members as parties. Dead members count until a
    /// [`reset`](Self::reset). [`JoinError::Register`].
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    pub fn join(&self) -> Result<BarrierMember<'_, N>, JoinError> {
        let me = local::participant(self)?;
        let place = self.raw.join(me).map_err(|NotJoined| JoinError::Full { parties: self.parties() })?;
        Ok(BarrierMember { barrier: self, id: me.id, tag: GuardTag::now(place as u32), not_send: PhantomData })
    }

    /// Breaks the barrier: all waits fail, the present and the next ones, until it is
    /// [`reset`](Self::reset).
    ///
    /// # Errors
    /// The barrier is in no segment.
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    pub fn abort(&self) -> Result<(), NotInSegmentError> {
        take_part_to_wake(self)?;
        self.raw.abort();
        Ok(())
    }

    /// Makes the barrier as new. The present waits fail as broken. Members that have died are
    /// members no longer.
    ///
    /// # Errors
    /// The calling thread cannot be registered as a participant.
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    pub fn reset(&self) -> Result<(), RegisterError> {
        self.raw.reset(local::participant(self)?);
        Ok(())
    }

    /// Whether it is broken.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        self.raw.is_broken()
    }

    /// How many must come.
    #[must_use]
    pub fn parties(&self) -> usize {
        self.raw.parties()
    }

    /// How many have come and wait at the moment; 0 if it is broken.
    #[must_use]
    pub fn n_waiting(&self) -> usize {
        if self.is_broken() { 0 } else { self.raw.arrived().count() }
    }

    /// The participants that have come and wait for the others. If the barrier is broken, these are
    /// the waiters that have not returned yet, and those that have died. This is for people who
    /// search for the missing party.
    pub fn arrived(&self) -> impl Iterator<Item = ParticipantId> + '_ {
        self.raw.arrived()
    }
}

/// As many parties as there is room for.
impl<const N: usize> Default for Barrier<N> {
    fn default() -> Self {
        Self::new(N)
    }
}

/// Never waits.
impl<const N: usize> fmt::Debug for Barrier<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Barrier")
            .field("parties", &self.parties())
            .field("waiting", &self.n_waiting())
            .field("broken", &self.is_broken())
            .finish()
    }
}

impl From<Passed> for BarrierWaitResult {
    fn from(passed: Passed) -> Self {
        match passed {
            Passed::Leader { index, .. } | Passed::Runner { index, .. } => Self { index, leader: true },
            Passed::Follower { index, .. } => Self { index, leader: false },
        }
    }
}

/// The caller's part in a generation in which all have met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BarrierWaitResult {
    index: usize,
    leader: bool,
}

impl BarrierWaitResult {
    /// True for exactly one party: the one that completed the number, and ran the action if it
    /// brought one.
    #[must_use]
    pub fn is_leader(&self) -> bool {
        self.leader
    }
    /// The number of this party, from 0 on and below the number of parties. No two parties that met
    /// have the same.
    #[must_use]
    pub fn index(&self) -> usize {
        self.index
    }
}

/// An action runs. Dropped only if it panics or fails.
struct Running<'a, const N: usize> {
    barrier: &'a Barrier<N>,
    id: ParticipantId,
    generation: u32,
    tag: GuardTag,
}

impl<const N: usize> Drop for Running<'_, N> {
    fn drop(&mut self) {
        if self.tag.is_of_this_process() {
            self.barrier.raw.give_up(self.id, self.generation);
        }
    }
}

/// The declaration that the thread will come to a [`Barrier`]: see [`Barrier::join`]. It derefs to
/// the barrier.
///
/// It gives no reference to data. If a thread leaks its declaration and ends, that counts as the
/// death of the member: the others get [`BarrierError::Broken`].
///
/// In a child that was forked while the parent had joined, the copy still derefs to the barrier.
/// When it is dropped it takes nothing back: the member is the parent.
#[must_use = "if unused the declaration is taken back at once"]
pub struct BarrierMember<'a, const N: usize> {
    barrier: &'a Barrier<N>,
    id: ParticipantId,
    /// Its own part: the member's place.
    tag: GuardTag,
    not_send: PhantomData<*const ()>, // the member is a thread
}

// SAFETY: nothing can be done through a `&BarrierMember` but what everybody can do with the
// barrier.
unsafe impl<const N: usize> Sync for BarrierMember<'_, N> {}

impl<const N: usize> Deref for BarrierMember<'_, N> {
    type Target = Barrier<N>;
    fn deref(&self) -> &Barrier<N> {
        self.barrier
    }
}

impl<const N: usize> Drop for BarrierMember<'_, N> {
    fn drop(&mut self) {
        if !self.tag.is_of_this_process() {
            return; // a fork's copy
        }
        if self.tag.panicked_since() {
            self.barrier.raw.abort(); // a panic keeps it from coming, not a decision
        }
        self.barrier.raw.leave(self.id, self.tag.own() as usize);
    }
}

impl<const N: usize> fmt::Debug for BarrierMember<'_, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("BarrierMember").field(self.barrier).finish()
    }
}
