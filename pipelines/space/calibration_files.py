"""`beampose calibrate`: a calibration.toml and the page that shows how good it is."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import cv2
import numpy as np

from beampose.core import __version__, files, storage, texts
from beampose.core.wording import counted
from beampose.formats import calibrations
from beampose.pipelines.films import drawing
from beampose.pipelines.report import label_overview, pages, plots
from beampose.pipelines.space import board_films, boards, rig_calibration, space_plots
from beampose.pipelines.space.board_films import Films, Progress
from beampose.pipelines.space.rig_calibration import Calibrated

# Width of a picture on the page.
_WIDTH = 520


class Made(NamedTuple):
    """Files of a calibration, and how good it is."""

    file: str
    page: str
    found: Calibrated
    films: Films


def of_boards(
    words: Sequence[str],
    board: str,
    to: str,
    *,
    frames: int,
    offsets: Mapping[str, int],
    progress: Progress,
) -> Made:
    """Calibrates cameras by films of a board.

    Raises:
      FileNotFoundError: a video is not there.
      ValueError: no such board, a video that cannot be read, or too little is seen of the board.
    """
    what = boards.parse(board)
    target = files.absolute(to)
    if files.suffix(target) != ".toml":
        raise ValueError(f"--to must be a .toml file, such as calibration.toml. Received: {to!r}.")
    films = board_films.read(
        board_films.named(words), what, frames=frames, offsets=offsets, progress=progress
    )
    found = rig_calibration.calibrate(what, films.corners, films.sizes)
    calibrations.write(found.rig, target, made_by=f"beampose {__version__}", board=board)
    page = f"{target.removesuffix('.toml')}.html"
    storage.write_text(page, _page(target, board, found, films))
    return Made(target, page, found, films)


def lines(made: Made) -> list[str]:
    """What a person should know of a calibration."""
    found = made.found
    said = [
        f"{name}: the board in {found.images[name]} of {made.films.instants} frames, seen in "
        f"{found.coverage[name]:.0%} of the image, {_rms(off):.2f} px off"
        for name, off in found.errors.items()
    ]
    said += [
        f"{pair}: {counted(count, 'instant')} seen by both" for pair, count in found.shared.items()
    ]
    return [*said, *(f"NOTE: {remark}" for remark in found.remarks)]


def _rms(off: np.ndarray) -> float:
    return float(np.sqrt(np.mean(off**2))) if len(off) else float("nan")


def _page(target: str, board: str, found: Calibrated, films: Films) -> str:
    with plots.styled():
        plot = plots.svg(space_plots.errors(found.errors))
    rows = [
        {
            "name": camera.name,
            "video": films.videos[camera.name],
            "images": found.images[camera.name],
            "coverage": found.coverage[camera.name],
            "error": _rms(found.errors[camera.name]),
            "focal": (float(camera.matrix[0, 0]), float(camera.matrix[1, 1])),
            "centre": [float(x) for x in camera.centre],
            "picture": _picture(films, camera.name),
        }
        for camera in found.rig.cameras
    ]
    return pages.render(
        "calibration.html",
        title=files.name(target),
        board=texts.printable(board),
        error=found.rig.error,
        rows=rows,
        instants=films.instants,
        shared=found.shared,
        remarks=[texts.printable(one) for one in found.remarks],
        plot=plot,
    )


def _picture(films: Films, name: str) -> Any:
    """The frame with most corners, and all corners that this camera saw, as dots."""
    instant, pixels = films.pictures[name]
    image = np.ascontiguousarray(pixels)
    color = drawing.palette(2)
    # As large in every picture, whose width is the same.
    radius = max(2, round(image.shape[1] / _WIDTH * 2))
    for _, places in films.corners[name].values():
        drawing.dots(image, places, [color[0]] * len(places), radius)
    here = films.corners[name][instant][1]
    drawing.rings(image, here, [color[1]] * len(here), 3 * radius)
    factor = min(1.0, _WIDTH / image.shape[1])
    small = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    return label_overview.uri(small)
