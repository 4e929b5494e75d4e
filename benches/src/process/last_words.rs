//! What a child says when it fails: a page that it shares with its parent.

use std::io;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicPtr, Ordering};

const LENGTH: usize = 4096;

/// The page of the calling process, if it is a child. `SPEAKING` when a thread says something.
static OWN: AtomicPtr<u8> = AtomicPtr::new(ptr::null_mut());
const SPEAKING: *mut u8 = ptr::dangling_mut();

/// A text that ends with the first zero byte. All zero at first.
#[derive(Debug)]
pub(super) struct LastWords(NonNull<u8>);

// SAFETY: the page belongs to this value alone. Its text is written by a child, and read only after
// the child has ended.
unsafe impl Send for LastWords {}
// SAFETY: as above.
unsafe impl Sync for LastWords {}

impl LastWords {
    pub(super) fn none() -> io::Result<Self> {
        let (all, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED | libc::MAP_ANONYMOUS);
        // SAFETY: a new mapping, at an address that the kernel chooses.
        let at = unsafe { libc::mmap(std::ptr::null_mut(), LENGTH, all, flags, -1, 0) };
        if at == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        Ok(Self(NonNull::new(at.cast()).expect("no mapping is at address 0")))
    }

    /// Called by the parent after the fork: only that child needs the page.
    pub(super) fn keep_from_other_children(&self) {
        // SAFETY: the page that this value has. If the call fails, later children have the page as
        // well, and do not use it.
        unsafe { libc::madvise(self.0.as_ptr().cast(), LENGTH, libc::MADV_DONTFORK) };
    }

    /// Called by the child, first.
    pub(super) fn be_own(&self) {
        OWN.store(self.0.as_ptr(), Ordering::Release);
    }

    /// Called by the child, which then ends. What is too long is cut off. If two threads have
    /// something to say, the second waits for the end.
    pub(super) fn say(text: &str) {
        let own = OWN.swap(SPEAKING, Ordering::AcqRel);
        if own == SPEAKING {
            loop {
                std::thread::park();
            }
        }
        let Some(at) = NonNull::new(own) else { return };
        let text = &text.as_bytes()[..text.len().min(LENGTH - 1)];
        // SAFETY: a child never unmaps its page, and this thread alone has taken it. The parent
        // does not read it before the child has ended. The text is shorter than the page.
        unsafe { at.copy_from_nonoverlapping(NonNull::from(text).cast(), text.len()) };
    }

    /// Called by the parent when the child has ended.
    pub(super) fn read(&self) -> Option<String> {
        // SAFETY: the page is readable, and nobody writes it any more.
        let bytes = unsafe { std::slice::from_raw_parts(self.0.as_ptr(), LENGTH) };
        let text = bytes.split(|byte| *byte == 0).next().filter(|text| !text.is_empty())?;
        Some(String::from_utf8_lossy(text).into_owned())
    }
}

impl Drop for LastWords {
    fn drop(&mut self) {
        // SAFETY: the mapping that `none` made. No reference into it is left.
        unsafe { libc::munmap(self.0.as_ptr().cast(), LENGTH) };
    }
}
