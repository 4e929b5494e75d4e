//! stub
#![allow(missing_docs, clippy::disallowed_types, clippy::undocumented_unsafe_blocks)]
pub unsafe trait Shareable: Send + 'static { const FINGERPRINT: u64; }
#[derive(Debug)]
pub struct Fingerprint(u64);
impl Fingerprint {
    pub const fn new<T>(_n: &str) -> Self { Self(size_of::<T>() as u64) }
    pub const fn field(self, _n: &str, _o: usize, _f: u64) -> Self { self }
    pub const fn finish(self) -> u64 { self.0 }
}
unsafe impl Shareable for () { const FINGERPRINT: u64 = 1; }
unsafe impl Shareable for u64 { const FINGERPRINT: u64 = 2; }
