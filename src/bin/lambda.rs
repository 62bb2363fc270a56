//! The custom runtime of AWS Lambda.

use std::process::ExitCode;

fn main() -> ExitCode {
    py_executor::zygote::dispatch().unwrap_or_else(py_executor::lambda::main)
}
