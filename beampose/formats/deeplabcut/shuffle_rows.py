"""Row numbers of a shuffle to frames, also where frames were labeled after it was made.

A shuffle counts the rows of the merged labels of its day. DeepLabCut writes the merged labels again
with every new shuffle, so that what lies beside an old one may have more rows. The training images,
which the shuffle names, then say where its rows are now.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from beampose.preprocess.labels import TEST, TRAIN

Frame = tuple[str, ...]


class Rows(NamedTuple):
    """What a shuffle says: row numbers, and the training images by video and name.

    Attributes:
      images: of `train`, in its order; fewer where an image had no label, empty if not known.
    """

    train: list[int]
    test: list[int]
    images: list[Frame]


def sides(rows: Rows, order: Sequence[Frame], *, of_its_day: bool) -> dict[Frame, str]:
    """The split of the frames that a shuffle knows.

    Args:
      order: frames as the merged labels have them, or sorted as DeepLabCut merges them.
      of_its_day: True if `order` comes from merged labels.

    Raises:
      ValueError: its rows cannot be told; the text says why, without naming the file.
    """
    last = max([*rows.train, *rows.test], default=-1)
    if last >= len(order):
        raise ValueError(f"splits more frames than there are: row {last} of {len(order)}.")
    side = {row: TRAIN for row in rows.train} | {row: TEST for row in rows.test}
    found = {order[row]: one for row, one in side.items()}
    fits = {*rows.images} <= {frame for frame, one in found.items() if one == TRAIN}
    if len(side) == len(order) and fits:
        return found
    if not rows.images and of_its_day:
        return found
    if len(rows.images) != len(rows.train) or not {*rows.images} <= {*order}:
        raise ValueError("has rows for other frames than these.")
    return _between(rows, order, side)


def _between(rows: Rows, order: Sequence[Frame], side: Mapping[int, str]) -> dict[Frame, str]:
    """By the training images: between two of them, as many frames as rows are those frames."""
    place = {frame: i for i, frame in enumerate(order)}
    known = sorted((row, place[image]) for row, image in zip(rows.train, rows.images, strict=True))
    if any(now <= before for (_, before), (_, now) in _pairs(known)):
        raise ValueError("has rows in another order than these frames.")
    found = {order[now]: TRAIN for _, now in known}
    ends = [(-1, -1), *known, (max([*side]) + 1, len(order))]
    for (row, now), (next_row, next_now) in _pairs(ends):
        numbers, frames = range(row + 1, next_row), order[now + 1 : next_now]
        if len(numbers) == len(frames):
            found |= {f: side[n] for n, f in zip(numbers, frames, strict=True) if n in side}
        elif tests := sum(side.get(n) == TEST for n in numbers):
            raise ValueError(
                f"has {tests} test frames among these {len(frames)}, and which they are cannot be "
                f"told since others were labeled or removed: {_named(frames)}."
            )
    return found


def _pairs(values: Sequence[tuple[int, int]]) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    return zip(values, values[1:], strict=False)


def _named(frames: Sequence[Frame]) -> str:
    names = ["/".join(frame) for frame in frames[:5]]
    return ", ".join(names) + (", ..." if len(frames) > 5 else "") if names else "none"
