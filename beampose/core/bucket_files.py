"""Files of Cloud Storage as gcsfs reads them; what it cannot ask for is an error, not a no."""

import asyncio
import inspect
import json
import logging
import os
import random
import re
import time
from collections.abc import Mapping
from typing import Any

from beampose.core import (
    bucket_calls,
    buckets,  # noqa: F401  Before gcsfs, which reads what it sets.
    sign_in,
)
from beampose.core.answering import Answering, Refused, Unanswered, is_foreign, no_bucket, page
from beampose.core.bucket_calls import Call

# isort: split
import gcsfs
from fsspec import asyn
from gcsfs import retry
from google.auth import exceptions

LOG = logging.getLogger(__name__)
# It logs a traceback of each error that it raises, too.
if "GCSFS_DEBUG" not in os.environ:
    logging.getLogger("gcsfs").setLevel(logging.CRITICAL)
_PUBLIC = "FSSPEC_GS_TOKEN=anon reads buckets that are open to all."
_FORBIDDEN = "Forbidden"
# What servers answer that are down or have too much to do; it was asked several times by then.
_DOWN = (408, 429, *range(500, 505))
_END = 416
_TRIES = 6
# Seconds between the first two; later ones are twice as long each time.
_WAIT = 1.0
# Once more, as the credentials may have been renewed meanwhile.
_TRIES_REFUSED = 2
# Seconds between two waits of which is told.
_TELL_AGAIN = 60.0
# Headers that it sends with each answer.
_OWN = ("x-goog", "x-guploader")
_ROLE = "give this account the role roles/storage.objectUser on the bucket, see docs/cloud.md"
_LOGIN = "does this network need a login?"


class Bucket(Answering, gcsfs.GCSFileSystem):
    """gcsfs, with questions that are answered or raise OSError."""

    def __init__(self, *words: Any, **options: Any):
        try:
            super().__init__(*words, **options)
        except exceptions.GoogleAuthError as error:
            raise OSError(sign_in.without(error, _PUBLIC)) from error

    def split_path(self, path: str) -> Any:
        """Bucket, name and no generation: gcsfs takes the number of `cam #1` for one."""
        return self._split_path(path)

    def _open(self, path: str, *words: Any, **options: Any) -> Any:
        """A file that asks for bytes when they are read: what fetches more in the background waits
        for ever for those that an answer did not bring."""
        options["cache_type"] = options.get("cache_type") or "readahead"
        return super()._open(path, *words, **options)

    async def _request(self, method: str, path: str, *words: Any, **options: Any) -> Any:
        # Without gcsfs's tries around it, which would be six also where credentials are refused.
        request: Any = inspect.unwrap(super()._request)
        for trial in range(1, _TRIES + 1):
            try:
                return await request(self, method, path, *words, **options)
            except Exception as error:
                tries = _TRIES_REFUSED if _is_refused(error) else _TRIES
                if trial >= tries or not retry.is_retriable(error):
                    raise
                if trial > 1:
                    _tell_waiting(bucket_calls.of(method, path, words, options), error)
            # Many programs that wait do not ask again in the same moment.
            await asyncio.sleep(_WAIT * (random.random() + 2 ** (trial - 1)))  # noqa: S311

    async def _call(self, method: str, path: str, *words: Any, **options: Any) -> Any:
        try:
            answer: Any = await super()._call(method, path, *words, **options)
        except Exception as error:
            meant = _meant(error, bucket_calls.of(method, path, words, options))
            if meant is None:
                raise
            raise meant from error
        if options.get("json_out") or options.get("info_out"):
            return answer
        headers, content = answer
        if what := _wrong(headers, content, options):
            call = bucket_calls.of(method, path, words, options)
            raise Unanswered(f"{call.address}: {what}")
        return answer

    async def _cat_file(
        self, path: str, start: int | None = None, end: int | None = None, **options: Any
    ) -> Any:
        try:
            return await super()._cat_file(path, start=start, end=end, **options)
        except retry.HttpError as error:
            # What begins behind the end of a file is nothing, as on a disk.
            if str(error.code) == str(_END):
                return b""
            raise

    async def _get_file(self, rpath: str, lpath: str, *words: Any, **options: Any) -> None:
        try:
            await super()._get_file(rpath, lpath, *words, **options)
        except Exception as error:
            bucket, name, _ = self.split_path(rpath)
            meant = _meant(error, bucket_calls.of("GET", "b/{}/o/{}", (bucket, name), {}))
            if meant is None:
                raise
            raise meant from error

    async def _get_file_request(self, rpath: str, *words: Any, **options: Any) -> Any:
        found: Any = await super()._get_file_request(rpath, *words, **options)
        if is_foreign(found[1], _OWN):
            raise Unanswered(f"gs://{rpath}: {_no_answer('a web page')}")
        return found

    async def _require_bucket(self, bucket: str) -> None:
        """Raises FileNotFoundError if there is no such bucket: one request, however full it is."""
        await self._call("GET", "b/{}/o", bucket, maxResults=1, json_out=True)

    require_bucket = asyn.sync_wrapper(_require_bucket)

    async def _remove_unchanged(self, path: str, seen: str) -> None:
        bucket, name, _ = self.split_path(path)
        await self._call("DELETE", "b/{}/o/{}", bucket, name, ifGenerationMatch=seen)

    remove_unchanged = asyn.sync_wrapper(_remove_unchanged)


def sentence(error: Exception) -> str:
    """Says what a library of Google's means by an error that is none of the system's; "" of others.

    Of what a file's own owner refuses, gcsfs itself raises OSError.
    """
    text = (str(error) or type(error).__name__).strip().splitlines()[0][:200].rstrip(".")
    code, module = str(getattr(error, "code", None)), type(error).__module__
    if _is_refused(error):
        return (
            f"Google refuses the credentials of this machine: {text}. Sign in again with "
            f"`{sign_in.COMMAND}`"
        )
    if "requester pays" in text:
        return (
            "whoever reads this bucket pays for it: name the project that shall, in the variable "
            "FSSPEC_GS_REQUESTER_PAYS, or copy the files into a bucket of yours"
        )
    if isinstance(error, json.JSONDecodeError):
        start = error.doc.encode(errors="replace")
        odd = "a web page" if page(start) else "something that cannot be read"
        return _no_answer(odd if start.strip() else "nothing")
    if isinstance(error, UnicodeDecodeError):
        return _no_answer("something that cannot be read")
    late = isinstance(error, (asyncio.TimeoutError, TimeoutError, ConnectionError))
    down = code.isdecimal() and int(code) in _DOWN
    if late or down or module.startswith(("requests.", "aiohttp.")):
        return f"Cloud Storage gave no answer but {text}: try it again later"
    return ""


def _is_refused(error: Exception) -> bool:
    """Whether it is the credentials that are not taken."""
    of_auth = type(error).__module__.startswith("google.auth")
    return of_auth or str(getattr(error, "code", None)) == "401"


def _meant(error: Exception, call: Call) -> Exception | None:
    """The error to raise instead, which names the file and says what to do; None: this one."""
    of_disk = isinstance(error, OSError) and error.errno is not None
    if of_disk or isinstance(error, Unanswered) or isinstance(error.__cause__, FileNotFoundError):
        return None
    if isinstance(error, FileNotFoundError):
        return _missing(call)
    if isinstance(error, FileExistsError):
        what = "was changed by another program meanwhile: run it again"
        return FileExistsError(f"{call.address} {what}")
    if what := sentence(error):
        return Unanswered(f"{call.address}: {what}")
    # Gcsfs knows by this word that another question may be answered.
    if isinstance(error, OSError) and str(error).startswith(_FORBIDDEN):
        said = " ".join(str(error).partition("\n")[2].split()).rstrip(".")
        what = f"it may not be {call.doing}: {_ROLE}"
        return Refused(f"{_FORBIDDEN}: {call.address}: {said + '; ' if said else ''}{what}")
    return None


def _missing(call: Call) -> FileNotFoundError:
    if call.bucket and not call.of_object:
        return FileNotFoundError(no_bucket(f"gs://{call.bucket}"))
    return FileNotFoundError(f"{call.address} is not there, or not any more")


def _wrong(headers: Mapping[str, str], content: bytes, options: Mapping[str, Any]) -> str:
    """Says that an answer is none of Cloud Storage's, or brings other bytes than it was asked for;
    "" if it is as it should be."""
    if is_foreign(headers, _OWN):
        return _no_answer("a web page")
    if options.get("uploadType") == "resumable" and "Location" not in headers:
        return _no_answer("something that cannot be read")
    asked = re.fullmatch(r"bytes=(\d+)-(\d+)", (options.get("headers") or {}).get("Range", ""))
    if asked is None:
        return ""
    first, last = int(asked[1]), int(asked[2])
    total = headers.get("Content-Range", "").rpartition("/")[2]
    end = min(last + 1, int(total)) if total.isdecimal() else last + 1
    if len(content) == max(end - first, 0):
        return ""
    return (
        f"Cloud Storage answered with {len(content)} bytes where {end - first} were asked for, "
        f"from byte {first} on: try it again later"
    )


def _no_answer(what: str) -> str:
    return f"Cloud Storage answered with {what}: {_LOGIN}"


_told = -_TELL_AGAIN


def _tell_waiting(call: Call, error: Exception) -> None:
    """Says once in a while what a program waits for."""
    global _told
    now = time.monotonic()
    if now - _told < _TELL_AGAIN:
        return
    _told = now
    what = sentence(error).removesuffix(": try it again later")
    LOG.warning("NOTE %s: %s. It is tried again for half a minute.", call.address, what)
