"""Runs Beam jobs: the in-memory runner of this machine, and what any runner says of a job."""

import contextlib
import errno
import logging
import os
from collections.abc import Iterator

import apache_beam as beam
from apache_beam.metrics.metric import MetricsFilter
from apache_beam.options.pipeline_options import (
    DirectOptions,
    GoogleCloudOptions,
    PipelineOptions,
    PortableOptions,
)
from apache_beam.portability.api import beam_provision_api_pb2
from apache_beam.runners.portability.fn_api_runner import fn_runner
from apache_beam.runners.portability.portable_runner import JobServiceHandle
from apache_beam.runners.runner import PipelineRunner

from beampose.core import disk, machine
from beampose.core.answering import Unanswered
from beampose.pipelines import causes


class LocalRunner(PipelineRunner):
    """FnApiRunner by its own name.

    A bare DirectRunner first tries to download another runner's binary, and FnApiRunner asked for
    by name drops the pipeline options in its worker processes.
    """

    def run_pipeline(self, pipeline, options):
        encoded = JobServiceHandle.encode_pipeline_options(options.get_all_options())
        provision = beam_provision_api_pb2.ProvisionInfo(pipeline_options=encoded)
        runner = fn_runner.FnApiRunner(provision_info=fn_runner.ExtendedProvisionInfo(provision))
        return runner.run_pipeline(pipeline, options)


LOG = logging.getLogger(__name__)
# How many threads TensorFlow and what it calls use; processes that a runner starts inherit them.
_THREADS = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS")


def finish(pipeline: beam.Pipeline, namespace: str) -> dict[str, int]:
    """Runs a pipeline to its end. Returns its counters.

    Args:
      namespace: of the counters.

    Raises:
      RuntimeError: the job ended otherwise than well.
      Exception: what a step raised, where the runner hands it on.
    """
    with cores_divided(pipeline.options):
        return _finish(pipeline, namespace)


def workers_here(options: PipelineOptions) -> int:
    """Processes of this machine that work on a job at the same time."""
    direct = options.view_as(DirectOptions)
    if direct.direct_running_mode == "multi_processing":
        return direct.direct_num_workers or machine.cores()
    return max(int(options.view_as(PortableOptions).sdk_worker_parallelism or 1), 1)


@contextlib.contextmanager
def cores_divided(options: PipelineOptions) -> Iterator[None]:
    """Gives each of several processes on this machine its share of the cores.

    TensorFlow takes all cores in each: two processes are then no faster than one. What the
    environment says already stays.
    """
    share = max(machine.cores() // workers_here(options), 1)
    new = [] if workers_here(options) < 2 else [one for one in _THREADS if one not in os.environ]
    os.environ.update(dict.fromkeys(new, str(share)))
    try:
        yield
    finally:
        for one in new:
            os.environ.pop(one, None)


def _finish(pipeline: beam.Pipeline, namespace: str) -> dict[str, int]:
    try:
        result = pipeline.run()
    except Exception as error:
        raise _plain(error) from error
    job = _job(result)
    if job:
        options = pipeline.options.view_as(GoogleCloudOptions)
        LOG.info(
            "Dataflow job %s: https://console.cloud.google.com/dataflow/jobs/%s/%s?project=%s. "
            "It continues if this command is stopped; the page has the button that cancels it.",
            options.job_name,
            options.region,
            job,
            options.project,
        )
    state = result.wait_until_finish()
    if state != "DONE":
        raise RuntimeError(f"The job ended as {state}." + (f" Its page: {job}" if job else ""))
    found = result.metrics().query(MetricsFilter().with_namespace(namespace))["counters"]
    return {metric.key.metric.name: metric.committed for metric in found}


def _plain(error: Exception) -> Exception:
    """Error that a step raised, without Beam's text around it."""
    inner, named, unanswered = error, "", None
    while (deeper := inner.__cause__ or inner.__context__) and isinstance(deeper, Exception):
        inner = deeper
        # The sentence; its cause is what a library said.
        unanswered = inner if isinstance(inner, Unanswered) else unanswered
        # What names the file has the system's own error, which does not, as its cause.
        named = (isinstance(inner, OSError) and inner.filename) or named
    if disk.of_disk(inner) in (errno.ENOSPC, errno.EDQUOT):
        place = named or causes.place_on_disk(inner)
        return OSError(
            f"No space left on device: {place}. What is finished is kept: free some space, and "
            "run the same command again to continue."
        )
    return unanswered or (inner if isinstance(inner, OSError) else error)


def _job(result) -> str | None:
    return result.job_id() if hasattr(result, "job_id") else None
