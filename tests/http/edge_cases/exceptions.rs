//! Exceptions of every shape, each told as Python prints the last line of its traceback.

use crate::support::Server;

async fn raising(body: &str) -> crate::support::Reply {
    Server::shared().execute(body).await
}

/// Runs `main` with this one statement in it.
async fn raises(statement: &str, error: &str) {
    raising(&format!("def main():\n    {statement}")).await.fails(error, "");
}

#[tokio::test]
async fn messages_are_told_as_they_are() {
    raises("raise ValueError('x')", "ValueError: x").await;
    raises("raise ValueError", "ValueError").await;
    raises("raise ValueError('')", "ValueError").await;
    raises("raise ValueError(None)", "ValueError: None").await;
    raises("raise ValueError(1, 'two')", "ValueError: (1, 'two')").await;
    raises("raise ValueError('a\\nb\\n')", "ValueError: a\nb\n").await;
    raises("raise ValueError('é😀\\0')", "ValueError: é😀\u{0}").await;
    raises("raise ValueError('  spaces ')", "ValueError:   spaces ").await;
    raises("{}['k']", "KeyError: 'k'").await;
    raises("{}['it\\'s \\n']", "KeyError: \"it's \\n\"").await;
    raises("[][1]", "IndexError: list index out of range").await;
    raises("assert 1 == 2", "AssertionError").await;
    raises("assert 1 == 2, 'why'", "AssertionError: why").await;
    raises("open('missing')", "FileNotFoundError: [Errno 2] No such file or directory: 'missing'").await;
    raises("int('x')", "ValueError: invalid literal for int() with base 10: 'x'").await;
    raises("raise TimeoutError('mine')", "TimeoutError: mine").await;
    raises("raise StopIteration(5)", "StopIteration: 5").await;
    raises("raise 5", "TypeError: exceptions must derive from BaseException").await;
}

#[tokio::test]
async fn classes_of_other_modules_are_qualified_as_python_prints_them() {
    raises("__import__('json').loads('')", "json.decoder.JSONDecodeError: Expecting value: line 1 column 1 (char 0)")
        .await;
    raises("1 / __import__('decimal').Decimal(0)", "decimal.DivisionByZero: [<class 'decimal.DivisionByZero'>]").await;
    raises(
        "__import__('subprocess').run(['false'], check=True) if 0 else __import__('queue').Queue().get_nowait()",
        "_queue.Empty",
    )
    .await;
    raises("raise __import__('asyncio').CancelledError", "asyncio.exceptions.CancelledError").await;
    raises("__import__('numpy').linalg.inv([[0, 0], [0, 0]])", "numpy.linalg.LinAlgError: Singular matrix").await;
}

#[tokio::test]
async fn classes_of_the_script_have_no_module() {
    let script = "
        class MyError(Exception):
            pass

        class Outer:
            class Inner(ValueError):
                pass

        def main(which):
            class Local(Exception):
                pass
            raise {'plain': MyError, 'nested': Outer.Inner, 'local': Local}[which]('x')
    ";
    for (which, error) in [("plain", "MyError: x"), ("nested", "Outer.Inner: x"), ("local", "main.<locals>.Local: x")] {
        let inputs = serde_json::json!({ "inputs": { "which": which } });
        Server::shared().execute_with(script, inputs).await.fails(error, "");
    }
}

#[tokio::test]
async fn of_a_chain_the_last_exception_is_told() {
    let script = "
        def main():
            try:
                raise KeyError('first')
            except KeyError as first:
                raise ValueError('second') from first
    ";
    raising(script).await.fails("ValueError: second", "");
    raises("try: 1 / 0\n    finally: raise ValueError('second')", "ValueError: second").await;
}

#[tokio::test]
async fn a_chain_that_bites_its_tail_is_told() {
    let script = "
        def main():
            a, b = ValueError('a'), ValueError('b')
            a.__context__, b.__context__ = b, a
            a.__cause__ = a
            raise a
    ";
    raising(script).await.fails("ValueError: a", "");
}

#[tokio::test]
async fn notes_do_not_hide_the_message() {
    let script = "
        def main():
            error = ValueError('x')
            error.add_note('a note')
            raise error
    ";
    let reply = raising(script).await;
    let error = reply.failure().value;
    assert!(["ValueError: x", "ValueError: x\na note"].contains(&error.as_str()), "{reply}");
}

#[tokio::test]
async fn a_group_is_told_with_its_count() {
    raises("raise ExceptionGroup('many', [ValueError(1), TypeError(2)])", "ExceptionGroup: many (2 sub-exceptions)")
        .await;
    let script = "
        import asyncio

        async def fail():
            raise ValueError('x')

        async def main():
            async with asyncio.TaskGroup() as group:
                group.create_task(fail())
    ";
    raising(script).await.fails("ExceptionGroup: unhandled errors in a TaskGroup (1 sub-exception)", "");
}

#[tokio::test]
async fn an_exception_that_cannot_be_printed_is_still_told() {
    let script = "
        class Broken(Exception):
            def __str__(self):
                raise RuntimeError('no text')

        def main():
            raise Broken
    ";
    raising(script).await.fails("Broken: <exception str() failed>", "");
    for method in ["__str__", "__repr__", "__getattribute__", "__class__"] {
        let script = format!(
            "class Broken(Exception):\n    def {method}(self, *a):\n        raise SystemExit(0)\ndef main(): raise Broken"
        );
        let reply = raising(&script).await;
        reply.fails_with("Broken");
    }
}

#[tokio::test]
async fn an_exception_whose_text_never_comes_ends_with_the_time_limit() {
    let script = "
        class Slow(Exception):
            def __str__(self):
                while True:
                    pass

        def main():
            raise Slow
    ";
    let reply = Server::shared().execute_with(script, serde_json::json!({ "timeout": 1 })).await;
    reply.fails("TimeoutError: script exceeded its time limit of 1 s", "");
}

#[tokio::test]
async fn a_huge_message_is_bounded() {
    let reply = raising("def main():\n    raise ValueError('x' * 50_000_000)").await;
    let error = reply.fails_with("ValueError: xxxxxxxx");
    assert!(error.len() <= 1 << 20, "{} bytes", error.len());
}

#[tokio::test]
async fn a_huge_name_of_a_class_is_bounded() {
    let reply = raising("def main():\n    raise type('E' * 5_000_000, (Exception,), {})('x')").await;
    let error = reply.failure().value;
    assert!(error.len() <= 1 << 20, "{} bytes", error.len());
}

#[tokio::test]
async fn half_a_surrogate_pair_in_a_message_is_no_fault_of_the_service() {
    let reply = raising(r"def main(): raise ValueError('a\ud800b')").await;
    let error = reply.fails_with("ValueError: a");
    assert!(error.ends_with('b'), "{reply}");
}

#[tokio::test]
async fn a_misspelt_name_is_told_with_pythons_suggestion() {
    raises("prnt(1)", "NameError: name 'prnt' is not defined. Did you mean: 'print'?").await;
    raises("''.spilt()", "AttributeError: 'str' object has no attribute 'spilt'. Did you mean: 'split'?").await;
    raises("math.pi", "NameError: name 'math' is not defined. Did you forget to import 'math'?").await;
}

#[tokio::test]
async fn an_exception_in_a_thread_is_not_the_scripts() {
    let script = "
        import threading

        def main():
            thread = threading.Thread(target=lambda: 1 / 0)
            thread.start()
            thread.join()
            return 5
    ";
    raising(script).await.succeeds("5", "");
}

#[tokio::test]
async fn a_syntax_error_at_run_time_names_its_own_source() {
    raises("exec('def')", "SyntaxError: invalid syntax (<string>, line 1)").await;
    raises("compile('x = (', 'other.py', 'exec')", "SyntaxError: '(' was never closed (other.py, line 1)").await;
}

#[tokio::test]
async fn ending_the_event_loop_is_no_result() {
    for (statement, start) in [
        ("import sys; sys.exit(3)", "SystemExit: 3"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("asyncio.current_task().cancel(); await asyncio.sleep(1)", "asyncio.exceptions.CancelledError"),
    ] {
        let script = format!("import asyncio\nasync def main():\n    {statement}");
        raising(&script).await.fails(start, "");
    }
}
