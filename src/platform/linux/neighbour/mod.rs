//! The C library, whose robust mutexes lie in the same list of a thread as its lifelines.
//!
//! | question                                  | glibc                         | musl                                                              |
//! |-------------------------------------------|-------------------------------|-------------------------------------------------------------------|
//! | when does the kernel learn of the list    | when the thread begins        | when the thread first locks a mutex that is robust, or is shared between processes and knows its owner |
//! | where is the word, seen from the link     | 32 bytes before               | 28 bytes before                                                   |
//! | who walks the list of a thread that ends by itself | the kernel           | musl, in user space, and the kernel if something is left          |
//! | what becomes of it in a forked child      | it is empty                   | it is the parent's, and the kernel has forgotten it               |
//!
//! A lifeline's word is where it always is, so processes of both libraries share a segment. Only
//! its owner and the kernel follow its link, so the link may lie elsewhere for each library.

#[cfg(target_env = "gnu")]
mod glibc;
#[cfg(target_env = "musl")]
mod musl;

#[cfg(target_env = "gnu")]
pub use glibc::RobustNode;
#[cfg(target_env = "gnu")]
pub(crate) use glibc::has_lists_of_parents;
#[cfg(all(target_env = "gnu", test))]
pub(super) use glibc::read_link;
#[cfg(target_env = "gnu")]
pub(super) use glibc::{OFFSET, registered, write_link};
#[cfg(target_env = "musl")]
pub use musl::RobustNode;
#[cfg(target_env = "musl")]
pub(crate) use musl::has_lists_of_parents;
#[cfg(all(target_env = "musl", test))]
pub(super) use musl::read_link;
#[cfg(target_env = "musl")]
pub(super) use musl::{OFFSET, Parting, registered, write_link};
