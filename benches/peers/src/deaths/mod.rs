//! The same kill test over all peers: real processes, really killed.
//!
//! For each cell of the table, [`Cell`](cell::Cell) starts a [keeper], which makes the
//! object. Its forked children, the parties, obey [orders](order::Order). So a
//! [scenario] is written once, for all peers. Python's peers have a keeper of their own,
//! which speaks the same lines.

// outlive's clippy.toml forbids raw atomics and system calls. This test consists of them.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)]

pub mod cell;
pub mod keeper;
pub mod ledger;
pub mod object;
pub mod order;
pub mod peers;
pub mod report;
pub mod scenario;
