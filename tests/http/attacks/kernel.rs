//! The kernel's surface: no namespaces, no dangerous calls, no back doors, no privileges.

use serde_json::json;

use super::{achieves_nothing, program};
use crate::support::Server;

#[tokio::test]
async fn no_namespace_can_be_made_or_entered() {
    achieves_nothing(Server::shared(), program!("kernel_unshare"), json!({})).await;
}

#[tokio::test]
async fn calls_that_no_script_needs_are_refused() {
    achieves_nothing(Server::shared(), program!("kernel_calls"), json!({})).await;
}

#[tokio::test]
async fn allowed_calls_reach_nobody_else() {
    achieves_nothing(Server::shared(), program!("kernel_reach"), json!({})).await;
}

#[cfg(target_arch = "x86_64")]
#[tokio::test]
async fn other_abis_are_no_way_around_the_filter() {
    achieves_nothing(Server::shared(), program!("kernel_abi"), json!({})).await;
}

#[tokio::test]
async fn a_script_has_no_privileges_and_gets_none() {
    achieves_nothing(Server::shared(), program!("kernel_identity"), json!({})).await;
}

#[tokio::test]
async fn limits_cannot_be_raised() {
    achieves_nothing(Server::shared(), program!("kernel_limits"), json!({})).await;
}
