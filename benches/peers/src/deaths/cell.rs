//! A cell of the table while it is found out: a directory, a keeper, and the parties.

use super::keeper::{LEDGER, SOCKET};
use super::ledger::Ledger;
use super::order::{Order, Reply, TORN};
use super::peers;
use std::cell::RefCell;
use std::io::{self, BufRead, BufReader, ErrorKind, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A party or keeper that does nothing for so long although nobody keeps it from it, is broken.
const PATIENCE: Duration = Duration::from_secs(20);

/// One object, and who uses it. Dropping it ends all its processes.
#[derive(Debug)]
pub struct Cell {
    _directory: TempDir,
    listener: UnixListener,
    keeper: Child,
    keeper_line: RefCell<Line>,
    ledger: Ledger,
    bound: Duration,
    started: std::cell::Cell<u64>,
}

/// What an order came to, within the bound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It worked.
    Done,
    /// It worked, and the object told of a death.
    Told(String),
    /// The party still sleeps there, or spins.
    Hangs,
}

/// What [`Order::Receive`] came to, within the bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Received {
    /// An item.
    Whole,
    /// Bytes that are no item.
    Torn,
    /// The party still waits.
    Nothing,
}

impl Outcome {
    /// Whether the party still sleeps there.
    #[must_use]
    pub fn hangs(&self) -> bool {
        *self == Self::Hangs
    }
}

impl Cell {
    /// Starts a keeper: `command` with the cell's directory as its last argument.
    ///
    /// # Errors
    /// Those of the operating system. Also if the keeper can't make the object.
    pub fn open(mut command: Command, bound: Duration) -> io::Result<Self> {
        let directory = tempfile::Builder::new().prefix("outlive-deaths-").tempdir()?;
        let listener = UnixListener::bind(directory.path().join(SOCKET))?;
        listener.set_nonblocking(true)?;
        let ledger = Ledger::create(&directory.path().join(LEDGER))?;
        let mut keeper = command.arg(directory.path()).stdin(Stdio::null()).spawn()?;
        match accept(&listener, &mut keeper).and_then(|line| hello(line, "keeper")) {
            Ok((line, _)) => {
                let (keeper_line, started) = (RefCell::new(line), std::cell::Cell::new(0));
                Ok(Self { _directory: directory, listener, keeper, keeper_line, ledger, bound, started })
            }
            Err(error) => {
                end(&mut keeper);
                Err(error)
            }
        }
    }

    /// The ledger.
    #[must_use]
    pub fn ledger(&self) -> Ledger {
        self.ledger
    }

    /// How long a party must not get on before it is said to hang.
    #[must_use]
    pub fn bound(&self) -> Duration {
        self.bound
    }

    /// Starts another party.
    ///
    /// # Errors
    /// Those of the operating system.
    pub fn start(&self) -> io::Result<Party<'_>> {
        let number = self.started.get();
        self.started.set(number + 1);
        self.keeper_line.borrow_mut().say(&format!("start {number}"))?;
        let begun = Instant::now();
        let stream = loop {
            match self.listener.accept() {
                Ok((stream, _)) => break stream,
                Err(error) if error.kind() != ErrorKind::WouldBlock => return Err(error),
                Err(_) if begun.elapsed() > PATIENCE => return Err(io::Error::other("a party does not start")),
                Err(_) => std::thread::sleep(Duration::from_micros(200)),
            }
        };
        let (line, words) = hello(Line::new(stream)?, "party")?;
        match words[..] {
            [named, id] if named == number => {
                let id = i32::try_from(id).map_err(io::Error::other)?;
                Ok(Party { cell: self, id, line, is_dead: false })
            }
            _ => Err(io::Error::other(format!("party {number} says that it is {words:?}"))),
        }
    }

    /// Lets the keeper itself do this.
    ///
    /// # Errors
    /// Those of the socket, and if it did not work.
    pub fn keeper_obeys(&self, order: Order) -> io::Result<()> {
        self.ask_keeper(&order.to_string())
    }

    fn ask_keeper(&self, line: &str) -> io::Result<()> {
        let mut keeper = self.keeper_line.borrow_mut();
        keeper.say(line)?;
        match keeper.hear(PATIENCE)?.map(|line| line.parse()) {
            Some(Ok(Reply::Done)) => Ok(()),
            other => Err(io::Error::other(format!("the keeper was told {line:?}, and said {other:?}"))),
        }
    }
}

impl Drop for Cell {
    fn drop(&mut self) {
        end(&mut self.keeper);
        peers::clean_up_after(self.keeper.id());
    }
}

fn end(keeper: &mut Child) {
    // It is a child that was not waited for. After SIGKILL it ends.
    let _ = keeper.kill();
    let _ = keeper.wait();
}

fn accept(listener: &UnixListener, keeper: &mut Child) -> io::Result<Line> {
    let begun = Instant::now();
    loop {
        match listener.accept() {
            Ok((stream, _)) => return Line::new(stream),
            Err(error) if error.kind() != ErrorKind::WouldBlock => return Err(error),
            Err(_) => {}
        }
        if let Some(status) = keeper.try_wait()? {
            return Err(io::Error::other(format!("the keeper ended with {status}")));
        }
        if begun.elapsed() > PATIENCE {
            return Err(io::Error::other("the keeper does not start"));
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// The numbers of the first line, which begins with this word.
fn hello(mut line: Line, word: &str) -> io::Result<(Line, Vec<u64>)> {
    let first = line.hear(PATIENCE)?.unwrap_or_default();
    let mut words = first.split_whitespace();
    match words.next() {
        Some(found) if found == word => Ok((line, words.filter_map(|number| number.parse().ok()).collect())),
        Some("failed") => Err(io::Error::other(first["failed".len()..].trim().to_string())),
        _ => Err(io::Error::other(format!("{word} said {first:?} first"))),
    }
}

/// A connection on which lines go to and fro.
#[derive(Debug)]
struct Line {
    stream: UnixStream,
    lines: BufReader<UnixStream>,
    /// What has come of a line so far.
    part: String,
}

impl Line {
    fn new(stream: UnixStream) -> io::Result<Self> {
        stream.set_nonblocking(false)?;
        let lines = BufReader::new(stream.try_clone()?);
        Ok(Self { stream, lines, part: String::new() })
    }

    fn say(&mut self, line: &str) -> io::Result<()> {
        writeln!(self.stream, "{line}")
    }

    /// The next line, or nothing if it does not come in time.
    fn hear(&mut self, within: Duration) -> io::Result<Option<String>> {
        self.stream.set_read_timeout(Some(within.max(Duration::from_millis(1))))?;
        match self.lines.read_line(&mut self.part) {
            Ok(_) if self.part.ends_with('\n') => Ok(Some(std::mem::take(&mut self.part).trim_end().to_string())),
            Ok(_) => Err(io::Error::other("a process ended that was not killed")),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// A process that uses the object. Dropping it kills it.
#[derive(Debug)]
pub struct Party<'c> {
    cell: &'c Cell,
    id: i32,
    line: Line,
    is_dead: bool,
}

impl Party<'_> {
    /// Lets it begin with this, and returns when it has begun.
    ///
    /// # Errors
    /// Those of the socket.
    pub fn begin(&mut self, order: Order) -> io::Result<()> {
        self.line.say(&order.to_string())?;
        match self.line.hear(PATIENCE)?.as_deref() {
            Some("begins") => Ok(()),
            other => Err(io::Error::other(format!("a party was told to {order:?}, and said {other:?}"))),
        }
    }

    /// Waits for the end of what it has begun. Only after the bound, and if it then sleeps or has
    /// used a processor all the while, it hangs. A party that gets no processor does not.
    ///
    /// # Errors
    /// Those of the socket. Also if the object returned an error, and if the party ended.
    pub fn outcome(&mut self) -> io::Result<Outcome> {
        let begun = Instant::now();
        let used = self.time_used()?;
        loop {
            if let Some(line) = self.line.hear(self.cell.bound)? {
                return match line.parse() {
                    Ok(Reply::Done) => Ok(Outcome::Done),
                    Ok(Reply::Told(what)) => Ok(Outcome::Told(what)),
                    Ok(Reply::Failed(why)) => Err(io::Error::other(why)),
                    Err(why) => Err(io::Error::other(why)),
                };
            }
            let spun = self.time_used()?.saturating_sub(used) > self.cell.bound / 8;
            if self.is_asleep()? || spun {
                return Ok(Outcome::Hangs);
            }
            if begun.elapsed() > PATIENCE {
                return Err(io::Error::other("a party neither sleeps nor runs"));
            }
        }
    }

    /// Waits for the end of [`Order::Receive`].
    ///
    /// # Errors
    /// Those of [`outcome`](Self::outcome), but for a torn item.
    pub fn received(&mut self) -> io::Result<Received> {
        match self.outcome() {
            Ok(Outcome::Hangs) => Ok(Received::Nothing),
            Ok(_) => Ok(Received::Whole),
            Err(error) if error.to_string() == TORN => Ok(Received::Torn),
            Err(error) => Err(error),
        }
    }

    /// Begins with this, and waits for its end.
    ///
    /// # Errors
    /// Those of [`begin`](Self::begin) and [`outcome`](Self::outcome).
    pub fn does(&mut self, order: Order) -> io::Result<Outcome> {
        self.begin(order)?;
        self.outcome()
    }

    /// As [`does`](Self::does), where nothing has happened yet that could go wrong.
    ///
    /// # Errors
    /// Also if it hangs, or tells of a death.
    pub fn surely_does(&mut self, order: Order) -> io::Result<()> {
        match self.does(order)? {
            Outcome::Done => Ok(()),
            other => Err(io::Error::other(format!("{order:?} before any death: {other:?}"))),
        }
    }

    /// Begins with this, and returns when the party sleeps in it, or spins there for a while.
    ///
    /// # Errors
    /// Also if it ends without waiting.
    pub fn waits(&mut self, order: Order) -> io::Result<()> {
        self.begin(order)?;
        self.settles()
    }

    /// Returns when the party sleeps, and still does after the first phase of outlive's waits.
    ///
    /// # Errors
    /// Also if it ends what it does without waiting.
    pub fn settles(&mut self) -> io::Result<()> {
        let begun = Instant::now();
        let mut calm = 0;
        while calm < 3 && begun.elapsed() < self.cell.bound {
            if let Some(line) = self.line.hear(Duration::from_millis(7))? {
                return Err(io::Error::other(format!("a party was to wait, and said {line:?}")));
            }
            calm = if self.is_asleep()? { calm + 1 } else { 0 };
        }
        Ok(())
    }

    /// Lets it do this, and kill the victim in the very next system call. Both run on one
    /// processor, and the victim never interrupts this party. So a victim that the order wakes is
    /// dead before it runs. Returns nothing if the victim ran all the same.
    ///
    /// # Errors
    /// Those of [`does`](Self::does).
    pub fn does_and_kills(&mut self, order: Order, mut victim: Party<'_>) -> io::Result<Option<Outcome>> {
        self.move_to_one_processor(libc::SCHED_OTHER)?;
        victim.move_to_one_processor(libc::SCHED_IDLE)?;
        self.line.say(&format!("then-kill {} {order}", victim.id))?;
        match self.line.hear(PATIENCE)?.as_deref() {
            Some("begins") => {}
            other => return Err(io::Error::other(format!("a party was told to {order:?}, and said {other:?}"))),
        }
        let outcome = self.outcome()?;
        if outcome.hangs() {
            return Ok(Some(outcome));
        }
        let ran = matches!(victim.line.hear(Duration::from_millis(1)), Ok(Some(_)));
        victim.kill()?;
        Ok((!ran).then_some(outcome))
    }

    /// To the first one that this program may use.
    fn move_to_one_processor(&self, policy: i32) -> io::Result<()> {
        // SAFETY: the set is plain bits, and all zero is the empty set; both pointers are valid for
        // the calls. The process is one of ours.
        let code = unsafe {
            let mut set = std::mem::zeroed::<libc::cpu_set_t>();
            libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &mut set);
            let first = (0..libc::CPU_SETSIZE as usize).find(|&processor| libc::CPU_ISSET(processor, &set));
            libc::CPU_ZERO(&mut set);
            libc::CPU_SET(first.unwrap_or(0), &mut set);
            match libc::sched_setaffinity(self.id, size_of::<libc::cpu_set_t>(), &set) {
                0 => libc::sched_setscheduler(self.id, policy, &libc::sched_param { sched_priority: 0 }),
                code => code,
            }
        };
        if code == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }

    /// Kills it, and waits until it is gone.
    ///
    /// # Errors
    /// Those of the operating system.
    pub fn kill(mut self) -> io::Result<()> {
        self.end()
    }

    fn end(&mut self) -> io::Result<()> {
        if std::mem::replace(&mut self.is_dead, true) {
            return Ok(());
        }
        // SAFETY: a child of the keeper, which waits for it only when told below. So the id is
        // still its own.
        unsafe { libc::kill(self.id, libc::SIGKILL) };
        self.cell.ask_keeper(&format!("bury {}", self.id))
    }

    /// Waits until the word has changed from what it was.
    ///
    /// # Errors
    /// If the party ends, or says that it failed.
    pub fn advances(&mut self, word: &AtomicU64, from: u64) -> io::Result<bool> {
        let begun = Instant::now();
        while word.load(SeqCst) == from {
            if begun.elapsed() > self.cell.bound && (self.is_asleep()? || begun.elapsed() > self.cell.bound * 2) {
                return Ok(false);
            }
            if begun.elapsed() < Duration::from_millis(2) {
                std::thread::sleep(Duration::from_micros(100));
            } else if let Some(line) = self.line.hear(Duration::from_millis(2))? {
                return Err(io::Error::other(format!("a party was to go on, and said {line:?}")));
            }
        }
        Ok(true)
    }

    fn of_proc(&self, file: &str) -> io::Result<String> {
        std::fs::read_to_string(format!("/proc/{}/{file}", self.id))
    }

    fn is_asleep(&self) -> io::Result<bool> {
        let stat = self.of_proc("stat")?;
        let state = stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().next());
        match state {
            Some("Z" | "X") => Err(io::Error::other("a party ended that was not killed")),
            state => Ok(state == Some("S")),
        }
    }

    fn time_used(&self) -> io::Result<Duration> {
        let text = self.of_proc("schedstat")?;
        let first = text.split_whitespace().next().and_then(|number| number.parse().ok());
        first.map(Duration::from_nanos).ok_or_else(|| io::Error::other(format!("schedstat is {text:?}")))
    }
}

impl Drop for Party<'_> {
    fn drop(&mut self) {
        // If that fails, the keeper's end ends it.
        let _ = self.end();
    }
}
