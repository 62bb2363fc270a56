//! What a script prints, by whatever means, and however it ends.

use serde_json::json;

use crate::support::{Reply, Server};

async fn prints(script: &str, stdout: &str) {
    Server::shared().execute(script).await.succeeds("1", stdout);
}

#[tokio::test]
async fn output_of_c_code_arrives_without_a_flush() {
    let script = "
        import ctypes
        libc = ctypes.CDLL(None)

        def main():
            libc.printf(b'%s %d', b'from C', 5)
            libc.puts(b'!')
            return 1
    ";
    prints(script, "from C 5!\n").await;
}

#[tokio::test]
async fn output_of_child_processes_arrives() {
    let script = "
        import os, subprocess, sys

        def main():
            print('parent')
            subprocess.run([sys.executable, '-c', 'print(\"interpreter\")'], check=True)
            child = os.fork()
            if child == 0:
                print('fork')
                os._exit(0)
            os.waitpid(child, 0)
            print('parent again')
            return 1
    ";
    prints(script, "parent\ninterpreter\nfork\nparent again\n").await;
}

#[tokio::test]
async fn output_keeps_its_order_whatever_wrote_it() {
    let script = "
        import os, sys

        def main():
            print('a', end='')
            os.write(1, b'b')
            sys.stdout.write('c')
            os.write(1, b'd')
            sys.stdout.buffer.write(b'e')
            print('f', end='')
            sys.__stdout__.write('g')
            os.write(1, b'h')
            return 1
    ";
    prints(script, "abcdefgh").await;
}

#[tokio::test]
async fn output_before_a_violent_end_is_kept() {
    for (end, error) in [
        ("os._exit(3)", "script exited with status 3 before main() returned"),
        ("os.kill(os.getpid(), 9)", "script was killed by signal 9 (SIGKILL)"),
        ("ctypes.string_at(1)", "script was killed by signal 11 (SIGSEGV)"),
        ("os.abort()", "script was killed by signal 6 (SIGABRT)"),
        ("while True: pass", "TimeoutError: script exceeded its time limit of 1 s"),
        ("time.sleep(60)", "TimeoutError: script exceeded its time limit of 1 s"),
        ("raise ValueError('x')", "ValueError: x"),
        ("sys.exit(3)", "SystemExit: 3"),
    ] {
        let script = format!(
            "import ctypes, os, sys, time\ndef main():\n    print('a line')\n    print('no line', end='')\n    {end}"
        );
        let reply = Server::shared().execute_with(&script, json!({ "timeout": 1 })).await;
        reply.fails(error, "a line\nno line");
    }
}

#[tokio::test]
async fn much_output_before_a_violent_end_is_kept() {
    let script = "
        import os

        def main():
            for number in range(20_000):
                print(f'line {number:05}')
            os._exit(1)
    ";
    let lines: Vec<String> = (0..20_000).map(|number| format!("line {number:05}\n")).collect();
    let error = "script exited with status 1 before main() returned";
    Server::shared().execute(script).await.fails(error, &lines.concat());
}

#[tokio::test]
async fn bytes_that_are_no_text_are_replaced() {
    for (bytes, text) in [
        (r"\xff\xfe", "\u{fffd}\u{fffd}"),
        (r"a\xc3", "a\u{fffd}"),
        (r"\xed\xa0\x80", "\u{fffd}\u{fffd}\u{fffd}"),
        (r"\x00", "\u{0}"),
        (r"\xef\xbb\xbfx", "\u{feff}x"),
        (r"\x1b[31mred\x07\x7f", "\u{1b}[31mred\u{7}\u{7f}"),
        (r"a\r\nb\rc\x0b", "a\r\nb\rc\u{b}"),
        (r"\xe2\x80\xa8\xe2\x80\xa9", "\u{2028}\u{2029}"),
    ] {
        let script = format!("import os\ndef main():\n    os.write(1, b'{bytes}')\n    return 1");
        prints(&script, text).await;
    }
}

#[tokio::test]
async fn printed_control_characters_arrive() {
    let script = r"
        def main():
            print('a\0b', end='\r\n')
            print('é€😀')
            return 1
    ";
    prints(script, "a\u{0}b\r\né€😀\n").await;
}

#[tokio::test]
async fn a_character_that_is_written_in_two_halves_is_one_character() {
    let script = r"
        import os, time

        def main():
            os.write(1, b'\xf0\x9f')
            time.sleep(0.05)
            os.write(1, b'\x98\x80')
            return 1
    ";
    prints(script, "😀").await;
}

#[tokio::test]
async fn a_printed_half_of_a_surrogate_pair_is_no_fault_of_the_service() {
    let script = r"
        def main():
            print('before')
            print('\ud800')
            return 1
    ";
    let reply = Server::shared().execute(script).await;
    let stdout = match reply.status {
        200 => reply.success().stdout,
        _ => reply.failure().stdout,
    };
    assert!(stdout.starts_with("before\n"), "{reply}");
}

#[tokio::test]
async fn standard_error_is_not_standard_output() {
    let script = "
        import logging, os, sys, warnings

        def main():
            print('error', file=sys.stderr)
            os.write(2, b'error')
            logging.warning('error')
            warnings.warn('error')
            print('output')
            return 1
    ";
    prints(script, "output\n").await;
}

#[tokio::test]
async fn a_script_may_close_or_replace_its_standard_output() {
    for change in [
        "sys.stdout.close()",
        "os.close(1)",
        "sys.stdout = None",
        "sys.stdout = io.StringIO()",
        "del sys.stdout",
        "sys.stdout.detach()",
        "os.dup2(os.open('elsewhere', os.O_CREAT | os.O_WRONLY), 1)",
    ] {
        let script = format!("import io, os, sys\ndef main():\n    print('before')\n    {change}\n    return 1");
        prints(&script, "before\n").await;
    }
}

#[tokio::test]
async fn redirected_output_is_the_scripts_own() {
    let script = "
        import contextlib, io

        def main():
            text = io.StringIO()
            with contextlib.redirect_stdout(text):
                print('caught')
            print('free')
            return text.getvalue()
    ";
    Server::shared().execute(script).await.succeeds(r#""caught\n""#, "free\n");
}

#[tokio::test]
async fn lines_of_many_threads_all_arrive() {
    let script = "
        import threading

        def talk(name):
            for number in range(200):
                print(f'{name} {number}\\n', end='')

        def main():
            threads = [threading.Thread(target=talk, args=(name,)) for name in 'abcdefgh']
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            return 1
    ";
    let reply = Server::shared().execute(script).await;
    let stdout = reply.success().stdout;
    let mut lines: Vec<&str> = stdout.lines().collect();
    lines.sort_unstable();
    lines.dedup();
    assert_eq!(lines.len(), 1600, "{reply}");
}

/// Checks output that was cut: it begins and ends like `whole`, keeps `limit` bytes of it in the
/// proportion of three to one, and says in one line how many bytes are missing.
#[track_caller]
fn is_cut(stdout: &str, whole: &str, limit: usize) {
    let common = |(a, b): &(u8, u8)| a == b;
    // The marker may happen to begin or to end like what was left out.
    let head = stdout.bytes().zip(whole.bytes()).take_while(common).count().min(limit / 4 * 3);
    let tail = stdout.bytes().rev().zip(whole.bytes().rev()).take_while(common).count().min(limit / 4);
    let marker = &stdout[head..stdout.len() - tail];
    assert_eq!(marker.trim_matches('\n').lines().count(), 1, "one marker line: {marker:?}");
    let number: String = marker.chars().filter(char::is_ascii_digit).collect();
    let missing: usize = number.parse().unwrap_or_else(|_| panic!("a number in {marker:?}"));
    assert_eq!(head + missing + tail, whole.len(), "{head} + {missing} + {tail}: {marker:?}");
    let slack = 4;
    assert!(head.abs_diff(limit / 4 * 3) <= slack, "{head} bytes at the start of {limit}");
    assert!(tail.abs_diff(limit / 4) <= slack, "{tail} bytes at the end of {limit}");
    assert!(!stdout.contains('\u{fffd}'), "a character was cut in two");
}

#[tokio::test]
async fn ten_megabytes_of_lines_are_cut_in_the_middle() {
    let script = "
        def main():
            for number in range(655_360):
                print('abcdefghijklmno')
            return 1
    ";
    let reply = Server::shared().execute(script).await;
    is_cut(&reply.success().stdout, &"abcdefghijklmno\n".repeat(655_360), 1 << 20);
}

#[tokio::test]
async fn ten_megabytes_without_a_line_end_are_cut_in_the_middle() {
    let script = "
        def main():
            print('x' * 10_000_000, end='')
            return 1
    ";
    let reply = Server::shared().execute(script).await;
    is_cut(&reply.success().stdout, &"x".repeat(10_000_000), 1 << 20);
}

#[tokio::test]
async fn output_is_cut_between_characters() {
    for start in ["", "a", "ab"] {
        let script = format!("def main():\n    print('{start}' + '€' * 1_000_000, end='')\n    return 1");
        let reply = Server::shared().execute(&script).await;
        let whole = format!("{start}{}", "€".repeat(1_000_000));
        is_cut(&reply.success().stdout, &whole, 1 << 20);
    }
}

#[tokio::test]
async fn output_up_to_the_limit_is_whole() {
    let limit = 1 << 20;
    let print = |bytes: usize| format!("def main():\n    print('x' * {bytes}, end='')\n    return 1");
    let server = Server::shared();
    server.execute(&print(limit)).await.succeeds("1", &"x".repeat(limit));
    let reply = server.execute(&print(limit + 1)).await;
    is_cut(&reply.success().stdout, &"x".repeat(limit + 1), limit);
}

#[tokio::test]
async fn the_limit_of_the_output_is_the_operators() {
    let server = Server::with(&[("EXECUTOR_MAX_STDOUT_BYTES", "4000"), ("EXECUTOR_PRELOAD", "")]);
    let script = "def main():\n    print('x' * 9000, end='')\n    return 1";
    is_cut(&server.execute(script).await.success().stdout, &"x".repeat(9000), 4000);
}

#[tokio::test]
async fn much_output_of_a_failing_script_is_cut_too() {
    for (end, error) in [
        ("raise ValueError('x')", "ValueError: x"),
        ("import os; os._exit(2)", "script exited with status 2 before main() returned"),
        ("while True: pass", "TimeoutError: script exceeded its time limit of 2 s"),
    ] {
        let script = format!("def main():\n    print('x' * 3_000_000, end='')\n    {end}");
        let reply = Server::shared().execute_with(&script, json!({ "timeout": 2 })).await;
        let failure = reply.failure();
        assert_eq!(failure.value, error, "{reply}");
        is_cut(&failure.stdout, &"x".repeat(3_000_000), 1 << 20);
    }
}

#[tokio::test]
async fn endless_output_ends_with_the_time_limit() {
    let script = "
        import os

        def main():
            while True:
                os.write(1, b'x' * 65536)
                os.write(2, b'y' * 65536)
    ";
    let reply: Reply = Server::shared().execute_with(script, json!({ "timeout": 1 })).await;
    let failure = reply.failure();
    assert_eq!(failure.value, "TimeoutError: script exceeded its time limit of 1 s", "{reply}");
    assert!(failure.stdout.len() < (1 << 20) + 1000, "{} bytes", failure.stdout.len());
}
