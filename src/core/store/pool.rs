//! The threads that transfer and checksum: a private pool of rayon's, whose threads are joined.
//!
//! Pieces are claimed in their order, so that the medium sees one stream.

use crate::core::status::{Error, Result, Status};
use crate::core::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::Arc;
use std::thread::JoinHandle;

/// One transfer under way, the next one waiting, and one thread that computes. More do not make a disk faster.
const THREADS: usize = 3;

pub(crate) struct Pool {
    /// `None` only while it is dropped.
    threads: Option<rayon::ThreadPool>,
    handles: Arc<Mutex<Vec<JoinHandle<()>>>>,
}

impl Pool {
    /// Its threads take no asynchronous signal: SIGXFSZ neither, so that a file that may not grow is an error.
    pub(crate) fn new() -> Result<Pool> {
        let handles = Arc::new(Mutex::new(Vec::new()));
        let kept = handles.clone();
        let built = rayon::ThreadPoolBuilder::new()
            .num_threads(THREADS)
            .spawn_handler(move |thread| {
                let builder = std::thread::Builder::new().name(format!("park-disk-{}", thread.index()));
                let handle = crate::sys::with_signals_blocked(|| {
                    builder.spawn(move || {
                        let _uncancelled = crate::sys::CancelDisabled::new();
                        thread.run();
                    })
                })?;
                kept.lock().push(handle);
                Ok(())
            })
            .build();
        let told =
            |error| Error::new(Status::System, format!("the threads for checkpoints could not be started: {error}"));
        Ok(Pool { threads: Some(built.map_err(told)?), handles })
    }

    /// Runs it on one of the threads, while this one waits.
    pub(crate) fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        self.threads.as_ref().expect("it is not being dropped").install(work)
    }

    /// Does `work` for each index below `count`, shared among the threads. Each makes itself what it works with. Nothing
    /// is begun after an error, or once `stop` is set; the first error is returned.
    pub(crate) fn each<W, E: Send>(
        &self,
        count: usize,
        stop: &AtomicBool,
        make: impl Fn() -> std::result::Result<W, E> + Sync,
        work: impl Fn(&mut W, usize) -> std::result::Result<(), E> + Sync,
    ) -> std::result::Result<(), E> {
        if count <= 1 {
            // Not worth a thread's waking up.
            let mut own = make()?;
            return (0..count).try_for_each(|index| work(&mut own, index));
        }
        let next = AtomicUsize::new(0);
        let failed = AtomicBool::new(false);
        let take_part = || {
            let mut own = make()?;
            // Relaxed, all three: the pool orders what the threads did before this function returns.
            while !failed.load(Ordering::Relaxed) && !stop.load(Ordering::Relaxed) {
                let index = next.fetch_add(1, Ordering::Relaxed);
                if index >= count {
                    break;
                }
                work(&mut own, index)?;
            }
            Ok(())
        };
        let ends = self.threads.as_ref().expect("it is not being dropped").broadcast(|_| {
            let end = take_part();
            failed.fetch_or(end.is_err(), Ordering::Relaxed);
            end
        });
        ends.into_iter().collect()
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        drop(self.threads.take());
        for handle in self.handles.lock().drain(..) {
            // A panic was already passed on to whoever asked for the work.
            let _ = handle.join();
        }
    }
}
