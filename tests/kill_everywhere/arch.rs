//! What a tracer must know about the processor: where a thread is, how to set a breakpoint, and of
//! what kind an instruction is.

#[cfg(target_arch = "aarch64")]
pub(super) use aarch64::*;
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
pub(super) use unknown::*;
#[cfg(target_arch = "x86_64")]
pub(super) use x86_64::*;

#[cfg(target_arch = "x86_64")]
mod x86_64 {
    use core::mem::offset_of;

    pub(crate) const HAS_BREAKPOINTS: bool = true;
    const RIP: usize = offset_of!(libc::user, regs) + offset_of!(libc::user_regs_struct, rip);

    /// The address at which a stopped thread is.
    pub(crate) fn address(thread: i32) -> u64 {
        // SAFETY: a stopped thread that we trace.
        unsafe { libc::ptrace(libc::PTRACE_PEEKUSER, thread, RIP, 0) as u64 }
    }

    /// A breakpoint in a stopped thread's memory, which is a private copy of ours.
    #[derive(Debug)]
    pub(crate) struct Breakpoint {
        thread: i32,
        address: u64,
        code: i64,
    }

    impl Breakpoint {
        pub(crate) fn insert(thread: i32, address: u64) -> Self {
            const INT3: i64 = 0xcc;
            // SAFETY: a stopped thread that we trace; one byte is changed, and put back by
            // `remove`.
            unsafe {
                let code = libc::ptrace(libc::PTRACE_PEEKTEXT, thread, address, 0);
                libc::ptrace(libc::PTRACE_POKETEXT, thread, address, code & !0xff | INT3);
                Self { thread, address, code }
            }
        }
        /// The address of a thread that has hit the breakpoint.
        pub(crate) fn seen_at(&self) -> u64 {
            self.address + 1
        }
        /// Removes the breakpoint, and moves the thread that hit it back to the instruction.
        pub(crate) fn remove(&self) {
            // SAFETY: as above.
            unsafe {
                libc::ptrace(libc::PTRACE_POKETEXT, self.thread, self.address, self.code);
                libc::ptrace(libc::PTRACE_POKEUSER, self.thread, RIP, self.address);
            }
        }
    }

    const SYSCALL: [u8; 2] = [0x0f, 0x05];

    /// The first two bytes of the instruction. The victim has the same code at the same address as
    /// this process.
    fn code(address: u64) -> [u8; 2] {
        // SAFETY: the victim, our copy, executes the two bytes there; code does not go away.
        unsafe { (address as *const [u8; 2]).read_unaligned() }
    }

    /// Whether the instruction is known to be no system call.
    pub(crate) fn is_computation(address: u64) -> bool {
        address != 0 && code(address) != SYSCALL
    }

    /// Whether the instruction is a system call or a locked one.
    pub(crate) fn is_special(address: u64) -> bool {
        if address == 0 {
            return false;
        }
        let code = code(address);
        const LOCK: u8 = 0xf0;
        code == SYSCALL || code[0] == LOCK || matches!(code, [0x86 | 0x87, _] | [0x40..=0x4f, 0x86 | 0x87]) // xchg
    }
}

#[cfg(target_arch = "aarch64")]
mod aarch64 {
    pub(crate) const HAS_BREAKPOINTS: bool = true;

    /// The address at which a stopped thread is. 0 if the kernel does not say.
    pub(crate) fn address(thread: i32) -> u64 {
        const NT_PRSTATUS: usize = 1;
        // SAFETY: a structure of integers.
        let mut registers: libc::user_regs_struct = unsafe { core::mem::zeroed() };
        let mut there = libc::iovec { iov_base: (&raw mut registers).cast(), iov_len: size_of_val(&registers) };
        // SAFETY: a stopped thread that we trace; the registers are as long as the vector says.
        let answer = unsafe { libc::ptrace(libc::PTRACE_GETREGSET, thread, NT_PRSTATUS, &raw mut there) };
        if answer == 0 { registers.pc } else { 0 }
    }

    /// A breakpoint in a stopped thread's memory, which is a private copy of ours.
    #[derive(Debug)]
    pub(crate) struct Breakpoint {
        thread: i32,
        address: u64,
        code: i64,
    }

    impl Breakpoint {
        pub(crate) fn insert(thread: i32, address: u64) -> Self {
            const BRK: i64 = 0xd420_0000;
            // SAFETY: a stopped thread that we trace; one instruction is changed, and put back by
            // `remove`.
            unsafe {
                let code = libc::ptrace(libc::PTRACE_PEEKTEXT, thread, address, 0);
                libc::ptrace(libc::PTRACE_POKETEXT, thread, address, code & !0xffff_ffff | BRK);
                Self { thread, address, code }
            }
        }
        /// The address of a thread that has hit the breakpoint.
        pub(crate) fn seen_at(&self) -> u64 {
            self.address
        }
        /// Removes the breakpoint. The thread that hit it is already at the instruction.
        pub(crate) fn remove(&self) {
            // SAFETY: as above.
            unsafe { libc::ptrace(libc::PTRACE_POKETEXT, self.thread, self.address, self.code) };
        }
    }

    const SVC: u32 = 0xd400_0001;

    /// The instruction. The victim has the same code at the same address as this process.
    fn code(address: u64) -> u32 {
        // SAFETY: the victim, our copy, executes the instruction there; code does not go away.
        unsafe { (address as *const u32).read() }
    }

    /// Whether the instruction is known to be no system call.
    pub(crate) fn is_computation(address: u64) -> bool {
        address != 0 && code(address) != SVC
    }

    /// Whether the instruction is a system call, an atomic operation, or an ordering access.
    pub(crate) fn is_special(address: u64) -> bool {
        if address == 0 {
            return false;
        }
        let code = code(address);
        let exclusive_or_ordered = code & 0x3f00_0000 == 0x0800_0000; // ldar, stlr, cas, ldxr, stxr
        let fetches_and_changes = code & 0x3f20_0c00 == 0x3820_0000; // ldadd, ldclr, ldset, swp
        code == SVC || exclusive_or_ordered || fetches_and_changes
    }
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
mod unknown {
    pub(crate) const HAS_BREAKPOINTS: bool = false;

    /// Not known on this processor.
    pub(crate) fn address(_thread: i32) -> u64 {
        0
    }

    /// Not known of any instruction.
    pub(crate) fn is_computation(_address: u64) -> bool {
        false
    }

    #[derive(Debug)]
    pub(crate) struct Breakpoint;
    impl Breakpoint {
        pub(crate) fn insert(_thread: i32, _address: u64) -> Self {
            Self
        }
        pub(crate) fn seen_at(&self) -> u64 {
            0
        }
        pub(crate) fn remove(&self) {}
    }

    pub(crate) fn is_special(_address: u64) -> bool {
        false
    }
}
