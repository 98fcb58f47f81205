"""MegaDetector's boxes of photographs: which entry of a file belongs to which image of a set.

Paths in such a file count from the folder that MegaDetector looked through, which may lie elsewhere
now, or be a part of the set, or hold it. So one change of the beginning of all paths is looked for,
the one that finds the most images; a photograph never gets the boxes of another one that merely has
the same file name.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from beampose.core import files
from beampose.formats import megadetector

# x, y, width, height as shares, confidence, category: as `preprocess.stills.Box`.
PhotoBox = tuple[float, float, float, float, float, str]
# Images by which the change of paths is found, and entries of one file name that are compared.
_PROBED, _NAMESAKES = 200, 2000


class Boxes(NamedTuple):
    """Boxes of an image, or why there are none to be had."""

    boxes: tuple[PhotoBox, ...] | None
    failure: str = ""


class Move(NamedTuple):
    """Change of the beginning of paths: parts that only images have, and that only entries have."""

    without: tuple[str, ...]
    before: tuple[str, ...]

    def entry(self, name: tuple[str, ...]) -> str:
        """The entry of an image, by the parts of its name; empty if it cannot have one."""
        if name[: len(self.without)] != self.without:
            return ""
        return "/".join((*self.before, *name[len(self.without) :]))


def boxes_of(path: str, names: Sequence[str], root: str) -> tuple[list[Boxes], str]:
    """Boxes of images, and a remark if it was guessed which entries are theirs.

    Args:
      path: MegaDetector's JSON.
      names: of images, below the root.
      root: the folder they lie in.

    Raises:
      ValueError: it is another file, or knows none of the images, or may mean several folders.
    """
    held = megadetector.contents(path, files.stamp(path))
    entries: dict[str, list[megadetector.Entry]] = {}
    for several in held.entries.values():
        for one in several:
            entries.setdefault("/".join(_parts(str(one.value["file"]))), []).append(one)
    parts = [_parts(name) for name in names]
    counts = Counter(parts)
    move = _move(parts, list(entries), _parts(root), path)
    found = []
    for name, own in zip(names, parts, strict=True):
        least = len(own) - len(move.without) if counts[own] > 1 else 0
        entry = _spelt(entries.get(move.entry(own), ()), name, least)
        found.append(
            Boxes(None, f"has no entry in {files.name(path)}")
            if entry is None
            else _boxes(entry, held.categories, path)
        )
    return found, _remark(move, root, entries, path)


def _spelt(
    entries: Sequence[megadetector.Entry], name: str, least: int
) -> megadetector.Entry | None:
    """Of entries that differ in the case of letters the one spelt most like an image.

    Args:
      least: parts at the end that must be spelt alike, where another image differs in case alone.
    """
    if not entries:
        return None
    agreed = [_agreement(_cased(name), _cased(str(one.value["file"]))) for one in entries]
    # The last of several for one image counts.
    best = max(range(len(entries)), key=lambda i: (agreed[i], i))
    return entries[best] if agreed[best] >= least else None


def _boxes(entry: megadetector.Entry, categories: dict[str, str], path: str) -> Boxes:
    if entry.value.get("failure"):
        return Boxes(None, f"{files.name(path)} says that it failed: {entry.value['failure']}")
    where = f"{files.name(path)}: images[{entry.number}]"
    detections = entry.value.get("detections")
    if not isinstance(detections or [], list):
        return Boxes(None, f"{where}: detections must be a list. Received: {detections!r}.")
    try:
        rows = [megadetector.box_row(one, 0, categories, where) for one in detections or []]
    except ValueError as error:
        return Boxes(None, str(error))
    return Boxes(tuple(row[1:] for row in rows))


def _move(
    names: Sequence[tuple[str, ...]],
    entries: Sequence[str],
    root: tuple[str, ...],
    path: str,
) -> Move:
    """The change of paths that finds the most of some images."""
    probed = names[:: max(len(names) // _PROBED, 1)][:_PROBED]
    wanted = {name[-1] for name in probed}
    namesakes: dict[str, list[tuple[str, ...]]] = {}
    for entry in entries:
        parts = tuple(entry.split("/"))
        if parts[-1] in wanted:
            namesakes.setdefault(parts[-1], []).append(parts)
    votes = Counter(move for name in probed for move in set(_moves(name, namesakes)))
    if not votes:
        raise ValueError(f"{path} has no entry for any of the images, such as {'/'.join(names[0])}")

    def rank(move: Move) -> tuple[int, int, int, int]:
        agreed = _agreement(move.before, root)
        apart = len(move.before) - agreed
        return votes[move], -len(move.without), -apart, agreed

    best = sorted(votes, key=rank, reverse=True)
    if len(best) > 1 and rank(best[0]) == rank(best[1]):
        several = " and ".join("/".join(one.before) for one in best[:2])
        raise ValueError(
            f"{path} has entries in several folders that may be {'/'.join(root)}: {several}. Name "
            "the folder that MegaDetector looked through, or keep the names of the folders"
        )
    return best[0]


def _moves(name: tuple[str, ...], namesakes: dict[str, list[tuple[str, ...]]]) -> Iterator[Move]:
    for entry in namesakes.get(name[-1], [])[:_NAMESAKES]:
        agreed = _agreement(name, entry)
        yield Move(name[: len(name) - agreed], entry[: len(entry) - agreed])


def _agreement(one: tuple[str, ...], other: tuple[str, ...]) -> int:
    """Parts at the end that are the same."""
    count = 0
    for a, b in zip(reversed(one), reversed(other), strict=False):
        if a != b:
            break
        count += 1
    return count


def _remark(move: Move, root: str, entries: dict[str, list[megadetector.Entry]], path: str) -> str:
    apart = len(move.before) - _agreement(move.before, _parts(root))
    if not apart and not move.without:
        return ""
    ours = "/".join((*_cased(root)[-1:], *move.without))
    theirs = "its uppermost folder"
    if move.before:
        start = "/".join(move.before) + "/"
        one = next(several[0] for key, several in entries.items() if key.startswith(start))
        theirs = "/".join(_cased(str(one.value["file"]))[: len(move.before)])
    return f"boxes of {theirs} in {files.name(path)} are taken for those of {ours}, by file name"


def _parts(path: str) -> tuple[str, ...]:
    """Parts of a path written on any system, in lowercase letters, as Windows compares them."""
    return tuple(part.lower() for part in _cased(path))


def _cased(path: str) -> tuple[str, ...]:
    return tuple(part for part in path.replace("\\", "/").split("/") if part not in ("", "."))
