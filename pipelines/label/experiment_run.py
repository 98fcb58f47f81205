"""`beampose run` of the experiment, started by a button: its lines and its end."""

import collections
import contextlib
import os
import signal
import subprocess
import sys
import threading
from typing import Any

# Lines that are kept to be shown.
_LINES = 200


class ExperimentRun:
    """A run of an experiment in a process of its own.

    Attributes:
      config: the experiment's file; empty if there is none.
    """

    def __init__(self, config: str):
        self.config = config
        self._process: subprocess.Popen | None = None
        self._lines: collections.deque[str] = collections.deque(maxlen=_LINES)

    def state(self) -> dict[str, Any]:
        """Whether it is at work, how it ended, and what it printed last."""
        code = self._process.poll() if self._process else None
        return {
            "running": self._process is not None and code is None,
            "code": code,
            "lines": list(self._lines)[-12:],
        }

    def start(self) -> None:
        """Starts it. Raises ValueError if it is at work."""
        if self._process is not None and self._process.poll() is None:
            raise ValueError("It is running already.")
        self._lines.clear()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "beampose.pipelines.cli", "run", self.config],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            start_new_session=os.name != "nt",
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        threading.Thread(target=self._read, args=(self._process,), daemon=True).start()

    def stop(self) -> None:
        """Stops it, with all that it started; the same again goes on where it was."""
        if self._process is None or self._process.poll() is not None:
            return
        with contextlib.suppress(OSError):
            if os.name == "nt":
                self._process.terminate()
            else:
                os.killpg(self._process.pid, signal.SIGINT)
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()

    def _read(self, process: subprocess.Popen) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            self._lines.append(line.decode("utf-8", "replace").rstrip())
