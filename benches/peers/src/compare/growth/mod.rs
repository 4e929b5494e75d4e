//! How costs grow with more and more processes, segments in one process, and mutexes in one
//! segment. (With waiters and sleepers: [`deaths`](super::deaths), [`wakeups`](super::wakeups),
//! [`idle`](super::idle).)
//!
//! | file        | of what there are more and more                      |
//! |-------------|------------------------------------------------------|
//! | `processes` | processes that take part in a segment, and sleep     |
//! | `segments`  | segments that one process has open                   |
//! | `mutexes`   | mutexes in a segment                                 |

mod mutexes;
mod processes;
mod segments;

use super::Effort;
use super::figures::Case;
use outlive::Segment;
use outlive_benches::process;
use std::error::Error;
use std::ffi::CString;
use std::io::Read;
use std::time::Duration;

/// Measures.
///
/// # Errors
/// A segment or a peer cannot be made.
pub fn measure(effort: Effort, tell: &mut dyn FnMut(f64)) -> Result<Vec<Case>, Box<dyn Error>> {
    let mut cases = processes::measure(effort, &mut |part| tell(part * 0.6))?;
    cases.extend(segments::measure(effort, &mut |part| tell(part * 0.3))?);
    cases.extend(mutexes::measure(effort, &mut |part| tell(part * 0.1))?);
    Ok(cases)
}

/// Does the work in a process of its own, which keeps its mappings and its memory to itself, and
/// returns the figures.
fn apart(work: impl FnOnce() -> Result<Vec<f64>, Box<dyn Error>>) -> Result<Vec<f64>, Box<dyn Error>> {
    let (mut reader, writer) = process::pipe()?;
    let mut child = process::fork(|| {
        let result = work().map_err(|error| error.to_string());
        serde_json::to_writer(&writer, &result).expect("the parent reads");
    })?;
    drop(writer);
    let mut text = String::new();
    reader.read_to_string(&mut text)?; // ends with the child, whose life is limited
    child.join(Duration::from_secs(10))?;
    // JSON has no NaN.
    let figures = serde_json::from_str::<Result<Vec<Option<f64>>, String>>(&text)??;
    Ok(figures.into_iter().map(|figure| figure.unwrap_or(f64::NAN)).collect())
}

/// Names of shared memory, numbered. They are removed when this is dropped.
struct Names {
    prefix: String,
    count: usize,
}

impl Names {
    fn new(of: &str, count: usize) -> Self {
        Self { prefix: format!("outlive-peers-{of}-{}", std::process::id()), count }
    }

    fn get(&self, number: usize) -> String {
        format!("{}-{number}", self.prefix)
    }

    /// As shm_open(3) wants it.
    fn of_libc(&self, number: usize) -> CString {
        CString::new(format!("/{}", self.get(number))).expect("digits and letters")
    }
}

impl Drop for Names {
    fn drop(&mut self) {
        for number in 0..self.count {
            let _never_made = Segment::<()>::remove(&*self.get(number));
            // SAFETY: the name is a C string.
            unsafe { libc::shm_unlink(self.of_libc(number).as_ptr()) };
        }
    }
}

/// What /proc/self/smaps_rollup says of these lines, in bytes.
fn memory(lines: &[&str]) -> Result<f64, Box<dyn Error>> {
    let text = std::fs::read_to_string("/proc/self/smaps_rollup")?;
    let mut kilobytes = 0;
    for line in text.lines() {
        let Some((name, rest)) = line.split_once(':') else { continue };
        if lines.contains(&name) {
            kilobytes += rest.split_whitespace().next().unwrap_or_default().parse::<u64>()?;
        }
    }
    Ok(kilobytes as f64 * 1024.0)
}

/// How long the mapping is that contains this, in bytes.
fn length_of_mapping<T>(of: &T) -> Result<f64, Box<dyn Error>> {
    let address = std::ptr::from_ref(of) as usize;
    for line in std::fs::read_to_string("/proc/self/maps")?.lines() {
        let range = line.split_whitespace().next().and_then(|range| range.split_once('-')).ok_or("a range")?;
        let (from, to) = (usize::from_str_radix(range.0, 16)?, usize::from_str_radix(range.1, 16)?);
        if (from..to).contains(&address) {
            return Ok((to - from) as f64);
        }
    }
    Err("it is not mapped".into())
}
