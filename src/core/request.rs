//! Requests: how one is sent, and how each kind is served.

use super::attention::{has_ended, Signal};
use super::event::Level;
use super::handler::Handler;
use super::inbox::{Ask, Request};
use super::message::Message;
use super::reply::{pair, Answer, Answerer, Claim};
use super::service::Task;
use super::status::{Error, Result, Status};
use super::sync::{Arc, Ordering};
use super::timer::Delta;
use super::value::{Kind, Value};
use std::time::Instant;

/// How many requests may wait for their reply callbacks at once.
const MOST_CALLBACKS: usize = 65_536;

impl Handler {
    /// Sends a request and waits for its answer until the deadline.
    pub(crate) fn ask(&self, ask: Ask, message: Message, deadline: Option<Instant>) -> Answer {
        if self.would_wait_for_itself() {
            let text = "this thread would wait for itself: use park_ask_later";
            return Err(Error::new(Status::WrongThread, text));
        }
        let (answerer, awaiter) = pair();
        self.submit(ask, message, answerer);
        awaiter.wait(deadline)
    }

    /// Sends a request whose answer goes to `call`, on the service thread. By the claim it can be withdrawn.
    pub(crate) fn ask_later(
        self: &Arc<Self>,
        ask: Ask,
        message: Message,
        call: Box<dyn FnOnce(Answer) + Send>,
    ) -> Result<Claim> {
        // Relaxed: a count by itself.
        if self.awaiting_callbacks.fetch_add(1, Ordering::Relaxed) >= MOST_CALLBACKS {
            self.awaiting_callbacks.fetch_sub(1, Ordering::Relaxed);
            return Err(Error::new(Status::Full, format!("{MOST_CALLBACKS} requests are waiting for their replies")));
        }
        let handler = self.clone();
        let claim = Claim::new();
        let answerer = Answerer::calling(claim.clone(), move |answer| {
            let waiting = handler.awaiting_callbacks.clone();
            handler.service.send(Task::Call(Box::new(move || {
                waiting.fetch_sub(1, Ordering::Relaxed);
                call(answer);
            })));
        });
        self.submit(ask, message, answerer);
        Ok(claim)
    }

    fn submit(&self, ask: Ask, message: Message, answerer: Answerer) {
        let request = match self.prepare(ask, message) {
            Ok(Prepared::Answered(reply)) => return answerer.answer(Ok(reply)),
            Ok(Prepared::Waits { message, undo }) => Request { ask, message, answerer, undo },
            Err(error) => return answerer.answer(Err(error)),
        };
        if ask == Ask::Message && self.on_signal.lock().contains_key(&request.message.name) {
            return self.service.send(Task::Message(request));
        }
        self.delay(request);
    }

    /// Leaves a request to the next ready point.
    fn delay(&self, request: Request) {
        self.inbox.push(request, &self.attention());
    }

    /// What can be done or refused at once.
    fn prepare(&self, ask: Ask, mut message: Message) -> Result<Prepared> {
        let mut undo = Vec::new();
        match ask {
            Ask::Set => {
                let (deltas, rest): (Vec<_>, Vec<_>) =
                    message.values.into_iter().partition(|(key, _)| Delta::from_name(key).is_some());
                message.values = rest;
                let deltas = deltas.iter().map(|(key, value)| check_delta(key, value)).collect::<Result<Vec<_>>>()?;
                if deltas.is_empty() && message.values.is_empty() {
                    return Err(Error::argument("message: a set request without a value"));
                }
                self.variables.accept(&message)?;
                if !message.values.is_empty() && has_ended(self.attention().control()) {
                    return Err(Error::new(Status::Expired, "the job has ended"));
                }
                for (delta, seconds) in deltas {
                    undo.push((delta, self.set_delta(delta, seconds)?));
                }
                if message.values.is_empty() {
                    return Ok(Prepared::Answered(Message::default()));
                }
            }
            Ask::Get if is_only_deltas(&message) => {
                let values = message.values.into_iter();
                let values = values.map(|(key, _)| (key.clone(), self.delta_value(&key).unwrap_or(Value::Key)));
                return Ok(Prepared::Answered(Message { name: String::new(), values: values.collect() }));
            }
            Ask::Invoke | Ask::Message if message.name.is_empty() => {
                return Err(Error::argument("message: it has no name"));
            }
            _ => {}
        }
        Ok(Prepared::Waits { message, undo })
    }

    /// A message with an asynchronous handler. Service thread.
    pub(super) fn handle_signal(&self, request: Request) {
        if !request.answerer.begin() {
            return;
        }
        let handle = self.on_signal.lock().get(&request.message.name).cloned();
        // It may have been taken away in between.
        let Some(handle) = handle else { return self.delay(request) };
        let mut reply = Message::default();
        match handle(&request.message, &mut reply) {
            code if code == Status::Delay as i32 => self.delay(request),
            code => request.answerer.answer(answer_of(code, reply, &request.message.name)),
        }
    }

    /// Serves one request at a ready point. Computation thread.
    pub(super) fn serve_request(&self, request: Request) {
        let Request { ask, message, answerer, undo } = request;
        match ask {
            Ask::Signal(Signal::Checkpoint) => self.save_for(answerer),
            Ask::Signal(signal @ (Signal::Pause | Signal::Resume)) => {
                self.attention().signal(signal);
                self.run.lock().await_turn.push(answerer);
            }
            Ask::Signal(signal) => answerer.answer(self.signal(signal).map(|()| Message::default())),
            Ask::Set => answerer.answer(self.set(&message).inspect_err(|_| {
                for &(delta, seconds) in undo.iter().rev() {
                    // It was valid before.
                    let _ = self.set_delta(delta, seconds);
                }
            })),
            Ask::Get => answerer.answer(self.get(&message)),
            Ask::Invoke => {
                let method = self.methods.lock().get(&message.name).cloned();
                answerer.answer(match method {
                    Some(method) => self.call(method, &message),
                    None => Err(Error::new(Status::Unknown, format!("'{}': no such method", message.name))),
                });
            }
            Ask::Message => {
                let handle = self.on_ready.lock().get(&message.name).cloned();
                answerer.answer(match handle {
                    Some(handle) => self.call(handle, &message),
                    None => {
                        let text = format!("'{}': no handler for this message", message.name);
                        self.log(Level::Warning, text.clone());
                        Err(Error::new(Status::Unknown, text))
                    }
                });
            }
        }
    }

    fn call(&self, function: super::variable::MessageFn, message: &Message) -> Answer {
        let mut reply = Message::default();
        let code = self.calling(|| function(message, &mut reply));
        answer_of(code, reply, &message.name)
    }

    /// All of the values, or none.
    pub(super) fn set(&self, message: &Message) -> Answer {
        let (accepted, checks) = self.variables.accept(message)?;
        for check in checks {
            self.call(check, &accepted)?;
        }
        self.variables.write(&accepted)?;
        Ok(Message::default())
    }

    fn get(&self, message: &Message) -> Answer {
        let (deltas, names): (Vec<_>, Vec<_>) =
            message.values.iter().cloned().partition(|(key, _)| Delta::from_name(key).is_some());
        let mut reply = Message::default();
        if deltas.is_empty() || !names.is_empty() {
            self.variables.read(&Message { name: String::new(), values: names }, &mut reply)?;
        }
        let all = message.values.is_empty();
        for delta in Delta::ALL {
            if all || deltas.iter().any(|(key, _)| key == delta.name()) {
                reply.put(delta.name(), Value::F64(self.delta(delta)));
            }
        }
        Ok(reply)
    }
}

enum Prepared {
    Answered(Message),
    Waits { message: Message, undo: Vec<(Delta, f64)> },
}

fn is_only_deltas(message: &Message) -> bool {
    !message.values.is_empty() && message.values.iter().all(|(key, _)| Delta::from_name(key).is_some())
}

fn check_delta(key: &str, value: &Value) -> Result<(Delta, f64)> {
    let unknown = || Error::new(Status::Unknown, format!("'{key}': no such delta"));
    let delta = Delta::from_name(key).ok_or_else(unknown)?;
    match value.to_kind(Kind::F64) {
        Some(Value::F64(seconds)) => delta.check(seconds).map(|()| (delta, seconds)),
        _ => Err(Error::new(
            Status::WrongType,
            format!("'{key}': it is a number of seconds, not {}", value.kind().name()),
        )),
    }
}

/// What a callback's return value means for the one who asked.
fn answer_of(code: i32, reply: Message, name: &str) -> Answer {
    if code == 0 {
        return Ok(reply);
    }
    let text = match reply.reason() {
        Some(reason) => format!("'{name}': {reason}"),
        None => format!("'{name}': refused with {code}"),
    };
    Err(Error::new(Status::Refused, text))
}
