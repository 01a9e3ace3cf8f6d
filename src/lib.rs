//! park turns a long-running C, C++ or Fortran loop into a job that people can watch, pause, steer,
//! checkpoint, resume and abort.
//!
//! The house, from the ground up; a floor uses only the floors below it:
//!
//! - [`sys`]: the platform. Futexes, event descriptors, signal masks, fork. Linux today.
//! - [`core`]: park itself, in safe Rust that knows no C type.
//! - [`ffi`]: what C sees. Convert, call core, convert back.

#[cfg(not(model))]
mod sys;

mod core;

#[cfg(not(model))]
mod ffi;
