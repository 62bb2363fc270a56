#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| properties::lambda_event::check(bytes));
