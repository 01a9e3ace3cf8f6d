//! The service thread: takes messages, keeps time, serves clients. It never touches the user's memory, and runs
//! user code only where the user asked for it.

use super::attention::{is_halted, is_running, CHECKPOINT_TIME, LOOK, PROGRESS};
use super::client::Place;
use super::handler::Handler;
use super::inbox::Request;
use super::mailbox::{Mailbox, Rest};
use super::status::{Error, Result, Status};
use super::sync::{Arc, AtomicU64, Mutex, Ordering};
use super::timer::Delta;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Callbacks of the user's may run on it.
const STACK_BYTES: usize = 8 << 20;

/// However long a checkpoint has to wait, it is looked at again after this.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// What the service thread is asked to do.
pub(crate) enum Task {
    /// Hand a message to the handler that `park_on_signal` registered.
    Message(Request),
    /// Run a reply's callback.
    Call(Box<dyn FnOnce() + Send>),
}

/// The mailbox and the thread that empties it.
pub(crate) struct Service {
    mailbox: Mailbox<Task>,
    thread: Mutex<Option<JoinHandle<()>>>,
    thread_number: AtomicU64,
}

impl Service {
    pub(crate) fn new() -> Service {
        Service { mailbox: Mailbox::new(), thread: Mutex::new(None), thread_number: AtomicU64::new(0) }
    }

    pub(crate) fn send(&self, task: Task) {
        match self.mailbox.send(task) {
            None => {}
            // The handler is freed at this moment: the reply comes all the same, on this thread.
            Some(Task::Call(call)) => call(),
            // Dropped, a request is answered: expired.
            Some(Task::Message(request)) => drop(request),
        }
    }

    /// Tells the thread that there are events to deliver or that a timer has changed.
    pub(crate) fn ring(&self) {
        self.mailbox.ring();
    }

    pub(crate) fn is_this_thread(&self) -> bool {
        // Relaxed: a thread always sees its own store.
        self.thread_number.load(Ordering::Relaxed) == crate::sys::thread_number()
    }

    /// Starts the thread of a handler. It takes no asynchronous signal.
    pub(crate) fn start(handler: &Arc<Handler>) -> Result<()> {
        let served = handler.clone();
        let started = crate::sys::with_signals_blocked(|| {
            std::thread::Builder::new().name("park-service".into()).stack_size(STACK_BYTES).spawn(move || {
                let _uncancelled = crate::sys::CancelDisabled::new();
                crate::sys::sleep_precisely();
                served.service.thread_number.store(crate::sys::thread_number(), Ordering::Relaxed);
                served.serve();
            })
        });
        let thread = started
            .map_err(|error| Error::new(Status::System, format!("the service thread could not be started: {error}")))?;
        *handler.service.thread.lock() = Some(thread);
        Ok(())
    }

    /// Lets the thread finish what it has, and waits for its end.
    pub(crate) fn stop(&self) {
        self.mailbox.close();
        let thread = self.thread.lock().take();
        if let Some(thread) = thread {
            // It catches panics itself; there is nothing to learn from the result.
            let _ = thread.join();
        }
    }
}

impl Handler {
    fn serve(self: Arc<Self>) {
        let look = || {
            let mut delivered = 0;
            self.survive(|| delivered = self.deliver(|place| matches!(place, Place::Service(_))));
            match self.keep_time() {
                _ if delivered > 0 => Rest::Linger,
                deadline => Rest::Until(deadline),
            }
        };
        self.service.mailbox.serve(look, |task| self.survive(|| self.perform(task)));
    }

    /// A panic in a task must not take the thread with it: everybody else still needs it.
    fn survive(&self, work: impl FnOnce()) {
        if std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).is_err() {
            self.note_error("the service thread met a panic: please report it");
        }
    }

    fn perform(&self, task: Task) {
        match task {
            Task::Call(call) => call(),
            Task::Message(request) => self.handle_signal(request),
        }
    }

    /// Delivers the events of callback clients, in order, on the thread that it is called on. Returns how many.
    pub(crate) fn deliver(&self, here: fn(&Place) -> bool) -> usize {
        let mut delivered = 0;
        for client in self.hub.clients(here) {
            let (Place::Computation(call) | Place::Service(call)) = &client.place else { continue };
            let cut_off = client.take_all(|event| {
                delivered += 1;
                if !client.is_removed() && call(event) != 0 {
                    self.stop_from_callback();
                }
            });
            if cut_off && !client.is_removed() {
                call(self.cut_off_event());
                drop(self.hub.remove(client.id));
            }
        }
        delivered
    }

    /// Raises what is due; returns when to look again.
    fn keep_time(&self) -> Option<Instant> {
        let now = Instant::now();
        let mut next: Option<Instant> = None;
        let mut look_again = |at: Instant| next = Some(next.map_or(at, |before| before.min(at)));
        if self.hub.best_waits() {
            if self.timers.is_due(Delta::Improved) {
                self.flush_improved();
            } else {
                self.timers.due(Delta::Improved).into_iter().for_each(&mut look_again);
            }
        }
        self.keep_deadline().into_iter().for_each(&mut look_again);
        let control = self.attention().control();
        if is_running(control) {
            for (delta, bit) in [(Delta::Progress, PROGRESS), (Delta::Checkpoint, CHECKPOINT_TIME)] {
                // A delta of 0 is a level of the control word and needs no clock.
                if self.timers.seconds(delta) == 0.0 {
                    continue;
                }
                match self.timers.due(delta).map(|due| self.not_before(delta, due)) {
                    Some(due) if due <= now => {
                        self.timers.start(delta);
                        // While it is halted there is nothing new to save.
                        let news = if bit == PROGRESS {
                            // With a deadline, how long an iteration takes is news.
                            self.progress_has_changed() || self.deadline.lock().is_set()
                        } else {
                            !is_halted(control)
                        };
                        if news {
                            if bit == PROGRESS && !is_halted(control) {
                                self.deadline.lock().raise();
                            }
                            self.attention().raise(bit);
                        }
                        self.timers.due(delta).into_iter().for_each(&mut look_again);
                    }
                    Some(due) => look_again(due),
                    None => {}
                }
            }
        }
        self.feel_the_pulse(control).into_iter().for_each(&mut look_again);
        next
    }

    /// Leaves a mark for the loop while somebody wants to know whether it still comes by, and tells the service manager
    /// that it does; returns when to look again.
    fn feel_the_pulse(&self, control: u32) -> Option<Instant> {
        let manager = self.notifier.get().filter(|manager| manager.period.is_some());
        // Whoever is not in a run, or halted in it, misses no ready point.
        let computes = is_running(control) && !is_halted(control);
        if manager.is_none() && !(self.pulse.is_wanted() && computes) {
            return None;
        }
        let (due, next) = self.pulse.is_due();
        if due {
            if let Some(manager) = manager.filter(|_| !computes || !self.pulse.is_marked()) {
                manager.sign_of_life();
            }
            if computes && self.pulse.leave_mark() {
                self.attention().raise(LOOK);
            }
        }
        Some(next)
    }

    /// A checkpoint that is due may have to wait for its share of the time.
    fn not_before(&self, delta: Delta, due: Instant) -> Instant {
        if delta != Delta::Checkpoint {
            return due;
        }
        let wait = self.wait_with_saving();
        if wait.is_zero() {
            return due;
        }
        // Further away than the clock can tell: looked at again some time.
        due.max(Instant::now() + wait.min(LONGEST_WAIT))
    }
}
