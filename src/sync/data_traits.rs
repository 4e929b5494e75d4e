//! The traits that all locks of data, and all guards of data, have alike.

/// `Default`, `From` and `Debug` of a lock of data. `$try_lock` is the attempt by which `Debug`
/// reads the data. It never waits, so `Debug` never waits. `$size` is `?Sized` if the data may be a
/// slice, `Sized` otherwise.
macro_rules! lock_of_data {
    ($name:literal, $try_lock:ident, $(#[doc = $doc:literal])+ [$($size:tt)*] [$($const:tt)*] $lock:ty) => {
        impl<T: Default, $($const)*> Default for $lock {
            fn default() -> Self {
                Self::new(T::default())
            }
        }

        impl<T, $($const)*> From<T> for $lock {
            fn from(data: T) -> Self {
                Self::new(data)
            }
        }

        $(#[doc = $doc])+
        impl<T: $($size)* + core::fmt::Debug, $($const)*> core::fmt::Debug for $lock {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                use crate::error::TryLockError;
                let mut debug = f.debug_struct($name);
                match self.$try_lock() {
                    Ok(guard) => debug.field("data", &&*guard),
                    Err(TryLockError::OwnerDied(left) | TryLockError::Poisoned(left)) => {
                        debug.field("data", &&**left.get_ref()).field("inconsistent", &true)
                    }
                    Err(TryLockError::WouldBlock) => debug.field("data", &format_args!("<locked>")),
                    Err(TryLockError::Leaked { .. }) => debug.field("data", &format_args!("<leaked>")),
                    Err(_) => debug.field("data", &format_args!("<not in a segment>")),
                };
                debug.finish()
            }
        }
    };
}

/// `Debug` and `Display` of a guard: those of the data.
macro_rules! guard_of_data {
    ([$($size:tt)*] [$($const:tt)*] $guard:ty) => {
        impl<T: $($size)* + core::fmt::Debug, $($const)*> core::fmt::Debug for $guard {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                (**self).fmt(f)
            }
        }

        impl<T: $($size)* + core::fmt::Display, $($const)*> core::fmt::Display for $guard {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                (**self).fmt(f)
            }
        }
    };
}

pub(super) use {guard_of_data, lock_of_data};
