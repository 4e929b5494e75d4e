//! Where it was measured, and how busy the machine was.

use outlive_benches::process::OthersLoad;
use serde::Serialize;
use std::process::Command;

/// The machine, as the figures need it.
#[derive(Debug, Clone, Serialize)]
pub struct Machine {
    /// Of the first processor.
    pub processor: String,
    /// How many there are.
    pub processors: usize,
    /// Its release.
    pub kernel: String,
    /// The C library's version.
    pub libc: String,
    /// The compiler, as `rustc --version` says.
    pub toolchain: String,
    /// The part of all processors' time that other programs used meanwhile; 0 to 1.
    pub others_used: Option<f64>,
}

impl Machine {
    /// This one. What cannot be found out says so.
    #[must_use]
    pub fn this() -> Self {
        let unknown = || "unknown".to_owned();
        let first_line = |program: &str, arguments: &[&str]| {
            let output = Command::new(program).args(arguments).output().ok()?;
            let text = String::from_utf8(output.stdout).ok()?;
            text.lines().next().map(ToOwned::to_owned)
        };
        let processor = std::fs::read_to_string("/proc/cpuinfo").ok().and_then(|text| {
            let line = text.lines().find(|line| line.starts_with("model name"))?;
            Some(line.split_once(':')?.1.trim().to_owned())
        });
        Self {
            processor: processor.unwrap_or_else(unknown),
            // Not only those that this thread, which may be pinned, may use.
            // SAFETY: only returns a number.
            processors: usize::try_from(unsafe { libc::sysconf(libc::_SC_NPROCESSORS_ONLN) }).unwrap_or(1),
            kernel: std::fs::read_to_string("/proc/sys/kernel/osrelease")
                .map_or_else(|_| unknown(), |release| release.trim().to_owned()),
            libc: first_line("ldd", &["--version"]).unwrap_or_else(unknown),
            toolchain: first_line("rustc", &["--version"]).unwrap_or_else(unknown),
            others_used: None,
        }
    }

    /// With the load of other programs since then.
    #[must_use]
    pub fn with_load(self, since: &OthersLoad) -> Self {
        Self { others_used: since.part().ok(), ..self }
    }
}

impl std::fmt::Display for Machine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { processor, processors, kernel, libc, toolchain, others_used } = self;
        write!(f, "{processors} processors ({processor}), Linux {kernel}, {libc}, {toolchain}")?;
        match others_used {
            Some(part) => write!(f, "; meanwhile other programs used {:.0} % of the processors", part * 100.0),
            None => Ok(()),
        }
    }
}
