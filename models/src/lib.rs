//! outlive's algorithms on modelled processors and a modelled kernel.
//!
//! [`Model`] is a [`Platform`](outlive::platform::Platform) over a [`Backend`], which is loom
//! (explores every order of operations, and every value that a weak memory may show, up to a number
//! of preemptions) or shuttle (random schedules, for more threads). The kernel's part is modelled
//! word by word: a wait compares and enqueues, a wake dequeues, and a death cuts the lifelines and
//! wakes one.
//!
//! Death is an action: [`Explore`] runs a scenario once for each operation of each victim, at which
//! it stops for good. Nothing in the algorithms knows of it. The recheck net is off in all models.
//!
//! A sleep with a deadline is tried both ways: it reaches its end at any moment; or it is ended by
//! a wake before that, the sleeper is perhaps overtaken, and sleeps again towards the same
//! deadline. Then time passes only when nobody else can run.
//!
//! Each model prints what it explored, and within which bounds: `cargo run -p outlive-mutants --
//! table` makes a table of it. A placing of deaths is cut short after so many executions;
//! OUTLIVE_MODELS_THOROUGHNESS=10 makes that ten times as many.
//!
//! `cargo test --features loom`, `--features shuttle`, or both. A scenario that must fail is one
//! with something broken in the platform beneath ([`Broken`]): it shows that the model can fail at
//! all.

#![allow(clippy::disallowed_types, clippy::disallowed_methods)] // this is a backend of the seam

mod backend;
mod explore;
mod kernel;
#[cfg(all(feature = "loom", not(miri)))]
mod stacks;
mod time;

pub use backend::Backend;
#[cfg(feature = "loom")]
pub use backend::Loom;
#[cfg(feature = "shuttle")]
pub use backend::Shuttle;
pub use explore::{Explore, FROM_BEFORE, Left, Report, State, World};
pub use kernel::{Broken, DEADLINE, Life, Model, Newborn, Note, Word, Word64, is_over, process_of, step};

/// Tests of models: a module for a backend, compiled with its feature, and in it a test for each
/// `name: |name| exploration;`.
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
