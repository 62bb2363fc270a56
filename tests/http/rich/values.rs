//! Results of people who work with data. docs/API.md has the table.

use serde_json::{Value, json};

use crate::support::Server;

async fn is(expression: &str, expected: Value) {
    let script = format!(
        "
        import collections, dataclasses, datetime, decimal, enum, pathlib, uuid
        import numpy as np, pandas as pd

        class Colour(enum.Enum):
            RED = 'red'

        class Number(enum.IntEnum):
            ONE = 1

        @dataclasses.dataclass
        class Point:
            x: int
            y: object
            SCALE = 3

        Pair = collections.namedtuple('Pair', 'a b')

        def main():
            return {expression}
        "
    );
    let told = Server::shared().run(&script).await;
    assert_eq!((told.status(), &told.body["result"]), ("ok", &expected), "{expression}: {told}");
}

macro_rules! values {
    ($($test:ident: { $($expression:literal => $expected:tt,)* })*) => {
        $(
            #[tokio::test]
            async fn $test() {
                $(is($expression, json!($expected)).await;)*
            }
        )*
    };
}

values! {
    plain_data_is_as_everywhere: {
        "[None, True, 1, 1.5, 'é', (1, 2), {'a': [], 1: 2}]" => [null, true, 1, 1.5, "é", [1, 2], {"a": [], "1": 2}],
        "Pair(1, [2])" => [1, [2]],
    }
    numpy_scalars: {
        "[np.int64(1), np.float32(0.5), np.bool_(True), np.str_('x')]" => [1, 0.5, true, "x"],
        "[np.datetime64('2024-01-02T03:04:05'), np.timedelta64(90, 's'), np.datetime64('NaT')]" => ["2024-01-02T03:04:05", "PT1M30S", null],
    }
    numpy_arrays: {
        "np.arange(6).reshape(2, 3)" => [[0, 1, 2], [3, 4, 5]],
        "[np.array(5), np.array([]), np.array([True, False]), np.array(['a', 'b'])]" => [5, [], [true, false], ["a", "b"]],
        "np.array(['2024-01-01', 'NaT'], dtype='M8[D]')" => ["2024-01-01", null],
        "np.array([[1500, 0]], dtype='m8[ms]')" => [["PT1.5S", "PT0S"]],
        "np.array([1, None, 'x', [2]], dtype=object)" => [1, null, "x", [2]],
        "np.array([2**64 - 1], dtype='u8')" => [18_446_744_073_709_551_615_u64],
    }
    a_frame_is_split: {
        "pd.DataFrame({'a': [1, 2], 'b': ['x', None]}, index=['r', 's'])" => {"index": ["r", "s"], "columns": ["a", "b"], "data": [[1, "x"], [2, null]]},
        "pd.DataFrame()" => {"index": [], "columns": [], "data": []},
        "pd.DataFrame({'t': pd.to_datetime(['2024-01-01 10:00', None])})" => {"index": [0, 1], "columns": ["t"], "data": [["2024-01-01T10:00:00"], [null]]},
        "pd.DataFrame({'a': [1]}, index=pd.date_range('2024-01-01', periods=1))" => {"index": ["2024-01-01T00:00:00"], "columns": ["a"], "data": [[1]]},
        "pd.DataFrame({'n': pd.array([1, None], dtype='Int64'), 'c': pd.Categorical(['x', 'y'])})" => {"index": [0, 1], "columns": ["n", "c"], "data": [[1, "x"], [null, "y"]]},
    }
    labels_with_names_or_levels_are_told_of: {
        "pd.DataFrame({('a', 1): [1], ('b', 2): [2]})" => {"index": [0], "columns": [["a", 1], ["b", 2]], "data": [[1, 2]], "index_names": [null], "column_names": [null, null]},
        "pd.DataFrame({'k': ['x', 'x', 'y'], 'n': [1, 2, 3]}).groupby('k').sum()" => {"index": ["x", "y"], "columns": ["n"], "data": [[3], [3]], "index_names": ["k"], "column_names": [null]},
        "pd.Series([1, 2], index=pd.MultiIndex.from_tuples([('x', 1), ('y', None)], names=['a', 'b']))" => {"name": null, "index": [["x", 1.0], ["y", null]], "data": [1, 2], "index_names": ["a", "b"]},
    }
    what_is_missing_is_null: {
        "[pd.Series(['a', None]).unique(), pd.array([1, None]), pd.Series(['a', 'b']).array]" => [["a", null], [1, null], ["a", "b"]],
        "[pd.Index(['a', None]), pd.Categorical(['a', None])]" => [["a", null], ["a", null]],
        "pd.Series(['a', None]).value_counts(dropna=False)" => {"name": "count", "index": ["a", null], "data": [1, 1]},
        "pd.DataFrame({'k': ['x', None], 'n': [1, 2]}).groupby('k', dropna=False).sum()['n']" => {"name": "n", "index": ["x", null], "data": [1, 2], "index_names": ["k"]},
        "pd.to_datetime(pd.Series(['2024-01-01', None]), utc=True).unique()" => ["2024-01-01T00:00:00+00:00", null],
    }
    durations_of_any_unit: {
        "[np.timedelta64(3, 'M'), np.timedelta64(-2, 'Y'), np.timedelta64(200000, 'D'), np.timedelta64(2, 'W')]" => ["P3M", "-P2Y", "P200000D", "P14D"],
        "np.array([1, -1500], dtype='m8[ps]')" => ["PT0.000000000001S", "-PT0.0000000015S"],
        "[pd.Timedelta(10**6, unit='D').as_unit('s'), np.timedelta64(5, 'm'), np.timedelta64('NaT')]" => ["P1000000D", "PT5M", null],
    }
    a_series_has_a_name: {
        "pd.Series([1, 2], name='n', index=['a', 'b'])" => {"name": "n", "index": ["a", "b"], "data": [1, 2]},
        "pd.Series([pd.Timestamp('2024-01-01', tz='UTC')])" => {"name": null, "index": [0], "data": ["2024-01-01T00:00:00+00:00"]},
        "pd.Index([3, 4])" => [3, 4],
        "pd.MultiIndex.from_tuples([('a', 1)])" => [["a", 1]],
        "[pd.Timedelta('1 days 00:00:00.000000001'), pd.Period('2024-03'), pd.NaT, pd.NA]" => ["P1DT0.000000001S", "2024-03", null, null],
    }
    times: {
        "[datetime.datetime(2024, 1, 2, 3, 4, 5, 6), datetime.date(2024, 1, 2), datetime.time(3, 4)]" => ["2024-01-02T03:04:05.000006", "2024-01-02", "03:04:00"],
        "datetime.datetime(2024, 1, 2, tzinfo=datetime.timezone.utc)" => "2024-01-02T00:00:00+00:00",
        "[datetime.timedelta(days=1, hours=2, seconds=3.5), datetime.timedelta(seconds=-90), datetime.timedelta(0), datetime.timedelta(days=2)]" => ["P1DT2H3.5S", "-PT1M30S", "PT0S", "P2D"],
    }
    other_types: {
        "decimal.Decimal('1.10')" => "1.10",
        "uuid.UUID(int=5)" => "00000000-0000-0000-0000-000000000005",
        "[pathlib.Path('/a/b'), pathlib.PurePosixPath('c')]" => ["/a/b", "c"],
        "[b'a\\xff', bytearray(b'b'), memoryview(b'')]" => [{"base64": "Yf8="}, {"base64": "Yg=="}, {"base64": ""}],
        "[Colour.RED, Number.ONE]" => ["red", 1],
        "Point(1, Point(2, np.int8(3)))" => {"x": 1, "y": {"x": 2, "y": 3}},
    }
    sets_have_an_order: {
        "{3, 1, 2}" => [1, 2, 3],
        "frozenset('cab')" => ["a", "b", "c"],
        "{2, 'a', 1.5, None}" => ["a", 1.5, 2, null],
        "{frozenset({2, 1}), frozenset({0})}" => [[0], [1, 2]],
        "set(np.array([10, 1, 3]))" => [1, 3, 10],
        "{frozenset([(1, datetime.date(2024, 1, 2))])}" => [[[1, "2024-01-02"]]],
        "{datetime.date(2024, 1, 2), datetime.date(2023, 1, 2)}" => ["2023-01-02", "2024-01-02"],
    }
    keys_become_text: {
        "{Colour.RED: 1, datetime.date(2024, 1, 2): 2, uuid.UUID(int=0): 3, np.int64(7): 4}" => {"red": 1, "2024-01-02": 2, "00000000-0000-0000-0000-000000000000": 3, "7": 4},
        "pd.Series([1], index=pd.date_range('2024-01-01', periods=1)).to_dict()" => {"2024-01-01T00:00:00": 1},
    }
}

#[tokio::test]
async fn frames_and_series_come_back_as_they_were() {
    let script = "
        import json
        import numpy as np, pandas as pd

        FRAME = pd.DataFrame({'a': [1, 2], 'b': [0.1 + 0.2, 1e300]}, index=['r', 's'])
        SERIES = pd.Series([1.5, 2.5], name='n', index=[5, 6])

        def main(frame=None, series=None):
            if frame is None:
                return [FRAME, SERIES]
            return pd.DataFrame(**frame).equals(FRAME) and pd.Series(**series).equals(SERIES)
    ";
    let named = "
        import pandas as pd

        FRAME = pd.DataFrame({('a', 1): [1, 2], ('b', 2): [3, 4]}, index=pd.Index(['r', 's'], name='row'))
        DEEP = pd.DataFrame({'x': [1, 2]}, index=pd.MultiIndex.from_tuples([('p', 1), ('q', 2)], names=['l', 'm']))

        def main(frames=None):
            if frames is None:
                return [FRAME, DEEP]
            same = [pd.DataFrame.from_dict(told, orient='tight') for told in frames]
            for found, frame in zip(same, [FRAME, DEEP]):
                pd.testing.assert_frame_equal(found, frame)
            return True
    ";
    let told = Server::shared().run(named).await;
    let inputs = json!({ "frames": told.body["result"] });
    Server::shared().run_with(named, json!({ "inputs": inputs })).await.returns(&json!(true));
    let told = Server::shared().run(script).await;
    let inputs = json!({ "frame": told.body["result"][0], "series": told.body["result"][1] });
    Server::shared().run_with(script, json!({ "inputs": inputs })).await.returns(&json!(true));
}

#[tokio::test]
async fn nan_is_an_error_unless_it_may_become_null() {
    let script = "
        import numpy as np, pandas as pd

        def main():
            plain = [float('nan'), {'a': (float('inf'), 1.5)}]
            return [plain, np.array([1, np.nan]), np.float64('-inf'), pd.DataFrame({'x': [1, None]}), {None: 1}]
    ";
    let server = Server::shared();
    for fields in [json!({}), json!({ "nan": "error" })] {
        let told = server.run_with(script, fields).await;
        let error = told.fails("error", "NotSerializable");
        let message = error["message"].as_str().expect("a message");
        assert!(message.contains("NaN and infinities have no JSON form"), "{told}");
    }
    let expected = json!([
        [null, { "a": [null, 1.5] }], [1.0, null], null,
        { "index": [0, 1], "columns": ["x"], "data": [[1.0], [null]] }, { "null": 1 },
    ]);
    server.run_with(script, json!({ "nan": "null" })).await.returns(&expected);
}

#[tokio::test]
async fn what_has_no_form_is_named() {
    for (expression, message) in [
        ("object()", "Object of type object is not JSON serializable"),
        ("[1j]", "Object of type complex is not JSON serializable; return its .real and .imag"),
        ("{(1, 2): 3}", "keys must be text, numbers, dates or the like, not tuple"),
        (
            "{__import__('datetime').date(2024, 1, 2): 1, '2024-01-02': 2}",
            "two keys become the same text, '2024-01-02'",
        ),
        (
            "__import__('numpy').zeros(2, dtype=[('a', 'i4')])",
            "a structured array is not JSON serializable; return .tolist(), or a dictionary of its fields",
        ),
        ("(x for x in [])", "Object of type generator is not JSON serializable; return list() of it"),
    ] {
        let told = Server::shared().run(&format!("def main(): return {expression}")).await;
        let error = told.fails("error", "NotSerializable");
        assert_eq!(error["message"], format!("result is not JSON serializable: {message}"), "{told}");
    }
    let circle = "def main():\n    x = []\n    x.append(x)\n    return x";
    Server::shared().run(circle).await.fails("error", "NotSerializable");
    Server::shared().run_with(circle, json!({ "nan": "null" })).await.fails("error", "NotSerializable");
}

/// The frozen endpoint knows numpy's scalars, and none of the rest.
#[tokio::test]
async fn execute_stays_as_it_is() {
    let server = Server::shared();
    server
        .execute("import numpy\ndef main(): return [numpy.int64(1), numpy.float32(.5)]")
        .await
        .succeeds("[1,0.5]", "");
    for (expression, error) in [
        ("numpy.arange(2)", "Object of type ndarray is not JSON serializable; return .tolist()"),
        ("{1}", "Object of type set is not JSON serializable; return a list"),
        ("b''", "Object of type bytes is not JSON serializable; return .decode() or .hex()"),
        ("{(1,): 2}", "keys must be str, int, float, bool or None, not tuple"),
    ] {
        let reply = server.execute(&format!("import numpy\ndef main(): return {expression}")).await;
        reply.fails(&format!("result is not JSON serializable: {error}"), "");
    }
}
