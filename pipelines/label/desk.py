"""All that the page asks for: a project, its pictures, the model that learns, in plain values."""

import contextlib
import math
import secrets
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from beampose.core import files, storage
from beampose.core.settings import experiment
from beampose.formats.deeplabcut.label_table import Point, slots
from beampose.formats.deeplabcut.row_frames import Names
from beampose.pipelines.films import drawing
from beampose.pipelines.label import more_frames, new_project, predicted_labels, shown_frames
from beampose.pipelines.label.experiment_run import ExperimentRun
from beampose.pipelines.label.label_session import Change, LabelSession, Place
from beampose.pipelines.label.learner import Learner
from beampose.pipelines.label.pens import Pen
from beampose.pipelines.label.proofreading import Proofreads
from beampose.pipelines.label.shown_frames import Part, ShownFrames
from beampose.preprocess.labels import SINGLE

# Frames that "more" adds at most at once.
MOST_MORE = 200
# Likelihood from which a suggestion is accepted with the others of its frame: below it the model
# says that the bodypart is not seen.
ACCEPTED = 0.1
# Seconds between two looks for frames and labels that another program put into the project.
LOOK = 5.0


class Reading(NamedTuple):
    """Where a page is: what it has seen of the state, and the frame it shows."""

    page: str
    version: int = 0
    frame: str = ""
    take: bool = False


class ShownFilm(NamedTuple):
    """A film that a page proofreads, and what the page has seen of it, if told.

    Attributes:
      name: of the film.
      code: `code` of the summary: of which predictions.
      made: `made` of the summary: after how many corrections.
    """

    name: str
    code: str = ""
    made: int | None = None


class Picture(NamedTuple):
    """JPEG of a picture or a part of it, and the pixels of the whole one."""

    jpeg: bytes
    width: int
    height: int


class Desk:
    """A project on the desk.

    Attributes:
      code: of the names and their order, whose numbers a page that was opened before may mean.

    Args:
      session: the project.
      learner: the model in the loop.
      config: an experiment of this project, which the button "train and predict" runs.
    """

    def __init__(self, session: LabelSession, learner: Learner, config: str = ""):
        self.session, self.learner = session, learner
        self.proofreads = Proofreads(experiment.load(config) if config else None)
        self.pictures = ShownFrames(session)
        self.pen = Pen()
        # Browsers keep pictures for a day; those of another start, or film, may be of other files.
        self._started = secrets.token_hex(4)
        self.run = ExperimentRun(config)
        names = session.names
        said = [names.individuals, names.bodyparts, slots(names)]
        self.code = storage.digest(said)[:16]
        self._looks, self._held = 0.0, not session.lock.why
        self._tell_learner()
        self._next_films = time.monotonic() + LOOK
        # Indexing a long film takes seconds.
        threading.Thread(target=self._find_films, daemon=True).start()

    def _find_films(self) -> None:
        folders = sorted({one.folder for one in self.session.frames})
        self.learner.films({folder: self.pictures.film(folder) for folder in folders})

    def _look_at_films(self) -> None:
        """Takes up, once in a while, that a film was replaced, went away or came back."""
        if time.monotonic() < self._next_films:
            return
        self._next_films = time.monotonic() + LOOK
        with contextlib.suppress(OSError, ValueError):
            if self.pictures.outdated():
                threading.Thread(target=self._find_films, daemon=True).start()

    @property
    def _pictured(self) -> str:
        return f"{self._started}-{self.pictures.changes}"

    def close(self) -> None:
        self.run.stop()
        self.proofreads.close()
        self.learner.close()
        self.session.close()

    def project(self) -> dict[str, Any]:
        """What a page needs at its start: names, colours, frames and all labels."""
        session, names = self.session, self.session.names
        self._look(session.lock.try_again(), now=True)
        several = len(names.individuals) > 1
        animals = [one for one in names.individuals if one != SINGLE]
        return {
            "root": session.root,
            "name": files.name(session.root),
            "scorer": names.scorer,
            "individuals": list(names.individuals),
            "bodyparts": list(names.bodyparts),
            "unique": list(names.unique),
            "single": SINGLE,
            "several": several,
            "points": [list(point) for point in slots(names)],
            "edges": [[names.bodyparts.index(one) for one in edge] for edge in session.edges],
            "colors": _colors(len(names.bodyparts)),
            "animal_colors": [*_colors(len(animals)), *_colors(1)],
            "frames": [self._frame(one.key) for one in session.frames],
            "notes": list(dict.fromkeys(session.notes)),
            "taken_up": session.taken_up,
            "accepted": ACCEPTED,
            "written": session.written,
            "config": self.run.config,
            "pictures": self._pictured,
            "code": self.code,
        }

    def _frame(self, key: str) -> dict[str, Any]:
        frame = self.session.frame(key)
        return {
            "key": key,
            "folder": frame.folder,
            "image": frame.image,
            "number": frame.number,
            "points": _points(self.session.keypoints(key)),
            "absent": [list(point) for point in sorted(self.session.absent(key))],
        }

    def state(self, reading: Reading) -> dict[str, Any]:
        """What changed since a page asked last."""
        held = self.session.lock.try_again()
        self._look(held)
        writing = held and self.pen.ask(reading.page, take=reading.take)
        if reading.frame:
            self.learner.look_at(reading.frame)
        self._look_at_films()
        return {
            **self.learner.news(reading.version),
            "writing": writing,
            "why": self._why(writing),
            "frames": len(self.session.frames),
            "taken_up": self.session.taken_up,
            "written": self.session.written,
            "notes": list(dict.fromkeys(self.session.notes)),
            "run": self.run.state(),
            "pictures": self._pictured,
            "code": self.code,
        }

    def _look(self, held: bool, *, now: bool = False) -> None:
        """Takes up frames and labels that another program put there, once in a while.

        Args:
          held: this program may write.
          now: labels, however short ago this was done last.
        """
        session = self.session
        known = self._known_of()
        # Whoever may write from now on has to know the last that the other one wrote.
        gained, self._held = held and not self._held, held
        if gained or not held:
            session.look_on(now=gained or now)
        due = time.monotonic() >= self._looks
        if due:
            self._looks = time.monotonic() + LOOK
            with contextlib.suppress(OSError):
                session.refresh()
        if held and (due or now):
            session.take_up()
        if self._known_of() != known:
            self._tell_learner()

    def _known_of(self) -> tuple[int, int, int]:
        return len(self.session.frames), self.session.written, self.session.taken_up

    def _why(self, writing: bool) -> str:
        if writing:
            return ""
        return self.session.lock.why or "another page writes labels into this project"

    def change(self, page: str, said: Sequence[Mapping[str, Any]], of: str = "") -> dict[str, Any]:
        """Writes changes that a page sent.

        Args:
          of: `code` of what the page shows; empty where it does not say.

        Returns:
          `newer`: frames and names of points that were labeled anew since the page saw them, and
          stay; `written`, as `state` says it.

        Raises:
          KeyError, ValueError: a change is none; nothing is written.
          PermissionError: another page or program writes, or the page shows other names.
          OSError: the disk is full or the folder cannot be written.
        """
        if of not in ("", self.code):
            raise PermissionError(
                "Nothing was changed: this page shows other bodyparts or animals than config.yaml "
                "named when `beampose label` was started again. Load it again."
            )
        changes = [_change(_numbered(one, self.session.names)) for one in said]
        if not self.pen.ask(page):
            raise PermissionError("Nothing was changed: another page writes into this project.")
        if not files.is_folder(self.session.root):
            raise FileNotFoundError(
                f"{self.session.root} is not there any more: give the folder its name back, or "
                "start `beampose label` with its new one."
            )
        newer = self.session.change(changes)
        self._tell_learner()
        names = self.session.names
        return {
            "newer": [
                {
                    "frame": one.frame,
                    "point": [
                        names.individuals[one.point.individual],
                        names.bodyparts[one.point.bodypart],
                    ],
                }
                for one in newer
            ],
            "written": self.session.written,
        }

    def picture(self, key: str, part: Part) -> Picture:
        """A frame of the list. Raises KeyError, OSError, ValueError: there is none."""
        return _picture(self.pictures.pixels(self.session.frame(key)), part)

    def film_picture(self, folder: str, number: int, part: Part) -> Picture:
        """A frame of the film of a folder. Raises: as `picture`."""
        self._known(folder)
        return _picture(self.pictures.of_film(folder, number), part)

    def film(self, folder: str) -> dict[str, Any]:
        """What is known of the film of a folder."""
        self._known(folder)
        found = self.pictures.film(folder)
        if found.video is None:
            return {"count": 0, "why": found.why}
        had = [one.number for one in self.session.frames if one.folder == folder]
        return {
            "count": found.video.count,
            "fps": found.video.fps,
            "file": files.name(found.video.path),
            "had": sorted(number for number in had if number is not None),
            "why": "",
        }

    def _known(self, folder: str) -> None:
        if folder not in {one.folder for one in self.session.frames}:
            raise KeyError(folder)

    def more(self, page: str, count: int, folder: str = "", number: int | None = None) -> list[str]:
        """Adds frames of films to the project, those that teach most; or one of a number.

        Raises:
          KeyError: no such folder.
          PermissionError: another page or program writes.
          OSError, ValueError: there is no film, or it cannot be read or written.
        """
        if not self.pen.ask(page):
            raise PermissionError("Nothing was added: another page writes into this project.")
        self.session.lock.require()
        # Another program may have put frames of a further film there.
        self.session.refresh()
        if number is not None:
            self._known(folder)
            wanted = {folder: [number]}
        else:
            count = min(max(count, 1), MOST_MORE)
            wanted = self.learner.choose(count)
            if not more_frames.there(self.pictures, wanted):
                wanted = more_frames.spread(self.session, self.pictures, count)
        added = more_frames.write(self.session, self.pictures, wanted)
        self.session.refresh()
        self._tell_learner()
        return added

    def predicted_films(self) -> dict[str, Any]:
        """Films with predictions that can be proofread."""
        return {"films": [one.name for one in self.proofreads.listed()]}

    def correct(self, page: str, film: ShownFilm, correction: Mapping[str, Any]) -> dict[str, Any]:
        """Corrects predictions of a film. Raises: as `change`.

        Returns:
          Its timeline, and `undone`, the row of a correction that was taken back.
        """
        if not self.pen.ask(page):
            raise PermissionError("Nothing was changed: another page writes into this project.")
        self.session.lock.require()
        one = self.proofreads.of(film.name)
        one.require(film.code)
        undone = one.correct(correction, film.made)
        return {**one.summary(), "undone": undone}

    def predicted_picture(self, film: str, number: int, part: Part) -> Picture:
        """A frame of a predicted film. Raises: as `picture`."""
        return _picture(self.pictures.frame_of(self.proofreads.of(film).film(), number), part)

    def label_predicted(self, page: str, film: ShownFilm, row: int) -> dict[str, Any]:
        """Makes a labeled frame of corrected predictions.

        Labels that were there before stay.

        Returns:
          `added`, its key, and `kept`, the number of labels that stay. Raises: as `change`.
        """
        if not self.pen.ask(page):
            raise PermissionError("Nothing was added: another page writes into this project.")
        self.session.lock.require()
        one = self.proofreads.of(film.name)
        one.require(film.code)
        key, changes = predicted_labels.take(self.session, one, row)
        self.session.refresh()
        wanted, kept = predicted_labels.missing(self.session, one, changes(key))
        self.change(page, wanted)
        return {"added": [key], "kept": kept}

    def start_run(self, page: str) -> None:
        """Starts `beampose run`. Raises ValueError, PermissionError: it cannot be started."""
        if not self.pen.ask(page):
            raise PermissionError("Another page holds this project.")
        if not self.run.config:
            names = {one.folder for one in self.session.frames}
            found = [self.pictures.film(name).video for name in sorted(names)]
            paths = [video.path for video in found if video is not None]
            self.run.config = new_project.write_experiment(self.session.root, paths)
            self.proofreads = Proofreads(experiment.load(self.run.config))
        self.run.start()

    def _tell_learner(self) -> None:
        session = self.session
        self.learner.know(
            {one.key: session.path(one) for one in session.frames},
            {key: (session.keypoints(key), session.absent(key)) for key in session.labeled()},
        )


def _picture(pixels: np.ndarray, part: Part) -> Picture:
    return Picture(shown_frames.jpeg(pixels, part), pixels.shape[1], pixels.shape[0])


def _colors(count: int) -> list[str]:
    return [f"rgb({r},{g},{b})" for r, g, b in drawing.palette(count)] if count else []


def _points(keypoints: np.ndarray) -> list[list[list[float] | None]]:
    return [
        [None if np.isnan(xy).any() else [float(xy[0]), float(xy[1])] for xy in one]
        for one in keypoints
    ]


def _numbered(said: Mapping[str, Any], names: Names) -> Mapping[str, Any]:
    """A change of a point that is named by its names, by the numbers that these have now.

    Raises:
      ValueError: the project has no such point.
    """
    match said:
        case {"point": [str(individual), str(bodypart)]}:
            if individual not in names.individuals or bodypart not in names.bodyparts:
                owner = f" of {individual}" if names.several else ""
                raise ValueError(f"config.yaml names no {bodypart}{owner} any more.")
            place = names.individuals.index(individual), names.bodyparts.index(bodypart)
            return {**said, "point": list(place)}
    return said


def _change(said: Mapping[str, Any]) -> Change:
    """A change in the words of the page.

    Raises:
      ValueError: it is none.
    """
    try:
        individual, bodypart = said["point"]
        xy = said.get("xy")
        place = None if xy is None else (float(xy[0]), float(xy[1]))
        point = Point(_whole(individual), _whole(bodypart))
        frame = said["frame"]
        was = said.get("was")
        seen = None if was is None else tuple(map(_seen, was))
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise ValueError(f"This is no change of a point: {str(said)[:200]} ({error}).") from None
    if not isinstance(frame, str) or (place and not all(map(math.isfinite, place))):
        raise ValueError(f"This is no change of a point: {str(said)[:200]}.")
    return Change(frame, point, place, bool(said.get("absent")), seen)


def _seen(said: Mapping[str, Any]) -> Place:
    xy = said.get("xy")
    return Place(None if xy is None else (float(xy[0]), float(xy[1])), bool(said.get("absent")))


def _whole(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise ValueError(f"must be a whole number, not {value!r}")
    return value
