"""A proxy on loopback that signs requests as IAM wants it, for programs that cannot: sign.py URL SERVICE REGION.

URL is what it stands for, SERVICE execute-api for an API and lambda for a function's URL. An API key that comes as a bearer
token goes on as X-Api-Key, since IAM's signature takes that header. It says where it listens. Whoever knows that address,
which cannot be guessed, acts with the caller's rights below URL while it runs.
"""

import secrets
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import aws_sdk  # noqa: F401  # first: it says where the others are
import botocore.session
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.httpsession import URLLib3Session

# What concerns one connection only, or is written anew.
NOT_PASSED_ON = {"connection", "content-length", "expect", "host", "keep-alive", "te", "transfer-encoding", "upgrade"}

# Longer than Lambda lets anything take.
PATIENCE_SECONDS = 930


def signing_handler(url, service, region, more, place, only):
    credentials = botocore.session.get_session().get_credentials()
    upstream = URLLib3Session(timeout=PATIENCE_SECONDS, max_pool_connections=64)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self):
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            path = self.path.removeprefix(place)
            if path == self.path or only is not None and (self.command, path) != only:
                self.tell(403, {}, b"this is not what is signed here\n")
                return
            headers = {name.lower(): value for name, value in self.headers.items() if name.lower() not in NOT_PASSED_ON}
            scheme, _, key = headers.pop("authorization", "").partition(" ")
            if scheme.lower() == "bearer":
                headers["x-api-key"] = key
            request = AWSRequest(self.command, url.rstrip("/") + path, {**headers, **more}, body)
            if service:
                SigV4Auth(credentials, service, region).add_auth(request)
            response = upstream.send(request.prepare())
            self.tell(response.status_code, response.headers, response.content)

        def tell(self, status, headers, content):
            self.send_response(status)
            for name, value in headers.items():
                if name.lower() not in NOT_PASSED_ON | {"content-encoding"}:
                    self.send_header(name, value)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = do_OPTIONS = do_PATCH = answer  # noqa: N815

        def log_message(self, *_):
            pass

    return Handler


@contextmanager
def signing(url, service, region, more=(), only=None):
    """The address of a proxy for `url`, which adds the headers `more`, and signs unless `service` is None.

    `only`: the one method and path below `url` that it is for.
    """
    place = f"/{secrets.token_hex(16)}"
    handler = signing_handler(url, service, region, dict(more), place, only)
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}{place}"
    finally:
        server.shutdown()
        server.server_close()


if __name__ == "__main__":
    with signing(*sys.argv[1:4]) as address:
        print(f"{address} stands for {sys.argv[1]}", flush=True)
        threading.Event().wait()
