//! Where it was measured, and how busy the machine was.

use crate::deaths::peers::{self, of_lockfile};
use outlive_benches::process::OthersLoad;
use serde::{Deserialize, Serialize};
use std::process::Command;

/// Contestants that the kill test does not have.
const OF_THREADS: [&str; 3] = ["crossbeam-channel", "parking_lot", "rtrb"];

/// The machine, as the figures need it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    /// Of the first processor.
    pub processor: String,
    /// How many there are.
    pub processors: usize,
    /// Whether they are those of a virtual machine: there, to wake another one is slow.
    pub is_virtual: bool,
    /// Its release.
    pub kernel: String,
    /// The C library's version.
    pub libc: String,
    /// The compiler that made this program, as `rustc --version` says.
    pub toolchain: String,
    /// The versions of the contestants.
    pub versions: Vec<(String, String)>,
    /// The day, in UTC.
    pub date: String,
    /// The part of all processors' time that other programs used meanwhile; 0 to 1.
    pub others_used: Option<f64>,
}

impl Machine {
    /// This one. What cannot be found out says so.
    #[must_use]
    pub fn this() -> Self {
        let unknown = || "unknown".to_owned();
        let versions: Vec<_> = peers::versions().into_iter().chain(of_lockfile(&OF_THREADS)).collect();
        let glibc = versions.iter().find(|(name, _)| *name == "glibc");
        let processors = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let of_processor = |name: &str| {
            let line = processors.lines().find(|line| line.starts_with(name))?;
            Some(line.split_once(':')?.1.trim().to_owned())
        };
        Self {
            processor: of_processor("model name").unwrap_or_else(unknown),
            is_virtual: of_processor("flags").is_some_and(|flags| flags.split(' ').any(|flag| flag == "hypervisor")),
            // Not only those that this thread, which may be pinned, may use.
            // SAFETY: only returns a number.
            processors: usize::try_from(unsafe { libc::sysconf(libc::_SC_NPROCESSORS_ONLN) }).unwrap_or(1),
            kernel: std::fs::read_to_string("/proc/sys/kernel/osrelease")
                .map_or_else(|_| unknown(), |release| release.trim().to_owned()),
            libc: glibc.map_or_else(unknown, |(name, version)| format!("{name} {version}")),
            toolchain: env!("TOOLCHAIN").to_owned(),
            versions: versions.into_iter().map(|(name, version)| (name.to_owned(), version)).collect(),
            date: date().unwrap_or_else(unknown),
            others_used: None,
        }
    }

    /// With the load of other programs since then.
    #[must_use]
    pub fn with_load(self, since: &OthersLoad) -> Self {
        Self { others_used: since.part().ok(), ..self }
    }
}

/// The day, in UTC, as date(1) says.
fn date() -> Option<String> {
    let output = Command::new("date").args(["-u", "+%F"]).output().ok()?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}

impl std::fmt::Display for Machine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { processor, processors, is_virtual, kernel, libc, toolchain, versions, date, others_used } = self;
        let virtual_ = if *is_virtual { ", virtual" } else { "" };
        write!(f, "{date}: {processors} processors ({processor}{virtual_}), Linux {kernel}, {libc}, {toolchain}")?;
        if let Some(part) = others_used {
            write!(f, "; meanwhile other programs used {:.0} % of the processors", part * 100.0)?;
        }
        let versions: Vec<String> = versions.iter().map(|(name, version)| format!("{name} {version}")).collect();
        write!(f, "\n{}", versions.join(", "))
    }
}
