//! What honest scripts use works, as far as a host can give it; the rest fails as a script can expect.

use std::collections::BTreeMap;

use crate::host::{Host, Service};

/// Each use answers "works", or the name of the exception that it ended with.
const EVERYTHING: &str = include_str!("abilities.py");
const CALCULATIONS: &str = include_str!("calculations.py");

type Answers = BTreeMap<String, String>;

async fn answers(service: &Service, script: &str) -> Answers {
    service.execute(script).await.returned()
}

fn failed(answers: &Answers) -> Vec<(&str, &str)> {
    let failed = answers.iter().filter(|(_, answer)| *answer != "works");
    failed.map(|(name, answer)| (name.as_str(), answer.as_str())).collect()
}

async fn everything_works(host: Host) {
    let service = host.start();
    for script in [EVERYTHING, CALCULATIONS] {
        let answers = answers(&service, script).await;
        assert!(answers.len() > 10, "{answers:?}");
        assert_eq!(failed(&answers), [], "{host:?}\n{}", service.log());
    }
}

#[tokio::test]
async fn everything_works_for_an_ordinary_user() {
    everything_works(Host::User).await;
}

#[tokio::test]
async fn everything_works_for_root() {
    everything_works(Host::Root).await;
}

#[tokio::test]
async fn everything_works_in_gvisor() {
    everything_works(Host::GVisor).await;
}

/// There is no /dev/shm, where locks and shared memory of other processes would be, and Python's program needs a loader
/// that lies elsewhere.
async fn a_container_lacks_little(host: Host) {
    let service = host.start();
    let answers_here = answers(&service, EVERYTHING).await;
    let lacking: Vec<&str> = failed(&answers_here).into_iter().map(|(name, _)| name).collect();
    let expected =
        ["multiprocessing lock", "multiprocessing pool", "multiprocessing queue", "shared memory", "subprocess"];
    assert_eq!(lacking, expected, "{host:?}: {answers_here:?}");
    assert!(failed(&answers_here).iter().all(|(_, answer)| answer.contains("Error")), "{answers_here:?}");
    assert_eq!(failed(&answers(&service, CALCULATIONS).await), [], "{host:?}");
}

#[tokio::test]
async fn a_container_lacks_shared_memory_and_programs() {
    a_container_lacks_little(Host::Container).await;
}

#[tokio::test]
async fn a_container_of_root_lacks_shared_memory_and_programs() {
    a_container_lacks_little(Host::ContainerRoot).await;
}

/// All that needs no new file, thread or process works, although nothing is imported before it is used.
#[tokio::test]
async fn calculations_work_on_lambda() {
    let service = Host::Lambda.start();
    let calculated = answers(&service, CALCULATIONS).await;
    assert!(calculated.len() > 10, "{calculated:?}");
    assert_eq!(failed(&calculated), [], "{}", service.log());
    let reply = service.execute("import asyncio\nasync def main():\n    await asyncio.sleep(0.01)\n    return 5").await;
    reply.succeeds("5", "");
}

/// Whatever fonts the host has, and without reading any: the runtime brings the list.
#[tokio::test]
async fn plots_have_the_runtimes_fonts() {
    let script = "
        import os
        import matplotlib, matplotlib.pyplot
        from matplotlib import font_manager

        def main():
            fonts = [font.fname for font in font_manager.fontManager.ttflist]
            # Only the runtime's list is in order.
            own = fonts == sorted(fonts) and all(name.startswith(matplotlib.get_data_path()) for name in fonts)
            return len(fonts), own, os.path.exists(f'{matplotlib.get_cachedir()}/fontlist-v{font_manager.FontManager.__version__}.json')
    ";
    for host in [Host::User, Host::Container, Host::Lambda] {
        let (fonts, are_own, is_made): (usize, bool, bool) = host.start().execute(script).await.returned();
        assert!(fonts > 30 && are_own && !is_made, "{host:?}: {fonts} fonts, {are_own}, {is_made}");
    }
}
