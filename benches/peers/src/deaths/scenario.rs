//! What is done to each object, and what comes of it.

use super::cell::{Cell, Outcome, Party, Received};
use super::ledger::{CHURNERS, PRODUCERS};
use super::order::Order;
use serde::Serialize;
use std::fmt;
use std::io::{self, ErrorKind};
use std::process::Command;
use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

/// What came of one scenario with one peer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "verdict", content = "detail", rename_all = "kebab-case")]
pub enum Verdict {
    /// The others go on, and the object told one of them of the death.
    Tells(String),
    /// The others go on. The dead one may have left something half done, and nobody is told.
    Silent(String),
    /// The others go on. There was nothing to tell.
    GoesOn(String),
    /// Somebody waits forever.
    Hangs(String),
    /// What was sent did not come whole, once, and all.
    Loses(String),
    /// The object returned an error that tells of no death, or a party crashed.
    Fails(String),
    /// It was not tried, for this reason.
    Missing(String),
}

impl Verdict {
    /// How good it is: more is better.
    #[must_use]
    pub fn rank(&self) -> u8 {
        match self {
            Self::Tells(_) => 6,
            Self::GoesOn(_) => 5,
            Self::Silent(_) => 4,
            Self::Loses(_) => 3,
            Self::Hangs(_) => 2,
            Self::Fails(_) => 1,
            Self::Missing(_) => 0,
        }
    }

    /// The verdict without its details.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Tells(_) => "recovers and tells",
            Self::GoesOn(_) => "goes on",
            Self::Silent(_) => "recovers silently",
            Self::Loses(_) => "loses",
            Self::Hangs(_) => "hangs",
            Self::Fails(_) => "fails",
            Self::Missing(_) => "missing",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = self.word();
        match self {
            Self::Fails(why) | Self::Missing(why) => write!(f, "{word}: {why}"),
            Self::Tells(detail)
            | Self::Silent(detail)
            | Self::GoesOn(detail)
            | Self::Hangs(detail)
            | Self::Loses(detail) => match detail.as_str() {
                "" => f.write_str(word),
                _ => write!(f, "{word} ({detail})"),
            },
        }
    }
}

fn hangs(where_: impl Into<String>) -> io::Result<Verdict> {
    Ok(Verdict::Hangs(where_.into()))
}

fn goes_on() -> io::Result<Verdict> {
    Ok(Verdict::GoesOn(String::new()))
}

/// If the others should have been told.
fn of(outcome: Outcome) -> io::Result<Verdict> {
    Ok(match outcome {
        Outcome::Done => Verdict::Silent(String::new()),
        Outcome::Told(words) => Verdict::Tells(words),
        Outcome::Hangs => Verdict::Hangs(String::new()),
    })
}

/// If there is nothing to tell.
fn untold(outcome: Outcome) -> io::Result<Verdict> {
    if outcome.hangs() { hangs("") } else { goes_on() }
}

/// How long the scenarios that kill again and again take.
#[derive(Debug, Clone, Copy)]
pub struct Effort {
    /// Of random kills.
    pub kills: Duration,
    /// Rounds of waits and notifications.
    pub rounds: u64,
    /// How often a scenario is tried, if it is short and all go on.
    pub trials: u32,
}

/// A kind of object: what its scenarios can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A lock.
    Lock,
    /// A readers-writer lock.
    RwLock,
    /// A condition variable.
    Condition,
    /// A barrier.
    Barrier,
    /// A semaphore.
    Semaphore,
    /// An event.
    Event,
    /// A queue, or a pipe that several may use at each end.
    Queue,
    /// A pipe with one sender and one receiver.
    Pipe,
}

/// One column of a kind's table.
#[derive(Debug, Clone, Copy)]
pub struct Scenario {
    /// Its name.
    pub name: &'static str,
    /// Finds out.
    pub run: fn(&Cell, Effort) -> io::Result<Verdict>,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 8] = [
        Self::Lock,
        Self::RwLock,
        Self::Condition,
        Self::Barrier,
        Self::Semaphore,
        Self::Event,
        Self::Queue,
        Self::Pipe,
    ];

    /// The heading of its table.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Lock => "Locks",
            Self::RwLock => "Readers-writer locks",
            Self::Condition => "Condition variables",
            Self::Barrier => "Barriers of three",
            Self::Semaphore => "Semaphores of one permit",
            Self::Event => "Events",
            Self::Queue => "Queues and pipes",
            Self::Pipe => "Pipes, one to one",
        }
    }

    /// The columns of its table.
    #[must_use]
    pub fn scenarios(self) -> &'static [Scenario] {
        macro_rules! scenarios {
            ($($name:literal => $run:expr),* $(,)?) => { &[$(Scenario { name: $name, run: $run }),*] };
        }
        match self {
            Self::Lock => scenarios! {
                "holder killed" => holder_killed,
                "waiter killed" => waiter_killed,
                "woken waiter killed" => |cell, _| woken_killed(cell, Some(Order::Take), Order::Take, Order::GiveBack),
                "any killed, at random" => any_killed,
            },
            Self::RwLock => scenarios! {
                "reader killed, then a writer" => reader_killed,
                "writer killed, then a reader" => writer_killed,
                "waiting writer killed" => waiting_writer_killed,
                "woken writer killed" => |cell, _| woken_killed(cell, Some(Order::Write), Order::Write, Order::EndWrite),
            },
            Self::Condition => scenarios! {
                "waiter killed, notify one" => |cell, _| waiters_killed(cell, 1),
                "and again, then notify all" => |cell, effort| waiters_killed(cell, effort.rounds),
                "woken waiter killed" => |cell, _| woken_killed(cell, None, Order::Wait, Order::NotifyOne),
            },
            Self::Barrier => scenarios! {
                "one that waits killed" => barrier_party_killed,
                "the next round" => barrier_next_round,
            },
            Self::Semaphore => scenarios! {
                "taker killed" => holder_killed,
                "waiter killed" => waiter_killed,
                "woken waiter killed" => |cell, _| woken_killed(cell, Some(Order::Take), Order::Take, Order::GiveBack),
            },
            Self::Event => scenarios! {
                "waiter killed, then set" => |cell, _| event_waiters_killed(cell, 1),
                "and again" => |cell, effort| event_waiters_killed(cell, effort.rounds),
                "woken waiter killed" => |cell, _| woken_killed(cell, None, Order::Await, Order::Set),
            },
            Self::Queue => scenarios! {
                "senders killed, 64 B" => |cell, effort| producers_killed(cell, effort, 64),
                "senders killed, 6 KB" => |cell, effort| producers_killed(cell, effort, 6000),
                "receivers killed, 6 KB" => |cell, effort| consumers_killed(cell, effort, 6000, false),
                "woken receiver killed" => woken_receiver_killed,
                "last sender killed" => last_sender_killed,
            },
            Self::Pipe => scenarios! {
                "senders killed, 64 B" => |cell, effort| producers_killed(cell, effort, 64),
                "senders killed, 6 KB" => |cell, effort| producers_killed(cell, effort, 6000),
                "receivers killed, 6 KB" => |cell, effort| consumers_killed(cell, effort, 6000, true),
                "sender killed" => last_sender_killed,
            },
        }
    }
}

/// Tries the scenario, each time in a new cell, and returns the worst that came of it. `keeper` is
/// what starts a keeper, or why that can't be.
///
/// A short scenario is tried several times: which of two waiters is woken, and who runs first, is
/// for the kernel to choose.
pub fn find_out(
    keeper: impl Fn() -> Result<Command, String>,
    scenario: &Scenario,
    effort: Effort,
    bound: Duration,
) -> Verdict {
    let begun = Instant::now();
    let mut worst = None;
    for _ in 0..effort.trials.max(1) {
        let verdict = try_once(&keeper, scenario, effort, bound);
        if worst.as_ref().is_none_or(|worst: &Verdict| verdict.rank() < worst.rank()) {
            worst = Some(verdict);
        }
        let goes_on = worst.as_ref().is_some_and(|worst| worst.rank() >= Verdict::Silent(String::new()).rank());
        if !goes_on || begun.elapsed() > effort.kills * 3 {
            break;
        }
    }
    worst.expect("at least one trial")
}

fn try_once(
    keeper: impl Fn() -> Result<Command, String>,
    scenario: &Scenario,
    effort: Effort,
    bound: Duration,
) -> Verdict {
    const TRIALS: u32 = 20;
    for _ in 0..TRIALS {
        let command = match keeper() {
            Ok(command) => command,
            Err(why) => return Verdict::Missing(why),
        };
        let cell = match Cell::open(command, bound) {
            Ok(cell) => cell,
            Err(why) => return Verdict::Missing(why.to_string()),
        };
        match (scenario.run)(&cell, effort) {
            Ok(verdict) => return verdict,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Verdict::Fails(error.to_string()),
        }
    }
    Verdict::Missing(format!("in {TRIALS} trials the kill always came too late"))
}

fn holder_killed(cell: &Cell, _: Effort) -> io::Result<Verdict> {
    let (mut holder, mut next) = (cell.start()?, cell.start()?);
    holder.surely_does(Order::Take)?;
    next.waits(Order::Take)?;
    holder.kill()?;
    let outcome = next.outcome()?;
    if !outcome.hangs() && next.does(Order::GiveBack)?.hangs() {
        return hangs("the next, when it releases");
    }
    if !outcome.hangs() && cell.start()?.does(Order::Take)?.hangs() {
        return hangs("the third");
    }
    of(outcome)
}

fn waiter_killed(cell: &Cell, _: Effort) -> io::Result<Verdict> {
    let (mut holder, mut first, mut second) = (cell.start()?, cell.start()?, cell.start()?);
    holder.surely_does(Order::Take)?;
    first.waits(Order::Take)?;
    second.waits(Order::Take)?;
    first.kill()?;
    if holder.does(Order::GiveBack)?.hangs() {
        return hangs("the holder");
    }
    untold(second.outcome()?)
}

/// Two wait. The first is woken, and killed before it runs. What it was woken for is still there.
///
/// # Errors
/// [`ErrorKind::Interrupted`] if it ran before it was killed: then a new cell is needed.
fn woken_killed(cell: &Cell, before: Option<Order>, wait: Order, wake: Order) -> io::Result<Verdict> {
    let (mut waker, mut first, mut second) = (cell.start()?, cell.start()?, cell.start()?);
    if let Some(before) = before {
        waker.surely_does(before)?;
    }
    first.waits(wait)?;
    second.waits(wait)?;
    match waker.does_and_kills(wake, first)? {
        Some(Outcome::Hangs) => hangs("the waker"),
        Some(_) => untold(second.outcome()?),
        None => Err(ErrorKind::Interrupted.into()),
    }
}

/// As above. If the second does not get the item, another one is sent: does it get that?
///
/// # Errors
/// As above.
fn woken_receiver_killed(cell: &Cell, _: Effort) -> io::Result<Verdict> {
    const SIZE: u64 = 64;
    let send = |producer| Order::Produce { producer, count: 1, size: SIZE };
    let (mut sender, mut first, mut second) = (cell.start()?, cell.start()?, cell.start()?);
    first.waits(Order::Receive { size: SIZE })?;
    second.waits(Order::Receive { size: SIZE })?;
    match sender.does_and_kills(send(0), first)? {
        Some(Outcome::Hangs) => return hangs("the sender"),
        Some(_) => {}
        None => return Err(ErrorKind::Interrupted.into()),
    }
    match second.received()? {
        Received::Whole => return goes_on(),
        Received::Torn => return Ok(Verdict::Loses("the next item is torn".into())),
        Received::Nothing => {}
    }
    if sender.does(send(1))?.hangs() {
        return hangs("the sender of another item");
    }
    Ok(match second.received()? {
        Received::Whole if cell.ledger().arrived(0).load(SeqCst) == 0 => {
            Verdict::Loses("the item that the dead one was woken for".into())
        }
        Received::Whole => Verdict::Hangs("until another item is sent".into()),
        Received::Torn => Verdict::Loses("the next item is torn".into()),
        Received::Nothing => Verdict::Hangs("also when another item is sent".into()),
    })
}

fn churner(cell: &Cell, number: u64) -> io::Result<Party<'_>> {
    let mut party = cell.start()?;
    party.begin(Order::Churn(number))?;
    Ok(party)
}

/// Three take and give back the lock. Again and again one of them is killed, and replaced.
fn any_killed(cell: &Cell, effort: Effort) -> io::Result<Verdict> {
    let ledger = cell.ledger();
    let mut moment = Moments::new();
    let mut parties: Vec<(u64, Party<'_>)> = vec![];
    let mut started = 0;
    while started < 3 {
        parties.push((started, churner(cell, started)?));
        started += 1;
    }
    let begun = Instant::now();
    let mut kills = 0;
    while begun.elapsed() < effort.kills && started < CHURNERS {
        std::thread::sleep(moment.next(Duration::from_millis(3)));
        let victim = moment.next(Duration::from_nanos(3)).as_nanos() as usize;
        parties.swap_remove(victim % 3).1.kill()?;
        kills += 1;
        let mut newest = churner(cell, started)?;
        let has_turns = newest.advances(ledger.turns(started), 0)?;
        parties.push((started, newest));
        started += 1;
        if !has_turns {
            return hangs(format!("after {kills} {}", plural(kills, "death")));
        }
    }
    for (number, party) in &mut parties {
        let turns = ledger.turns(*number);
        if !party.advances(turns, turns.load(SeqCst))? {
            return hangs(format!("after {kills} deaths"));
        }
    }
    ledger.stop().store(1, SeqCst);
    for (_, party) in &mut parties {
        if party.outcome()?.hangs() {
            return hangs(format!("after {kills} deaths"));
        }
    }
    let [told, untold, together] = [ledger.told(), ledger.untold(), ledger.together()].map(|word| word.load(SeqCst));
    if together > 0 {
        return Ok(Verdict::Fails(format!("two were inside at once, {together} times")));
    }
    Ok(match (told, untold) {
        (0, 0) => Verdict::GoesOn(format!("{kills} deaths")),
        (0, _) => Verdict::Silent(format!("{kills} deaths, {untold} inside")),
        (told, 0) => Verdict::Tells(format!("{kills} deaths, told of {told}")),
        (told, untold) => Verdict::Silent(format!("{kills} deaths, told of {told}, not of {untold}")),
    })
}

fn reader_killed(cell: &Cell, _: Effort) -> io::Result<Verdict> {
    let (mut reader, mut writer) = (cell.start()?, cell.start()?);
    reader.surely_does(Order::Read)?;
    writer.waits(Order::Write)?;
    reader.kill()?;
    untold(writer.outcome()?)
}

fn writer_killed(cell: &Cell, _: Effort) -> io::Result<Verdict> {
    let (mut writer, mut reader) = (cell.start()?, cell.start()?);
    writer.surely_does(Order::Write)?;
    reader.waits(Order::Read)?;
    writer.kill()?;
    of(reader.outcome()?)
}

fn waiting_writer_killed(cell: &Cell, _: Effort) -> io::Result<Verdict> {
    let (mut reader, mut writer) = (cell.start()?, cell.start()?);
    reader.surely_does(Order::Read)?;
    writer.waits(Order::Write)?;
    writer.kill()?;
    let (mut late, mut next) = (cell.start()?, cell.start()?);
    if late.does(Order::Read)?.hangs() {
        return hangs("a reader");
    }
    if late.does(Order::EndRead)?.hangs() || reader.does(Order::EndRead)?.hangs() {
        return hangs("a reader that leaves");
    }
    untold(next.does(Order::Write)?)
}

/// In each round of two waiters the first is killed, and one is notified. Then all are.
fn waiters_killed(cell: &Cell, rounds: u64) -> io::Result<Verdict> {
    let mut notifier = cell.start()?;
    for round in 1..=rounds {
        let in_round = |who: &str| match rounds {
            1 => hangs(who),
            _ => hangs(format!("{who}, in round {round}")),
        };
        let (mut first, mut second) = (cell.start()?, cell.start()?);
        first.begin(Order::Wait)?;
        first.settles()?;
        second.begin(Order::Wait)?;
        second.settles()?;
        first.kill()?;
        if notifier.does(Order::NotifyOne)?.hangs() {
            return in_round("the notifier");
        }
        if second.outcome()?.hangs() {
            return in_round("the waiter");
        }
    }
    if rounds > 1 {
        let mut waiters = [cell.start()?, cell.start()?, cell.start()?];
        for waiter in &mut waiters {
            waiter.begin(Order::Wait)?;
            waiter.settles()?;
        }
        let [first, mut second, mut third] = waiters;
        first.kill()?;
        if notifier.does(Order::NotifyAll(2))?.hangs() {
            return hangs("the notifier of all");
        }
        if second.outcome()?.hangs() || third.outcome()?.hangs() {
            return hangs("a waiter, all being notified");
        }
    }
    goes_on()
}

/// The result of the round in which one was killed, and the two others.
fn barrier_first_round(cell: &Cell) -> io::Result<([Party<'_>; 2], [Outcome; 2])> {
    let (mut dead, mut second, mut third) = (cell.start()?, cell.start()?, cell.start()?);
    dead.waits(Order::Arrive)?;
    dead.kill()?;
    second.begin(Order::Arrive)?;
    third.begin(Order::Arrive)?;
    let outcomes = [second.outcome()?, third.outcome()?];
    Ok(([second, third], outcomes))
}

fn barrier_party_killed(cell: &Cell, _: Effort) -> io::Result<Verdict> {
    Ok(match barrier_first_round(cell)?.1 {
        [Outcome::Hangs, _] | [_, Outcome::Hangs] => Verdict::Hangs(String::new()),
        [Outcome::Told(words), _] | [_, Outcome::Told(words)] => Verdict::Tells(words),
        _ => Verdict::Silent("two pass, as three".into()),
    })
}

fn barrier_next_round(cell: &Cell, _: Effort) -> io::Result<Verdict> {
    let ([mut second, mut third], outcomes) = barrier_first_round(cell)?;
    if outcomes.iter().any(Outcome::hangs) {
        return hangs("in the first round");
    }
    if outcomes.iter().any(|outcome| matches!(outcome, Outcome::Told(_))) && second.does(Order::Reset)?.hangs() {
        return hangs("the repair");
    }
    let mut new = cell.start()?;
    let mut all = [&mut second, &mut third, &mut new];
    for party in &mut all {
        party.begin(Order::Arrive)?;
    }
    for party in &mut all {
        match party.outcome()? {
            Outcome::Done => {}
            Outcome::Told(words) => return Ok(Verdict::Fails(format!("still broken: {words}"))),
            Outcome::Hangs => return hangs(""),
        }
    }
    goes_on()
}

fn event_waiters_killed(cell: &Cell, rounds: u64) -> io::Result<Verdict> {
    let mut setter = cell.start()?;
    for round in 1..=rounds {
        let in_round = |who: &str| match rounds {
            1 => hangs(who),
            _ => hangs(format!("{who}, in round {round}")),
        };
        let (mut first, mut second) = (cell.start()?, cell.start()?);
        first.waits(Order::Await)?;
        second.waits(Order::Await)?;
        first.kill()?;
        if setter.does(Order::Set)?.hangs() {
            return in_round("who sets it");
        }
        if second.outcome()?.hangs() {
            return in_round("the waiter");
        }
        if setter.does(Order::Clear)?.hangs() {
            return in_round("who clears it");
        }
    }
    goes_on()
}

/// How many items the last producer sends, which nobody kills.
const LAST: u64 = 10;

/// One consumer. Producers are killed at random moments, each after its first item.
fn producers_killed(cell: &Cell, effort: Effort, size: u64) -> io::Result<Verdict> {
    let ledger = cell.ledger();
    let mut moment = Moments::new();
    let mut consumer = cell.start()?;
    consumer.begin(Order::Consume { size })?;
    let begun = Instant::now();
    let mut producers = 0;
    while begun.elapsed() < effort.kills && producers + 1 < PRODUCERS {
        let mut producer = cell.start()?;
        producer.begin(Order::Produce { producer: producers, count: u64::MAX, size })?;
        // Time for its first item. Then a moment in the middle of any.
        if !producer.advances(ledger.sent(producers), 0)? {
            return hangs(format!("the next sender, after {producers} {}", plural(producers, "death")));
        }
        std::thread::sleep(moment.next(Duration::from_millis(2)));
        producer.kill()?;
        producers += 1;
        if ledger.torn().load(SeqCst) > 100 {
            let deaths = plural(producers, "death");
            return Ok(Verdict::Loses(format!("the borders of all items, after {producers} {deaths}")));
        }
    }
    finish(cell, &mut consumer, producers, size)?
        .map_or_else(|| account(cell, 0..producers + 1, producers, 0, "sender"), Ok)
}

/// One producer without end. Consumers are killed at random moments. If there can be only one
/// producer, it makes room for the last one.
fn consumers_killed(cell: &Cell, effort: Effort, size: u64, has_one_producer: bool) -> io::Result<Verdict> {
    let ledger = cell.ledger();
    let mut moment = Moments::new();
    let mut producer = cell.start()?;
    producer.begin(Order::Produce { producer: 0, count: u64::MAX, size })?;
    let begun = Instant::now();
    let mut kills = 0;
    while begun.elapsed() < effort.kills {
        let received = ledger.received().load(SeqCst);
        let mut consumer = cell.start()?;
        consumer.begin(Order::Consume { size })?;
        if !consumer.advances(ledger.received(), received)? {
            return hangs(format!("the next receiver, after {kills} {}", plural(kills, "death")));
        }
        std::thread::sleep(moment.next(Duration::from_millis(2)));
        consumer.kill()?;
        kills += 1;
        if ledger.torn().load(SeqCst) > 100 {
            return Ok(Verdict::Loses(format!("the borders of all items, after {kills} {}", plural(kills, "death"))));
        }
    }
    ledger.stop().store(1, SeqCst);
    let mut consumer = cell.start()?;
    consumer.begin(Order::Consume { size })?;
    if producer.outcome()?.hangs() {
        return hangs(format!("the sender, after {kills} deaths"));
    }
    if has_one_producer {
        producer.kill()?;
    }
    // A killed consumer may have had one item in its hand. That one is its own loss, or comes
    // again.
    finish(cell, &mut consumer, 1, size)?.map_or_else(|| account(cell, 0..2, kills, kills, "receiver"), Ok)
}

/// A last producer, which nobody kills. Returns a verdict if not all go on.
fn finish(cell: &Cell, consumer: &mut Party<'_>, last: u64, size: u64) -> io::Result<Option<Verdict>> {
    let ledger = cell.ledger();
    ledger.last_count().store(LAST, SeqCst);
    ledger.last_producer().store(last + 1, SeqCst);
    let mut producer = cell.start()?;
    if producer.does(Order::Produce { producer: last, count: LAST, size })?.hangs() {
        return hangs("the last sender").map(Some);
    }
    loop {
        let received = ledger.received().load(SeqCst);
        if !consumer.outcome()?.hangs() {
            return Ok(None);
        }
        if ledger.received().load(SeqCst) == received {
            return match ledger.torn().load(SeqCst) {
                0 => hangs("the receiver").map(Some),
                torn => Ok(Some(Verdict::Loses(format!("{torn} torn, then the receiver hangs")))),
            };
        }
    }
}

/// Compares what was sent with what was received.
fn account(cell: &Cell, producers: std::ops::Range<u64>, kills: u64, in_hands: u64, who: &str) -> io::Result<Verdict> {
    let ledger = cell.ledger();
    let (mut sent, mut lost) = (0, 0);
    for producer in producers {
        let all = ledger.sent(producer).load(SeqCst);
        sent += all;
        lost += all.saturating_sub(ledger.arrived(producer).load(SeqCst));
    }
    let lost = lost.saturating_sub(in_hands);
    let [torn, again] = [ledger.torn(), ledger.doubled()].map(|word| word.load(SeqCst));
    let doubled = again.saturating_sub(in_hands);
    let counted: Vec<String> = [(lost, "lost"), (torn, "torn"), (doubled, "doubled")]
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    let deaths = format!("of {sent} items, {kills} {} killed", plural(kills, who));
    Ok(match counted.is_empty() {
        true if again > 0 => Verdict::GoesOn(format!("none lost {deaths}, {again} given out again")),
        true => Verdict::GoesOn(format!("none lost {deaths}")),
        false => Verdict::Loses(format!("{} {deaths}", counted.join(", "))),
    })
}

/// Who still holds an end to send with is known to the object, if it knows of ends at all.
fn last_sender_killed(cell: &Cell, _: Effort) -> io::Result<Verdict> {
    let (mut sender, mut receiver) = (cell.start()?, cell.start()?);
    sender.surely_does(Order::BecomeSender)?;
    receiver.surely_does(Order::BecomeReceiver)?;
    cell.keeper_obeys(Order::Leave)?;
    sender.surely_does(Order::Produce { producer: 0, count: 1, size: 64 })?;
    receiver.surely_does(Order::Receive { size: 64 })?;
    receiver.waits(Order::Receive { size: 64 })?;
    sender.kill()?;
    of(receiver.outcome()?)
}

fn plural(count: u64, word: &str) -> String {
    if count == 1 { word.to_string() } else { format!("{word}s") }
}

/// Moments at random. They need not be good: no two runs kill at the same instructions anyhow.
struct Moments(u64);

impl Moments {
    fn new() -> Self {
        Self(outlive_benches::process::monotonic_nanoseconds() | 1)
    }

    fn next(&mut self, below: Duration) -> Duration {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        Duration::from_nanos((self.0 >> 33) % below.as_nanos() as u64)
    }
}
