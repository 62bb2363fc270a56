//! Runs a filter as the kernel would, for tests.

use libc::sock_filter;

/// What the program answers to a call.
pub fn run(program: &[sock_filter], arch: u32, number: u32, arguments: [u64; 6]) -> u32 {
    let word = |offset: u32| match offset {
        0 => number,
        4 => arch,
        16.. => {
            let argument = arguments[(offset as usize - 16) / 8];
            if offset.is_multiple_of(8) { argument as u32 } else { (argument >> 32) as u32 }
        }
        _ => 0,
    };
    let (mut at, mut accumulator) = (0, 0);
    loop {
        let sock_filter { code, jt, jf, k } = program[at];
        let (class, operation) = (u32::from(code) & 7, u32::from(code) & 0xf0);
        at += 1;
        match class {
            libc::BPF_LD => accumulator = word(k),
            libc::BPF_RET => return k,
            libc::BPF_ALU => accumulator &= k,
            _ if operation == libc::BPF_JA => at += k as usize,
            _ => {
                let holds = match operation {
                    libc::BPF_JEQ => accumulator == k,
                    libc::BPF_JGE => accumulator >= k,
                    libc::BPF_JSET => accumulator & k != 0,
                    other => panic!("unexpected operation {other}"),
                };
                at += usize::from(if holds { jt } else { jf });
            }
        }
    }
}
