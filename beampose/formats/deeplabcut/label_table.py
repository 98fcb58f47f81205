"""The labels of one folder of frames, to be changed and written again as DeepLabCut has them.

`CollectedData_<scorer>.h5` and `.csv` say the same after every change. Columns of other scorers and
of bodyparts that the config does not name stay as they are, and so do rows of images that are gone.
Bodyparts that a person said cannot be seen are NaN in both files, as what was never looked at is:
which of them it was stands in a file of our own beside them.
"""

import io
import math
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from beampose.core import disk, files, storage
from beampose.formats.deeplabcut import collected_data, columns
from beampose.formats.deeplabcut.columns import LEVELS, LEVELS_OF_SEVERAL, Column
from beampose.formats.deeplabcut.prediction_writer import KEY
from beampose.formats.deeplabcut.project_labels import LABELED_DATA
from beampose.formats.deeplabcut.row_frames import Names
from beampose.preprocess.labels import SINGLE

# Bodyparts that were looked for and not seen, by image.
ABSENT = "not_visible.json"


class Point(NamedTuple):
    """A bodypart of an individual, by their places in the names of a project."""

    individual: int
    bodypart: int


class LabelTable:
    """The labels of a folder.

    Attributes:
      notes: what was odd in the files that are there, in sentences.
      damaged: one of them cannot be read, as while another program writes it.

    Args:
      folder: of the frames of a video.
      names: of the project.
      before: the same, as it was read last. Where only the csv was changed since, its labels are
        those that are meant.

    Raises:
      ValueError: a label file cannot be read; the text names it.
    """

    def __init__(self, folder: str, names: Names, before: "LabelTable | None" = None):
        self.folder, self.names = folder, names
        self.notes: list[str] = []
        self.damaged = False
        self._stem = f"CollectedData_{names.scorer}"
        self.points = slots(names)
        self._wanted = [
            Column(names.scorer, names.individuals[i] if names.several else "", part, coord)
            for i, b in self.points
            for part in [names.bodyparts[b]]
            for coord in ("x", "y")
        ]
        # Before they are read: what is written meanwhile is seen as a change.
        self._seen = self._stamps()
        table = self._read(self._changed_csv(before))
        self._extra = [c for c in table.columns if c not in self._wanted] if table else []
        self._rows: dict[str, np.ndarray] = {}
        self._more: dict[str, np.ndarray] = {}
        # Rows of images of other folders, which stay.
        self._names: dict[str, tuple[str, str, str]] = {}
        if table:
            self._take(table)
        # Of bodyparts and individuals that the config does not name, as they stand in the file.
        self._absent_more: dict[str, list[list[str]]] = {}
        self._absent = self._read_absent()

    def _changed_csv(self, before: "LabelTable | None") -> bool:
        """Whether the csv was changed since, and the h5 was not."""
        if before is None or before._seen.get(".h5") != self._seen.get(".h5"):
            return False
        return before._seen.get(".csv") != self._seen.get(".csv")

    @property
    def changed_elsewhere(self) -> bool:
        """Whether another program wrote the label files since they were read or written here."""
        return self._stamps() != self._seen

    @property
    def age(self) -> float:
        """Seconds since a label file was written last; infinite where there is none."""
        written = [stamp for stamp, _ in self._stamps().values()]
        return time.time() - max(written) / 1e9 if written else math.inf

    def _stamps(self) -> dict[str, tuple[int, int]]:
        found = {}
        for suffix in (".h5", ".csv"):
            place = storage.place(self.folder, self._stem + suffix)
            if place.is_file():
                said = place.stat()
                found[suffix] = (said.st_mtime_ns, said.st_size)
        return found

    @property
    def images(self) -> list[str]:
        """File names of images with a row."""
        return [name for name, whole in self._names.items() if whole[1] == files.name(self.folder)]

    @property
    def label_files(self) -> list[str]:
        """All files here that hold labels or what belongs to them, whoever made them."""
        begins = ("CollectedData_", "machinelabels", ABSENT)
        return [f for f in files.children(self.folder) if files.name(f).startswith(begins)]

    def keypoints(self, image: str) -> np.ndarray:
        """(individuals, bodyparts, 2) of an image; NaN = not labeled."""
        found = np.full((len(self.names.individuals), len(self.names.bodyparts), 2), np.nan)
        if image in self._rows:
            places = tuple(np.array(self.points).T)
            found[places] = self._rows[image].reshape(-1, 2)
        return found

    def absent(self, image: str) -> set[Point]:
        """Bodyparts that were looked for and not seen."""
        return set(self._absent.get(image, ()))

    def put(self, image: str, point: Point, xy: tuple[float, float] | None, *, absent: bool):
        """Changes one point in memory; `save` writes."""
        if point not in self.points:
            raise ValueError(f"{self._called(point)} is no point of this project.")
        row = self._rows.get(image)
        if row is None:
            row = self._rows[image] = np.full(len(self._wanted), np.nan)
            self._more[image] = np.full(len(self._extra), np.nan)
            self._names[image] = (LABELED_DATA, files.name(self.folder), image)
        place = 2 * self.points.index(point)
        row[place : place + 2] = (np.nan, np.nan) if xy is None else xy
        kept = self._absent.setdefault(image, set())
        kept.discard(point)
        if absent and xy is None:
            kept.add(point)
        if np.isnan(row).all() and np.isnan(self._more[image]).all():
            # A row without a label is no labeled frame.
            for held in (self._rows, self._more, self._names):
                held.pop(image)

    def save(self) -> None:
        """Writes the h5, the csv, and what was not seen; each whole or not at all.

        The h5 comes first: where the two differ after a kill, it is the one that is read.

        Raises:
          OSError: the disk is full or the folder cannot be written.
        """
        frame = self._frame()
        stem = files.join(self.folder, self._stem)
        with tempfile.TemporaryDirectory() as scratch:
            made = Path(scratch, "labels.h5")
            with disk.naming(f"{stem}.h5", made):
                frame.to_hdf(str(made), key=KEY, mode="w")
            storage.write_bytes(f"{stem}.h5", made.read_bytes(), durable=True)
        # If there is no room for the rest, this was no other program.
        self._seen = self._stamps()
        text = io.StringIO()
        frame.to_csv(text, lineterminator="\n")
        storage.write_text(f"{stem}.csv", text.getvalue(), durable=True)
        self._seen = self._stamps()
        self._save_absent()

    def _save_absent(self) -> None:
        file = files.join(self.folder, ABSENT)
        said: dict[str, list[list[str]]] = {}
        for image in sorted(self._absent.keys() | self._absent_more.keys()):
            named = [
                [self.names.individuals[i], self.names.bodyparts[b]]
                for i, b in sorted(self._absent.get(image, ()))
            ]
            if listed := [*named, *self._absent_more.get(image, ())]:
                said[image] = listed
        if said or files.exists(file):
            storage.write_json(file, said)

    def _frame(self) -> pd.DataFrame:
        several = self.names.several
        named = [
            (c.scorer, *([c.individual] if several else []), c.bodypart, c.coord)
            for c in [*self._wanted, *self._extra]
        ]
        images = sorted(self._rows)
        width = len(named)
        values = [np.concatenate([self._rows[one], self._more[one]]) for one in images]
        index = pd.MultiIndex.from_tuples([self._names[one] for one in images] or [("", "", "")])
        return pd.DataFrame(
            np.array(values, np.float64).reshape(len(images), width),
            index=index[: len(images)],
            columns=pd.MultiIndex.from_tuples(
                named, names=LEVELS_OF_SEVERAL if several else LEVELS
            ),
        )

    def _read(self, changed_csv: bool) -> collected_data.Table | None:
        """The h5, as DeepLabCut reads it, or the csv where there is none or it is damaged.

        Args:
          changed_csv: the csv was changed alone.
        """
        found: dict[str, collected_data.Table] = {}
        failed: dict[str, str] = {}
        unused: set[str] = set()
        for suffix in (".h5", ".csv"):
            file = files.join(self.folder, self._stem + suffix)
            if not files.exists(file):
                continue
            try:
                found[suffix], problems = collected_data.read(file, several=self.names.several)
                self.notes += [
                    f"{p.file}{f' row {p.row}' if p.row else ''}: {p.what}" for p in problems
                ]
                unused.update(suffix for _ in problems)
            except ValueError as error:
                failed[suffix] = str(error)
        self.damaged = bool(failed)
        if failed and not found:
            raise ValueError(f"{'; '.join(failed.values())}. No label here is touched.")
        if ".h5" in failed:
            self.notes.append(f"{failed['.h5']}; the csv beside it is read, and replaces it")
        elif ".csv" in failed:
            self.notes.append(
                f"{failed['.csv']}; the h5 beside it is read, and the first change writes its "
                "labels into both (the backup keeps the csv)"
            )
        elif len(found) == 2 and not collected_data.agree(found[".h5"], found[".csv"]):
            csv = found[".csv"].file
            self.notes.append(
                f"{csv} was changed by itself: its labels are those that are shown, and the next "
                "change writes them into the h5 too (the backup keeps that)"
                if changed_csv
                else f"{csv} holds other labels than the h5, which is read, as DeepLabCut does; "
                "the first change writes the h5's labels into both (the backup keeps the csv)"
            )
        self._tell_others()
        first, other = (".csv", ".h5") if changed_csv else (".h5", ".csv")
        table = found.get(first, found.get(other))
        if table and files.suffix(table.file) in unused:
            self.notes.append(
                f"{table.file}: the first change leaves out of it what is not used (the backup "
                "keeps it): mend it before, or label these images again"
            )
        return table and self._owned(table)

    def _owned(self, table: collected_data.Table) -> collected_data.Table:
        """Columns of the only scorer are this one's, whatever they say: as labels are read."""
        owner = columns.owner(table.columns, self.names.scorer)
        if owner == self.names.scorer:
            return table
        self.notes.append(
            f"{table.file}: columns are by {owner or '(nobody)'}, config.yaml says "
            f"{self.names.scorer}: shown, and written as those of {self.names.scorer} with the "
            "first change"
        )
        renamed = [
            c._replace(scorer=self.names.scorer) if c.scorer == owner and any(c) else c
            for c in table.columns
        ]
        return table._replace(columns=renamed)

    def _tell_others(self) -> None:
        for file in files.children(self.folder):
            # Not `….csv.1.bak`, which `import-labels` keeps.
            name = files.stem(file) if files.suffix(file) in (".csv", ".h5") else ""
            if name.startswith("CollectedData_") and name != self._stem:
                self.notes.append(f"{file} holds labels of somebody else: not shown, not changed")

    def _take(self, table: collected_data.Table) -> None:
        there = {column: place for place, column in enumerate(table.columns)}
        own = files.name(self.folder)
        for name, values in zip(table.names, table.values, strict=True):
            parts = [part for part in name.replace("\\", "/").split("/") if part]
            image = parts[-1]
            beside = files.exists(files.join(self.folder, image))
            folder = own if beside or len(parts) < 2 else parts[-2]
            key = image if folder == own else "/".join([folder, image])
            if key in self._rows:
                self.notes.append(
                    f"{table.file}: {key} stands in it twice: the later row is shown, and the "
                    "first change leaves out the earlier one (the backup keeps it)"
                )
            padded = np.append(values, np.nan)
            self._rows[key] = padded[[there.get(column, -1) for column in self._wanted]]
            self._more[key] = values[[there[column] for column in self._extra]]
            self._names[key] = (LABELED_DATA, folder, image)

    def _read_absent(self) -> dict[str, set[Point]]:
        file = files.join(self.folder, ABSENT)
        if not files.exists(file):
            return {}
        try:
            said = storage.read_json(file)
            found: dict[str, set[Point]] = {}
            for image, listed in said.items():
                found[image] = {p for one in listed if (p := self._point(one)) is not None}
                self._absent_more[image] = [one for one in listed if self._point(one) is None]
            return found
        except (ValueError, TypeError, AttributeError):
            self._absent_more = {}
            self.notes.append(f"{file} cannot be read: what was marked not visible is forgotten")
            return {}

    def _point(self, said: Sequence[str]) -> Point | None:
        individual, bodypart = said
        names = self.names
        if individual in names.individuals and bodypart in names.bodyparts:
            return Point(names.individuals.index(individual), names.bodyparts.index(bodypart))
        return None

    def _called(self, point: Point) -> str:
        names = self.names
        if point.individual < len(names.individuals) and point.bodypart < len(names.bodyparts):
            return f"{names.bodyparts[point.bodypart]} of {names.individuals[point.individual]}"
        return str(tuple(point))


def slots(names: Names) -> list[Point]:
    """All points of a frame: the scene's bodyparts belong to `single` alone."""
    return [
        Point(i, b)
        for i, individual in enumerate(names.individuals)
        for b, bodypart in enumerate(names.bodyparts)
        if (individual == SINGLE) == (bodypart in names.unique)
    ]
