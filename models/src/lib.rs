//! outlive's algorithms on modelled processors and a modelled kernel.
//!
//! The question answered here: does an algorithm of `src/raw` go wrong under any schedule, any
//! order that a weak memory allows, or any placing of deaths? `models/src` is the engine,
//! `models/tests` has the models, one file for each module of `src/raw`.
//!
//! [`Model`] is a [`Platform`](outlive::platform::Platform) over a [`Backend`]. There are two:
//!
//! - loom explores every order of operations, and every value that a weak memory may show, up to a
//!   number of preemptions.
//! - shuttle tries random schedules, with more threads.
//!
//! The kernel's part is modelled word by word. A wait compares and enqueues; a wake dequeues. A
//! death cuts the lifelines, and wakes one sleeper on each.
//!
//! # Deaths
//!
//! A death is an action: [`Explore`] runs a scenario once for each operation of each victim. At
//! that operation the victim stops forever. Nothing in the algorithms knows of it. The recheck is
//! off, but for participants that a scenario names ([`Explore::recheck`]): a model may not lean on
//! it.
//!
//! # Deadlines
//!
//! A sleep with a deadline is tried in two ways. In the first, the deadline passes at any moment.
//! In the second, a wake comes before the deadline; the sleeper may be overtaken, and then sleeps
//! again towards the same deadline. There time passes only when nobody else can run.
//!
//! # Running
//!
//! `cargo test --features loom`, `--features shuttle`, or both. Each model prints what it explored,
//! and within which bounds; `cargo run -p outlive-mutants -- table` makes a table of that. The
//! exploration of a plan (a placing of deaths) is cut short after a number of executions.
//! OUTLIVE_MODELS_THOROUGHNESS=10 makes that number ten times as large.
//!
//! Some models must fail: something is broken in the platform beneath ([`Broken`]). They show that
//! the model is able to fail.

#![allow(clippy::disallowed_types, clippy::disallowed_methods)] // this is a backend of the seam

mod backend;
mod explore;
mod kernel;
mod pair;
#[cfg(all(feature = "loom", not(miri)))]
mod stacks;
mod time;

pub use backend::Backend;
#[cfg(feature = "loom")]
pub use backend::Loom;
#[cfg(feature = "shuttle")]
pub use backend::Shuttle;
pub use explore::{Explore, FROM_BEFORE, Left, Report, World};
pub use kernel::{Broken, DEADLINE, Life, Model, NameReader, Newborn, Note, Word, Word64, is_over, process_of, step};
pub use pair::Pair;

/// The tests of a file of models: a module for a backend, compiled with the backend's feature. In
/// it is a test for each `name: |name| exploration;`.
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
