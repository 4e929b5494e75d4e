//! [`Once`], [`OnceLock`], [`LazyLock`]: what is done once. If the participant that does it dies or
//! panics, the next one does it.

use super::guard_tag::GuardTag;
use super::result::refused;
use crate::error::{OnceError, SetError};
use crate::platform::Linux;
use crate::platform::linux::never;
use crate::raw::{self, Cause, once::Begun};
use crate::segment::{Definition, Part, Shareable, local};
use crate::{InconsistentCause, ParticipantId};
use core::cell::UnsafeCell;
use core::fmt;
use core::mem::{MaybeUninit, offset_of};
use core::ops::Deref;

/// Something that is done once among all processes. Four bytes.
///
/// It works as [`std::sync::Once`], except if the initialiser panics or **dies**. Then the next
/// caller does it, and may [ask](Self::call_once_force) whether an earlier initialiser failed.
///
/// ```
/// use outlive::{Once, Segment};
///
/// let set_up = Segment::<Once>::anonymous(|_not_begun| {})?;
/// let mut times = 0;
/// for _ in 0..3 {
///     set_up.call_once(|| times += 1).unwrap();
/// }
/// assert_eq!(times, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # If a process dies
///
/// | participant                                         | what the others see                                                  |
/// |-----------------------------------------------------|----------------------------------------------------------------------|
/// | the initialiser (SIGKILL, exit, exec, end of thread) | a waiter, or the next caller, does it, and can learn of the death   |
/// | a waiter, or an initialiser that has finished             | nothing                                                              |
///
/// There is no guard to leak: the hold is the call itself.
#[repr(transparent)]
pub struct Once {
    raw: raw::Once<Linux>,
}

// SAFETY: one word, understood whatever its bits; repr(transparent), no pointers, no Drop.
unsafe impl Shareable for Once {
    const DEFINITION: &'static Definition = &Definition::atomic::<Self>("outlive::Once");
}

impl Once {
    /// A `Once` that was not begun. Memory of zeros is one.
    pub const fn new() -> Self {
        Self { raw: raw::Once::from_word(Linux::zero()) }
    }

    /// Runs `action`, unless it was done before. If a living initialiser is running, waits for it
    /// instead. A caller that gets `Ok` sees all that the initialiser wrote.
    ///
    /// # Errors
    /// [`OnceError::Deadlock`] when called by the initialiser itself. [`OnceError::Interrupted`] if
    /// the wait for the initialiser was interrupted. [`OnceError::Register`].
    ///
    /// # Panics
    /// If `action` does. Then the next caller does it.
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    #[inline]
    pub fn call_once(&self, action: impl FnOnce()) -> Result<(), OnceError> {
        self.call_once_force(|_earlier| action())
    }

    /// As [`call_once`](Self::call_once). Also passes to `action` whether an earlier initialiser
    /// died or panicked.
    ///
    /// # Errors
    /// Those of [`call_once`](Self::call_once).
    ///
    /// # Panics
    /// If `action` does. Then the next caller does it.
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    #[inline]
    pub fn call_once_force(&self, action: impl FnOnce(&OnceState)) -> Result<(), OnceError> {
        if self.is_completed() {
            return Ok(());
        }
        self.begin(
            |state| {
                action(state);
                Ok::<(), OnceError>(())
            },
            |()| (),
        )
    }

    /// Whether it was done. One load.
    #[inline]
    #[must_use]
    pub fn is_completed(&self) -> bool {
        self.raw.is_complete()
    }

    /// Unless it was done: calls `make`, and passes the value to `keep`.
    #[cold]
    fn begin<V, E: From<OnceError>>(
        &self,
        make: impl FnOnce(&OnceState) -> Result<V, E>,
        keep: impl FnOnce(V),
    ) -> Result<(), E> {
        let Some(attempt) = self.attempt()? else { return Ok(()) };
        let value = make(&attempt.state)?;
        if attempt.tag.is_of_this_process() {
            keep(value);
            attempt.complete();
            return Ok(());
        }
        // We are a child that was forked inside `make`, so this attempt is the parent's. We begin
        // one of our own. If the parent has not completed by then, we complete with the value that
        // we have.
        drop(attempt);
        if let Some(attempt) = self.attempt()? {
            keep(value);
            attempt.complete();
        }
        Ok(())
    }

    /// Makes the calling thread the initialiser. `None`: it is complete.
    fn attempt(&self) -> Result<Option<Attempt<'_>>, OnceError> {
        let me = local::participant(self)?;
        match self.raw.begin(me) {
            Err(refusal) => Err(refused(refusal)),
            Ok(Begun::Complete) => Ok(None),
            Ok(Begun::Ours { earlier }) => {
                Ok(Some(Attempt { once: self, id: me.id, state: OnceState { earlier }, tag: GuardTag::now(0) }))
            }
        }
    }
}

impl Default for Once {
    fn default() -> Self {
        Self::new()
    }
}

/// Never waits.
impl fmt::Debug for Once {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Once")
            .field("completed", &self.is_completed())
            .field("initialiser", &self.raw.initialiser())
            .finish()
    }
}

/// What an initialiser learns of earlier ones.
#[derive(Debug, Clone, Copy)]
pub struct OnceState {
    earlier: Option<Cause>,
}

impl OnceState {
    /// Whether an earlier initialiser died or panicked: what it was to do may be half done.
    #[must_use]
    pub fn is_poisoned(&self) -> bool {
        self.earlier.is_some()
    }
    /// How the last earlier initialiser failed, and which participant it was.
    #[must_use]
    pub fn earlier(&self) -> Option<InconsistentCause> {
        self.earlier
    }
}

/// The calling thread initialises. If this is dropped before the end, by a panic or an error, the
/// next caller initialises.
struct Attempt<'a> {
    once: &'a Once,
    id: ParticipantId,
    state: OnceState,
    tag: GuardTag,
}

impl Attempt<'_> {
    fn complete(self) {
        core::mem::ManuallyDrop::new(self).once.raw.end(Ok(()));
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        if !self.tag.is_of_this_process() {
            return; // a fork's copy
        }
        let panicked = self.tag.panicked_since().then_some(Cause::Panicked(Some(self.id)));
        self.once.raw.end(Err(panicked.or(self.state.earlier)));
    }
}

/// A value that is written once, in memory that processes share. Four bytes and the value.
///
/// As [`std::sync::OnceLock`]. If the process that makes the value **dies** or panics before it is
/// done, the next caller makes it.
///
/// ```
/// use outlive::{OnceLock, Segment};
///
/// let limit = Segment::<OnceLock<u64>>::anonymous(|_empty| {})?;
/// assert_eq!(limit.get(), None);
/// assert_eq!(limit.get_or_init(|| 42).unwrap(), &42);
/// assert_eq!(limit.get_or_init(|| 43).unwrap(), &42);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # If a process dies
///
/// As with [`Once`](Once#if-a-process-dies). A value that was half written is never seen: it is
/// written anew.
#[repr(C)]
pub struct OnceLock<T> {
    once: Once,
    value: UnsafeCell<T>,
}

// SAFETY: repr(C); the word is understood whatever its bits, the value is Shareable; no pointers,
// no Drop but T's (none).
unsafe impl<T: Shareable> Shareable for OnceLock<T> {
    const DEFINITION: &'static Definition = &Definition::structure::<Self>(
        "outlive::OnceLock",
        &[Part::field::<Once>("once", offset_of!(Self, once)), Part::cell::<T>("value", offset_of!(Self, value))],
    );
}

// SAFETY: the value is written by one thread at a time (raw::once, invariants 1 and 2), before
// anybody has a reference to it (invariant 3); after that there are only shared references. As
// std's OnceLock.
unsafe impl<T: Send + Sync> Sync for OnceLock<T> {}

impl<T: Shareable> OnceLock<T> {
    /// A `OnceLock` without a value. Memory of zeros is one.
    pub const fn new() -> Self {
        // SAFETY: a Shareable type has a value for every bit pattern, all zero included.
        let nothing_yet = unsafe { MaybeUninit::zeroed().assume_init() };
        Self { once: Once::new(), value: UnsafeCell::new(nothing_yet) }
    }
}

impl<T> OnceLock<T> {
    /// The value, if there is one. One load.
    #[inline]
    pub fn get(&self) -> Option<&T> {
        // SAFETY: complete, so nobody writes the value any more (raw::once, invariant 3).
        self.once.is_completed().then(|| unsafe { &*self.value.get() })
    }

    /// Writes the value, if there is none. If a living initialiser is running, waits for it first.
    ///
    /// # Errors
    /// [`SetError`], which gives the value back.
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    pub fn set(&self, value: T) -> Result<(), SetError<T>> {
        let mut value = Some(value);
        let answer = self.get_or_init(|| value.take().expect("made once")).map(drop);
        match value {
            None => Ok(()),
            Some(value) => Err(SetError::new(value, answer.err())),
        }
    }

    /// Returns the value. If there is none, `make` makes it. If a living initialiser is running,
    /// waits for it first.
    ///
    /// # Errors
    /// [`OnceError::Deadlock`] when called by the initialiser itself. [`OnceError::Interrupted`] if
    /// the wait for the initialiser was interrupted. [`OnceError::Register`].
    ///
    /// # Panics
    /// If `make` does. Then the next caller makes it.
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    #[inline]
    pub fn get_or_init(&self, make: impl FnOnce() -> T) -> Result<&T, OnceError> {
        self.get_or_try_init(|| Ok(make()))
    }

    /// Returns the value. If there is none, `make` makes it. If `make` fails there is still no
    /// value, and the next caller makes it.
    ///
    /// ```
    /// use outlive::{OnceLock, Segment};
    ///
    /// let port = Segment::<OnceLock<u16>>::anonymous(|_empty| {})?;
    /// let parse = |text: &'static str| move || Ok(text.parse()?);
    /// let failed: Result<_, Box<dyn std::error::Error>> = port.get_or_try_init(parse("none"));
    /// assert!(failed.is_err());
    /// let port: Result<_, Box<dyn std::error::Error>> = port.get_or_try_init(parse("8080"));
    /// assert_eq!(port.unwrap(), &8080);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// `make`'s own, and those of [`get_or_init`](Self::get_or_init).
    ///
    /// # Panics
    /// If `make` does.
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    #[inline]
    pub fn get_or_try_init<E: From<OnceError>>(&self, make: impl FnOnce() -> Result<T, E>) -> Result<&T, E> {
        if !self.once.is_completed() {
            self.once.begin(
                |_earlier| make(),
                |value| {
                    // SAFETY: this thread is the initialiser, and nobody has a reference
                    // (raw::once, invariants 1 and 3). What an earlier initialiser left there has
                    // no drop glue, or is leaked.
                    unsafe { self.value.get().write(value) }
                },
            )?;
        }
        // SAFETY: complete, as in `get`.
        Ok(unsafe { &*self.value.get() })
    }

    /// The value, if there is one: the borrow shows that nobody else has it.
    pub fn get_mut(&mut self) -> Option<&mut T> {
        self.once.is_completed().then_some(self.value.get_mut())
    }

    /// The value, if there is one.
    pub fn into_inner(self) -> Option<T> {
        self.once.is_completed().then(|| self.value.into_inner())
    }
}

impl<T: Shareable> Default for OnceLock<T> {
    fn default() -> Self {
        Self::new()
    }
}

/// Never waits.
impl<T: fmt::Debug> fmt::Debug for OnceLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_tuple("OnceLock");
        match self.get() {
            Some(value) => debug.field(value),
            None => debug.field(&format_args!("<no value>")),
        };
        debug.finish()
    }
}

/// A [`OnceLock`] with the function that makes its value. The process that uses it first calls the
/// function.
///
/// A function cannot lie in shared memory, so this is a handle of each process's own, around the
/// shared value.
///
/// ```
/// use outlive::{LazyLock, OnceLock, Segment};
///
/// let shared = Segment::<OnceLock<u64>>::anonymous(|_empty| {})?;
/// let squares = LazyLock::new(&shared, || (1..=10).map(|n| n * n).sum());
/// assert_eq!(*squares, 385);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # If a process dies
///
/// As with [`Once`](Once#if-a-process-dies).
pub struct LazyLock<'a, T, F = fn() -> T> {
    cell: &'a OnceLock<T>,
    make: F,
}

impl<'a, T, F: Fn() -> T> LazyLock<'a, T, F> {
    /// The value of `cell`, made by `make` if nobody has made it.
    pub const fn new(cell: &'a OnceLock<T>, make: F) -> Self {
        Self { cell, make }
    }

    /// The value, made now if nobody has made it.
    ///
    /// # Errors
    /// [`OnceError::Deadlock`] when called by `make` itself. [`OnceError::Interrupted`] if the wait
    /// for another initialiser was interrupted. [`OnceError::Register`].
    ///
    /// # Panics
    /// If `make` does. Then the next user makes it.
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    #[inline]
    pub fn force(&self) -> Result<&'a T, OnceError> {
        self.cell.get_or_init(&self.make)
    }
}

/// It has no way to return an error for an [interruption](crate::interruptible), so it waits on.
///
/// # Panics
/// Where [`LazyLock::force`] gives another error.
impl<T, F: Fn() -> T> Deref for LazyLock<'_, T, F> {
    type Target = T;
    #[inline]
    fn deref(&self) -> &T {
        let forced = match self.force() {
            // The wait alone goes on: what `make` waits for can be interrupted as before.
            Err(OnceError::Interrupted) => never(|scope| self.cell.get_or_init(|| scope.run(&self.make))),
            forced => forced,
        };
        match forced {
            Ok(value) => value,
            Err(error) => panic!("a LazyLock has no value: {error}"),
        }
    }
}

/// Never waits, and makes nothing.
impl<T: fmt::Debug, F> fmt::Debug for LazyLock<'_, T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LazyLock").field(self.cell).finish()
    }
}
