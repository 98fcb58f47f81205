"""All that the page for sorting crops asks for: pictures, marks, groups of what is alike.

Marks are written whole with every change; what another program wrote meanwhile is taken up before.
"""

import contextlib
import hashlib
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from beampose.core import files, storage
from beampose.core.wording import counted
from beampose.core.writing_lock import WritingLock
from beampose.pipelines.curation.crop_vectors import Looks
from beampose.pipelines.curation.sorting_page import chain
from beampose.pipelines.label import crop_guesses
from beampose.pipelines.label.crop_marks import MarksFile
from beampose.pipelines.label.pens import Pen

CLASSES = ("positive", "negative")
# Groups that a page takes at once, and classes: there are nine keys.
GROUPS, MOST_CLASSES = 12, 9
# Crops that are shown of those already marked, or doubtful.
SHOWN = 400
# Marks that another program writes are looked at no more often.
LOOK_SECONDS = 3.0


class CropDesk:
    """A folder of crops on the desk.

    Attributes:
      classes: names; those of the marks that are there come after those that were asked for.
      notes: sentences for the person.
      code: of the crops and the classes, whose numbers a page that was opened before may mean.
      written: how often marks were changed, here or by another program.

    Args:
      folder: of the crops, or of the predictions that they are of.
      looks: of these.
      file: holds the marks.
      classes: names that are asked for.
      apply: does what follows from the marks, and says what; None where nothing does.
      notes: sentences to begin with.

    Raises:
      ValueError: the file is another table, or there are too many classes.
    """

    def __init__(
        self,
        folder: str,
        looks: Looks,
        file: MarksFile,
        classes: Sequence[str] = (),
        *,
        apply: Callable[[], str] | None = None,
        notes: Sequence[str] = (),
    ):
        self.folder, self.looks = folder, looks
        self.notes = [*notes, *looks.notes()]
        self.lock, self.pen = WritingLock(folder), Pen()
        self._guard = threading.RLock()
        self._file, self._apply = file, apply
        self._place = {name: i for i, name in enumerate(looks.names)}
        self._seen, known = file.stamp(), file.read()
        self.written, self._looked = 0, time.monotonic()
        usual = CLASSES if set(known.values()) <= set(CLASSES) else ()
        found = list(dict.fromkeys([*(classes or usual), *sorted(known.values())]))
        self.classes = found + [one for one in CLASSES if len(found) < 2 and one not in found]
        if len(self.classes) > MOST_CLASSES:
            raise ValueError(
                f"{folder} has {len(self.classes)} classes; the page has keys for {MOST_CLASSES}."
            )
        self.code = _code(looks, self.classes)
        self._marks = np.full(len(looks.names), -1)
        # Of files that are not there now, or of classes that came later; they stay in the table.
        self._others: dict[str, str] = {}
        self._take(known)
        if self._others:
            first = next(iter(self._others))
            self.notes.append(
                f"{counted(len(self._others), 'mark')} of files not here, such as {first}."
            )
        self._order = np.empty(len(looks.names), int)
        self._order[chain(looks.features)] = np.arange(len(looks.names))
        self._alike = crop_guesses.likeness(looks.features)
        self._said: tuple[bytes, np.ndarray | None, np.ndarray | None] = (b"", None, None)

    def close(self) -> None:
        self.lock.release()

    def project(self) -> dict[str, Any]:
        """What a page needs at its start."""
        return {
            "name": files.name(self.folder),
            "folder": self.folder,
            "file": self._file.what,
            "classes": self.classes,
            "names": self.looks.names,
            "code": self.code,
            "notes": self.notes,
            "applies": self._apply is not None,
            "marks": self._marks.tolist(),
            "written": self.written,
        }

    def state(self, page: str, *, take: bool = False) -> dict[str, Any]:
        """Who may write, and what is new."""
        held = self.lock.try_again()
        self._look()
        writing = held and self.pen.ask(page, take=take)
        why = "" if writing else self.lock.why or "another page marks these crops"
        return {
            "writing": writing,
            "why": why,
            "code": self.code,
            "written": self.written,
            "notes": self.notes,
        }

    def _look(self) -> None:
        """Takes up what another program wrote. A table that is no list of marks waits."""
        with self._guard:
            if time.monotonic() - self._looked >= LOOK_SECONDS:
                self._looked = time.monotonic()
                with contextlib.suppress(OSError, ValueError):
                    self._take_up()

    def _take_up(self) -> None:
        """Reads the marks again if another program changed them. Raises: as `MarksFile.read`."""
        stamp = self._file.stamp()
        if stamp == self._seen:
            return
        self._take(self._file.read())
        self._seen = stamp
        self.written += 1
        if not self.lock.why:
            self._note(f"{self._file.what} was changed by another program: its marks are taken up.")

    def _note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)

    def _take(self, known: Mapping[str, str]) -> None:
        """Takes marks by the crops' names for those that are."""
        marks, others, foreign = np.full(len(self._place), -1), {}, []
        for name, one in known.items():
            if name in self._place and one in self.classes:
                marks[self._place[name]] = self.classes.index(one)
            else:
                others[name] = one
                foreign += [name] * (name in self._place)
        if foreign:
            self._note(
                f"{counted(len(foreign), 'crop')}, such as {foreign[0]}, got a class that is not "
                f"here, such as {others[foreign[0]]}: `beampose label` shows it when it is started "
                "again."
            )
        self._marks, self._others = marks, others

    def picture(self, number: int) -> bytes:
        """JPEG of a crop. Raises KeyError: there is none."""
        if not 0 <= number < len(self.looks.thumbs):
            raise KeyError(number)
        return self.looks.thumbs[number]

    def mark(self, page: str, said: Sequence[Sequence[Any]], of: str = "") -> dict[str, Any]:
        """Marks crops and writes the table; pairs of a crop's number and its class, or None.

        A third value lists the classes that the page saw: a crop that somebody marked otherwise
        since then stays as it is.

        Args:
          of: `code` of what the page shows; empty where it does not say.

        Raises:
          ValueError: one is none; nothing is marked.
          PermissionError: another page or program writes, or the page shows other crops.
          OSError: the table cannot be written; nothing is marked.
        """
        if of not in ("", self.code):
            raise PermissionError(
                "Nothing was marked: this page shows other crops than are here now. Load it again."
            )
        changes = [self._change(one) for one in said]
        if not self.pen.ask(page):
            raise PermissionError("Nothing was marked: another page marks these crops.")
        self.lock.require()
        with self._guard:
            try:
                self._take_up()
            except ValueError as error:
                raise OSError(f"Nothing was marked: {error}") from None
            marks = self._marks.copy()
            newer = []
            for number, one, was in changes:
                if was is not None and int(marks[number]) not in (one, *was):
                    newer.append(number)
                else:
                    marks[number] = one
            anew = {self.looks.names[number] for number, _, _ in changes}
            others = {name: one for name, one in self._others.items() if name not in anew}
            self._write(marks, others)
            self._marks, self._others = marks, others
            self.written += 1
        now = [[number, None if marks[number] < 0 else int(marks[number])] for number in newer]
        return {**self.counts(), "written": self.written, "newer": now}

    def apply(self, page: str) -> dict[str, Any]:
        """Does what follows from the marks. Raises: as `mark`; ValueError: it cannot be done."""
        if self._apply is None:
            raise ValueError("Nothing is to be done: the marks are saved.")
        if not self.pen.ask(page):
            raise PermissionError("Nothing was done: another page marks these crops.")
        self.lock.require()
        with self._guard:
            said = self._apply()
            self._seen = self._file.stamp()
        return {"text": said}

    def _change(self, said: Sequence[Any]) -> tuple[int, int, list[int] | None]:
        try:
            number, one, was = said if len(said) == 3 else (*said, None)
            was = None if was is None else [-1 if w is None else w for w in was]
        except (TypeError, ValueError):
            raise ValueError(f"This is no mark: {str(said)[:200]}.") from None
        one = -1 if one is None else one
        fits = type(number) is int and type(one) is int
        if not fits or not 0 <= number < len(self._marks) or not -1 <= one < len(self.classes):
            raise ValueError(f"This is no mark: {str(said)[:200]}.")
        return number, one, was

    def counts(self) -> dict[str, Any]:
        """Marks of each class, and how many crops have none."""
        known = Counter(self._marks.tolist())
        left = int((self._marks < 0).sum())
        return {"counts": [known[i] for i in range(len(self.classes))], "left": left}

    def groups(self) -> dict[str, Any]:
        """Crops that are not marked, those first of which the classifier is least sure."""
        marks, said, judged = self._guessed()
        left = np.flatnonzero(marks < 0)
        if said is None:
            known = np.flatnonzero(marks >= 0)
            order = np.array(crop_guesses.spread(self.looks.features, left, known, GROUPS), int)
            guessed = None
        else:
            entropy = crop_guesses.unsure(said)
            order = left[np.argsort(-entropy[left], kind="stable")]
            guessed = said.argmax(axis=1)
        found = crop_guesses.groups(
            self.looks.features, left, order.tolist(), self._alike, guessed, GROUPS
        )
        return {
            **self.counts(),
            "groups": [_told(one.members, said) for one in found],
            "text": self._text(marks, judged),
            "doubts": 0 if judged is None else len(crop_guesses.contradicted(marks, judged)),
        }

    def marked(self, wanted: str) -> dict[str, Any]:
        """Crops of a class by its name, or those marked otherwise than they look (`doubts`).

        Raises:
          KeyError: there is no such class.
        """
        marks, _, judged = self._guessed()
        if wanted == "doubts":
            rows = [] if judged is None else crop_guesses.contradicted(marks, judged)
        elif wanted in self.classes:
            own = np.flatnonzero(marks == self.classes.index(wanted))
            rows = own[np.argsort(self._order[own], kind="stable")].tolist()
        else:
            raise KeyError(wanted)
        shown = [{"crop": row, "class": int(marks[row])} for row in rows[:SHOWN]]
        for one in shown:
            if judged is not None and np.isfinite(judged[one["crop"]]).all():
                one["guess"] = int(judged[one["crop"]].argmax())
        return {"crops": shown, "all": len(rows)}

    def _guessed(self) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None]:
        """Marks, what they say of all crops, and of marked ones that were held out."""
        with self._guard:
            marks = self._marks
            if self._said[0] != marks.tobytes():
                count, features = len(self.classes), self.looks.features
                said = crop_guesses.guesses(features, marks, count)
                judged = crop_guesses.held_out(features, marks, count)
                self._said = marks.tobytes(), said, judged
            return marks, self._said[1], self._said[2]

    def _text(self, marks: np.ndarray, judged: np.ndarray | None) -> str:
        if judged is None:
            return f"It guesses after {crop_guesses.LEAST} marks of two classes."
        rows = np.isfinite(judged).all(axis=1)
        if not rows.any():
            return "Too few marks of each class to judge the guesses."
        right = float((judged[rows].argmax(axis=1) == marks[rows]).mean())
        return f"Of marks that were held out, {right:.0%} are guessed right."

    def _write(self, marks: np.ndarray, others: Mapping[str, str]) -> None:
        named = {
            name: self.classes[mark]
            for name, mark in zip(self.looks.names, marks.tolist(), strict=True)
            if mark >= 0
        }
        self._file.write({**others, **named})
        self._seen = self._file.stamp()


def _code(looks: Looks, classes: Sequence[str]) -> str:
    pictures = hashlib.sha256()
    for one in looks.thumbs:
        pictures.update(hashlib.sha256(one).digest())
    return storage.digest([looks.names, list(classes), pictures.hexdigest()])[:16]


def _told(members: Sequence[int], said: np.ndarray | None) -> dict[str, Any]:
    """A group as a page takes it; its guess is the mean of its members'."""
    if said is None:
        return {"members": list(members), "guess": None, "sure": None}
    mean = said[list(members)].mean(axis=0)
    return {
        "members": list(members),
        "guess": int(mean.argmax()),
        "sure": round(float(mean.max()), 2),
    }
