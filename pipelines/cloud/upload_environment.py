"""How uploads are worked on, as the environment of a service or a job says.

`BEAMPOSE_CONFIG` is a template, `BEAMPOSE_SET` settings with spaces between, `BEAMPOSE_HOURS` the
longest time for one upload.
"""

import math
from collections.abc import Mapping

from beampose.pipelines.cloud import upload_recipe, upload_run


def settings(environment: Mapping[str, str]) -> upload_run.Settings:
    """Settings of uploads.

    `CLOUD_RUN_EXECUTION`, which Cloud Run sets, names the job: one that it starts again after a
    crash continues at once what it had claimed itself.

    Raises:
      OSError, ValueError: the template or a setting is wrong.
    """
    template = environment.get("BEAMPOSE_CONFIG") or None
    sets = tuple(environment.get("BEAMPOSE_SET", "").split())
    upload_recipe.check(template, sets)
    return upload_run.Settings(
        template=template,
        sets=sets,
        hours=_hours(environment),
        owner=environment.get("CLOUD_RUN_EXECUTION", ""),
    )


def _hours(environment: Mapping[str, str]) -> float:
    told = environment.get("BEAMPOSE_HOURS") or "12"
    try:
        hours = float(told)
    except ValueError:
        hours = math.nan
    if not 0 < hours < math.inf:
        raise ValueError(f"BEAMPOSE_HOURS must be a number above 0. Received: {told!r}.")
    return hours
