"""What remains when nothing runs and what it costs, and what an uploaded project costs."""

import os
from typing import Any

from beampose.pipelines.cloud.pricing import Cost, number
from beampose.pipelines.planning import Plan

# Image, zip and libraries of a job of Cloud Run, until it works: minutes.
START_MINUTES = 2.0
# The image of CPUs, as its layers are stored. A guess from the sizes of its packages.
IMAGE_GB = 2.5
# What bills by its use alone. Nothing of it is left running by a verb.
FREE = (
    "Dataflow and Vertex AI's trainings, its registry of models, and the service and the job of "
    "Cloud Run that take uploads"
)


def lines(found: Plan, table: dict[str, Any]) -> list[str]:
    """Human-readable lines; a table of before, without Cloud Run, gives the first ones."""
    currency = table.get("currency", "USD")
    kept = found.bytes / 1e9
    month = kept * number(table, "storage_gb_month") + IMAGE_GB * number(table, "registry_gb_month")
    made = [
        f"idle      {month:8.2f} {currency}  a month, for {kept:.2f} GB of features and an image "
        f"of {IMAGE_GB:g} GB, beside your own data; nothing for {FREE}, while nothing runs"
    ]
    if "cloud_run" in table:
        one = upload(found, table)
        made.append(
            f"upload    {one.amount:8.2f} {currency}  if the project came as an upload: "
            f"{one.what}, {one.hours * 60:.0f} min"
        )
    return made


def upload(found: Plan, table: dict[str, Any]) -> Cost:
    """Cost of a project that is uploaded: one job of Cloud Run does all of it.

    Raises:
      ValueError: the table lacks a price.
    """
    vcpu, gb = (number(table, "cloud_run", "job", key) for key in ("vcpu", "gb"))
    cores = os.cpu_count() or 1
    seconds = (found.features_seconds + found.train_seconds) * cores / vcpu + START_MINUTES * 60
    rate = vcpu * number(table, "cloud_run", "vcpu_second")
    rate += gb * number(table, "cloud_run", "gb_second")
    what = f"a job of {vcpu:g} vCPU and {gb:g} GB on Cloud Run"
    return Cost("upload", what, seconds / 3600, seconds * rate)
