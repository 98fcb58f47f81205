"""Verbs on recordings by several cameras."""

import argparse

from beampose.pipelines.verbs.verb import Group, Option, Verb, amount


def offset(text: str) -> tuple[str, int]:
    """NAME=FRAMES: frames that a view is behind."""
    name, equals, frames = text.partition("=")
    try:
        if not (name and equals):
            raise ValueError
        return name, int(frames)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"must be NAME=FRAMES, such as left=12, not {text!r}"
        ) from None


def pixels(text: str) -> float:
    """A number of pixels above 0."""
    found = amount(text)
    if not found:
        raise argparse.ArgumentTypeError("must be above 0 pixels")
    return found


SPACE = Group(
    "Several cameras",
    (
        Verb(
            "triangulate",
            "space_verbs.triangulate",
            "find the bodyparts in space from the predictions of several cameras",
            (
                Option(
                    "--calibration",
                    "of the cameras: calibration.toml, stereo_params.pickle, OpenCV's YAML",
                    "FILE",
                    required=True,
                ),
                Option(
                    "--views",
                    "the video, or table of predictions, of each camera",
                    "NAME=VIDEO",
                    nargs="+",
                    required=True,
                ),
                Option("--to", "what the files begin with; default: after the videos", "PATH"),
                Option(
                    "--filtered", "use the predictions that `beampose filter` wrote", switch=True
                ),
                Option(
                    "--synchronise",
                    "by the frames' number (default) or time stamps; find the cameras' offsets by "
                    "a light or by motion",
                    choices=("number", "times", "light", "motion"),
                    default="number",
                ),
                Option(
                    "--offset",
                    "frames that a view is behind",
                    "NAME=FRAMES",
                    nargs="+",
                    type=offset,
                ),
                Option(
                    "--max-error",
                    "leave out views that are off by more; default: as the model's errors say",
                    "PIXELS",
                    type=pixels,
                ),
                Option("--smooth", "smooth the points by a Kalman filter", switch=True),
                Option("--bones", "keep the lengths of the skeleton's bones", switch=True),
                Option(
                    "--film",
                    "also a film in space, and of each view with what it should see",
                    switch=True,
                ),
            ),
            tensorflow=False,
        ),
    ),
)
