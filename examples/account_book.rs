//! A reentrant lock whose holder dies. Processes keep accounts in one book. A transfer consists of
//! two changes, and each of them takes the same lock again. One process dies in the middle of a
//! transfer. The next holder learns of it, and puts the money that was on its way back.
//!
//! `cargo run --release --example account_book`

#![allow(clippy::disallowed_types)] // plain numbers that processes share

use outlive::{LockError, Once, ReentrantMutex, Segment, Shareable};
use std::error::Error;
use std::process::{Child, Command, ExitCode};
use std::sync::atomic::{AtomicI64, Ordering::SeqCst};

const CLERKS: u32 = 4;
const TRANSFERS: u32 = 1_000;
const ACCOUNTS: usize = 4;
const MONEY: i64 = 4_000;

/// A reentrant lock gives only shared references, because its holder may have several. So the
/// numbers are atomics.
#[derive(Shareable)]
#[repr(C)]
struct Book {
    balances: [AtomicI64; ACCOUNTS],
    /// Money that was taken from an account and not yet put into another.
    on_its_way: AtomicI64,
}

#[derive(Shareable)]
#[repr(C)]
struct Shared {
    opened: Once,
    book: ReentrantMutex<Book>,
}

fn main() -> ExitCode {
    let result = match std::env::args().nth(1).as_deref() {
        None => run(),
        Some("dies") => Segment::inherit("book").map_err(Into::into).and_then(|shared| work(&shared, 0, true)),
        Some(number) => Segment::inherit("book")
            .map_err(Into::into)
            .and_then(|shared| work(&shared, number.parse().unwrap_or(1), false)),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("account_book: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let shared = Segment::<Shared>::anonymous(|_zero| {})?;
    let mut clerks = Clerks(vec![]);
    for number in 0..=CLERKS {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg(if number == 0 { "dies".into() } else { number.to_string() });
        shared.pass_to(&mut command, "book")?;
        clerks.0.push(command.spawn()?);
    }
    for clerk in &mut clerks.0[1..] {
        let status = clerk.wait()?;
        if !status.success() {
            return Err(format!("a clerk ended with {status}").into());
        }
    }
    let book = shared.book.lock().map_err(|error| error.to_string())?;
    let sum: i64 = book.balances.iter().map(|balance| balance.load(SeqCst)).sum();
    println!("{CLERKS} clerks made {TRANSFERS} transfers each; there are {sum} of {MONEY} in the book");
    if sum == MONEY { Ok(()) } else { Err("money is lost".into()) }
}

fn work(shared: &Segment<Shared>, number: u32, dies: bool) -> Result<(), Box<dyn Error>> {
    // The first process puts the money in. If it is killed meanwhile, the next one does.
    shared.opened.call_once(|| {
        for balance in &shared.book.lock().expect("nobody has it before").balances {
            balance.store(MONEY / ACCOUNTS as i64, SeqCst);
        }
    })?;
    for turn in 0..TRANSFERS {
        let from = (number + turn) as usize % ACCOUNTS;
        transfer(shared, from, (from + 1) % ACCOUNTS, 1, dies && turn == TRANSFERS / 2)?;
    }
    Ok(())
}

/// Holds the book during both changes, each of which takes it again.
fn transfer(shared: &Shared, from: usize, to: usize, amount: i64, dies: bool) -> Result<(), Box<dyn Error>> {
    let book = match shared.book.lock() {
        Ok(book) => book,
        Err(LockError::OwnerDied(left)) => {
            let dead = left.by().map_or_else(|| "somebody".into(), |id| format!("participant {id}"));
            let mut book = left.into_inner();
            let lost = book.on_its_way.swap(0, SeqCst);
            book.balances[0].fetch_add(lost, SeqCst);
            println!("{dead} died during a transfer; {lost} that was on its way is back in account 0");
            book.mark_consistent();
            book
        }
        Err(error) => return Err(error.into()),
    };
    change(shared, from, -amount)?;
    if dies {
        std::process::abort(); // as in a crash, while this process holds the lock
    }
    change(shared, to, amount)?;
    drop(book);
    Ok(())
}

fn change(shared: &Shared, account: usize, amount: i64) -> Result<(), Box<dyn Error>> {
    let book = shared.book.lock().map_err(|error| error.to_string())?;
    book.balances[account].fetch_add(amount, SeqCst);
    book.on_its_way.fetch_sub(amount, SeqCst);
    Ok(())
}

/// The children. Dropping this ends them, also after an error.
struct Clerks(Vec<Child>);

impl Drop for Clerks {
    fn drop(&mut self) {
        for clerk in &mut self.0 {
            // A child that was waited for has ended. Killing it again does nothing.
            let _ended = clerk.kill().and_then(|()| clerk.wait());
        }
    }
}
