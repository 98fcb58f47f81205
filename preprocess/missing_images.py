"""Images that labels name and that are not there, with what is there instead."""

import posixpath
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Sequence

from beampose.core import files, placeholders
from beampose.preprocess import images, inside
from beampose.preprocess.labels import Problem

_MISSING = "image missing: no file "
# How `validate` calls an image that cannot be decoded.
_BAD = "image "
# How it begins to say that an image has another size than the labels say.
SIZED = "has another size than the labels say, "
# Images of a file that are looked for; what is wrong with them is wrong with the others too.
_TRIED = 20
# Folders below that of the labels, in which images are looked for by their names.
_DEPTH = 2
_FOLDERS = 500


def what(image: str) -> str:
    """The words for an image that is not there."""
    return f"{_MISSING}{image}"


def together(problems: Sequence[Problem], labeled: int) -> list[Problem]:
    """The same problems, those of all missing images of a label file as one.

    So are images that are no images for one reason, such as pointers that stand for files, and
    those of another size than the labels say.

    Args:
      labeled: how many images have labels in all.
    """
    missing: dict[str, list[Problem]] = defaultdict(list)
    bad: dict[tuple[str, str], list[Problem]] = defaultdict(list)
    others = []
    for problem in problems:
        if problem.what.startswith(_MISSING):
            missing[problem.file].append(problem)
        elif problem.what.startswith((_BAD, SIZED)):
            bad[problem.file, problem.what].append(problem)
        else:
            others.append(problem)
    told = [_first(own, labeled) for own in bad.values()]
    return [*(_one(own, labeled) for own in missing.values()), *told, *others]


def _one(problems: list[Problem], labeled: int) -> Problem:
    first = _first(problems, labeled)
    paths = dict.fromkeys(_file(problem.what.removeprefix(_MISSING)) for problem in problems)
    return first._replace(what=f"{first.what}{_hint(list(paths))}")


def _first(problems: list[Problem], labeled: int) -> Problem:
    """The first of some problems, which says how many there are."""
    first = min(problems, key=lambda problem: problem.row)
    count = len(problems)
    some = f"{count} of {labeled}" if labeled > count else f"all {labeled}"
    more = f", and {count - 1} more ({some} labeled images)" if count > 1 else ""
    return first._replace(what=f"{first.what}{more}")


def _file(image: str) -> str:
    """The file that an image is, or is a frame of."""
    place = inside.parse(image)
    return place.file if place else image


def _hint(paths: Sequence[str]) -> str:
    """What is there instead, once for all."""
    listing = _Listing()
    for path in paths[:_TRIED]:
        if there := placeholders.link(path) or listing.placeholder(path):
            return f". {there}"
        if listing.holds(path):
            return f". {files.name(path)} was there when its folder was listed: run it again"
    if not any(files.suffix(path) for path in paths):
        return ". Every row must name the file of an image, such as labeled-data/film/img0.png"
    found: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for path in paths[:_TRIED]:
        kind, other = listing.instead(path)
        found[kind].append((path, other))
    said = [
        f"{how} (wanted {files.name(pairs[0][0])}, there is {pairs[0][1]})"
        for how, pairs in found.items()
        if how
    ]
    return f". There are files whose {'; or whose '.join(said)}" if said else ""


class _Listing:
    """Names in folders, each listed once."""

    def __init__(self):
        self._names: dict[str, list[str]] = {}
        self._below: dict[str, dict[tuple[Callable[[str], str], str], str]] = {}

    def placeholder(self, path: str) -> str:
        """What stands for a file beside it, in words; "" if nothing does."""
        return placeholders.among(self._children(files.parent(path)), files.name(path))

    def holds(self, path: str) -> bool:
        """Whether a folder lists a file that cannot be had, as one that is written anew."""
        return files.name(path) in self._children(files.parent(path))

    def instead(self, path: str) -> tuple[str, str]:
        """What distinguishes a file from the one that is wanted, and its name; "" if none."""
        folder, name = files.parent(path), files.name(path)
        there = self._children(folder)
        for how, fold in _WAYS:
            for other in there:
                if fold(other) == fold(name) and files.suffix(other) in images.SUFFIXES:
                    return how, other
        below = self._elsewhere(folder)
        if other := below.get((_composed, _composed(name))):
            return "folder is another one", other
        for how, fold in _WAYS:
            if other := below.get((fold, fold(name))):
                return f"folder is another one, and {how}", other
        return "", ""

    def _children(self, folder: str) -> list[str]:
        if folder not in self._names:
            exists = files.is_folder(folder)
            self._names[folder] = [files.name(c) for c in files.children(folder)] if exists else []
        return self._names[folder]

    def _elsewhere(self, folder: str) -> dict[tuple[Callable[[str], str], str], str]:
        """Images below a folder or, if it is not there, below the one above it.

        By the ways in which names are compared, and by their names as those make them.
        """
        top = folder if self._children(folder) else files.parent(folder)
        if top not in self._below:
            found: dict[tuple[Callable[[str], str], str], str] = {}
            level = [top] if files.is_folder(top) else []
            for _ in range(_DEPTH):
                level = [c for one in level for c in files.children(one) if _plain_folder(c)]
                for one in level[:_FOLDERS]:
                    for name in self._children(one):
                        place = f"{one[len(top) :].strip('/')}/{name}"
                        for _, fold in _WAYS if files.suffix(name) in images.SUFFIXES else ():
                            found.setdefault((fold, fold(name)), place)
            self._below[top] = found
        return self._below[top]


def _plain_folder(path: str) -> bool:
    return not files.suffix(path) and files.is_folder(path)


def _composed(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def _cased(name: str) -> str:
    return _composed(name).casefold()


def _stem(name: str) -> str:
    return _cased(posixpath.splitext(name)[0] if files.suffix(name) in images.SUFFIXES else name)


# What differs, and what makes of two names that differ so the same.
_WAYS = (
    ("letters are composed in another way (é as one sign or as two)", _composed),
    ("names differ in upper and lower case", _cased),
    ("suffix is another one", _stem),
)
