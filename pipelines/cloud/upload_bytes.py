"""A copy of an upload, compared with what its bucket says of the object."""

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def are_whole(copy: Path, about: Mapping[str, Any]) -> bool:
    """Whether a copy has the size of an object, and its checksum where the storage tells one.

    Args:
      about: the object, as fsspec tells of it.
    """
    if about.get("contentEncoding"):
        return True  # Cloud Storage unpacks it on the way, and tells the size of what it stores.
    if copy.stat().st_size != about["size"]:
        return False
    told = about.get("crc32c")
    return told is None or _crc32c(copy) in (None, told)


def _crc32c(file: Path) -> str | None:
    """The checksum of Cloud Storage; None without the package, which comes with Google's client."""
    try:
        import google_crc32c
    except ImportError:
        return None
    found = google_crc32c.Checksum()
    with file.open("rb") as stream:
        while block := stream.read(1 << 20):
            found.update(block)
    return base64.b64encode(found.digest()).decode()
