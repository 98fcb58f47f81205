"""Sheets of a report: what was found in photographs, by class and certainty."""

import csv
from typing import Any, NamedTuple

import cv2
import numpy as np
from upath import UPath

from beampose.core import artefacts, csv_cells, files, storage
from beampose.core.infos import PredictionInfo
from beampose.core.settings.experiment import Config
from beampose.pipelines.report import label_overview
from beampose.preprocess import images
from beampose.preprocess.cut import Rule

# Lower ends of the bands of a sheet, and pictures that each shows at most, of so many pixels.
BANDS = (0.9, 0.7, 0.5, 0.0)
SHOWN, SIDE = 8, 96
_RULE = Rule(pad=0.1, square=True)


class _Sheet:
    """Detections of one class in one band: how many, and some of them chosen by chance."""

    def __init__(self):
        self.count = 0
        self.some: list[_Found] = []
        self._rng = np.random.default_rng(0)

    def add(self, one: "_Found") -> None:
        self.count += 1
        if len(self.some) < SHOWN:
            self.some.append(one)
        elif (place := int(self._rng.integers(self.count))) < SHOWN:
            self.some[place] = one


class _Found(NamedTuple):
    image: str
    place: tuple[float, float, float, float]
    score: float


def section(config: Config, digest: str = "") -> list[dict[str, Any]]:
    """Each set of photographs that was predicted; of crops with its sheets.

    Args:
      digest: of the model; results of another are told.
    """
    found = []
    for file in storage.whole_below(config.predictions, "*.json"):
        try:
            said = artefacts.read_info(file, PredictionInfo)
        except (OSError, ValueError):
            continue
        if not said.images:
            continue
        table = file.with_name(f"{file.stem}.csv")
        sheets = _sheets(table, said.images_root) if config.kind.pooled else []
        short = str(table).removeprefix(config.output.rstrip("/") + "/")
        other = said.is_of_another(digest)
        about = {"csv": short, "sheets": sheets, "of_another_model": other}
        found.append({**said.plain(), **about})
    return found


def _sheets(table: UPath, root: str) -> list[dict[str, Any]]:
    """Sheets by class, the surest band first; a row of the table in memory at a time."""
    if not table.is_file():
        return []
    sheets: dict[tuple[str, float], _Sheet] = {}
    with table.open("r", encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            if row["dismissed"] == "1":
                continue
            score = float(row["score"])
            label = csv_cells.plain(row["label"])
            band = next(low for low in BANDS if score >= low)
            place = (float(row["x"]), float(row["y"]), float(row["width"]), float(row["height"]))
            sheet = sheets.setdefault((label, band), _Sheet())
            sheet.add(_Found(csv_cells.plain(row["image"]), place, score))
    order = sorted(sheets, key=lambda key: (key[0], -key[1]))
    return [
        {"label": label, "band": _band(band), "count": sheet.count, "pictures": _shown(sheet, root)}
        for label, band in order
        for sheet in (sheets[label, band],)
    ]


def _band(low: float) -> str:
    at = BANDS.index(low)
    return f"{low:g} to {BANDS[at - 1] if at else 1:g}"


def _shown(sheet: _Sheet, root: str) -> list[dict[str, str]]:
    """Pictures with captions; an image that is not there any more has none."""
    shown = []
    for one in sorted(sheet.some, key=lambda one: -one.score):
        try:
            with files.open_file(files.join(root, one.image) if root else one.image) as stream:
                pixels = images.photo(stream).pixels
        except (OSError, ValueError):
            continue
        crop = cv2.resize(_RULE.cut(pixels, one.place), (SIDE, SIDE), interpolation=cv2.INTER_AREA)
        shown.append({"uri": label_overview.uri(crop), "caption": f"{one.image}, {one.score:.2f}"})
    return shown
