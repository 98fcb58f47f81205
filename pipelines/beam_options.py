"""Beam options from the words after `--`; the only file that knows one runner from another."""

import difflib
import re
from collections.abc import Sequence

from apache_beam.options.pipeline_options import (
    PipelineOptions,
    PortableOptions,
    SetupOptions,
    StandardOptions,
)

from beampose.core.files import is_address
from beampose.pipelines.beam_runner import LocalRunner

LOCAL = "LocalRunner"
# What worker processes import before anything else.
WORKER_START = "beampose.pipelines.worker_start"
# Runners of Beam whose workers are processes of this machine.
HERE = ("DirectRunner", "SwitchingDirectRunner", "BundleBasedDirectRunner", "FnApiRunner")


class NetworkOptions(PipelineOptions):
    """Options of the steps that run a network."""

    @classmethod
    def _add_argparse_args(cls, parser):
        parser.add_argument(
            "--network_accelerator",
            help="GPU of those workers, such as "
            "type:nvidia-tesla-t4;count:1;install-nvidia-driver:5xx",
        )
        parser.add_argument("--network_min_ram", help="memory of those workers, such as 16GB")

    @classmethod
    def hints(cls, options: PipelineOptions) -> dict[str, str]:
        """Resource hints for `with_resource_hints`."""
        chosen = options.view_as(cls)
        hints = {"accelerator": chosen.network_accelerator, "min_ram": chosen.network_min_ram}
        return {name: value for name, value in hints.items() if value}


def gpus(hints: dict[str, str]) -> int:
    """GPUs that each worker with these resource hints is ordered with."""
    if "accelerator" not in hints:
        return 0
    count = re.search(r"count:(\d+)", hints["accelerator"])
    return int(count[1]) if count else 1


def unknown(words: Sequence[str]) -> list[str]:
    """Names of options among some words that Beam does not know."""
    if isinstance(words, str):
        raise ValueError(f"Beam options are a list of words, such as [{words!r}].")
    options = PipelineOptions(list(words))
    everything = options.get_all_options(retain_unknown_options=True)
    return sorted(set(everything) - set(options.get_all_options()))


def refusal(name: str) -> str:
    """Says that Beam has no such option, and which it may be."""
    close = difflib.get_close_matches(name, PipelineOptions([]).get_all_options(), n=1)
    return f"Beam has no option --{name}." + (f" Did you mean --{close[0]}?" if close else "")


def parse(words: Sequence[str]) -> PipelineOptions:
    """Options of a run; without `--runner` everything happens in this process.

    Raises:
      ValueError: an option Beam does not know. Beam itself would only warn and continue.
    """
    options = PipelineOptions(list(words))
    everything = options.get_all_options(retain_unknown_options=True)
    for name in unknown(words):
        raise ValueError(refusal(name))
    stray = [word for word in words if not word.startswith("-")]
    values = {str(value) for value in everything.values() if not isinstance(value, (list, dict))}
    values |= {str(v) for value in everything.values() if isinstance(value, list) for v in value}
    if stray and stray[0] not in values:
        raise ValueError(f"Beam options look like --name=value. Received: {stray[0]!r}.")
    # What a worker runs is imported from the distribution, never pickled from the main module.
    options.view_as(SetupOptions).save_main_session = False
    standard = options.view_as(StandardOptions)
    if standard.runner is not None and standard.runner.rpartition(".")[2] == "DaskRunner":
        raise ValueError(
            "Beam's DaskRunner gives only the first output of a step and so loses labels and "
            "features: use another --runner, or none."
        )
    if standard.runner in (None, LOCAL, f"{LocalRunner.__module__}.{LOCAL}"):
        standard.runner = f"{LocalRunner.__module__}.{LOCAL}"
    else:
        setup = options.view_as(SetupOptions)
        setup.beam_plugins = [*(setup.beam_plugins or []), WORKER_START]
    return options


def is_local(options: PipelineOptions) -> bool:
    """Returns True if the job runs in this process."""
    return options.view_as(StandardOptions).runner == f"{LocalRunner.__module__}.{LOCAL}"


def shares_disk(options: PipelineOptions) -> bool:
    """Whether the work is done on this machine, in this process or in others."""
    runner = str(options.view_as(StandardOptions).runner).rpartition(".")[2]
    if is_local(options) or runner in HERE:
        return True
    portable = options.view_as(PortableOptions)
    endpoint = (portable.job_endpoint or "").partition(":")[0]
    if endpoint == "embed":
        return True
    return endpoint in ("localhost", "127.0.0.1") and portable.environment_type == "LOOPBACK"


def check_reachable(options: PipelineOptions, address: str, what: str) -> None:
    """Raises ValueError where workers on other machines could not see a folder of this one."""
    if not shares_disk(options) and not is_address(address):
        raise ValueError(
            f"{what} is {address}, a folder of this machine that workers on other machines cannot "
            "see. Set `output` to an address such as gs://bucket/folder, or give --cloud; of a "
            "runner on this machine say so: --job_endpoint=localhost:PORT "
            "--environment_type=LOOPBACK."
        )
