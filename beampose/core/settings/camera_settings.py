"""Section of an experiment whose animals several cameras film."""

from typing import Annotated, Literal

from beampose.core.settings.section import PATH, Section, setting


class Cameras(Section):
    """Cameras of the labeled images and of recordings: docs/cameras.md."""

    calibration: Annotated[str | None, PATH] = setting(
        None,
        "Calibration of the cameras, for `triangulate` and `audit`; `evaluate` also measures "
        "points in space by it.",
    )
    appearance: Literal["none", "descriptors"] = setting(
        "descriptors",
        "`triangulate` matches several animals across views also by their appearance, where "
        "epipolar geometry leaves it open: descriptors are the features under their keypoints.",
    )
