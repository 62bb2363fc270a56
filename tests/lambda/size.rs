//! Lambda passes on 6 MB of an answer. What is larger would be an error of the platform, so the service sees to it that
//! every answer fits, whatever the script and the settings. (Each decoding of an answer checks its size.)

use serde_json::Value;

use crate::emulator::Emulator;
use crate::source::Source;
use crate::support::Reply;

/// The default of `EXECUTOR_MAX_RESULT_BYTES`.
const MAX_RESULT: usize = 5 << 20;

/// Settings that allow more than Lambda does.
const GENEROUS: &[(&str, &str)] = &[
    ("EXECUTOR_MAX_RESULT_BYTES", "67108864"),
    ("EXECUTOR_MAX_STDOUT_BYTES", "67108864"),
    ("EXECUTOR_MEMORY_MB", "1024"),
];

/// Characters of which a string gets longer when it is encoded as JSON, and longer still as JSON inside of JSON:
/// Python's literal and the length that one takes in the result.
const ESCAPED: [(&str, usize); 3] = [("'\"'", 2), (r"'\\'", 2), (r"'\n'", 2)];

fn returning(character: &str, count: usize) -> String {
    format!("def main():\n    print('before')\n    return {character} * {count}\n")
}

fn says_too_large(reply: &Reply) {
    let failure = reply.failure();
    let bytes = failure.value.strip_prefix("result is larger than ").and_then(|rest| rest.strip_suffix(" bytes"));
    let bytes: usize = bytes.and_then(|bytes| bytes.parse().ok()).unwrap_or_else(|| panic!("{reply}"));
    assert!(bytes <= 6 << 20, "{reply}");
}

#[tokio::test]
async fn the_largest_result_of_plain_text_is_passed_on() {
    let script = returning("'x'", MAX_RESULT - 2);
    for reply in Emulator::shared().run_in_every_way(&script).await {
        let text: String = reply.returned();
        assert!(text.len() == MAX_RESULT - 2 && text.bytes().all(|byte| byte == b'x'), "{reply}");
        assert_eq!(reply.success().stdout, "before\n");
    }
}

#[tokio::test]
async fn a_result_that_is_one_byte_too_large_is_refused() {
    let script = returning("'x'", MAX_RESULT - 1);
    let expected = format!("result is larger than {MAX_RESULT} bytes");
    Emulator::shared().invoke(Source::Http.script(&script)).await.http(Source::Http).fails(&expected, "before\n");
    Emulator::shared().run(&script).await.direct().fails(&expected, "before\n");
}

#[tokio::test]
async fn a_result_that_outgrows_lambda_inside_of_an_event_is_refused() {
    for (character, length) in ESCAPED {
        for source in Source::ALL {
            let script = returning(character, MAX_RESULT / length - 1);
            let reply = Emulator::shared().invoke(source.script(&script)).await.http(source);
            says_too_large(&reply);
            assert_eq!(reply.failure().stdout, "before\n", "{reply}");
        }
    }
}

#[tokio::test]
async fn a_direct_invoke_gets_the_result_that_an_event_has_no_room_for() {
    for (character, length) in ESCAPED {
        let count = MAX_RESULT / length - 1;
        let reply = Emulator::shared().run(&returning(character, count)).await.direct();
        assert_eq!(reply.returned::<String>().len(), count, "{character}");
    }
}

#[tokio::test]
async fn settings_cannot_allow_a_result_that_lambda_does_not() {
    let function = Emulator::with(GENEROUS);
    let script = returning("'x'", 7 << 20);
    function.run_in_every_way(&script).await.iter().for_each(says_too_large);
    function.is_well().await;
}

#[tokio::test]
async fn output_does_not_cost_a_small_result() {
    // The default limit of output, in characters that take seven bytes each inside of an event.
    let script = r"
        def main():
            print('first')
            print('\x01' * (1 << 20))
            return 5
    ";
    for source in Source::ALL {
        let reply = Emulator::shared().invoke(source.script(script)).await.http(source);
        let success = reply.success();
        assert_eq!(success.value, "5", "{reply}");
        assert!(success.stdout.starts_with("first\n"), "{reply}");
    }
}

#[tokio::test]
async fn settings_cannot_allow_output_that_lambda_does_not() {
    let function = Emulator::with(GENEROUS);
    let script = "
        def main():
            print('first')
            print('y' * (7 << 20))
            return 5
    ";
    for reply in function.run_in_every_way(script).await {
        let success = reply.success();
        assert_eq!(success.value, "5", "{reply}");
        assert!(success.stdout.starts_with("first\n") && success.stdout.len() > 1 << 20, "{reply}");
    }
    function.is_well().await;
}

#[tokio::test]
async fn a_result_and_output_that_are_too_large_together_give_way() {
    let script =
        format!("def main():\n    print('first')\n    print('y' * (1 << 20))\n    return 'x' * {}\n", MAX_RESULT - 2);
    for reply in Emulator::shared().run_in_every_way(&script).await {
        // Either the output is shortened or the result is refused.
        let stdout = if reply.status == 200 {
            assert_eq!(reply.returned::<Value>().as_str().map(str::len), Some(MAX_RESULT - 2));
            reply.success().stdout
        } else {
            says_too_large(&reply);
            reply.failure().stdout
        };
        assert!(stdout.starts_with("first\n"), "{reply}");
    }
}

#[tokio::test]
async fn an_error_and_output_that_are_too_large_are_shortened() {
    let script = r"
        def main():
            print('first')
            print('\x01' * (1 << 20))
            raise ValueError('\x02' * 5_000_000)
    ";
    for reply in Emulator::shared().run_in_every_way(script).await {
        assert!(reply.failure().value.starts_with("ValueError: \x02"), "{reply}");
    }
}
