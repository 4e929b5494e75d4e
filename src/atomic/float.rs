//! [`AtomicF32`] and [`AtomicF64`], which the standard library does not have.

#![allow(clippy::disallowed_types)] // these are made of them

use crate::segment::{Definition, Shareable};
use core::fmt;
use core::sync::atomic::Ordering::Relaxed;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

macro_rules! atomic_float {
    ($(#[$doc:meta])* $atomic:ident, $float:ident, $bits:ident, $float_name:literal, $atomic_name:literal) => {
        $(#[$doc])*
        #[repr(transparent)]
        pub struct $atomic($bits);

        // SAFETY: repr(transparent) around an atomic integer. Each of its bit patterns is a float.
        #[diagnostic::do_not_recommend]
        unsafe impl Shareable for $atomic {
            const DEFINITION: &'static Definition = &Definition::atomic::<Self>($atomic_name);
        }

        impl $atomic {
            #[doc = concat!("An atomic with this value. Memory of zeros is one with the value 0.0.")]
            #[must_use]
            pub const fn new(value: $float) -> Self {
                Self($bits::new(value.to_bits()))
            }

            /// The value.
            ///
            /// # Panics
            /// If `order` is [`Release`](Ordering::Release) or [`AcqRel`](Ordering::AcqRel), as
            /// std's.
            #[inline]
            pub fn load(&self, order: Ordering) -> $float {
                $float::from_bits(self.0.load(order))
            }

            /// Stores a value.
            ///
            /// # Panics
            /// If `order` is [`Acquire`](Ordering::Acquire) or [`AcqRel`](Ordering::AcqRel), as
            /// std's.
            #[inline]
            pub fn store(&self, value: $float, order: Ordering) {
                self.0.store(value.to_bits(), order);
            }

            /// Stores a value, and returns the one before.
            #[inline]
            pub fn swap(&self, value: $float, order: Ordering) -> $float {
                $float::from_bits(self.0.swap(value.to_bits(), order))
            }

            /// Stores `new` if the value has the [bits](Self#bits) of `current`. Returns the value
            /// before.
            ///
            /// # Errors
            /// The value before, if it had other bits.
            ///
            /// # Panics
            /// If `failure` is [`Release`](Ordering::Release) or [`AcqRel`](Ordering::AcqRel), as
            /// std's.
            #[inline]
            pub fn compare_exchange(
                &self,
                current: $float,
                new: $float,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$float, $float> {
                self.0
                    .compare_exchange(current.to_bits(), new.to_bits(), success, failure)
                    .map($float::from_bits)
                    .map_err($float::from_bits)
            }

            /// As [`compare_exchange`](Self::compare_exchange), but may fail for no reason. It is
            /// faster in a loop on some processors.
            ///
            /// # Errors
            /// The value before, if it had other bits, or for no reason.
            ///
            /// # Panics
            /// If `failure` is [`Release`](Ordering::Release) or [`AcqRel`](Ordering::AcqRel), as
            /// std's.
            #[inline]
            pub fn compare_exchange_weak(
                &self,
                current: $float,
                new: $float,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$float, $float> {
                self.0
                    .compare_exchange_weak(current.to_bits(), new.to_bits(), success, failure)
                    .map($float::from_bits)
                    .map_err($float::from_bits)
            }

            /// Stores what `next` makes of the value, unless that is `None`. Returns the value
            /// before. `next` is called again if another thread was faster.
            ///
            /// # Errors
            /// The value, if `next` gave `None` for it.
            ///
            /// # Panics
            /// If `fetch_order` is [`Release`](Ordering::Release) or [`AcqRel`](Ordering::AcqRel),
            /// as std's. If `next` panics; the value stays as it is.
            #[inline]
            pub fn fetch_update(
                &self,
                set_order: Ordering,
                fetch_order: Ordering,
                mut next: impl FnMut($float) -> Option<$float>,
            ) -> Result<$float, $float> {
                self.0
                    .fetch_update(set_order, fetch_order, |bits| next($float::from_bits(bits)).map($float::to_bits))
                    .map($float::from_bits)
                    .map_err($float::from_bits)
            }

            /// Stores what `next` makes of the value. Returns the value before.
            #[inline(always)]
            fn change(&self, order: Ordering, next: impl Fn($float) -> $float) -> $float {
                // ORDERING: Relaxed for what fails: only the exchange that succeeds counts, and it
                // has the caller's ordering.
                self.fetch_update(order, Relaxed, |value| Some(next(value))).unwrap_or_else(|value| value)
            }

            /// Adds to the value. Returns the value before.
            #[inline]
            pub fn fetch_add(&self, value: $float, order: Ordering) -> $float {
                self.change(order, |before| before + value)
            }

            /// Subtracts from the value. Returns the value before.
            #[inline]
            pub fn fetch_sub(&self, value: $float, order: Ordering) -> $float {
                self.change(order, |before| before - value)
            }

            #[doc = concat!("Makes the value the greater of the two, as [`", $float_name, "::max`]: of a number and a NaN, the")]
            /// number. Returns the value before.
            #[inline]
            pub fn fetch_max(&self, value: $float, order: Ordering) -> $float {
                self.change(order, |before| before.max(value))
            }

            #[doc = concat!("Makes the value the smaller of the two, as [`", $float_name, "::min`]: of a number and a NaN, the")]
            /// number. Returns the value before.
            #[inline]
            pub fn fetch_min(&self, value: $float, order: Ordering) -> $float {
                self.change(order, |before| before.min(value))
            }

            /// The value, without an atomic operation: the borrow shows that nobody else has it.
            #[inline]
            pub fn get_mut(&mut self) -> &mut $float {
                let bits = core::ptr::from_mut(self.0.get_mut()).cast::<$float>();
                // SAFETY: an integer and a float of one size, of which each bit pattern is a value
                // of both. The float needs no greater alignment. The borrow is unique, and lasts as
                // long as the result.
                unsafe { &mut *bits }
            }

            /// The value.
            #[must_use]
            pub const fn into_inner(self) -> $float {
                $float::from_bits(self.0.into_inner())
            }

            /// Where the value is, for code that is not Rust's. Each access while others may use
            /// the value must be atomic.
            #[must_use]
            pub const fn as_ptr(&self) -> *mut $float {
                self.0.as_ptr().cast()
            }
        }

        const _: () = assert!(align_of::<$float>() <= align_of::<$bits>() && size_of::<$float>() == size_of::<$bits>());

        impl Default for $atomic {
            fn default() -> Self {
                Self::new(0.0)
            }
        }

        impl From<$float> for $atomic {
            fn from(value: $float) -> Self {
                Self::new(value)
            }
        }

        /// Shows the value, loaded with `Relaxed`, as std's.
        impl fmt::Debug for $atomic {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.load(Relaxed), f)
            }
        }
    };
}

atomic_float! {
    /// A float of 32 bits that several threads and processes may change at the same time.
    ///
    /// See [`AtomicF64`], which has the same methods.
    ///
    /// ```
    /// use outlive::atomic::{AtomicF32, Ordering::Relaxed};
    ///
    /// let level = AtomicF32::new(0.25);
    /// assert_eq!(level.fetch_add(0.5, Relaxed), 0.25);
    /// assert_eq!(level.load(Relaxed), 0.75);
    /// ```
    ///
    /// # Bits
    /// As those of [`AtomicF64`](AtomicF64#bits).
    ///
    /// # If a process dies
    /// As with [`AtomicF64`](AtomicF64#if-a-process-dies).
    AtomicF32, f32, AtomicU32, "f32", "AtomicF32"
}

atomic_float! {
    /// A float of 64 bits that several threads and processes may change at the same time.
    ///
    /// It has the methods of std's atomic integers that mean something for a float.
    ///
    /// ```
    /// use outlive::Segment;
    /// use outlive::atomic::{AtomicF64, Ordering::Relaxed};
    ///
    /// // Python's `RawArray("d", 1000)`, or `Value("d")` without its lock:
    /// let sums = Segment::<()>::options().room::<AtomicF64>(1_000).anonymous(|(), _zeros| {})?;
    /// sums.room()[999].fetch_add(1.5, Relaxed);
    /// sums.room()[999].fetch_max(1.25, Relaxed);
    /// assert_eq!(sums.room()[999].load(Relaxed), 1.5);
    /// # Ok::<(), outlive::OpenError>(())
    /// ```
    ///
    /// `fetch_add` and its kin are loops around
    /// [`compare_exchange_weak`](Self::compare_exchange_weak), since processors have no addition of
    /// floats in memory. An addition is never lost. Sums depend on the order of the additions, as
    /// always with floats.
    ///
    /// # Bits
    ///
    /// The value is stored as its bits ([`f64::to_bits`]), and compared by them.
    /// [`compare_exchange`](Self::compare_exchange) differs from `==` in two ways:
    ///
    /// - 0.0 and -0.0 are different values, though `0.0 == -0.0`;
    /// - a NaN is the same value as a NaN with the same bits, though `NAN != NAN`. There are many
    ///   NaNs, and an operation on one may give [any other](f64#nan-bit-patterns). Compare with a
    ///   value that was loaded.
    ///
    /// # If a process dies
    /// Each operation is done, or is not done. A value is never half written.
    AtomicF64, f64, AtomicU64, "f64", "AtomicF64"
}
