"""Facts of labels by which a recipe is chosen: sizes, distances, directions. NumPy only."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

# Pairs of bodyparts at least this share of the longest apart tell the direction of an animal.
FAR = 0.5
# They count if they are labeled in this share of the animals.
SEEN = 0.25
# Bodyparts are of the scene, two at least, if they move by less than this share of what moves most
# and to each other by less than this share of their distance, in films with so many labels of them,
# and the others move by this share of an animal's length.
FIXED, ENOUGH, FAR_MOVED = 0.15, 5, 0.5
# Seen by a camera that moves, their way to each other changes by less than this share: animals are
# far from some of them, and little nearer elsewhere.
RIGID = 0.06
# The only other one is inside of them in this share of the images.
INSIDE = 0.9
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
        directions alike; NaN if no animal has two labeled points.
      scene: bodyparts that are no animal's but the scene's, which the lengths leave out.
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
    scene: int = 0


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
    own = of_animals(keypoints, videos)
    animals = own.reshape(-1, bodyparts, 2)
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
        extent=_median([length(one) for one in animals]),
        spacing=_median(near),
        closest=float(np.nanmin(near)) if np.isfinite(near).any() else float("nan"),
        turning=turning(animals),
        scene=int((labeled(keypoints) & ~labeled(own)).sum()),
    )


def of_animals(keypoints: np.ndarray, videos: Sequence[str]) -> np.ndarray:
    """Labels without those of the scene: of unique bodyparts, and of corners of a cage and the like
    that were named as bodyparts of the one animal. Neither says how large an animal is or how it
    turns.

    Args:
      keypoints, videos: as of `facts`.

    Returns:
      As many keypoints, NaN where they are the scene's.
    """
    found = keypoints.copy()
    if keypoints.shape[1] > 1:
        # Unique bodyparts are labeled in the last row, and nowhere else.
        last, others = labeled(keypoints[:, -1:]), labeled(keypoints[:, :-1])
        if last.any() and others.any() and not (last & others).any():
            found[:, -1] = np.nan
        return found
    points = keypoints[:, 0]
    fixed = _fixed(points, videos)
    if not fixed.any():
        fixed = _fixed_to_each_other(points, videos)
    found[:, :, fixed] = np.nan
    return found


def _fixed_to_each_other(points: np.ndarray, videos: Sequence[str]) -> np.ndarray:
    """As `_fixed`, where the camera moves: seen from those that keep their places to each other."""
    stiff = np.array([_stiff(one, points, RIGID) for one in points.swapaxes(0, 1)])
    first = int(stiff.sum(axis=1).argmax())
    still = stiff[first]
    still[first] = still.any()
    # An animal moves beside them, of which a single bodypart would tell too little.
    if still.sum() < 2 or (~still).sum() < 2:
        return np.zeros(len(still), bool)
    # The place of the first by each of them: some are out of sight.
    ways = points[:, still] - points[:, first, None]
    told = points[:, still] - _middles(ways.swapaxes(0, 1))
    origin = _middles(told)
    return _fixed(points - origin[:, None], videos)


def _fixed(points: np.ndarray, videos: Sequence[str]) -> np.ndarray:
    """Which bodyparts (images, bodyparts, 2) stay where they are while the others go about."""
    moved: list[list[float]] = [[] for _ in range(points.shape[1])]
    films = np.array(videos)
    for film in dict.fromkeys(videos):
        for own, part in zip(moved, points[films == film].swapaxes(0, 1), strict=True):
            known = _known(part)
            if len(known) >= ENOUGH:
                own += np.linalg.norm(known - np.median(known, axis=0), axis=-1).tolist()
    spread = np.array([_median(one) for one in moved])
    if not np.isfinite(spread).any():
        return np.zeros(len(spread), bool)
    most = float(np.nanmax(spread))
    fixed = spread < FIXED * most
    # One alone, such as the tongue of an animal that reaches, says little of sizes and directions.
    still = points[:, fixed]
    fixed[fixed] = [_stiff(one, still, FIXED, FIXED * most).any() for one in still.swapaxes(0, 1)]
    if fixed.any() and not _goes_about(points, fixed, spread):
        fixed[:] = False
    return fixed


def _stiff(point: np.ndarray, others: np.ndarray, share: float, least: float = 0.0) -> np.ndarray:
    """To which others (images, others, 2) the way from a bodypart (images, 2) is the same in all
    images, but for a share of its length; one of at least so many pixels."""
    found = np.zeros(others.shape[1], bool)
    for i, way in enumerate((others - point[:, None]).swapaxes(0, 1)):
        known = _known(way)
        usual = np.median(known, axis=0) if len(known) else np.zeros(2)
        length = float(np.linalg.norm(usual))
        change = _median(np.linalg.norm(known - usual, axis=-1))
        found[i] = length > 0 and length >= least and change < share * length
    return found


def _goes_about(points: np.ndarray, fixed: np.ndarray, spread: np.ndarray) -> bool:
    """Whether an animal goes about among what is fixed: of one that is held some bodyparts hardly
    move, and none goes far.

    Args:
      points: (images, bodyparts, 2).
      fixed, spread: (bodyparts,), which are fixed, and how far each moves.
    """
    rest = points[:, ~fixed]
    if rest.shape[1] > 1:
        usual = _median([length(one) for one in rest])
        return bool(np.nanmedian(spread[~fixed]) > FAR_MOVED * np.nan_to_num(usual))
    # A single one shows no length: it is among them.
    corners = _middles(points[:, fixed].swapaxes(0, 1))
    known = _known(rest[:, 0])
    inside = (known >= corners.min(axis=0)) & (known <= corners.max(axis=0))
    return bool(inside.all(axis=-1).mean() > INSIDE)


def length(points: np.ndarray) -> float:
    """Diagonal of the box around the labeled ones of (bodyparts, 2); NaN of fewer than two."""
    known = _known(points)
    return float(np.linalg.norm(np.ptp(known, axis=0))) if len(known) > 1 else float("nan")


def labeled(keypoints: np.ndarray) -> np.ndarray:
    """Whether each bodypart of (images, individuals, bodyparts, 2) is labeled anywhere."""
    known = np.asarray(np.isfinite(keypoints).all(axis=-1))
    return np.asarray(known.reshape(-1, keypoints.shape[2]).any(axis=0))


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
    an animal seen from the side faces left or right and never stands on its head. NaN where no pair
    is labeled often enough to tell.

    Args:
      animals: (animals, bodyparts, 2), NaN = not labeled.
    """
    offsets = animals[:, :, None] - animals[:, None, :]
    length = np.linalg.norm(offsets, axis=-1)
    pairs = [(i, j) for i in range(animals.shape[1]) for j in range(i)]
    typical = np.array([_median(length[:, i, j]) for i, j in pairs])
    # A pair that is seldom labeled says little.
    enough = np.array([(length[:, i, j] > 0).sum() for i, j in pairs]) >= max(
        SEEN * len(animals), 3
    )
    if not (enough & np.isfinite(typical)).any():
        return float("nan")
    far = FAR * np.nanmax(typical[enough])
    steady = []
    for (i, j), usual, often in zip(pairs, typical, enough, strict=True):
        seen = length[:, i, j] > 0
        if often and usual >= far:
            angle = np.arctan2(offsets[seen, i, j, 1], offsets[seen, i, j, 0])
            steady.append(abs(np.exp(2j * angle).mean()))
    return float(1 - max(steady, default=1.0))


def _middles(groups: np.ndarray) -> np.ndarray:
    """Median x and y of each group (groups, points, 2), NaN where none is labeled."""
    return np.array([[_median(axis) for axis in one.T] for one in groups])


def _known(points: np.ndarray) -> np.ndarray:
    return points[np.isfinite(points).all(axis=-1)]


def _median(values: Sequence[float] | np.ndarray) -> float:
    known = np.asarray(values, float)
    known = known[np.isfinite(known)]
    return float(np.median(known)) if len(known) else float("nan")
