"""Paths in records of rejects: as they are below the source, wherever that lies on this machine."""

from collections.abc import Sequence
from typing import Any

from beampose.core import files


def roots(*sources: str | None) -> list[str]:
    """Folders that paths count from: sources, and those that the files among them lie in."""
    found = [one.rstrip("/") for one in sources if one]
    folders = [one if files.is_folder(one) else files.parent(one) for one in found]
    # Of a source inside another one the inner counts.
    return sorted({one for one in folders if one not in ("", "/")}, key=len, reverse=True)


def relative(record: dict[str, Any], within: Sequence[str]) -> dict[str, Any]:
    """A record whose file, image and words name what is below some folders without them."""
    changed = {}
    for key in ("file", "image", "what"):
        text = str(record[key])
        for root in within:
            if key != "what" and text == root:
                text = "."
            text = text.replace(f"{root}/", "")
        changed[key] = text
    return {**record, **changed}
