//! Methods of an end that call those of the same name of its channel.

/// Gives `$end` the listed methods. Each calls the one of its name of `$channel`, which is the
/// end's `$field`.
macro_rules! forward {
    (
        [$($generics:tt)*] $end:ty, $channel:ident, $first:ident.$second:ident:
        $(
            $(#[$doc:meta])*
            fn $method:ident $(<$lifetime:lifetime>)? $([$($generic:tt)*])? ($($argument:ident: $type:ty),*) -> $answer:ty
            $(where $bounded:ident: $bound:path)?;
        )*
    ) => {
        impl<$($generics)*> $end {
            $(
                #[doc = concat!("As [`", stringify!($channel), "::", stringify!($method), "`].")]
                $(#[$doc])*
                ///
                /// # Errors
                /// As there.
                ///
                /// # If a process dies
                /// As there.
                #[inline]
                pub fn $method $(<$lifetime>)? $(<$($generic)*>)? (&self, $($argument: $type),*) -> $answer
                $(where $bounded: $bound)?
                {
                    self.$first.$second.$method($($argument),*)
                }
            )*
        }
    };
}

pub(super) use forward;
