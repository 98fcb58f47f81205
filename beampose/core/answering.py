"""Questions to a storage that are answered or raise OSError.

fsspec answers that a file is not there where it was refused, or not answered: work that is finished
would be begun anew.
"""

import logging
from collections.abc import Mapping
from typing import Any

from fsspec import asyn

# Its readers log a traceback of each error that they raise, too; `--debug` shows them.
if not logging.getLogger("beampose").isEnabledFor(logging.DEBUG):
    logging.getLogger("fsspec").setLevel(logging.CRITICAL)
_PAGES = (b"<!doctype html", b"<html", b"<head", b"<?xml")


class Unanswered(OSError):
    """A storage gave no answer, or refused. Nothing is known of the file, which may be sound.

    Whoever notes broken files and goes on must let this through: else an outage of a minute takes
    files out of a result.
    """


class Refused(Unanswered, PermissionError):
    """A storage does not let this account do it."""


def no_bucket(address: str) -> str:
    return f"There is no bucket {address}, or this account may not see it: check its name."


def said(error: Exception) -> str:
    """The words of an error on one line, without a full stop."""
    return " ".join(str(error).split()).rstrip(".")


def page(data: bytes) -> bool:
    """Whether an answer begins as a web page does."""
    return data[:100].lstrip().lower().startswith(_PAGES)


def is_foreign(headers: Mapping[str, str], own: tuple[str, ...]) -> bool:
    """Whether a web page is an answer of something between here and the storage.

    Args:
      own: how names of headers begin that the storage sends with every answer, in lower case; it
        may well keep web pages.
    """
    given = {str(name).lower(): str(value).lower() for name, value in headers.items()}
    return given.get("content-type", "").startswith("text/html") and not any(
        name.startswith(own) for name in given
    )


class Answering(asyn.AsyncFileSystem):
    """What file systems of buckets have in common; stands before the library's class."""

    async def _kind(self, path: str) -> str | None:
        try:
            about: Any = await self._info(path)
        except (FileNotFoundError, NotADirectoryError):
            return None
        return about["type"]

    async def _isfile(self, path: str) -> bool:
        return await self._kind(path) == "file"

    async def _isdir(self, path: str) -> bool:
        return await self._kind(path) == "directory"

    async def _exists(self, path: str, **_: Any) -> bool:
        return await self._kind(path) is not None

    async def _expand_path(
        self, path: Any, recursive: bool = False, maxdepth: int | None = None, **_: Any
    ) -> list[str]:
        """Paths as they are: fsspec takes `cam [1]` for a pattern, also in order to remove it."""
        found: set[str] = set()
        for one in [path] if isinstance(path, str) else path:
            place: Any = self._strip_protocol(one)
            if recursive:
                found |= set(await self._find(place, maxdepth=maxdepth, withdirs=True))
            if place not in found and (not recursive or await self._exists(place)):
                found.add(place)
        if not found:
            raise FileNotFoundError(path)
        return sorted(found)
