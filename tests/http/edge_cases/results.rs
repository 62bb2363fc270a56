//! What `main` returns, from the smallest value to what JSON cannot hold.

use serde_json::{Value, json};

use crate::support::{Reply, Server};

async fn value_of(expression: &str) -> Reply {
    Server::shared().execute(&format!("def main():\n    return {expression}")).await
}

#[tokio::test]
async fn plain_values_arrive_unchanged() {
    for (expression, expected) in [
        ("None", "null"),
        ("True", "true"),
        ("False", "false"),
        ("0", "0"),
        ("-1", "-1"),
        ("1.0", "1.0"),
        ("-0.0", "-0.0"),
        ("0.1 + 0.2", "0.30000000000000004"),
        ("5e-324", "5e-324"),
        ("1.7976931348623157e308", "1.7976931348623157e+308"),
        ("''", r#""""#),
        ("[]", "[]"),
        ("{}", "{}"),
        ("()", "[]"),
    ] {
        value_of(expression).await.succeeds(expected, "");
    }
}

#[tokio::test]
async fn containers_arrive_unchanged() {
    for (expression, expected) in [
        ("(1, (2, [3]))", json!([1, [2, [3]]])),
        ("{'a': {'b': [None, True, 'x']}}", json!({ "a": { "b": [null, true, "x"] } })),
        ("__import__('collections').OrderedDict(a=1)", json!({ "a": 1 })),
        ("__import__('collections').Counter('aab')", json!({ "a": 2, "b": 1 })),
        ("__import__('collections').namedtuple('P', 'x y')(1, 2)", json!([1, 2])),
        ("__import__('enum').IntEnum('E', 'A B').B", json!(2)),
    ] {
        let reply = value_of(expression).await;
        assert_eq!(reply.returned::<Value>(), expected, "{expression}\n{reply}");
    }
}

#[tokio::test]
async fn text_arrives_unchanged() {
    for (expression, expected) in [
        (r#""quote \" backslash \\ slash /""#, "quote \" backslash \\ slash /"),
        (r"'\n\r\t\b\f\0\x1f\x7f'", "\n\r\t\u{8}\u{c}\u{0}\u{1f}\u{7f}"),
        (r"'é€😀 \u2028\u2029\ufeff\ufffe'", "é€😀 \u{2028}\u{2029}\u{feff}\u{fffe}"),
        (r"'</script>'", "</script>"),
        (r"'\ud83d\ude00'.encode('utf-16', 'surrogatepass').decode('utf-16')", "😀"),
    ] {
        let reply = value_of(expression).await;
        assert_eq!(reply.returned::<String>(), expected, "{reply}");
    }
}

#[tokio::test]
async fn half_a_surrogate_pair_is_no_json() {
    for expression in [r"'\ud800'", r"['x', '\udfff']", r"{'\ud800': 1}", r"'\ude00\ud83d'"] {
        value_of(expression).await.fails_with("result is not JSON serializable: ");
    }
}

#[tokio::test]
async fn whole_numbers_of_any_size_arrive_exactly() {
    value_of("2 ** 63").await.succeeds("9223372036854775808", "");
    value_of("-(2 ** 64)").await.succeeds("-18446744073709551616", "");
    value_of("10 ** 4000").await.succeeds(&format!("1{}", "0".repeat(4000)), "");
    value_of("10 ** 5000").await.fails_with("result is not JSON serializable: ");
}

#[tokio::test]
async fn nan_and_infinity_are_no_json() {
    for expression in [
        "float('nan')",
        "float('inf')",
        "[1, -float('inf')]",
        "{'a': {'b': float('nan')}}",
        "{float('nan'): 1}",
        "__import__('numpy').float64('nan')",
        "__import__('numpy').float32('inf')",
        "__import__('numpy').array([1.0, float('nan')]).tolist()",
    ] {
        let reply = value_of(expression).await;
        reply.fails_with("result is not JSON serializable: ");
    }
}

#[tokio::test]
async fn keys_follow_pythons_rules() {
    let reply = value_of("{True: 1, None: 2, 3: 4, 1.5: 5, 'x': 6, False: 7}").await;
    let expected = json!({ "true": 1, "null": 2, "3": 4, "1.5": 5, "x": 6, "false": 7 });
    assert_eq!(reply.returned::<Value>(), expected, "{reply}");
    for expression in ["{(1, 2): 3}", "{b'x': 1}", "{frozenset(): 1}"] {
        value_of(expression).await.fails_with("result is not JSON serializable: ");
    }
}

#[tokio::test]
async fn numpy_scalars_become_the_values_that_they_hold() {
    for (expression, expected) in [
        ("float64(1.5)", "1.5"),
        ("float32(0.5)", "0.5"),
        ("float16(2)", "2.0"),
        ("int64(-3)", "-3"),
        ("int8(-128)", "-128"),
        ("uint64(2 ** 64 - 1)", "18446744073709551615"),
        ("bool_(True)", "true"),
        ("bool_(False)", "false"),
        ("str_('x')", r#""x""#),
        ("arange(5).sum()", "10"),
        ("array([1, 2]).max()", "2"),
        ("array([1.0, 2.0]).mean()", "1.5"),
        ("array([1]) .any()", "true"),
    ] {
        value_of(&format!("__import__('numpy').{expression}")).await.succeeds(expected, "");
    }
    let nested = value_of("{'a': [__import__('numpy').int32(7)]}").await;
    assert_eq!(nested.returned::<Value>(), json!({ "a": [7] }));
    let pandas = "__import__('pandas').DataFrame({'x': [1, 2]})['x'].sum()";
    value_of(pandas).await.succeeds("3", "");
}

#[tokio::test]
async fn what_json_refuses_is_named_with_the_fix_where_there_is_one() {
    for (expression, words) in [
        ("__import__('numpy').arange(3)", ["ndarray", ".tolist()"]),
        ("{'a': [__import__('numpy').zeros((2, 2))]}", ["ndarray", ".tolist()"]),
        ("__import__('pandas').DataFrame({'x': [1]})", ["DataFrame", ".to_dict("]),
        ("__import__('pandas').Series([1])", ["Series", ".to"]),
        ("{1, 2}", ["set", "set"]),
        ("b'x'", ["bytes", "bytes"]),
        ("__import__('datetime').datetime(2024, 1, 1)", ["datetime", "datetime"]),
        ("__import__('datetime').date(2024, 1, 1)", ["date", "date"]),
        ("__import__('decimal').Decimal(1)", ["Decimal", "Decimal"]),
        ("__import__('uuid').uuid4()", ["UUID", "UUID"]),
        ("__import__('pathlib').Path('.')", ["Path", "Path"]),
        ("1j", ["complex", "complex"]),
        ("range(3)", ["range", "range"]),
        ("(x for x in [])", ["generator", "generator"]),
        ("{}.keys()", ["dict_keys", "dict_keys"]),
        ("object()", ["object", "object"]),
        ("main", ["function", "function"]),
        ("int", ["type", "type"]),
        ("__import__('numpy').complex128(1)", ["complex", "complex"]),
        ("__import__('numpy').datetime64('2024')", ["datetime64", "datetime64"]),
    ] {
        let reply = value_of(expression).await;
        let error = reply.fails_with("result is not JSON serializable: ");
        for word in words {
            assert!(error.contains(word), "{expression}: no `{word}` in the error\n{reply}");
        }
    }
}

#[tokio::test]
async fn an_object_of_the_scripts_own_class_is_named() {
    let script = "
        class Mine:
            pass

        def main():
            return [Mine()]
    ";
    let reply = Server::shared().execute(script).await;
    let error = reply.fails_with("result is not JSON serializable: ");
    assert!(error.contains("Mine"), "{reply}");
}

#[tokio::test]
async fn a_value_that_contains_itself_is_no_json() {
    for value in ["x = []; x.append(x)", "x = {}; x['x'] = x", "x = {}; x['x'] = [x]"] {
        let script = format!("def main():\n    {value}\n    return x");
        let reply = Server::shared().execute(&script).await;
        reply.fails_with("result is not JSON serializable: ");
    }
}

#[tokio::test]
async fn a_result_is_measured_as_json_to_the_byte() {
    let limit = 5 << 20;
    let text = |bytes: usize| format!("'x' * {}", bytes - 2);
    let reply = value_of(&text(limit)).await;
    assert_eq!(reply.success().value.len(), limit);
    value_of(&text(limit + 1)).await.fails("result is larger than 5242880 bytes", "");
    value_of("'x' * 50_000_000").await.fails("result is larger than 5242880 bytes", "");
    value_of("[0] * 3_000_000").await.fails("result is larger than 5242880 bytes", "");
}

#[tokio::test]
async fn a_large_result_and_much_output_fit_one_answer() {
    let script = "
        def main():
            print('y' * 1_000_000)
            return 'x' * 5_000_000
    ";
    let reply = Server::shared().execute(script).await;
    let outcome = reply.success();
    assert_eq!((outcome.value.len(), outcome.stdout.len()), (5_000_002, 1_000_001));
}

#[tokio::test]
async fn the_limit_of_the_result_is_the_operators() {
    let server = Server::with(&[("EXECUTOR_MAX_RESULT_BYTES", "2000"), ("EXECUTOR_PRELOAD", "")]);
    let text = |bytes: usize| format!("def main(): return 'x' * {}", bytes - 2);
    assert_eq!(server.execute(&text(2000)).await.success().value.len(), 2000);
    server.execute(&text(2001)).await.fails("result is larger than 2000 bytes", "");
}

/// A value that is nested this deep, made without recursion.
fn nested(kind: &str, depth: usize) -> String {
    format!("def main():\n    value = 0\n    for _ in range({depth}):\n        value = {kind}\n    return value")
}

#[tokio::test]
async fn five_hundred_levels_arrive() {
    let server = Server::shared();
    let lists = format!("{}0{}", "[".repeat(500), "]".repeat(500));
    let objects = format!("{}0{}", r#"{"a":"#.repeat(500), "}".repeat(500));
    for (kind, expected) in [
        ("[value]", lists),
        ("(value,)", format!("{}0{}", "[".repeat(500), "]".repeat(500))),
        ("{'a': value}", objects),
    ] {
        let reply = server.execute(&nested(kind, 500)).await;
        assert_eq!(reply.success().value.replace(' ', ""), expected, "{reply}");
    }
}

#[tokio::test]
async fn a_hundred_thousand_levels_are_an_error() {
    for kind in ["[value]", "{'a': value}"] {
        for depth in [100_000, 1_000_000] {
            let reply = Server::shared().execute(&nested(kind, depth)).await;
            reply.fails_with("result is not JSON serializable: ");
            Server::shared().is_well().await;
        }
    }
}

#[tokio::test]
async fn recursion_without_end_is_pythons_own_error() {
    let script = "
        def main(depth=0):
            return main(depth + 1)
    ";
    Server::shared().execute(script).await.fails("RecursionError: maximum recursion depth exceeded", "");
}

#[tokio::test]
async fn recursion_without_its_guard_ends_the_script_only() {
    for (script, what) in [
        ("import sys\nsys.setrecursionlimit(10 ** 8)\ndef main(): return main()", "frames"),
        (
            "import sys\nsys.setrecursionlimit(10 ** 8)\nclass A:\n    def __repr__(self): return repr(self)\ndef main(): return repr(A())",
            "calls of C",
        ),
        ("def main(): return eval('(' * 100_000 + ')' * 100_000)", "brackets"),
        ("def main(): return eval('-' * 1_000_000 + '1')", "signs"),
    ] {
        let reply = Server::shared().execute_with(script, json!({ "timeout": 10 })).await;
        assert_eq!(reply.status, 400, "{what}\n{reply}");
        reply.failure();
        Server::shared().is_well().await;
    }
}
