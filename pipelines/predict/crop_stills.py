"""Crops of photographs: table, csv and MegaDetector's JSON of a set, image after image."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from upath import UPath

from beampose.core import csv_cells, files, storage
from beampose.formats import megadetector
from beampose.formats.detection_table import Detections
from beampose.pipelines.predict import still_ranges

CSV = ".csv"
COLUMNS = (
    *("image", "taken", "box", "x", "y", "width", "height"),
    *("detector", "label", "score", "confidence", "dismissed"),
)


def write_csv(file: UPath, found: Detections, images: list[tuple[str, str]]) -> None:
    """A row for each box, for people and spreadsheets.

    Args:
      images: name and time of every image of the set.
    """
    labels, best = found.labels, found.scores.max(axis=1, initial=0)
    with (
        storage.replacing(file) as temporary,
        temporary.open("w", encoding="utf-8", newline="") as stream,
    ):
        writer = csv_cells.Writer(stream, lineterminator="\n")
        writer.writerow(COLUMNS)
        for i, number in enumerate(found.frames.tolist()):
            sure = found.detector[i]
            writer.writerow(
                (
                    *images[number],
                    int(found.boxes[i]),
                    *found.places[i].tolist(),
                    "" if np.isnan(sure) else f"{sure:.4f}",
                    found.classes[labels[i]],
                    f"{best[i]:.4f}",
                    f"{found.confidence[i]:.4f}",
                    int(found.dismissed[i]),
                )
            )


def entries(found: Detections, table: UPath, root: str) -> Iterator[dict[str, Any]]:
    """MegaDetector's entries of all images of a set, with absolute paths.

    Args:
      found: the detections that count, in order of images.
      table: of the images, see `still_ranges.write`.
      root: the folder that their names count from.
    """
    starts = np.searchsorted(found.frames, np.arange(found.frames.max(initial=-1) + 2))
    for number, image in enumerate(still_ranges.read(table)):
        path = files.join(root, image.name) if root else image.name
        if image.failure:
            yield {"file": path, "failure": image.failure, "detections": None}
            continue
        span = starts[number : number + 2].tolist()
        own = found.only(np.arange(*span)) if len(span) == 2 else found.only(np.arange(0))
        about = {"datetime": image.taken.replace("T", " ")} if image.taken else {}
        detections = megadetector.detections(own, image.height, image.width)
        yield {"file": path, **about, "detections": detections}
