//! The service over real HTTP: the server binary, real workers, real scripts.

#[path = "../support/mod.rs"]
mod support;

mod attacks;
mod contract;
mod edge_cases;
mod hostile;
mod operate;
mod readme;
mod regressions;
mod rich;
