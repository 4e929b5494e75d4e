//! How busy the machine is.

use std::io;

/// How much of the machine other programs have used since some moment. Where processes compete, no
/// ratio cancels this disturbance: if another program takes one of two processors, two processes
/// hardly ever meet at a lock.
#[derive(Debug)]
pub struct OthersLoad {
    busy: f64,
    all: f64,
    own: f64,
}

impl OthersLoad {
    /// Begins now.
    ///
    /// # Errors
    /// If /proc/stat does not say.
    pub fn since_now() -> io::Result<Self> {
        let stat = std::fs::read_to_string("/proc/stat")?;
        let first = stat.lines().next().unwrap_or_default();
        // user, nice, system, idle, iowait, irq, softirq, steal, in ticks of all processors
        // together
        let ticks: Vec<f64> = first.split_whitespace().skip(1).take(8).filter_map(|n| n.parse().ok()).collect();
        let [user, nice, system, idle, io_wait, irq, soft_irq, steal] = ticks[..] else {
            return Err(io::Error::other("/proc/stat does not begin with eight numbers"));
        };
        let busy = user + nice + system + irq + soft_irq + steal;
        Ok(Self { busy, all: busy + idle + io_wait, own: own_ticks() })
    }

    /// The part of all processors' time that other programs have used since; 0 to 1.
    ///
    /// # Errors
    /// Those of [`since_now`](Self::since_now).
    pub fn part(&self) -> io::Result<f64> {
        let now = Self::since_now()?;
        let others = (now.busy - self.busy) - (now.own - self.own);
        Ok((others / (now.all - self.all)).clamp(0.0, 1.0))
    }

    /// Prints the [`part`](Self::part), below a table.
    ///
    /// # Errors
    /// Those of [`part`](Self::part).
    pub fn print(&self) -> io::Result<()> {
        println!("Meanwhile other programs used {:.0} % of the processors.", self.part()? * 100.0);
        Ok(())
    }
}

/// The processor time of this process, and of the children that it has waited for, in ticks.
fn own_ticks() -> f64 {
    let seconds = [libc::RUSAGE_SELF, libc::RUSAGE_CHILDREN].map(|who| {
        // SAFETY: rusage consists of numbers, for which zero is valid; the pointer is valid for the
        // call.
        let usage = unsafe {
            let mut usage = std::mem::zeroed::<libc::rusage>();
            libc::getrusage(who, &mut usage);
            usage
        };
        let of = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
        of(usage.ru_utime) + of(usage.ru_stime)
    });
    // SAFETY: only returns a number.
    let ticks_a_second = unsafe { libc::sysconf(libc::_SC_CLK_TCK) } as f64;
    seconds.iter().sum::<f64>() * ticks_a_second
}
