"""Says what is wrong with a labeled image, before any worker is paid for it."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, cast

import numpy as np

from beampose.core import class_sizes, files
from beampose.core.answering import Unanswered
from beampose.core.wording import counted
from beampose.preprocess import images, missing_images, same_points, tiff_stacks, turned_labels
from beampose.preprocess.labels import (
    ERROR,
    SINGLE,
    TEST,
    TRAIN,
    WARNING,
    LabeledCrop,
    LabeledFrame,
    Labels,
    Problem,
)

# A class this rare, as a share of the other, is worth a word; weights balance it in training.
IMBALANCE = 0.2
# Of 255; no picture of a scene stays below it.
_DARK = 16
# So many coordinates of which none is above 1 are no pixels.
_SHARES = 8
CORNERS = "points at exactly (0, 0)"
ABSENT = "no image has a label of"
NO_LABEL = (
    "no bodypart is labeled: the frame is not used. `source.empty: negatives` uses those without "
    "an animal"
)


class Inspection(NamedTuple):
    """A decoded item.

    Attributes:
      item: the item; keypoints outside the image have become NaN.
      problems: what was wrong, in words.
      digest: of the pixels; empty if the item cannot be used.
      height, width: of the image.
    """

    item: LabeledFrame | LabeledCrop
    problems: tuple[Problem, ...]
    digest: str = ""
    height: int = 0
    width: int = 0


class Report(NamedTuple):
    """Problems of a source, and which of its items can be used, bool (items,)."""

    problems: list[Problem]
    usable: list[bool]


def inspect(
    item: LabeledFrame | LabeledCrop, bodyparts: Sequence[str], *, once: bool = False
) -> tuple[Inspection, np.ndarray | None]:
    """Reads, decodes and checks one image. The pixels are None if the item cannot be used.

    Args:
      once: see `inside.frame`.
    """

    def problem(level: str, what: str) -> Problem:
        return Problem(level, item.file, item.row, item.name, what)

    try:
        pixels, orientation = images.load(item.image, once=once)
    except Unanswered:
        raise
    except FileNotFoundError:
        return Inspection(item, (problem(ERROR, missing_images.what(item.image)),)), None
    except OSError as error:
        return Inspection(
            item, (problem(ERROR, f"image cannot be read: {files.why(error)}"),)
        ), None
    except ValueError as error:
        return Inspection(item, (problem(ERROR, f"image {error}"),)), None
    height, width = pixels.shape[:2]
    found = [problem(WARNING, what) for what in _odd(item.image, pixels)]
    if orientation != 1:
        item, what = _turned(item, orientation, height, width)
        found.append(problem(WARNING, what))
    if isinstance(item, LabeledFrame):
        if item.told not in (None, (height, width)):
            what = (
                f"{width}x{height} for {item.told[1]}x{item.told[0]}: points then lie elsewhere. "
            )
            what = f"{missing_images.SIZED}{what}Use the images as they were labeled"
            found.append(problem(WARNING, what))
        item, notes = _inside(item, height, width, bodyparts)
        found += [problem(level, what) for level, what in notes]
        if np.isnan(item.keypoints).all() and not item.negative:
            return Inspection(item, tuple(found)), None
    return Inspection(item, tuple(found), images.digest(pixels), height, width), pixels


def _turned(
    item: LabeledFrame | LabeledCrop, orientation: int, height: int, width: int
) -> tuple[LabeledFrame | LabeledCrop, str]:
    """An item whose image EXIF turns, with points where they are in it, and what is to be said."""
    if isinstance(item, LabeledFrame):
        fitted = turned_labels.as_stored(item, orientation, height, width)
        if fitted is not item:
            return fitted, (
                "has an EXIF orientation, and the labels say the size of the image turned by it: "
                "the points were moved onto the pixels as stored. `predict` turns photographs "
                "upright: save images turned for good, and training sees them so too"
            )
    return item, "has an EXIF orientation, which is not applied: labels must fit the stored pixels"


def _odd(image: str, pixels: np.ndarray) -> Iterator[str]:
    """What is odd about an image that can be used."""
    if pixels.max() < _DARK:
        yield (
            f"is nearly black: its brightest value is {pixels.max()} of 255. Of 16 bit the high "
            "byte is taken: spread the values over the range, or save as 8 bit"
        )
    if tiff_stacks.is_stack(image):
        yield "is a stack of several pages, of which the first is used"


def outside(keypoints: np.ndarray, height: int, width: int) -> np.ndarray:
    """Marks keypoints (..., 2) that lie outside an image; NaN does not."""
    beyond = (keypoints < 0) | (keypoints >= np.array([width, height]))
    return cast(np.ndarray, beyond.any(axis=-1))


def report(
    labels: Labels, splits: Sequence[str], progress: Callable[[Iterable], Iterable] = iter
) -> Report:
    """Every problem of a source: of its files, rows, images, classes and split.

    Missing images of a label file are one problem, with what is there instead.
    """
    readers = images.readers((item.image for item in labels.items), 4)
    with ThreadPoolExecutor(readers) as pool:
        inspected = pool.map(
            lambda item: inspect(item, labels.bodyparts, once=True)[0], labels.items
        )
        inspections = list(progress(inspected))
    found = [*labels.problems]
    of_images = [problem for inspection in inspections for problem in inspection.problems]
    found += missing_images.together(of_images, len(inspections))
    lost = _duplicates(inspections, splits)
    found += lost.values()
    usable = [bool(one.digest) and i not in lost for i, one in enumerate(inspections)]
    if not any(problem.level == ERROR for problem in found):
        found += _nothing(labels, splits, usable)
    found += _unlabeled(labels, usable)
    found += of_points(labels)
    found += same_points.problems([one.item for one in inspections], usable)
    if labels.classes:
        found += _imbalance(labels, splits, [bool(one.digest) for one in inspections])
    return Report(found, usable)


def _nothing(labels: Labels, splits: Sequence[str], usable: Sequence[bool]) -> list[Problem]:
    """Says that there is nothing to train on."""
    if not labels.items or any(
        use and own == TRAIN for use, own in zip(usable, splits, strict=True)
    ):
        return []
    what = f"none of {counted(len(labels.items), 'labeled image')} can be used"
    if any(usable):
        what = "no image to train on can be used: all that can are in the split test"
    return [Problem(ERROR, labels.items[0].file, 0, "", what)]


def of_points(labels: Labels) -> list[Problem]:
    """What coordinates say without their images: shares for pixels, corners for nothing, animals
    that nobody labeled."""
    return [*_shares(labels), *_corners(labels), *_absent(labels)]


def _absent(labels: Labels) -> list[Problem]:
    """Says which individuals of several are never labeled, since a model looks for all of them."""
    known = [one.keypoints for one in labels.items if isinstance(one, LabeledFrame)]
    if len(labels.individuals) < 2 or not known:
        return []
    labeled = np.any([np.isfinite(one).all(-1).any(-1) for one in known], axis=0)
    names = [
        name
        for name, any_ in zip(labels.individuals, labeled, strict=True)
        if not any_ and name != SINGLE
    ]
    if not names or not labeled.any():
        return []
    what = (
        f"{ABSENT} {', '.join(names)}, and a model looks for all "
        f"{len({*labels.individuals} - {SINGLE})} that are named: it may find some where there "
        "are none. Remove from `individuals` those that no film shows"
    )
    return [Problem(WARNING, labels.items[0].file, 0, "", what)]


def _shares(labels: Labels) -> list[Problem]:
    """Says that coordinates seem to be shares of the image, and not pixels."""
    known = [one.keypoints for one in labels.items if isinstance(one, LabeledFrame)]
    values = np.concatenate([one[np.isfinite(one)] for one in known]) if known else np.empty(0)
    if len(values) < _SHARES or values.max() > 1 or values.min() < 0:
        return []
    what = "all coordinates lie between 0 and 1, as shares of an image do: labels must be pixels"
    return [Problem(ERROR, labels.items[0].file, 0, "", what)]


def _corners(labels: Labels) -> list[Problem]:
    """Says how many points lie exactly in the corner, where programs put what is not labeled."""
    frames = [one for one in labels.items if isinstance(one, LabeledFrame)]
    there = [one for one in frames if (one.keypoints == 0).all(axis=-1).any()]
    if not there:
        return []
    count = sum(int((one.keypoints == 0).all(axis=-1).sum()) for one in there)
    what = (
        f"{CORNERS}, as some programs write what is not labeled: {count} in "
        f"{counted(len(there), 'image')}. They are used as labels: if nobody placed them, empty "
        "their cells, in JSON write visibility 0"
    )
    return [Problem(WARNING, there[0].file, there[0].row, there[0].name, what)]


def _unlabeled(labels: Labels, usable: Sequence[bool]) -> list[Problem]:
    """Says which bodyparts nobody labeled."""
    frames = zip(labels.items, usable, strict=True)
    kept = [one.keypoints for one, use in frames if use and isinstance(one, LabeledFrame)]
    if not kept:
        return []
    labeled = np.any([np.isfinite(one).all(-1).any(0) for one in kept], axis=0)
    names = [name for name, any_ in zip(labels.bodyparts, labeled, strict=True) if not any_]
    what = "bodypart {!r} is not labeled in any image: it cannot be learned"
    file = labels.items[0].file
    return [Problem(WARNING, file, 0, "", what.format(name)) for name in names]


def choose(inspections: Sequence[Inspection]) -> int:
    """Chooses which of several items with the same pixels stays: the first of the source.

    Only one stays, so that no image is in train and test at once; and it is the first, so that a
    copy that is added later changes nothing.
    """
    items = [inspection.item for inspection in inspections]
    return min(range(len(items)), key=lambda i: (items[i].file, items[i].row, items[i].name))


def duplicate_problem(
    lost: Inspection, kept: Inspection, lost_split: str, kept_split: str
) -> Problem:
    """The words for an image that stands in a source twice."""
    found = duplicate(lost.item, kept.item)
    if {lost_split, kept_split} != {TRAIN, TEST}:
        return found
    return found._replace(level=ERROR, what=f"the same image in train and test; {found.what}")


def duplicate(item: LabeledFrame | LabeledCrop, other: LabeledFrame | LabeledCrop) -> Problem:
    """The words for an image of which another label is used."""
    same = item.name == other.name
    what = "duplicate row for" if same else "duplicate image: same pixels as"
    place = f" ({files.name(other.file)} row {other.row})" if other.row else ""
    level, what = WARNING, f"{what} {other.name}{place}; this one is not used"
    if _label(item) != _label(other):
        level, what = ERROR, f"{what}; their labels differ: remove the one that is wrong"
    return Problem(level, item.file, item.row, item.name, what)


def _label(item: LabeledFrame | LabeledCrop) -> object:
    if isinstance(item, LabeledCrop):
        return item.label
    return np.nan_to_num(item.keypoints, nan=-1.0).round(3).tolist()


def _inside(
    frame: LabeledFrame, height: int, width: int, bodyparts: Sequence[str]
) -> tuple[LabeledFrame, list[tuple[str, str]]]:
    if np.isnan(frame.keypoints).all():
        return frame, [] if frame.negative else [(WARNING, NO_LABEL)]
    beyond = outside(frame.keypoints, height, width)
    if not beyond.any():
        return frame, []
    notes = []
    for individual, bodypart in zip(*np.nonzero(beyond), strict=True):
        x, y = frame.keypoints[individual, bodypart]
        what = f"{bodyparts[bodypart]} at ({x:g}, {y:g}) lies outside the {width}x{height} image"
        notes.append((ERROR, f"{what}; taken as not labeled"))
    keypoints = np.where(beyond[..., None], np.nan, frame.keypoints)
    if np.isnan(keypoints).all():
        notes.append((WARNING, NO_LABEL))
    changed = {**vars(frame), "keypoints": keypoints}
    return LabeledFrame(**changed), notes


def _duplicates(inspections: Sequence[Inspection], splits: Sequence[str]) -> dict[int, Problem]:
    """Items that are not used since another has their pixels."""
    groups: dict[str, list[int]] = defaultdict(list)
    for i, inspection in enumerate(inspections):
        if inspection.digest:
            groups[inspection.digest].append(i)
    found = {}
    for group in groups.values():
        kept = group[choose([inspections[i] for i in group])]
        found |= {
            i: duplicate_problem(inspections[i], inspections[kept], splits[i], splits[kept])
            for i in group
            if i != kept
        }
    return found


def _imbalance(labels: Labels, splits: Sequence[str], usable: Sequence[bool]) -> list[Problem]:
    found = []
    file = files.parent(labels.items[0].file) if labels.items else ""
    for split in (TRAIN, TEST):
        counts = Counter(
            item.label
            for item, own, use in zip(labels.items, splits, usable, strict=True)
            if use and own == split and isinstance(item, LabeledCrop)
        )
        if not counts:
            continue
        sizes = {name: counts.get(i, 0) for i, name in enumerate(labels.classes)}
        if split == TRAIN and (what := class_sizes.unlearned(split, sizes)):
            found.append(Problem(ERROR, file, 0, "", what))
        elif what := class_sizes.empty(split, sizes):
            found.append(Problem(WARNING, file, 0, "", what))
        elif min(sizes.values()) < IMBALANCE * max(sizes.values()):
            shown = class_sizes.shown(sizes)
            what = f"{split}: class imbalance ({shown}); training weighs the classes"
            found.append(Problem(WARNING, file, 0, "", what))
    return found
