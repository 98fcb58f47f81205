"""Cost of a plan on Google Cloud, step by step, from a dated table; refuses what costs too much."""

import math
import os
from typing import Any, NamedTuple

from beampose.pipelines.cloud.cloud_settings import Cloud
from beampose.pipelines.planning import IMAGES_A_WORKER, PRICES_FILE, Plan

# Frames of a range, as `predict.chunk` has them unless it is set.
CHUNK = 512
# Frames of videos a prediction job gets a worker for.
FRAMES_A_WORKER = 20_000
# Image pull, environment and export of a training, minutes.
TRAINING_START = 6.0


# Requests to storage, as counted by a stand-in, for each of these things of a job. Reads of a video
# are of _BLOCK bytes, and twice its fingerprint; a range is looked for, written and read again.
_IMAGE = {"read": 2.5, "write": 0.1}
_VIDEO = {"read": 140.0, "write": 8.0}
_RANGE = {"read": 8.0, "write": 1.0}
_BLOCK = 5 << 20
# What travels between steps of a labeled image, bytes.
_SHUFFLED = 3000


class Cost(NamedTuple):
    """A step: what runs for how many hours, and the amount in the table's currency.

    `requests` to storage are in the amount.
    """

    step: str
    what: str
    hours: float
    amount: float
    requests: int = 0


class Work(NamedTuple):
    """Work of a Beam job: seconds of one core for its network and for the rest, and requests."""

    network: float
    rest: float
    reads: float
    writes: float
    shuffled: float = 0.0


def costs(found: Plan, cloud: Cloud, table: dict[str, Any], *, trials: int = 1) -> dict[str, Cost]:
    """Costs by step: features, train, predict, and a month of the store.

    Times are those of this machine, by core for the jobs on Dataflow; a GPU does the work in the
    network of so many vCPUs as the table says, and vCPUs the rest meanwhile. The amounts are
    estimates: what a price in the table rests on stands there.

    Args:
      trials: trainings of a search.

    Raises:
      ValueError: the table lacks a machine or an accelerator of the settings.
    """
    cores = os.cpu_count() or 1
    total = found.images + found.copies
    made = {}
    if total:
        network = min(total * found.seconds_each, found.features_seconds)
        work = Work(
            network * cores,
            (found.features_seconds - network) * cores,
            found.images * _IMAGE["read"],
            total * _IMAGE["write"],
            total * _SHUFFLED,
        )
        made["features"] = _dataflow("features", work, total / IMAGES_A_WORKER, cloud, table)
        made["train"] = _training(found.train_seconds, cloud, table, trials)
        made["store"] = Cost(
            "store",
            f"{found.bytes / 1e9:.2f} GB a month",
            0.0,
            found.bytes / 1e9 * number(table, "storage_gb_month"),
        )
    if found.frames:
        work = _prediction(found, cores, table)
        made["predict"] = _dataflow("predict", work, found.frames / FRAMES_A_WORKER, cloud, table)
    return made


def _prediction(found: Plan, cores: int, table: dict[str, Any]) -> Work:
    decoding = number(table, "decoding_core_seconds_megapixel") * found.pixels / 1e6
    ranges = found.frames / CHUNK
    reads = found.videos * _VIDEO["read"] + ranges * _RANGE["read"] + found.video_bytes / _BLOCK
    writes = found.videos * _VIDEO["write"] + ranges * _RANGE["write"]
    network = found.frames * found.seconds_each * cores
    return Work(network, found.frames * decoding, reads, writes)


def describe(found: dict[str, Cost], table: dict[str, Any]) -> str:
    """Describes costs in human-readable lines."""
    currency = table.get("currency", "USD")
    lines = [
        f"{one.step:<9} {one.amount:8.2f} {currency}  {one.what}"
        + (f", {_duration(one.hours)}" if one.hours else "")
        + (f", {one.requests:,} requests to storage" if one.requests else "")
        for one in found.values()
    ]
    total = sum(one.amount for one in found.values())
    lines.append(f"total     {total:8.2f} {currency}  by prices of {table.get('date')}, estimated")
    return "\n".join(lines)


def check(found: list[Cost], limit: float | None) -> None:
    """Raises ValueError if the steps cost more than the limit."""
    amount = sum(one.amount for one in found)
    if limit is not None and amount > limit:
        steps = " and ".join(one.step for one in found)
        raise ValueError(
            f"{steps} would cost about {amount:.2f}, above the limit of {limit:g}. Nothing was "
            "sent. `beampose plan CONFIG --cloud FILE` shows the costs; --budget AMOUNT or "
            "max_cost in the settings changes the limit."
        )


def _duration(hours: float) -> str:
    return f"{hours * 60:.0f} min" if hours < 10 else f"{hours:,.0f} h"


def _dataflow(step: str, work: Work, wanted: float, cloud: Cloud, table: dict[str, Any]) -> Cost:
    settings = cloud.dataflow
    vcpu, gb = (
        number(table, "dataflow", "machines", settings.machine_type, key) for key in ("vcpu", "gb")
    )
    workers = max(1, min(settings.max_workers, round(wanted)))
    rate = vcpu * table["vcpu_hour"] + gb * table["gb_hour"]
    if settings.flexrs:
        rate *= number(table, "dataflow", "flexrs_factor")
    rate += settings.disk_gb * number(table, "dataflow", "disk_gb_hour", "standard")
    seconds = (work.network + work.rest) / (workers * vcpu)
    what = f"{workers} x {settings.machine_type} on Dataflow"
    if settings.accelerator:
        count, name = settings.accelerator_count, settings.accelerator
        rate += number(table, "dataflow", "accelerators", name) * count
        speed = number(table, "gpu_vcpus", name) * count
        seconds = max(work.network / (workers * speed), work.rest / (workers * vcpu))
        what += f" with {count} {name}, each as {speed / count:g} vCPUs in the network"
    hours = seconds / 3600 + table["start_minutes"] / 60
    storage = work.reads * number(table, "storage_requests", "read")
    storage += work.writes * number(table, "storage_requests", "write")
    storage += work.shuffled / 1e9 * number(table, "shuffle_gb")
    requests = round(work.reads + work.writes)
    return Cost(step, what, hours, workers * hours * rate + storage, requests)


def _training(seconds: float, cloud: Cloud, table: dict[str, Any], trials: int) -> Cost:
    settings = cloud.vertex
    hours = trials * (seconds / 3600 + TRAINING_START / 60)
    rate = number(table, "vertex", "machines", settings.machine_type, "hour")
    if settings.accelerator:
        gpu = number(table, "vertex", "accelerators", settings.accelerator)
        rate += gpu * settings.accelerator_count
    if settings.spot:
        rate *= number(table, "vertex", "spot_factor")
    what = f"{settings.machine_type} on Vertex AI" + (f", {trials} trials" if trials > 1 else "")
    return Cost("train", what, hours, hours * rate)


def _entry(table: dict[str, Any], *path: str) -> Any:
    found: Any = table
    for key in path:
        found = found.get(key) if isinstance(found, dict) else None
        if found is None:
            raise ValueError(
                f"The price table has no {'.'.join(path)}: add it to a copy of {PRICES_FILE}, and "
                "name the copy with --prices."
            )
    return found


def number(table: dict[str, Any], *path: str) -> float:
    """A price of the table by its keys.

    Raises:
      ValueError: there is none, or it is no price.
    """
    found = _entry(table, *path)
    if type(found) not in (int, float) or not 0 <= found < math.inf:
        raise ValueError(f"The price table must hold a number of 0 or more for {'.'.join(path)}.")
    return float(found)
