//! Runs untrusted Python scripts for its callers: always isolated, and faster than Python starts.
//!
//! The path of a request, which is also the order of the modules:
//!
//! 1. [`config`] is read, once, and [`access::keys`], whenever they change; [`sandbox::privileges`] are given up;
//!    [`telemetry`] starts, and [`app`] puts the parts together.
//! 2. A front door, [`server`] or [`lambda`], takes a request and hands it to the one Router of [`http`].
//! 3. [`job`] turns its bytes into a `Job`, or says what is wrong with them.
//! 4. [`executor`] takes a parked worker, sends it the job, and watches: time, output, the worker's monitor.
//! 5. The worker was forked by a zygote of [`process`], a warm Python, and locked in by [`sandbox`] before it met the job.
//!    They talk in the frames of [`ipc`].
//! 6. What happened is an [`outcome::Outcome`], which [`http`] turns into the response.
//!
//! [`sys`] has the system calls that no crate wraps.

#![deny(unsafe_code)]

pub mod access;
pub mod app;
pub mod config;
pub mod telemetry;

pub mod lambda;
pub mod server;

pub mod http;
pub mod job;

pub mod executor;
pub mod ipc;
pub mod outcome;
#[allow(unsafe_code, reason = "embeds Python, and forks")]
pub mod process;

pub mod sandbox;
#[allow(unsafe_code, reason = "its purpose")]
pub mod sys;
