"""Facts of labels by which a recipe is chosen: sizes, distances, directions. NumPy only."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

# Pairs of bodyparts at least this share of the longest apart tell the direction of an animal.
FAR = 0.5
# They count if they are labeled in this share of the animals.
SEEN = 0.25
# Animals that tell the distances between bodyparts, about, at most: the others add nothing.
MOST = 2000


class LabelFacts(NamedTuple):
    """Facts of the labels of a training split; lengths are pixels of the source image.

    Attributes:
      images: labeled ones.
      videos: they come from.
      bodyparts, individuals: numbers of names.
      height, width: of a typical image.
      extent: diagonal of the box around an animal, the median of animals; NaN if no animal has two
        labeled points.
      spacing: distance of a bodypart from the nearest other one of its animal: the median over
        images, and of those the median over bodyparts; NaN as above.
      closest: the same, of the two bodyparts that are closest.
      turning: from 0, all animals are seen in one direction or its opposite, to 1, in all
        directions alike.
    """

    images: int
    videos: int
    bodyparts: int
    individuals: int
    height: float
    width: float
    extent: float
    spacing: float
    closest: float
    turning: float


def facts(
    keypoints: np.ndarray, videos: Sequence[str], heights: Sequence[int], widths: Sequence[int]
) -> LabelFacts:
    """Facts of labels.

    Args:
      keypoints: (images, individuals, bodyparts, 2), x then y, NaN = not labeled.
      videos: name of each image's video.
      heights, widths: of some of the images, at least one.
    """
    images, individuals, bodyparts = keypoints.shape[:3]
    animals = keypoints.reshape(-1, bodyparts, 2)
    animals = animals[np.isfinite(animals).all(axis=-1).sum(axis=1) > 1]
    animals = animals[:: max(len(animals) // MOST, 1)]
    near = nearest(animals)
    return LabelFacts(
        images=images,
        videos=len(set(videos)),
        bodyparts=bodyparts,
        individuals=individuals,
        height=float(np.median(heights)),
        width=float(np.median(widths)),
        extent=_median([float(np.linalg.norm(np.ptp(_known(one), axis=0))) for one in animals]),
        spacing=_median(near),
        closest=float(np.nanmin(near)) if np.isfinite(near).any() else float("nan"),
        turning=turning(animals),
    )


def nearest(animals: np.ndarray) -> np.ndarray:
    """Distance of each bodypart from the nearest other one, the median over animals.

    Args:
      animals: (animals, bodyparts, 2), NaN = not labeled.

    Returns:
      (bodyparts,), NaN where a bodypart is never labeled beside another.
    """
    found = np.full(animals.shape[:2], np.nan)
    for i in range(animals.shape[1]):
        others = np.delete(animals, i, axis=1) - animals[:, i, None]
        length = np.linalg.norm(others, axis=-1)
        least = np.where(np.isnan(length), np.inf, length).min(axis=1, initial=np.inf)
        found[:, i] = np.where(np.isinf(least), np.nan, least)
    return np.array([_median(column) for column in found.T])


def turning(animals: np.ndarray) -> float:
    """How evenly animals are turned in all directions: 0 not at all, 1 evenly.

    Of pairs of bodyparts that are far apart, the one whose direction is the steadiest: limbs move,
    but an animal that turns takes all of its pairs with it. Opposite directions count as the same:
    an animal seen from the side faces left or right and never stands on its head.

    Args:
      animals: (animals, bodyparts, 2), NaN = not labeled.
    """
    offsets = animals[:, :, None] - animals[:, None, :]
    length = np.linalg.norm(offsets, axis=-1)
    pairs = [(i, j) for i in range(animals.shape[1]) for j in range(i)]
    typical = np.array([_median(length[:, i, j]) for i, j in pairs])
    if not np.isfinite(typical).any():
        return 0.0
    steady = []
    for (i, j), usual in zip(pairs, typical, strict=True):
        seen = length[:, i, j] > 0
        # A pair that is seldom labeled says little.
        if usual >= FAR * np.nanmax(typical) and seen.sum() >= max(SEEN * len(animals), 3):
            angle = np.arctan2(offsets[seen, i, j, 1], offsets[seen, i, j, 0])
            steady.append(abs(np.exp(2j * angle).mean()))
    return float(1 - max(steady, default=1.0))


def _known(points: np.ndarray) -> np.ndarray:
    return points[np.isfinite(points).all(axis=-1)]


def _median(values: Sequence[float] | np.ndarray) -> float:
    known = np.asarray(values, float)
    known = known[np.isfinite(known)]
    return float(np.median(known)) if len(known) else float("nan")
