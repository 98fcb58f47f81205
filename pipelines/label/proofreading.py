"""Predictions of films on the page: corrected by a person, kept beside what was predicted.

Every correction is a line in `<stem>_proofread.jsonl` before it is shown; the tables
`<stem>_proofread.h5` and `.csv`, which other verbs read, are made of them a moment later. A kill
loses neither.
"""

import contextlib
import json
import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from beampose.core import __version__, artefacts, files, fingerprints
from beampose.core.infos import ProofreadInfo
from beampose.core.settings.experiment import Config
from beampose.formats.deeplabcut import prediction_tables
from beampose.formats.deeplabcut.label_table import Point
from beampose.pipelines import manifest
from beampose.pipelines.label.shown_frames import FolderFilm
from beampose.pipelines.results import corrections, result_files, result_names
from beampose.pipelines.results.result_files import PROOFREAD, Found
from beampose.preprocess import videos
from beampose.preprocess.videos import Video

# Parts of a timeline, and seconds of quiet after which tables are written.
BINS, QUIET = 600, 1.0
# Rows that a page takes at once.
MOST_ROWS = 400


class Listed(NamedTuple):
    """A film with predictions, as the page lists it."""

    name: str
    found: Found


class Proofread:
    """The predictions of one film while they are corrected.

    Attributes:
      labeled: of points that were made labels meanwhile, by frame and point, where.

    Raises:
      OSError, ValueError: they cannot be read.
    """

    def __init__(self, found: Found):
        self._found = found
        self._file = found.predicted()
        self._stamp = files.stamp(self._file)
        read = prediction_tables.read(self._file)
        # The page shows whole frames.
        self._offset = np.array([*result_files.offset(found), 0.0])
        self.table = read._replace(values=read.values + self._offset)
        self._digest = result_files.digest(self._file)
        self._log = Path(f"{found.stem}{PROOFREAD}.jsonl")
        self._done: list[dict[str, Any]] = []
        self._known: set[str] = set()
        # Corrections and what was undone, each of them counted.
        self._made = 0
        self.labeled: dict[tuple[str, Point], list[float]] = {}
        self._guard = threading.RLock()
        self._timer: threading.Timer | None = None
        self._logged = self._log_size()
        self.note = self._read_log()
        self.values = corrections.apply_all(self.table, self._done)
        self._film = FolderFilm(None)
        self._content = found.film()[1]
        video = self.video
        differs = "" if video is None else result_files.other_length(found, self.table, video.count)
        self.note = "; ".join(filter(None, (self.note, differs)))
        if self._done:
            self._later()

    def film(self) -> FolderFilm:
        """The film, whole; none if it cannot be read, or another one lies in its place by now."""
        with self._guard:
            if not self._film.is_as_indexed:
                self._film = self._find_film()
            return self._film

    @property
    def video(self) -> Video | None:
        return self.film().video

    def _film_note(self) -> str:
        why = self.film().why
        return f"is not shown: {why}" if why else ""

    def _find_film(self) -> FolderFilm:
        path, _ = self._found.film()
        if not path or not files.exists(path):
            return FolderFilm(None, why="The film of these predictions was not found.")
        try:
            stamp, content = files.stamp(path), fingerprints.of_file(path)
            self._content = self._content or content
            if content != self._content:
                return FolderFilm(None, why=_replaced(path))
            video = videos.index(path)
        except (OSError, ValueError) as error:
            return FolderFilm(None, why=files.why(error))
        return FolderFilm(video, (0, video.width, 0, video.height), stamp=stamp)

    def _read_log(self) -> str:
        """Takes up corrections of before. Returns why they cannot be used, if so."""
        if not self._log.is_file():
            return ""
        lines = self._log.read_text(encoding="utf-8").splitlines()
        try:
            said = [json.loads(line) for line in lines if line.endswith("}")]
            if not said or said[0].get("source_digest") != self._digest:
                old = self._log.with_suffix(".jsonl.old")
                os.replace(self._log, old)
                self._logged = 0
                return f"was predicted again since it was proofread: the corrections are in {old}"
            for one in said[1:]:
                self._take(one)
        except (ValueError, AttributeError):
            raise ValueError(f"{self._log} cannot be read: move it away to begin anew.") from None
        return ""

    def _log_size(self) -> int:
        return self._log.stat().st_size if self._log.is_file() else 0

    def _take(self, one: dict[str, Any]) -> None:
        self._made += 1
        if isinstance(name := one.get("id"), str):
            self._known.add(name)
        if one.get("do") == "undo":
            if self._done:
                self._done.pop()
        else:
            self._done.append(one)

    @property
    def outdated(self) -> bool:
        """Whether the film was predicted again, or corrected by another program, or is gone."""
        try:
            return files.stamp(self._file) != self._stamp or self._log_size() != self._logged
        except OSError:
            return True

    @property
    def count(self) -> int:
        return len(self._done)

    def require(self, of: str) -> None:
        """Raises PermissionError if a page shows other predictions than these.

        Args:
          of: `code` of the summary that the page shows; empty where it does not say.
        """
        if of not in ("", self._digest):
            raise PermissionError(
                f"Nothing was changed: {self._found.name} was predicted again since this page "
                "shows it. Click on the film to see it as it is now."
            )

    def correct(self, correction: Mapping[str, Any], made: int | None = None) -> int | None:
        """Does a correction, or undoes the last one (`{"do": "undo"}`).

        One with an `id` is done once, however often a page sends it that got no answer.

        Args:
          made: corrections that the page knew of, as in the summary; None: whatever they are.

        Returns:
          The row of the correction that was undone; None for others.

        Raises:
          ValueError: it is none.
          PermissionError: the film was corrected by another page since.
          OSError: it cannot be written.
        """
        with self._guard:
            one = dict(correction)
            if one.get("id") is not None and one["id"] in self._known:
                return None
            if made not in (None, self._made):
                raise PermissionError(
                    f"{self._found.name} was corrected elsewhere since this page showed it, and "
                    "stays as it is now: one correction made here is left out. Look again."
                )
            undone = self._done[-1] if one.get("do") == "undo" and self._done else None
            changed = self.values
            if one.get("do") != "undo":
                changed = self.values.copy()
                corrections.apply(self.table, changed, one)
            self._write_down(one)
            self._take(one)
            if one.get("do") == "undo":
                changed = corrections.apply_all(self.table, self._done)
            self.values = changed
            self._later()
            return None if undone is None else int(undone["row"])

    def _write_down(self, one: Mapping[str, Any]) -> None:
        before = self._log_size()
        lines = [one] if before else [{"source_digest": self._digest, "source": self._file}, one]
        try:
            with self._log.open("a", encoding="utf-8") as stream:
                stream.writelines(json.dumps(line) + "\n" for line in lines)
                stream.flush()
                os.fsync(stream.fileno())
            self._logged = self._log_size()
        except OSError:
            # A part of a line on a full disk would spoil the line after it.
            with contextlib.suppress(OSError):
                os.truncate(self._log, before)
            raise

    def _later(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = threading.Timer(QUIET, self.save)
        self._timer.daemon = True
        self._timer.start()

    def save(self) -> None:
        """Writes the corrected tables and their summary, which comes last."""
        with self._guard:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            stem = f"{self._found.stem}{PROOFREAD}"
            values = self.values - self._offset
            prediction_tables.write(self.table._replace(values=values), stem)
            video, fingerprint = self._found.film()
            info = ProofreadInfo(
                made_by=f"beampose {__version__} label",
                source=self._file,
                source_digest=self._digest,
                corrections=len(self._done),
                video=video,
                video_fingerprint=fingerprint,
            )
            artefacts.write_info(f"{stem}.json", info)

    def close(self) -> None:
        if self._timer is not None:
            self.save()

    def summary(self) -> dict[str, Any]:
        """What the page needs to show a film."""
        with self._guard:
            parts = self.table.bodyparts
            return {
                **corrections.summary(self.table, self.values, BINS),
                "points": [list(point) for point in self.table.points],
                "bodyparts": parts,
                "individuals": self.table.individuals,
                "frames": self._numbers(),
                "numbers": self._uneven(),
                "corrections": len(self._done),
                "made": self._made,
                "film": self.video is not None,
                "fps": self._found.fps(),
                "note": "; ".join(filter(None, (self.note, self._film_note()))),
                "code": self._digest,
            }

    def _numbers(self) -> list[int]:
        """The number of the first frame, and from one row to the next."""
        frames = self.table.frames
        return [int(frames[0]), self.table.step] if len(frames) else [0, 1]

    def _uneven(self) -> list[int]:
        """The number of each row's frame, where these are not evenly apart; else none."""
        frames = self.table.frames
        even = (np.diff(frames) == self.table.step).all()
        return [] if even else frames.tolist()

    def rows(self, start: int, stop: int) -> list[list]:
        """Points of some rows: x, y, likelihood or None."""
        first = max(start, 0)
        some = self.values[first : min(stop, first + MOST_ROWS)]
        return [[_point(point) for point in row] for row in some]


def _replaced(path: str) -> str:
    return (
        f"{path} is another film than the one that these predictions are of: put that one back, or "
        "predict this one, which gets predictions of its own."
    )


def _point(values: np.ndarray) -> list[float] | None:
    """x, y, likelihood; None where it is missing."""
    if np.isnan(values[:2]).any():
        return None
    return [round(float(one), 3) for one in np.nan_to_num(values)]


class Proofreads:
    """The films of an experiment that were predicted.

    Args:
      config: of the experiment; None if there is none.
    """

    def __init__(self, config: Config | None):
        self._config = config
        self._open: dict[str, Proofread] = {}
        self._guard = threading.Lock()

    def listed(self) -> list[Listed]:
        """Films with predictions, by name."""
        if self._config is None:
            return []
        try:
            paths = manifest.expand(self._config.predict.videos)
        except (OSError, ValueError):
            return []
        films = result_names.of_experiment(self._config, paths)
        found = []
        for film in films:
            try:
                one = result_files.of_video(self._config, film.name, film.path)
                one = one._replace(fingerprint=film.fingerprint)
                one.table()
            except (OSError, ValueError):
                continue
            found.append(Listed(film.name, one))
        return found

    def of(self, name: str) -> Proofread:
        """Predictions of a film. Raises KeyError: there are none."""
        with self._guard:
            if name in self._open and self._open[name].outdated:
                self._open.pop(name).close()
            if name not in self._open:
                there = {one.name: one.found for one in self.listed()}
                self._open[name] = Proofread(there[name])
            return self._open[name]

    def close(self) -> None:
        for one in self._open.values():
            one.close()
