"""The socket and the loop of the labeling page's server."""

import signal
import socket
import sys

import uvicorn
from starlette.types import ASGIApp


def bind(host: str, port: int) -> socket.socket:
    """A socket bound to a port (0: a free one).

    Raises:
      OSError: the port is taken or the host is not of this machine; the text says so.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    found = socket.socket(family, socket.SOCK_STREAM)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind((host, port))
        # A browser that is faster than the server waits.
        found.listen()
    except OSError as error:
        found.close()
        raise OSError(
            f"{host}:{port} cannot be listened on: {error.strerror or error}. Choose another "
            "--port, or another --host."
        ) from None
    return found


def serve(app: ASGIApp, bound: socket.socket) -> None:
    """Serves until the process is told to stop."""
    # Uvicorn hands the signal on once it has ended; whoever called then tidies up.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    uvicorn.Server(settings(app)).run(sockets=[bound])


def settings(app: ASGIApp) -> uvicorn.Config:
    """How the server runs: no log of addresses, which hold the token."""
    return uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        lifespan="off",
        ws="none",
        server_header=False,
        timeout_graceful_shutdown=3,
    )


def address(host: str, port: int, token: str) -> str:
    """The page's address, for a browser."""
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/{token}/"
