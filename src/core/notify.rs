//! The service manager: systemd, or whoever has set NOTIFY_SOCKET, is told how the job is (`sd_notify`'s protocol).
//!
//! READY when a run begins, STATUS with the progress, STOPPING when a run ends because it was asked to, and WATCHDOG as
//! long as the loop comes by its ready points. The manager knows one process, so one job speaks: the first that is made.
//! Nothing here waits: what the manager has no room for is left out.

use super::event::{Event, Kind, Level};
use super::handler::Handler;
use super::status::{Error, Result, Status};
use super::sync::{Arc, AtomicBool, Mutex, Ordering};
use std::ffi::OsStr;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::{Duration, Instant};

/// The least time between two statuses for the same reason: people read them.
const REST: Duration = Duration::from_secs(1);
/// A sign of life is due every so often within the manager's time.
const SIGNS: u32 = 8;
const LEAST_PERIOD: Duration = Duration::from_millis(1);

pub(crate) struct Notifier {
    socket: UnixDatagram,
    to: SocketAddr,
    /// How often a sign of life is due, if the manager wants any.
    pub(crate) period: Option<Duration>,
    progress_told: Mutex<Option<Instant>>,
    _speaks: Speaks,
}

/// There is one in a process.
struct Speaks;
static SPEAKS: AtomicBool = AtomicBool::new(false);

impl Speaks {
    fn claim() -> Option<Speaks> {
        // Relaxed: nothing hangs on it but who it is.
        (!SPEAKS.swap(true, Ordering::Relaxed)).then_some(Speaks)
    }
}

impl Drop for Speaks {
    fn drop(&mut self) {
        SPEAKS.store(false, Ordering::Relaxed);
    }
}

/// Lets a new handler tell the service manager, if there is one that wants to know.
pub(crate) fn open(handler: &Handler) {
    let Some(name) = std::env::var_os("NOTIFY_SOCKET").filter(|name| !name.is_empty()) else { return };
    let Some(speaks) = Speaks::claim() else { return };
    match Notifier::new(&name, speaks) {
        Ok(notifier) => handler.tell_manager(Arc::new(notifier)),
        Err(error) => handler.log(Level::Warning, error.text),
    }
}

impl Notifier {
    fn new(name: &OsStr, speaks: Speaks) -> Result<Notifier> {
        let fault = |error: std::io::Error| {
            Error::new(Status::System, format!("NOTIFY_SOCKET: '{}': {error}", name.to_string_lossy()))
        };
        let to = match name.as_bytes() {
            [b'@', rest @ ..] => SocketAddr::from_abstract_name(rest).map_err(fault)?,
            [b'/', ..] => SocketAddr::from_pathname(name).map_err(fault)?,
            _ => return Err(fault(std::io::Error::other("neither a path nor an abstract socket"))),
        };
        let socket = UnixDatagram::unbound().map_err(fault)?;
        socket.set_nonblocking(true).map_err(fault)?;
        Ok(Notifier { socket, to, period: watchdog_period(), progress_told: Mutex::new(None), _speaks: speaks })
    }

    fn send(&self, text: &str) {
        // A manager that is gone, or busy, is no concern of the job's.
        let _ = self.socket.send_to_addr(text.as_bytes(), &self.to);
    }

    /// The job lives.
    pub(crate) fn sign_of_life(&self) {
        self.send("WATCHDOG=1");
    }

    fn tell(&self, job: &str, event: &Event) {
        let (state, text) = match event.kind {
            Kind::Start => ("READY=1\n", "running".to_owned()),
            Kind::Paused => ("", "paused".to_owned()),
            Kind::Progress | Kind::Resumed => ("", event.progress_text()),
            Kind::Complete => ("", "complete".to_owned()),
            Kind::Abort => ("STOPPING=1\n", event.text.clone()),
            _ => ("", format!("failed: {}", event.text)),
        };
        if event.kind == Kind::Progress {
            let mut told = self.progress_told.lock();
            if told.is_some_and(|at| at.elapsed() < REST) {
                return;
            }
            *told = Some(Instant::now());
        }
        let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        self.send(&format!("{state}STATUS={job}: {text}"));
    }
}

/// How often a sign of life is due: the manager's time is in WATCHDOG_USEC, and for this process unless WATCHDOG_PID is
/// another's.
fn watchdog_period() -> Option<Duration> {
    let number = |name: &str| std::env::var(name).ok()?.parse::<u64>().ok();
    let meant = std::env::var_os("WATCHDOG_PID").is_none() || number("WATCHDOG_PID") == Some(std::process::id().into());
    let time = number("WATCHDOG_USEC").filter(|&time| meant && time > 0)?;
    Some((Duration::from_micros(time) / SIGNS).max(LEAST_PERIOD))
}

impl Handler {
    fn tell_manager(&self, notifier: Arc<Notifier>) {
        let name = self.name().replace(char::is_control, " ");
        let kinds =
            [Kind::Start, Kind::Progress, Kind::Paused, Kind::Resumed, Kind::Complete, Kind::Abort, Kind::Error];
        let mask = kinds.into_iter().fold(0, |mask, kind| mask | kind as i32);
        if let Some(period) = notifier.period {
            self.pulse.set_period(period);
        }
        let _ = self.notifier.set(notifier.clone());
        let tell = move |event: Event| {
            notifier.tell(&name, &event);
            0
        };
        // It can fail only while the handler is freed.
        let _ = self.subscribe_callback(mask, true, Box::new(tell));
        self.service.ring();
    }
}
