//! A client that asks a server, over a pipe with two directions. The server dies while it answers.
//! The client learns of that at once, and starts another server. That one takes over the end of the
//! dead one, and the client asks again.
//!
//! `cargo run --release --example request_reply`

use outlive::{DuplexPipe, DuplexPipeEnd, ParticipantId, PipeRecvError};
use std::process::{Child, Command};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

fn main() -> Result<()> {
    match std::env::args().nth(1).as_deref() {
        None => run(),
        Some("server") => serve(false),
        Some("victim") => serve(true),
        Some(other) => Err(format!("unknown argument {other:?}; run it without any").into()),
    }
}

/// Answers requests until the client has dropped its end.
fn serve(dies: bool) -> Result<()> {
    let pipe = DuplexPipe::try_from(DuplexPipe::options(4096)?.inherit("pipe")?)?;
    let mut client = pipe.second()?;
    loop {
        let request = match client.recv_bytes() {
            Ok(request) => String::from_utf8(request)?,
            Err(PipeRecvError::Disconnected) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        if dies && request == "three" {
            std::process::abort();
        }
        client.send_bytes(request.to_uppercase().as_bytes())?;
    }
}

/// Dropping it ends the process, also after an error.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.0.kill().and_then(|()| self.0.wait()));
    }
}

fn start(pipe: &DuplexPipe, role: &str) -> Result<Server> {
    let mut command = Command::new(std::env::current_exe()?);
    pipe.segment().pass_to(command.arg(role), "pipe")?;
    Ok(Server(command.spawn()?))
}

/// Sends a request, and waits for the answer. `None`: the server has died. `former` is the server
/// that died before it: until its heir has taken the end over, that one is still the other end.
fn ask(server: &mut DuplexPipeEnd, request: &str, former: &mut Option<ParticipantId>) -> Result<Option<String>> {
    server.send_bytes(request.as_bytes())?;
    loop {
        match server.recv_bytes() {
            Ok(answer) => return Ok(Some(String::from_utf8(answer)?)),
            Err(PipeRecvError::PeerDied { by }) if *former == Some(by) => std::thread::yield_now(),
            Err(PipeRecvError::PeerDied { by }) => {
                println!("the server, participant {by}, died while it answered {request:?}");
                *former = Some(by);
                return Ok(None);
            }
            Err(error) => return Err(error.into()),
        }
    }
}

fn run() -> Result<()> {
    let pipe = DuplexPipe::anonymous(4096)?;
    let mut end = pipe.first()?;
    let mut server = start(&pipe, "victim")?;
    let mut former = None;
    for request in ["one", "two", "three", "four"] {
        let answer = loop {
            match ask(&mut end, request, &mut former)? {
                Some(answer) => break answer,
                None => server = start(&pipe, "server")?,
            }
        };
        println!("{request} -> {answer}");
        assert_eq!(answer, request.to_uppercase());
    }
    drop(end);
    assert!(server.0.wait()?.success(), "the server ends when the client is gone");
    Ok(())
}
