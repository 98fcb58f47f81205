"""Paths that lead nowhere: what may be meant instead, in words."""

import difflib
import os
import re
import unicodedata
from pathlib import Path

_VARIABLE = re.compile(r"\$\w+|\$\{\w+\}|%\w+%")
_WINDOWS = re.compile(r"(?:^|/)([A-Za-z]:[\\/]|\\\\)")


def meant(path: str) -> str:
    """Says what is wrong with a path of this machine that is not there; "" if that is not known.

    Variables are not replaced: what a file means would depend on who reads it.
    """
    if "://" in path:
        return ""
    if variable := _VARIABLE.search(path):
        return (
            f"Variables such as {variable[0]} are not replaced in paths: write what it stands for"
        )
    if os.name != "nt" and (found := _WINDOWS.search(path)):
        return f"{path[found.start(1) :]} is a path of Windows: write where it is on this machine"
    try:
        return "" if os.path.lexists(path) else _beside(Path(path))
    except (OSError, ValueError):
        return ""


def _beside(lost: Path) -> str:
    """The name that is most like the first part of the path that is not there."""
    while not lost.parent.exists():
        if lost.parent == lost:
            return ""
        lost = lost.parent
    there = sorted(os.listdir(lost.parent))
    for name in there:
        if _folded(name) == _folded(lost.name):
            what = "whose name differs in upper and lower case, or in how accents are composed"
            return f"There is {lost.parent / name}, {what}"
    alike = difflib.get_close_matches(lost.name, there, n=1, cutoff=0.75)
    return f"There is {lost.parent / alike[0]}, which may be meant" if alike else ""


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()
