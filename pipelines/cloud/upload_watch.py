"""Looks at a folder or bucket for zips that have landed, and works on each in turn."""

import logging
import time
import zipfile
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from upath import UPath

from beampose.core import files, storage
from beampose.pipelines import causes
from beampose.pipelines.cloud import upload_run, upload_status

LOG = logging.getLogger(__name__)


_UNFINISHED = (".part", ".partial", ".crdownload", ".download", ".filepart", ".tmp", ".ini", "~")


class Seen(NamedTuple):
    """Fingerprint of a zip at one time: equal for equal bytes, different while the file grows."""

    size: int
    changed: str


class Watch:
    """Works on the zips of `<folder>/incoming/`, on a disk or in a bucket.

    Args:
      folder: where `incoming/` is.
      models: where results go; None means `<folder>/models`.
      say: takes human-readable lines.
    """

    def __init__(
        self,
        folder: str,
        models: str | None,
        settings: upload_run.Settings,
        say: Callable[[str], object] = print,
    ):
        root = storage.place(folder)
        self.zips = root / upload_run.INCOMING
        self.models = models or str(root / upload_run.MODELS)
        self.settings, self.say = settings, say
        # What was handled, and what may still be growing, by name.
        self._handled: dict[str, Seen] = {}
        self._growing: dict[str, Seen] = {}
        # Why one is tried again and again.
        self._waits: dict[str, str] = {}
        if storage.is_local(root):
            if not root.is_dir():
                raise FileNotFoundError(
                    f"No folder {folder}. Make it, then drop zips in incoming/."
                )
            self.zips.mkdir(exist_ok=True)
            if beside := sorted(one.name for one in root.glob("*.zip")):
                what = f"{', '.join(beside[:3])} in {folder}, not in its {upload_run.INCOMING}/"
                self.say(f"NOTE not taken: {what}: move what is an upload there")
        elif root.protocol in ("gs", "gcs", "s3", "s3a"):
            _require_bucket(root)

    def look(self) -> Iterator[bool]:
        """Works on what is new. Gives, for each zip, whether there is a model of it now.

        Raises:
          OSError, ValueError: the folder cannot be listed.
        """
        for file in self._files():
            try:
                seen = _seen(file)
            except Exception as error:  # Of one that has its verdict nothing else is expected.
                if file.name not in self._handled:
                    self._say_failed(file, error)
                    yield False
                continue
            if seen is None or self._handled.get(file.name) == seen:
                continue
            if not self._has_arrived(file, seen):
                continue
            finished, good = self._handle(file)
            if finished:
                self._handled[file.name] = seen
            yield good

    @property
    def waiting(self) -> list[str]:
        """Zips that were seen and may still be growing."""
        return sorted(self._growing)

    def _files(self) -> list[UPath]:
        found = [self.zips / name for name in storage.names(self.zips)]
        seen = sorted((file for file in found if not file.name.startswith(".")), key=str)
        zips = []
        for file in seen:
            what = files.special(str(file))
            if file.name.lower().endswith(".zip") and not what:
                zips.append(file)
            # Browsers and programs that copy write under such a name first.
            elif not file.name.lower().endswith(_UNFINISHED):
                rule = "an upload is a zip in incoming/ itself, in no folder of it"
                why = f"it {what}" if what else rule
                self._say_once(file.name, f"NOTE {file.name} is not taken: {why}")
        return zips

    def _has_arrived(self, file: UPath, seen: Seen) -> bool:
        """An object is there at once; a file is whole if it ends like a zip or grows no more."""
        if not storage.is_local(file) or zipfile.is_zipfile(str(file)):
            self._growing.pop(file.name, None)
            return True
        before = self._growing.pop(file.name, None)
        if before == seen:
            return True
        self._growing[file.name] = seen
        return False

    def _handle(self, file: UPath) -> tuple[bool, bool]:
        """Handles a zip; returns whether it is finished, and whether there is a model of it."""
        name = upload_run.name_of(file.name)
        if name is None:
            self.say(f"FAILED {file.name}: cannot name a model. {upload_run.NAMING}")
            return True, False
        try:
            generation = upload_run.generation_of(file)
            upload = upload_run.Upload(name, str(file), generation)
            outcome = upload_run.process(upload, self.models, self.settings, self.say)
        except Exception as error:  # One that fails must not keep the others waiting.
            self._say_failed(file, error)
            return False, False
        self._waits.pop(file.name, None)
        self.say(line(outcome))
        return outcome.status.final, outcome.status.state == upload_status.DONE

    def _say_failed(self, file: UPath, error: Exception) -> None:
        LOG.debug("%s failed", file, exc_info=error)
        name = upload_run.name_of(file.name) or file.name
        self._say_once(file.name, f"FAILED {name}: {causes.to_be_tried_again(error)}")

    def _say_once(self, name: str, text: str) -> None:
        """Says why a zip has to wait, and not each time that it is tried."""
        if self._waits.get(name) != text:
            self._waits[name] = text
            self.say(text)


def line(outcome: upload_run.Outcome) -> str:
    """Describes an outcome in a human-readable line."""
    found = outcome.status
    place = f"{found.upload} {found.generation}"
    if found.state == upload_status.FAILED:
        before = "" if outcome.worked else " (before)"
        return f"FAILED{before} {place}: {found.error}"
    if not found.final:
        return f"{place}: another process works on it ({found.state})"
    return f"{place}: {'done' if outcome.worked else 'skipped: its model exists'}"


def _require_bucket(root: UPath) -> None:
    """Raises FileNotFoundError if there is no such bucket, in which no zip would ever land."""
    name = root.path.strip("/").partition("/")[0]
    system: Any = root.fs
    try:
        if root.protocol in ("gs", "gcs"):
            system.require_bucket(name)
        else:
            system.info(name)
    except FileNotFoundError:
        raise FileNotFoundError(
            f"There is no bucket {root.protocol}://{name}, or this account may not see it: check "
            "its name."
        ) from None


def once(watch: Watch, every: float) -> int:
    """Handles what is there. 1 if a zip has no model now."""
    good = list(watch.look())
    if watch.waiting:
        # Another look tells a file that grows from one that is broken.
        time.sleep(every)
        good += watch.look()
    for name in watch.waiting:
        watch.say(f"{name}: is still being written")
    return 0 if all(good) and not watch.waiting else 1


def forever(watch: Watch, every: float) -> None:
    """Handles what comes until it is interrupted. An outage of the storage is said and outlived."""
    lost = False
    while True:
        try:
            for _ in watch.look():
                pass
        except Exception as error:  # It runs for weeks, and libraries have errors of their own.
            LOG.debug("%s cannot be listed", watch.zips, exc_info=True)
            if not lost:
                watch.say(f"NOTE {watch.zips} cannot be listed: {causes.to_be_tried_again(error)}")
            lost = True
        else:
            if lost:
                watch.say(f"NOTE {watch.zips} can be listed again.")
            lost = False
        time.sleep(every)


def _seen(file: UPath) -> Seen | None:
    """Fingerprint of a zip now; None if it has disappeared."""
    try:
        if storage.is_local(file):
            found = file.stat()
            return Seen(found.st_size, str(found.st_mtime_ns))
        about = file.fs.info(file.path)
        if about["type"] == "directory":
            return None
        return Seen(about["size"], upload_run.generation_in(about))
    except FileNotFoundError:
        return None
