"""A DeepLabCut project while a person labels it: frames and labels, saved with every change.

One program at a time may write; a second one shows the project and changes nothing. Label files
are copied once, before the first change of a session.
"""

import contextlib
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from beampose import formats
from beampose.core import files, storage
from beampose.core.wording import counted
from beampose.core.writing_lock import WritingLock
from beampose.formats.deeplabcut import project_config, project_labels, root_tables
from beampose.formats.deeplabcut.label_table import LabelTable, Point
from beampose.pipelines.curation import frame_files, label_corrections
from beampose.preprocess import images

# Formats that are known by their files, of labels that are not changed in their place.
_TO_IMPORT = ("deeplabcut", "sleap", "coco")
# Files of a project that another program labels are looked at no more often.
LOOK_SECONDS = 3.0
# Seconds of quiet after which another program has written both label files of a folder.
QUIET = 0.5
# Pixels within which two places are one.
CLOSE = 0.01


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


class Place(NamedTuple):
    """Where a point is: pixels, None if it is not labeled; `absent`: it was looked for in vain."""

    xy: tuple[float, float] | None
    absent: bool = False

    def is_near(self, other: "Place") -> bool:
        """Whether two are the same: label files may hold fewer digits than a page does."""
        if self.absent != other.absent or (self.xy is None) != (other.xy is None):
            return False
        return self.xy is None or bool(np.allclose(self.xy, other.xy or (), rtol=0, atol=CLOSE))


class Change(NamedTuple):
    """A point that a person set, moved, removed, or said to be invisible.

    Attributes:
      frame: key of its frame.
      point: which.
      xy: pixels; None if it is not labeled now.
      absent: it was looked for and is not to be seen.
      was: the person saw it at one of these places; None: whatever it is now, it is changed.
    """

    frame: str
    point: Point
    xy: tuple[float, float] | None
    absent: bool = False
    was: tuple[Place, ...] | None = None


class LabelSession:
    """The labels of a project in memory and on disk.

    Attributes:
      root: the project's folder, absolute.
      names, edges: of its config.
      notes: what is odd, in sentences.
      lock: says whether this program may write.
      taken_up: how often labels were read again that another program had changed, or images of
        the list were found to be gone.
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
        # Whose images are gone: a change that waits to be written may be of one.
        self._gone: dict[str, ShownFrame] = {}
        self._guard = threading.RLock()
        self._backup = ""
        # By folder what could not be written yet: the last of each point.
        self._unsaved: dict[str, dict[tuple[str, Point], Change]] = {}
        self._config = self._config_stamp()
        self.taken_up = self.written = 0
        self._looked = time.monotonic()
        self.lock = WritingLock(root)
        self.refresh()

    def close(self) -> None:
        self.lock.release()

    def refresh(self) -> None:
        """Takes up images that were added or removed; labels stay, in memory and in the files."""
        with self._guard:
            there, seen = set[str](), set[str]()
            for folder in project_labels.frame_folders(self.root):
                name = files.name(folder)
                if name not in self._tables:
                    table = LabelTable(folder, self.names)
                    self._tables[name] = table
                    self.notes += table.notes
                seen.add(name)
                for file in files.children(folder):
                    image = files.name(file)
                    if files.suffix(file) in images.SUFFIXES and not image.startswith("."):
                        key = f"{name}/{image}"
                        number = frame_files.number(image)
                        self._frames.setdefault(key, ShownFrame(key, name, image, number))
                        there.add(key)
            # A folder that is not there as a whole may be on a disk that comes back.
            listed = self._frames.items()
            self._remove({k: one for k, one in listed if one.folder in seen and k not in there})

    def _remove(self, gone: Mapping[str, ShownFrame]) -> None:
        """Takes frames off the list whose images are gone, and says so."""
        if not gone:
            return
        self._gone |= gone
        self._frames = {key: one for key, one in self._frames.items() if key not in gone}
        self.taken_up += 1
        labeled = [key for key, one in gone.items() if self._is_labeled(one)]
        kept = f"; labels of {counted(len(labeled), 'image')} stay in the file" if labeled else ""
        first = next(iter(gone))
        self.notes.append(
            f"{counted(len(gone), 'image')} of the list {'is' if len(gone) == 1 else 'are'} not "
            f"there any more, such as {first}{kept}"
        )

    def _is_labeled(self, frame: ShownFrame) -> bool:
        table = self._tables[frame.folder]
        return bool(np.isfinite(table.keypoints(frame.image)).any() or table.absent(frame.image))

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

    def change(self, changes: Sequence[Change]) -> list[Change]:
        """Changes points and writes the label files of their folders.

        What could not be written stays in memory, and is written with the next change.

        Returns:
          Those that were left out, since another program or page labeled their points meanwhile.

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
            self._look_at_config()
            self._take_up({*(self._frames[one.frame].folder for one in changes), *self._unsaved})
            newer = [one for one in changes if self._is_newer(one)]
            for one in changes:
                if one not in newer:
                    self._put(one)
            self.written += 1
            self._back_up()
            for folder in sorted(self._unsaved):
                self._tables[folder].save()
                del self._unsaved[folder]
            return newer

    def _any(self, key: str) -> ShownFrame:
        """A frame, also one whose image is gone."""
        return self._frames.get(key) or self._gone[key]

    def _put(self, one: Change) -> None:
        frame = self._any(one.frame)
        self._tables[frame.folder].put(frame.image, one.point, one.xy, absent=one.absent)
        waiting = self._unsaved.setdefault(frame.folder, {})
        before = waiting.get((one.frame, one.point))
        if before and before.was is not None and one.was is not None:
            one = one._replace(was=before.was + one.was)
        waiting[one.frame, one.point] = one

    def _is_newer(self, one: Change) -> bool:
        """Whether a point is labeled otherwise than the person saw it who changes it."""
        frame = self._any(one.frame)
        table = self._tables[frame.folder]
        if one.was is None or one.point not in table.points:
            return False
        xy = table.keypoints(frame.image)[one.point]
        now = Place(
            None if np.isnan(xy).any() else (float(xy[0]), float(xy[1])),
            one.point in table.absent(frame.image),
        )
        return not any(now.is_near(place) for place in (*one.was, Place(one.xy, one.absent)))

    def look_on(self, *, now: bool = False) -> None:
        """Reads what another program writes, as long as that one may and this one may not.

        Files that are being written are read the next time.

        Args:
          now: however short ago this was done last.
        """
        with self._guard:
            if not now and time.monotonic() - self._looked < LOOK_SECONDS:
                return
            with contextlib.suppress(OSError, ValueError):
                self.refresh()
            for folder, table in self._tables.items():
                if table.changed_elsewhere:
                    with contextlib.suppress(OSError, ValueError):
                        self._tables[folder] = LabelTable(table.folder, self.names, table)
                        self.written += 1
            self._looked = time.monotonic()

    def take_up(self) -> None:
        """Reads label files that a program without our lock changed, as napari does, and says so.

        Files that are being written are read the next time.
        """
        with self._guard:
            for folder, before in list(self._tables.items()):
                if not before.changed_elsewhere or 0 <= before.age < QUIET:
                    continue
                with contextlib.suppress(OSError, ValueError):
                    again = LabelTable(before.folder, self.names, before)
                    if not again.damaged:
                        self._replace(folder, again)

    def _take_up(self, folders: Iterable[str]) -> None:
        """Reads label files again that another program changed: its labels stay beside ours."""
        for folder in folders:
            before = self._tables[folder]
            if before.changed_elsewhere:
                self._replace(folder, self._read_again(before))

    def _replace(self, folder: str, again: LabelTable) -> None:
        self._tables[folder] = again
        said = f"the labels of {folder} were changed by another program meanwhile: its changes are"
        self.notes += [*again.notes, f"{said} taken up"]
        self.taken_up += 1
        # Of what the other program wrote there is no copy yet.
        self._backup = ""
        for one in self._unsaved.pop(folder, {}).values():
            if self._is_newer(one):
                self.notes.append(
                    f"{one.frame}: {self.names.bodyparts[one.point.bodypart]} was not saved "
                    "here before another program labeled it: it stays as that one says"
                )
            else:
                self._put(one)

    def _read_again(self, before: LabelTable) -> LabelTable:
        """A table that another program changed; of one that it still writes nothing is overwritten.

        Raises:
          OSError: it cannot be read. Whoever asked asks again.
        """
        for wait in (0.5, 1.0, 0.0):
            try:
                again = LabelTable(before.folder, self.names, before)
            except ValueError as error:
                if not wait:
                    raise OSError(f"Another program changed labels: {error}") from None
            else:
                if not (again.damaged and wait):
                    return again
            time.sleep(wait)
        raise AssertionError("the last turn returns or raises")

    def _config_stamp(self) -> object:
        return files.stamp(files.join(self.root, project_config.CONFIG))

    def _look_at_config(self) -> None:
        """Says once that config.yaml names others than those that are labeled here."""
        with contextlib.suppress(OSError, ValueError):
            stamp = self._config_stamp()
            if stamp == self._config:
                return
            names, _, _ = project_labels.names(self.root)
            self._config = stamp
            if names != self.names:
                self.notes.append(
                    "config.yaml was changed meanwhile and names other bodyparts, animals or "
                    "another scorer: labels are saved under the names that this page shows until "
                    "`beampose label` is started again"
                )

    def _back_up(self) -> None:
        """Copies all label files, once a session; a full disk leaves no half of a copy."""
        if self._backup:
            return
        found = [file for table in self._tables.values() for file in table.label_files]
        self._backup = label_corrections.keep({f: files.read_bytes(f) for f in found}, self.root)
