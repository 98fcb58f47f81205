"""A DeepLabCut project while a person labels it: frames and labels, saved with every change.

One program at a time may write; a second one shows the project and changes nothing. Label files
are copied once, before the first change of a session.
"""

import contextlib
import threading
import time
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from beampose import formats
from beampose.core import files, storage
from beampose.formats.deeplabcut import project_config, project_labels, root_tables
from beampose.formats.deeplabcut.label_table import LabelTable, Point
from beampose.pipelines.curation import frame_files, label_corrections
from beampose.pipelines.label.writing_lock import WritingLock
from beampose.preprocess import images

# Formats that are known by their files, of labels that are not changed in their place.
_TO_IMPORT = ("deeplabcut", "sleap", "coco")
# Files of a project that another program labels are looked at no more often.
LOOK_SECONDS = 3.0


class ShownFrame(NamedTuple):
    """A frame of the list.

    Attributes:
      key: `folder/image`, by which a page names it.
      folder, image: of labeled-data, and the file in it.
      number: in its film, by the name of the image; None for other names.
    """

    key: str
    folder: str
    image: str
    number: int | None


class Change(NamedTuple):
    """A point that a person set, moved, removed, or said to be invisible.

    Attributes:
      frame: key of its frame.
      point: which.
      xy: pixels; None if it is not labeled now.
      absent: it was looked for and is not to be seen.
    """

    frame: str
    point: Point
    xy: tuple[float, float] | None
    absent: bool = False


class LabelSession:
    """The labels of a project in memory and on disk.

    Attributes:
      root: the project's folder, absolute.
      names, edges: of its config.
      notes: what is odd, in sentences.
      lock: says whether this program may write.
      taken_up: how often labels were read again that another program had changed.
      written: how often labels were changed here, or by the program whom this one watches.

    Raises:
      FileNotFoundError: no project, or one without labeled-data.
      ValueError: it cannot be labeled here; the text says why.
    """

    def __init__(self, path: str):
        root = files.absolute(path)
        root = files.parent(root) if files.suffix(root) in (".yaml", ".yml") else root
        if not storage.is_local(root):
            raise ValueError(f"{root} is in a bucket: copy the project to a disk to label it.")
        if tables := root_tables.find(root):
            raise ValueError(
                f"{tables[0]} holds the labels of several videos and is not changed. `beampose "
                f"import-labels {root} --to FOLDER` makes a DeepLabCut project, which can be "
                "labeled."
            )
        format = formats.guess(root)
        if not files.exists(files.join(root, project_config.CONFIG)) and format in _TO_IMPORT:
            raise ValueError(
                f"{root} holds labels of format {format}, and no config.yaml. `beampose "
                f"import-labels {root} --to FOLDER` makes a DeepLabCut project, which can be "
                "labeled."
            )
        self.root = root
        self.names, self.edges, problems = project_labels.names(root)
        if not self.names.scorer:
            file = files.join(root, project_config.CONFIG)
            raise ValueError(f"{file} names no scorer: write whose labels these are.")
        self.notes = [problem.what for problem in problems]
        self._tables: dict[str, LabelTable] = {}
        self._frames: dict[str, ShownFrame] = {}
        self._guard = threading.RLock()
        self._backup = ""
        self._unsaved: set[str] = set()
        self.taken_up = self.written = 0
        self._looked = time.monotonic()
        self.lock = WritingLock(root)
        self.refresh()

    def close(self) -> None:
        self.lock.release()

    def refresh(self) -> None:
        """Takes up images that were added; labels in memory stay."""
        with self._guard:
            for folder in project_labels.frame_folders(self.root):
                name = files.name(folder)
                if name not in self._tables:
                    table = LabelTable(folder, self.names)
                    self._tables[name] = table
                    self.notes += table.notes
                for file in files.children(folder):
                    image = files.name(file)
                    if files.suffix(file) in images.SUFFIXES and not image.startswith("."):
                        key = f"{name}/{image}"
                        number = frame_files.number(image)
                        self._frames.setdefault(key, ShownFrame(key, name, image, number))

    @property
    def frames(self) -> list[ShownFrame]:
        """All frames, by folder and image."""
        with self._guard:
            return [self._frames[key] for key in sorted(self._frames)]

    def frame(self, key: str) -> ShownFrame:
        """Raises KeyError if the project has no such frame."""
        with self._guard:
            return self._frames[key]

    def path(self, frame: ShownFrame) -> str:
        """The image file of a frame of the list."""
        return files.join(self.root, project_labels.LABELED_DATA, frame.folder, frame.image)

    def keypoints(self, key: str) -> np.ndarray:
        """(individuals, bodyparts, 2); NaN = not labeled."""
        frame = self.frame(key)
        with self._guard:
            return self._tables[frame.folder].keypoints(frame.image)

    def absent(self, key: str) -> set[Point]:
        """Points of a frame that a person said to be invisible."""
        frame = self.frame(key)
        with self._guard:
            return self._tables[frame.folder].absent(frame.image)

    def labeled(self) -> list[str]:
        """Keys of frames with a label or a mark."""
        return [
            one.key
            for one in self.frames
            if np.isfinite(self.keypoints(one.key)).any() or self.absent(one.key)
        ]

    def change(self, changes: Sequence[Change]) -> None:
        """Changes points and writes the label files of their folders.

        What could not be written stays in memory, and is written with the next change.

        Raises:
          KeyError: no such frame.
          ValueError: no such point, or one that is no place.
          PermissionError: another program writes to this project.
          OSError: the disk is full or the folder cannot be written.
        """
        with self._guard:
            self.lock.require()
            for one in changes:
                if one.frame not in self._frames:
                    raise KeyError(one.frame)
                if one.xy is not None and not np.isfinite(one.xy).all():
                    raise ValueError(f"{one.frame}: a point must be two numbers.")
            self._take_up({self._frames[one.frame].folder for one in changes})
            for one in changes:
                frame = self._frames[one.frame]
                table = self._tables[frame.folder]
                table.put(frame.image, one.point, one.xy, absent=one.absent)
                self._unsaved.add(frame.folder)
            self.written += 1
            self._back_up()
            for folder in sorted(self._unsaved):
                self._tables[folder].save()
                self._unsaved.discard(folder)

    def look_on(self) -> None:
        """Reads what another program writes, as long as that one may and this one may not.

        Files that are being written are read the next time.
        """
        with self._guard:
            if time.monotonic() - self._looked < LOOK_SECONDS:
                return
            with contextlib.suppress(OSError, ValueError):
                self.refresh()
            for folder, table in self._tables.items():
                if table.changed_elsewhere:
                    with contextlib.suppress(OSError, ValueError):
                        self._tables[folder] = LabelTable(table.folder, self.names)
                        self.written += 1
            self._looked = time.monotonic()

    def _take_up(self, folders: Iterable[str]) -> None:
        """Reads label files again that another program changed: its labels stay beside ours."""
        for folder in folders:
            if self._tables[folder].changed_elsewhere and folder not in self._unsaved:
                self._tables[folder] = LabelTable(self._tables[folder].folder, self.names)
                self.notes.append(
                    f"the labels of {folder} were changed by another program meanwhile: its "
                    "changes are taken up"
                )
                self.taken_up += 1

    def _back_up(self) -> None:
        """Copies all label files, once a session; a full disk leaves no half of a copy."""
        if self._backup:
            return
        found = [file for table in self._tables.values() for file in table.label_files]
        self._backup = label_corrections.keep({f: files.read_bytes(f) for f in found}, self.root)
