"""A local HTTP server for stand-ins of services; it notes all requests."""

import contextlib
import json
import sys
import threading
import urllib.parse
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple


class Request(NamedTuple):
    """A request; `path` is unescaped nowhere, `query` is; `all` holds words given several times."""

    method: str
    path: str
    query: dict[str, str]
    headers: Any
    body: bytes
    all: dict[str, list[str]] = {}

    def json(self) -> dict[str, Any]:
        return json.loads(self.body or b"{}")


class Answer(NamedTuple):
    """Answer to a request; a dict or list becomes JSON."""

    body: Any = b""
    status: int = 200
    headers: dict[str, str] = {}


# What a network answers in the place of any service until somebody signs in.
PAGE = Answer(b"<html><body>Please sign in</body></html>", 200, {"Content-Type": "text/html"})
Handler = Callable[[Request], Answer]


def not_found(what: str) -> Answer:
    return error(404, "NOT_FOUND", f"{what} does not exist")


def error(code: int, status: str, message: str) -> Answer:
    """An error as Google's services send it."""
    return Answer({"error": {"code": code, "status": status, "message": message}}, code)


class _Quiet(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        # Clients that are killed, or have enough, close their connections.
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class _Asked(BaseHTTPRequestHandler):
    """One connection; subclasses know the handler and the list of requests."""

    protocol_version = "HTTP/1.1"
    # Header and body are two writes, which would wait 40 ms for each other.
    disable_nagle_algorithm = True
    handler: Handler
    noted: list[Request]

    def log_message(self, format, *args):
        pass

    def respond(self):
        address = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(address.query))
        every = urllib.parse.parse_qs(address.query)
        request = Request(self.command, address.path, query, self.headers, self._body(), every)
        self.noted.append(request)
        answer = type(self).handler(request)
        body = answer.body
        if not isinstance(body, bytes):
            body = json.dumps(body).encode()
        self.send_response(answer.status)
        for name, value in {"Content-Type": "application/json", **answer.headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        # A client may have read enough and gone.
        with contextlib.suppress(ConnectionError):
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_HEAD = respond


class Server:
    """Serves a handler on a free port until `close`; `requests` lists what came in."""

    def __init__(self, handler: Handler):
        self.requests: list[Request] = []
        known = {"handler": staticmethod(handler), "noted": self.requests}
        self._http = _Quiet(("localhost", 0), type("Asked", (_Asked,), known))
        self.url = f"http://localhost:{self._http.server_address[1]}"
        threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()
