//! What an operator relies on: who is let in and how often, what is logged and counted, and a long life.

mod bodies;
mod connections;
mod deploy;
mod frames;
mod keys;
mod life;
mod log;
mod metrics;
mod queue;
mod rates;
