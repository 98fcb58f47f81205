"""Cost of continuing one tracklet as another, in sizes of an animal."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from beampose.pipelines.tracking import similarity
from beampose.pipelines.tracking.tracklets import Tracklet

# Detections at an end of a tracklet that say where it goes.
_ENDS = 10
# Frames in which a movement that is not seen any more dies down.
_FADES = 10.0
# An animal may have gone anywhere: no distance counts more, in sizes.
_FAR = 10.0

Appearance = np.ndarray | Callable[[Tracklet, Tracklet], float]


@dataclass(frozen=True)
class Weights:
    """Weights of the costs; each cost is about 1 for tracklets that are hardly the same animal.

    Attributes:
      distance: from the end of the one to the beginning of the other.
      motion: from where the one was heading, and where the other came from.
      shape: difference between the animals' proportions.
      gap: logarithm of the frames between them.
      appearance: 1 - the similarity given, 0 to 1, less the 0.5 of what is undecided.
    """

    distance: float = 1.0
    motion: float = 1.0
    shape: float = 1.0
    gap: float = 0.1
    appearance: float = 4.0

    def __post_init__(self):
        for name, value in vars(self).items():
            if not 0 <= value < np.inf:
                raise ValueError(f"The weight {name} must be 0 or more. Received: {value}")


class Ends(NamedTuple):
    """Ends of n tracklets.

    Attributes:
      first, last: int (n,), frames.
      begins, stops: (n, 2), centres there, in pixels.
      came, went: (n, 2), velocities there, in pixels a frame.
      form: (n, bodyparts), median distance of each bodypart from the centre, in pixels.
      size: of an animal, in pixels; of all.
      speed: pixels a frame; of all.
    """

    first: np.ndarray
    last: np.ndarray
    begins: np.ndarray
    stops: np.ndarray
    came: np.ndarray
    went: np.ndarray
    form: np.ndarray
    size: float
    speed: float


def ends(tracklets: Sequence[Tracklet]) -> Ends:
    """Of tracklets, one at least, each with one detection at least."""
    starts, stops, form, extent, pace = [], [], [], [], []
    for one in tracklets:
        middle = similarity.centres(one.keypoints[..., :2])
        starts.append(_line(one.frames[:_ENDS], middle[:_ENDS], one.frames[0]))
        stops.append(_line(one.frames[-_ENDS:], middle[-_ENDS:], one.frames[-1]))
        apart = np.linalg.norm(one.keypoints[..., :2] - middle[:, None], axis=-1)
        form.append(_median(apart))
        extent.append(np.median(similarity.sizes(one.keypoints[..., :2])))
        steps = np.linalg.norm(np.diff(middle, axis=0), axis=1) / np.diff(one.frames)
        pace.append(np.mean(steps) if len(steps) else 0.0)
    length = np.array([len(one.frames) for one in tracklets], float)
    return Ends(
        first=np.array([one.frames[0] for one in tracklets], int),
        last=np.array([one.frames[-1] for one in tracklets], int),
        begins=np.array([place for place, _ in starts]).reshape(-1, 2),
        stops=np.array([place for place, _ in stops]).reshape(-1, 2),
        came=np.array([velocity for _, velocity in starts]).reshape(-1, 2),
        went=np.array([velocity for _, velocity in stops]).reshape(-1, 2),
        form=np.array(form),
        size=float(np.average(extent, weights=length)) or similarity.ONE_POINT,
        speed=float(np.average(pace, weights=length)),
    )


def links(found: Ends, a: np.ndarray, b: np.ndarray, weights: Weights) -> np.ndarray:
    """Costs that tracklets a continue as tracklets b, without appearance.

    Distances count less the longer the gap: against the size of an animal and how far an aimless
    one gets in that time.

    Args:
      a, b: int (links,), numbers of tracklets; each b begins after its a has ended.
    """
    gap = (found.first[b] - found.last[a]).astype(float)
    reach = found.size + found.speed * np.sqrt(gap - 1)
    drift = (_FADES * (1 - np.exp(-gap / _FADES)))[:, None]
    stops, begins = found.stops[a], found.begins[b]
    direct = np.linalg.norm(begins - stops, axis=1)
    ahead = np.linalg.norm(begins - (stops + found.went[a] * drift), axis=1)
    back = np.linalg.norm(stops - (begins - found.came[b] * drift), axis=1)
    change = np.abs(found.form[a] - found.form[b])
    both = ~np.isnan(change)
    change = np.where(both, change, 0.0).sum(axis=1) / np.maximum(both.sum(axis=1), 1)
    return (
        weights.distance * np.minimum(direct / reach, _FAR)
        + weights.motion * np.minimum((ahead + back) / (2 * reach), _FAR)
        + weights.shape * np.minimum(4 * change / found.size, 1.0)
        + weights.gap * np.log(gap)
    )


def unlike(
    tracklets: Sequence[Tracklet],
    origin: np.ndarray,
    a: np.ndarray,
    b: np.ndarray,
    appearance: Appearance,
) -> np.ndarray:
    """1 - similarity, (links,).

    Args:
      tracklets: what a and b are numbers of.
      origin: (tracklets,), the row of the matrix of each.

    Raises:
      ValueError: the matrix has another shape, or a similarity is not between 0 and 1.
    """
    if isinstance(appearance, np.ndarray):
        count = int(origin.max()) + 1
        if appearance.ndim != 2 or min(appearance.shape) < count:
            raise ValueError(
                f"appearance must have a row and a column for each of {count} tracklets. "
                f"Received: {appearance.shape}"
            )
        like = appearance[origin[a], origin[b]].astype(float)
    else:
        pairs = zip(a, b, strict=True)
        like = np.array([appearance(tracklets[i], tracklets[j]) for i, j in pairs], float)
    wrong = ~((like >= 0) & (like <= 1))
    if wrong.any():
        raise ValueError(f"appearance must be between 0 and 1. Received: {like[wrong][0]}")
    return 1 - like


def _line(frames: np.ndarray, places: np.ndarray, at: int) -> tuple[np.ndarray, np.ndarray]:
    """Place and velocity at a frame, of the straight line that fits best."""
    when = frames - frames.mean()
    spread = (when**2).sum()
    velocity = (when[:, None] * places).sum(axis=0) / spread if spread else np.zeros(2)
    # Of three detections or fewer noise says more than movement does.
    velocity = velocity * min(1.0, (len(frames) - 1) / 3)
    return places.mean(axis=0) + velocity * (at - frames.mean()), velocity


def _median(apart: np.ndarray) -> np.ndarray:
    """Medians of the columns of (n, bodyparts) without NaN; NaN where a column has nothing else."""
    order = np.sort(apart, axis=0)
    count = (~np.isnan(apart)).sum(axis=0)
    columns = np.arange(apart.shape[1])
    low = order[np.maximum(count - 1, 0) // 2, columns]
    high = order[count // 2 % len(order), columns]
    return np.where(count > 0, np.where(count % 2, low, (low + high) / 2), np.nan)
