//! Seccomp filters from tables of refused calls.

use std::collections::BTreeMap;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule, TargetArch,
};

use crate::calls::{Call, Refusals, When};
use crate::failure::{Attempt, Failure};
use crate::sys;

/// The action of a filter that leaves a call alone (seccomp(2)).
const ALLOW: u32 = 0x7fff_0000;

/// Installs one filter for each table. The kernel takes the strictest of all answers.
pub fn install(tables: &[Refusals]) -> Result<(), Failure> {
    let programs: Vec<BpfProgram> = tables.iter().map(compile).collect::<Result<_, _>>()?;
    for program in programs {
        sys::install_filter(&program).attempt("seccomp")?;
    }
    Ok(())
}

fn compile(table: &Refusals) -> Result<BpfProgram, Failure> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = BTreeMap::new();
    for call in table.calls {
        rules.insert(call.number, conditions(call).attempt("a rule of the filter")?);
    }
    let arch = TargetArch::try_from(std::env::consts::ARCH).attempt("this machine")?;
    let filter =
        SeccompFilter::new(rules, SeccompAction::Allow, SeccompAction::Errno(table.answer.unsigned_abs()), arch);
    let mut program = filter.and_then(BpfProgram::try_from).attempt("the filter")?;
    spare_other_architectures(&mut program);
    Ok(program)
}

/// The rules of which one must hold for the call to be refused; none: it always is.
fn conditions(call: &Call) -> Result<Vec<SeccompRule>, seccompiler::BackendError> {
    let argument = |operator, value| SeccompCondition::new(0, SeccompCmpArgLen::Qword, operator, value);
    match call.when {
        When::Always => Ok(Vec::new()),
        When::Is(value) => Ok(vec![SeccompRule::new(vec![argument(SeccompCmpOp::Eq, value)?])?]),
        When::Given(number) => {
            let pointer = SeccompCondition::new(number, SeccompCmpArgLen::Qword, SeccompCmpOp::Ne, 0)?;
            Ok(vec![SeccompRule::new(vec![pointer])?])
        }
        When::Limits(resource) => {
            let resource = SeccompCondition::new(1, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, resource)?;
            let limit = SeccompCondition::new(2, SeccompCmpArgLen::Qword, SeccompCmpOp::Ne, 0)?;
            Ok(vec![SeccompRule::new(vec![resource, limit])?])
        }
        When::AnyOf(flags) => {
            flags.iter().map(|&flag| SeccompRule::new(vec![argument(SeccompCmpOp::MaskedEq(flag), flag)?])).collect()
        }
        When::NoneOf(values) => {
            let all: Result<Vec<_>, _> = values.iter().map(|&value| argument(SeccompCmpOp::Ne, value)).collect();
            Ok(vec![SeccompRule::new(all?)?])
        }
    }
}

/// The compiler's programs kill at calls of a foreign architecture, which neither of the hosts does. Whether those harm
/// is up to what the hosts are tested with.
fn spare_other_architectures(program: &mut BpfProgram) {
    const RETURN: u16 = 0x06;
    let [_load, _compare, foreign, ..] = program.as_mut_slice() else {
        panic!("a filter begins with its architecture")
    };
    assert!(foreign.code == RETURN && foreign.k != ALLOW, "a filter begins with its architecture");
    foreign.k = ALLOW;
}
