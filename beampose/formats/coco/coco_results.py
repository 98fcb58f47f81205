"""Predictions as COCO's keypoint results, and the images that they are of.

Results are a list of animals, each of an image by its id; scores are means of likelihoods. Ids are
those of a file of COCO's, such as the ground truth that results are compared with, or our own.
"""

import json
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from beampose.core import files, json_files, storage
from beampose.formats.deeplabcut.prediction_tables import Table
from beampose.preprocess import inside

IMAGES, RESULTS = "images.json", "results.json"


class Image(NamedTuple):
    """An image of results: its name, and its size, 0 if it is not known."""

    name: str
    height: int
    width: int


class Ids:
    """Ids of images by name: those of a file, or the next that is free."""

    def __init__(self, told: dict[str, Any] | None = None):
        self.told = told
        self._known: dict[str, Any] = {}
        self._by_end: dict[str, list[Any]] = {}
        for one in told["images"] if told else ():
            name = str(one["file_name"]).replace("\\", "/")
            self._known[name] = one["id"]
            self._by_end.setdefault(name.rpartition("/")[2], []).append(one["id"])

    def of(self, name: str) -> Any:
        """The id of an image; None where a file is told and does not list it.

        Raises:
          ValueError: by its file name it may be several.
        """
        if name in self._known:
            return self._known[name]
        if self.told is None:
            self._known[name] = len(self._known) + 1
            return self._known[name]
        found = self._by_end.get(name.rpartition("/")[2], [])
        if len(found) > 1:
            raise ValueError(f"{name} may be several of the listed images, by its file name.")
        return found[0] if found else None

    def lists(self, name: str) -> bool:
        """Returns True if an image may have this name: it is in the file, or none is told."""
        return self.told is None or name in self._known

    def exactly(self, name: str) -> Any:
        """As `of`, but an image of a file is not found by the end of its name."""
        return self.of(name) if self.lists(name) else None


def read_ids(file: str) -> Ids:
    """The ids of a COCO file.

    Raises:
      ValueError: it is none.
    """
    told = json_files.parse(files.read_bytes(file), file)
    images = told.get("images") if isinstance(told, dict) else None
    if not isinstance(images, list) or not all(
        isinstance(one, dict) and {"id", "file_name"} <= set(one) for one in images
    ):
        raise ValueError(f"{file} is not COCO: it must hold a list of images with id, file_name.")
    return Ids(told)


def names(table: Table, video: str) -> list[str]:
    """What the images of rows are called: of a video `film.mp4#frame=12`."""
    if table.rows.dtype.kind not in "iu":
        return [str(row) for row in table.rows]
    return [inside.frame_of(files.name(video), int(frame)) for frame in table.frames]


def animals(table: Table, ids: Sequence[Any], category: int = 1) -> Iterator[dict[str, Any]]:
    """The results of a table, animal after animal.

    Args:
      ids: of the image of each row; None leaves a row out.
    """
    bodyparts = table.bodyparts
    for individual in table.individuals:
        own = [i for i, (owner, _) in enumerate(table.points) if owner == individual]
        places = [bodyparts.index(table.points[i][1]) for i in own]
        for number, row in zip(ids, table.values[:, own], strict=True):
            there = np.isfinite(row).all(axis=1)
            if number is None or not there.any():
                continue
            points = np.zeros((len(bodyparts), 3))
            points[places] = np.where(there[:, None], row, 0.0)
            yield {
                "image_id": number,
                "category_id": category,
                "keypoints": [round(value, 3) for value in points.ravel().tolist()],
                "score": round(float(row[there, 2].mean()), 5),
            }


def document(
    images: Sequence[tuple[Any, Image]], bodyparts: Sequence[str], edges: Sequence[Sequence[str]]
) -> dict[str, Any]:
    """A COCO file of images without annotations, that results can be loaded onto."""
    places = {name: i for i, name in enumerate(bodyparts, 1)}
    skeleton = [[places[a], places[b]] for a, b in edges if {a, b} <= set(places)]
    category = {"id": 1, "name": "animal", "supercategory": "animal"}
    return {
        "info": {"description": "Images that keypoints were predicted in"},
        "images": [
            {"id": i, "file_name": one.name, "height": one.height, "width": one.width}
            for i, one in images
        ],
        "annotations": [],
        "categories": [{**category, "keypoints": list(bodyparts), "skeleton": skeleton}],
    }


def write(folder: storage.Address, found: Sequence[dict[str, Any]], images: dict | None) -> None:
    """Writes `results.json`, and `images.json` where there is no file that lists the images."""
    if images is not None:
        storage.write_text(storage.place(folder, IMAGES), json.dumps(images))
    storage.write_text(storage.place(folder, RESULTS), json.dumps(list(found)))
