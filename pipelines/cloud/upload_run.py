"""An uploaded zip becomes a model: `models/<name>/<generation>/`, with a `status.json` throughout.

Every upload is worked on once, by one handler, in a folder of its own; what it made appears when it
is whole, or not at all.
"""

import contextlib
import dataclasses
import datetime
import hashlib
import logging
import re
import tempfile
import unicodedata
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from upath import UPath

from beampose.core import files, storage, zips
from beampose.core.settings.experiment import Config
from beampose.formats import project_search
from beampose.pipelines.cloud import (
    publish,
    upload_bytes,
    upload_child,
    upload_recipe,
    upload_room,
    upload_status,
)
from beampose.pipelines.cloud.publish import Again, Result, Unread
from beampose.pipelines.cloud.upload_status import Journal, Status

LOG = logging.getLogger(__name__)
INCOMING = "incoming"
MODELS = "models"
_NAME = re.compile(r"(\w[\w .()+-]{0,99})\.zip", re.IGNORECASE)
NAMING = "Use letters, digits, spaces and .()+-_, beginning with a letter or digit"
# The end of a verdict on an upload that was not to blame, where nobody tries it again.
_ONCE_MORE = ", and upload it again."
# How storages without generations name the time of an object.
_TIMES = ("LastModified", "last_modified", "created")
_FIGURES = ("mean_error_px", "median_error_px", "accuracy")


class Upload(NamedTuple):
    """A zip that has landed.

    Attributes:
      name: of the file, without .zip; the model's folder.
      address: path, or gs://bucket/name.
      generation: the object's in a bucket, see `generation_in`; of its content on a disk.
    """

    name: str
    address: str
    generation: str


class Outcome(NamedTuple):
    """The status of an upload, and whether this call worked on it.

    A status that is not final, of an upload not worked on, is that of another handler.
    """

    status: Status
    worked: bool


def train_and_report(config: Config, stage: Callable[[str], Any]) -> Result:
    """Features, training, evaluation and report, as `beampose run` does them."""
    from beampose.trainer.quiet import import_tensorflow

    # Before all that imports it, whose chatter would be printed.
    import_tensorflow()
    from beampose.pipelines.features import feature_job
    from beampose.pipelines.report import evaluation_files, report_page
    from beampose.trainer import evaluation, task

    stage(upload_status.FEATURES)
    upload_room.look_for_features(config)
    summary = feature_job.run(config)
    stage(upload_status.TRAINING)
    metrics = task.run(config, task.default_folders(config))
    stage(upload_status.REPORT)
    evaluation_files.write(evaluation.evaluate(config), config)
    report_page.write(config)
    figures = {key: metrics.test[key] for key in _FIGURES if key in metrics.test}
    note = {"note": metrics.note} if metrics.note else {}
    return Result({**note, "images": metrics.split, "test": figures}, summary.problems)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """Settings for processing uploads.

    Attributes:
      template: an experiment file whose settings hold for all uploads.
      sets: `section.key=value` strings, which hold whatever a zip says.
      limits: of a zip.
      silent_seconds: an attempt without a sign of life for so long is taken over.
      attempts: how many handlers may die of one upload before it has failed.
      hours: that the work on an upload may take.
      owner: names who works here, of whom only one does at a time, such as an execution of a job:
        what it began and died of is its own to continue.
      run: what makes `publish.PUBLISHED` in the config's output; None: `train_and_report`, in a
        process of its own.
    """

    template: str | None = None
    sets: tuple[str, ...] = ()
    limits: zips.Limits = zips.Limits()
    silent_seconds: float = 600.0
    attempts: int = 3
    hours: float = 12.0
    owner: str = ""
    run: Callable[[Config, Callable[[str], Any]], Result] | None = None


def name_of(file: str) -> str | None:
    """The name of an upload from that of its file; None if it is none.

    macOS writes é as two characters: of a zip named with one and one named with two the models
    share a folder, in which their generations tell them apart.
    """
    match = _NAME.fullmatch(unicodedata.normalize("NFC", file))
    return match[1].rstrip(" .") if match else None


def generation_of(file: UPath) -> str:
    """An object's generation, or the first 16 hex digits of the sha256 of a local file."""
    if not storage.is_local(file):
        return generation_in(file.fs.info(file.path))
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()[:16]


def generation_in(about: Mapping[str, Any]) -> str:
    """The generation of an object, of what fsspec says of it, as a part of a path.

    S3 knows none: there its ETag stands for the bytes, and its time for the same ones put there
    once more, which is how a failed upload is tried again.

    Raises:
      ValueError: the storage tells neither.
    """
    if (known := about.get("generation")) is not None:
        return str(known)
    time: Any = next((about[key] for key in _TIMES if about.get(key)), None)
    if time is None:
        raise ValueError(f"{about['name']}: its storage does not tell when it was written.")
    mark = about.get("ETag") or about.get("etag") or about["size"]
    letters = re.sub(r"[^0-9A-Za-z]", "", str(mark))[:32]
    return f"{letters}-{time.astimezone(datetime.timezone.utc):%Y%m%dT%H%M%SZ}"


def process(
    upload: Upload, models: str, settings: Settings, say: Callable[[str], Any] = LOG.info
) -> Outcome:
    """Makes `<models>/<name>/<generation>/` of an upload, unless it is there or being made.

    Args:
      models: folder or address.
      say: takes a human-readable line at each stage.

    Raises:
      Again: something else than the upload is at fault; its status is `interrupted`.
      OSError: the folder of models cannot be read or written.
    """
    folder = storage.place(models, upload.name, upload.generation)
    known = upload_status.read(folder)
    if known and known.final:
        return Outcome(known, worked=False)
    first = Status(
        upload_status.RECEIVED,
        upload.name,
        upload.generation,
        0,
        upload_status.now(),
        upload_status.now(),
        unread=known.unread if known else None,
    )
    if storage.is_local(folder):
        # A disk is soon made room on: no attempt is spent, and the upload waits for it.
        try:
            needed = known.room if known and isinstance(known.room, int) else 0
            _look_for_room(upload, folder, settings, needed)
        except OSError as error:
            raise Again(str(error)) from None
    attempt = upload_status.claim(folder, settings.silent_seconds, settings.owner)
    if attempt is None:
        return Outcome(upload_status.read(folder) or first, worked=False)
    first = dataclasses.replace(first, attempt=attempt)
    try:
        with Journal(folder, first, settings.silent_seconds / 10) as journal:
            _work(upload, settings, journal, say)
            return Outcome(journal.status, worked=True)
    except upload_status.TakenOver:
        return Outcome(upload_status.read(folder) or first, worked=False)


def _work(upload: Upload, settings: Settings, journal: Journal, say: Callable[[str], Any]) -> None:
    """Brings an attempt to its end, whatever that is."""

    def stage(state: str) -> None:
        try:
            journal.write(state)
        except upload_status.TakenOver:
            raise
        except Exception as error:  # Storage fails, not the upload.
            raise Again(f"Its status could not be written: {files.why(error)}.") from error
        say(f"{upload.name} {upload.generation}: {state}")

    try:
        if publish.found(journal):
            return
        if journal.status.attempt - (journal.status.unread or 0) > settings.attempts:
            what = f"{settings.attempts} attempts died or were stopped. Is there enough memory?"
            journal.write(upload_status.FAILED, error=f"{what} Upload the zip again to try again.")
            return
        publish.withdraw(journal.folder)
        with tempfile.TemporaryDirectory(prefix="beampose-") as work:
            _make_and_publish(upload, Path(work).resolve(), settings, journal, stage)
    except upload_status.TakenOver:
        raise
    except BaseException as error:
        why = str(error) if isinstance(error, Again) else "It was stopped and will be resumed."
        room = error.room if isinstance(error, Again) else None
        unread = journal.status.unread
        if isinstance(error, Unread) and not settings.owner:
            # A watch tries every few seconds: an outage of minutes would be a verdict. A job is
            # started again a few times only.
            unread = (unread or 0) + 1
        with contextlib.suppress(Exception):
            journal.write(upload_status.INTERRUPTED, error=why, room=room, unread=unread)
        raise


def _make_and_publish(
    upload: Upload,
    work: Path,
    settings: Settings,
    journal: Journal,
    stage: Callable[[str], Any],
) -> None:
    # The report's title for crops is the name of the output.
    output = work / "result" / upload.name
    try:
        if not storage.is_local(journal.folder):
            try:
                _look_for_room(upload, journal.folder, settings)
            except OSError as error:
                raise ValueError(f"{error}{_ONCE_MORE}") from None
        result = _make(upload, work, output, settings, stage)
    except (Again, upload_status.TakenOver):
        raise
    except Exception as error:  # Whatever a stranger's project may do.
        LOG.debug("%s failed", upload.name, exc_info=True)
        room = upload_room.needed_after(error, work)
        if room and storage.is_local(journal.folder):
            # As before the work: it waits. A job's disk, its memory, is as small the next time.
            why = publish.for_people(error, work).removesuffix(_ONCE_MORE)
            raise Again(why, room) from error
        # A handler that this one replaced may have got so far; one that replaced this one is safe.
        journal.check()
        publish.withdraw(journal.folder)
        problems = publish.rejects(output, work, journal)
        # The rejects stand beside the status then.
        why = publish.for_people(error, work).replace(f"result/{upload.name}/dataset/", "")
        if room and not why.endswith(_ONCE_MORE):
            why = why.rstrip(".") + _ONCE_MORE
        journal.write(upload_status.FAILED, error=why, problems=problems)
        return
    publish.result(output, work, journal, result)


def _look_for_room(upload: Upload, folder: UPath, settings: Settings, needed: int = 0) -> None:
    """Raises OSError if there is none for an upload that may be taken at all."""
    try:
        packed = storage.place(upload.address).stat().st_size
    except Exception:  # Which is told when it is fetched.
        packed = 0
    if packed <= settings.limits.bytes:
        upload_room.look(folder, packed, needed)


def _make(
    upload: Upload, work: Path, output: Path, settings: Settings, stage: Callable[[str], Any]
) -> Result:
    """Runs the experiment of an upload into `output`."""
    archive = work / "upload.zip"
    fetch(upload, archive, settings.limits.bytes)
    stage(upload_status.UNPACKING)
    try:
        zips.unpack(archive, work / "unpacked", settings.limits)
        project = project_search.find_project(work / "unpacked")
    except ValueError as error:
        raise ValueError(f"{upload.name}.zip {error}") from error
    archive.unlink()
    config = upload_recipe.write(work, project, output, settings.template, settings.sets)
    if settings.run is None:
        return upload_child.run(config, stage, seconds=3600 * settings.hours)
    return settings.run(config, stage)


def fetch(upload: Upload, target: Path, most_bytes: int) -> None:
    """Copies exactly the generation of an upload.

    Raises:
      ValueError: it is too large, or in the bucket no more.
      Unread: it cannot be read now, or not wholly.
      Again: it changed while it was read.
    """
    source = storage.place(upload.address)
    local = storage.is_local(source)
    try:
        about: Any = {} if local else source.fs.info(source.path)
        size = source.stat().st_size if local else about["size"]
        found = ""
        if size <= most_bytes:
            storage.download(source, target)
            if not local and not upload_bytes.are_whole(target, about):
                # Half an answer would make a broken zip of it, for good.
                raise OSError("what came is not what is in the bucket")
            # Generations only grow: what is in the bucket now is what was read, or newer.
            found = generation_of(storage.place(target) if local else source)
    except FileNotFoundError:
        found, size = "", 0
    except Exception as error:  # ValueError, too: a web page stood for what storage says of it.
        why = publish.for_people(error, target.parent)
        raise Unread(f"{upload.name}.zip could not be read: {why}") from error
    if size > most_bytes:
        raise ValueError(f"{upload.name}.zip is {size:,} bytes long, above {most_bytes:,}.")
    if found != upload.generation:
        what = f"{upload.name}.zip was deleted or replaced before it was read."
        raise Again(what) if local else ValueError(what)
