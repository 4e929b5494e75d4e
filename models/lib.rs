//! outlive's algorithms on modelled processors and a modelled kernel.
//!
//! [`Model`] is a [`Platform`](outlive::platform::Platform) over a [`Backend`], which is loom (explores every order of
//! operations, and every value that a weak memory may show, up to a number of preemptions) or shuttle (random
//! schedules, for more threads). The kernel's part is modelled word by word: a wait compares and enqueues, a wake
//! dequeues, and a death cuts the lifelines and wakes one.
//!
//! Death is an action: [`Explore`] runs a scenario once for each operation of each victim, at which it stops for good.
//! Nothing in the algorithms knows of it. The recheck net is off in all models.
//!
//! Each model prints what it explored, and within which bounds: `cargo run -p outlive-proof -- table` makes a table of it. The
//! clock cuts a placing of deaths short after 400 ms; OUTLIVE_MODELS_THOROUGHNESS=10 makes that 4 s.
//!
//! `cargo test --features loom`, `--features shuttle`, or both. A scenario that must fail is one with something broken in the
//! platform beneath ([`Broken`]): it shows that the model can fail at all.

#![allow(clippy::disallowed_types, clippy::disallowed_methods)] // this is a backend of the seam

mod backend;
mod explore;
mod kernel;

pub use backend::Backend;
#[cfg(feature = "loom")]
pub use backend::Loom;
#[cfg(feature = "shuttle")]
pub use backend::Shuttle;
pub use explore::{Explore, Left, Report, State, World};
pub use kernel::{Broken, Life, Model, Newborn, Note, Word, Word64, step};

/// Tests of models: a module for a backend, compiled with its feature, and in it a test for each `name: |name| exploration;`.
#[macro_export]
macro_rules! models {
    ($module:ident, $backend:ident, $feature:literal, $( $name:ident: $body:expr; )*) => {
        #[cfg(feature = $feature)]
        mod $module {
            use super::*;
            type B = $crate::$backend;
            $(#[test] fn $name() { let _ = $body(concat!(module_path!(), "::", stringify!($name))); })*
        }
    };
}
