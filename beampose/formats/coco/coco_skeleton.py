"""Skeletons of COCO: pairs of bodyparts, which are counted from 1, and by some tools from 0."""

from collections.abc import Sequence
from typing import Any


def edges(skeleton: Any, names: Sequence[str]) -> tuple[list[tuple[str, str]], list[str]]:
    """Pairs of names, and remarks: which pairs are none, and that they are counted from 0."""
    pairs = skeleton if isinstance(skeleton, list) else [skeleton]
    numbers = [pair for pair in pairs if _is_pair(pair, int)]
    # With a 0 and without the last of them as COCO counts: the first is 0.
    first = 0 if any(0 in pair for pair in numbers) else 1
    if first == 0 and any(len(names) in pair for pair in numbers):
        first = 1
    found, wrong = [], []
    for pair in pairs:
        ends = _ends(pair, names, first)
        if ends is None:
            wrong.append(pair)
        else:
            found.append(ends)
    said = [] if first else ["its skeleton is counted from 0, not from 1 as COCO does; read so"]
    if wrong:
        what = "edges are no pairs" if len(wrong) > 1 else "edge is no pair"
        said.append(f"{len(wrong)} {what} of bodyparts, such as {_short(wrong[0])}; not drawn")
    return found, said


def _ends(pair: Any, names: Sequence[str], first: int) -> tuple[str, str] | None:
    if _is_pair(pair, str) and all(end in names for end in pair):
        return pair[0], pair[1]
    if not _is_pair(pair, int) or not all(first <= end < first + len(names) for end in pair):
        return None
    return str(names[pair[0] - first]), str(names[pair[1] - first])


def _is_pair(pair: Any, kind: type) -> bool:
    return (
        isinstance(pair, list)
        and len(pair) == 2
        and all(isinstance(end, kind) and not isinstance(end, bool) for end in pair)
    )


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
