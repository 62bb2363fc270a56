//! What must hold for all that the service reads from others, whatever the bytes. Each module has one function, `check`,
//! which panics where its property does not hold. The fuzz targets and `tests/properties.rs` call them.

pub mod capture;
pub mod job_frame;
pub mod lambda_event;
pub mod memory;
pub mod outcome;
pub mod procfs;
pub mod request;

/// Whether the bytes are JSON, by its grammar alone.
fn is_json(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_ok_and(|text| serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok())
}
