"""Runs Beam jobs: the in-memory runner of this machine, and what any runner says of a job."""

import errno
import logging

import apache_beam as beam
from apache_beam.metrics.metric import MetricsFilter
from apache_beam.options.pipeline_options import GoogleCloudOptions
from apache_beam.portability.api import beam_provision_api_pb2
from apache_beam.runners.portability.fn_api_runner import fn_runner
from apache_beam.runners.portability.portable_runner import JobServiceHandle
from apache_beam.runners.runner import PipelineRunner

from beampose.core import storage
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


def finish(pipeline: beam.Pipeline, namespace: str) -> dict[str, int]:
    """Runs a pipeline to its end. Returns its counters.

    Args:
      namespace: of the counters.

    Raises:
      RuntimeError: the job ended otherwise than well.
      Exception: what a step raised, where the runner hands it on.
    """
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
    inner, named = error, ""
    while (deeper := inner.__cause__ or inner.__context__) and isinstance(deeper, Exception):
        inner = deeper
        # What names the file has the system's own error, which does not, as its cause.
        named = (isinstance(inner, OSError) and inner.filename) or named
    if storage.of_disk(inner) in (errno.ENOSPC, errno.EDQUOT):
        place = named or causes.place_on_disk(inner)
        return OSError(
            f"No space left on device: {place}. What is finished is kept: free some space, and "
            "run the same command again to continue."
        )
    return inner if isinstance(inner, OSError) else error


def _job(result) -> str | None:
    return result.job_id() if hasattr(result, "job_id") else None
