//! The container image in real containers: in each shape that operators give one, the service starts, keeps every promise and runs
//! what runs elsewhere, or says what is missing and what helps.
//!
//! Docker is that of the machine's distribution (tests/tools); its daemon is this test's own, and so is all that it keeps.

#[path = "../attack/run_suite.rs"]
mod run_suite;
#[path = "../attack/suite.rs"]
mod suite;
#[path = "../support/mod.rs"]
mod support;

mod daemon;
mod shapes;
