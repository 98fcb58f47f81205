"""Photographs whose burst is that of an earlier run: only these have the boxes of then."""

import itertools
from collections.abc import Iterator, Sequence

from beampose.core import files
from beampose.pipelines.predict.still_ranges import Image
from beampose.preprocess import bursts, exif
from beampose.preprocess.stills import Facts, Still


def unchanged(former: Sequence[Image], images: Sequence[Still], seconds: float) -> set[int]:
    """Numbers of the images whose burst holds the same images in both runs.

    When a new image was taken is known only once it is decoded: until then it may belong to the
    burst of any image beside it.

    Args:
      former: all rows of the earlier run, in order.
      images: those of this run, in order, with the codes of their contents.
      seconds: from one image of a burst to the next, at most.
    """
    known = {
        row.name: (number, row.fingerprint)
        for number, row in enumerate(former)
        if row.fingerprint and not row.failure
    }
    facts = [_facts(row) for row in former]
    before = [known.get(one.name, (-1, ""))[0] for one in images]
    for i, one in enumerate(images):
        if one.failure or known.get(one.name, (-1, ""))[1] != one.code:
            before[i] = -1
    chains = _chains([row.name for row in former], facts, seconds)
    of_former = {chain.start: chain for chain in chains}
    now = [
        facts[number] if number >= 0 else Facts() if one.failure else None
        for one, number in zip(images, before, strict=True)
    ]
    found: set[int] = set()
    for chain in _chains([one.name for one in images], now, seconds):
        numbers = before[chain.start : chain.stop]
        there = of_former.get(numbers[0], range(0))
        # Where parts of a longer one begin depends on the range that it lies in.
        placed = len(chain) <= bursts.MOST or there == chain
        if placed and numbers == list(there):
            found |= set(chain)
    return found


def _facts(row: Image) -> Facts:
    # Versions before also kept times that are none.
    return Facts(row.height, row.width, taken=exif.clock(row.taken))


def _chains(names: Sequence[str], facts: Sequence[Facts | None], seconds: float) -> Iterator[range]:
    """Numbers of the images of each burst, or of what may be one where facts are not known."""
    start = 0
    for i, (one, other) in enumerate(itertools.pairwise(facts), 1):
        pair = names[i - 1], names[i]
        if one is None or other is None:
            apart = files.parent(pair[0]) != files.parent(pair[1])
        else:
            apart = not bursts.follows(pair, (one, other), seconds)
        if apart:
            yield range(start, i)
            start = i
    if facts:
        yield range(start, len(facts))
