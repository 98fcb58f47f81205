"""Names in a label file that are not those of config.yaml, in words that say what differs."""

import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

from beampose.core.wording import agreed, counted, listed
from beampose.preprocess.labels import ERROR, SINGLE, WARNING, Problem

_SHOWN = 6
_EQUAL = "names must be the same in both, upper and lower case too"
_COMPOSED = (
    "they look alike, but an accent is a letter of its own in one of them: copy the name from one "
    "file into the other"
)


class Expected(NamedTuple):
    """Names in a config.

    Attributes:
      individuals: of a project of several animals, with `single`; empty for one of one.
      bodyparts: all of the config.
      chosen: those whose labels are wanted.
      seen: individuals of which the file has a bodypart.
    """

    individuals: Sequence[str]
    bodyparts: Sequence[str]
    chosen: Sequence[str]
    seen: Collection[str] = ()


# An individual, "" where there is one animal, and a bodypart.
Point = tuple[str, str]


def folded(name: str) -> str:
    """A name without case, composition of letters, spaces and the like."""
    return re.sub(r"[\s_\-.]+", " ", unicodedata.normalize("NFKC", name).casefold()).strip()


def problems(
    file: str,
    lost: Collection[Point],
    extra: Mapping[Point, int],
    names: Expected,
    *,
    nothing: bool,
) -> list[Problem]:
    """Every point that a file lacks, and every one it has that nobody asked for.

    Args:
      lost: points of the config without columns here.
      extra: points that have columns here and are not used, with their number of labels.
      nothing: whether no point of the config has columns here.
    """
    unasked = set(names.bodyparts) - set(names.chosen)
    extra = {point: count for point, count in extra.items() if point[1] not in unasked}
    if nothing and extra:
        return [Problem(ERROR, file, 0, "", _nothing(lost, extra, names))]
    told = [*_unknown(extra, lost, names), *_misplaced(extra, names)]
    told += [
        (WARNING, f"{what} of config.yaml has no columns here; taken as not labeled")
        for what in _missing(lost, names)
    ]
    return [Problem(level, file, 0, "", what) for level, what in dict.fromkeys(told)]


def _nothing(lost: Collection[Point], extra: Mapping[Point, int], names: Expected) -> str:
    here = listed([f"{part} of {owner}" if owner else part for owner, part in extra], _SHOWN)
    there = listed([f"{part} of {owner}" if owner else part for owner, part in lost], _SHOWN)
    why = f"No label is used: the file has columns of {here}; config.yaml has {there}"
    owners, parts = {owner for owner, _ in extra}, {part for _, part in extra}
    if names.individuals and owners <= set(names.bodyparts) and parts <= set(names.individuals):
        return f"{why}. Its header rows individuals and bodyparts are swapped: swap them back"
    keys = {(folded(owner), folded(part)) for owner, part in extra}
    if keys & {(folded(owner), folded(part)) for owner, part in lost}:
        return f"{why}; {_EQUAL}"
    return f"{why}. Correct the names in one of them"


def _unknown(
    extra: Mapping[Point, int], lost: Collection[Point], names: Expected
) -> Iterator[tuple[str, str]]:
    """Names that the config does not have; an error if it has nearly the same one."""
    lost_owners = {owner for owner, _ in lost} - {owner for owner, _ in extra}
    lost_parts = {part for _, part in lost}
    sides = (("individual", 0, names.individuals, lost_owners),) if names.individuals else ()
    for kind, side, known, free in (*sides, ("bodypart", 1, names.bodyparts, lost_parts)):
        unknown = sorted({point[side] for point in extra} - {*known, SINGLE if not side else ""})
        for name in unknown:
            count = sum(count for point, count in extra.items() if point[side] == name)
            near = [one for one in known if one in free and folded(one) == folded(name)]
            if near:
                what = (
                    f"{kind} {name!r} is {near[0]!r} in config.yaml: its "
                    f"{counted(count, 'label')} {agreed(count, 'are')} not "
                )
                same = unicodedata.normalize("NFC", name) == unicodedata.normalize("NFC", near[0])
                yield ERROR, f"{what}used; {_COMPOSED if same else _EQUAL}"
            else:
                yield (
                    WARNING,
                    f"unknown {kind} {name!r}: not in config.yaml; its labels are not used",
                )


def _missing(lost: Collection[Point], names: Expected) -> list[str]:
    """What a file lacks; of animals of which it has nothing, these and not all their bodyparts."""
    count = Counter(owner for owner, _ in lost)
    absent = [one for one in names.individuals if one not in names.seen and count[one] > _SHOWN]
    bodyparts = [f"bodypart {_called(point)}" for point in lost if point[0] not in absent]
    return [*bodyparts, *(f"individual {one!r}" for one in absent)]


def _misplaced(extra: Mapping[Point, int], names: Expected) -> Iterator[tuple[str, str]]:
    """Unique bodyparts under an animal, and those of animals under `single`."""
    for (owner, part), count in extra.items():
        if not names.individuals or part not in names.bodyparts:
            continue
        if owner == SINGLE:
            what = "belongs to every animal in config.yaml (multianimalbodyparts)"
        elif owner in names.individuals:
            what = "is a unique bodypart in config.yaml"
        else:
            continue
        told = (
            f"{part!r} {what}, but has columns under {owner!r}: the {counted(count, 'label')} there"
        )
        yield WARNING, f"{told} are not used"


def _called(point: Point) -> str:
    owner, part = point
    return f"{part!r} of {owner!r}" if owner else repr(part)
