//! Direct invokes: the payload is the request itself, the answer is the body itself.

use crate::emulator::{Emulator, event};

macro_rules! payloads {
    ($($test:ident: $payload:literal => $verdict:ident($($expected:literal),*),)*) => {
        pub const TESTED: &[&str] = &[$($payload),*];
        $(
            #[tokio::test]
            async fn $test() {
                let answer = Emulator::shared().invoke(event($payload)).await;
                answer.direct().$verdict($($expected),*);
            }
        )*
    };
}

payloads! {
    a_payload_may_be_the_request: "direct-execute" => succeeds("5", "hello\n"),
    a_payload_may_have_every_field: "direct-all-fields" =>
        succeeds(r#"{"sum":5,"file":"written before"}"#, "from outside\n"),
    a_script_may_fail: "direct-failing-script" =>
        fails("NameError: name 'undefined_variable' is not defined", "before\n"),
    a_field_of_the_wrong_type_is_named: "direct-wrong-type" => fails("field 'script' must be a string", ""),
    an_unknown_field_is_named: "direct-unknown-field" =>
        fails("unknown field 'timout'; known fields: script, timeout, inputs, stdin, files", ""),
    a_payload_without_a_script_is_refused: "direct-no-script" => fails("missing required field: script", ""),
    a_list_is_refused: "direct-list" => fails("request body must be a JSON object", ""),
    an_empty_list_is_refused: "direct-empty-list" => fails("request body must be a JSON object", ""),
    a_string_is_refused: "direct-string" => fails("request body must be a JSON object", ""),
    a_number_is_refused: "direct-number" => fails("request body must be a JSON object", ""),
    null_is_refused: "direct-null" => fails("request body must be a JSON object", ""),
}

#[tokio::test]
async fn a_result_is_passed_on_to_the_letter() {
    // A parser in between would round the first, and refuse to go as deep as the second.
    let script = "
        def main():
            deep = 1
            for _ in range(400):
                deep = [deep]
            return [10**30, deep]
    ";
    let answer = Emulator::shared().run(script).await;
    let deep = format!("{}1{}", "[".repeat(400), "]".repeat(400));
    answer.direct().succeeds(&format!("[1{},{deep}]", "0".repeat(30)), "");
}

#[tokio::test]
async fn text_beyond_ascii_arrives_unchanged() {
    let script = "
        def main():
            print('grüß 世界 🐍')
            return 'naïve ☃'
    ";
    let answer = Emulator::shared().run(script).await.direct().success();
    assert_eq!(serde_json::from_str::<String>(&answer.value).unwrap(), "naïve ☃");
    assert_eq!(answer.stdout, "grüß 世界 🐍\n");
}

#[tokio::test]
async fn a_request_may_take_nearly_all_that_lambda_passes_on() {
    let comment = "x".repeat((6 << 20) - (1 << 10));
    let answer = Emulator::shared().run(&format!("def main(): return 1\n# {comment}")).await;
    answer.direct().succeeds("1", "");
}
