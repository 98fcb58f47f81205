"""Vertex AI on this machine: its jobs really run, and are started again if killed."""

import itertools
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cloud.access import Access
from cloud.server import Answer, Request, Server, error, not_found

CREATE = re.compile(r"/v1/(projects/[^/]+/locations/[^/]+)/(\w+)$")
NAMED = re.compile(r"/v1/(projects/[^/]+/locations/[^/]+/(\w+)/[^/:]+)$")
UPLOAD = re.compile(r"/v1/(projects/[^/]+/locations/[^/]+)/models:upload$")
ALIAS = re.compile(r"[a-z][a-zA-Z0-9-]{0,126}[a-z0-9]")
REGISTRY = re.compile(r"([a-z0-9-]+-docker\.pkg\.dev|([a-z]+\.)?gcr\.io)/.+")
NETWORK = re.compile(r"projects/\d+/global/networks/[a-z0-9-]+")
# Machines that a GPU comes with.
SERIES = {"NVIDIA_TESLA_T4": "n1-", "NVIDIA_L4": "g2-"}
# Services restart a worker that often.
RESTARTS = 5
SPECS = ("discreteValueSpec", "categoricalValueSpec")


class Vertex(Access):
    """`resources` by name as they were sent, `runs` the number of starts of each job.

    Args:
      killer: is given each process; may kill it.
      execute: False answers that jobs are done without running them.
    """

    def __init__(
        self, *, killer: Callable[[subprocess.Popen], Any] | None = None, execute: bool = True
    ):
        super().__init__()
        self.resources: dict[str, dict] = {}
        self.runs: dict[str, int] = {}
        self.logs: dict[str, str] = {}
        self.refuse: Answer | None = None
        # Whether jobs are taken and the answer to it is lost on its way.
        self.loses = False
        self._killer, self._execute = killer, execute
        self._numbers = itertools.count(1)
        self._threads: list[threading.Thread] = []
        self.server = Server(self.answer)
        self.url = self.server.url

    def close(self) -> None:
        for thread in self._threads:
            thread.join()
        self.server.close()

    def answer(self, request: Request) -> Answer:
        if self.refuse is not None:
            return self.refuse
        if (about := self.about(request)) is not None:
            return about
        if request.path == "/v2/entries:list":
            return self._log(request.json())
        if match := UPLOAD.match(request.path):
            return self._upload(match[1], request.json())
        if request.method == "POST" and (match := CREATE.match(request.path)):
            made = self._create(match[1], match[2], request.json())
            return error(503, "UNAVAILABLE", "The answer was lost.") if self.loses else made
        if match := NAMED.match(request.path):
            known = self.resources.get(match[1])
            return not_found(match[1]) if known is None else Answer(known)
        if match := CREATE.match(request.path):
            wanted = re.search(r'"(.*)"', request.query.get("filter", '""'))
            found = [
                one
                for name, one in self.resources.items()
                if f"/{match[2]}/" in name and wanted and one["displayName"] == wanted[1]
            ]
            return Answer({match[2]: found})
        return not_found(request.path)

    def of(self, kind: str) -> list[dict]:
        """Resources such as customJobs or models."""
        return [one for name, one in self.resources.items() if f"/{kind}/" in name]

    def _create(self, parent: str, kind: str, body: dict) -> Answer:
        if kind not in ("customJobs", "hyperparameterTuningJobs", "batchPredictionJobs"):
            return error(400, "INVALID_ARGUMENT", f"no such resource {kind}")
        if why := refused_job(body.get("jobSpec") or body.get("trialJobSpec") or {}):
            return error(400, "INVALID_ARGUMENT", why)
        model = self.resources.get(body.get("model", ""), {})
        if kind == "batchPredictionJobs" and (why := refused_batch(body, model)):
            return error(400, "INVALID_ARGUMENT", why)
        name = f"{parent}/{kind}/{next(self._numbers)}"
        state = "JOB_STATE_RUNNING" if self._execute else "JOB_STATE_SUCCEEDED"
        self.resources[name] = {**body, "name": name, "state": state}
        self.runs[name] = 0
        if self._execute:
            work = {"customJobs": self._custom, "hyperparameterTuningJobs": self._study}
            thread = threading.Thread(target=work[kind], args=(name,))
            self._threads.append(thread)
            thread.start()
        return Answer(self.resources[name])

    def _upload(self, parent: str, body: dict) -> Answer:
        if why := refused_model(body["model"]):
            return error(400, "INVALID_ARGUMENT", why)
        name = body.get("parentModel") or f"{parent}/models/{next(self._numbers)}"
        version = str(int(self.resources.get(name, {}).get("versionId", "0")) + 1)
        self.resources[name] = {**body["model"], "name": name, "versionId": version}
        kind = "type.googleapis.com/google.cloud.aiplatform.v1.UploadModelResponse"
        answer = {"@type": kind, "model": name, "modelVersionId": version}
        return Answer({"name": f"{parent}/operations/1", "done": True, "response": answer})

    def _log(self, body: dict) -> Answer:
        match = re.search(r'job_id="(\w+)"', body["filter"])
        assert match
        for name, text in self.logs.items():
            if name.endswith(f"/{match[1]}"):
                lines = list(enumerate(text.splitlines()))
                entries = [{"insertId": str(i), "textPayload": line} for i, line in lines]
                return Answer({"entries": entries[::-1]})
        return Answer({})

    def _custom(self, name: str) -> None:
        job = self.resources[name]
        code, self.logs[name] = self._run(name, job["jobSpec"], [], None)[:2]
        job["state"] = "JOB_STATE_SUCCEEDED" if code == 0 else "JOB_STATE_FAILED"

    def _study(self, name: str) -> None:
        job = self.resources[name]
        spec, trials = job["studySpec"], []
        grid = itertools.product(*[_values(one) for one in spec["parameters"]])
        names = [one["parameterId"] for one in spec["parameters"]]
        for number, chosen in enumerate(itertools.islice(grid, job["maxTrialCount"]), 1):
            pairs = dict(zip(names, chosen, strict=True))
            words = [f"--{key}={value}" for key, value in pairs.items()]
            code, log, metrics = self._run(name, job["trialJobSpec"], words, str(number))
            self.logs[name] = self.logs.get(name, "") + log
            trial = {"id": str(number), "state": "SUCCEEDED" if code == 0 else "INFEASIBLE"}
            trial["parameters"] = [{"parameterId": k, "value": v} for k, v in pairs.items()]
            if metrics:
                metric = spec["metrics"][0]["metricId"]
                value = float(metrics[-1][metric])
                trial["finalMeasurement"] = {"metrics": [{"metricId": metric, "value": value}]}
            trials.append(trial)
        job["trials"] = trials
        job["state"] = "JOB_STATE_SUCCEEDED"

    def _run(
        self, name: str, spec: dict, words: list[str], trial: str | None
    ) -> tuple[int, str, list]:
        container = spec["workerPoolSpecs"][0]["containerSpec"]
        base = spec["baseOutputDirectory"]["outputUriPrefix"].rstrip("/")
        base = base if trial is None else f"{base}/{trial}"
        known = ("PATH", "STORAGE_EMULATOR_HOST", "TF_CPP_MIN_LOG_LEVEL", "NO_GCE_CHECK")
        environment = {key: os.environ[key] for key in known if key in os.environ}
        environment |= {
            "AIP_MODEL_DIR": f"{base}/model/",
            "AIP_CHECKPOINT_DIR": f"{base}/checkpoints/",
            "AIP_TENSORBOARD_LOG_DIR": f"{base}/logs/",
            "CLOUD_ML_PROJECT_ID": "my-project",
        }
        log = ""
        with tempfile.TemporaryDirectory() as folder:
            environment |= {"HOME": folder, "TMPDIR": folder}
            measured = Path(folder, "metrics")
            if trial is not None:
                environment |= {
                    "CLOUD_ML_TRIAL_ID": trial,
                    "CLOUD_ML_HP_METRIC_FILE": str(measured),
                }
            command = [sys.executable, *container["command"][1:], *container["args"], *words]
            for _ in range(1 + RESTARTS):
                self.runs[name] += 1
                process = subprocess.Popen(
                    command,
                    cwd=folder,
                    env=environment,
                    text=True,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                )
                if self._killer:
                    self._killer(process)
                log += process.communicate()[0]
                if process.returncode != -signal.SIGKILL:
                    break
            lines = measured.read_text().splitlines() if measured.is_file() else []
            return process.returncode, log, [json.loads(line) for line in lines]


def _values(parameter: dict) -> list:
    return next(parameter[spec]["values"] for spec in SPECS if spec in parameter)


def refused_job(spec: dict) -> str:
    """Why the service does not take a job; empty if it does."""
    network = spec.get("network")
    if network and not NETWORK.fullmatch(network):
        return f"network must be projects/NUMBER/global/networks/NAME: {network}"
    if spec.get("tensorboard") and not spec.get("serviceAccount"):
        return "tensorboard requires serviceAccount"
    for pool in spec.get("workerPoolSpecs", ()):
        machine = pool["machineSpec"]
        series = SERIES.get(str(machine.get("acceleratorType")), "")
        if not machine["machineType"].startswith(series):
            return f"{machine['acceleratorType']} does not come with {machine['machineType']}"
    return ""


def refused_batch(job: dict, model: dict) -> str:
    """Why predictions of a job would all fail; empty if they would not.

    A signature takes its own inputs and no other: that of pose models has no key.
    """
    form = job["inputConfig"]["instancesFormat"]
    keyed = model.get("labels", {}).get("task") == "crops"
    if keyed and form != "jsonl":
        return "the signature takes two inputs, key and image_bytes: instances must be jsonl"
    apart = job.get("instanceConfig", {}).get("keyField") == "key"
    if form == "jsonl" and not keyed and not apart:
        return "unexpected input key: the signature takes image_bytes"
    if keyed and apart:
        return "missing input key"
    return ""


def refused_model(model: dict) -> str:
    image = model["containerSpec"]["imageUri"]
    if not REGISTRY.fullmatch(image):
        return f"Image {image} must be in Artifact Registry or Container Registry"
    wrong = [one for one in model.get("versionAliases", ()) if not ALIAS.fullmatch(one)]
    return f"Invalid version alias {wrong[0]}" if wrong else ""
