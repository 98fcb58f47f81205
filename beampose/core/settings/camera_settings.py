"""Section of an experiment whose animals several cameras film."""

from typing import Annotated

from beampose.core.settings.section import PATH, Section, setting


class Cameras(Section):
    """Cameras of the labeled images and of recordings: docs/cameras.md."""

    calibration: Annotated[str | None, PATH] = setting(
        None,
        "Calibration of the cameras, for `triangulate` and `audit`; `evaluate` also measures "
        "points in space by it.",
    )
