"""Columns of label files beside x and y that say whether a bodypart can be seen.

`visible` (also `visibility`, `vis`, `v`) is Lightning Pose's, in COCO's numbers: 0 is not labeled,
1 is placed but hidden, 2 can be seen. Where a file has no 2 it says yes and no, and what is placed
with a 0 is hidden. `occluded` (also `hidden`) is 1 where a point is placed but hidden.

A hidden point is a label, as in COCO's files; nothing that a person placed is left out but what
COCO's numbers call not labeled.
"""

from collections.abc import Iterator

import numpy as np

from beampose.core.wording import agreed, counted
from beampose.formats.deeplabcut.columns import Column

VISIBLE = ("visible", "visibility", "vis", "v")
OCCLUDED = ("occluded", "occlusion", "hidden")
_COORDS = ("x", "y")
_LIKELIHOOD = "likelihood"
_WORDS = {"true": "1", "yes": "1", "false": "0", "no": "0"}


def kind(coord: str) -> str:
    """`visible` or `occluded`; "" of another column."""
    name = coord.strip().lower()
    return "visible" if name in VISIBLE else "occluded" if name in OCCLUDED else ""


def is_read(column: Column) -> bool:
    """Returns True for a column of coordinates, or of what can be seen."""
    return column.coord in _COORDS or bool(kind(column.coord))


def plain(cell: str, column: Column) -> str:
    """A cell in numbers, where one that says whether a bodypart can be seen has a word."""
    return _WORDS.get(cell.strip().lower(), cell) if kind(column.coord) else cell


def apply(columns: list[Column], values: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """The values with NaN for what is not labeled, and what was found, in sentences.

    Args:
      columns: of one scorer.
      values: float64 (rows, columns).
    """
    places = {column: i for i, column in enumerate(columns)}
    others = {c.coord for c in columns if c.coord and not is_read(c)}
    said = [f"columns {name!r} are not used" for name in sorted(others - {_LIKELIHOOD})]
    if _LIKELIHOOD in others:
        what = f"has columns {_LIKELIHOOD!r}, as predictions do: its points are used as labels"
        said.insert(0, f"{what}, whoever placed them")
    flags = [(i, column) for i, column in enumerate(columns) if kind(column.coord)]
    seen = _levels(values, [i for i, column in flags if kind(column.coord) == "visible"])
    if not seen <= {0.0, 1.0, 2.0}:
        odd = next(iter(seen - {0.0, 1.0, 2.0}))
        wrong = f"visibility must be 0, 1 or 2 (found: {odd:g}): these columns are not used"
        return values, [*said, wrong]
    values, lost, hidden = values.copy(), 0, 0
    for flag, column in flags:
        x, y = (places.get(column._replace(coord=axis)) for axis in _COORDS)
        if x is None or y is None:
            continue
        nothing, placed = _judged(values[:, [x, y]], values[:, flag], column, 2.0 in seen)
        lost, hidden = lost + int(nothing.sum()), hidden + int(placed.sum())
        values[nothing, x] = values[nothing, y] = np.nan
    return values, [*said, *_counted(lost, hidden)]


def _judged(
    points: np.ndarray, told: np.ndarray, column: Column, three: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Which points (rows, 2) are not labeled, and which are labels that are hidden.

    Args:
      told: (rows,) of their column.
      three: whether it has all of COCO's numbers.
    """
    placed = np.isfinite(points).all(axis=1)
    if kind(column.coord) == "occluded":
        return np.zeros(len(points), bool), placed & (told == 1)
    if three:
        return placed & (told == 0), placed & (told == 1)
    # Somebody placed it: only a point in the corner, where nobody puts one, is none.
    corner = (points == 0).all(axis=1)
    return placed & (told == 0) & corner, placed & (told == 0) & ~corner


def _levels(values: np.ndarray, columns: list[int]) -> set[float]:
    found = values[:, columns]
    return set(found[np.isfinite(found)].tolist())


def _counted(lost: int, hidden: int) -> Iterator[str]:
    if lost:
        points = f"{counted(lost, 'point')} {agreed(lost, 'have')}"
        yield f"{points} the visibility 0: taken as not labeled"
    if hidden:
        points = f"{counted(hidden, 'point')} {agreed(hidden, 'are')}"
        yield f"{points} placed but hidden; used all the same"
