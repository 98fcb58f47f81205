"""Corrections of predictions by a person: what each does to a table, and where to look first.

Values are (rows, points, 3): x, y in pixels, likelihood; NaN = missing. Rows are counted from 0.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from beampose.formats.deeplabcut.prediction_tables import Table

# Jumps are told against the usual one, of the same bodypart.
_JUMP = 6.0
# Pixels below which nothing counts as a jump.
_LEAST = 3.0


def apply(table: Table, values: np.ndarray, correction: Mapping[str, Any]) -> None:
    """Changes values by one correction.

    `{"do": "place", "row", "point", "xy"}` moves a point, or takes it away where `xy` is None;
    `swap` exchanges individuals `a` and `b` from `row` on, before `stop`; `delete` takes
    individual `a` away from `row` on, before `stop`; `join` gives to `a` what `b` has from `row` on
    where `a` has nothing.

    Raises:
      ValueError: it is none of these, or names what is not there.
    """
    rows = len(values)
    row = _number(correction, "row", rows)
    stop = rows if correction.get("stop") is None else _number(correction, "stop", rows + 1)
    span = slice(row, stop)
    match correction.get("do"):
        case "place":
            point = _number(correction, "point", len(table.points))
            xy = correction.get("xy")
            values[row, point] = np.nan if xy is None else _place(xy)
        case "swap":
            a, b = (_places(table, correction, name) for name in "ab")
            kept = values[span, a].copy()
            values[span, a] = values[span, b]
            values[span, b] = kept
        case "delete":
            values[span, _places(table, correction, "a")] = np.nan
        case "join":
            a, b = (_places(table, correction, name) for name in "ab")
            free = np.all(np.isnan(values[span, a, 0]), axis=1)
            moved = np.flatnonzero(free & ~np.all(np.isnan(values[span, b, 0]), axis=1)) + row
            values[moved[:, None], a] = values[moved[:, None], b]
            values[moved[:, None], b] = np.nan
        case other:
            raise ValueError(f"{other!r} is no correction.")


def apply_all(table: Table, corrections: Sequence[Mapping[str, Any]]) -> np.ndarray:
    """The values of a table after all corrections, in order."""
    values = table.values.copy()
    for one in corrections:
        apply(table, values, one)
    return values


def worst(values: np.ndarray) -> np.ndarray:
    """(rows,): how odd each row is, 0 and up: unsure points, and jumps beyond the usual."""
    seen = np.isfinite(values[..., 0])
    likelihood = np.where(seen, np.nan_to_num(values[..., 2]), np.nan)
    unsure = 1 - _mean(likelihood)
    jump = jumps(values)
    usual = np.array([np.median(c[np.isfinite(c)]) if np.isfinite(c).any() else 0 for c in jump.T])
    far = jump > np.maximum(_JUMP * usual, _LEAST)
    share = far.sum(axis=1) / max(values.shape[1], 1)
    return np.nan_to_num(unsure) + 2 * share


def jumps(values: np.ndarray) -> np.ndarray:
    """(rows, points): pixels from the row before; NaN where either is missing."""
    moved = np.linalg.norm(np.diff(values[..., :2], axis=0), axis=-1)
    return np.concatenate([np.full((min(len(values), 1), values.shape[1]), np.nan), moved])


def summary(table: Table, values: np.ndarray, bins: int) -> dict[str, Any]:
    """What a timeline shows: likelihood and oddness in equal parts, and who is there when."""
    rows = len(values)
    edges = np.linspace(0, rows, min(bins, max(rows, 1)) + 1).astype(int)
    likelihood = _mean(np.where(np.isfinite(values[..., 0]), values[..., 2], np.nan))
    odd = worst(values)
    there = {
        name: np.any(np.isfinite(values[:, _of(table, name), 0]), axis=1)
        for name in table.individuals
    }
    spans = list(zip(edges[:-1], np.maximum(edges[1:], edges[:-1] + 1), strict=True))
    return {
        "rows": rows,
        "likelihood": [_rounded(np.nanmin(likelihood[a:b], initial=1.0)) for a, b in spans],
        "odd": [_rounded(odd[a:b].max(initial=0.0)) for a, b in spans],
        "there": {
            name: [bool(found[a:b].any()) for a, b in spans] for name, found in there.items()
        },
        "worst": _peaks(odd, 60),
    }


def _peaks(odd: np.ndarray, most: int, apart: int = 10) -> list[int]:
    """The oddest rows, none near another."""
    found: list[int] = []
    for row in np.argsort(-odd, kind="stable").tolist():
        if len(found) == most or odd[row] <= 0.05:
            break
        if all(abs(row - other) >= apart for other in found):
            found.append(row)
    return found


def _mean(values: np.ndarray) -> np.ndarray:
    """Of each row, what is known; NaN where nothing is."""
    known = np.isfinite(values)
    total = np.where(known, values, 0).sum(axis=1)
    return np.where(known.any(axis=1), total / np.maximum(known.sum(axis=1), 1), np.nan)


def _of(table: Table, individual: str) -> list[int]:
    return [i for i, (owner, _) in enumerate(table.points) if owner == individual]


def _places(table: Table, correction: Mapping[str, Any], name: str) -> list[int]:
    """Columns of an individual, in the order of its bodyparts."""
    owner = correction.get(name)
    found = _of(table, owner) if isinstance(owner, str) else []
    if not found:
        raise ValueError(f"There is no individual {owner!r}.")
    return found


def _number(correction: Mapping[str, Any], name: str, stop: int) -> int:
    found = correction.get(name)
    if type(found) is not int or not 0 <= found < stop:
        raise ValueError(f"{name} must be a number from 0 to {stop - 1}. Received: {found!r}.")
    return found


def _place(xy: Any) -> tuple[float, float, float]:
    x, y = (float(one) for one in xy)
    if not np.isfinite([x, y]).all():
        raise ValueError("A point must be two numbers.")
    # A person is sure.
    return x, y, 1.0


def _rounded(value: float) -> float:
    return round(float(value), 3)
