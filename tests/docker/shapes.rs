//! The shapes of containers.

use serde_json::{Value, json};

use super::daemon::{Container, Docker};
use crate::run_suite;
use crate::suite::{Credentials, Target};

/// How a script is kept in there: by namespaces, or without them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum By {
    Namespaces,
    Landlock,
}

/// A shape that serves.
struct Shape {
    name: &'static str,
    /// Options of `docker run`, separated by blanks.
    options: &'static str,
    by: By,
    /// Settings that the service has had to change.
    adjusted: &'static [&'static str],
}

const fn shape(name: &'static str, options: &'static str, by: By, adjusted: &'static [&'static str]) -> Shape {
    Shape { name, options, by, adjusted }
}

#[rustfmt::skip]
const SHAPES: [Shape; 16] = [
    shape("as it is", "", By::Landlock, &[]),
    shape("root", "--user 0", By::Landlock, &[]),
    shape("read-only with a tmpfs", "--read-only --tmpfs /tmp", By::Landlock, &[]),
    shape("hardened", "--read-only --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges --memory 1g --pids-limit 300",
        By::Landlock, &[]),
    // What Kubernetes gives a pod without a security context, and one with the usual hardening but no seccomp profile.
    shape("pod", "--user 0 --security-opt seccomp=unconfined", By::Landlock, &[]),
    shape("hardened pod", "--security-opt seccomp=unconfined --cap-drop ALL --security-opt no-new-privileges", By::Landlock, &[]),
    shape("all of /proc", "--security-opt seccomp=unconfined --security-opt systempaths=unconfined", By::Namespaces, &[]),
    shape("with CAP_SYS_ADMIN", "--cap-add SYS_ADMIN", By::Landlock, &[]),
    shape("without shared memory", "--ipc none", By::Landlock, &[]),
    // OpenShift chooses a user for each project, in the group of root.
    shape("user of nobody's", "--user 1000680000:0", By::Landlock, &[]),
    shape("tmpfs without programs", "--read-only --tmpfs /tmp:rw,noexec,nosuid,nodev", By::Landlock, &[]),
    shape("read-only", "--read-only", By::Landlock, &["EXECUTOR_SCRATCH_DIR"]),
    shape("scratch elsewhere", "--read-only --tmpfs /data:mode=1777 --env EXECUTOR_SCRATCH_DIR=/data", By::Landlock, &[]),
    shape("few descriptors", "--ulimit nofile=256", By::Landlock, &["EXECUTOR_MAX_OPEN_FILES", "EXECUTOR_MAX_CONNECTIONS"]),
    shape("low limits", "--ulimit core=0 --ulimit fsize=16777216 --ulimit stack=4194304 --ulimit memlock=16384", By::Landlock,
        &["EXECUTOR_SCRATCH_MB"]),
    shape("little memory", "--memory 192m --env EXECUTOR_MEMORY_MB=96 --env EXECUTOR_CONCURRENCY=1 --env EXECUTOR_PRELOAD=",
        By::Landlock, &[]),
];

/// A shape that cannot serve, and what is said of it.
const REFUSED: [(&str, &str); 2] =
    [("--ulimit nofile=64", "RLIMIT_NOFILE) is 64"), ("--read-only --ipc none", "EXECUTOR_SCRATCH_DIR")];

/// Files wherever scripts put them, time zones, and who it is: what differs where the root directory is the container's.
const SCRIPT: &str = "
    import csv, datetime, getpass, os, pwd, shutil, subprocess, sys, tempfile, time, zoneinfo

    def main():
        said = []
        for directory in ('/tmp', '/var/tmp', '/mnt/data', os.path.expanduser('~'), '.'):
            path = os.path.join(directory, 'x.csv')
            with open(path, 'w', newline='') as file:
                csv.writer(file).writerow(['a', 1])
            with open(path) as file:
                said.append(file.read())
            os.remove(path)
        with tempfile.TemporaryDirectory() as directory:
            os.mkdir(os.path.join(directory, 'd'))
            os.symlink('x', os.path.join(directory, 'd', 'link'))
            shutil.copytree(os.path.join(directory, 'd'), os.path.join(directory, 'e'), symlinks=True)
            said.append(os.listdir(os.path.join(directory, 'e')))
        os.environ['TZ'] = 'America/New_York'
        time.tzset()
        said.append(time.strftime('%H:%M %Z', time.localtime(0)))
        said.append(str(datetime.datetime.fromtimestamp(0, zoneinfo.ZoneInfo('Europe/Rome'))))
        said.append(pwd.getpwuid(os.getuid()).pw_name == getpass.getuser())
        said.append(subprocess.run([sys.executable, '-c', 'print(1)'], capture_output=True, text=True).stdout)
        return said
";

#[tokio::test(flavor = "multi_thread")]
async fn the_image_serves_in_every_shape_of_a_container() {
    let docker = Docker::start();
    for shape in &SHAPES {
        println!("{}: docker run {}", shape.name, shape.options);
        let container = docker.start_container(&words(shape.options));
        serves(&container, shape).await;
        assert_eq!(container.stop(), Some(0), "{}", shape.name);
    }
    for (options, cause) in REFUSED {
        println!("refused: docker run {options}");
        let said = docker.refusal(&words(options));
        assert!(said.contains(cause), "{options}: {said}");
    }
    let container = docker.start_container(&[]);
    let target = Target::http(&container.server.url(""), Credentials::default()).expect("it is a URL");
    let _turn = run_suite::turn().await;
    run_suite::come_to_nothing(target, container.server.process(), |_| false).await;
}

fn words(options: &str) -> Vec<&str> {
    options.split_whitespace().collect()
}

async fn serves(container: &Container<'_>, shape: &Shape) {
    let Shape { name, by, adjusted, .. } = shape;
    let health = container.server.get("/health").await.body;
    let health: Value = serde_json::from_str(&health).expect("JSON");
    assert_eq!(health["status"], "every promise is kept", "{name}: {health}");
    let enforcers = health["promises"]["no_other_processes"]["by"].as_array().expect("a list").clone();
    let has_namespaces = enforcers.iter().any(|enforcer| enforcer["mechanism"] == "namespaces");
    assert_eq!(has_namespaces, *by == By::Namespaces, "{name}: {health}");
    let changed: Vec<&str> =
        health["adjusted"].as_array().expect("a list").iter().filter_map(|one| one["setting"].as_str()).collect();
    assert_eq!(changed, *adjusted, "{name}: {health}");
    let checked = container.check();
    assert!(checked.status.success(), "{name}: {checked:?}");

    container.server.is_well().await;
    let expected = json!([
        "a,1\n",
        "a,1\n",
        "a,1\n",
        "a,1\n",
        "a,1\n",
        ["link"],
        "19:00 EST",
        "1970-01-01 01:00:00+01:00",
        true,
        "1\n"
    ]);
    assert_eq!(container.server.execute(SCRIPT).await.returned::<Value>(), expected, "{name}");
    container
        .server
        .execute("import pandas as pd\ndef main():\n    return int(pd.Series([1, 2]).sum())")
        .await
        .succeeds("3", "");
}
