//! outlive beside what else processes use to wait for each other.
//!
//! | program   | question                                                                          |
//! |-----------|-----------------------------------------------------------------------------------|
//! | `deaths`  | Somebody is killed in the middle. Do the others go on, and do they learn of it?   |
//! | `compare` | How fast is each, beside the least that it can cost, and beside the fastest other? |

// clippy.toml forbids raw atomics and system calls in the crate outlive. The peers consist of them.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)]

pub mod compare;
pub mod deaths;
pub mod objects;
