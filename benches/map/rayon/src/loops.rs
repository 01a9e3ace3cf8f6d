//! rayon's parallel iterator over indices.

use crate::Task;
use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};
use std::ffi::c_int;
use std::sync::OnceLock;

static POOL: OnceLock<ThreadPool> = OnceLock::new();

fn pool(builder: ThreadPoolBuilder, threads: i64) {
    let pool = builder.num_threads(threads as usize).build().expect("rayon's pool");
    assert!(POOL.set(pool).is_ok(), "one contestant a process");
}

fn each(task: &Task) -> c_int {
    let task = *task;
    (0..task.n).into_par_iter().for_each(move |index| {
        let task = &task;
        task.run(index);
    });
    0
}

#[no_mangle]
pub extern "C" fn rayon_begin_outside(threads: i64) {
    pool(ThreadPoolBuilder::new(), threads);
}

#[no_mangle]
pub extern "C" fn rayon_begin_inside(threads: i64) {
    pool(ThreadPoolBuilder::new().use_current_thread(), threads);
}

#[no_mangle]
pub unsafe extern "C" fn rayon_for_outside(task: *const Task) -> c_int {
    // SAFETY: the bench's own task.
    let task = unsafe { &*task };
    POOL.get().expect("begun").install(|| each(task))
}

#[no_mangle]
pub unsafe extern "C" fn rayon_for_inside(task: *const Task) -> c_int {
    // SAFETY: as above. The thread that calls is of the pool.
    each(unsafe { &*task })
}
