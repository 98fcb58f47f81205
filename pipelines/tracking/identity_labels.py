"""Identities of animals in a video's labeled frames, against which tracks are measured."""

import logging
import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from beampose import formats
from beampose.core import files, fingerprints
from beampose.formats import spreadsheets
from beampose.formats.deeplabcut import collected_data, columns
from beampose.preprocess import inside
from beampose.preprocess.labels import SINGLE, LabeledCrop, LabeledFrame, Labels

LOG = logging.getLogger(__name__)
_NUMBER = re.compile(r"(\d+)(?:\.\w+)?$")


class Truth(NamedTuple):
    """Labeled animals.

    Attributes:
      frames: int64 (n,), numbers that rise.
      keypoints: (n, animals, bodyparts, 2), x, y in pixels of the frame, NaN = not labeled.
    """

    frames: np.ndarray
    keypoints: np.ndarray


def read(path: str, video: str, bodyparts: Sequence[str]) -> Truth:
    """Labels with identities: h5 or csv of DeepLabCut, labels or tracks; or SLEAP's or COCO's.

    Args:
      video: of a source with several the one whose name it has.
      bodyparts: which, and in what order; those that are not labeled are NaN.

    Raises:
      FileNotFoundError: no such file.
      ValueError: it cannot be read, or does not name several animals of this video's frames.
    """
    table = files.suffix(path) in (".h5", ".csv")
    found = _of_table(path, video, bodyparts) if table else _of_source(path, video, bodyparts)
    order = np.argsort(found.frames, kind="stable")
    frames, keypoints = found.frames[order], found.keypoints[order]
    if not len(frames) or np.isnan(keypoints).all():
        raise ValueError(f"{path} labels none of {', '.join(bodyparts)} in {files.name(video)}.")
    if (np.diff(frames) == 0).any():
        twice = int(frames[:-1][np.diff(frames) == 0][0])
        raise ValueError(f"{path} labels frame {twice} twice.")
    return Truth(frames, keypoints)


def _of_table(path: str, video: str, bodyparts: Sequence[str]) -> Truth:
    table, _ = collected_data.read(path, several=True)
    rows = _own_rows(table.names, video, path)
    try:
        place = columns.places(table.columns)
    except ValueError as error:
        raise ValueError(f"{path} {error}.") from None
    animals = [one for one in dict.fromkeys(c[1] for c in table.columns) if one != SINGLE]
    keypoints = np.full((len(rows), len(animals), len(bodyparts), 2), np.nan)
    for i, one in enumerate(animals):
        for j, part in enumerate(bodyparts):
            for k, coord in enumerate("xy"):
                if (one, part, coord) in place:
                    keypoints[:, i, j, k] = table.values[rows, place[one, part, coord]]
    numbers = [_frame(table.names[row], path) for row in rows]
    return Truth(np.array(numbers, np.int64), keypoints)


def _own_rows(names: Sequence[str], video: str, path: str) -> list[int]:
    """Rows whose images lie in the folder of a video; all, where they lie in one.

    Raises:
      ValueError: none is called as the video is.
    """
    folders = [files.name(files.parent(name)) for name in names]
    if len(set(folders)) <= 1:
        return list(range(len(names)))
    found = [row for row, folder in enumerate(folders) if folder == files.stem(video)]
    if not found:
        known = ", ".join(sorted(set(folders))[:4])
        raise ValueError(
            f"{path} labels images of several folders ({known}), none called {files.stem(video)}."
        )
    return found


def _of_source(path: str, video: str, bodyparts: Sequence[str]) -> Truth:
    labels = formats.read(formats.guess(path), path)
    animals = [i for i, one in enumerate(labels.individuals) if one != SINGLE]
    if labels.untracked and len(animals) > 1:
        _tell_untracked(labels, path)
    frames, found = [], []
    chosen = _same_film({_film(item) for item in labels.items}, video, path)
    for item in labels.items:
        assert isinstance(item, LabeledFrame)
        place = inside.parse(item.image)
        if _film(item) != chosen:
            continue
        frames.append(place.number if place and not place.dataset else _frame(item.name, path))
        found.append(_ordered(item.keypoints[animals], labels.bodyparts, bodyparts))
    shape = (len(frames), len(animals), len(bodyparts), 2)
    return Truth(np.array(frames, np.int64), np.array(found, float).reshape(shape))


def _tell_untracked(labels: Labels, path: str) -> None:
    """Says how many animals may be any of them, if not all are.

    Raises:
      ValueError: all are.
    """
    every = int(np.isfinite(labels.keypoints[..., 0]).any(axis=-1).sum())
    if labels.untracked >= every:
        raise ValueError(
            f"{path} does not say which animal is which: none of {every} has a track, or they have "
            "pieces of tracks. Give the same animal the same track in all frames, and tracks can "
            "be measured by it."
        )
    what = "of %d animals have no track, and count as whichever animal is free in their frame"
    LOG.warning(f"NOTE %s: %d {what}", path, labels.untracked, every)


def _film(item: LabeledFrame | LabeledCrop) -> str:
    """File of the video that an image is of, or the video's name where there is no such file."""
    place = inside.parse(item.image)
    return place.file if place and not place.dataset else item.video


def _same_film(labeled: set[str], video: str, path: str) -> str:
    """The labeled film that is the video: the one with its content, else the only one of its name.

    Raises:
      ValueError: several have its name, and none its content.
    """
    named = sorted(one for one in labeled if files.stem(one) == files.stem(video))
    if not named or not files.exists(video):
        return named[0] if len(named) == 1 else ""
    code = fingerprints.of_file(video)
    same = [one for one in named if files.exists(one) and fingerprints.of_file(one) == code]
    if not same and len(named) == 1:
        if files.exists(named[0]):
            LOG.warning("NOTE %s: labels are of %s, which has its name alone", video, named[0])
        return named[0]
    if not same:
        raise ValueError(
            f"{path} labels {' and '.join(named)}, and none of them is {video}. Put the film where "
            "the labels find it."
        )
    return same[0]


def _ordered(keypoints: np.ndarray, has: Sequence[str], wanted: Sequence[str]) -> np.ndarray:
    found = np.full((len(keypoints), len(wanted), 2), np.nan)
    for j, part in enumerate(wanted):
        if part in has:
            found[:, j] = keypoints[:, has.index(part)]
    return found


def _frame(name: str, path: str) -> int:
    """The number of a frame, from how DeepLabCut calls it: img0012.png, or 12."""
    number = _NUMBER.search(files.name(name))
    if number is None:
        raise ValueError(f"{path}: {name!r} does not say which frame of the video it is.")
    try:
        return spreadsheets.whole(number[1])
    except ValueError as error:
        raise ValueError(f"{path}: {files.name(name)[:80]!r}: {error}.") from None
