//! The simulation of both clouds, and the document that shows what it says.

use std::fs;

use super::{builder_python, must, project};

#[test]
fn the_document_has_the_tables_of_the_simulation() {
    let tables = must(builder_python().arg("benches/scaling/main.py"));
    let document = fs::read_to_string(project().join("docs/SCALING.md")).expect("it is text");
    assert!(
        document.contains(&tables),
        "docs/SCALING.md has other tables: `make scaling SCALING_FLAGS=\"--write docs/SCALING.md\"`, and what it says of them",
    );
    assert!(tables.lines().count() > 60, "{tables}");
}

#[test]
fn a_model_that_disagrees_with_theory_is_refused() {
    // Lambda without its limit of requests in a second.
    let wrong = "import sys; sys.path.insert(0, 'benches/scaling'); import checks, functions; \
                 functions.Bucket.refill = lambda *_: True; checks.check()";
    let output = builder_python().args(["-c", wrong]).output().expect("it starts");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && told.contains("disagrees with theory"), "{told}");
}
