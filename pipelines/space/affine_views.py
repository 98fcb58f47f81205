"""Two views in one frame, as by a mirror: cameras found from the labels themselves.

From far away a view is affine: all depths have one size. What two such views see of a point are
four numbers of which three are free, so that any twenty labels tell how the views belong together
(Koenderink and van Doorn 1991), and every further label can be checked against it. Angles are not
told: the second view is taken to stand at a right angle to the first, as a mirror under 45 degrees
does, and to have its scale along the direction that they share. The unit is a pixel of the first.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from beampose import formats
from beampose.core import __version__, files
from beampose.core.settings.experiment import Config
from beampose.core.wording import counted
from beampose.formats import calibrations
from beampose.preprocess import cameras
from beampose.preprocess.cameras import Rig
from beampose.preprocess.labels import Labels

# Points that both views show, to find the cameras by.
FEWEST = 20
# Rounds in which labels that do not fit count less, and from how many deviations they do.
_ROUNDS, _FAR = 20, 2.5
_NORMAL = 1.4826


class Pairs(NamedTuple):
    """Points that two views show.

    Attributes:
      images, parts: (points,), numbers of the image, and of the bodypart without its view.
      places: (points, 2, 2), by view x, y.
    """

    images: np.ndarray
    parts: np.ndarray
    places: np.ndarray


def calibrate(config: Config, views: Sequence[str], to: str) -> list[str]:
    """Writes the calibration of two views of an experiment's labels; returns what to say of it.

    Raises:
      ValueError: not two views, or too few bodyparts are labeled in both.
    """
    if len(views) != 2 or views[0] == views[1]:
        raise ValueError(f"--affine takes two views, such as top,bot. Received: {','.join(views)}.")
    target = files.absolute(to)
    if files.suffix(target) != ".toml":
        raise ValueError(f"--to must be a .toml file, such as calibration.toml. Received: {to!r}.")
    source = config.source
    labels = formats.read(
        source.format,
        source.path,
        task=config.task,
        scorer=source.scorer,
        bodyparts=source.bodyparts,
        combine=source.combine,
    )
    names, pairs = of_labels(labels, views)
    if len(pairs.images) < FEWEST:
        raise ValueError(
            f"{config.source.path} has {counted(len(pairs.images), 'bodypart')} labeled in both "
            "views "
            f"({', '.join(f'{name}_{views[0]}' for name in names[:3]) or 'none is called so'} …), "
            f"{FEWEST} are needed to find the cameras by."
        )
    rig = fit(pairs.places, views)
    off = errors(rig, pairs.places)
    calibrations.write(rig, target, made_by=f"beampose {__version__}", affine=True)
    far = off > max(10 * float(np.median(off)), 5.0)
    said = [
        f"{counted(len(off), 'point')} of {counted(len(names), 'bodypart')} in both views, "
        f"middle error {np.median(off):.2f} px, nine in ten below {np.quantile(off, 0.9):.2f} px"
    ]
    for i in np.argsort(-off)[: min(int(far.sum()), 10)]:
        image = labels.items[pairs.images[i]].name
        said.append(f"NOTE: {image}: {names[pairs.parts[i]]} is {off[i]:.1f} px off in each view")
    return [*said, f"calibrate: {target}"]


def of_labels(labels: Labels, views: Sequence[str]) -> tuple[list[str], Pairs]:
    """Names of bodyparts that are called after both views, and what these show of them."""
    known = list(labels.bodyparts)
    ends = tuple(f"_{view}" for view in views)
    names = [one.removesuffix(ends[0]) for one in known if one.endswith(ends[0])]
    names = [one for one in names if one + ends[1] in known]
    columns = [[known.index(name + end) for end in ends] for name in names]
    if not names or not labels.items:
        return names, Pairs(np.zeros(0, int), np.zeros(0, int), np.zeros((0, 2, 2)))
    places = labels.keypoints[:, 0][:, np.array(columns)]
    both = np.isfinite(places).all(axis=(-1, -2))
    images, parts = np.nonzero(both)
    return names, Pairs(images, parts, places[both])


def fit(places: np.ndarray, views: Sequence[str]) -> Rig:
    """The cameras of two views, by what they show of points (points, 2 views, 2).

    Labels that are wrong do not bend it: they count less, the further off they are.
    """
    flat = places.reshape(len(places), 4)
    weights = np.ones(len(flat))
    for _ in range(_ROUNDS):
        middle = np.average(flat, axis=0, weights=weights)
        spread = ((flat - middle) * weights[:, None]).T @ (flat - middle)
        normal = np.linalg.eigh(spread)[1][:, 0]
        off = np.abs((flat - middle) @ normal)
        size = max(_NORMAL * float(np.median(off)), 1e-6)
        # Tukey's weights: beyond a limit a label does not count at all.
        weights = np.where(off < 2 * _FAR * size, (1 - (off / (2 * _FAR * size)) ** 2) ** 2, 0.0)
    error = float(np.median(off)) / np.sqrt(2)
    return Rig(_cameras(normal, middle, views), error=error)


def errors(rig: Rig, places: np.ndarray) -> np.ndarray:
    """(points,), pixels by which each view must move until both show one point.

    It is the same in both views, in pixels of each: their scales are alike.
    """
    rows = np.concatenate([one.projection[:2] for one in rig.cameras])
    flat = places.reshape(len(places), 4) - rows[:, 3]
    fitted = flat @ np.linalg.pinv(rows[:, :3]).T @ rows[:, :3].T
    return np.linalg.norm((flat - fitted).reshape(-1, 2, 2), axis=-1).mean(axis=1)


def _cameras(normal: np.ndarray, middle: np.ndarray, views: Sequence[str]):
    """Cameras that fulfil normal . (x, y, x', y') = normal . middle, about the middle point."""
    size = np.linalg.norm(normal[:2]), np.linalg.norm(normal[2:])
    if min(size) < 1e-3 * max(size):
        raise ValueError(
            "The labels of the two views have nothing in common: are they of one animal?"
        )
    one, two = normal[:2] / size[0], -normal[2:] / size[1]
    scale = size[0] / size[1]
    first = np.hstack([np.eye(2), np.zeros((2, 1))])
    # Along `two` the second view shows what the first shows along `one`; across it, the depth.
    across = np.array([-two[1], two[0]])
    second = scale * (np.outer(two, [*one, 0.0]) + np.outer(across, [0.0, 0.0, 1.0]))
    return tuple(
        cameras.affine(view, np.hstack([rows, at[:, None]]))
        for view, rows, at in zip(views, (first, second), middle.reshape(2, 2), strict=True)
    )
