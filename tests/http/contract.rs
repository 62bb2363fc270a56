//! The HTTP contract, row by row.

mod fields;
mod files;
mod outcomes;
mod protocol;
mod requests;
mod shutdown;
mod startup;
mod statuses;
