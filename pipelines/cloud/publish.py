"""Publishes a run's results, completely or not at all, without traces of where they were made."""

import contextlib
import dataclasses
import shutil
from pathlib import Path
from typing import Any, NamedTuple

from upath import UPath

from beampose.core import __version__, artefacts, files, storage
from beampose.core.infos import UploadInfo
from beampose.core.names import COMPLETED, INFO, REJECTS, REPORT
from beampose.pipelines.cloud import upload_status
from beampose.pipelines.cloud.upload_status import Journal

PUBLISHED = ("model", "dataset", "evaluation", REPORT)
_OF_TEXT = (".json", ".jsonl", ".csv", ".html")
_LONGEST_ERROR = 1000


class Again(Exception):
    """Nothing is wrong with the upload, but it could not be finished: to be tried again.

    Attributes:
      room: bytes that must be free for it on the disk for temporary files.
    """

    def __init__(self, text: str, room: int | None = None):
        super().__init__(text)
        self.room = room


class Unread(Again):
    """The zip could not be read from where it lies: nothing was worked on."""


class Result(NamedTuple):
    """Result of a run: figures for the status, and the number of labels that had problems."""

    metrics: dict[str, Any]
    problems: int


def result(output: Path, work: Path, journal: Journal, made: Result) -> None:
    """Puts a whole result in its place and says so; what says that it is whole comes last.

    Raises:
      Again: storage failed. Nothing of the result is there.
      TakenOver: another handler has the upload.
    """
    for file in output.rglob("*"):
        if file.is_file() and file.suffix in _OF_TEXT:
            text = file.read_bytes().decode("utf-8")
            file.write_bytes(_without(text, work).encode("utf-8"))
    journal.check()
    figures = {"metrics": made.metrics, "problems": made.problems}
    known = dataclasses.asdict(journal.status).items()
    status = {key: value for key, value in known if key not in ("state", "room", "unread")}
    info = UploadInfo(**{"made_by": f"beampose {__version__}", **status, **figures})
    try:
        for name in PUBLISHED:
            _copy(output / name, journal.folder / name)
        journal.check()
        artefacts.complete(journal.folder, info)
    except upload_status.TakenOver:
        raise
    except BaseException as error:
        with contextlib.suppress(Exception):
            journal.check()
            withdraw(journal.folder)
        if isinstance(error, Exception):
            why = for_people(error, work)
            raise Again(f"The result could not be published: {why.rstrip('.')}.") from error
        raise
    journal.write(upload_status.DONE, **figures)


def found(journal: Journal) -> bool:
    """Returns True if an earlier attempt published everything but the mark that it is done."""
    if not (journal.folder / COMPLETED).is_file():
        return False
    info = artefacts.read_info(journal.folder / INFO, UploadInfo)
    journal.write(upload_status.DONE, metrics=info.metrics, problems=info.problems)
    return True


def _copy(source: Path, target: UPath) -> None:
    if source.is_file():
        with storage.replacing(target) as temporary:
            shutil.copyfile(source, temporary)
    else:
        with storage.replacing_folder(target) as temporary:
            shutil.copytree(source, temporary, dirs_exist_ok=True)


def withdraw(folder: UPath) -> None:
    """Takes away what an attempt half published."""
    for name in (COMPLETED, INFO, *PUBLISHED):
        if (folder / name).is_file():
            (folder / name).unlink()
        else:
            storage.remove(folder / name)


def rejects(output: Path, work: Path, journal: Journal) -> int | None:
    """The labels that could not be used, each with its reason, if it came so far."""
    file = output / "dataset" / REJECTS
    if not file.is_file():
        return None
    text = _without(file.read_text(encoding="utf-8"), work)
    storage.write_text(journal.folder / REJECTS, text)
    return len(text.splitlines())


def for_people(error: Exception, work: Path) -> str:
    """Human-readable error, without traces of the machine it happened on."""
    text = files.why(error).strip() or type(error).__name__
    if isinstance(error, (OSError, ValueError)):
        text = text.split(" [while running")[0]
    elif isinstance(error, MemoryError):
        text = "There was not enough memory. Use smaller images or fewer of them."
    else:
        text = f"{type(error).__name__}: {text.splitlines()[0]}"
    return _without(text, work)[:_LONGEST_ERROR]


def _without(text: str, work: Path) -> str:
    for folder in (work / "unpacked", work):
        text = text.replace(f"{folder.as_posix()}/", "").replace(str(folder), "the zip")
    return text
