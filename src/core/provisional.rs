//! PROVISIONAL: workers until the crew is there.
use super::imap::{Crew, Help};
use super::sync::Arc;
use std::sync::{Condvar, Mutex};
pub(crate) struct Threads(Arc<(Mutex<Vec<Arc<dyn Help>>>, Condvar)>);
impl Threads {
    pub(crate) fn new(n: usize) -> Threads {
        let shared = Arc::new((Mutex::new(Vec::<Arc<dyn Help>>::new()), Condvar::new()));
        for _ in 0..n {
            let shared = shared.clone();
            std::thread::spawn(move || loop {
                let mut q = shared.0.lock().unwrap();
                while q.is_empty() {
                    q = shared.1.wait(q).unwrap();
                }
                let w = q.remove(0);
                drop(q);
                w.help();
            });
        }
        Threads(shared)
    }
}
impl Crew for Threads {
    fn call(&self, work: Arc<dyn Help>) {
        self.0 .0.lock().unwrap().push(work);
        self.0 .1.notify_one();
    }
}
