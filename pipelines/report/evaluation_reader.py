"""Reads back as arrays what `evaluate` wrote about every label."""

from typing import Any, NamedTuple

import numpy as np
from upath import UPath

from beampose.core import csv_cells, number_tables


class Points(NamedTuple):
    """Points of images of a split that are labeled, answered, or both.

    Attributes:
      image: (n,) names.
      bodypart, individual: (n,) names; no individual: "".
      labeled: (n,) bool.
      error: (n,) pixels, NaN where not labeled or not found.
      likelihood: (n,), NaN where not found.
    """

    image: np.ndarray
    bodypart: np.ndarray
    individual: np.ndarray
    labeled: np.ndarray
    error: np.ndarray
    likelihood: np.ndarray

    def of(self, chosen: np.ndarray) -> "Points":
        """Those of a mask."""
        return Points(*[column[chosen] for column in self])


class Crops(NamedTuple):
    """Crops of a split: names (n,), class indices (n,), scores (n, classes)."""

    image: np.ndarray
    label: np.ndarray
    scores: np.ndarray

    def of(self, chosen: np.ndarray) -> "Crops":
        """Those of a mask."""
        return Crops(*[column[chosen] for column in self])


def points(file: UPath, split: str) -> Points:
    """Reads labels.csv of a pose model."""
    table = _table(file, split)
    with csv_cells.reading(file):
        individual = table["individual"].to_numpy(str) if "individual" in table else None
        return Points(
            table["image"].to_numpy(str),
            table["bodypart"].to_numpy(str),
            np.full(len(table), "") if individual is None else individual,
            np.isfinite(table["x"].to_numpy(float)),
            table["error_px"].to_numpy(float),
            table["likelihood"].to_numpy(float),
        )


def crops(file: UPath, split: str, classes: list[str]) -> Crops:
    """Reads labels.csv of a crop model."""
    table = _table(file, split)
    with csv_cells.reading(file):
        label = np.array([classes.index(name) for name in table["label"]], int)
        scores = table[[f"score_{name}" for name in classes]].to_numpy(float)
        return Crops(table["image"].to_numpy(str), label, scores)


def _table(file: UPath, split: str) -> Any:
    words = {name: str for name in ("image", "bodypart", "individual", "label", "predicted")}
    # A bodypart may be called NA.
    table = number_tables.read(file, dtype=words, keep_default_na=False, na_values=_EMPTY)
    with csv_cells.reading(file):
        for name in words.keys() & set(table.columns):
            table[name] = table[name].map(csv_cells.plain)
        return table[table["split"] == split]


_EMPTY = {name: [""] for name in ("x", "y", "predicted_x", "predicted_y", "likelihood", "error_px")}
