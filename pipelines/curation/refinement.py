"""Badly predicted frames of videos into a DeepLabCut project, with what the model said of them."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from beampose.core import files, notes, number_tables, storage
from beampose.core.names import SPREAD
from beampose.core.settings.experiment import Config, Outliers
from beampose.core.wording import agreed, counted
from beampose.formats.deeplabcut import (
    collected_data,
    machine_labels,
    prediction_tables,
    project_config,
    video_links,
)
from beampose.formats.deeplabcut.prediction_tables import Table
from beampose.formats.deeplabcut.project_labels import LABELED_DATA
from beampose.pipelines import film_names
from beampose.pipelines.curation import frame_files, outlier_frames
from beampose.pipelines.curation.frame_extraction import MOST
from beampose.pipelines.curation.frame_files import Progress
from beampose.pipelines.curation.outlier_frames import Suspects
from beampose.pipelines.curation.project_films import ProjectFilms
from beampose.pipelines.film_names import Film
from beampose.pipelines.results import result_files
from beampose.pipelines.results.result_files import Found
from beampose.preprocess import select, videos
from beampose.preprocess.labels import SINGLE
from beampose.preprocess.videos import Video


class Refined(NamedTuple):
    """Result for a video.

    Attributes:
      folder: of its frames in the project.
      candidates: frames that the rule found.
      known: those among them that the project has already.
      written: numbers of the frames written now.
    """

    video: str
    folder: str
    candidates: int
    known: int
    written: list[int]
    remarks: list[str]


def run(
    config: Config,
    paths: Sequence[str],
    root: str,
    progress: Progress = lambda items, total, what: items,
) -> tuple[list[Refined], list[tuple[str, str]]]:
    """Chooses frames of every video; one that cannot be used is a failure (path, reason).

    Args:
      root: the project's folder, which has a config.yaml.

    Raises:
      FileNotFoundError: no such project, or a path matches nothing.
      ValueError: its config.yaml cannot be read.
    """
    root = files.absolute(root)
    file = files.join(root, project_config.CONFIG)
    if not files.exists(file):
        raise FileNotFoundError(
            f"No DeepLabCut project: {file} does not exist. `beampose extract-frames` makes one."
        )
    text, _ = project_config.read(file)
    # Of a film that was renamed predictions and project tell the same.
    with notes.once(film_names.LOG):
        found, failures = result_files.tables(config, paths)
        films = film_names.assign([one.video for one in found if one.video], ProjectFilms(root))
    by_path = {film.path: film for film in films}
    done = []
    for one in found:
        try:
            if not one.video:
                raise ValueError("is not a video: frames are taken from videos. Name the video")
            if not by_path[one.video].fingerprint and not files.exists(one.video):
                raise ValueError("there is no such file")
            source = (one, by_path[one.video])
            done.append(_video(config.outliers, source, root, text, progress))
        except (OSError, ValueError) as error:
            failures.append((one.video or one.given, files.why(error)))
    return done, failures


def _nothing(settings: Outliers) -> str:
    """Words for a film in which the rule finds no frame, and what would find some."""
    if settings.method == "jump":
        why = f"nothing jumps farther than outliers.epsilon ({settings.epsilon:g} px): lower it"
    elif settings.method == "uncertain":
        why = f"nothing is less likely than outliers.p_bound ({settings.p_bound:g}): raise it"
    else:
        return "it has no predictions that could be compared"
    return f"{why}, or set outliers.method to fitting, which takes the frames that fit least"


def _unknown(what: str, root: str) -> str:
    return (
        f"its predictions have {what}, which config.yaml does not name ({root}): name the project "
        "that the model learned from, or train on this one with `beampose run`"
    )


def _video(
    settings: Outliers, source: tuple[Found, Film], root: str, text: str, progress: Progress
) -> Refined:
    one, film = source
    read = prediction_tables.read(one.table())
    unknown = sorted(set(read.bodyparts) - set(project_config.bodyparts(text)))
    if unknown:
        raise ValueError(_unknown(f"the bodypart {unknown[0]!r}", root))
    names = project_config.individuals(text)
    others = sorted({*read.individuals} - {"", SINGLE, *names})
    if names and others:
        raise ValueError(_unknown(f"the individual {others[0]!r}", root))
    video = videos.index(one.video)
    result_files.check_frames(one, read, video.count)
    folder = files.join(root, LABELED_DATA, film.name)
    entry = video_links.entry(root, film.path, film.name)
    crop = _crop(folder, video, project_config.crop_of(text, entry))
    frames = frame_files.Source(video, crop, progress)
    file = machine_labels.file_of(folder, project_config.iteration(text))
    labels = machine_labels.read(file, read.points)
    human = {frame_files.number(name) for name in collected_data.images(folder)}
    machines = {frame_files.number(name) for name in labels}
    # Also labels whose image is gone say that their frame is known.
    had = [n for n in {*frame_files.numbers(folder), *human, *machines} if n is not None]
    count = int(settings.count or project_config.settings(text).get("count") or 20)
    wanted = max(count - len(machines - human), 0)
    suspects = _suspects(settings, one, read, count)
    free = suspects.rows[~np.isin(read.frames[suspects.rows], had)]
    picked = _pick(settings, suspects, free, wanted, read, frames)
    shift = np.array([crop[0], crop[2], 0.0]) - [*result_files.offset(one), 0.0]
    name = {row: select.frame_name(int(read.frames[row]), video.count) for row in picked}
    new = {name[row]: read.values[row] - shift for row in picked}
    if picked:
        frame_files.enter(root, film, crop, chosen=False)
        machine_labels.write(file, {**labels, **new}, read.points, read.scorer)
    remarks = _write_frames(frames, file, {**labels, **new}, read, human)
    if not wanted:
        remarks.append(
            f"{counted(count, 'frame')} to correct {agreed(count, 'are')} in this iteration "
            "already; raise outliers.count for more"
        )
    elif not len(suspects.rows):
        remarks.append(_nothing(settings))
    there = frame_files.numbers(folder)
    written = [int(read.frames[row]) for row in picked if int(read.frames[row]) in there]
    return Refined(
        one.video, folder, len(suspects.rows), len(suspects.rows) - len(free), written, remarks
    )


def _suspects(settings: Outliers, one: Found, read: Table, count: int) -> Suspects:
    chosen = read.indices(settings.bodyparts)
    spread = None
    if settings.method == "spread":
        spread = _spread(one.stem + SPREAD, read, chosen)
    return outlier_frames.suspects(
        read.values[:, chosen], settings, count=count, frames=read.frames, spread=spread
    )


def _spread(file: str, read: Table, chosen: list[int]) -> np.ndarray | None:
    """(rows, points) pixels by which the heads of the model disagree, None if there is no file.

    Raises:
      ValueError: it has other frames or bodyparts.
    """
    if not storage.place(file).is_file():
        return None
    found = number_tables.read(file, index_col=0)
    names = [read.points[i][1] for i in chosen]
    if not set(names) <= set(found.columns) or not np.array_equal(found.index, read.frames):
        raise ValueError(f"{file} has other frames or bodyparts. Predict the video again")
    return found[names].to_numpy(np.float64)


def _pick(
    settings: Outliers,
    suspects: Suspects,
    free: np.ndarray,
    wanted: int,
    read: Table,
    source: frame_files.Source,
) -> list[int]:
    """Rows of the frames to write, in order."""
    if not wanted or not len(free):
        return []
    if settings.pick == "extreme":
        return outlier_frames.extreme(suspects, free, wanted)
    rng = np.random.default_rng([settings.seed, source.count, len(read.rows) - len(free)])
    if settings.pick == "uniform":
        return outlier_frames.uniform(free, wanted, rng)
    free = free[:: -(-len(free) // MOST["kmeans"])]
    numbers, vectors = source.vectors(read.frames[free].tolist(), None)
    row = {int(read.frames[i]): int(i) for i in free}
    return [row[numbers[i]] for i in select.by_kmeans(vectors, wanted, rng)]


def _write_frames(
    source: frame_files.Source,
    file: str,
    labels: dict[str, np.ndarray],
    read: Table,
    human: set[int | None],
) -> list[str]:
    """Writes every frame that has a machine label and no image: those of a killed run too.

    One that cannot be decoded loses its label. Returns remarks.
    """
    folder = files.parent(file)
    there = {*frame_files.numbers(folder), *human}
    lost = []
    for name in sorted(labels):
        number = frame_files.number(name)
        if number is None or number in there or number >= source.count:
            continue
        if not frame_files.write(source, number, folder):
            lost.append(name)
    if not lost:
        return []
    kept = {name: values for name, values in labels.items() if name not in lost}
    machine_labels.write(file, kept, read.points, read.scorer)
    return [f"{', '.join(lost)} cannot be decoded and is left out"]


# The crop that DeepLabCut's projects note with each film.
_CROP = "the crop in config.yaml"
_REMEDY = f"{_CROP} must be the part of the film that they show"


def _crop(folder: str, video: Video, told: tuple[int, ...] | None) -> tuple[int, int, int, int]:
    """Part of the video that the folder's frames show: all of it, or what config.yaml told.

    Raises:
      ValueError: they have another size.
    """
    whole = frame_files.checked_crop(None, video)
    had = frame_files.numbers(folder)
    if had and told is not None and told != whole:
        try:
            frame_files.check_size(had, whole)
        except ValueError:
            x1, x2, y1, y2 = told
            whole = frame_files.checked_crop((x1, x2, y1, y2), video, named=_CROP)
    frame_files.check_size(had, whole, remedy=_REMEDY)
    return whole
