"""Dataflow on this machine: takes a job and really runs its staged pipeline, in a process that has
nothing of ours but the staged packages."""

import itertools
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

from cloud.access import Access
from cloud.server import Answer, Request, Server, error, not_found

JOBS = re.compile(r"/v1b3/projects/([^/]+)/locations/([^/]+)/jobs$")
JOB = re.compile(r"/v1b3/projects/[^/]+/locations/[^/]+/jobs/([^/?]+)(/\w+)?$")
# Of a request that creates a job.
LARGEST_JOB = 10 * 2**20
NAME = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")
LABEL_KEY, LABEL_VALUE = re.compile(r"[a-z][a-z0-9_-]{0,62}"), re.compile(r"[a-z0-9_-]{0,63}")
SERIES = {"nvidia-tesla-t4": "n1-", "nvidia-l4": "g2-"}
WORKER = Path(__file__).with_name("worker.py")


class Dataflow(Access):
    """`jobs` are the bodies of submitted jobs, by id; `logs` what their workers printed.

    Args:
      execute: False answers that a job is done without running it.
    """

    def __init__(self, *, execute: bool = True):
        super().__init__()
        # Python and Beam of the image, such as ("3.11", "2.77.0"); None: those of this process.
        self.image: tuple[str, str] | None = None
        self.jobs: dict[str, dict] = {}
        self.logs: dict[str, str] = {}
        self._execute = execute
        self._states: dict[str, str] = {}
        self._counters: dict[str, list] = {}
        self._numbers = itertools.count(1)
        self._threads: list[threading.Thread] = []
        self.server = Server(self.answer)
        self.url = self.server.url

    def close(self) -> None:
        for thread in self._threads:
            thread.join()
        self.server.close()

    def answer(self, request: Request) -> Answer:
        if JOBS.match(request.path) and request.method == "POST":
            if why := refused(request.json(), len(request.body), self.image):
                return error(400, "INVALID_ARGUMENT", why)
            return self._submit(request.json())
        if (about := self.about(request)) is not None:
            return about
        match = JOB.match(request.path)
        if not match or match[1] not in self.jobs:
            return not_found(request.path)
        if match[2] == "/messages":
            return Answer({"jobMessages": []})
        if match[2] == "/metrics":
            return Answer({"metrics": self._counters.get(match[1], [])})
        return Answer({**self.jobs[match[1]], "currentState": self._states[match[1]]})

    def _submit(self, job: dict) -> Answer:
        name = f"2026-01-01_00_00_00-{next(self._numbers)}"
        job["id"] = name
        self.jobs[name] = job
        self._states[name] = "JOB_STATE_RUNNING" if self._execute else "JOB_STATE_DONE"
        if self._execute:
            thread = threading.Thread(target=self._run, args=(name,))
            self._threads.append(thread)
            thread.start()
        return Answer({**job, "currentState": self._states[name]})

    def _run(self, name: str) -> None:
        options = self.jobs[name]["environment"]["sdkPipelineOptions"]["options"]
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run(
                [
                    sys.executable,
                    "-I",
                    str(WORKER),
                    options["stagingLocation"]
                    if "stagingLocation" in options
                    else options["staging_location"],
                    folder,
                ],
                capture_output=True,
                text=True,
                cwd=folder,
                env={**os.environ, "HOME": folder},
            )
            self.logs[name] = done.stdout + done.stderr
            counters = Path(folder, "counters.json")
            if counters.is_file():
                self._counters[name] = [
                    _metric(*one, committed)
                    for one in json.loads(counters.read_text())
                    for committed in (True, False)
                ]
        self._states[name] = "JOB_STATE_DONE" if done.returncode == 0 else "JOB_STATE_FAILED"


def refused(job: dict, size: int = 0, image: tuple[str, str] | None = None) -> str:
    """Why the service does not take a job, or its workers do not; empty if they do.

    Args:
      image: Python and Beam of the workers.
    """
    environment = job["environment"]
    agent = environment.get("userAgent", {})
    if image and (image[0] not in str(agent.get("name")) or agent.get("version") != image[1]):
        return (
            "Pipeline construction environment and pipeline runtime environment are not compatible"
        )
    (pool,) = environment["workerPools"]
    if size > LARGEST_JOB:
        return "The job graph is too large. Please try again with a smaller job graph."
    if not NAME.fullmatch(job["name"]):
        return f"Invalid job name {job['name']}"
    for key, value in job.get("labels", {}).items():
        if not LABEL_KEY.fullmatch(key) or not LABEL_VALUE.fullmatch(value):
            return f"Invalid label {key}={value}"
    return refused_pool(environment["workerPools"][0], json.dumps(job))


def refused_pool(pool: dict, text: str) -> str:
    """Why there will be no such workers; `text` is the whole job."""
    if "/" in pool.get("network", ""):
        return f"Invalid network {pool['network']}: the name of a network of the project"
    if pool.get("subnetwork") and "/" not in pool["subnetwork"]:
        return f"Invalid subnetwork {pool['subnetwork']}: a path such as regions/R/subnetworks/S"
    images = {one["containerImage"] for one in pool["sdkHarnessContainerImages"]}
    if any(not re.search(r"[:@]", image.rpartition("/")[2]) for image in images):
        return "A container image needs a tag or a digest"
    for gpu, series in SERIES.items():
        if f"type:{gpu}" in text and not pool["machineType"].startswith(series):
            return f"{gpu} can not be attached to {pool['machineType']}"
    if "type:nvidia" in text and "install-nvidia-driver" not in text:
        return "An accelerator without install-nvidia-driver"
    return ""


def _metric(namespace: str, name: str, step: str, value: int, committed: bool) -> dict:
    context = {"namespace": namespace, "original_name": name, "step": step}
    if not committed:
        context["tentative"] = "true"
    return {
        "name": {"origin": "user", "name": name, "context": context},
        "scalar": value,
        "updateTime": "2026-01-01T00:00:00Z",
    }
