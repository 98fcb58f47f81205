"""Placeholders: what cloud drives, version control and browsers leave where a file is not whole."""

import os
from collections.abc import Iterable

from beampose.core import lost_paths

_DRIVE = "a cloud drive has not downloaded it: choose it there and make it available offline"
_BROWSER = "its download has not ended: download it again"
# In what its links lead to.
_ANNEX, _ANNEX_GETS = "annex/objects", "`git annex get` fetches it"
# What stands before and behind the name of the file, and why it is not there.
_NAMES = (
    (".", ".icloud", "iCloud has not downloaded it: Download Now in Finder fetches it"),
    ("", ".nextcloud", _DRIVE),
    ("", ".owncloud", _DRIVE),
    ("", ".dvc", "DVC has not fetched it: `dvc pull` does"),
    ("", ".crdownload", _BROWSER),
    ("", ".part", _BROWSER),
    ("", ".partial", _BROWSER),
    ("", ".download", _BROWSER),
)


def stands_for(name: str) -> tuple[str, str]:
    """The name of the file that a placeholder of this name stands for, and why; "" if none."""
    for before, behind, why in _NAMES:
        inner = name.removeprefix(before).removesuffix(behind)
        if name == before + inner + behind and inner:
            return inner, why
    return "", ""


def among(names: Iterable[str], wanted: str) -> str:
    """Says which of the names beside a missing file stands for it, and how to fetch it."""
    for name in names:
        inner, why = stands_for(name)
        if inner and inner == wanted:
            return f"There is only its placeholder {name}: {why}"
    return ""


def link(path: str) -> str:
    """Says where a missing file of this machine leads, if it is a link."""
    if not os.path.islink(path):
        return ""
    target = os.readlink(path)
    annex = f": {_ANNEX_GETS}" if _ANNEX in target else ""
    return f"It is a link to {target}, which is not there{annex}"


def lost_link(path: str) -> str:
    """Why a file of this machine cannot be had that is a link; "" of what is none, or leads on."""
    if not os.path.islink(path):
        return ""
    target = os.readlink(path)
    try:
        os.stat(path)
    except PermissionError as error:
        return f"is a link to {target}, which cannot be opened: {error.strerror}"
    except OSError:
        fetched = f": {_ANNEX_GETS}" if _ANNEX in target else ""
        return f"is a link that leads nowhere, to {target}{fetched}"
    return ""


def beside(path: str) -> str:
    """As `among`, of a file of this machine by its folder; also of a link that leads nowhere."""
    if led := link(path):
        return led
    try:
        names = sorted(os.listdir(os.path.dirname(path) or "."))
    except (OSError, ValueError):
        return ""
    return among(names, os.path.basename(path))


def missing(what: str, path: object, more: str = "") -> FileNotFoundError:
    """The error of a file that is not there: `what` it should be, and what is in its place."""
    instead = beside(str(path)) or lost_paths.meant(str(path))
    said = [f"No {what} {path}.", *[f"{one}." for one in (instead, more) if one]]
    return FileNotFoundError(" ".join(said))
