"""A bound on the calls of networks in a process.

A call takes all cores, and keeps the maps between its layers in memory; a worker of Beam has many
threads, each of which would hold its own.
"""

import threading
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

Item = TypeVar("Item")
Found = TypeVar("Found")

# The second call begins where the first cannot use all cores.
AT_ONCE = threading.BoundedSemaphore(2)


# Scaled pixels of a call's images: more at once are no faster, and their maps take memory.
PIXELS = 6_000_000


class NoMemory(MemoryError):
    """A single image is too large for the memory there is."""


def fitting(batch_size: int, pixels: float) -> int:
    """Images of so many scaled pixels in a call: at most `batch_size`, one at least."""
    return max(min(batch_size, int(PIXELS / max(pixels, 1.0))), 1)


def few(count: int, most: int) -> int:
    """Images to which `count` of a rare size are filled up: few lengths, for each of which
    TensorFlow plans its kernels, and few images twice.
    """
    return min(1 << max(count - 1, 0).bit_length(), most)


def halved(
    call: Callable[[Sequence[Item], int], Found], items: Sequence[Item], size: int
) -> list[tuple[int, Found | NoMemory]]:
    """Calls a network with items; with fewer at a time where they are too many for the memory.

    Args:
      call: takes items, at most as many as its second argument says, which is the size of the
        batch that they are filled up to.

    Returns:
      How many items each call had, and what it gave: of one that fails with a single item, why.
    """
    try:
        return [(len(items), call(items, size))]
    except Exception as error:
        if not is_of_memory(error):
            raise
        if size == 1:
            why = "there is not enough memory for it: use smaller images, or a larger machine"
            return [(1, NoMemory(why))]
    half = -(-size // 2)
    parts = [items[i : i + half] for i in range(0, len(items), half)]
    return [found for part in parts for found in halved(call, part, half)]


def is_of_memory(error: Exception) -> bool:
    """Whether the memory of the machine, or of its GPU, is why."""
    kind: Any = type(error)
    return isinstance(error, MemoryError) or kind.__name__ == "ResourceExhaustedError"
