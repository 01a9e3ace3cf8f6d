//! A connection to a job: JSON-RPC, one message a line.

use crate::failure::{Failure, Result, ENDED, SYSTEM};
use rustix::net::sockopt::{set_socket_timeout, socket_peercred, Timeout};
use rustix::net::{connect, socket_with, AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use serde_json::{json, Value};
use std::io::{self, BufRead, BufReader, ErrorKind, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

/// A process that is halted takes no connection when its queue is full, and reads nothing.
const PATIENCE: Duration = Duration::from_secs(2);

pub(crate) struct Connection {
    stream: UnixStream,
    lines: BufReader<UnixStream>,
    /// A line that has come in part.
    partial: Vec<u8>,
    last_id: u64,
}

/// What came, when something was waited for.
pub(crate) enum Came {
    Message(Value),
    TimeUp,
    End,
}

impl Connection {
    /// Connects to the socket, if the own user listens there.
    pub(crate) fn open(path: &Path) -> io::Result<Connection> {
        let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
        // Bounds connecting, too.
        set_socket_timeout(&socket, Timeout::Send, Some(PATIENCE))?;
        connect(&socket, &SocketAddrUnix::new(path)?)?;
        let owner = socket_peercred(&socket)?.uid;
        if owner != rustix::process::geteuid() {
            let text = format!("the user with number {} listens there", owner.as_raw());
            return Err(io::Error::new(ErrorKind::PermissionDenied, text));
        }
        let stream = UnixStream::from(socket);
        let lines = BufReader::new(stream.try_clone()?);
        Ok(Connection { stream, lines, partial: Vec::new(), last_id: 0 })
    }

    /// A second hand on the connection, which sends while this one waits.
    pub(crate) fn sender(&self) -> io::Result<Sender> {
        Ok(Sender { stream: self.stream.try_clone()?, last_id: self.last_id })
    }

    /// Sends a request; its reply will have the number.
    pub(crate) fn send(&mut self, method: &str, params: &Value) -> io::Result<u64> {
        let mut sender = self.sender()?;
        self.last_id = sender.send(method, params)?;
        Ok(self.last_id)
    }

    /// Sends a request that nobody wants the reply of.
    pub(crate) fn tell(&mut self, method: &str, params: &Value) -> io::Result<()> {
        write_line(&mut self.stream, &json!({"jsonrpc": "2.0", "method": method, "params": params}))
    }

    /// Waits for the next message; `None`: as long as it takes.
    pub(crate) fn next(&mut self, patience: Option<Duration>) -> Came {
        let end = patience.map(|patience| Instant::now() + patience);
        loop {
            let left = end.map(|end| end.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                return Came::TimeUp;
            }
            if self.stream.set_read_timeout(left).is_err() {
                return Came::End;
            }
            match self.lines.read_until(b'\n', &mut self.partial) {
                Ok(_) if self.partial.last() == Some(&b'\n') => {
                    let message = serde_json::from_slice(&self.partial);
                    self.partial.clear();
                    // A line that is not JSON is not of this protocol: whoever sent it, it is no job.
                    return message.map_or(Came::End, Came::Message);
                }
                Ok(_) => return Came::End,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    return Came::TimeUp;
                }
                Err(_) => return Came::End,
            }
        }
    }

    /// Asks what is answered at once, and waits for the answer. `job` is what it is called in a failure.
    pub(crate) fn ask(&mut self, job: &str, method: &str, params: Value) -> Result<Value> {
        let id = self.send(method, &params).map_err(|error| Failure::system(job, &error))?;
        loop {
            match self.next(Some(PATIENCE)) {
                Came::Message(reply) if reply["id"] == id => return outcome(job, reply),
                Came::Message(_) => {}
                Came::TimeUp => return Err(silent(job)),
                Came::End => return Err(closed(job)),
            }
        }
    }
}

/// Sends requests.
pub(crate) struct Sender {
    stream: UnixStream,
    last_id: u64,
}

impl Sender {
    pub(crate) fn send(&mut self, method: &str, params: &Value) -> io::Result<u64> {
        self.last_id += 1;
        let id = self.last_id;
        write_line(&mut self.stream, &json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}))?;
        Ok(id)
    }
}

fn write_line(stream: &mut UnixStream, message: &Value) -> io::Result<()> {
    stream.write_all(format!("{message}\n").as_bytes())
}

/// What a reply says.
pub(crate) fn outcome(job: &str, mut reply: Value) -> Result<Value> {
    match reply.get("error") {
        Some(error) => {
            let message = error["message"].as_str().unwrap_or("refused without a reason");
            Err(Failure::refusal(job, error["code"].as_i64().unwrap_or(0), message))
        }
        None => Ok(reply["result"].take()),
    }
}

pub(crate) fn silent(job: &str) -> Failure {
    Failure::new(SYSTEM, format!("{job} does not answer: its process is halted, or the machine is overloaded"))
}

pub(crate) fn closed(job: &str) -> Failure {
    Failure::new(ENDED, format!("{job} ended before it answered"))
}
