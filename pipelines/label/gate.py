"""Who may ask the labeling page's server: only pages of this server, which know its token."""

import secrets
import socket
from collections.abc import Mapping
from urllib.parse import SplitResult, urlsplit

from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

# Bytes of a request; a page sends a few points at a time.
LONGEST = 4 << 20
_HEADERS = (
    (b"content-security-policy", b"default-src 'self'; img-src 'self' blob: data:; "
     b"object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
)  # fmt: skip


class Gate:
    """Lets through only requests that know the token, from pages of this server.

    Args:
      app: what is behind it.
      token: first part of every path.
      hosts: names under which this server may be called; None = under any.
    """

    def __init__(self, app: ASGIApp, token: str, hosts: frozenset[str] | None):
        self._app, self._token, self._hosts = app, token, hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            # No websockets; the lifespan of the server is no request.
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return
        headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
        refusal = self._refused(scope["path"], headers)
        if refusal is not None:
            await refusal(scope, receive, send)
            return
        inside = scope["path"][len(self._token) + 1 :]
        await self._app(
            {**scope, "path": inside, "raw_path": inside.encode()}, receive, _with_headers(send)
        )

    def _refused(self, path: str, headers: Mapping[bytes, str]) -> Response | None:
        host = headers.get(b"host", "")
        name = _address(f"//{host}").hostname or ""
        if self._hosts is not None and name.lower() not in self._hosts:
            return PlainTextResponse("This server is not called by that name.\n", 421)
        origin = headers.get(b"origin")
        if origin is not None and _address(origin).netloc != host:
            return PlainTextResponse("Pages of other sites may not ask.\n", 403)
        if headers.get(b"sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            return PlainTextResponse("Pages of other sites may not ask.\n", 403)
        first = path.split("/")[1] if path.startswith("/") else ""
        if not secrets.compare_digest(first.encode(), self._token.encode()):
            return PlainTextResponse(
                "Open the whole address that `beampose label` printed: it holds the token.\n", 403
            )
        if path == f"/{self._token}":
            return RedirectResponse(f"/{self._token}/", 307)
        length = headers.get(b"content-length", "0")
        if not length.isdecimal() or int(length) > LONGEST:
            return PlainTextResponse("The request is too long.\n", 413)
        if b"transfer-encoding" in headers:
            return PlainTextResponse("The length of the request must be given.\n", 411)
        return None


def _address(text: str) -> SplitResult:
    """The parts of an address; of none, where it is malformed."""
    try:
        return urlsplit(text)
    except ValueError:
        return urlsplit("")


def _with_headers(send: Send) -> Send:
    async def sending(message):
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message["headers"], *_HEADERS]}
        await send(message)

    return sending


def allowed_hosts(host: str) -> frozenset[str] | None:
    """Names under which a server that listens on `host` may be called.

    Those of this machine, whatever it listens on: through a tunnel it is called `localhost`.
    """
    own = {"localhost", "127.0.0.1", "::1", host.lower()}
    if host not in ("127.0.0.1", "localhost", "::1"):
        name = socket.gethostname().lower()
        own |= {name, socket.getfqdn().lower()}
        own |= _addresses(name)
    return frozenset(own - {"0.0.0.0", "::", ""})  # noqa: S104


def _addresses(name: str) -> set[str]:
    try:
        return {str(one[4][0]) for one in socket.getaddrinfo(name, None)}
    except OSError:
        return set()
