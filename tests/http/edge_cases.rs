//! Scripts at the edges of what Python, JSON and processes allow.

mod exceptions;
mod output;
mod python;
mod resilience;
mod results;
mod source;
mod surroundings;
