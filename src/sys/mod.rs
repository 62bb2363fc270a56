//! The system calls that no crate offers in safe form, one wrapper each. With the embedding of Python in
//! `zygote::python` this is the only unsafe code of the project.

mod bpf;
mod exec;
mod fd;
mod fork;
mod ipc;
mod landlock;
mod limits;
mod memory;
mod signal;
mod stdio;

pub use bpf::{Instruction, install_filter};
pub use exec::{execute, execute_again};
pub use fd::{close_all_but, close_on_exec, dup_to, has_open_file, inherited, inherited_if_open, watched};
pub use fork::{
    Exit, Rusage, Side, ThreadState, clone_into, cpu_time, ended_child, exit_now, fork, fork_into, unshare, wait,
};
pub use ipc::{ipc_bytes, remove_ipc_objects};
pub use landlock::{landlock_restrict_self, landlock_version};
pub use limits::{
    SchedulingAttributes, have_the_same_memory, max_rss_bytes, read_memory, scheduling_attributes, set_processors,
    set_slice,
};
pub use memory::{Allocator, keep_heap_compact, wipe_from_now_on, wipe_no_more, wipe_stack};
pub use signal::{
    Dispositions, HeldSignals, child_exits, ignore_child_exits, reset_program_signals, reset_signals,
    signal_all_others, unblock_child_exits, wait_for_child_exits,
};
pub use stdio::{flush_c_streams, unbuffer_c_stdout};
