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
from beampose.core.wording import agreed, counted
from beampose.formats import megadetector
from beampose.formats.detection_table import BoxRow

# x, y, width, height as shares, confidence, category: as `preprocess.stills.Box`.
PhotoBox = tuple[float, float, float, float, float, str]
# Images by which the change of paths is found, and entries of one file name that are compared.
_PROBED, _NAMESAKES = 200, 2000


# By their folded paths; several where files were merged, or names differ in case alone.
_Entries = dict[str, list[megadetector.Entry]]


class Boxes(NamedTuple):
    """Boxes of an image, or why there are none to be had.

    `flat` are those without width or height, which are left out.
    """

    boxes: tuple[PhotoBox, ...] | None
    failure: str = ""
    flat: int = 0


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
    """Boxes of images, and a remark on what of the file was guessed, joined or left out.

    Of an image with several entries, as where files were merged, the boxes of all count.

    Args:
      path: MegaDetector's JSON.
      names: of images, below the root.
      root: the folder they lie in.

    Raises:
      ValueError: it is another file, or knows none of the images, or may mean several folders, or
        its boxes are written by another rule.
    """
    held = megadetector.contents(path, files.stamp(path))
    entries: _Entries = {}
    for several in held.entries.values():
        for one in several:
            entries.setdefault("/".join(_parts(str(one.value["file"]))), []).append(one)
    parts = [_parts(name) for name in names]
    counts = Counter(parts)
    move = _move(names, parts, entries, root, path)
    found, joined, flat = [], [], []
    for name, own in zip(names, parts, strict=True):
        least = len(own) - len(move.without) if counts[own] > 1 else 0
        spelt = _spelt(entries.get(move.entry(own), ()), name, least)
        boxes = _boxes(spelt, held.categories, path)
        found.append(boxes)
        joined += [name] * (len(spelt) > 1)
        flat += [name] * boxes.flat
    said = [_remark(move, names, root, entries, path)]
    if joined:
        have = f"{counted(len(joined), 'image')} {agreed(len(joined), 'have')}"
        what = f"{have} several entries in {files.name(path)}, such as {joined[0]}"
        said.append(f"{what}: {megadetector.ALL_TAKEN}")
    if flat:
        what = f"{counted(len(flat), 'box')} without width or height in {files.name(path)}"
        said.append(f"{what} {agreed(len(flat), 'are')} left out, such as of {flat[0]}")
    return found, "; ".join(one for one in said if one)


def _spelt(
    entries: Sequence[megadetector.Entry], name: str, least: int
) -> list[megadetector.Entry]:
    """Of entries that differ in the case of letters those spelt most like an image.

    Args:
      least: parts at the end that must be spelt alike, where another image differs in case alone.
    """
    spelt = [_cased(str(one.value["file"])) for one in entries]
    agreement = [_agreement(_cased(name), one) for one in spelt]
    most = max(agreement, default=-1)
    if most < least:
        return []
    # Of several spellings that are as near the last counts.
    chosen = spelt[max(i for i, count in enumerate(agreement) if count == most)]
    return [one for one, own in zip(entries, spelt, strict=True) if own == chosen]


def _boxes(entries: Sequence[megadetector.Entry], categories: dict[str, str], path: str) -> Boxes:
    if not entries:
        return Boxes(None, f"has no entry in {files.name(path)}")
    seen = [one for one in entries if not one.value.get("failure")]
    if not seen:
        why = entries[-1].value["failure"]
        return Boxes(None, f"{files.name(path)} says that it failed: {why}")
    rows: list[BoxRow] = []
    for entry in seen:
        where = f"{files.name(path)}: images[{entry.number}]"
        try:
            detections = megadetector.detections_of(entry.value, where)
            rows += (megadetector.box_row(one, 0, categories, where) for one in detections)
        except megadetector.OtherNumbers:
            raise
        except ValueError as error:
            return Boxes(None, str(error))
    real = [row for row in rows if row[3] > 0 and row[4] > 0]
    kept = real if len(seen) == 1 else megadetector.once(real)
    return Boxes(tuple(row[1:] for row in kept), "", len(rows) - len(real))


def _move(
    written: Sequence[str],
    names: Sequence[tuple[str, ...]],
    entries: _Entries,
    root: str,
    path: str,
) -> Move:
    """The change of paths that finds the most of some images.

    Args:
      written: names of the images as they are spelt.
      names: their parts.
    """
    probed = names[:: max(len(names) // _PROBED, 1)][:_PROBED]
    wanted = {name[-1] for name in probed}
    namesakes: dict[str, list[tuple[str, ...]]] = {}
    for entry in entries:
        parts = tuple(entry.split("/"))
        if parts[-1] in wanted:
            namesakes.setdefault(parts[-1], []).append(parts)
    votes = Counter(move for name in probed for move in set(_moves(name, namesakes)))
    if not votes:
        raise ValueError(f"{path} has no entry for any of the images, such as {written[0]}")
    above = _parts(root)

    def rank(move: Move) -> tuple[int, int, int, int]:
        same = _agreement(move.before, above)
        apart = len(move.before) - same
        return votes[move], -len(move.without), -apart, same

    first, *others = sorted(sorted(votes), key=rank, reverse=True)
    if others and rank(others[0]) == rank(first):
        may = ", or ".join(
            f"{_theirs(one, entries)} may be {_ours(one, written, root)}"
            for one in (first, others[0])
        )
        raise ValueError(
            f"{path} has entries in several folders that may be those of the images: {may}. Name "
            "the folder that MegaDetector looked through, or keep the names of the folders"
        )
    return first


def _moves(name: tuple[str, ...], namesakes: dict[str, list[tuple[str, ...]]]) -> Iterator[Move]:
    for entry in namesakes.get(name[-1], [])[:_NAMESAKES]:
        same = _agreement(name, entry)
        yield Move(name[: len(name) - same], entry[: len(entry) - same])


def _agreement(one: tuple[str, ...], other: tuple[str, ...]) -> int:
    """Parts at the end that are the same."""
    count = 0
    for a, b in zip(reversed(one), reversed(other), strict=False):
        if a != b:
            break
        count += 1
    return count


def _remark(move: Move, names: Sequence[str], root: str, entries: _Entries, path: str) -> str:
    apart = len(move.before) - _agreement(move.before, _parts(root))
    if not apart and not move.without:
        return ""
    ours = _ours(move, names, files.name(root))
    theirs = _theirs(move, entries)
    return f"boxes of {theirs} in {files.name(path)} are taken for those of {ours}, by file name"


def _ours(move: Move, names: Sequence[str], root: str) -> str:
    """The folder that only images have, as it is spelt."""
    count = len(move.without)
    one = next((name for name in names if _parts(name)[:count] == move.without), "")
    return "/".join(part for part in (root.rstrip("/"), *_cased(one)[:count]) if part)


def _theirs(move: Move, entries: _Entries) -> str:
    """The folder that only entries have, as it is spelt."""
    if not move.before:
        return "its uppermost folder"
    start = "/".join(move.before) + "/"
    one = next(str(all_[0].value["file"]) for key, all_ in entries.items() if key.startswith(start))
    begin = "/" if one.startswith("/") else ""
    return begin + "/".join(_cased(one)[: len(move.before)])


def _parts(path: str) -> tuple[str, ...]:
    """Parts of a path written on any system, as Windows and macOS compare them."""
    return tuple(megadetector.folded(part) for part in _cased(path))


def _cased(path: str) -> tuple[str, ...]:
    return tuple(part for part in path.replace("\\", "/").split("/") if part not in ("", "."))
