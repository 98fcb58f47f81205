"""Files of Cloud Storage as gcsfs reads them; what it cannot ask for is an error, not a no."""

import logging
import os
import re
from typing import Any
from urllib.parse import unquote

from beampose.core import (
    buckets,  # noqa: F401  Before gcsfs, which reads what it sets.
    sign_in,
)
from beampose.core.answering import Answering

# isort: split
import gcsfs
from fsspec import asyn
from google.auth import exceptions

# It logs a traceback of each error that it raises, too.
if "GCSFS_DEBUG" not in os.environ:
    logging.getLogger("gcsfs").setLevel(logging.CRITICAL)
_PUBLIC = "FSSPEC_GS_TOKEN=anon reads buckets that are open to all."
_FORBIDDEN = "Forbidden"
# What servers answer that are down or have too much to do; gcsfs has tried several times by then.
_DOWN = (408, 429, *range(500, 505))


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

    async def _call(self, method: str, path: str, *words: Any, **options: Any) -> Any:
        try:
            return await super()._call(method, path, *words, **options)
        except Exception as error:
            place = _address(path, words)
            if what := sentence(error):
                raise OSError(f"{place}: {what}") from error
            # Gcsfs knows by this word that another question may be answered.
            if isinstance(error, OSError) and str(error).startswith(_FORBIDDEN):
                said = " ".join(str(error).partition("\n")[2].split())
                raise PermissionError(f"{_FORBIDDEN}: {place}: {said}") from error
            raise

    async def _get_file(self, rpath: str, lpath: str, *words: Any, **options: Any) -> None:
        try:
            await super()._get_file(rpath, lpath, *words, **options)
        except Exception as error:
            if what := sentence(error):
                raise OSError(f"gs://{rpath}: {what}") from error
            raise

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
    if module.startswith("google.auth") or code == "401":
        return (
            f"Google refuses the credentials of this machine: {text}. Sign in again with "
            f"`{sign_in.COMMAND}`"
        )
    if "requester pays" in text:
        return (
            "whoever reads this bucket pays for it: name the project that shall, in the variable "
            "FSSPEC_GS_REQUESTER_PAYS, or copy the files into a bucket of yours"
        )
    if module.startswith(("requests.", "aiohttp.")) or (code.isdecimal() and int(code) in _DOWN):
        return f"Cloud Storage gave no answer but {text}: try it again later"
    return ""


def _address(path: str, words: tuple[Any, ...]) -> str:
    """The file, or the bucket, that a call is about; some are asked for by their whole address."""
    if path.startswith("b/{}"):
        return f"gs://{'/'.join(str(word) for word in words[:2])}"
    match = re.search(r"\bb/([^/?]+)(?:/o/([^?]*))?", path)
    return f"gs://{'/'.join(unquote(one) for one in match.groups('') if one)}" if match else path
