"""Verbs on recordings by several cameras."""

import argparse

from beampose.pipelines.verbs.verb import Group, Option, Positional, Verb, amount, positive


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
            "calibrate",
            "space_verbs.calibrate",
            "find where cameras are, by films of a board or by labels of a mirror's two views",
            (
                Option(
                    "--board",
                    "charuco:COLUMNSxROWS:SQUARE:MARKER[:DICTIONARY] or "
                    "checkerboard:COLUMNSxROWS:SQUARE (inner corners)",
                    "BOARD",
                ),
                Option(
                    "--affine",
                    "two views in the frames of an experiment, by its labels: the ends of the "
                    "bodyparts' names, such as top,bot",
                    "VIEW,VIEW",
                    not_with="--board",
                ),
                Option(
                    "--to",
                    "default: calibration.toml",
                    "FILE",
                    default="calibration.toml",
                ),
                Option(
                    "--frames",
                    "instants looked at; default: 300",
                    "N",
                    type=positive,
                    default=300,
                    only_with="--board",
                ),
                Option(
                    "--offset",
                    "frames a camera is behind",
                    "NAME=FRAMES",
                    nargs="+",
                    type=offset,
                    only_with="--board",
                ),
            ),
            positional=Positional(
                "videos", "the video of each camera, or NAME=VIDEO; with --affine a config", "+"
            ),
            settings=False,
            tensorflow=False,
        ),
        Verb(
            "triangulate",
            "space_verbs.triangulate",
            "find the bodyparts in space from the predictions of several cameras",
            (
                Option(
                    "--calibration",
                    "of the cameras: calibration.toml, stereo_params.pickle, OpenCV's YAML; "
                    "default: the config's cameras.calibration",
                    "FILE",
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
