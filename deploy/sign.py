"""A proxy on loopback that signs requests as IAM wants it, for programs that cannot: sign.py URL SERVICE REGION.

URL is what it stands for, SERVICE execute-api for an API and lambda for a function's URL or Lambda itself. An API key that comes
as a bearer token goes on as X-Api-Key, since IAM's signature takes that header. It says where it listens, and whoever can
connect there acts with the caller's rights while it runs.
"""

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


def signing_handler(url, service, region, more):
    credentials = botocore.session.get_session().get_credentials()
    upstream = URLLib3Session(timeout=PATIENCE_SECONDS, max_pool_connections=64)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self):
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items() if name.lower() not in NOT_PASSED_ON}
            scheme, _, key = headers.pop("authorization", "").partition(" ")
            if scheme.lower() == "bearer":
                headers["x-api-key"] = key
            request = AWSRequest(self.command, url.rstrip("/") + self.path, {**headers, **more}, body)
            if service:
                SigV4Auth(credentials, service, region).add_auth(request)
            response = upstream.send(request.prepare())
            content = response.content
            self.send_response(response.status_code)
            for name, value in response.headers.items():
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
def signing(url, service, region, more=()):
    """The address of a proxy for `url`, which adds the headers `more`, and signs unless `service` is None."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), signing_handler(url, service, region, dict(more)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


if __name__ == "__main__":
    with signing(*sys.argv[1:4]) as address:
        print(f"{address} stands for {sys.argv[1]}", flush=True)
        threading.Event().wait()
