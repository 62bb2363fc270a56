//! The service behind a port, as Cloud Run wants it.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: py_executor::sys::Allocator = py_executor::sys::Allocator;

fn main() -> ExitCode {
    py_executor::process::dispatch().unwrap_or_else(py_executor::server::main)
}
