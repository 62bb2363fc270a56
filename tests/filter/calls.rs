//! System calls by name.

use std::fmt;

use crate::docker;

/// A system call with its arguments; only those by which a filter decides tell two calls apart.
#[derive(Clone)]
pub struct Call {
    pub number: u32,
    pub arguments: [u64; 6],
}

impl Call {
    pub fn new(number: libc::c_long, arguments: [u64; 6]) -> Self {
        Self { number: u32::try_from(number).expect("call numbers are small and positive"), arguments }
    }

    /// The arguments by which it is decided whether the call is allowed, each with its position.
    pub fn deciding(&self) -> Vec<(usize, u64)> {
        let positions: &[usize] = match libc::c_long::from(self.number) {
            libc::SYS_clone | libc::SYS_prctl | libc::SYS_prlimit64 | libc::SYS_setpriority => &[0],
            libc::SYS_personality => &[0],
            libc::SYS_fcntl | libc::SYS_ioctl => &[1],
            libc::SYS_socket | libc::SYS_socketpair => &[0, 1],
            libc::SYS_getsockopt | libc::SYS_setsockopt => &[1, 2],
            libc::SYS_mmap | libc::SYS_fadvise64 => &[3],
            libc::SYS_sendto => &[3, 4],
            #[cfg(target_arch = "x86_64")]
            libc::SYS_arch_prctl => &[0],
            _ => &[],
        };
        positions.iter().map(|position| (*position, self.arguments[*position])).collect()
    }
}

impl From<&libc::seccomp_data> for Call {
    fn from(data: &libc::seccomp_data) -> Self {
        Self { number: data.nr.cast_unsigned(), arguments: data.args }
    }
}

impl PartialEq for Call {
    fn eq(&self, other: &Self) -> bool {
        (self.number, self.deciding()) == (other.number, other.deciding())
    }
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match docker::name(self.number) {
            Some(name) => f.write_str(name)?,
            None => write!(f, "call {}", self.number)?,
        }
        for (position, value) in self.deciding() {
            write!(f, " argument {position}={value:#x}")?;
        }
        Ok(())
    }
}
