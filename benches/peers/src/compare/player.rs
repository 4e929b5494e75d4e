//! A player: a process that plays rounds when it is told to. It is either forked, or a program of
//! its own (CPython). What fails there, ends there or does not answer is an error here.

use super::Failure;
use outlive_benches::process::{self, Child, pipe};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::fd::AsRawFd;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The longest wait for an answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// A process that plays rounds. It ends when this value is dropped.
pub struct Player {
    process: Process,
    orders: File,
    answers: File,
    /// Bytes that were read, and do not make a line yet.
    unread: Vec<u8>,
    /// What each order begins with.
    order: String,
}

/// Ends the process when it is dropped.
enum Process {
    Forked(Child),
    Program(std::process::Child),
}

impl std::fmt::Debug for Player {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Player").field("order", &self.order).finish_non_exhaustive()
    }
}

impl Player {
    /// Forks a player, which makes what it needs and then plays the [`Rounds`].
    ///
    /// # Errors
    /// Those of fork(2). An error or a panic of `work` is the answer to the next round.
    pub fn forked(work: impl FnOnce(Rounds) -> Result<(), Failure>) -> io::Result<Self> {
        let ((orders_of_it, orders), (answers, answers_of_it)) = (pipe()?, pipe()?);
        let child = process::try_fork(|| work(Rounds { orders: orders_of_it, answers: answers_of_it }))?;
        Ok(Self { process: Process::Forked(child), orders, answers, unread: vec![], order: String::new() })
    }

    /// Starts a program that answers orders, which begin so and end with a number.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn program(mut program: Command, order: String) -> io::Result<Self> {
        let ((orders_of_it, orders), (answers, answers_of_it)) = (pipe()?, pipe()?);
        program.stdin(orders_of_it).stdout(answers_of_it.try_clone()?).stderr(Stdio::from(answers_of_it));
        let process = Process::Program(program.spawn()?);
        Ok(Self { process, orders, answers, unread: vec![], order })
    }

    /// Lets it play a round. Returns its figures: at least one.
    ///
    /// # Errors
    /// What the player says; that it does not answer in time, or has ended.
    pub fn round(&mut self, number: u64) -> Result<Vec<f64>, Failure> {
        // It may have ended before. Then its answer says why.
        let _broken_pipe = writeln!(self.orders, "{} {number}", self.order);
        let begun = Instant::now();
        let mut said = vec![];
        while let Some(line) = self.line(begun)? {
            if let Some(figures) = line.strip_prefix("figure ") {
                return Ok(figures.split_whitespace().map(str::parse).collect::<Result<Vec<f64>, _>>()?);
            }
            match line.strip_prefix("failed ") {
                Some(why) => return Err(why.into()),
                None => said.push(line),
            }
        }
        // A traceback ends with what it is about.
        Err(said.pop().unwrap_or_else(|| self.end()).into())
    }

    /// The next line; none when the player has ended.
    fn line(&mut self, begun: Instant) -> Result<Option<String>, Failure> {
        loop {
            if let Some(end) = self.unread.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.unread.drain(..=end).collect();
                return Ok(Some(String::from_utf8_lossy(&line).trim().to_owned()));
            }
            let left = PATIENCE.saturating_sub(begun.elapsed());
            let mut source = libc::pollfd { fd: self.answers.as_raw_fd(), events: libc::POLLIN, revents: 0 };
            // SAFETY: one valid entry.
            match unsafe { libc::poll(&mut source, 1, left.as_millis() as i32) } {
                0 => return Err(format!("no answer within {} s", PATIENCE.as_secs()).into()),
                -1 => return Err(io::Error::last_os_error().into()),
                _ => {}
            }
            let mut bytes = [0; 4096];
            match self.answers.read(&mut bytes)? {
                0 => return Ok(None),
                length => self.unread.extend_from_slice(&bytes[..length]),
            }
        }
    }

    /// How it has ended.
    fn end(&mut self) -> String {
        const SOON: Duration = Duration::from_secs(1);
        let ended = match &mut self.process {
            Process::Forked(child) => child.join(SOON).map(|()| "it has ended".to_owned()),
            Process::Program(program) => {
                let begun = Instant::now();
                loop {
                    match program.try_wait() {
                        Ok(Some(status)) => break Ok(format!("it has ended: {status}")),
                        Ok(None) if begun.elapsed() > SOON => break Ok("it has closed its output".to_owned()),
                        Ok(None) => std::thread::sleep(Duration::from_millis(1)),
                        Err(error) => break Err(error),
                    }
                }
            }
        };
        ended.unwrap_or_else(|error| error.to_string())
    }
}

/// The player is told to end, and takes away what it has made. If it does not end, it is killed.
impl Drop for Player {
    fn drop(&mut self) {
        // It may have ended already.
        let _broken_pipe = writeln!(self.orders, "end");
        let _how = self.end();
        if let Process::Program(program) = &mut self.process {
            let (_killed, _status) = (program.kill(), program.wait());
        }
    }
}

/// The rounds of a forked player.
#[derive(Debug)]
pub struct Rounds {
    orders: File,
    answers: File,
}

impl Rounds {
    /// Plays a round whenever it is told to. `play` is given a number, most often of turns, and
    /// returns a figure. Returns when there are no more rounds.
    ///
    /// # Errors
    /// That of a round.
    pub fn play(self, mut play: impl FnMut(u64) -> Result<f64, Failure>) -> Result<(), Failure> {
        for order in BufReader::new(self.orders).lines() {
            let order = order?;
            if order == "end" {
                break;
            }
            // SAFETY: a plain system call. The player may live on, as it still plays.
            unsafe { libc::alarm(60) };
            writeln!(&self.answers, "figure {}", play(order.trim().parse()?)?)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_panics_and_ends_are_named() {
        // The tests are threads, so nothing can be forked here: a shell is a program, too.
        let player = |script: &str| {
            let mut shell = Command::new("sh");
            shell.args(["-c", script]);
            Player::program(shell, "round".into()).expect("there is a shell")
        };
        let mut doubles = player("while read word number; do echo figure $((number * 2)) 7; done");
        assert_eq!(doubles.round(4).expect("an answer"), [8.0, 7.0]);
        assert_eq!(doubles.round(5).expect("another"), [10.0, 7.0]);
        let error = |script: &str| player(script).round(1).expect_err("no figure").to_string();
        assert_eq!(error("read line; echo failed of itself"), "of itself");
        assert_eq!(error("echo Traceback; echo ValueError: what >&2"), "ValueError: what");
        assert_eq!(error("exit 3"), "it has ended: exit status: 3");
    }
}
