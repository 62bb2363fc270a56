//! What a service leaves in /tmp that has refused to start.

use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use py_executor::sandbox::Mechanism::{self, Namespaces, Seal, Sweep};

use crate::service::service;
use crate::support::jail::wrapped;
use crate::support::{Directory, Server};

/// The same command with a directory in the place of /tmp.
fn with_tmp(directory: &Directory, inner: &Command) -> Command {
    let words = ["unshare", "--mount", "sh", "-c", r#"mount --bind "$0" /tmp && exec "$@""#];
    let mut words: Vec<OsString> = words.map(OsString::from).to_vec();
    words.push(directory.path().into());
    wrapped(&words, inner)
}

/// A supervisor may start it again and again.
#[test]
fn a_refused_start_leaves_nothing_in_tmp() {
    let cases: [(&str, &[Mechanism]); 4] = [
        ("refuse-landlock", &[Namespaces, Seal]),
        ("refuse-seccomp", &[Namespaces, Seal]),
        ("refuse-subreaper", &[Namespaces]),
        ("user", &[Namespaces, Sweep]),
    ];
    for (host, without) in cases {
        let directory = Directory::new("tmp");
        let everybody = std::fs::Permissions::from_mode(0o1777);
        std::fs::set_permissions(directory.path(), everybody).expect("it is ours");
        let (status, words) = Server::refusal(with_tmp(&directory, &service(host, "strict", without)));
        assert_eq!(status.code(), Some(1), "{host}: {words}");
        let left = std::fs::read_dir(directory.path()).expect("it is there");
        let left: Vec<_> = left.map(|entry| entry.expect("it can be listed").file_name()).collect();
        assert!(left.is_empty(), "{host}: {left:?} is left: {words}");
    }
}
