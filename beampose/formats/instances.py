"""From animals listed frame by frame, with or without tracks, to fixed individuals."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from beampose.core.wording import agreed, counted
from beampose.formats.deeplabcut.project_labels import INDIVIDUAL
from beampose.preprocess.labels import SINGLE, WARNING, Problem

# Tracks of the same animal in pieces are many more than animals are ever seen at once.
_PIECES = 2


class Instance(NamedTuple):
    """An animal in one frame: its track, or "" if unknown, and (bodyparts, 2) x, y."""

    track: str
    keypoints: np.ndarray


def several(named: Sequence[Sequence[str]], what: str, file: str) -> list[Problem]:
    """Says that animals whose kinds name other bodyparts are read as animals of one kind.

    Args:
      named: bodyparts of each kind that has an animal.
      what: they are and what they name, such as "skeletons name different nodes".
      file: they are from.
    """
    if len({frozenset(names) for names in named}) < 2:
        return []
    told = f"{len(named)} {what}: those of one name are one bodypart"
    return [Problem(WARNING, file, 0, "", told)]


def joined(
    frames: Mapping[Any, list[Instance]], said: str, file: str, problems: list[Problem]
) -> dict[Any, list[Instance]]:
    """Single points as the animals that they are of: the points of a track, or of the only animal.

    Points stay what they are where two of one bodypart might be of either animal.

    Args:
      frames: by image, instances of one point each.
      said: by the file, from which it follows that they are points.
    """
    found = {}
    for image, points in frames.items():
        of: dict[str, list[np.ndarray]] = {}
        for one in points:
            of.setdefault(one.track, []).append(one.keypoints)
        if any((~np.isnan(group)).any(2).sum(0).max() > 1 for group in of.values()):
            what = f"{said}, and an image has two of one: each keypoint is an animal of its own"
            problems.append(Problem(WARNING, file, 0, "", what))
            return dict(frames)
        found[image] = [Instance(track, np.fmax.reduce(group)) for track, group in of.items()]
    what = f"{said}: those of an image are taken for one animal"
    problems.append(Problem(WARNING, file, 0, "", what))
    return found


def arrange(
    frames: Sequence[Sequence[Instance]],
    *,
    tracks: Sequence[str],
    bodyparts: int,
    file: str,
    problems: list[Problem],
    scene: bool = False,
) -> tuple[tuple[str, ...], list[np.ndarray]]:
    """Gives every animal of every frame a place among fixed individuals.

    A track is an individual, unless there are more than twice as many tracks as animals are ever
    seen at once: then they are pieces, and animals take places in the order they are listed.

    Args:
      tracks: names in the order of the source, also of tracks without labels.
      scene: whether a track `single` is the scene, as DeepLabCut means it, and no animal.

    Returns:
      Names of the individuals, and of each frame (individuals, bodyparts, 2), NaN = not labeled.
    """
    most = max(map(len, frames), default=0)
    used = [name for name in tracks if any(one.track == name for frame in frames for one in frame)]
    names = list(tracks)
    if len(used) > _PIECES * most:
        what = (
            f"{len(used)} tracks of at most {most} animals at once are pieces of tracks: the "
            "animals of a frame are taken in the order they are listed"
        )
        problems.append(Problem(WARNING, file, 0, "", what))
        names = []
    own = [[one.track for one in frame if one.track in names] for frame in frames]
    if twice := sum(len(found) - len(set(found)) for found in own):
        what = (
            f"{counted(twice, 'animal')} {agreed(twice, 'have')} the track of another one in their "
            "image, and are taken for animals without a track"
        )
        problems.append(Problem(WARNING, file, 0, "", what))
    if most <= 1 and len(names) <= 1:
        names = [INDIVIDUAL]
    free = (f"individual{i}" for i in range(1, len(names) + most + 1))
    names += [name for name in free if name not in names][: max(most - len(names), 0)]
    placed = [_placed(frame, names, bodyparts) for frame in frames]
    return tuple(name if scene else _animal(name) for name in names), placed


def untracked(frames: Sequence[Sequence[Instance]], individuals: Sequence[str]) -> int:
    """How many animals have a place among individuals that no track gave them."""
    tracks = [one.track for frame in frames for one in frame]
    return sum(not {track, _animal(track)} & {*individuals} for track in tracks)


def _animal(name: str) -> str:
    """DeepLabCut takes every individual whose name holds `single` for the scene."""
    return name.replace(SINGLE, SINGLE.capitalize())


def _placed(frame: Sequence[Instance], names: Sequence[str], bodyparts: int) -> np.ndarray:
    found = np.full((len(names), bodyparts, 2), np.nan)
    taken: dict[int, Instance] = {}
    waiting = []
    for one in frame:
        place = names.index(one.track) if one.track in names else -1
        if place < 0 or place in taken:
            waiting.append(one)
        else:
            taken[place] = one
    places = (i for i in range(len(names)) if i not in taken)
    taken |= dict(zip(list(places), waiting, strict=False))
    for place, one in taken.items():
        found[place] = one.keypoints
    return found
