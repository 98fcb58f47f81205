"""Labels under the names of another project: bodyparts renamed, in its order, or added."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from beampose.preprocess.labels import LabeledFrame, Labels, choose_bodyparts


def renamed(labels: Labels, names: dict[str, str]) -> Labels:
    """Labels whose bodyparts have other names; those that become one are one bodypart.

    Args:
      names: the new name by the old one.

    Raises:
      ValueError: there is no such bodypart, or an image has two points that would become one.
    """
    lacking = [name for name in names if name not in labels.bodyparts]
    if lacking:
        known = ", ".join(labels.bodyparts)
        raise ValueError(f"There is no bodypart {lacking[0]!r} to rename. Labeled are {known}.")
    new = [names.get(name, name) for name in labels.bodyparts]
    parts = tuple(dict.fromkeys(new))
    unique = {names.get(name, name) for name in labels.unique_bodyparts}
    both = unique & {names.get(n, n) for n in labels.bodyparts if n not in labels.unique_bodyparts}
    if both:
        name = sorted(both)[0]
        raise ValueError(f"{name!r} would be both a unique bodypart and one of every animal.")
    items = [_merged(item, new, parts) for item in labels.items if isinstance(item, LabeledFrame)]
    edges = [(names.get(a, a), names.get(b, b)) for a, b in labels.edges]
    return dataclasses.replace(
        labels,
        items=tuple(items),
        bodyparts=parts,
        unique_bodyparts=tuple(name for name in parts if name in unique),
        edges=tuple(dict.fromkeys(edge for edge in edges if edge[0] != edge[1])),
    )


def _merged(frame: LabeledFrame, new: Sequence[str], parts: Sequence[str]) -> LabeledFrame:
    """A frame with a column for each of `parts`, from columns that are called `new`."""
    shape = (len(frame.keypoints), len(parts), 2)
    keypoints = np.full(shape, np.nan)
    for i, name in enumerate(new):
        there, place = frame.keypoints[:, i], parts.index(name)
        twice = np.isfinite(there).all(-1) & np.isfinite(keypoints[:, place]).all(-1)
        if twice.any():
            raise ValueError(
                f"{frame.name} has two points that would be {name!r}: only one of them can be. "
                "Leave one of the bodyparts out with --bodyparts, or give it another name."
            )
        labeled = np.isfinite(there).all(-1)
        keypoints[labeled, place] = there[labeled]
    return dataclasses.replace(frame, keypoints=keypoints)


def fitted(labels: Labels, names: Sequence[str], file: str) -> Labels:
    """Labels in the order of a project; what only the project has is not labeled, and told.

    Args:
      names: the project's bodyparts; where the labels have others besides, nothing is changed.
      file: of the project.
    """
    if not set(labels.bodyparts) <= set(names) or tuple(names) == labels.bodyparts:
        return labels
    return choose_bodyparts(labels, names, file)
