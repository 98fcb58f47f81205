"""Files that labels name by paths of whatever machine, found where they are now.

Labels travel without their folders: a path says which file is meant by its last parts, so that
`day1/trial.mp4` and `day2/trial.mp4` stay two. The name alone decides where nothing else is there,
and never for two.
"""

import functools
import re
import unicodedata
from collections import defaultdict
from collections.abc import Container, Iterable, Mapping, Sequence
from pathlib import Path, PureWindowsPath
from typing import NamedTuple
from urllib.parse import unquote

from beampose.core import files

# What follows the name of a server in an address of Label Studio's, which may be left out.
_ASKS = re.compile(r"/[\w/-]*\?d=")
# More parts than a path has: the file is where its whole path says.
_EXACT = 1 << 16


class Found(NamedTuple):
    """Result of a search.

    Attributes:
      path: of the file; None if it was not found.
      why: why not, human-readable.
      taken: whether a file is there that is, or may be, the one of another path.
    """

    path: str | None
    why: str = ""
    taken: bool = False


class _Hit(NamedTuple):
    path: str
    agreed: int


def locate(
    told: Iterable[str],
    folders: Sequence[str],
    suffixes: Container[str],
    *,
    anywhere: bool = False,
    own: str = "",
    holders: Container[str] = (),
) -> dict[str, Found]:
    """Files by the paths that labels tell.

    The more of its last parts a path has in common with a file below one of the folders, the sooner
    it is that one; of as many parts the first folder counts. A file never serves two paths: the one
    that agrees in more parts keeps it.

    Args:
      told: paths of any system, absolute or not, or addresses.
      folders: searched in this order.
      suffixes: lower case, of the files that may be found.
      anywhere: an absolute path to a file that is there is taken as it is, and the folders above
        the first one are searched, too: for what a path has below a folder of the same name, or for
        the whole of a relative path. Only where whoever starts the search may read what the labels
        name.
      own: the file of the labels, which is not what they miss.
      holders: suffixes among these of files that may be labels, too: they are not what is missing
        where a path of another suffix is.
    """
    wanted = list(dict.fromkeys(told))
    look = _Look()
    hits = {one: _search(one, folders, suffixes, look, anywhere) for one in wanted}
    users: dict[str, list[str]] = defaultdict(list)
    for one, hit in hits.items():
        if hit is not None:
            users[look.identity(hit.path)].append(one)
    found: dict[str, Found] = {}
    for one, hit in hits.items():
        if hit is None:
            near = _near(one, folders, suffixes, look, (own, holders))
            found[one] = Found(None, _tried(one, folders) + near)
            continue
        rivals = [other for other in users[look.identity(hit.path)] if not _same(other, one)]
        stronger = [other for other in rivals if _agreed(hits[other]) >= hit.agreed]
        why = _taken(hit, stronger, hits) if stronger else ""
        found[one] = Found(None, why, taken=True) if stronger else Found(hit.path)
    return found


def parts(told: str, suffixes: Container[str]) -> list[str]:
    """The parts of a path that may be found below a folder; none if it names no file.

    Of an address whose query holds the path, as Label Studio's `?d=images/1.png`, those too.

    Args:
      suffixes: lower case; where the path in an address ends.
    """
    asks = files.is_address(told) or _ASKS.match(told)
    text = re.sub(r"[?&#=]", "/", unquote(told)) if asks else told
    found = [part for part in text.replace("\\", "/").split("/") if part not in ("", ".")]
    while found and asks and files.suffix(found[-1]) not in suffixes:
        found.pop()
    # What leads out of a folder, or to a drive, says nothing of where the file is now.
    outer = [i for i, part in enumerate(found) if part == ".." or re.fullmatch("[A-Za-z]:", part)]
    # The name of a place inside a file is none of a file.
    wrong = "\0" in told or files.names_inside(told)
    return [] if wrong else found[outer[-1] + 1 if outer else 0 :]


class _Look:
    """What is there; a folder of a bucket is listed once."""

    def __init__(self):
        self._listed = functools.cache(self._names)
        self.alike = functools.cache(self._alike)
        self.above = functools.cache(_outer)

    def is_file(self, folder: str, own: Sequence[str]) -> bool:
        path = files.join(folder, *own)
        if not files.is_address(path):
            try:
                return Path(path).is_file()
            except (OSError, ValueError):  # A name that is too long, for one.
                return False
        return own[-1] in self._listed(files.parent(path))

    @staticmethod
    def _names(folder: str) -> frozenset[str]:
        there = files.children(folder) if files.is_folder(folder) else []
        return frozenset(map(files.name, there))

    def _alike(self, folder: str) -> dict[str, list[str]]:
        found: dict[str, list[str]] = defaultdict(list)
        for name in sorted(self._listed(folder)):
            found[_stem(name)].append(name)
        return found

    @staticmethod
    def identity(path: str) -> str:
        return path if files.is_address(path) else str(Path(path).resolve())


def _search(
    told: str, folders: Sequence[str], suffixes: Container[str], look: _Look, anywhere: bool
) -> _Hit | None:
    own = parts(told, suffixes)
    named = own and files.suffix(own[-1]) in suffixes
    if anywhere and named and Path(told).is_absolute() and Path(told).is_file():
        return _Hit(told, _EXACT)
    best = None
    for folder in folders:
        for agreed in range(len(own), 0, -1):
            if look.is_file(folder, own[-agreed:]):
                # Names of the folder and of those above it may agree as well.
                whole = agreed + _above(folder, own[:-agreed])
                if whole > _agreed(best):
                    best = _Hit(files.join(folder, *own[-agreed:]), whole)
                break
    if anywhere and named and _agreed(best) < len(own):
        best = max(best, _above_all(told, own, folders[0], look), key=_agreed)
    if best is None and "%" in told and unquote(told) != told:
        # Programs that show labels in a browser write names as addresses.
        return _search(unquote(told), folders, suffixes, look, anywhere=False)
    return best


def _above_all(told: str, own: Sequence[str], folder: str, look: _Look) -> _Hit | None:
    """A file below a folder above another, as where a whole project was moved."""
    whole = not (PureWindowsPath(told).is_absolute() or told.startswith("/"))
    for outer, cut, agreed in look.above(folder, tuple(own[:-1]), whole):
        if look.is_file(outer, own[cut:]):
            return _Hit(files.join(outer, *own[cut:]), len(own) - cut + agreed)
    return None


def _outer(folder: str, inner: Sequence[str], whole: bool) -> list[tuple[str, int, int]]:
    """Folders above a folder that one in a path may be, where it goes on there, and parts alike.

    Args:
      inner: the folders of the path.
      whole: it is a relative path, which may go on anywhere.
    """
    above = [] if files.is_address(folder) else map(str, Path(folder).absolute().parents)
    cuts = [(one, cut, _above(one, inner[:cut])) for one in above for cut in range(len(inner))]
    return [(one, cut, alike) for one, cut, alike in cuts if alike or (whole and not cut)]


def _above(folder: str, rest: Sequence[str]) -> int:
    """How many names of a folder and those above it agree with what a path has before."""
    count = 0
    for one, two in zip(reversed(folder.split("/")), reversed(rest), strict=False):
        if one != two:
            break
        count += 1
    return count


def _agreed(hit: _Hit | None) -> int:
    return hit.agreed if hit else 0


def _same(one: str, other: str) -> bool:
    """Returns True for one path written in two ways."""
    return PureWindowsPath(one) == PureWindowsPath(other)


def _taken(hit: _Hit, stronger: Sequence[str], hits: Mapping[str, _Hit | None]) -> str:
    equal = [one for one in stronger if _agreed(hits[one]) == hit.agreed]
    if len(equal) == len(stronger):
        return (
            f"{hit.path} may be it or {equal[0]}: they agree in the name alone. Keep the folders "
            "of the files as they were"
        )
    return f"{hit.path} is {max(stronger, key=lambda one: _agreed(hits[one]))}"


def _tried(told: str, folders: Sequence[str]) -> str:
    what = "it is an address, which is not fetched; " if files.is_address(told) else ""
    return f"{what}looked in {', '.join(folders)}"


def _near(
    told: str,
    folders: Sequence[str],
    suffixes: Container[str],
    look: _Look,
    labels: tuple[str, Container[str]],
) -> str:
    """Says what is called like a file that is not there, but for letters or the suffix.

    Args:
      labels: `own` and `holders` of `locate`.
    """
    holders = labels[1]
    own = look.identity(labels[0]) if labels[0] else ""
    wanted = parts(told, suffixes)
    for folder in folders if wanted else ():
        for name in look.alike(folder).get(_stem(wanted[-1]), []):
            suffix, path = files.suffix(name), files.join(folder, name)
            other = suffix in holders and files.suffix(wanted[-1]) not in holders
            if suffix in suffixes and not other and look.identity(path) != own:
                return f"; there is {path}, which is called otherwise"
    return ""


def _stem(name: str) -> str:
    """A name without its suffix, however its letters are composed and whatever their case."""
    return unicodedata.normalize("NFC", name[: name.rfind(".")] if "." in name else name).lower()
