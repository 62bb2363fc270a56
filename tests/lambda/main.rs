//! The service as a Lambda function: the Lambda binary under the real emulator of Lambda's runtime interface and under
//! `cargo lambda watch`, with events as AWS sends them.

#[path = "../support/mod.rs"]
mod support;

mod answer;
mod direct;
mod emulator;
mod ending;
mod events;
mod rich;
mod secrets;
mod sequence;
mod size;
mod source;
mod watch;
