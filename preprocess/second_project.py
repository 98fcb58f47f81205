"""A second project as the test set: its labels in the shape of the first's, under own names."""

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np

from beampose.core import files
from beampose.core.name_parts import safe
from beampose.core.wording import counted
from beampose.preprocess.labels import (
    SINGLE,
    TEST,
    TRAIN,
    WARNING,
    LabeledCrop,
    LabeledFrame,
    Labels,
    Problem,
)


def joined(first: Labels, second: Labels, place: str) -> tuple[Labels, list[str]]:
    """The labels of both projects, and the split of each: all of the second are the test set.

    Bodyparts, individuals and classes are those of the first. Where the projects share the name of
    an image, those of the second begin with its project's.

    Args:
      place: of the second, a folder or a file.

    Raises:
      ValueError: they share no bodypart, or the second has animals or classes that the first does
        not know.
    """
    fit = _crops if first.classes else _frames
    items, notes = fit(first, second, place)
    items = _own_names(first.items, items, safe(second.project or files.stem(place)))
    problems = [*first.problems, *second.problems]
    problems += [Problem(WARNING, place, 0, "", f"split.test_from: {note}") for note in notes]
    both = dataclasses.replace(first, items=(*first.items, *items), problems=tuple(problems))
    return both, [TRAIN] * len(first.items) + [TEST] * len(items)


def _crops(first: Labels, second: Labels, place: str) -> tuple[list[LabeledCrop], list[str]]:
    crops = [item for item in second.items if isinstance(item, LabeledCrop)]
    used = {second.classes[crop.label] for crop in crops}
    if unknown := sorted(used - set(first.classes)):
        raise ValueError(
            f"split.test_from: {place} has crops of class {', '.join(unknown)}; those to be "
            f"learned are {', '.join(first.classes)}."
        )
    number = {i: first.classes.index(n) for i, n in enumerate(second.classes) if n in used}
    return [dataclasses.replace(crop, label=number[crop.label]) for crop in crops], []


def _frames(first: Labels, second: Labels, place: str) -> tuple[list[LabeledFrame], list[str]]:
    rows, notes = _rows(first, second, place)
    columns, more = _columns(first, second, place)
    frames = []
    for item in second.items:
        assert isinstance(item, LabeledFrame)
        keypoints = np.full((len(first.individuals), len(first.bodyparts), 2), np.nan)
        for to, source in columns.items():
            if first.bodyparts[to] in first.unique_bodyparts:
                keypoints[-1, to] = item.keypoints[-1, source]
            else:
                keypoints[list(rows), to] = item.keypoints[list(rows.values()), source]
        frames.append(dataclasses.replace(item, keypoints=keypoints))
    return frames, [*notes, *more]


def _animals(labels: Labels) -> tuple[str, ...]:
    """Names of the animals: of all individuals but the one that stands for the scene."""
    known = labels.individuals
    return known[:-1] if labels.unique_bodyparts and known[-1] == SINGLE else known


def _rows(first: Labels, second: Labels, place: str) -> tuple[dict[int, int], list[str]]:
    """Row of each animal of the second in the first's order: by name, or one after the other."""
    ours, theirs = _animals(first), _animals(second)
    if len(theirs) > len(ours):
        raise ValueError(
            f"split.test_from: {place} has {counted(len(theirs), 'animal')} "
            f"({', '.join(theirs)}), more than "
            f"the {len(ours)} that are to be learned ({', '.join(ours)})."
        )
    if set(theirs) <= set(ours):
        return {ours.index(name): i for i, name in enumerate(theirs)}, []
    if len(ours) == 1:
        return {0: 0}, []
    paired = ", ".join(f"{b} as {a}" for a, b in zip(ours, theirs, strict=False))
    note = f"animals have other names there and are taken in their order: {paired}"
    return {i: i for i in range(len(theirs))}, [note]


def _columns(first: Labels, second: Labels, place: str) -> tuple[dict[int, int], list[str]]:
    """Column of each bodypart of the first in the second, by name."""
    found, of_other_kind = {}, []
    for to, name in enumerate(first.bodyparts):
        if name in second.bodyparts:
            if (name in first.unique_bodyparts) != (name in second.unique_bodyparts):
                of_other_kind.append(name)
                continue
            found[to] = second.bodyparts.index(name)
    if not found:
        raise ValueError(
            f"split.test_from: {place} has the bodyparts {', '.join(second.bodyparts)}, none of "
            f"those that are to be learned ({', '.join(first.bodyparts)})."
        )
    return found, list(_said(first, second, of_other_kind))


def _said(first: Labels, second: Labels, of_other_kind: Sequence[str]) -> Iterator[str]:
    missing = [name for name in first.bodyparts if name not in second.bodyparts]
    more = [name for name in second.bodyparts if name not in first.bodyparts]
    if missing:
        yield f"bodyparts that are missing there and are not tested: {', '.join(missing)}"
    if more:
        yield f"bodyparts that are only there and are not used: {', '.join(more)}"
    if of_other_kind:
        yield (
            "bodyparts that belong to every animal in one project and to the scene in the other, "
            f"and are not tested: {', '.join(of_other_kind)}"
        )


def _own_names(first: Sequence, second: Sequence, prefix: str) -> list:
    """Images of the second under names that none of the first has.

    Videos keep theirs: one of the same name counts as seen in training.
    """
    names = {item.name for item in first}
    if not any(item.name in names for item in second):
        return list(second)
    while any(f"{prefix}/{item.name}" in names for item in second):
        prefix = f"test-{prefix}"
    return [dataclasses.replace(item, name=f"{prefix}/{item.name}") for item in second]
