//! The custom runtime of AWS Lambda.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: py_executor::sys::Allocator = py_executor::sys::Allocator;

fn main() -> ExitCode {
    py_executor::process::dispatch().unwrap_or_else(py_executor::lambda::main)
}
