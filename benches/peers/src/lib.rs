//! outlive beside what else processes use to wait for each other.
//!
//! | program   | question                                                                          |
//! |-----------|-----------------------------------------------------------------------------------|
//! | `deaths`  | Somebody is killed in the middle. Do the others go on, and do they learn of it?   |
//! | `compare` | How fast is each, beside the least that it can cost, and beside the fastest other? |
//! | `floors`  | Why is another one faster, where one is?                                          |

// clippy.toml forbids raw atomics and system calls in the crate outlive. The peers consist of them.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)]

mod boost;
pub mod compare;
pub mod deaths;
#[cfg(feature = "iceoryx2")]
mod iceoryx;
pub mod objects;
mod python;
