//! The mounts of the processes below the service, as the machine's root sees them.

use crate::host::Host;
use crate::support::PATIENCE;
use crate::support::tree::Tree;

/// Options of each /proc that a process has mounted, the lowest first (proc_pid_mountinfo(5)).
fn options_of_proc(pid: u32) -> Vec<String> {
    let mounts = std::fs::read_to_string(format!("/proc/{pid}/mountinfo")).expect("the process is there");
    let of_proc = mounts.lines().filter_map(|line| line.split_once(" - proc ")).map(|(_, rest)| rest.to_owned());
    of_proc.collect()
}

/// A kernel mounts a whole /proc for a monitor only where there is one already.
#[tokio::test]
async fn zygotes_have_a_whole_proc_and_scripts_do_not_see_it() {
    let service = Host::Root.start_with(&[("EXECUTOR_PRELOAD", "")]);
    let tree = Tree::at_rest(service.process().id(), PATIENCE).await.expect("it comes to rest");
    let is_whole = |options: &String| !options.contains("subset=pid");
    let [zygote] = tree.zygotes.as_slice() else { panic!("one zygote: {tree:?}") };
    let found = options_of_proc(*zygote);
    assert!(matches!(found.as_slice(), [one] if is_whole(one)), "{found:?}");
    for worker in &tree.workers {
        let found = options_of_proc(*worker);
        assert!(matches!(found.as_slice(), [below, above] if is_whole(below) && !is_whole(above)), "{found:?}");
    }
    let script = "import os\n\ndef main():\n    return sorted(os.listdir('/proc'))";
    service.execute(script).await.succeeds(r#"["2","self","thread-self"]"#, "");
}
