//! Unusual source text: what editors, web forms and other systems make of a script.

use serde_json::json;

use crate::support::{Reply, Server};

/// Posts the script as it is, without any change to its indentation.
async fn verbatim(script: &str) -> Reply {
    Server::shared().post(json!({ "script": script }).to_string()).await
}

#[tokio::test]
async fn a_byte_order_mark_is_ignored() {
    verbatim("\u{feff}def main():\n    return 5\n").await.succeeds("5", "");
}

#[tokio::test]
async fn line_ends_of_every_kind_are_line_ends() {
    verbatim("def main():\r\n    x = 5\r\n    return x\r\n").await.succeeds("5", "");
    verbatim("def main():\r    x = 5\r    return x\r").await.succeeds("5", "");
    verbatim("def main():\r\n    return len('''a\r\nb''')").await.succeeds("3", "");
    let wrong = verbatim("x = 1\r\ny = (\r\n").await;
    wrong.fails("SyntaxError: '(' was never closed (script.py, line 2)", "");
}

#[tokio::test]
async fn a_coding_line_is_only_a_comment() {
    for coding in ["latin-1", "utf-8", "ascii", "utf-16", "no-such-coding"] {
        let script = format!("# -*- coding: {coding} -*-\ndef main():\n    return 'é' == '\\xe9'");
        verbatim(&script).await.succeeds("true", "");
    }
    verbatim("#!/usr/bin/env python3\n# vim: set fileencoding=cp1252 :\ndef main(): return len('é€')")
        .await
        .succeeds("2", "");
}

#[tokio::test]
async fn a_null_character_is_a_syntax_error() {
    for script in ["def main(): return 1\0", "\0", "# \0\ndef main(): return 1"] {
        let reply = verbatim(script).await;
        reply.fails_with("SyntaxError: source code string cannot contain null bytes");
        assert_eq!(reply.failure().stdout, "", "{reply}");
    }
}

#[tokio::test]
async fn form_feeds_and_tabs_are_white_space() {
    verbatim("\u{c}\ndef main():\n\u{c}    return 5").await.succeeds("5", "");
    verbatim("def main():\n\tif True:\n\t\treturn 5").await.succeeds("5", "");
    verbatim("def main():\n\treturn 5\t\n\t").await.succeeds("5", "");
}

#[tokio::test]
async fn other_spaces_are_a_syntax_error_with_their_name() {
    let reply = verbatim("def main():\n\u{a0}   return 5").await;
    reply.fails("SyntaxError: invalid non-printable character U+00A0 (script.py, line 2)", "");
}

#[tokio::test]
async fn names_may_be_in_any_script() {
    verbatim("größe = 2\nπ = 3\ndef main():\n    return größe + π").await.succeeds("5", "");
}

#[tokio::test]
async fn source_without_a_line_end_or_with_much_white_space_runs() {
    verbatim("def main(): return 5").await.succeeds("5", "");
    verbatim("\n\n\n   \n\t\ndef main(): return 5\n\n    \n").await.succeeds("5", "");
    verbatim("def main(): \\\n  return 5").await.succeeds("5", "");
}

#[tokio::test]
async fn future_imports_and_doc_strings_keep_their_place() {
    let script = "'''doc'''\nfrom __future__ import annotations\ndef main(x: nowhere = 5): return [__doc__, x]";
    let reply = verbatim(script).await;
    assert_eq!(reply.returned::<serde_json::Value>(), json!(["doc", 5]), "{reply}");
}

#[tokio::test]
async fn a_large_script_runs() {
    let lines: Vec<String> = (0..50_000).map(|number| format!("x{number} = {number}\n")).collect();
    let script = format!("{}def main(): return x49999", lines.concat());
    verbatim(&script).await.succeeds("49999", "");
}

#[tokio::test]
async fn warnings_of_the_compiler_are_not_output() {
    let script = r"def main(): return len('\d') is 2 or 5";
    verbatim(script).await.success();
    assert_eq!(verbatim(script).await.success().stdout, "");
}

#[tokio::test]
async fn the_script_may_hide_the_names_that_the_service_needs() {
    for hidden in [
        "json = None",
        "import sys\nsys.modules.clear()",
        "import builtins\nbuiltins.print = builtins.open = builtins.len = None",
        "import json\njson.dumps = None\njson.JSONEncoder = None",
        "__builtins__ = {}",
        "import os\nos.write = None\nos._exit = None",
        "import sys\nsys.path.clear()\nsys.meta_path.clear()",
        "import gc\ngc.disable()\ngc.set_threshold(0)",
        "import sys\nsys.settrace(lambda *a: None)\nsys.setprofile(lambda *a: None)",
        "import sys\nsys.excepthook = None\nsys.displayhook = None",
    ] {
        let reply = verbatim(&format!("{hidden}\ndef main():\n    return 5")).await;
        reply.succeeds("5", "");
    }
}
