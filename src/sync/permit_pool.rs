//! [`PermitPool`]: permits with numbers. The permits of dead holders come back.

use super::guard_tag::GuardTag;
use super::result::{FromRaw, refused};
use super::{Deadline, take_part_to_wake};
use crate::ParticipantId;
use crate::error::{AcquireError, AcquireTimeoutError, NotHeldError, RangeError, TryAcquireError};
use crate::platform::Linux;
use crate::raw;
use crate::raw::permit_pool::{NoPermit, Taken};
use crate::segment::{Definition, Part, Shareable, local};
use core::fmt;
use core::marker::PhantomData;
use core::mem::offset_of;
use std::time::{Duration, Instant};

/// Up to `N` permits in memory that processes share: "N locks, any of which will do". 8 + 4 N
/// bytes.
///
/// Each [`Permit`] has an [index](Permit::index). So it can stand for one of several connections,
/// devices or buffers: the holder of permit 3 has connection 3 to itself. Each permit also names
/// its holder. When the holder dies, the next caller gets the permit. It can ask
/// [who died](Permit::previous_holder_died), and put the connection in order. If permits are only
/// counted, take a [`Semaphore`](crate::Semaphore).
///
/// It must be in a [`Segment`](crate::Segment), as a [`Mutex`](crate::Mutex). A thread may hold
/// several permits. If a thread waits for a permit and holds all permits itself, it waits until
/// another thread [gives one back](Self::give_back) on its behalf.
///
/// ```
/// use outlive::{PermitPool, Segment};
///
/// // At most 64 connections, and in this segment 2.
/// let pool = Segment::<PermitPool<64>>::anonymous(|pool| pool.set_capacity(2))?;
/// let one = pool.permit().unwrap();
/// let other = pool.permit().unwrap();
/// assert_ne!(one.index(), other.index());
/// if let Some(dead) = one.previous_holder_died() {
///     println!("{dead} died with connection {}: reset it", one.index());
/// }
/// assert!(pool.try_permit().is_err());
/// drop(one);
/// assert_eq!(pool.held(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # If a process dies
///
/// | participant                                     | what the others see                                                  |
/// |-------------------------------------------------|----------------------------------------------------------------------|
/// | a holder (SIGKILL, exit, exec, end of thread)    | its permits go to the next callers or waiters, and these can ask from whom |
/// | a waiter, woken or not                    | nothing                                                              |
/// | a thread that releases                             | the one or the other: the permit came back, or its holder died        |
///
/// The pool keeps no mark of the death: if the caller that takes the permit over does not ask,
/// nobody learns of it.
#[repr(transparent)]
pub struct PermitPool<const N: usize> {
    pub(super) raw: raw::PermitPool<Linux, N>,
}

// SAFETY: words alone, understood whatever their bits; repr(transparent) over repr(C), no pointers,
// no Drop.
unsafe impl<const N: usize> Shareable for PermitPool<N> {
    const DEFINITION: &'static Definition = &Definition::structure::<Self>(
        "outlive::PermitPool",
        &[
            Part::const_parameter("N", N as u128),
            Part::words::<raw::PermitPool<Linux, N>>("raw", offset_of!(Self, raw)),
        ],
    );
}

impl<const N: usize> PermitPool<N> {
    /// A pool of `N` free permits. Memory of zeros is one.
    pub const fn new() -> Self {
        Self::from_capacity_word(0)
    }

    /// A pool of `capacity` free permits.
    ///
    /// # Panics
    /// If that is 0, or more than `N`. [`try_with_capacity`](Self::try_with_capacity) gives an
    /// error instead.
    pub const fn with_capacity(capacity: usize) -> Self {
        assert!(capacity != 0 && capacity <= N, "a capacity is 1 to N");
        Self::from_capacity_word(capacity as u32)
    }

    /// As [`with_capacity`](Self::with_capacity), but a number out of range is an error.
    ///
    /// ```
    /// use outlive::{PermitPool, RangeError};
    ///
    /// let error = PermitPool::<64>::try_with_capacity(65).unwrap_err();
    /// assert!(matches!(error, RangeError { found: 65, minimum: 1, maximum: 64, .. }));
    /// assert_eq!(PermitPool::<64>::try_with_capacity(2)?.capacity(), 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The number is one with which `with_capacity` panics.
    pub const fn try_with_capacity(capacity: usize) -> Result<Self, RangeError> {
        if capacity == 0 || capacity > N {
            let what = "the capacity of a permit pool";
            return Err(RangeError::new(what, capacity as u64, 1, N as u64));
        }
        Ok(Self::from_capacity_word(capacity as u32))
    }

    const fn from_capacity_word(capacity: u32) -> Self {
        const { assert!(N > 0 && N <= 1 << 30, "a pool has at least one permit, and at most 2^30") };
        let holds = [const { Linux::zero() }; N];
        Self { raw: raw::PermitPool::from_words(Linux::zero(), Linux::word(capacity), holds) }
    }

    /// Makes this a pool of `capacity` free permits, in place. To be called while a segment is
    /// created.
    ///
    /// # Panics
    /// If that is 0, or more than `N`. [`try_set_capacity`](Self::try_set_capacity) gives an error
    /// instead.
    pub fn set_capacity(&mut self, capacity: usize) {
        *self = Self::with_capacity(capacity);
    }

    /// As [`set_capacity`](Self::set_capacity), but a number out of range is an error.
    ///
    /// ```
    /// use outlive::{PermitPool, Segment};
    ///
    /// let mut answer = Ok(());
    /// let pool = Segment::<PermitPool<64>>::anonymous(|pool| answer = pool.try_set_capacity(65))?;
    /// assert!(answer.is_err());
    /// assert_eq!(pool.capacity(), 64, "unchanged");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The number is one with which `set_capacity` panics. Nothing is changed.
    pub fn try_set_capacity(&mut self, capacity: usize) -> Result<(), RangeError> {
        *self = Self::try_with_capacity(capacity)?;
        Ok(())
    }

    /// How many permits there are, free or held.
    pub fn capacity(&self) -> usize {
        self.raw.capacity()
    }

    /// Gives a permit, waiting as long as it takes. A signal ends the wait only in an
    /// [interruptible scope](crate::interruptible).
    ///
    /// # Errors
    /// [`AcquireError::Interrupted`]; [`AcquireError::Register`] where the thread cannot take part
    /// in the segment.
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    #[inline]
    pub fn permit(&self) -> Result<Permit<'_, N>, AcquireError> {
        self.permit_with(Deadline::NEVER)
    }

    /// Gives a permit without waiting, if there is one. The permit of a dead holder can be had,
    /// too.
    ///
    /// # Errors
    /// [`TryAcquireError::WouldBlock`] if each permit was held by a living participant when it was
    /// checked. The permits are checked one after the other: a permit that came back meanwhile may
    /// have been missed. [`TryAcquireError::Register`].
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    #[inline]
    pub fn try_permit(&self) -> Result<Permit<'_, N>, TryAcquireError> {
        self.permit_with(Deadline::Immediate)
    }

    /// Gives a permit, waiting at most that long (monotonic time). [`Duration::MAX`] waits
    /// forever.
    ///
    /// # Errors
    /// Those of [`permit`](Self::permit), and [`AcquireTimeoutError::TimedOut`].
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    pub fn try_permit_for(&self, timeout: Duration) -> Result<Permit<'_, N>, AcquireTimeoutError> {
        self.permit_with(Deadline::after(timeout))
    }

    /// Gives a permit, waiting at most until that moment.
    ///
    /// # Errors
    /// Those of [`permit`](Self::permit), and [`AcquireTimeoutError::TimedOut`].
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    pub fn try_permit_until(&self, deadline: Instant) -> Result<Permit<'_, N>, AcquireTimeoutError> {
        self.permit_with(Deadline::at(deadline))
    }

    #[inline(always)]
    fn permit_with<E: FromRaw<NoPermit>>(&self, deadline: Deadline) -> Result<Permit<'_, N>, E> {
        let me = local::participant(self)?;
        let answer = match deadline {
            Deadline::Immediate => self.raw.try_acquire(me),
            Deadline::By(deadline) => self.raw.acquire(me, deadline),
        };
        match answer {
            Ok(Taken { index, from }) => {
                let (index, tag) = (index as u32, GuardTag::now(me.id.word()));
                Ok(Permit { pool: self, tag, index, from: from.map_or(0, ParticipantId::word), not_send: PhantomData })
            }
            Err(refusal) => Err(refused(refusal)),
        }
    }

    /// Releases a permit without its guard, on behalf of its holder: after [`Permit::into_parts`],
    /// or by an answer of [`holders`](Self::holders).
    ///
    /// If `holder` has released the permit meanwhile, and acquired it again, this releases it from
    /// the new hold.
    ///
    /// # Errors
    /// `holder` does not hold the permit, or no longer; nothing is changed.
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    pub fn give_back(&self, index: usize, holder: ParticipantId) -> Result<(), NotHeldError> {
        take_part_to_wake(self)?;
        Ok(self.raw.release(index, holder)?)
    }

    /// How many permits are held at the moment. Those of dead holders count, too.
    pub fn held(&self) -> usize {
        self.raw.holders().count()
    }

    /// The permits that are held at the moment, and their holders, dead or alive.
    ///
    /// ```
    /// # let pool = outlive::Segment::<outlive::PermitPool<4>>::anonymous(|_| {})?;
    /// let permit = pool.permit().unwrap();
    /// let (index, holder) = pool.holders().next().unwrap();
    /// assert_eq!(index, permit.index());
    /// assert!(pool.participants().iter().any(|participant| participant.id == holder));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn holders(&self) -> impl Iterator<Item = (usize, ParticipantId)> + '_ {
        self.raw.holders()
    }
}

impl<const N: usize> Default for PermitPool<N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const N: usize> fmt::Debug for PermitPool<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PermitPool").field("capacity", &self.capacity()).field("held", &self.held()).finish()
    }
}

/// A permit of a [`PermitPool`], held as long as this lives. Dropping it gives it back.
///
/// # Panics
/// The drop panics if somebody else has [given the permit back](PermitPool::give_back) meanwhile:
/// another thread may then have used what the permit stands for. [`Permit::release`] gives an error
/// instead.
///
/// In a child that was forked while the parent held it, the copy of the guard releases nothing: the
/// hold is the parent's. See [fork](crate::guide#fork).
///
/// A permit gives no reference. A permit that a thread leaked before it ended comes back to the
/// pool, also while its process lives.
#[must_use = "if unused the permit is given back at once"]
pub struct Permit<'a, const N: usize> {
    pool: &'a PermitPool<N>,
    /// Its own part: the word of the holder's id.
    tag: GuardTag,
    index: u32,
    /// The word of the previous holder's id if that holder died, or 0.
    from: u32,
    not_send: PhantomData<*const ()>, // the holder is a thread
}

// SAFETY: nothing can be done through a `&Permit` but read it.
unsafe impl<const N: usize> Sync for Permit<'_, N> {}

impl<const N: usize> Permit<'_, N> {
    /// The number of the permit, from 0 on and below the pool's capacity.
    #[inline]
    pub fn index(&self) -> usize {
        self.index as usize
    }

    /// The previous holder, if it died with the permit. It may have died in the middle of using
    /// what the permit stands for.
    pub fn previous_holder_died(&self) -> Option<ParticipantId> {
        ParticipantId::holder_in(self.from)
    }

    /// Gives the permit back, as its drop does, with an error instead of a panic.
    ///
    /// # Errors
    /// Somebody else has given it back meanwhile.
    ///
    /// # If a process dies
    /// As [`PermitPool::give_back`].
    pub fn release(self) -> Result<(), NotHeldError> {
        core::mem::ManuallyDrop::new(self).give_back()
    }

    /// Keeps the permit held without a guard: until it is [given back](PermitPool::give_back), or
    /// the calling thread ends. The index and the holder are what `give_back` needs.
    ///
    /// ```
    /// # let pool = outlive::Segment::<outlive::PermitPool<4>>::anonymous(|_| {})?;
    /// let (index, holder) = pool.permit().unwrap().into_parts();
    /// pool.give_back(index, holder)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn into_parts(self) -> (usize, ParticipantId) {
        let this = core::mem::ManuallyDrop::new(self);
        (this.index(), ParticipantId::holder_in(this.tag.own()).expect("a permit has a holder"))
    }

    #[inline]
    fn give_back(&self) -> Result<(), NotHeldError> {
        match ParticipantId::holder_in(self.tag.own()) {
            Some(holder) if self.tag.is_of_this_process() => Ok(self.pool.raw.release(self.index(), holder)?),
            _ => Ok(()), // a fork's copy
        }
    }
}

impl<const N: usize> Drop for Permit<'_, N> {
    #[inline]
    fn drop(&mut self) {
        if let Err(error) = self.give_back() {
            // A second panic would abort: the first one is enough.
            assert!(std::thread::panicking(), "a Permit was given back by somebody else: {error}");
        }
    }
}

impl<const N: usize> fmt::Debug for Permit<'_, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let from = self.previous_holder_died();
        f.debug_struct("Permit").field("index", &self.index).field("previous_holder_died", &from).finish()
    }
}
