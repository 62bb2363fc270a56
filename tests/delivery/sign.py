"""What deploy/sign.py signs, and what not: a line for each of four requests."""

import os
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

os.environ.update(AWS_ACCESS_KEY_ID="AKIAIOSFODNN7EXAMPLE", AWS_SECRET_ACCESS_KEY="secret")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent / "deploy"))

from sign import signing  # noqa: E402


class Upstream(BaseHTTPRequestHandler):
    def do_POST(self):  # noqa: N802
        is_signed = self.headers.get("authorization", "").startswith("AWS4-HMAC-SHA256 ")
        content = ("signed" if is_signed else "plain").encode()
        self.send_response(200)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST

    def log_message(self, *_):
        pass


def ask(method, url):
    try:
        with build_opener(ProxyHandler({})).open(Request(url, method=method)) as response:
            return f"{method} /{url.rsplit('/', 1)[1]} {response.status} {response.read().decode()}"
    except HTTPError as error:
        return error.code


upstream = HTTPServer(("127.0.0.1", 0), Upstream)
threading.Thread(target=upstream.serve_forever, daemon=True).start()
base = f"http://127.0.0.1:{upstream.server_port}/functions/name"
with signing(base, "lambda", "eu-central-1", only=("POST", "/invocations")) as address:
    print(ask("POST", f"{address}/invocations"))
    print(ask("POST", f"{address}/code"))
    print(ask("GET", f"{address}/invocations"))
    print(ask("POST", f"{address.rsplit('/', 1)[0]}/invocations"))
