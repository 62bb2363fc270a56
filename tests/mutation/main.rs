//! The sandbox, mechanism by mechanism: what a script gets where one is not there, and what the service says of it.

#[path = "../support/mod.rs"]
mod support;

mod attack;
mod health;
mod hosts;
mod leftovers;
mod monitor;
mod mutations;
mod posture;
mod service;
