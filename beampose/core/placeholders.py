"""Placeholders: what cloud drives, version control and browsers leave where a file is not whole.

Also links that lead to none, and what is no file though it has the name of one.
"""

import errno
import os
import stat
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


def special(path: str) -> str:
    """Says so if a path of this machine is there, and is neither a file nor a folder; else ""."""
    try:
        kind = os.stat(path).st_mode
    except (OSError, ValueError):
        return ""
    return "" if stat.S_ISREG(kind) or stat.S_ISDIR(kind) else "is a pipe or a device, and no file"


def link(path: str) -> str:
    """Says where a missing file of this machine leads, if it is a link."""
    if (broken := _broken(path)) is None:
        return ""
    target, error, fetched = broken
    if error.errno == errno.ELOOP:
        return f"It is a link to {target}, and links lead in a circle from there"
    if isinstance(error, PermissionError):
        return f"It is a link to {target}, which cannot be opened: {error.strerror}"
    return f"It is a link to {target}, which is not there{fetched}"


def lost_link(path: str) -> str:
    """Why a link of this machine, or what it leads to, is no file to be read; "" if it is one."""
    if (broken := _broken(path)) is None:
        return special(path)
    target, error, fetched = broken
    if isinstance(error, PermissionError):
        return f"is a link to {target}, which cannot be opened: {error.strerror}"
    return f"is a link that leads nowhere, to {target}{fetched}"


def _broken(path: str) -> tuple[str, OSError, str] | None:
    """Of a link that cannot be followed: where it leads, why not, and what fetches that."""
    if not os.path.islink(path):
        return None
    target = os.readlink(path)
    try:
        os.stat(path)
    except OSError as error:
        return target, error, f": {_ANNEX_GETS}" if _ANNEX in target else ""
    return None


def beside(path: str) -> str:
    """As `among`, of a file of this machine by its folder; also of a link that leads nowhere, and
    of what is no file."""
    if led := link(path):
        return led
    if what := special(path):
        return f"It {what}"
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
