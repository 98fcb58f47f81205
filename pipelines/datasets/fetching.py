"""Fetches a public set: each file once, checked by its digest; what is there already stays."""

import concurrent.futures
import dataclasses
import hashlib
import http.client
import os
import time
import urllib.error
import urllib.request
from pathlib import Path

from beampose.core import storage
from beampose.pipelines.datasets.public_sets import PublicSet, Published

# Below it copies lie as `NAME/path`: behind a firewall, and in tests.
MIRROR = "BEAMPOSE_DATASETS_URL"
AT_ONCE = 8
TRIES = 3
SECONDS = 60


@dataclasses.dataclass(frozen=True)
class Fetched:
    """What came of it.

    Attributes:
      fetched, kept: files that were fetched, and that were there.
      failures: path and reason of each that is not there.
    """

    fetched: int
    kept: int
    failures: list[tuple[str, str]]


def fetch(one: PublicSet, folder: Path) -> Fetched:
    """Fetches what a folder lacks of a set. Run again, it goes on.

    Raises:
      ValueError: the set is only linked.
    """
    files = one.files()
    if not files:
        raise ValueError(f"{one.name} is not fetched, only linked: {one.page}. {one.note}.")
    missing = [file for file in files if not _is(folder / file.path, file)]
    failures = []
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as threads:
        reasons = threads.map(lambda file: _get(one, file, folder), missing)
        for file, why in zip(missing, reasons, strict=True):
            if why:
                failures.append((file.path, why))
    return Fetched(len(missing) - len(failures), len(files) - len(missing), failures)


def _is(path: Path, file: Published) -> bool:
    if not path.is_file() or path.stat().st_size != file.bytes:
        return False
    return hashlib.sha256(path.read_bytes()).hexdigest() == file.sha256


def _get(one: PublicSet, file: Published, folder: Path) -> str:
    """Fetches a file; gives the reason if it cannot be had."""
    url = one.url(file, os.environ.get(MIRROR))
    if not url.startswith(("https://", "http://")):
        return f"{MIRROR} must begin with https:// or http://."
    why = ""
    for again in range(TRIES):
        if again:
            time.sleep(2**again / 2)
        try:
            with urllib.request.urlopen(url, timeout=SECONDS) as answer:  # noqa: S310
                data = answer.read(file.bytes + 1)
        except urllib.error.HTTPError as error:
            error.close()
            why = f"{url}: {error.code} {error.reason}"
            if error.code < 500:
                return why
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", None) or error
            why = f"{url} cannot be reached ({reason}). Behind a firewall, set {MIRROR} to a mirror"
        else:
            return _keep(data, file, folder, url)
    return why


def _keep(data: bytes, file: Published, folder: Path, url: str) -> str:
    if len(data) < file.bytes:
        return f"{url} ended after {len(data)} of {file.bytes} bytes"
    if len(data) > file.bytes or hashlib.sha256(data).hexdigest() != file.sha256:
        return f"{url} is not the file that figures were measured on: its digest differs"
    try:
        storage.write_bytes(folder / file.path, data)
    except OSError as error:
        return f"{folder / file.path}: {error.strerror or error}"
    return ""
