"""Work that is done in threads, in order, a little ahead of the one who uses it."""

import contextlib
import itertools
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Read = TypeVar("Read")


def mapped(
    function: Callable[[Item], Read], items: Iterable[Item], depth: int, threads: int
) -> Generator[tuple[Item, Read], None, None]:
    """Items and what a function makes of them, at most `depth` ahead of the consumer.

    What is not begun when the consumer stops is not done.
    """
    pool = ThreadPoolExecutor(threads)
    waiting: deque = deque()
    try:
        for item in items:
            waiting.append((item, pool.submit(function, item)))
            if len(waiting) > depth:
                done, future = waiting.popleft()
                yield done, future.result()
        while waiting:
            done, future = waiting.popleft()
            yield done, future.result()
    finally:
        pool.shutdown(cancel_futures=True)


def ahead(items: Iterator[Item], depth: int) -> Generator[Item, None, None]:
    """The same items, made in a thread of their own, at most `depth` ahead of the consumer."""
    one = itertools.repeat(1)
    made = mapped(lambda count: list(itertools.islice(items, count)), one, depth, threads=1)
    with contextlib.closing(made):
        for _, some in made:
            if not some:
                return
            yield from some
