"""Cloud Run's jobs on this machine: executions really run, and are started again if they fail."""

import itertools
import os
import re
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from typing import Any

from cloud.server import Answer, Request, Server, error, not_found

RUN = re.compile(r"/v2/(projects/[^/]+/locations/[^/]+/jobs/[^/]+):run$")
FIELDS = {"overrides", "validateOnly", "etag"}
OVERRIDES = {"containerOverrides", "taskCount", "timeout"}
CONTAINER = {"name", "args", "env", "clearArgs"}


class CloudRun:
    """`executions` are the words of each by its name, `tries` how often each was started.

    Args:
      job: the one that exists, projects/P/locations/R/jobs/NAME; its command is `python`.
      retries: of an execution that ends with another code than 0.
      killer: is given each process; may kill it.
      execute: False starts nothing.
      allowed: whether the caller has roles/run.jobsExecutorWithOverrides.
    """

    def __init__(
        self,
        job: str,
        *,
        retries: int = 3,
        killer: Callable[[subprocess.Popen], Any] | None = None,
        execute: bool = True,
        allowed: bool = True,
        environment: dict[str, str] | None = None,
    ):
        self.job, self.allowed = job, allowed
        self.executions: dict[str, list[str]] = {}
        self.tries: dict[str, int] = {}
        self.logs: dict[str, str] = {}
        self._retries, self._killer, self._execute = retries, killer, execute
        self._environment = environment or {}
        self._numbers = itertools.count(1)
        self._threads: list[threading.Thread] = []
        self.server = Server(self.answer)
        self.url = self.server.url

    def wait(self) -> None:
        for thread in self._threads:
            thread.join()

    def close(self) -> None:
        self.wait()
        self.server.close()

    def answer(self, request: Request) -> Answer:
        match = RUN.match(request.path)
        if request.method != "POST" or not match or match[1] != self.job:
            return not_found(request.path)
        body = request.json()
        if why := _refused(body):
            return error(400, "INVALID_ARGUMENT", why)
        if not self.allowed:
            why = f"Permission 'run.jobs.runWithOverrides' denied on resource '{self.job}'"
            return error(403, "PERMISSION_DENIED", why)
        name = f"{self.job}/executions/work-{next(self._numbers)}"
        self.executions[name] = body["overrides"]["containerOverrides"][0]["args"]
        self.tries[name] = 0
        if self._execute:
            thread = threading.Thread(target=self._run, args=(name,))
            self._threads.append(thread)
            thread.start()
        about = {"@type": "type.googleapis.com/google.cloud.run.v2.Execution", "name": name}
        return Answer({"name": f"{self.job}/operations/1", "metadata": about})

    def _run(self, name: str) -> None:
        known = ("PATH", "PYTHONPATH", "STORAGE_EMULATOR_HOST", "NO_GCE_CHECK", "BEAMPOSE_HOME")
        kept = {key: os.environ[key] for key in known if key in os.environ}
        for number in range(1 + self._retries):
            self.tries[name] += 1
            with tempfile.TemporaryDirectory() as folder:
                process = subprocess.Popen(
                    [sys.executable, *self.executions[name]],
                    cwd=folder,
                    env={
                        **kept,
                        **self._environment,
                        "HOME": folder,
                        "TMPDIR": folder,
                        "CLOUD_RUN_EXECUTION": name.rpartition("/")[2],
                        "CLOUD_RUN_TASK_ATTEMPT": str(number),
                    },
                    text=True,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                )
                if self._killer:
                    self._killer(process)
                self.logs[name] = self.logs.get(name, "") + process.communicate()[0]
            if process.returncode == 0:
                return


def _refused(body: dict) -> str:
    """Why the service does not take a request; empty if it does."""
    overrides = body.get("overrides", {})
    containers = overrides.get("containerOverrides", [])
    stray = [*(set(body) - FIELDS), *(set(overrides) - OVERRIDES)]
    stray += [key for one in containers for key in one if key not in CONTAINER]
    if stray:
        return f"Invalid JSON payload received. Unknown name {stray[0]!r}: Cannot find field."
    if any(not isinstance(word, str) for one in containers for word in one.get("args", ())):
        return "args must be strings"
    return "" if len(containers) == 1 else "the job has one container"
