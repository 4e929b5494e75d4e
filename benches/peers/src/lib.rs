//! outlive beside what else processes use to wait for each other.
//!
//! | program   | question                                                                          |
//! |-----------|-----------------------------------------------------------------------------------|
//! | `deaths`  | Somebody is killed in the middle. Do the others go on, and do they learn of it?   |
//! | `compare` | How fast is each, beside the least that it can cost, and beside the fastest other? |

pub mod deaths;
