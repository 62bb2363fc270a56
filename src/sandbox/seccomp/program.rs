//! From rules to a BPF program.
//!
//! The program is a binary search over the call numbers, for two reasons: a call costs a dozen instructions instead of
//! hundreds, and the kernel runs the program once for every call number when it is installed, to remember those that
//! are always allowed (Linux 5.11), which with a linear list would cost each worker half a millisecond.

use std::collections::BTreeMap;

use crate::sys::Instruction;

/// What happens to a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rule {
    Allow,
    /// Fails with this errno.
    Refuse(u16),
    /// Allowed if the condition holds, refused with EPERM otherwise.
    When(Condition),
}

/// A condition on one argument, by its number; all 64 bits are compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    OneOf(u8, Vec<u64>),
    /// None of these bits is set.
    NoBits(u8, u64),
    /// Among the bits of the mask, all of the low half, others are set than in the value.
    Unlike {
        argument: u8,
        mask: u64,
        value: u64,
    },
    Both(Box<Condition>, Box<Condition>),
    Either(Box<Condition>, Box<Condition>),
}

/// The highest call number that the table knows: what is above is from a newer kernel than this program.
const LAST_KNOWN: u32 = libc::SYS_mseal as u32;

/// AUDIT_ARCH_X86_64 and AUDIT_ARCH_AARCH64 of linux/audit.h: the ELF machine, with the bits for 64-bit, little-endian.
#[cfg(target_arch = "x86_64")]
const ARCHITECTURE: u32 = 0xc000_003e;
#[cfg(target_arch = "aarch64")]
const ARCHITECTURE: u32 = 0xc000_00b7;

/// Calls with this bit are of the x32 ABI (x86_64 only), which nothing here uses.
const X32_BIT: u32 = 0x4000_0000;

// Offsets in struct seccomp_data (seccomp(2)).
const NUMBER: u32 = 0;
const ARCH: u32 = 4;
const ARGUMENTS: u32 = 16;

const REFUSE: u16 = libc::EPERM as u16;
const UNKNOWN: u16 = libc::ENOSYS as u16;

/// Builds the filter. Calls without a rule are refused with EPERM up to the last known number, and unknown above it.
pub fn compile(rules: &BTreeMap<u32, Rule>) -> Vec<Instruction> {
    let mut program = vec![
        load(ARCH),
        jump(libc::BPF_JEQ, ARCHITECTURE, 1, 0),
        refuse(REFUSE),
        load(NUMBER),
        jump(libc::BPF_JGE, X32_BIT, 0, 1),
        refuse(REFUSE),
    ];
    program.extend(search(&segments(rules)));
    program
}

/// Runs of neighbouring call numbers with the same rule, each by its first number; they cover all numbers.
fn segments(rules: &BTreeMap<u32, Rule>) -> Vec<(u32, Rule)> {
    let mut segments: Vec<(u32, Rule)> = Vec::new();
    let mut push = |first: u32, rule: &Rule| {
        if segments.last().is_none_or(|(_, last)| last != rule) {
            segments.push((first, rule.clone()));
        }
    };
    for number in 0..=LAST_KNOWN {
        push(number, rules.get(&number).unwrap_or(&Rule::Refuse(REFUSE)));
    }
    push(LAST_KNOWN + 1, &Rule::Refuse(UNKNOWN));
    segments
}

fn search(segments: &[(u32, Rule)]) -> Vec<Instruction> {
    let [(_, rule)] = segments else {
        let (low, high) = segments.split_at(segments.len() / 2);
        let (low_code, high_code) = (search(low), search(high));
        // A conditional jump reaches 255 instructions, an unconditional one any number.
        let mut code = match u8::try_from(low_code.len()) {
            Ok(behind) => vec![jump(libc::BPF_JGE, high[0].0, behind, 0)],
            Err(_) => vec![jump(libc::BPF_JGE, high[0].0, 0, 1), skip(low_code.len())],
        };
        code.extend(low_code);
        code.extend(high_code);
        return code;
    };
    match rule {
        Rule::Allow => vec![allow()],
        Rule::Refuse(errno) => vec![refuse(*errno)],
        Rule::When(condition) => {
            let mut code = check(condition);
            code.extend([allow(), refuse(REFUSE)]);
            code
        }
    }
}

/// As [`check`]. Values with the same high half are compared together.
fn one_of(argument: u8, values: &[u64]) -> Vec<Instruction> {
    assert!(!values.is_empty(), "a condition that nothing meets is a refusal");
    let mut groups: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for value in values {
        groups.entry((value >> 32) as u32).or_default().push(*value as u32);
    }
    let mut code = Vec::new();
    // From behind: `code` is what follows a group.
    for (high, lows) in groups.into_iter().rev() {
        let is_last = code.is_empty();
        // What does not match goes on with the next group, or else over the one instruction behind.
        let failed = usize::from(is_last);
        let mut group = vec![
            load(high_half(argument)),
            jump(libc::BPF_JEQ, high, 0, short(1 + lows.len() + failed)),
            load(low_half(argument)),
        ];
        for (index, low) in lows.iter().enumerate() {
            let rest = lows.len() - index - 1;
            let next = if rest == 0 { failed } else { 0 };
            group.push(jump(libc::BPF_JEQ, *low, short(rest + code.len()), short(next)));
        }
        group.extend(code);
        code = group;
    }
    code
}

/// Code that falls through if the condition holds and else jumps over the one instruction behind itself.
fn check(condition: &Condition) -> Vec<Instruction> {
    match condition {
        Condition::OneOf(argument, values) => one_of(*argument, values),
        Condition::NoBits(argument, bits) => vec![
            load(high_half(*argument)),
            jump(libc::BPF_JSET, (bits >> 32) as u32, 3, 0),
            load(low_half(*argument)),
            jump(libc::BPF_JSET, *bits as u32, 1, 0),
        ],
        Condition::Unlike { argument, mask, value } => vec![
            load(low_half(*argument)),
            statement(libc::BPF_ALU | libc::BPF_AND | libc::BPF_K, *mask as u32),
            jump(libc::BPF_JEQ, *value as u32, 1, 0),
        ],
        Condition::Both(first, second) => {
            let mut code = check(first);
            let second = check(second);
            // Holds: jump over the refusal into the second check. Fails: the jump out to what the second fails to.
            code.extend([skip(1), skip(second.len() + 1)]);
            code.extend(second);
            code
        }
        Condition::Either(first, second) => {
            let mut code = check(first);
            let second = check(second);
            // Holds: past the second check. Fails: over that jump, into the second check.
            code.push(skip(second.len()));
            code.extend(second);
            code
        }
    }
}

fn high_half(argument: u8) -> u32 {
    low_half(argument) + 4
}

/// Both architectures are little-endian: the low half comes first.
fn low_half(argument: u8) -> u32 {
    ARGUMENTS + 8 * u32::from(argument)
}

fn short(distance: usize) -> u8 {
    u8::try_from(distance).expect("no list of values is longer than 60")
}

fn load(offset: u32) -> Instruction {
    statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, offset)
}

fn allow() -> Instruction {
    statement(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ALLOW)
}

fn refuse(errno: u16) -> Instruction {
    statement(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ERRNO | u32::from(errno))
}

fn skip(instructions: usize) -> Instruction {
    statement(libc::BPF_JMP | libc::BPF_JA, u32::try_from(instructions).expect("programs are short"))
}

fn statement(code: u32, k: u32) -> Instruction {
    Instruction { code: code as u16, jt: 0, jf: 0, k }
}

fn jump(test: u32, k: u32, if_true: u8, if_false: u8) -> Instruction {
    Instruction { code: (libc::BPF_JMP | test | libc::BPF_K) as u16, jt: if_true, jf: if_false, k }
}

#[cfg(test)]
mod interpreter;
#[cfg(test)]
mod tests;
