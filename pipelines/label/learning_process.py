"""The model in the loop as a process of its own, so that the page never waits for it."""

import contextlib
import multiprocessing
import os
import queue
import threading
from collections.abc import Mapping, Sequence
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

import numpy as np

from beampose.core import files
from beampose.formats.deeplabcut.label_table import Point
from beampose.formats.deeplabcut.row_frames import Names
from beampose.pipelines.label.learner import Labeled
from beampose.pipelines.label.shown_frames import FolderFilm, Stamp, stamp_of
from beampose.preprocess import images, videos
from beampose.preprocess.recent import Recent

# Frames of all films that are looked at for those worth labeling.
LOOKED_AT = 160
# Bytes of decoded frames that are kept for their copies.
_DECODED = 128 << 20


class Told(NamedTuple):
    """What the page's side tells: frames, labels and films as they are now."""

    paths: Mapping[str, str]
    labeled: Labeled
    films: Mapping[str, FolderFilm]
    focus: str


class LearningProcess:
    """A `Learner` whose work is done by another process.

    Args:
      names, edges: of the project.
    """

    def __init__(self, names: Names, edges: Sequence[tuple[str, str]]):
        self._guard = threading.Lock()
        self._told = Told({}, {}, {}, "")
        self._suggestions: dict[str, tuple[int, list]] = {}
        self._facts: dict[str, Any] = {}
        self._marks: dict[str, int] = {}
        self._version = 0
        self._model: dict[str, Any] = {"state": "waiting", "text": "The model starts …"}
        self._wake: queue.Queue[bool] = queue.Queue(1)
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_main, args=(theirs, names, edges), daemon=True)
        self._process.start()
        theirs.close()
        threading.Thread(target=self._send, daemon=True).start()
        threading.Thread(target=self._receive, daemon=True).start()

    def know(self, paths: Mapping[str, str], labeled: Labeled) -> None:
        with self._guard:
            self._told = self._told._replace(paths=dict(paths), labeled=dict(labeled))
        self._wake_up()

    def films(self, found: Mapping[str, FolderFilm]) -> None:
        with self._guard:
            self._told = self._told._replace(films=dict(found))
        self._wake_up()

    def look_at(self, frame: str) -> None:
        with self._guard:
            if frame == self._told.focus:
                return
            self._told = self._told._replace(focus=frame)
        self._wake_up()

    def news(self, version: int) -> dict[str, Any]:
        with self._guard:
            found: dict[str, Any] = {"version": self._version, "model": dict(self._model)}
            found["suggestions"] = {
                key: said for key, (since, said) in self._suggestions.items() if since > version
            }
            for name in ("radius", "next", "doubts"):
                if self._marks.get(name, 0) > version:
                    found[name] = self._facts[name]
            for name in ("curve", "promise"):
                if name in self._facts:
                    found["model"][name] = self._facts[name]
            if "error_px" in self._facts:
                found["model"]["text"] = (
                    f"Held-out error {self._facts['error_px']} px, median "
                    f"{self._facts['median_px']} px. {found['model']['text']}"
                )
            return found

    def choose(self, count: int) -> dict[str, list[int]]:
        with self._guard:
            chosen = list(self._facts.get("more", ()))
            had = set(self._told.paths)
        found: dict[str, list[int]] = {}
        for key in chosen:
            folder, _, number = key.rpartition("#")
            # Neighbours of what is there are dropped when they are looked at anew.
            if sum(map(len, found.values())) < count and key not in had:
                found.setdefault(folder, []).append(int(number))
        return found if sum(map(len, found.values())) >= count else {}

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._connection.close()
        self._process.terminate()
        self._process.join(5)
        if self._process.is_alive():
            self._process.kill()

    def _wake_up(self) -> None:
        with contextlib.suppress(queue.Full):
            self._wake.put_nowait(True)

    def _send(self) -> None:
        """Sends what is true now; what was true meanwhile is left out."""
        while True:
            self._wake.get()
            with self._guard:
                told = self._told
            try:
                self._connection.send(told)
            except (OSError, ValueError):
                return

    def _receive(self) -> None:
        while True:
            try:
                said = self._connection.recv()
            except (EOFError, OSError):
                break
            with self._guard:
                self._version += 1
                for key, one in said.pop("suggestions", {}).items():
                    self._suggestions[key] = (self._version, one)
                self._model = said.pop("model", self._model)
                for name, value in said.items():
                    if self._facts.get(name) != value:
                        self._facts[name], self._marks[name] = value, self._version
        with self._guard:
            if self._model.get("state") != "off":
                self._model = {"state": "off", "text": "The model has stopped."}


def _main(connection: Connection, names: Names, edges: Sequence[tuple[str, str]]) -> None:
    """The other process: until its parent is gone."""
    with contextlib.suppress(OSError, AttributeError):
        os.nice(5)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        from beampose.trainer.quiet import import_tensorflow

        import_tensorflow()
        from beampose.pipelines.label.learning import Learning
    except ModuleNotFoundError as error:
        text = f"No model learns: {error.name} is not installed (pip install 'beampose[label]')."
        connection.send({"model": {"state": "off", "text": text}})
        return
    learning = Learning(names, edges)
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError, KeyboardInterrupt):
        _work(connection, learning)


def _work(connection: Connection, learning: Any) -> None:
    reader, busy, status = Reader(), False, None
    while True:
        told = None
        while connection.poll(0 if busy or told else None):
            told = connection.recv()
        if told is not None:
            reader.know(told)
            learning.know(material(told, learning.points, reader))
            learning.look_at(told.focus)
        try:
            busy = learning.step()
        except Exception as error:
            # Whoever labels goes on without a model; the reason is told.
            text = f"The model has stopped: {type(error).__name__}: {str(error)[:300]}"
            connection.send({"model": {"state": "off", "text": text}})
            return
        now = learning.status()
        if now != status or learning.news != {"suggestions": {}}:
            connection.send({**learning.news, "model": now})
            learning.news, status = {"suggestions": {}}, now


def material(told: Told, points: Sequence[Point], reader: "Reader") -> Any:
    """What the model learns from, of what it was told."""
    from beampose.pipelines.label.live_frames import Material, absent_done

    keypoints, done = {}, set()
    for key, (found, absent) in told.labeled.items():
        labeled, whole = absent_done(found, absent, points)
        if labeled and key in told.paths:
            keypoints[key] = found
        if whole:
            done.add(key)
    return Material(list(told.paths), keypoints, frozenset(done), looked_at(told), reader.pixels)


def looked_at(told: Told) -> list[str]:
    """Keys `folder#number` of frames of films, evenly through all, without those of the list."""
    there = {f: film.video.count for f, film in told.films.items() if film.video is not None}
    total = sum(there.values())
    had: dict[str, set[int]] = {}
    for key in told.paths:
        folder, _, image = key.partition("/")
        stem = files.stem(image)
        if stem.startswith("img") and stem[3:].isdecimal():
            had.setdefault(folder, set()).add(int(stem[3:]))
    found = []
    for folder, count in there.items():
        share = max(round(LOOKED_AT * count / total), 2)
        numbers = np.unique(np.linspace(0, count - 1, min(share, count)).astype(int)).tolist()
        found += [f"{folder}#{n}" for n in numbers if n not in had.get(folder, ())]
    return found


class Reader:
    """Pixels of frames by their keys: images of the list, or frames of films."""

    def __init__(self):
        self._told = Told({}, {}, {}, "")
        self._kept: Recent[np.ndarray] = Recent(_DECODED, lambda pixels: pixels.nbytes)

    def know(self, told: Told) -> None:
        self._told = told

    def pixels(self, key: str) -> np.ndarray:
        """uint8 (height, width, 3). Raises OSError, ValueError: it cannot be read."""
        name = f"{key}\n{self._stamp(key)}"
        kept = self._kept.get(name)
        if kept is None:
            kept = self._read(key)
            self._kept.put(name, kept)
        return kept

    def _stamp(self, key: str) -> Stamp | None:
        film = self._told.films.get(key.rpartition("#")[0])
        video = film.video if film is not None else None
        path = self._told.paths.get(key) or (video.path if video is not None else "")
        return stamp_of(path) if path else None

    def _read(self, key: str) -> np.ndarray:
        if key in self._told.paths:
            return images.decode(files.read_bytes(self._told.paths[key]))
        folder, mark, number = key.rpartition("#")
        film = self._told.films.get(folder)
        if not mark or film is None or film.video is None:
            raise ValueError(f"{key} is no frame")
        frame = next(videos.read_some(film.video, [int(number)]))
        if not film.is_as_indexed:
            raise ValueError(f"{film.video.path} was replaced")
        if frame.pixels is None:
            raise ValueError(f"{key}: {frame.failure}")
        x1, x2, y1, y2 = film.crop
        return np.ascontiguousarray(frame.pixels[y1:y2, x1:x2])
