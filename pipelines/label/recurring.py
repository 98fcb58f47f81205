"""Detections that recur in one place, as crops to be sorted into repeats and animals."""

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from beampose.core import artefacts, task_kinds
from beampose.core.infos import ModelInfo
from beampose.core.settings.experiment import Config
from beampose.core.wording import counted
from beampose.pipelines.curation import dismissal, repeats_page
from beampose.pipelines.curation.crop_vectors import Looks
from beampose.pipelines.curation.dismissal import Predicted
from beampose.pipelines.curation.repeats_page import Group
from beampose.pipelines.label.crop_marks import Detections, DismissedMarks
from beampose.pipelines.predict import crops_predictor
from beampose.pipelines.predict.crops_predictor import Crops
from beampose.pipelines.results import result_names
from beampose.preprocess import images

# Frames that a place must have a detection in, as for `beampose repeats`.
AT_LEAST = 10
# Pictures of a place, in rows and columns, and the side of each.
_MOSAIC, _SIDE = 2, 64


class Recurring(NamedTuple):
    """Places of an experiment's films where detections recur.

    Attributes:
      folder: of predictions.
      looks: a picture of each place, and the mean embedding of its detections.
      marks: where it stands which of them are repeats.
      notes: what is left out, in sentences.
    """

    folder: str
    looks: Looks
    marks: DismissedMarks
    crops: Crops
    every: Sequence[Predicted]
    notes: Sequence[str] = ()

    def apply(self) -> str:
        """Dismisses what is marked as a repeat. Returns what was done, in a sentence."""
        if not self.marks.file.is_file():
            raise ValueError("Nothing is marked yet.")
        done = dismissal.apply(self.folder, self.crops, self.every, str(self.marks.file))
        gone, left = (sum(one[i] for one in done.values()) for i in (0, 1))
        return f"{counted(gone, 'detection')} dismissed, {counted(left, 'hit')} left."


def of_experiment(config: Config) -> Recurring:
    """Finds the places in all that an experiment predicted.

    Raises:
      FileNotFoundError: there is no model, or there are no predictions.
      ValueError: its model finds bodyparts, or nothing recurs.
    """
    info = artefacts.require(config.model, ModelInfo)
    if task_kinds.of_info(info).points:
        raise ValueError(f"{config.model} finds bodyparts: label its DeepLabCut project.")
    crops = crops_predictor.of_experiment(config, info)
    named = [*result_names.predicted(config), *result_names.present_stills(config)]
    every, without = dismissal.predicted(config, named)
    notes = [f"{path} is left out: {why}" for path, why in without]
    names, features, pictures = [], [], []
    places: dict[str, Detections] = {}
    dismissed = []
    for one in every:
        found = dismissal.groups_of(one, one.table.confidence >= crops.threshold, AT_LEAST)
        rows = [row for group in found for row in _shown(group)]
        jpegs = dismissal.pictures_of(one, crops, rows)
        for group in found:
            table = one.table.only(group.rows)
            name = _name(one, group, len(names) + 1)
            boxes = np.stack([table.frames, table.boxes], axis=1).tolist()
            names.append(name)
            places[name] = Detections(one.name, [(frame, box) for frame, box in boxes])
            features.append(table.embedding.astype(np.float32).mean(axis=0))
            shown = [jpegs[row] for row in _shown(group) if row in jpegs]
            pictures.append(_mosaic(shown))
            if not shown:
                notes.append(f"{name} has no picture: its frames of {one.name} cannot be read")
            if table.dismissed.all():
                dismissed.append(name)
    if not names:
        raise ValueError(
            f"No detection recurs in {AT_LEAST} frames of {config.predictions}: nothing to sort."
        )
    stacked = np.stack(features)
    stacked /= np.maximum(np.linalg.norm(stacked, axis=1, keepdims=True), 1e-9)
    marks = DismissedMarks(config.predictions, places, dismissed)
    found = Looks(names, stacked, pictures)
    return Recurring(config.predictions, found, marks, crops, every, notes)


def _name(one: Predicted, group: Group, number: int) -> str:
    clock = dismissal.clock_of(one)
    first, last = (clock(int(one.table.frames[row])) for row in group.rows[[0, -1]])
    visits = repeats_page.visits(one.table.frames[group.rows])
    return (
        f"{number}: {one.name}, {len(group.rows)} in {counted(visits, 'visit')}, {first} to {last}"
    )


def _shown(group: Group) -> list[int]:
    """Rows of a group that are shown, spread over time."""
    rows = repeats_page.samples(group)
    at = np.linspace(0, len(rows) - 1, min(_MOSAIC**2, len(rows)))
    return [rows[i] for i in np.unique(np.round(at).astype(int))]


def _mosaic(jpegs: Sequence[bytes]) -> bytes:
    """Pictures side by side as one JPEG."""
    whole = np.full((_MOSAIC * _SIDE, _MOSAIC * _SIDE, 3), 128, np.uint8)
    for i, jpeg in enumerate(jpegs):
        pixels = images.decode(jpeg)
        factor = _SIDE / max(pixels.shape[:2])
        size = [max(int(side * factor), 1) for side in pixels.shape[1::-1]]
        small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
        row, column = (part * _SIDE for part in divmod(i, _MOSAIC))
        whole[row : row + small.shape[0], column : column + small.shape[1]] = small
    return images.encode_jpeg(whole, quality=80)
