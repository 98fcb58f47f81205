"""Predictions of several views of one recording."""

import contextlib
import logging
import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from beampose.core import artefacts, files, mistaken_paths, number_tables, storage
from beampose.core.infos import ModelInfo, PredictionInfo, TracksInfo, Uncertainty
from beampose.core.names import INFO
from beampose.core.settings.experiment import Config
from beampose.formats import individuals_file
from beampose.formats.deeplabcut import prediction_tables, track_writer
from beampose.formats.deeplabcut.prediction_tables import Table
from beampose.pipelines.results import result_files
from beampose.preprocess import videos
from beampose.preprocess.cameras import Rig

LOG = logging.getLogger(__name__)


class View(NamedTuple):
    """A view.

    Attributes:
      name: of its camera.
      video: its path; empty if a table was named instead.
      file: the table of its predictions.
      values: (rows, points, 3) x, y in pixels of the frame, likelihood.
      table: with the names of the points, without those of other views in the frame.
      size: height and width of the frames; None if nothing says it.
      uncertainty: of the model that predicted; None if not known.
      spread: (rows, points), pixels by which the model's heads disagree; None of a single head.
      individuals: of tracks, what the file of the features they were made with begins with; empty
        if it is not there.
      fps: frames a second of the video; None if nothing says it.
    """

    name: str
    video: str
    fingerprint: str
    file: str
    values: np.ndarray
    table: Table
    size: tuple[int, int] | None
    uncertainty: Uncertainty | None
    spread: np.ndarray | None = None
    individuals: str = ""
    fps: float | None = None


def parse(words: Sequence[str]) -> list[tuple[str, str]]:
    """Names and paths of `NAME=VIDEO` words.

    Raises:
      ValueError: a word without a name, a name twice, or fewer than two views.
    """
    found = []
    for word in words:
        name, equals, path = word.partition("=")
        if not (name.strip() and equals and path.strip()):
            raise ValueError(
                f"--views takes NAME=VIDEO, such as left=trial-left.mp4, not {word!r}."
            )
        if name in [known for known, _ in found]:
            raise ValueError(f"--views names {name!r} twice: a camera has one view.")
        found.append((name, path))
    if len(found) < 2:
        raise ValueError("--views needs two views at least: one camera sees no depth.")
    return found


def read(config: Config, views: Sequence[tuple[str, str]], *, filtered: bool) -> list[View]:
    """Reads the predictions of each view.

    Several views of one video, as by a mirror, are told apart by their bodyparts: `nose_top` is the
    nose in the view `top`.

    Raises:
      FileNotFoundError: a video is not there.
      ValueError: one has no predictions; the text names the view.
    """
    found = []
    for name, path in views:
        with _told(path):
            found.append(_read(config, name, path, filtered))
    files_of = [one.file for one in found]
    names = [one.name for one in found]
    return [_own_points(one, names) if files_of.count(one.file) > 1 else one for one in found]


def check_sizes(views: Sequence[View], rig: Rig) -> None:
    """Raises ValueError where frames have another size than those a camera was calibrated with."""
    for view, camera in zip(views, rig.cameras, strict=True):
        if view.size and camera.size and view.size != camera.size:
            sizes = [f"{width}x{height}" for height, width in (view.size, camera.size)]
            raise ValueError(
                f"{view.video or view.file} has frames of {sizes[0]}, but {rig.file} was "
                f"calibrated with {sizes[1]} for the camera {camera.name!r}: calibrate with "
                "films of the same size, uncut and not scaled."
            )


def _told(path: str) -> contextlib.AbstractContextManager:
    """Says what a file of another program is; a film may have no predictions yet."""
    if files.suffix(path) in videos.SUFFIXES:
        return contextlib.nullcontext()
    return mistaken_paths.told(path, mistaken_paths.PREDICTIONS)


def _read(config: Config, name: str, path: str, filtered: bool) -> View:
    tables, failures = result_files.tables(config, [path])
    if failures:
        raise ValueError(f"The view {name} ({failures[0][0]}) {failures[0][1]}")
    if len(tables) != 1:
        raise ValueError(f"The view {name} must be one video. {path} holds {len(tables)}.")
    one = tables[0]
    try:
        file = one.table(filtered=filtered)
    except ValueError as error:
        raise ValueError(f"The view {name} ({path}) {error}") from None
    table = prediction_tables.read(file)
    if table.rows.dtype.kind not in "iu":
        raise ValueError(f"{file} holds images, not frames of a video: their instants are unknown.")
    if not len(table.rows):
        raise ValueError(f"{file} has no predicted frame: there is nothing to triangulate.")
    values = table.values.copy()
    values[..., :2] += result_files.offset(one)
    video, fingerprint = one.film()
    size, fps = result_files.size_and_rate(one)
    return View(
        name,
        video,
        fingerprint,
        file,
        values,
        table,
        size,
        _radii(config, one),
        _spread(one.stem, table),
        _individuals(one),
        fps,
    )


def _individuals(one: result_files.Found) -> str:
    """What the file of features begins with that tracks were made with, also of a table of tracks
    that was named, if it lies beside it."""
    tracks, stem = one.stem, one.tracked
    if one.given:
        for made in (result_files.FILTERED, result_files.PROOFREAD):
            tracks = tracks.removesuffix(made)
        stem = tracks.removesuffix(track_writer.ENDINGS["transformer"])
        endings = [ending for ending in track_writer.ENDINGS.values() if stem.endswith(ending)]
        stem = stem.removesuffix(endings[0]) if endings else ""
    said = artefacts.find_info(f"{tracks}.json", TracksInfo) if stem else None
    if said is None or said.source != individuals_file.source(stem):
        return ""
    return stem if files.exists(f"{stem}{individuals_file.ENDING}") else ""


def _spread(stem: str, table: Table) -> np.ndarray | None:
    """The table of spreads beside predictions, if it has the same frames and bodyparts."""
    file = storage.place(f"{stem}_spread.csv")
    # Heads for several animals are averaged without one.
    if not file.is_file() or any(individual for individual, _ in table.points):
        return None
    try:
        found = number_tables.read(file, index_col=0)
        values = found.loc[table.rows, [part for _, part in table.points]].to_numpy(float)
    except (KeyError, ValueError):
        LOG.warning(
            "NOTE: %s is not used: its frames or bodyparts are not those of the predictions.", file
        )
        return None
    return values


def _radii(config: Config, one: result_files.Found) -> Uncertainty | None:
    """Of the model that made a table, if it is one of ours."""
    said = one.summary()
    if isinstance(said, PredictionInfo):
        return said.uncertainty
    model = artefacts.find_info(storage.place(config.model, INFO), ModelInfo)
    # A scorer goes on with how tracks were made.
    ours = model is not None and (said is not None) and model.dlc_scorer in one.stem
    return model.uncertainty if model is not None and ours else None


def _own_points(view: View, names: Sequence[str]) -> View:
    """The view with those points of its video that end with its name, called without it."""
    ending = re.compile(rf"(.+)[_-]{re.escape(view.name)}")
    chosen = [(i, ending.fullmatch(part)) for i, (_, part) in enumerate(view.table.points)]
    mine = [(i, found[1]) for i, found in chosen if found]
    if not mine:
        raise ValueError(
            f"The views {', '.join(names)} share one video, so that bodyparts must be called after "
            f"them, such as nose_{view.name}. {view.file} has "
            f"{', '.join(view.table.bodyparts)}."
        )
    points = tuple((view.table.points[i][0], name) for i, name in mine)
    values = view.values[:, [i for i, _ in mine]]
    radii = view.uncertainty
    if radii is not None:
        full = {name: radii.radius_px.get(view.table.points[i][1]) for i, name in mine}
        radii = radii.replace(radius_px=full)
    spread = None if view.spread is None else view.spread[:, [i for i, _ in mine]]
    table = view.table._replace(points=points, values=values)
    return view._replace(values=values, table=table, uncertainty=radii, spread=spread)
