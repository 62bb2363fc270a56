//! What is said beside an exception, which stays what Python raised.

use serde_json::json;

use crate::support::{Server, dedent};

#[tokio::test]
async fn refusals_are_explained() {
    for (script, class, hint) in [
        ("import pandsa\ndef main(): pass", "ModuleNotFoundError", "similar modules that are here: pandas"),
        ("import requests\ndef main(): pass", "ModuleNotFoundError", "nothing can be installed at run time"),
        ("import numpy.lienalg\ndef main(): pass", "ModuleNotFoundError", "numpy is here, but has no module lienalg"),
        ("import socket\ndef main(): socket.create_connection(('192.0.2.1', 80))", "PermissionError", "no network"),
        ("import socket\ndef main(): socket.getaddrinfo('example.org', 80)", "socket.gaierror", "no network"),
        (
            "import urllib.request as u\ndef main(): u.urlopen('http://192.0.2.1/')",
            "urllib.error.URLError",
            "no network",
        ),
        ("def main(): open('/usr/x', 'w')", "OSError", "working directory, nothing else"),
        ("def main(): open('/home/me/data.csv')", "FileNotFoundError", "the field `files`"),
        ("import pandas\ndef main(): pandas.read_csv('data.csv')", "FileNotFoundError", "the field `files`"),
        ("import subprocess\ndef main(): subprocess.run(['ls'])", "FileNotFoundError", "no other program than Python"),
        ("def main(): return input()", "EOFError", "`stdin`"),
        ("def main(n): return n", "TypeError", "`inputs`"),
        ("def main(): return float('nan')", "NotSerializable", "\"nan\": \"null\""),
        ("!pip install x\ndef main(): pass", "SyntaxError", "a notebook's commands"),
        ("def main(): return bytearray(1 << 40)", "MemoryError", "memory"),
        ("def main():\n    open('f', 'wb').write(bytes(100 << 20))", "OSError", "a limit on its size"),
    ] {
        let told = Server::shared().run(script).await;
        let error = &told.body["error"];
        let found = error["hint"].as_str().unwrap_or_else(|| panic!("{script}: no hint\n{told}"));
        assert!(found.contains(hint), "{script}: {told}");
        let type_found = error["type"].as_str().unwrap_or_default();
        assert!(type_found == class || (class == "OSError" && type_found.ends_with("Error")), "{script}: {told}");
    }
}

#[tokio::test]
async fn an_ordinary_exception_has_no_hint() {
    for script in [
        "def main(): 1 / 0",
        "def main(): raise OSError('mine')",
        "def main(): {}['x']",
        "def main(): int('x')",
        "import pickle\ndef main(): pickle.loads(b'')",
        "import os\ndef main():\n    r, w = os.pipe()\n    os.set_blocking(r, False)\n    os.read(r, 1)",
        "def main():\n    try: open('none')\n    except OSError: raise ValueError('x') from None",
    ] {
        let told = Server::shared().run(script).await;
        assert!(told.body["error"].get("hint").is_none(), "{script}: {told}");
    }
}

/// The frozen endpoint says what Python says.
#[tokio::test]
async fn execute_has_no_hints() {
    let reply = Server::shared().execute("import pandsa\ndef main(): pass").await;
    reply.fails("ModuleNotFoundError: No module named 'pandsa'", "");
}

#[tokio::test]
async fn a_script_that_breaks_its_hints_is_answered() {
    let script = dedent(
        "
        class Odd(FileNotFoundError):
            @property
            def errno(self):
                raise RuntimeError('no')

            def __str__(self):
                return 'odd'

        def main():
            raise Odd()
        ",
    );
    let told = Server::shared().run(&script).await;
    assert_eq!(told.fails("error", "Odd")["message"], json!("odd"));
}
