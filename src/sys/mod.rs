//! The system calls that no crate offers in safe form, one wrapper each. With the embedding of Python in
//! `zygote::python` this is the only unsafe code of the project.

mod bpf;
mod exec;
mod fd;
mod fork;
mod signal;
mod stdio;

pub use bpf::{Instruction, install_filter};
pub use exec::execute;
pub use fd::{close_all_but, inherited, watched};
pub use fork::{Clone, Exit, Rusage, Side, clone_into, exit_now, fork, unshare, wait};
pub use signal::{ignore_child_exits, reset_fault_signals, reset_signals, wait_for_child_exits};
pub use stdio::{flush_c_streams, unbuffer_c_stdout};
