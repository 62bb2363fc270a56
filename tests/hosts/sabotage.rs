//! A sealed script may signal processes of its own user and lower their limits. The worst that comes of it is the end of
//! this environment: the next invocation gets its right answer.

use serde_json::json;

use crate::host::{Host, Service};

/// The script, told whom to attack: the monitor is its parent, others it could find by trying.
const SABOTAGE: &str = "
    import ctypes, os, time

    libc = ctypes.CDLL(None, use_errno=True)

    def main(way, targets):
        for target in targets or [os.getppid()]:
            if way[0] == 'signal':
                libc.kill(target, way[1])
            elif way[0] == 'idle':
                # ioprio_set: the class that has its turn when nobody else wants it.
                number = 251 if os.uname().machine == 'x86_64' else 30
                assert libc.syscall(number, 1, target, 3 << 13) == 0, ctypes.get_errno()
            elif way[0] == 'pinned':
                os.sched_setaffinity(target, {min(os.sched_getaffinity(target))})
            else:
                assert libc.prlimit(target, way[1], (ctypes.c_ulong * 2)(0, 0), None) == 0, ctypes.get_errno()
        time.sleep(0.5)
        return 'still here'
";

const KILL: i32 = 9;
const STOP: i32 = 19;

/// Limits, as the kernel numbers them: processor time, file size, data, stack, processes, open files, address space.
const LIMITS: [i32; 7] = [0, 1, 2, 3, 6, 7, 9];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target {
    Monitor,
    Zygote,
    Service,
    Everybody,
}

impl Target {
    /// The numbers that a script would use.
    fn numbers(self, service: &Service) -> Vec<i32> {
        let all = service.numbers_inside();
        let is_zygote = |command: &str| command.contains("zygote");
        let chosen = |wanted: &dyn Fn(&str) -> bool| {
            all.iter().filter(|(_, command)| wanted(command)).map(|(number, _)| *number).collect()
        };
        match self {
            Self::Monitor => Vec::new(),
            Self::Zygote => chosen(&is_zygote),
            Self::Service => chosen(&|command| command.contains("hidden") && !is_zygote(command)),
            Self::Everybody => vec![-1],
        }
    }
}

/// Two right answers after it: the first may come of what was there already.
async fn is_survived(kind: &str, what: i32, target: Target) {
    // The platform ends an environment that does not answer.
    let service = Host::Lambda.start_with(&[("AWS_LAMBDA_FUNCTION_TIMEOUT", "10")]);
    service.is_well().await;
    let targets = target.numbers(&service);
    let (_, answer) = service.try_execute(SABOTAGE, json!({ "way": [kind, what], "targets": targets })).await;
    println!("{kind} {what} to {target:?} {targets:?}: {answer}");
    for turn in ["first", "second"] {
        let (_, next) = service.try_execute("def main():\n    return 2 + 3", json!({})).await;
        let right = next == r#"{"result":5,"stdout":""}"#;
        assert!(right, "{kind} {what} to {target:?}: {answer}\nthe {turn} after it: {next}\n{}", service.log());
    }
}

#[tokio::test]
async fn a_monitor_that_is_killed_or_stopped_is_survived() {
    is_survived("signal", KILL, Target::Monitor).await;
    is_survived("signal", STOP, Target::Monitor).await;
}

#[tokio::test]
async fn a_zygote_that_is_killed_or_stopped_is_survived() {
    is_survived("signal", KILL, Target::Zygote).await;
    is_survived("signal", STOP, Target::Zygote).await;
}

#[tokio::test]
async fn a_service_that_is_killed_or_stopped_is_survived() {
    is_survived("signal", KILL, Target::Service).await;
    is_survived("signal", STOP, Target::Service).await;
}

#[tokio::test]
async fn a_blow_at_everybody_is_survived() {
    is_survived("signal", KILL, Target::Everybody).await;
    is_survived("signal", STOP, Target::Everybody).await;
}

async fn lowered_limits_are_survived(target: Target) {
    for limit in LIMITS {
        is_survived("limit", limit, target).await;
    }
}

#[tokio::test]
async fn lowered_limits_of_a_monitor_are_survived() {
    lowered_limits_are_survived(Target::Monitor).await;
}

#[tokio::test]
async fn lowered_limits_of_a_zygote_are_survived() {
    lowered_limits_are_survived(Target::Zygote).await;
}

#[tokio::test]
async fn lowered_limits_of_a_service_are_survived() {
    lowered_limits_are_survived(Target::Service).await;
}

/// What changes no answer, but would slow later invocations, and tell them something: the environment ends.
#[tokio::test]
async fn a_changed_priority_ends_the_environment() {
    for way in ["idle", "pinned"] {
        let service = Host::Lambda.start();
        service.is_well().await;
        let targets = Target::Service.numbers(&service);
        let (_, answer) = service.try_execute(SABOTAGE, json!({ "way": [way, 0], "targets": targets })).await;
        assert!(!answer.contains("still here"), "{way}: {answer}\n{}", service.log());
        service.is_well().await;
    }
}
