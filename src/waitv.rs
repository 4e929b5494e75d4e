//! Switching the system call `futex_waitv` off, for sandboxes.
//!
//! A sleeper watches the lifelines of all others by one `futex_waitv` (Linux 5.16). If the kernel
//! lacks the call, or a sandbox refuses it with an error number, outlive notices that by itself.
//! But a sandbox may end a process that makes the call. For this case the call can be switched off:
//! by the environment variable [`WAITV_VARIABLE`], or by [`set_waitv`] before the first wait.
//!
//! ```
//! outlive::waitv::set_waitv(false);
//! assert!(!outlive::waitv::waitv_works());
//! # outlive::waitv::set_waitv(true);
//! ```

pub use crate::platform::linux::{WAITV_VARIABLE, set_waitv, waitv_works};
